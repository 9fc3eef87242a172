// SPDX-License-Identifier: Apache-2.0
#include "nic.h"

#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "nic_offload.h"
#include "nic_qos.h"

#include <net/if.h>
#include <string.h>

/* The kernel's metric of an IPv6 route that was given none. */
enum { IP6_METRIC = 1024 };

/* One NIC being brought to what it shall be: what is wanted, and what was found. */
typedef struct {
    const NicHost *place;
    Netlink *host;
    Sandbox *sandbox;
    const VmNic *nic;
    const NicPort *port;
    gchar *alias;
    NicBridge bridge;
    guint mtu;
    gboolean has_host, has_guest;
    NetlinkLink host_end, guest_end;
    gboolean fresh; /* the pair was made just now */
} Work;

static void work_clear(Work *work)
{
    g_free(work->alias);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

static gchar *alias_of(const char *deploy_id)
{
    return g_strconcat(NIC_ALIAS_PREFIX, deploy_id, NULL);
}

static gboolean is_veth(const NetlinkLink *link)
{
    return strcmp(link->kind, "veth") == 0;
}

/* The bridge of a network of libvirt is there while that is. */
static gboolean find_bridge(Work *work, GError **error)
{
    const VmNic *nic = work->nic;
    g_autoptr(GError) failure = NULL;
    if (work->port->find(work->place, nic->bridge, &work->bridge, &failure))
        return TRUE;
    if (nic->libvirt_network && vmdock_error_is(failure, VMDOCK_ERROR_NO_BRIDGE))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE,
                    "bridge %s is not there; start its network of libvirt: virsh net-start %s",
                    nic->bridge, nic->libvirt_network);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean look(Work *work, GError **error)
{
    const VmNic *nic = work->nic;
    if (!find_bridge(work, error) ||
        !netlink_link_get(work->host, nic->host_name, &work->host_end, &work->has_host, error) ||
        !netlink_link_get(work->sandbox->netlink, nic->guest_name, &work->guest_end,
                          &work->has_guest, error))
        return FALSE;
    work->mtu = nic->mtu != 0 ? nic->mtu : work->bridge.mtu;
    return TRUE;
}

void nic_parked_name(const VmNic *nic, gchar *name)
{
    g_snprintf(name, IFNAMSIZ, "vmdock%u", nic->id);
}

static gboolean is_pair(const Work *work)
{
    return work->has_host && work->has_guest && is_veth(&work->host_end) &&
           is_veth(&work->guest_end) && work->host_end.peer_index == work->guest_end.index &&
           work->guest_end.peer_index == work->host_end.index;
}

/* Takes away what stands where the pair shall be: leftovers of this VM, and nothing else. */
static gboolean clear_place(Work *work, GError **error)
{
    const NetlinkLink *there = &work->host_end;
    if (work->has_host && (!is_veth(there) || strcmp(there->alias, work->alias) != 0)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                    "the host has another link of this name (kind \"%s\", alias \"%s\"), and it is "
                    "not this VM's to replace",
                    *there->kind ? there->kind : "device", there->alias);
        return FALSE;
    }
    return (!work->has_host || netlink_link_delete(work->host, there->name, error)) &&
           (!work->has_guest ||
            netlink_link_delete(work->sandbox->netlink, work->guest_end.name, error));
}

/*
 * A bridge takes the lowest MAC of its ports for its own; the host end's is high, so that the
 * bridge does not change its MAC, and lose its peers, with every VM that comes or goes.
 */
static void host_mac(const guint8 guest[6], guint8 mac[6])
{
    memcpy(mac, guest, 6);
    mac[0] = guest[0] == 0xfe ? 0xfa : 0xfe;
}

static gboolean make_pair(Work *work, GError **error)
{
    const VmNic *nic = work->nic;
    guint8 mac[6];
    host_mac(nic->mac, mac);
    NetlinkVeth veth = {
        .host_name = nic->host_name,
        .guest_name = nic->guest_name,
        .peer_netns = work->sandbox->fd,
        .host_mac = nic->has_mac ? mac : NULL,
        .guest_mac = nic->has_mac ? nic->mac : NULL,
        /* A port with a small MTU would bring the whole bridge down to it. */
        .host_mtu = MAX(work->mtu, work->bridge.mtu),
        .guest_mtu = work->mtu,
        .master = work->bridge.master,
    };
    if (!netlink_veth_add(work->host, &veth, error))
        return FALSE;
    work->fresh = TRUE;
    if (!netlink_link_get(work->host, nic->host_name, &work->host_end, &work->has_host, error) ||
        !netlink_link_get(work->sandbox->netlink, nic->guest_name, &work->guest_end,
                          &work->has_guest, error))
        return FALSE;
    if (is_pair(work))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "the veth pair was gone as soon as it was made");
    return FALSE;
}

static gboolean settle_host(Work *work, GError **error)
{
    NetlinkLink *end = &work->host_end;
    guint mtu = MAX(work->mtu, work->bridge.mtu);
    if (strcmp(end->alias, work->alias) != 0 &&
        !netlink_link_set_alias(work->host, end->index, work->alias, error))
        return FALSE;
    if ((end->master != work->bridge.master || work->bridge.master == 0) &&
        !work->port->plug(work->place, work->sandbox->deploy_id, work->nic, error))
        return FALSE;
    if (end->mtu != mtu && !netlink_link_set_mtu(work->host, end->index, mtu, error))
        return FALSE;
    end->mtu = mtu;
    gboolean up = !work->nic->link_down;
    if (!end->up != !up &&
        !(up ? netlink_link_up : netlink_link_down)(work->host, end->index, error))
        return FALSE;
    /* A port needs no address of its own; without this it would speak IPv6 on the VM's network. */
    g_autofree gchar *name = g_strdup_printf("net/ipv6/conf/%s/disable_ipv6", work->nic->host_name);
    g_autoptr(GError) failure = NULL;
    if (!sysctl_set(&(Sysctl){name, "1"}, &failure))
        log_warn("NIC %u: its host end has IPv6 of its own: %s", work->nic->id, failure->message);
    return TRUE;
}

static gboolean settle_sysctls(const Work *work, GError **error)
{
    VmIp6Mode mode = work->nic->ip6_mode;
    /* 2: also in a guest that forwards packets, to containers of its own for example. */
    const char *hear = mode == VM_IP6_ROUTERS || mode == VM_IP6_AUTO ? "2" : "0";
    g_autofree gchar *ip4 = g_strconcat("net/ipv4/conf/", work->nic->guest_name, NULL);
    g_autofree gchar *ip6 = g_strconcat("net/ipv6/conf/", work->nic->guest_name, NULL);
    g_autofree gchar *arp_notify = g_strconcat(ip4, "/arp_notify", NULL);
    g_autofree gchar *ndisc_notify = g_strconcat(ip6, "/ndisc_notify", NULL);
    g_autofree gchar *accept_dad = g_strconcat(ip6, "/accept_dad", NULL);
    g_autofree gchar *accept_ra = g_strconcat(ip6, "/accept_ra", NULL);
    g_autofree gchar *autoconf = g_strconcat(ip6, "/autoconf", NULL);
    g_autofree gchar *disable = g_strconcat(ip6, "/disable_ipv6", NULL);
    const Sysctl settings[] = {
        {arp_notify, "1"},
        {ndisc_notify, "1"},
        {accept_dad, "0"},
        {accept_ra, hear},
        {autoconf, mode == VM_IP6_AUTO ? "1" : "0"},
        {disable, mode == VM_IP6_OFF ? "1" : "0"},
        {NULL, NULL},
    };
    return sandbox_sysctls(work->sandbox, settings, error);
}

/* The MAC is changed with the link down: its link-local address is then made anew from it. */
static gboolean settle_guest_link(Work *work, GError **error)
{
    NetlinkLink *end = &work->guest_end;
    Netlink *netlink = work->sandbox->netlink;
    if (work->nic->has_mac && memcmp(end->mac, work->nic->mac, 6) != 0) {
        if (!netlink_link_down(netlink, end->index, error) ||
            !netlink_link_set_mac(netlink, end->index, work->nic->mac, error))
            return FALSE;
        end->up = FALSE;
    }
    if ((work->bridge.userspace || work->nic->checksums) &&
        !nic_offload_off(work->sandbox, work->nic->guest_name, error))
        return FALSE;
    return end->mtu == work->mtu || netlink_link_set_mtu(netlink, end->index, work->mtu, error);
}

static gboolean same_address(const VmAddress *a, const VmAddress *b)
{
    return vm_address_same(a, b) && a->prefix == b->prefix;
}

static gboolean has_address(const GArray *addresses, const VmAddress *address)
{
    for (guint i = 0; i < addresses->len; i++)
        if (same_address(&g_array_index(addresses, VmAddress, i), address))
            return TRUE;
    return FALSE;
}

/* What the NIC shall have; without IPv6 where that is off. */
static GArray *wanted_addresses(const VmNic *nic)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(VmAddress));
    for (guint i = 0; nic->addresses && i < nic->addresses->len; i++) {
        VmAddress address = g_array_index(nic->addresses, VmAddress, i);
        if (nic->ip6_mode != VM_IP6_OFF || address.family != AF_INET6)
            g_array_append_val(wanted, address);
    }
    return wanted;
}

static const VmAddress *first_ip4(const GArray *addresses)
{
    for (guint i = 0; i < addresses->len; i++)
        if (g_array_index(addresses, VmAddress, i).family == AF_INET)
            return &g_array_index(addresses, VmAddress, i);
    return NULL;
}

/*
 * The NIC's own IPv4 address comes before its aliases', for it is the source of what the guest
 * sends. When another one is first all IPv4 addresses go and are set in their order.
 */
static gboolean must_go(const GArray *wanted, const GArray *there, const VmAddress *address)
{
    if (!has_address(wanted, address))
        return TRUE;
    const VmAddress *first = first_ip4(wanted);
    return address->family == AF_INET && !same_address(first_ip4(there), first);
}

/* Returns the addresses that stay. */
static GArray *clear_addresses(const Work *work, const GArray *wanted, GError **error)
{
    Netlink *netlink = work->sandbox->netlink;
    gint index = work->guest_end.index;
    g_autoptr(GArray) there = netlink_address_list(netlink, index, error);
    if (!there)
        return NULL;
    gboolean changed = FALSE;
    for (guint i = 0; i < there->len; i++) {
        const VmAddress *address = &g_array_index(there, VmAddress, i);
        if (!must_go(wanted, there, address))
            continue;
        changed = TRUE;
        if (!netlink_address_delete(netlink, index, address, error))
            return NULL;
    }
    /* With the first address of a subnet the kernel deletes the others of it. */
    return changed ? netlink_address_list(netlink, index, error) : g_steal_pointer(&there);
}

static gboolean add_addresses(const Work *work, const GArray *wanted, const GArray *there,
                              GError **error)
{
    for (guint i = 0; i < wanted->len; i++) {
        const VmAddress *address = &g_array_index(wanted, VmAddress, i);
        if (!has_address(there, address) &&
            !netlink_address_add(work->sandbox->netlink, work->guest_end.index, address, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean same_route(const VmRoute *a, const VmRoute *b)
{
    return same_address(&a->destination, &b->destination) && a->metric == b->metric &&
           vm_address_same(&a->gateway, &b->gateway);
}

static gboolean same_routes(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        gboolean found = FALSE;
        for (guint j = 0; j < b->len && !found; j++)
            found = same_route(&g_array_index(a, VmRoute, i), &g_array_index(b, VmRoute, j));
        if (!found)
            return FALSE;
    }
    return TRUE;
}

/* What the NIC shall have, with the metrics that the kernel will show. */
static GArray *wanted_routes(const VmNic *nic)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(VmRoute));
    for (guint i = 0; nic->routes && i < nic->routes->len; i++) {
        VmRoute route = g_array_index(nic->routes, VmRoute, i);
        gboolean ip6 = route.destination.family == AF_INET6;
        if (ip6 && nic->ip6_mode == VM_IP6_OFF)
            continue;
        if (ip6 && route.metric == 0)
            route.metric = IP6_METRIC;
        g_array_append_val(wanted, route);
    }
    return wanted;
}

static gboolean add_routes(const Work *work, const GArray *routes, GError **error)
{
    for (guint i = 0; i < routes->len; i++)
        if (!netlink_route_add(work->sandbox->netlink, work->guest_end.index, NETLINK_TABLE_MAIN,
                               &g_array_index(routes, VmRoute, i), error))
            return FALSE;
    return TRUE;
}

/* A new guest end has nothing: all of it goes to the kernel in one message. */
static gboolean fill_guest(const Work *work, GError **error)
{
    Netlink *netlink = work->sandbox->netlink;
    g_autoptr(GArray) addresses = wanted_addresses(work->nic);
    g_autoptr(GArray) routes = wanted_routes(work->nic);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(VmAddress));
    netlink_batch_begin(netlink);
    return add_addresses(work, addresses, none, error) &&
           netlink_link_up(netlink, work->guest_end.index, error) &&
           add_routes(work, routes, error) && netlink_batch_send(netlink, error);
}

/* Only what differs is touched. */
static gboolean correct_guest(const Work *work, GError **error)
{
    Netlink *netlink = work->sandbox->netlink;
    gint index = work->guest_end.index;
    g_autoptr(GArray) addresses = wanted_addresses(work->nic);
    g_autoptr(GArray) stay = clear_addresses(work, addresses, error);
    if (!stay || !add_addresses(work, addresses, stay, error) ||
        (!work->guest_end.up && !netlink_link_up(netlink, index, error)))
        return FALSE;
    g_autoptr(GArray) routes = wanted_routes(work->nic);
    g_autoptr(GArray) there = netlink_route_list(netlink, index, NETLINK_TABLE_MAIN, error);
    if (!there || same_routes(routes, there))
        return there != NULL;
    return netlink_route_flush(netlink, index, NETLINK_TABLE_MAIN, error) &&
           add_routes(work, routes, error);
}

/* Where the host end's ingress is the bridge's, what the guest sends is held at the guest end. */
static gboolean limit(const NicHost *host, const NicPort *port, const Sandbox *sandbox,
                      const char *deploy_id, const VmNic *nic, const NetlinkLink *host_end,
                      GError **error)
{
    Netlink *guest = port->owns_ingress ? sandbox->netlink : NULL;
    return nic_qos_ensure(host->netlink, guest, deploy_id, nic, host_end, error);
}

/* One that is parked gets its name back. */
static gboolean unpark(Work *work, GError **error)
{
    gchar name[IFNAMSIZ];
    gboolean busy;
    Netlink *netlink = work->sandbox->netlink;
    if (!work->has_host || work->has_guest)
        return TRUE;
    nic_parked_name(work->nic, name);
    if (!netlink_link_get(netlink, name, &work->guest_end, &work->has_guest, error))
        return FALSE;
    if (is_pair(work))
        return netlink_link_rename(netlink, work->guest_end.index, work->nic->guest_name, &busy,
                                   error);
    work->has_guest = FALSE;
    return TRUE;
}

static gboolean bring(Work *work, GError **error)
{
    if (!look(work, error) || !unpark(work, error) ||
        (!is_pair(work) && (!clear_place(work, error) || !make_pair(work, error))))
        return FALSE;
    return settle_host(work, error) &&
           limit(work->place, work->port, work->sandbox, work->sandbox->deploy_id, work->nic,
                 &work->host_end, error) &&
           settle_guest_link(work, error) && settle_sysctls(work, error) &&
           (work->fresh ? fill_guest(work, error) : correct_guest(work, error));
}

/* A change of Open vSwitch is made whether it was heard of or not. */
static void take_back(const Work *work)
{
    interrupt_hold();
    nic_port_unplug(work->place->config, work->sandbox->deploy_id, work->nic->host_name);
    netlink_link_delete(work->host, work->nic->host_name, NULL);
    nic_qos_remove(work->host, work->sandbox->deploy_id, work->nic->host_name, NULL);
    interrupt_allow();
}

gboolean nic_ensure(const NicHost *host, Sandbox *sandbox, const VmNic *nic, gboolean *created,
                    GError **error)
{
    g_auto(Work) work = {.place = host, .host = host->netlink, .sandbox = sandbox, .nic = nic};
    work.alias = alias_of(sandbox->deploy_id);
    work.port = nic_port(nic, error);
    *created = FALSE;
    if (work.port && bring(&work, error)) {
        *created = work.fresh;
        return TRUE;
    }
    if (work.fresh)
        take_back(&work);
    g_prefix_error(error, "NIC %u (%s): ", nic->id, nic->host_name);
    return FALSE;
}

/* *found tells whether there is a host end of that name that is the VM's. */
static gboolean find_own(Netlink *host, const char *deploy_id, const VmNic *nic, NetlinkLink *link,
                         gboolean *found, GError **error)
{
    g_autofree gchar *alias = alias_of(deploy_id);
    if (!netlink_link_get(host, nic->host_name, link, found, error))
        return FALSE;
    *found = *found && is_veth(link) && strcmp(link->alias, alias) == 0;
    return TRUE;
}

/* Its port in Open vSwitch may be there without the link. */
static gboolean remove_pair(const NicHost *host, const char *deploy_id, const VmNic *nic,
                            GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    const NicPort *port = nic_port(nic, NULL);
    if (!nic_qos_remove(host->netlink, deploy_id, nic->host_name, error) ||
        !find_own(host->netlink, deploy_id, nic, &link, &found, error))
        return FALSE;
    if (port && port->owns_ingress)
        nic_port_unplug(host->config, deploy_id, nic->host_name);
    return !found || netlink_link_delete(host->netlink, nic->host_name, error);
}

gboolean nic_remove(const NicHost *host, const char *deploy_id, const VmNic *nic, GError **error)
{
    if (remove_pair(host, deploy_id, nic, error))
        return TRUE;
    g_prefix_error(error, "NIC %u (%s): ", nic->id, nic->host_name);
    return FALSE;
}

static gboolean limit_own(const NicHost *host, const char *deploy_id, const VmNic *nic,
                          const NetlinkLink *host_end, GError **error)
{
    const NicPort *port = nic_port(nic, error);
    if (!port || !port->owns_ingress)
        return port && limit(host, port, NULL, deploy_id, nic, host_end, error);
    g_autoptr(GError) failure = NULL;
    g_autoptr(Sandbox) sandbox = sandbox_open(host->config, deploy_id, &failure);
    if (sandbox)
        return limit(host, port, sandbox, deploy_id, nic, host_end, error);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "the VM has no network namespace");
    return FALSE;
}

gboolean nic_limit(const NicHost *host, const char *deploy_id, const VmNic *nic, GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (find_own(host->netlink, deploy_id, nic, &link, &found, error) &&
        (!found || limit_own(host, deploy_id, nic, &link, error)))
        return TRUE;
    g_prefix_error(error, "NIC %u (%s): ", nic->id, nic->host_name);
    return FALSE;
}

static void collect(const NetlinkLink *link, gpointer data)
{
    if (is_veth(link))
        g_array_append_vals(data, link, 1);
}

static gboolean is_guest_end(const GPtrArray *nics, const char *name)
{
    for (guint i = 0; i < nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(nics, i);
        gchar parked[IFNAMSIZ];
        nic_parked_name(nic, parked);
        if (!nic->engine_network &&
            (strcmp(nic->guest_name, name) == 0 || strcmp(parked, name) == 0))
            return TRUE;
    }
    return FALSE;
}

static const NetlinkLink *owned_peer(const GArray *host_ends, const char *alias,
                                     const NetlinkLink *guest)
{
    for (guint i = 0; i < host_ends->len; i++) {
        const NetlinkLink *link = &g_array_index(host_ends, NetlinkLink, i);
        if (link->index == guest->peer_index && link->peer_index == guest->index &&
            strcmp(link->alias, alias) == 0)
            return link;
    }
    return NULL;
}

gboolean nic_remove_others(const NicHost *host, Sandbox *sandbox, const GPtrArray *nics,
                           GError **error)
{
    g_autoptr(GArray) guests = g_array_new(FALSE, FALSE, sizeof(NetlinkLink));
    g_autoptr(GArray) host_ends = g_array_new(FALSE, FALSE, sizeof(NetlinkLink));
    if (!netlink_link_each(sandbox->netlink, collect, guests, error) ||
        !netlink_link_each(host->netlink, collect, host_ends, error))
        return FALSE;
    g_autofree gchar *alias = alias_of(sandbox->deploy_id);
    for (guint i = 0; i < guests->len; i++) {
        const NetlinkLink *guest = &g_array_index(guests, NetlinkLink, i);
        const NetlinkLink *peer =
            is_guest_end(nics, guest->name) ? NULL : owned_peer(host_ends, alias, guest);
        if (!peer)
            continue;
        nic_port_unplug(host->config, sandbox->deploy_id, peer->name);
        if (!netlink_link_delete(sandbox->netlink, guest->name, error) ||
            !nic_qos_remove(host->netlink, sandbox->deploy_id, peer->name, error))
            return FALSE;
    }
    return TRUE;
}

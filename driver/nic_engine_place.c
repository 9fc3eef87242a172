// SPDX-License-Identifier: Apache-2.0
/* The links that the engine plugs into a sandbox, and those that are there beside them. */
#include "nic_engine.h"

#include "error.h"
#include "nic.h"

#include <net/if.h>
#include <string.h>

/* What a link of the engine's is called that no NIC asked for: of a VM on overlay networks alone,
 * the way out of the host. */
#define SPARE_NAME   "gwbridge"
/* A link that waits for its name. */
#define WAITING_NAME "vmdock-"

/* One link of a sandbox. */
typedef struct {
    NetlinkLink link;
    const VmNic *nic; /* what it is; NULL = none that was asked for */
    gboolean own;     /* vmdock has made it */
    gchar target[IFNAMSIZ];
} Plugged;

typedef struct {
    Sandbox *sandbox;
    const VmSpec *spec;
    GArray *links; /* Plugged */
} View;

static void view_clear(View *view)
{
    g_clear_pointer(&view->links, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(View, view_clear)

static Plugged *plugged_at(const View *view, guint i)
{
    return &g_array_index(view->links, Plugged, i);
}

/* ---- what is there --------------------------------------------------------------------------- */

/* The kinds that the engine's drivers plug in. */
static void collect(const NetlinkLink *link, gpointer data)
{
    static const char *const kinds[] = {"veth", "macvlan", "macvtap", "ipvlan", NULL};
    if (g_strv_contains(kinds, link->kind)) {
        Plugged plugged = {.link = *link};
        g_array_append_val((GArray *)data, plugged);
    }
}

/* A host end tells which link is its peer, whatever that is called. */
static void claim_own(View *view, const VmNic *nic, const NetlinkLink *host_end)
{
    for (guint i = 0; i < view->links->len; i++) {
        Plugged *plugged = plugged_at(view, i);
        if (plugged->link.index != host_end->peer_index ||
            plugged->link.peer_index != host_end->index || strcmp(plugged->link.kind, "veth") != 0)
            continue;
        plugged->own = TRUE;
        plugged->nic = nic;
    }
}

static gboolean look(View *view, Host *host, GError **error)
{
    view->links = g_array_new(FALSE, TRUE, sizeof(Plugged));
    if (!host_netlink(host, error) ||
        !netlink_link_each(view->sandbox->netlink, collect, view->links, error))
        return FALSE;
    for (guint i = 0; i < view->spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(view->spec->nics, i);
        NetlinkLink host_end = {0};
        gboolean found = FALSE;
        if (nic->engine_network)
            continue;
        if (!netlink_link_get(host->netlink, nic->host_name, &host_end, &found, error))
            return FALSE;
        if (found && g_str_has_prefix(host_end.alias, NIC_ALIAS_PREFIX))
            claim_own(view, nic, &host_end);
    }
    return TRUE;
}

/* ---- which is which -------------------------------------------------------------------------- */

static gboolean has_link(const View *view, const VmNic *nic)
{
    for (guint i = 0; i < view->links->len; i++)
        if (plugged_at(view, i)->nic == nic)
            return TRUE;
    return FALSE;
}

static gboolean same_mac(G_GNUC_UNUSED const View *view, const Plugged *plugged, const VmNic *nic,
                         gboolean *same, G_GNUC_UNUSED GError **error)
{
    *same = nic->has_mac && memcmp(plugged->link.mac, nic->mac, 6) == 0;
    return TRUE;
}

static gboolean same_address(const View *view, const Plugged *plugged, const VmNic *nic,
                             gboolean *same, GError **error)
{
    g_autoptr(GArray) there =
        netlink_address_list(view->sandbox->netlink, plugged->link.index, error);
    *same = FALSE;
    for (guint i = 0; there && i < there->len; i++)
        for (guint j = 0; j < nic->addresses->len; j++)
            *same = *same || vm_address_same(&g_array_index(there, VmAddress, i),
                                             &g_array_index(nic->addresses, VmAddress, j));
    return there != NULL;
}

static gboolean is_called(const Plugged *plugged, const char *prefix)
{
    return g_str_has_prefix(plugged->link.name, prefix);
}

/* What has just come: the engine plugs in its way out last. */
static gboolean any_left(G_GNUC_UNUSED const View *view, const Plugged *plugged,
                         G_GNUC_UNUSED const VmNic *nic, gboolean *same,
                         G_GNUC_UNUSED GError **error)
{
    *same = !is_called(plugged, SPARE_NAME) && !is_called(plugged, WAITING_NAME);
    return TRUE;
}

/* In which the engine plugs in the networks of a container: by their names. */
static gint compare_networks(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const VmNic *const *)a)->engine_network,
                  (*(const VmNic *const *)b)->engine_network);
}

/* In which it has counted their links: "eth2" before "eth10". */
static gint compare_names(gconstpointer a, gconstpointer b)
{
    const char *mine = ((const Plugged *)a)->link.name, *theirs = ((const Plugged *)b)->link.name;
    gsize length = strlen(mine), other = strlen(theirs);
    return length != other ? (length > other) - (length < other) : strcmp(mine, theirs);
}

typedef gboolean (*SameFunc)(const View *view, const Plugged *plugged, const VmNic *nic,
                             gboolean *same, GError **error);

static gboolean match(View *view, const GPtrArray *nics, SameFunc same_func, GError **error)
{
    for (guint i = 0; i < nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(nics, i);
        for (guint j = 0; j < view->links->len && !has_link(view, nic); j++) {
            Plugged *plugged = plugged_at(view, j);
            gboolean same = FALSE;
            if (!plugged->own && !plugged->nic && !same_func(view, plugged, nic, &same, error))
                return FALSE;
            if (same)
                plugged->nic = nic;
        }
    }
    return TRUE;
}

static gboolean tell_apart(View *view, GError **error)
{
    static const SameFunc tests[] = {same_mac, same_address, any_left};
    g_autoptr(GPtrArray) nics = g_ptr_array_new();
    for (guint i = 0; i < view->spec->nics->len; i++) {
        VmNic *nic = g_ptr_array_index(view->spec->nics, i);
        if (nic->engine_network)
            g_ptr_array_add(nics, nic);
    }
    g_ptr_array_sort(nics, compare_networks);
    g_array_sort(view->links, compare_names);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        if (!match(view, nics, tests[i], error))
            return FALSE;
    return TRUE;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Before Linux 6.2 a link must go down for it, and loses its routes and IPv6 addresses. */
static gboolean rename_down(Netlink *netlink, const NetlinkLink *link, const char *name,
                            GError **error)
{
    gboolean busy;
    g_autoptr(GArray) addresses = netlink_address_list(netlink, link->index, error);
    g_autoptr(GArray) routes =
        addresses ? netlink_route_list(netlink, link->index, NETLINK_TABLE_MAIN, error) : NULL;
    if (!routes || !netlink_link_down(netlink, link->index, error) ||
        !netlink_link_rename(netlink, link->index, name, &busy, error) ||
        !netlink_link_up(netlink, link->index, error))
        return FALSE;
    for (guint i = 0; i < addresses->len; i++) {
        const VmAddress *address = &g_array_index(addresses, VmAddress, i);
        if (address->family == AF_INET6 &&
            !netlink_address_add(netlink, link->index, address, error))
            return FALSE;
    }
    for (guint i = 0; i < routes->len; i++)
        if (!netlink_route_add(netlink, link->index, NETLINK_TABLE_MAIN,
                               &g_array_index(routes, VmRoute, i), error))
            return FALSE;
    return TRUE;
}

static gboolean call(Netlink *netlink, NetlinkLink *link, const char *name, GError **error)
{
    gboolean busy = FALSE;
    if (strcmp(link->name, name) == 0)
        return TRUE;
    if (!netlink_link_rename(netlink, link->index, name, &busy, error) ||
        (busy && !rename_down(netlink, link, name, error)))
        return FALSE;
    g_strlcpy(link->name, name, sizeof link->name);
    return TRUE;
}

static gboolean let_wait(Netlink *netlink, NetlinkLink *link, GError **error)
{
    gchar name[IFNAMSIZ];
    g_snprintf(name, sizeof name, WAITING_NAME "%d", link->index);
    return call(netlink, link, name, error);
}

static gboolean is_target(const View *view, const char *name)
{
    for (guint i = 0; i < view->links->len; i++)
        if (strcmp(plugged_at(view, i)->target, name) == 0)
            return TRUE;
    return FALSE;
}

static void choose_names(View *view)
{
    guint spare = 0;
    for (guint i = 0; i < view->links->len; i++) {
        Plugged *plugged = plugged_at(view, i);
        if (plugged->nic)
            g_strlcpy(plugged->target, plugged->nic->guest_name, sizeof plugged->target);
    }
    for (guint i = 0; i < view->links->len; i++) {
        Plugged *plugged = plugged_at(view, i);
        gchar name[IFNAMSIZ] = SPARE_NAME;
        for (; !plugged->nic && is_target(view, name); spare++)
            g_snprintf(name, sizeof name, SPARE_NAME "%u", spare + 1);
        if (!plugged->nic)
            g_strlcpy(plugged->target, name, sizeof plugged->target);
    }
}

/* First those that are to be called otherwise, out of each other's way. */
static gboolean give_names(View *view, GError **error)
{
    Netlink *netlink = view->sandbox->netlink;
    choose_names(view);
    for (guint i = 0; i < view->links->len; i++) {
        Plugged *plugged = plugged_at(view, i);
        if (strcmp(plugged->link.name, plugged->target) != 0 &&
            !let_wait(netlink, &plugged->link, error))
            return FALSE;
    }
    for (guint i = 0; i < view->links->len; i++) {
        Plugged *plugged = plugged_at(view, i);
        if (!call(netlink, &plugged->link, plugged->target, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- routes ---------------------------------------------------------------------------------- */

static gboolean has_default(const VmNic *nic, int family)
{
    for (guint i = 0; nic && i < nic->routes->len; i++) {
        const VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        if (route->destination.prefix == 0 && route->destination.family == family)
            return TRUE;
    }
    return FALSE;
}

static gboolean any_default(const VmSpec *spec, int family)
{
    for (guint i = 0; i < spec->nics->len; i++)
        if (has_default(g_ptr_array_index(spec->nics, i), family))
            return TRUE;
    return FALSE;
}

/* The cloud's default route is the VM's; where it has given none the engine's stays. */
static gboolean settle_defaults(const View *view, const Plugged *plugged, GError **error)
{
    Netlink *netlink = view->sandbox->netlink;
    gint index = plugged->link.index;
    g_autoptr(GArray) routes = netlink_route_list(netlink, index, NETLINK_TABLE_MAIN, error);
    for (guint i = 0; routes && i < routes->len; i++) {
        const VmRoute *route = &g_array_index(routes, VmRoute, i);
        if (route->destination.prefix == 0 && any_default(view->spec, route->destination.family) &&
            !netlink_route_delete(netlink, index, NETLINK_TABLE_MAIN, route, error))
            return FALSE;
    }
    return routes != NULL;
}

static gboolean has_route(const GArray *routes, const VmRoute *route)
{
    for (guint i = 0; i < routes->len; i++) {
        const VmRoute *there = &g_array_index(routes, VmRoute, i);
        if (vm_address_same(&there->destination, &route->destination) &&
            there->destination.prefix == route->destination.prefix &&
            vm_address_same(&there->gateway, &route->gateway))
            return TRUE;
    }
    return FALSE;
}

static gboolean add_routes(const View *view, const Plugged *plugged, GError **error)
{
    Netlink *netlink = view->sandbox->netlink;
    const VmNic *nic = plugged->nic;
    gint index = plugged->link.index;
    g_autoptr(GArray) there = netlink_route_list(netlink, index, NETLINK_TABLE_MAIN, error);
    for (guint i = 0; there && i < nic->routes->len; i++) {
        const VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        if (!has_route(there, route) &&
            !netlink_route_add(netlink, index, NETLINK_TABLE_MAIN, route, error))
            return FALSE;
    }
    return there != NULL;
}

/* ---- what is the engine's -------------------------------------------------------------------- */

static gboolean settle(const View *view, const Plugged *plugged, GError **error)
{
    Netlink *netlink = view->sandbox->netlink;
    const NetlinkLink *link = &plugged->link;
    const VmNic *nic = plugged->nic;
    if (strcmp(link->alias, NIC_ENGINE_ALIAS) != 0 &&
        !netlink_link_set_alias(netlink, link->index, NIC_ENGINE_ALIAS, error))
        return FALSE;
    if (!settle_defaults(view, plugged, error))
        return FALSE;
    if (!nic)
        return TRUE;
    if (nic->mtu && nic->mtu != link->mtu &&
        !netlink_link_set_mtu(netlink, link->index, nic->mtu, error))
        return FALSE;
    return nic->link_down ? netlink_link_down(netlink, link->index, error)
                          : add_routes(view, plugged, error);
}

/* With its hook the engine switches IPv6 off for all that is there and all that comes. */
static gboolean bring_back_ip6(const Sandbox *sandbox, GError **error)
{
    static const Sysctl settings[] = {{"net/ipv6/conf/default/disable_ipv6", "0"},
                                      {"net/ipv6/conf/lo/disable_ipv6", "0"},
                                      {NULL, NULL}};
    return sandbox_sysctls(sandbox, settings, error);
}

gboolean nic_engine_place(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error)
{
    g_auto(View) view = {.sandbox = sandbox, .spec = spec};
    if (!look(&view, host, error) || !tell_apart(&view, error) || !give_names(&view, error) ||
        !bring_back_ip6(sandbox, error))
        return FALSE;
    for (guint i = 0; i < view.links->len; i++) {
        const Plugged *plugged = plugged_at(&view, i);
        if (plugged->own || settle(&view, plugged, error))
            continue;
        if (plugged->nic)
            g_prefix_error(error, "NIC %u: ", plugged->nic->id);
        return FALSE;
    }
    return TRUE;
}

static void note_waiting(const NetlinkLink *link, gpointer data)
{
    gboolean *any = data;
    *any = *any || g_str_has_prefix(link->name, WAITING_NAME);
}

gboolean nic_engine_mend(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error)
{
    gboolean any = FALSE;
    return !vm_nics_any_engine(spec->nics) ||
           (netlink_link_each(sandbox->netlink, note_waiting, &any, error) &&
            (!any || nic_engine_place(host, sandbox, spec, error)));
}

/* ---- out of its way -------------------------------------------------------------------------- */

static gboolean park(Netlink *netlink, Plugged *plugged, GError **error)
{
    if (!plugged->own)
        return netlink_link_delete(netlink, plugged->link.name, error);
    gchar name[IFNAMSIZ];
    nic_parked_name(plugged->nic, name);
    return netlink_link_down(netlink, plugged->link.index, error) &&
           call(netlink, &plugged->link, name, error);
}

gboolean nic_engine_park(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error)
{
    g_auto(View) view = {.sandbox = sandbox, .spec = spec};
    if (!look(&view, host, error))
        return FALSE;
    for (guint i = 0; i < view.links->len; i++)
        if (!park(sandbox->netlink, plugged_at(&view, i), error))
            return FALSE;
    return TRUE;
}

gboolean nic_engine_unplug(Sandbox *sandbox, const EngineEndpoint *endpoint, GError **error)
{
    g_autoptr(GArray) links = g_array_new(FALSE, TRUE, sizeof(Plugged));
    const View view = {.sandbox = sandbox};
    g_autoptr(VmNic) nic = vm_nic_new();
    for (guint i = 0; i < G_N_ELEMENTS(endpoint->given); i++)
        if (endpoint->given[i].family)
            g_array_append_val(nic->addresses, endpoint->given[i]);
    if (!netlink_link_each(sandbox->netlink, collect, links, error))
        return FALSE;
    for (guint i = 0; i < links->len; i++) {
        const Plugged *plugged = &g_array_index(links, Plugged, i);
        gboolean same = FALSE;
        if (strcmp(plugged->link.alias, NIC_ENGINE_ALIAS) == 0 &&
            (!same_address(&view, plugged, nic, &same, error) ||
             (same && !netlink_link_delete(sandbox->netlink, plugged->link.name, error))))
            return FALSE;
    }
    return TRUE;
}

gboolean nic_engine_open(Sandbox *sandbox, GError **error)
{
    g_autoptr(GArray) links = g_array_new(FALSE, TRUE, sizeof(Plugged));
    if (!netlink_link_each(sandbox->netlink, collect, links, error))
        return FALSE;
    for (guint i = 0; i < links->len; i++) {
        NetlinkLink *link = &g_array_index(links, Plugged, i).link;
        if (g_str_has_prefix(link->name, "eth") && !let_wait(sandbox->netlink, link, error))
            return FALSE;
    }
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_domain_private.h"

#include <string.h>

enum {
    MAX_NICS = 256,
    MAX_ADDRESSES = 256,
    MAX_METRIC = 0x7fffffff,
    RATE_UNIT = 1000, /* libvirt hands rates to tc, whose kbps counts in thousands, */
    SIZE_UNIT = 1024, /* and whose kb in 1024 */
    MAX_RATE = 100000000,
    MAX_BURST = 1048576, /* the kernel counts the bytes of a bucket in 32 bits */
};

/* One interface while it is being read. */
typedef struct {
    Domain *domain;
    xmlNode *node;
    VmNic *nic;
    const char *label; /* "NIC 0" */
} Interface;

/* What libvirt shows of a guest that runs is not asked for: portid, and the bridge. */
static gboolean take_network(const Interface *at, xmlNode *source, const char *port, GError **error)
{
    at->nic->libvirt_network = domain_attribute(source, "network");
    at->nic->portgroup = domain_attribute(source, "portgroup");
    if (source)
        domain_take_all(source);
    if (port)
        spec_note(at->domain->spec, "%s: virtualport is not honoured: the network says it",
                  at->label);
    return at->nic->libvirt_network ||
           spec_fail(error, "%s: its source names no network", at->label);
}

static gboolean take_source(const Interface *at, GError **error)
{
    g_autofree gchar *type = domain_attribute(at->node, "type");
    xmlNode *source = domain_child(at->node, "source");
    g_autofree gchar *port = domain_child_attribute(at->node, "virtualport", "type");
    if (g_strcmp0(type, "network") == 0)
        return take_network(at, source, port, error);
    if (g_strcmp0(type, "bridge") != 0) {
        g_autofree gchar *shown = spec_shown(type ? type : "none");
        return spec_fail(error, "%s: an interface of type %s is none of a bridge", at->label,
                         shown);
    }
    at->nic->bridge = domain_attribute(source, "bridge");
    at->nic->bridge_type = g_strdup(g_strcmp0(port, "openvswitch") == 0 ? "openvswitch" : "linux");
    if (port && strcmp(port, "openvswitch") != 0)
        spec_note(at->domain->spec,
                  "%s: virtualport of another type than openvswitch is not "
                  "honoured",
                  at->label);
    return at->nic->bridge || spec_fail(error, "%s: its source names no bridge", at->label);
}

/* Another bridge than one of Open vSwitch can be told none, and what kind a network's is, the
 * network says. */
static gboolean take_vlan(const Interface *at, GError **error)
{
    const VmNic *nic = at->nic;
    if (!nic->libvirt_network && g_strcmp0(nic->bridge_type, "openvswitch") != 0)
        return TRUE;
    xmlNode *vlan = domain_child(at->node, "vlan");
    const char *why = vlan ? vm_vlan_read(vlan, &at->nic->vlan) : NULL;
    domain_take_all(vlan);
    return !why || spec_fail(error, "%s %s", at->label, why);
}

static gboolean take_mac(const Interface *at, GError **error)
{
    xmlNode *mac = domain_child(at->node, "mac");
    g_autofree gchar *text = domain_attribute(mac, "address");
    if (mac)
        domain_take_all(mac);
    if (!text)
        return TRUE;
    at->nic->has_mac = vm_mac_parse(text, at->nic->mac);
    g_autofree gchar *shown = spec_shown(text);
    return at->nic->has_mac || spec_fail(error, "%s: \"%s\" is no MAC", at->label, shown);
}

/* Names that libvirt gives by itself are not asked for: it overwrites them too. */
static gboolean is_generated(const char *name)
{
    static const char *const prefixes[] = {"vnet", "veth", "macvtap", "macvlan", "vif"};
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        const char *tail = name + strlen(prefixes[i]);
        if (g_str_has_prefix(name, prefixes[i]) && *tail &&
            strspn(tail, "0123456789") == strlen(tail))
            return TRUE;
    }
    return FALSE;
}

static gboolean take_mtu(const Interface *at, GError **error)
{
    g_autofree gchar *text = domain_child_attribute(at->node, "mtu", "size");
    g_autofree gchar *label = g_strconcat(at->label, ": mtu", NULL);
    guint64 mtu = 0;
    if (text && !spec_number(label, text, "bytes", 68, 65535, &mtu, error))
        return FALSE;
    at->nic->mtu = (guint)mtu;
    return TRUE;
}

static gboolean take_names(const Interface *at, GError **error)
{
    g_autofree gchar *target = domain_child_attribute(at->node, "target", "dev");
    g_autofree gchar *state = domain_child_attribute(at->node, "link", "state");
    xmlNode *guest = domain_child(at->node, "guest");
    at->nic->guest_name = domain_attribute(guest, "dev");
    g_free(domain_attribute(guest, "actual"));
    at->nic->host_name = target && !is_generated(target)
                             ? g_strdup(target)
                             : vm_nic_host_name("vd", at->domain->spec->deploy_id, at->nic->id);
    at->nic->link_down = g_strcmp0(state, "down") == 0;
    domain_take_all(domain_child(at->node, "alias"));
    domain_take_all(domain_child(at->node, "address"));
    return take_mtu(at, error);
}

/* ---- addresses and routes -------------------------------------------------------------------- */

/* An address that comes without one has the prefix that its class had. */
static guint natural_prefix(const VmAddress *address)
{
    guint8 first = address->bytes[0];
    if (address->family == AF_INET6)
        return 64;
    return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static gboolean read_address(const char *label, const char *text, VmAddress *address,
                             GError **error)
{
    g_autofree gchar *shown = spec_shown(text);
    return (text && !strchr(text, '/') && vm_address_parse(text, address)) ||
           spec_fail(error, "%s: \"%s\" is no address", label, shown);
}

static gboolean read_prefix(const char *label, const char *text, VmAddress *address, GError **error)
{
    guint64 prefix = 0;
    if (!spec_number(label, text, "bits of a prefix", 0, address->family == AF_INET ? 32 : 128,
                     &prefix, error))
        return FALSE;
    address->prefix = (guint)prefix;
    return TRUE;
}

static gboolean check_family(xmlNode *node, const char *label, const VmAddress *address,
                             GError **error)
{
    g_autofree gchar *family = domain_attribute(node, "family");
    const char *its = address->family == AF_INET ? "ipv4" : "ipv6";
    return !family || strcmp(family, its) == 0 ||
           spec_fail(error, "%s: its family is not that of its address", label);
}

static gboolean take_address(const Interface *at, xmlNode *node, GError **error)
{
    g_autofree gchar *label = g_strconcat(at->label, ": ip", NULL);
    g_autofree gchar *text = domain_attribute(node, "address");
    g_autofree gchar *prefix = domain_attribute(node, "prefix");
    VmAddress address = {0};
    if (!read_address(label, text, &address, error) ||
        !check_family(node, label, &address, error) ||
        (prefix && !read_prefix(label, prefix, &address, error)))
        return FALSE;
    /* The network's own, where it has one (nic_libvirt.h). */
    if (!prefix && !at->nic->libvirt_network)
        address.prefix = natural_prefix(&address);
    g_array_append_val(at->nic->addresses, address);
    return TRUE;
}

static gboolean take_destination(xmlNode *node, const char *label, VmAddress *destination,
                                 GError **error)
{
    g_autofree gchar *text = domain_attribute(node, "address");
    g_autofree gchar *prefix = domain_attribute(node, "prefix");
    g_autofree gchar *mask = domain_attribute(node, "netmask");
    static const guint8 zero[16];
    if (!read_address(label, text, destination, error) ||
        !check_family(node, label, destination, error) ||
        (prefix && !read_prefix(label, prefix, destination, error)))
        return FALSE;
    if (mask && !prefix &&
        (destination->family != AF_INET || !vm_mask_prefix(mask, &destination->prefix)))
        return spec_fail(error, "%s: its netmask is none", label);
    if (!prefix && !mask)
        destination->prefix =
            memcmp(destination->bytes, zero, sizeof zero) == 0 ? 0 : natural_prefix(destination);
    *destination = vm_address_subnet(destination);
    return TRUE;
}

static gboolean take_route(const Interface *at, xmlNode *node, GError **error)
{
    g_autofree gchar *label = g_strconcat(at->label, ": route", NULL);
    g_autofree gchar *gateway = domain_attribute(node, "gateway");
    g_autofree gchar *metric = domain_attribute(node, "metric");
    const VmAddress none = {0};
    VmRoute route = {0};
    guint64 number = 0;
    if (!take_destination(node, label, &route.destination, error) ||
        (gateway && !read_address(label, gateway, &route.gateway, error)) ||
        (metric && !spec_number(label, metric, "a metric", 1, MAX_METRIC, &number, error)))
        return FALSE;
    route.metric = (guint)number;
    /* The schema wants a gateway also of a route that needs none. */
    if (memcmp(route.gateway.bytes, none.bytes, sizeof none.bytes) == 0)
        route.gateway = none;
    g_array_append_val(at->nic->routes, route);
    return TRUE;
}

/* As OpenNebula's NICs: who is given an IPv6 address and no gateway learns it from routers. */
static void settle_ip6(VmNic *nic)
{
    gboolean address = FALSE, gateway = FALSE;
    for (guint i = 0; i < nic->addresses->len; i++)
        address = address || g_array_index(nic->addresses, VmAddress, i).family == AF_INET6;
    for (guint i = 0; i < nic->routes->len; i++) {
        const VmAddress *to = &g_array_index(nic->routes, VmRoute, i).destination;
        gateway = gateway || (to->family == AF_INET6 && to->prefix == 0);
    }
    nic->ip6_mode = address && !gateway ? VM_IP6_ROUTERS : VM_IP6_STATIC;
}

static gboolean take_addresses(const Interface *at, GError **error)
{
    g_autoptr(GPtrArray) addresses = domain_children(at->node, "ip");
    g_autoptr(GPtrArray) routes = domain_children(at->node, "route");
    if (addresses->len > MAX_ADDRESSES || routes->len > MAX_ADDRESSES)
        return spec_fail(error, "%s has more than %d addresses or routes", at->label,
                         MAX_ADDRESSES);
    for (guint i = 0; i < addresses->len; i++)
        if (!take_address(at, addresses->pdata[i], error))
            return FALSE;
    for (guint i = 0; i < routes->len; i++)
        if (!take_route(at, routes->pdata[i], error))
            return FALSE;
    settle_ip6(at->nic);
    return TRUE;
}

/* ---- bandwidth ------------------------------------------------------------------------------- */

static gboolean take_rate(const Interface *at, xmlNode *node, const char *name, guint64 largest,
                          gint64 factor, gint64 *bytes, GError **error)
{
    g_autofree gchar *text = domain_attribute(node, name);
    g_autofree gchar *label =
        g_strdup_printf("%s: bandwidth/%s/@%s", at->label, (const char *)node->name, name);
    guint64 number = 0;
    if (text && !spec_number(label, text, "kilobytes", 1, largest, &number, error))
        return FALSE;
    *bytes = (gint64)number * factor;
    return TRUE;
}

static gboolean take_direction(const Interface *at, xmlNode *bandwidth, const char *name,
                               VmBandwidth *limits, GError **error)
{
    xmlNode *node = domain_child(bandwidth, name);
    return !node || (take_rate(at, node, "average", MAX_RATE, RATE_UNIT, &limits->average, error) &&
                     take_rate(at, node, "peak", MAX_RATE, RATE_UNIT, &limits->peak, error) &&
                     take_rate(at, node, "burst", MAX_BURST, SIZE_UNIT, &limits->burst, error));
}

static gboolean take_bandwidth(const Interface *at, GError **error)
{
    xmlNode *bandwidth = domain_child(at->node, "bandwidth");
    return take_direction(at, bandwidth, "inbound", &at->nic->inbound, error) &&
           take_direction(at, bandwidth, "outbound", &at->nic->outbound, error);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static gboolean take_interface(Domain *domain, xmlNode *node, guint id, GError **error)
{
    g_autofree gchar *label = g_strdup_printf("NIC %u", id);
    VmNic *nic = vm_nic_new();
    const Interface at = {domain, node, nic, label};
    g_ptr_array_add(domain->spec->nics, nic);
    nic->id = id;
    return take_source(&at, error) && take_vlan(&at, error) && take_mac(&at, error) &&
           take_names(&at, error) && take_addresses(&at, error) && take_bandwidth(&at, error);
}

static void name_guests(const GPtrArray *nics)
{
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < nics->len; i++) {
        const VmNic *nic = nics->pdata[i];
        if (nic->guest_name)
            g_hash_table_add(used, g_strdup(nic->guest_name));
    }
    for (guint i = 0, number = 0; i < nics->len; i++) {
        VmNic *nic = nics->pdata[i];
        if (nic->guest_name)
            continue;
        do {
            g_free(nic->guest_name);
            nic->guest_name = g_strdup_printf("eth%u", number++);
        } while (!g_hash_table_add(used, g_strdup(nic->guest_name)));
    }
}

gboolean domain_take_interfaces(Domain *domain, xmlNode *devices, GError **error)
{
    g_autoptr(GPtrArray) nodes = domain_children(devices, "interface");
    if (nodes->len > MAX_NICS)
        return spec_fail(error, "the domain has more than %d interfaces", MAX_NICS);
    for (guint i = 0; i < nodes->len; i++)
        if (!take_interface(domain, nodes->pdata[i], i, error))
            return FALSE;
    name_guests(domain->spec->nics);
    vm_nics_part_routes(domain->spec->nics);
    return TRUE;
}

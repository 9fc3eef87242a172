// SPDX-License-Identifier: Apache-2.0
#include "libvirt_network.h"

#include "error.h"
#include "spec_value.h"
#include "xml.h"

#include <string.h>

enum {
    MAX_XML = 16 * 1024 * 1024,
    RATE_UNIT = 1000, /* libvirt hands rates to tc, whose kbps counts in thousands, */
    SIZE_UNIT = 1024, /* and whose kb in 1024 */
    MAX_RATE = 100000000,
    MAX_BURST = 1048576,
    MAX_MTU = 65535,
    MAX_METRIC = 0x7fffffff,
    MAX_ROUTES = 64,
    MAX_LOOKS = 1 << 20, /* at addresses of a range */
};

/* ---- what a network is ----------------------------------------------------------------------- */

static void host_free(gpointer data)
{
    LibvirtHost *host = data;
    g_free(host->name);
    g_free(host);
}

GPtrArray *libvirt_hosts_new(void)
{
    return g_ptr_array_new_with_free_func(host_free);
}

static LibvirtNetwork *network_new(void)
{
    LibvirtNetwork *network = g_new0(LibvirtNetwork, 1);
    network->gives = libvirt_answer_new();
    network->ranges = g_array_new(FALSE, TRUE, sizeof(LibvirtRange));
    network->hosts = libvirt_hosts_new();
    network->named = libvirt_hosts_new();
    return network;
}

void libvirt_network_free(LibvirtNetwork *network)
{
    if (!network)
        return;
    g_free(network->name);
    libvirt_answer_free(network->gives);
    g_array_unref(network->ranges);
    g_ptr_array_unref(network->hosts);
    g_ptr_array_unref(network->named);
    g_free(network);
}

/* ---- its XML --------------------------------------------------------------------------------- */

static gchar *attribute(const xmlNode *node, const char *name)
{
    xmlChar *value = node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;
    gchar *text = value && *value ? g_strdup((const gchar *)value) : NULL;
    xmlFree(value);
    return text;
}

static const xmlNode *next_of(const xmlNode *node, const char *name)
{
    while (node && !xml_is(node, name))
        node = node->next;
    return node;
}

/* PARENT may be NULL. */
static const xmlNode *first_of(const xmlNode *parent, const char *name)
{
    return next_of(parent ? parent->children : NULL, name);
}

static guint64 number(const xmlNode *node, const char *name, guint64 most)
{
    g_autofree gchar *text = attribute(node, name);
    guint64 value = 0;
    if (text)
        g_ascii_string_to_unsigned(text, 10, 0, most, &value, NULL);
    return value;
}

static gboolean address_of(const xmlNode *node, const char *name, VmAddress *address)
{
    g_autofree gchar *text = attribute(node, name);
    return text && !strchr(text, '/') && vm_address_parse(text, address);
}

static void take_direction(const xmlNode *bandwidth, const char *name, VmBandwidth *limits)
{
    const xmlNode *node = xml_child(bandwidth, name);
    limits->average = (gint64)number(node, "average", MAX_RATE) * RATE_UNIT;
    limits->peak = (gint64)number(node, "peak", MAX_RATE) * RATE_UNIT;
    limits->burst = (gint64)number(node, "burst", MAX_BURST) * SIZE_UNIT;
}

static void take_port(LibvirtAnswer *gives, const xmlNode *node)
{
    g_autofree gchar *type = attribute(xml_child(node, "virtualport"), "type");
    if (type)
        gives->openvswitch = strcmp(type, "openvswitch") == 0;
}

static gboolean unsupported(const LibvirtNetwork *network, GError **error, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "network %s %s", network->name,
                what);
    return FALSE;
}

static gboolean take_vlan(LibvirtNetwork *network, const xmlNode *node, GError **error)
{
    const xmlNode *vlan = xml_child(node, "vlan");
    VmVlan its = {0};
    const char *why = vlan ? vm_vlan_read(vlan, &its) : NULL;
    if (why)
        return unsupported(network, error, why);
    if (vlan) {
        vm_vlan_clear(&network->gives->vlan);
        network->gives->vlan = its;
    }
    return TRUE;
}

static const xmlNode *find_portgroup(const xmlNode *root, const char *wanted)
{
    for (const xmlNode *group = first_of(root, "portgroup"); group;
         group = next_of(group->next, "portgroup")) {
        g_autofree gchar *name = attribute(group, "name");
        g_autofree gchar *is_default = attribute(group, "default");
        if (wanted ? g_strcmp0(name, wanted) == 0 : g_strcmp0(is_default, "yes") == 0)
            return group;
    }
    return NULL;
}

/* What the port group says goes before what the network says. */
static gboolean take_ports(LibvirtNetwork *network, const xmlNode *root, const char *wanted,
                           GError **error)
{
    const xmlNode *group = find_portgroup(root, wanted);
    const xmlNode *bandwidth = xml_child(group, "bandwidth");
    if (wanted && !group) {
        g_autofree gchar *shown = spec_shown(wanted);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "network %s has no portgroup \"%s\"",
                    network->name, shown);
        return FALSE;
    }
    take_port(network->gives, root);
    take_port(network->gives, group);
    take_direction(bandwidth, "inbound", &network->gives->inbound);
    take_direction(bandwidth, "outbound", &network->gives->outbound);
    if (!take_vlan(network, root, error) || !take_vlan(network, group, error))
        return FALSE;
    return !vm_vlan_any(&network->gives->vlan) || network->gives->openvswitch ||
           unsupported(network, error,
                       "asks for a VLAN, which only a bridge of Open vSwitch can be told");
}

/* Of the kinds of network, those whose guests are ports of a bridge. */
static gboolean take_kind(LibvirtNetwork *network, const xmlNode *root, GError **error)
{
    static const char *const kinds[] = {"nat", "route", "open", "bridge", NULL};
    const xmlNode *forward = xml_child(root, "forward");
    g_autofree gchar *mode = attribute(forward, "mode");
    const char *kind = mode ? mode : "nat";
    network->gives->bridge = attribute(xml_child(root, "bridge"), "name");
    network->gives->mtu = (guint)number(xml_child(root, "mtu"), "size", MAX_MTU);
    network->gives->leads_on = forward && strcmp(kind, "bridge") != 0;
    if (network->gives->bridge && (!forward || g_strv_contains(kinds, kind)))
        return TRUE;
    g_autofree gchar *shown = spec_shown(forward ? kind : "none");
    g_autofree gchar *what =
        g_strdup_printf("has no bridge that a VM could be a port of (forward mode \"%s\")", shown);
    return unsupported(network, error, what);
}

static void take_dhcp(LibvirtNetwork *network, const xmlNode *dhcp)
{
    network->dhcp = TRUE;
    for (const xmlNode *range = first_of(dhcp, "range"); range;
         range = next_of(range->next, "range")) {
        LibvirtRange it = {0};
        if (address_of(range, "start", &it.first) && address_of(range, "end", &it.last))
            g_array_append_val(network->ranges, it);
    }
    for (const xmlNode *node = first_of(dhcp, "host"); node; node = next_of(node->next, "host")) {
        g_autofree gchar *mac = attribute(node, "mac");
        LibvirtHost *host = g_new0(LibvirtHost, 1);
        g_ptr_array_add(network->hosts, host);
        host->has_mac = mac && vm_mac_parse(mac, host->mac);
        host->name = attribute(node, "name");
        address_of(node, "ip", &host->address);
    }
}

static void take_subnet(LibvirtNetwork *network, const xmlNode *ip)
{
    const xmlNode *dhcp = xml_child(ip, "dhcp");
    g_autofree gchar *mask = attribute(ip, "netmask");
    VmAddress address = {0};
    if (!address_of(ip, "address", &address))
        return;
    guint prefix = (guint)number(ip, "prefix", address.prefix);
    if (prefix == 0 && (!mask || !vm_mask_prefix(mask, &prefix)))
        prefix = address.family == AF_INET6 ? 64 : 24;
    address.prefix = MIN(prefix, address.prefix);
    g_array_append_val(network->gives->subnets, address);
    if (address.family != AF_INET || network->dhcp || (network->subnet.family && !dhcp))
        return;
    network->subnet = address;
    if (dhcp)
        take_dhcp(network, dhcp);
}

/* Where on the network a gateway is that leads to other subnets. */
static void take_route(LibvirtNetwork *network, const xmlNode *node)
{
    g_autofree gchar *mask = attribute(node, "netmask");
    VmRoute route = {.metric = (guint)number(node, "metric", MAX_METRIC)};
    if (!address_of(node, "address", &route.destination) ||
        !address_of(node, "gateway", &route.gateway) || route.destination.family != AF_INET ||
        route.gateway.family != AF_INET)
        return;
    guint prefix = (guint)number(node, "prefix", route.destination.prefix);
    if (prefix == 0 && mask && !vm_mask_prefix(mask, &prefix))
        return;
    route.destination.prefix = prefix;
    route.destination = vm_address_subnet(&route.destination);
    if (prefix != 0 && network->gives->routes->len < MAX_ROUTES)
        g_array_append_val(network->gives->routes, route);
}

static void take_names(LibvirtNetwork *network, const xmlNode *root)
{
    const xmlNode *dns = xml_child(root, "dns");
    g_autofree gchar *on = attribute(dns, "enable");
    network->gives->dns = network->gives->subnets->len > 0 && g_strcmp0(on, "no") != 0;
    network->gives->domain = attribute(xml_child(root, "domain"), "name");
    for (const xmlNode *node = first_of(dns, "host"); node; node = next_of(node->next, "host")) {
        LibvirtHost *host = g_new0(LibvirtHost, 1);
        g_ptr_array_add(network->named, host);
        address_of(node, "ip", &host->address);
        host->name = xml_text(node, "hostname");
    }
}

static const xmlNode *read_root(const char *xml, xmlDoc **doc, GError **error)
{
    g_autoptr(GError) failure = NULL;
    *doc = xml_read(xml, strlen(xml), MAX_XML, &failure);
    const xmlNode *root = *doc ? xmlDocGetRootElement(*doc) : NULL;
    if (root && xml_is(root, "network"))
        return root;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "libvirt describes the network by what is no XML of one%s%s", failure ? ": " : "",
                failure ? failure->message : "");
    return NULL;
}

static LibvirtNetwork *take_hosts(const xmlNode *root)
{
    LibvirtNetwork *network = network_new();
    g_autofree gchar *name = xml_text(root, "name");
    network->name = spec_shown(name ? name : "");
    for (const xmlNode *ip = first_of(root, "ip"); ip; ip = next_of(ip->next, "ip"))
        take_subnet(network, ip);
    for (const xmlNode *node = first_of(root, "route"); node; node = next_of(node->next, "route"))
        take_route(network, node);
    take_names(network, root);
    return network;
}

LibvirtNetwork *libvirt_network_hosts(const char *xml, GError **error)
{
    g_autoptr(xmlDoc) doc = NULL;
    const xmlNode *root = read_root(xml, &doc, error);
    return root ? take_hosts(root) : NULL;
}

LibvirtNetwork *libvirt_network_parse(const char *xml, const char *portgroup, GError **error)
{
    g_autoptr(xmlDoc) doc = NULL;
    const xmlNode *root = read_root(xml, &doc, error);
    g_autoptr(LibvirtNetwork) network = root ? take_hosts(root) : NULL;
    if (!network || !take_kind(network, root, error) ||
        !take_ports(network, root, portgroup, error))
        return NULL;
    return g_steal_pointer(&network);
}

/* ---- an address ------------------------------------------------------------------------------ */

const LibvirtHost *libvirt_host_of(const GPtrArray *hosts, const guint8 mac[6])
{
    for (guint i = 0; i < hosts->len; i++) {
        const LibvirtHost *host = hosts->pdata[i];
        if (host->has_mac && memcmp(host->mac, mac, sizeof host->mac) == 0)
            return host;
    }
    return NULL;
}

const LibvirtHost *libvirt_host_at(const GPtrArray *hosts, const VmAddress *address)
{
    for (guint i = 0; i < hosts->len; i++) {
        const LibvirtHost *host = hosts->pdata[i];
        if (host->address.family && vm_address_same(&host->address, address))
            return host;
    }
    return NULL;
}

static gboolean is_others(const LibvirtHost *host, const LibvirtRequest *request)
{
    return host && (!host->has_mac || memcmp(host->mac, request->mac, sizeof host->mac) != 0);
}

static gboolean is_named_others(const LibvirtHost *host, const LibvirtRequest *request)
{
    return host && !(host->name && request->names &&
                     g_strv_contains((const gchar *const *)request->names, host->name));
}

/* What holds ADDRESS, for a sentence; NULL when it is free. NAMES: a name in the DNS holds it too.
 */
static const char *holder(const GPtrArray *views, const GPtrArray *leases,
                          const LibvirtRequest *request, const VmAddress *address, gboolean names)
{
    for (guint i = 0; i < views->len; i++) {
        const LibvirtNetwork *view = views->pdata[i];
        for (guint j = 0; j < view->gives->subnets->len; j++)
            if (vm_address_same(&g_array_index(view->gives->subnets, VmAddress, j), address))
                return "libvirt's own there";
        if (is_others(libvirt_host_at(view->hosts, address), request))
            return "reserved for another machine";
        if (names && is_named_others(libvirt_host_at(view->named, address), request))
            return "another machine's by its DNS";
    }
    return is_others(libvirt_host_at(leases, address), request) ? "leased to another machine"
                                                                : NULL;
}

static VmAddress within(const LibvirtNetwork *view, VmAddress address)
{
    address.prefix = view->subnet.family ? view->subnet.prefix : address.prefix;
    return address;
}

static gboolean edge(const VmAddress *address)
{
    VmAddress subnet = vm_address_subnet(address);
    VmAddress next = *address;
    if (address->prefix > 30)
        return FALSE;
    for (guint i = 4; i-- > 0 && ++next.bytes[i] == 0;)
        ;
    return vm_address_same(&subnet, address) || !vm_address_contains(address, &next);
}

/* Asked for: it need not lie in the DHCP range. */
static gboolean check_asked(const GPtrArray *views, const GPtrArray *leases,
                            const LibvirtRequest *request, VmAddress *address, GError **error)
{
    const LibvirtNetwork *view = views->pdata[0];
    g_autofree gchar *text = vm_address_text(address);
    g_autofree gchar *subnet = vm_address_format(&view->subnet);
    if (!view->subnet.family && address->prefix == 32) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                    "network %s has no subnet of libvirt's: give %s with its prefix length",
                    view->name, text);
        return FALSE;
    }
    *address = within(view, *address);
    if (view->subnet.family && (!vm_address_contains(&view->subnet, address) || edge(address))) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                    "%s is no address of a host on network %s, which is %s", text, view->name,
                    subnet);
        return FALSE;
    }
    const char *why = holder(views, leases, request, address, !view->dhcp);
    if (!why)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_DUPLICATE, "%s on network %s is %s", text,
                view->name, why);
    return FALSE;
}

static gboolean is_free(const GPtrArray *views, const GPtrArray *leases,
                        const LibvirtRequest *request, const VmAddress *address)
{
    const LibvirtNetwork *view = views->pdata[0];
    return vm_address_contains(&view->subnet, address) && !edge(address) &&
           !holder(views, leases, request, address, TRUE);
}

static gboolean in_ranges(const GArray *ranges, const VmAddress *address)
{
    for (guint i = 0; i < ranges->len; i++) {
        const LibvirtRange *range = &g_array_index(ranges, LibvirtRange, i);
        if (address->family == AF_INET && memcmp(address->bytes, range->first.bytes, 4) >= 0 &&
            memcmp(address->bytes, range->last.bytes, 4) <= 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean next_free(const GPtrArray *views, const GPtrArray *leases,
                          const LibvirtRequest *request, VmAddress *address, GError **error)
{
    const LibvirtNetwork *view = views->pdata[0];
    guint looks = 0;
    for (guint i = 0; i < view->ranges->len; i++) {
        const LibvirtRange *range = &g_array_index(view->ranges, LibvirtRange, i);
        *address = within(view, range->first);
        while (looks++ < MAX_LOOKS && in_ranges(view->ranges, address) &&
               memcmp(address->bytes, range->last.bytes, 4) <= 0) {
            if (is_free(views, leases, request, address))
                return TRUE;
            for (guint byte = 4; byte-- > 0 && ++address->bytes[byte] == 0;)
                ;
        }
    }
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "network %s has no free address in its DHCP range", view->name);
    return FALSE;
}

static const LibvirtHost *own_host(const GPtrArray *views, const LibvirtRequest *request)
{
    for (guint i = 0; i < views->len; i++) {
        const LibvirtNetwork *view = views->pdata[i];
        const LibvirtHost *host = libvirt_host_of(view->hosts, request->mac);
        if (host && host->address.family)
            return host;
    }
    return NULL;
}

gboolean libvirt_choose(const GPtrArray *views, const GPtrArray *leases,
                        const LibvirtRequest *request, VmAddress *address, GError **error)
{
    const LibvirtNetwork *view = views->pdata[0];
    const LibvirtHost *own = own_host(views, request);
    *address = request->address;
    if (address->family)
        return check_asked(views, leases, request, address, error);
    if (!view->dhcp || view->ranges->len == 0) {
        *address = own ? within(view, own->address) : (VmAddress){0};
        return TRUE;
    }
    *address = within(view, own ? own->address : request->wish);
    if (own)
        return TRUE;
    if (in_ranges(view->ranges, address) && is_free(views, leases, request, address))
        return TRUE;
    return next_free(views, leases, request, address, error);
}

static gboolean name_is_others(const GPtrArray *views, const LibvirtRequest *request,
                               const char *name)
{
    for (guint i = 0; i < views->len; i++) {
        const LibvirtNetwork *view = views->pdata[i];
        for (guint j = 0; j < view->hosts->len; j++) {
            const LibvirtHost *host = view->hosts->pdata[j];
            if (g_strcmp0(host->name, name) == 0 && is_others(host, request))
                return TRUE;
        }
    }
    return FALSE;
}

const char *libvirt_choose_name(const GPtrArray *views, const LibvirtRequest *request)
{
    for (char **name = request->names; name && *name; name++)
        if (g_ascii_isalpha(**name) && !name_is_others(views, request, *name))
            return *name;
    return NULL;
}

// SPDX-License-Identifier: Apache-2.0
/* Nova's network_info: VIFs with their subnets, addresses, routes and name servers. */
#include "autoptr.h"
#include "spec_attribute.h"
#include "spec_nova_private.h"
#include "spec_value.h"

#include <string.h>

enum { MAX_NICS = 256, MAX_MTU = 65535, PORT_ID = 11, KILOBYTE = 1000, KIBIBYTE = 1024 };

static gboolean parse_cidr(const VmNic *nic, const json_t *object, VmAddress *subnet,
                           GError **error)
{
    const char *text = nova_text(object, "cidr");
    if (text && strchr(text, '/') && vm_address_parse(text, subnet))
        return TRUE;
    g_autofree gchar *shown = nova_shown(text);
    return spec_fail(error, "NIC %s: \"%s\" is no subnet", nic->host_name, shown);
}

/* Nova writes a gateway that is not there as an object without address. */
static gboolean parse_gateway(const json_t *object, VmAddress *gateway)
{
    const char *text = nova_text(json_object_get(object, "gateway"), "address");
    return text && !strchr(text, '/') && vm_address_parse(text, gateway);
}

static gboolean add_addresses(VmNic *nic, const json_t *subnet, guint prefix, GError **error)
{
    gsize index;
    const json_t *ip;
    json_array_foreach (json_object_get(subnet, "ips"), index, ip) {
        VmAddress address;
        const char *text = nova_text(ip, "address");
        if (!text || strchr(text, '/') || !vm_address_parse(text, &address) ||
            prefix > address.prefix) {
            g_autofree gchar *shown = nova_shown(text);
            return spec_fail(error, "NIC %s: \"%s\" is no address", nic->host_name, shown);
        }
        address.prefix = prefix;
        g_array_append_val(nic->addresses, address);
    }
    return TRUE;
}

static gboolean add_routes(VmNic *nic, const json_t *subnet, GError **error)
{
    gsize index;
    const json_t *from;
    json_array_foreach (json_object_get(subnet, "routes"), index, from) {
        VmRoute route = {0};
        if (!parse_cidr(nic, from, &route.destination, error))
            return FALSE;
        route.destination = vm_address_subnet(&route.destination);
        parse_gateway(from, &route.gateway);
        g_array_append_val(nic->routes, route);
    }
    return TRUE;
}

static gboolean has_family(const GArray *routes, int family)
{
    for (guint i = 0; i < routes->len; i++)
        if (g_array_index(routes, VmRoute, i).destination.family == family)
            return TRUE;
    return FALSE;
}

/* One default route of each family, after the routes that its gateway may need. */
static void add_default(GArray *defaults, const json_t *subnet)
{
    VmRoute route = {0};
    if (!parse_gateway(subnet, &route.gateway) || has_family(defaults, route.gateway.family))
        return;
    route.gateway.prefix = route.gateway.family == AF_INET ? 32 : 128;
    route.destination.family = route.gateway.family;
    g_array_append_val(defaults, route);
}

static void add_server(GPtrArray *servers, const json_t *server)
{
    VmAddress address;
    const char *text = nova_text(server, "address");
    if (!text || strchr(text, '/') || !vm_address_parse(text, &address) ||
        g_ptr_array_find_with_equal_func(servers, text, g_str_equal, NULL))
        return;
    g_ptr_array_add(servers, g_strdup(text));
}

static gboolean take_subnet(VmNic *nic, const json_t *subnet, GArray *defaults, GPtrArray *servers,
                            GError **error)
{
    gsize index;
    const json_t *server;
    VmAddress cidr = {0};
    if (json_array_size(json_object_get(subnet, "ips")) == 0)
        return TRUE;
    if (!parse_cidr(nic, subnet, &cidr, error) || !add_addresses(nic, subnet, cidr.prefix, error) ||
        !add_routes(nic, subnet, error))
        return FALSE;
    add_default(defaults, subnet);
    json_array_foreach (json_object_get(subnet, "dns"), index, server)
        add_server(servers, server);
    return TRUE;
}

static gboolean has_ip6(const VmNic *nic)
{
    for (guint i = 0; i < nic->addresses->len; i++)
        if (g_array_index(nic->addresses, VmAddress, i).family == AF_INET6)
            return TRUE;
    return FALSE;
}

static gboolean take_subnets(VmNic *nic, const json_t *network, GPtrArray *servers, GError **error)
{
    gsize index;
    const json_t *subnet;
    g_autoptr(GArray) defaults = g_array_new(FALSE, FALSE, sizeof(VmRoute));
    json_array_foreach (json_object_get(network, "subnets"), index, subnet)
        if (!take_subnet(nic, subnet, defaults, servers, error))
            return FALSE;
    g_array_append_vals(nic->routes, defaults->data, defaults->len);
    if (has_ip6(nic) && !has_family(defaults, AF_INET6))
        nic->ip6_mode = VM_IP6_ROUTERS;
    return TRUE;
}

/*
 * Who plugs the host end in is told by the VIF's type: of "bridge" and of the hybrid "ovs", vmdock;
 * of "ovs", the port's name stands in the switch already.
 */
static gboolean take_bridge(const json_t *vif, VmNic *nic, GError **error)
{
    const char *type = nova_text(vif, "type"), *id = nova_text(vif, "id");
    const char *bridge = nova_text(json_object_get(vif, "network"), "bridge");
    const json_t *details = json_object_get(vif, "details");
    if (g_strcmp0(type, "bridge") == 0) {
        nic->bridge = g_strdup(bridge);
    } else if (g_strcmp0(type, "ovs") == 0 &&
               json_is_true(json_object_get(details, "ovs_hybrid_plug"))) {
        nic->bridge = g_strdup_printf("qbr%.*s", PORT_ID, id ? id : "");
    } else if (g_strcmp0(type, "ovs") == 0) {
        const char *own = nova_text(details, "bridge_name");
        nic->bridge = g_strdup(own ? own : bridge);
        nic->bridge_type = g_strdup("external");
    } else {
        g_autofree gchar *shown = nova_shown(type);
        return spec_fail(error, "NIC %s: a VIF of type \"%s\" cannot be plugged", nic->host_name,
                         shown);
    }
    nic->checksums = g_strcmp0(nova_text(details, "datapath_type"), "netdev") == 0;
    return nic->bridge || spec_fail(error, "NIC %s: its network has no bridge", nic->host_name);
}

static void take_bandwidth(const json_t *extra, const char *direction, VmBandwidth *bandwidth)
{
    g_autofree gchar *average = g_strdup_printf("quota:vif_%s_average", direction);
    g_autofree gchar *peak = g_strdup_printf("quota:vif_%s_peak", direction);
    g_autofree gchar *burst = g_strdup_printf("quota:vif_%s_burst", direction);
    gint64 number = 0;
    if (nova_number(extra, average, G_MAXINT32, &number))
        bandwidth->average = number * KILOBYTE;
    if (nova_number(extra, peak, G_MAXINT32, &number))
        bandwidth->peak = number * KILOBYTE;
    if (nova_number(extra, burst, G_MAXINT32, &number))
        bandwidth->burst = number * KIBIBYTE;
}

static VmNic *parse_vif(const json_t *request, const json_t *vif, GPtrArray *servers,
                        GError **error)
{
    g_autoptr(VmNic) nic = vm_nic_new();
    const json_t *network = json_object_get(vif, "network");
    const char *name = nova_text(vif, "devname"), *mac = nova_text(vif, "address");
    const char *label = nova_text(network, "label");
    gint64 mtu = 0;
    if (!name || !mac || !vm_mac_parse(mac, nic->mac)) {
        spec_fail(error, "a VIF has no devname or no MAC address");
        return NULL;
    }
    if (!vm_ifname_valid(name)) {
        g_autofree gchar *shown = spec_shown(name);
        spec_fail(error, "the devname \"%s\" is no interface name", shown);
        return NULL;
    }
    nic->host_name = g_strdup(name);
    nic->has_mac = TRUE;
    nic->network = g_strdup(label);
    if (nova_number(json_object_get(network, "meta"), "mtu", MAX_MTU, &mtu))
        nic->mtu = (guint)mtu;
    take_bandwidth(nova_extra_specs(request), "inbound", &nic->inbound);
    take_bandwidth(nova_extra_specs(request), "outbound", &nic->outbound);
    if (!take_bridge(vif, nic, error) || !take_subnets(nic, network, servers, error))
        return NULL;
    return g_steal_pointer(&nic);
}

static VmNic *nic_named(const GPtrArray *nics, const char *host_name)
{
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = nics->pdata[i];
        if (strcmp(nic->host_name, host_name) == 0)
            return nic;
    }
    return NULL;
}

static gboolean number_taken(const GPtrArray *nics, guint id)
{
    for (guint i = 0; i < nics->len; i++)
        if (((const VmNic *)nics->pdata[i])->id == id)
            return TRUE;
    return FALSE;
}

/* A NIC that was there keeps number and guest name; a new one gets the first number that neither
 * the old nor the new ones have. */
static void number(VmNic *nic, const GPtrArray *before, const GPtrArray *now)
{
    const VmNic *same = nic_named(before, nic->host_name);
    guint id = same ? same->id : 0;
    while (!same && (number_taken(before, id) || number_taken(now, id)))
        id++;
    nic->id = id;
    nic->guest_name = same ? g_strdup(same->guest_name) : g_strdup_printf("eth%u", id);
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
    guint mine = (*(const VmNic *const *)a)->id, theirs = (*(const VmNic *const *)b)->id;
    return mine < theirs ? -1 : mine > theirs;
}

static GPtrArray *parse_vifs(const json_t *request, const GPtrArray *before, GPtrArray *servers,
                             GError **error)
{
    g_autoptr(GPtrArray) nics = g_ptr_array_new_with_free_func((GDestroyNotify)vm_nic_free);
    const json_t *list = json_object_get(request, "network_info");
    gsize index;
    const json_t *vif;
    if (list && !json_is_null(list) && !json_is_array(list)) {
        spec_fail(error, "network_info is no list of VIFs");
        return NULL;
    }
    if (json_array_size(list) > MAX_NICS) {
        spec_fail(error, "the VM has more than %d VIFs", MAX_NICS);
        return NULL;
    }
    json_array_foreach (list, index, vif) {
        VmNic *nic = parse_vif(request, vif, servers, error);
        if (!nic)
            return NULL;
        number(nic, before, nics);
        g_ptr_array_add(nics, nic);
    }
    g_ptr_array_sort(nics, compare_ids);
    return g_steal_pointer(&nics);
}

gboolean nova_take_network(const json_t *request, VmSpec *spec, GError **error)
{
    g_autoptr(GPtrArray) servers = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *nics = parse_vifs(request, spec->nics, servers, error);
    if (!nics)
        return FALSE;
    g_ptr_array_unref(spec->nics);
    spec->nics = nics;
    g_strfreev(spec->dns);
    spec->dns = NULL;
    if (servers->len > 0) {
        g_ptr_array_add(servers, NULL);
        spec->dns = (GStrv)g_ptr_array_steal(servers, NULL);
    }
    vm_nics_part_routes(spec->nics);
    return vm_spec_check(spec, error);
}

const VmNic *nova_take_vif(const json_t *request, VmSpec *spec, GError **error)
{
    g_autoptr(GPtrArray) servers = g_ptr_array_new_with_free_func(g_free);
    VmNic *nic = parse_vif(request, json_object_get(request, "vif"), servers, error);
    if (!nic)
        return NULL;
    number(nic, spec->nics, spec->nics);
    VmNic *same = nic_named(spec->nics, nic->host_name);
    if (same)
        g_ptr_array_remove(spec->nics, same);
    g_ptr_array_add(spec->nics, nic);
    g_ptr_array_sort(spec->nics, compare_ids);
    vm_nics_part_routes(spec->nics);
    return vm_spec_check(spec, error) ? nic : NULL;
}

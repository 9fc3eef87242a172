// SPDX-License-Identifier: Apache-2.0
#include "spec_attribute.h"
#include "spec_opennebula_private.h"

#include <string.h>

enum {
    DEFAULT_PREFIX_IP4 = 24, /* what OpenNebula's own scripts take where no mask is given */
    DEFAULT_PREFIX_IP6 = 64,
    MAX_ROUTES = 1024, /* of one NIC */
    MAX_METRIC = 2147483647,
    /* A route that an earlier NIC has already gets this much more, so that it stands behind it. */
};

typedef enum {
    METHOD_STATIC,
    METHOD_DHCP,
    METHOD_SKIP,
    METHOD_AUTO,
    METHOD_DISABLE,
} Method;

/* What is said of NIC: CONTEXT's variable KEY, else the element's own ELEMENT. */
static gchar *value_of(const OneVm *one, const OneNic *nic, const char *key, const char *element)
{
    const char *told = one_context(one, nic->prefix, key);
    return told ? g_strdup(told) : xml_text(nic->node, element);
}

static Method method_of(OneVm *one, const OneNic *nic, const char *key, guint known)
{
    static const char *const words[] = {"static", "dhcp", "skip", "auto", "disable"};
    g_autofree gchar *text = value_of(one, nic, key, key);
    if (!text)
        return METHOD_STATIC;
    for (guint i = 0; i < known; i++)
        if (g_ascii_strcasecmp(text, words[i]) == 0)
            return (Method)i;
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *shown = spec_shown(text);
    one_note(one, "%s: %s=%s is not honoured: there is no such method", label, key, shown);
    return METHOD_STATIC;
}

static Method ip4_method(OneVm *one, const OneNic *nic)
{
    return method_of(one, nic, "METHOD", METHOD_SKIP + 1);
}

static Method ip6_method(OneVm *one, const OneNic *nic)
{
    return method_of(one, nic, "IP6_METHOD", METHOD_DISABLE + 1);
}

static void note_dhcp(OneVm *one, const OneNic *nic, const char *key)
{
    g_autofree gchar *label = one_nic_label(nic);
    one_note(one, "%s: %s=dhcp is not honoured: the leased addresses are set, DHCP is not spoken",
             label, key);
}

static gboolean parse_plain(const OneNic *nic, const char *what, const char *text, int family,
                            VmAddress *address, GError **error)
{
    if (!strchr(text, '/') && vm_address_parse(text, address) && address->family == family)
        return TRUE;
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(error, "%s: %s: \"%s\" is no IPv%d address", label, what, shown,
                     family == AF_INET ? 4 : 6);
}

static gboolean has_address(const VmNic *link, const VmAddress *address)
{
    for (guint i = 0; i < link->addresses->len; i++)
        if (vm_address_same(&g_array_index(link->addresses, VmAddress, i), address))
            return TRUE;
    return FALSE;
}

static void add_address(VmNic *link, const VmAddress *address)
{
    if (!has_address(link, address))
        g_array_append_vals(link->addresses, address, 1);
}

static gboolean has_family(const VmNic *link, int family)
{
    for (guint i = 0; i < link->addresses->len; i++)
        if (g_array_index(link->addresses, VmAddress, i).family == family)
            return TRUE;
    return FALSE;
}

static gchar *mask_of(const OneVm *one, const OneNic *nic)
{
    static const char *const elements[] = {"NETWORK_MASK", "NETMASK", "MASK"};
    gchar *mask = g_strdup(one_context(one, nic->prefix, "MASK"));
    for (gsize i = 0; i < G_N_ELEMENTS(elements) && !mask; i++)
        mask = xml_text(nic->node, elements[i]);
    return mask;
}

static gboolean parse_mask(const OneVm *one, const OneNic *nic, guint *prefix, GError **error)
{
    g_autofree gchar *mask = mask_of(one, nic);
    *prefix = DEFAULT_PREFIX_IP4;
    if (!mask || vm_mask_prefix(mask, prefix))
        return TRUE;
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *shown = spec_shown(mask);
    return spec_fail(error, "%s: MASK: \"%s\" is no netmask", label, shown);
}

static gboolean check_network(const OneVm *one, const OneNic *nic, const VmAddress *address,
                              GError **error)
{
    VmAddress network;
    g_autofree gchar *text = value_of(one, nic, "NETWORK", "NETWORK_ADDRESS");
    if (!text)
        return TRUE;
    if (!parse_plain(nic, "NETWORK", text, AF_INET, &network, error))
        return FALSE;
    network.prefix = address->prefix;
    if (vm_address_contains(&network, address))
        return TRUE;
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *host = vm_address_text(address);
    g_autofree gchar *subnet = vm_address_format(&network);
    return spec_fail(error, "%s: IP %s is outside its subnet %s", label, host, subnet);
}

/* What oned leases wins: it is what it routes, and what its anti-spoofing lets through. */
static void note_contradiction(OneVm *one, const OneNic *nic, const char *key)
{
    g_autofree gchar *label = one_nic_label(nic);
    one_note(one, "%s: CONTEXT/%s_%s is not honoured: the %s has another address", label,
             nic->prefix, key, nic->element);
}

static gboolean add_ip4(OneVm *one, const OneNic *nic, GError **error)
{
    VmAddress address;
    g_autofree gchar *leased = xml_text(nic->node, "IP");
    const char *told = one_context(one, nic->prefix, "IP");
    const char *text = leased ? leased : told;
    if (!text)
        return TRUE;
    if (leased && told && strcmp(leased, told) != 0)
        note_contradiction(one, nic, "IP");
    if (!parse_plain(nic, "IP", text, AF_INET, &address, error) ||
        !parse_mask(one, nic, &address.prefix, error) || !check_network(one, nic, &address, error))
        return FALSE;
    add_address(nic->nic, &address);
    return TRUE;
}

static gboolean parse_prefix_ip6(const OneVm *one, const OneNic *nic, guint *prefix, GError **error)
{
    g_autofree gchar *text = value_of(one, nic, "IP6_PREFIX_LENGTH", "PREFIX_LENGTH");
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *what = g_strconcat(label, ": IP6_PREFIX_LENGTH", NULL);
    guint64 number = DEFAULT_PREFIX_IP6;
    if (text && !spec_number(what, text, "bits", 1, 128, &number, error))
        return FALSE;
    *prefix = (guint)number;
    return TRUE;
}

static gboolean add_one_ip6(const OneNic *nic, const char *what, const char *text, guint prefix,
                            GError **error)
{
    VmAddress address;
    if (!text)
        return TRUE;
    if (!parse_plain(nic, what, text, AF_INET6, &address, error))
        return FALSE;
    address.prefix = prefix;
    add_address(nic->nic, &address);
    return TRUE;
}

static gboolean says_other(const OneNic *nic, const char *told)
{
    VmAddress address;
    return told && (!vm_address_parse(told, &address) || !has_address(nic->nic, &address));
}

/* CONTEXT's IP6 is the static address, or where there is none the global one made from the MAC. */
static gboolean add_ip6(OneVm *one, const OneNic *nic, GError **error)
{
    g_autofree gchar *fixed = xml_text(nic->node, "IP6");
    g_autofree gchar *global = xml_text(nic->node, "IP6_GLOBAL");
    g_autofree gchar *ula = xml_text(nic->node, "IP6_ULA");
    const char *told = one_context(one, nic->prefix, "IP6");
    const char *told_ula = one_context(one, nic->prefix, "IP6_ULA");
    guint prefix;
    if (!parse_prefix_ip6(one, nic, &prefix, error) ||
        !add_one_ip6(nic, "IP6", fixed || global ? fixed : told, prefix, error) ||
        !add_one_ip6(nic, "IP6_GLOBAL", global, DEFAULT_PREFIX_IP6, error) ||
        !add_one_ip6(nic, "IP6_ULA", ula ? ula : told_ula, DEFAULT_PREFIX_IP6, error))
        return FALSE;
    if (says_other(nic, told))
        note_contradiction(one, nic, "IP6");
    if (says_other(nic, told_ula))
        note_contradiction(one, nic, "IP6_ULA");
    return TRUE;
}

static gboolean add_own_addresses(OneVm *one, const OneNic *nic, Method ip4, Method ip6,
                                  GError **error)
{
    if (ip4 == METHOD_DHCP)
        note_dhcp(one, nic, "METHOD");
    if (ip6 == METHOD_DHCP)
        note_dhcp(one, nic, "IP6_METHOD");
    return (ip4 == METHOD_SKIP || add_ip4(one, nic, error)) &&
           ((ip6 != METHOD_STATIC && ip6 != METHOD_DHCP) || add_ip6(one, nic, error));
}

/* An EXTERNAL alias is translated outside of the VM, which must not have its address. */
static gboolean is_external(const OneVm *one, const OneNic *alias)
{
    g_autofree gchar *external = value_of(one, alias, "EXTERNAL", "EXTERNAL");
    return external && g_ascii_strcasecmp(external, "YES") == 0;
}

static gboolean add_alias(OneVm *one, const OneNic *alias, Method parent_ip6, GError **error)
{
    if (is_external(one, alias))
        return TRUE;
    Method ip4 = ip4_method(one, alias);
    Method ip6 = parent_ip6 == METHOD_DISABLE ? METHOD_DISABLE : ip6_method(one, alias);
    return add_own_addresses(one, alias, ip4, ip6, error);
}

static gboolean in_subnet(const VmNic *link, const VmAddress *gateway)
{
    for (guint i = 0; i < link->addresses->len; i++)
        if (vm_address_contains(&g_array_index(link->addresses, VmAddress, i), gateway))
            return TRUE;
    return FALSE;
}

static gboolean has_host_prefix(const VmNic *link, const VmAddress *gateway)
{
    for (guint i = 0; i < link->addresses->len; i++) {
        const VmAddress *address = &g_array_index(link->addresses, VmAddress, i);
        if (address->family == gateway->family && address->prefix == gateway->prefix)
            return TRUE;
    }
    return FALSE;
}

static void append_route(VmNic *link, const VmRoute *route)
{
    for (guint i = 0; i < link->routes->len; i++) {
        const VmRoute *old = &g_array_index(link->routes, VmRoute, i);
        if (vm_address_same(&old->destination, &route->destination) &&
            old->destination.prefix == route->destination.prefix &&
            vm_address_same(&old->gateway, &route->gateway))
            return;
    }
    g_array_append_vals(link->routes, route, 1);
}

/* A NIC whose subnet is its address alone (/32, /128) has its gateway on the link all the same. */
static void add_route(VmNic *link, const VmRoute *route)
{
    const VmAddress *gateway = &route->gateway;
    gboolean link_local = gateway->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(gateway->bytes);
    if (!link_local && !in_subnet(link, gateway) && has_host_prefix(link, gateway)) {
        VmRoute on_link = {.destination = *gateway, .metric = route->metric};
        append_route(link, &on_link);
    }
    append_route(link, route);
}

static gboolean parse_metric(const OneVm *one, const OneNic *nic, const char *key, guint *metric,
                             GError **error)
{
    g_autofree gchar *text = value_of(one, nic, key, key);
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *what = g_strdup_printf("%s: %s", label, key);
    guint64 number = 0;
    if (text && !spec_number(what, text, "a metric", 0, MAX_METRIC, &number, error))
        return FALSE;
    *metric = (guint)number;
    return TRUE;
}

static gchar *gateway_of(const OneVm *one, const OneNic *nic, int family)
{
    if (family == AF_INET)
        return value_of(one, nic, "GATEWAY", "GATEWAY");
    gchar *gateway = value_of(one, nic, "IP6_GATEWAY", "IP6_GATEWAY");
    return gateway ? gateway : value_of(one, nic, "GATEWAY6", "GATEWAY6");
}

static gboolean add_default_route(OneVm *one, const OneNic *nic, int family, GError **error)
{
    VmRoute route = {.destination.family = family};
    const char *what = family == AF_INET ? "GATEWAY" : "IP6_GATEWAY";
    g_autofree gchar *text = gateway_of(one, nic, family);
    if (!text)
        return TRUE;
    if (!parse_plain(nic, what, text, family, &route.gateway, error) ||
        !parse_metric(one, nic, family == AF_INET ? "METRIC" : "IP6_METRIC", &route.metric, error))
        return FALSE;
    if (has_family(nic->nic, family))
        add_route(nic->nic, &route);
    else
        one_note(one, "NIC %u: %s is not honoured: the NIC has no IPv%d address", nic->id, what,
                 family == AF_INET ? 4 : 6);
    return TRUE;
}

/* "10.0.0.0/8 via 10.1.1.1" */
static gboolean parse_route(const char *text, VmRoute *route)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
    const char *found[3] = {0};
    guint count = 0;
    for (char **word = words; *word; word++)
        if (**word && count++ < G_N_ELEMENTS(found))
            found[count - 1] = *word;
    if (count != G_N_ELEMENTS(found) || g_ascii_strcasecmp(found[1], "via") != 0 ||
        strchr(found[2], '/') || !vm_address_parse(found[0], &route->destination) ||
        !vm_address_parse(found[2], &route->gateway) ||
        route->destination.family != route->gateway.family)
        return FALSE;
    route->destination = vm_address_subnet(&route->destination);
    return TRUE;
}

static gboolean add_listed_route(OneVm *one, const OneNic *nic, const char *text, gboolean ip4,
                                 gboolean ip6, GError **error)
{
    VmRoute route = {0};
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *shown = spec_shown(text);
    if (!parse_route(text, &route))
        return spec_fail(error, "%s: ROUTES: \"%s\" is not DESTINATION via GATEWAY", label, shown);
    if (route.destination.family == AF_INET ? !ip4 : !ip6)
        return TRUE;
    if (has_family(nic->nic, route.destination.family))
        add_route(nic->nic, &route);
    else
        one_note(one, "%s: the route \"%s\" is not honoured: the NIC has no such address", label,
                 shown);
    return nic->nic->routes->len <= MAX_ROUTES ||
           spec_fail(error, "%s: it has more than %d routes", label, MAX_ROUTES);
}

static gboolean add_routes(OneVm *one, const OneNic *nic, gboolean ip4, gboolean ip6,
                           GError **error)
{
    g_autofree gchar *text = value_of(one, nic, "ROUTES", "ROUTES");
    g_auto(GStrv) routes = g_strsplit(text ? text : "", ",", MAX_ROUTES + 1);
    for (char **route = routes; *route; route++)
        if (*g_strstrip(*route) && !add_listed_route(one, nic, *route, ip4, ip6, error))
            return FALSE;
    return TRUE;
}

static void note_alias_gateway(OneVm *one, const OneNic *nic, const OneNic *alias, int family)
{
    g_autofree gchar *own = gateway_of(one, nic, family);
    g_autofree gchar *other = gateway_of(one, alias, family);
    if (other && g_strcmp0(own, other) != 0)
        one_note(one, "NIC_ALIAS %u: %s is not honoured: its NIC's own is", alias->id,
                 family == AF_INET ? "GATEWAY" : "IP6_GATEWAY");
}

/* An alias adds to the routes of its NIC, but the default routes are those of the NIC. */
static gboolean add_all_routes(OneVm *one, const OneNic *nic, const GPtrArray *aliases,
                               gboolean ip4, gboolean ip6, GError **error)
{
    if (!add_routes(one, nic, ip4, ip6, error))
        return FALSE;
    for (guint i = 0; i < aliases->len; i++) {
        const OneNic *alias = aliases->pdata[i];
        if (alias->nic != nic->nic || is_external(one, alias))
            continue;
        if (!add_routes(one, alias, ip4, ip6, error))
            return FALSE;
        note_alias_gateway(one, nic, alias, AF_INET);
        note_alias_gateway(one, nic, alias, AF_INET6);
    }
    return (!ip4 || add_default_route(one, nic, AF_INET, error)) &&
           (!ip6 || add_default_route(one, nic, AF_INET6, error));
}

static gboolean has_default_ip6(const VmNic *link)
{
    for (guint i = 0; i < link->routes->len; i++) {
        const VmAddress *destination = &g_array_index(link->routes, VmRoute, i).destination;
        if (destination->family == AF_INET6 && destination->prefix == 0)
            return TRUE;
    }
    return FALSE;
}

static VmIp6Mode ip6_mode(const VmNic *link, Method method)
{
    if (method == METHOD_AUTO)
        return VM_IP6_AUTO;
    if (method == METHOD_DISABLE)
        return VM_IP6_OFF;
    return has_family(link, AF_INET6) && !has_default_ip6(link) ? VM_IP6_ROUTERS : VM_IP6_STATIC;
}

gboolean one_parse_addresses(OneVm *one, const OneNic *nic, const GPtrArray *aliases,
                             GError **error)
{
    Method ip4 = ip4_method(one, nic), ip6 = ip6_method(one, nic);
    if (!add_own_addresses(one, nic, ip4, ip6, error))
        return FALSE;
    for (guint i = 0; i < aliases->len; i++) {
        const OneNic *alias = aliases->pdata[i];
        if (alias->nic == nic->nic && !add_alias(one, alias, ip6, error))
            return FALSE;
    }
    if (!add_all_routes(one, nic, aliases, ip4 != METHOD_SKIP,
                        ip6 == METHOD_STATIC || ip6 == METHOD_DHCP, error))
        return FALSE;
    nic->nic->ip6_mode = ip6_mode(nic->nic, ip6);
    return TRUE;
}

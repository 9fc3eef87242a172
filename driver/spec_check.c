// SPDX-License-Identifier: Apache-2.0
#include "error.h"
#include "spec.h"

#include <string.h>

enum {
    MIN_MEMORY = 6 * 1024 * 1024, /* the engine takes no smaller limit */
    MIN_MTU = 68,
    MIN_MTU_IP6 = 1280,
    MAX_MTU = 65535,
    MAX_SHOWN = 80, /* bytes of foreign text in a sentence */
};

gboolean spec_fail(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *sentence = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, sentence);
    return FALSE;
}

gboolean vm_ifname_valid(const char *name)
{
    gsize length = name ? strlen(name) : 0;
    if (length == 0 || length > VM_IFNAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return FALSE;
    for (const char *p = name; *p; p++)
        if (*p == '/' || *p == ':' || g_ascii_isspace(*p) || g_ascii_iscntrl(*p))
            return FALSE;
    return g_utf8_validate(name, -1, NULL);
}

static gboolean check_ifname(const VmNic *nic, const char *what, const char *name, GError **error)
{
    if (vm_ifname_valid(name))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(name, MAX_SHOWN);
    if (name && strlen(name) > VM_IFNAME_MAX)
        return spec_fail(error, "NIC %u: the %s \"%s\" is longer than %d bytes", nic->id, what,
                         shown, VM_IFNAME_MAX);
    return spec_fail(error, "NIC %u: the %s \"%s\" is no interface name", nic->id, what, shown);
}

static gboolean check_mac(const VmNic *nic, GError **error)
{
    static const guint8 zero[6];
    if (!nic->has_mac)
        return TRUE;
    g_autofree gchar *mac = vm_mac_format(nic->mac);
    if (nic->mac[0] & 1)
        return spec_fail(error, "NIC %u: %s is a multicast MAC", nic->id, mac);
    if (memcmp(nic->mac, zero, sizeof zero) == 0)
        return spec_fail(error, "NIC %u: %s is no MAC of a NIC", nic->id, mac);
    return TRUE;
}

static gboolean has_ip6(const VmNic *nic)
{
    for (guint i = 0; i < nic->addresses->len; i++)
        if (g_array_index(nic->addresses, VmAddress, i).family == AF_INET6)
            return TRUE;
    return FALSE;
}

static gboolean check_mtu(const VmNic *nic, GError **error)
{
    if (nic->mtu == 0)
        return TRUE;
    if (nic->mtu < MIN_MTU || nic->mtu > MAX_MTU)
        return spec_fail(error, "NIC %u: an MTU of %u is not within %d and %d", nic->id, nic->mtu,
                         MIN_MTU, MAX_MTU);
    if (nic->mtu < MIN_MTU_IP6 && has_ip6(nic))
        return spec_fail(error, "NIC %u: an MTU of %u is less than IPv6 needs, %d", nic->id,
                         nic->mtu, MIN_MTU_IP6);
    return TRUE;
}

static gboolean unicast(const VmAddress *address)
{
    static const guint8 zero[16];
    if (memcmp(address->bytes, zero, sizeof zero) == 0)
        return FALSE;
    return address->family == AF_INET ? address->bytes[0] < 224 : address->bytes[0] != 0xff;
}

static gboolean is_broadcast(const VmAddress *address)
{
    VmAddress last = vm_address_subnet(address);
    for (guint bit = address->prefix; bit < 32; bit++)
        last.bytes[bit / 8] |= (guint8)(0x80u >> bit % 8);
    return vm_address_same(&last, address);
}

static gboolean check_address(const VmNic *nic, const VmAddress *address, GError **error)
{
    g_autofree gchar *text = vm_address_format(address);
    if (!unicast(address))
        return spec_fail(error, "NIC %u: %s is no address of a host", nic->id, text);
    /* RFC 3021: a subnet of two addresses has neither. */
    if (address->family != AF_INET || address->prefix > 30)
        return TRUE;
    VmAddress subnet = vm_address_subnet(address);
    if (vm_address_same(&subnet, address))
        return spec_fail(error, "NIC %u: %s is the address of its subnet, not of a host", nic->id,
                         text);
    if (is_broadcast(address))
        return spec_fail(error, "NIC %u: %s is the broadcast address of its subnet", nic->id, text);
    return TRUE;
}

static gboolean link_local(const VmAddress *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

/* What the kernel asks when it adds route INDEX: is its gateway a neighbour? */
static gboolean gateway_reachable(const VmNic *nic, guint index)
{
    const VmAddress *gateway = &g_array_index(nic->routes, VmRoute, index).gateway;
    if (link_local(gateway))
        return TRUE;
    for (guint i = 0; i < nic->addresses->len; i++)
        if (vm_address_contains(&g_array_index(nic->addresses, VmAddress, i), gateway))
            return TRUE;
    for (guint i = 0; i < index; i++) {
        const VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        if (route->gateway.family == 0 && vm_address_contains(&route->destination, gateway))
            return TRUE;
    }
    return FALSE;
}

static gboolean check_route(const VmNic *nic, guint index, GError **error)
{
    const VmRoute *route = &g_array_index(nic->routes, VmRoute, index);
    if (route->gateway.family == 0)
        return TRUE;
    g_autofree gchar *gateway = vm_address_text(&route->gateway);
    if (route->gateway.family != route->destination.family || !unicast(&route->gateway))
        return spec_fail(error, "NIC %u: %s is no gateway for such a route", nic->id, gateway);
    if (gateway_reachable(nic, index))
        return TRUE;
    return spec_fail(error, "NIC %u: the gateway %s is outside every subnet of the NIC", nic->id,
                     gateway);
}

static gboolean name_valid(const char *name)
{
    for (const char *p = name; p && *p; p++)
        if (*p == '/' || g_ascii_iscntrl(*p))
            return FALSE;
    return !name || (*name && strlen(name) <= MAX_SHOWN && g_utf8_validate(name, -1, NULL));
}

/* Whether addresses and gateways fit is known when the network is. */
static gboolean check_unknown(const VmNic *nic, GError **error)
{
    for (guint i = 0; i < nic->addresses->len; i++)
        if (!unicast(&g_array_index(nic->addresses, VmAddress, i)))
            return spec_fail(error, "NIC %u: an address is none of a host", nic->id);
    return TRUE;
}

/* Known when the network is. */
static gboolean check_vlan(const VmNic *nic, GError **error)
{
    return !vm_vlan_any(&nic->vlan) || !nic->bridge ||
           (nic->bridge_type && g_str_has_prefix(nic->bridge_type, "openvswitch")) ||
           spec_fail(error,
                     "NIC %u asks for a VLAN, which only a bridge of Open vSwitch can be told, and "
                     "%s is none",
                     nic->id, nic->bridge);
}

/* The names that libvirt takes, as far as they fit in a sentence. */
static gboolean check_libvirt(const VmNic *nic, GError **error)
{
    if (name_valid(nic->libvirt_network) && name_valid(nic->portgroup))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(
        name_valid(nic->portgroup) ? nic->libvirt_network : nic->portgroup, MAX_SHOWN);
    return spec_fail(error, "NIC %u: \"%s\" is no name of a network of libvirt or of its portgroup",
                     nic->id, shown);
}

/* What is called so is no network, or none that a container can have an address of its own on. */
static gboolean is_engines_own(const char *name)
{
    static const char *const names[] = {"bridge", "default", "host", "ingress", "none", NULL};
    return g_strv_contains(names, name);
}

/* The names that the engine takes. */
static gboolean engine_name_valid(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!g_ascii_isalnum(*p) && (p == name || !strchr("_.-", *p)))
            return FALSE;
    return *name && strlen(name) <= MAX_SHOWN;
}

static gboolean check_engine(const VmNic *nic, GError **error)
{
    guint families[2] = {0};
    if (!nic->engine_network)
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(nic->engine_network, MAX_SHOWN);
    if (!engine_name_valid(nic->engine_network))
        return spec_fail(error, "NIC %u: \"%s\" is no name of a network of the container engine",
                         nic->id, shown);
    if (is_engines_own(nic->engine_network))
        return spec_fail(error,
                         "NIC %u: the engine's own network \"%s\" gives no VM an address to keep; "
                         "make one: docker network create",
                         nic->id, shown);
    if (nic->bridge || nic->libvirt_network)
        return spec_fail(error,
                         "NIC %u: it is to be on the engine's network %s and on another; take one",
                         nic->id, shown);
    for (guint i = 0; i < nic->addresses->len; i++)
        if (families[g_array_index(nic->addresses, VmAddress, i).family == AF_INET6]++ > 0)
            return spec_fail(error,
                             "NIC %u: a NIC on the engine's network %s has one address of each "
                             "family",
                             nic->id, shown);
    return TRUE;
}

static gboolean check_nic(const VmNic *nic, GError **error)
{
    gboolean unknown = (nic->libvirt_network && !nic->bridge) || nic->engine_network;
    if (!check_ifname(nic, "name", nic->host_name, error) ||
        !check_ifname(nic, "guest name", nic->guest_name, error) ||
        (!unknown && !check_ifname(nic, "bridge", nic->bridge, error)) || !check_mac(nic, error) ||
        !check_mtu(nic, error) || !check_libvirt(nic, error) || !check_engine(nic, error) ||
        !check_vlan(nic, error))
        return FALSE;
    if (unknown)
        return check_unknown(nic, error);
    for (guint i = 0; i < nic->addresses->len; i++)
        if (!check_address(nic, &g_array_index(nic->addresses, VmAddress, i), error))
            return FALSE;
    for (guint i = 0; i < nic->routes->len; i++)
        if (!check_route(nic, i, error))
            return FALSE;
    return TRUE;
}

static gboolean check_pair(const VmNic *a, const VmNic *b, GError **error)
{
    if (a->has_mac && b->has_mac && memcmp(a->mac, b->mac, sizeof a->mac) == 0) {
        g_autofree gchar *mac = vm_mac_format(a->mac);
        return spec_fail(error, "NIC %u and NIC %u have one MAC, %s", a->id, b->id, mac);
    }
    if (strcmp(a->host_name, b->host_name) == 0)
        return spec_fail(error, "NIC %u and NIC %u have one name, %s", a->id, b->id, a->host_name);
    if (strcmp(a->guest_name, b->guest_name) == 0)
        return spec_fail(error, "NIC %u and NIC %u have one guest name, %s", a->id, b->id,
                         a->guest_name);
    if (a->engine_network && g_strcmp0(a->engine_network, b->engine_network) == 0)
        return spec_fail(error,
                         "NIC %u and NIC %u are both on the engine's network %s, which takes a "
                         "container once",
                         a->id, b->id, a->engine_network);
    return TRUE;
}

gboolean vm_spec_check(const VmSpec *spec, GError **error)
{
    if (!spec->deploy_id || !vm_id_valid(spec->deploy_id)) {
        g_autofree gchar *shown = vmdock_one_line(spec->deploy_id, MAX_SHOWN);
        return spec_fail(error, "\"%s\" is no id of a VM", shown);
    }
    if (spec->limits.memory != 0 && spec->limits.memory < MIN_MEMORY)
        return spec_fail(error,
                         "a memory of %" G_GINT64_FORMAT " bytes is less than 6 MiB, the least "
                         "that the engine takes",
                         spec->limits.memory);
    for (guint i = 0; i < spec->nics->len; i++) {
        if (!check_nic(spec->nics->pdata[i], error))
            return FALSE;
        for (guint j = 0; j < i; j++)
            if (!check_pair(spec->nics->pdata[j], spec->nics->pdata[i], error))
                return FALSE;
    }
    return vm_disks_check(spec, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "nic_source.h"

/* The table of a NIC: this and its id. */
enum { FIRST_TABLE = 1000 };

static const VmAddress *address_at(const VmNic *nic, guint index)
{
    return &g_array_index(nic->addresses, VmAddress, index);
}

static gboolean usable(const VmNic *nic, const VmAddress *address)
{
    return address->family == AF_INET || nic->ip6_mode != VM_IP6_OFF;
}

static gboolean in_subnet_of(const VmNic *nic, const VmAddress *address)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        const VmAddress *own = address_at(nic, i);
        if (usable(nic, own) &&
            (vm_address_contains(own, address) || vm_address_contains(address, own)))
            return TRUE;
    }
    return FALSE;
}

/* Whether an address of NIC lies in a subnet of one of the first COUNT of NICS. */
static gboolean is_behind(const GPtrArray *nics, guint count, const VmNic *nic)
{
    for (guint i = 0; i < nic->addresses->len; i++)
        for (guint j = 0; usable(nic, address_at(nic, i)) && j < count; j++)
            if (in_subnet_of(g_ptr_array_index(nics, j), address_at(nic, i)))
                return TRUE;
    return FALSE;
}

static gboolean answer_for_itself(Sandbox *sandbox, const VmNic *nic, GError **error)
{
    g_autofree gchar *ignore = g_strdup_printf("net/ipv4/conf/%s/arp_ignore", nic->guest_name);
    g_autofree gchar *announce = g_strdup_printf("net/ipv4/conf/%s/arp_announce", nic->guest_name);
    const Sysctl settings[] = {{ignore, "1"}, {announce, "2"}, {NULL, NULL}};
    return sandbox_sysctls(sandbox, settings, error);
}

static gboolean add_subnets(Netlink *netlink, gint index, guint32 table, const VmNic *nic,
                            GError **error)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        VmRoute route = {.destination = vm_address_subnet(address_at(nic, i))};
        gboolean first = TRUE;
        for (guint j = 0; j < i && first; j++) {
            VmAddress earlier = vm_address_subnet(address_at(nic, j));
            first = !vm_address_same(&earlier, &route.destination) ||
                    earlier.prefix != route.destination.prefix;
        }
        if (first && usable(nic, &route.destination) &&
            !netlink_route_add(netlink, index, table, &route, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_routes(Netlink *netlink, gint index, guint32 table, const VmNic *nic,
                           GError **error)
{
    for (guint i = 0; i < nic->routes->len; i++) {
        const VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        if (usable(nic, &route->destination) &&
            !netlink_route_add(netlink, index, table, route, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_rules(Netlink *netlink, guint32 table, const VmNic *nic, GError **error)
{
    for (guint i = 0; i < nic->addresses->len; i++)
        if (usable(nic, address_at(nic, i)) &&
            !netlink_source_rule_add(netlink, address_at(nic, i), table, error))
            return FALSE;
    return TRUE;
}

static gboolean route_for_itself(Sandbox *sandbox, const VmNic *nic, GError **error)
{
    Netlink *netlink = sandbox->netlink;
    guint32 table = FIRST_TABLE + nic->id;
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(netlink, nic->guest_name, &link, &found, error))
        return FALSE;
    return !found || (netlink_route_flush(netlink, link.index, table, error) &&
                      add_subnets(netlink, link.index, table, nic, error) &&
                      add_routes(netlink, link.index, table, nic, error) &&
                      add_rules(netlink, table, nic, error));
}

static gboolean settle(Sandbox *sandbox, const GPtrArray *nics, guint number, GError **error)
{
    const VmNic *nic = g_ptr_array_index(nics, number);
    if (nic->engine_network || !is_behind(nics, number, nic))
        return TRUE;
    /* Whichever of them would answer in its stead. */
    for (guint i = 0; i <= number; i++) {
        const VmNic *each = g_ptr_array_index(nics, i);
        if (!each->engine_network && !answer_for_itself(sandbox, each, error))
            return FALSE;
    }
    return route_for_itself(sandbox, nic, error);
}

gboolean nic_sources_settle(Sandbox *sandbox, const GPtrArray *nics, GError **error)
{
    if (!netlink_source_rule_flush(sandbox->netlink, error))
        return FALSE;
    for (guint i = 0; i < nics->len; i++) {
        if (settle(sandbox, nics, i, error))
            continue;
        const VmNic *nic = g_ptr_array_index(nics, i);
        g_prefix_error(error, "NIC %u (%s): ", nic->id, nic->host_name);
        return FALSE;
    }
    return TRUE;
}

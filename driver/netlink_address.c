// SPDX-License-Identifier: Apache-2.0
/* Addresses and routes. */
#include "autoptr.h"
#include "error.h"
#include "netlink_request.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

static gsize address_size(int family)
{
    return family == AF_INET6 ? 16 : 4;
}

static void put_address(struct nlmsghdr *header, guint16 type, const VmAddress *address)
{
    mnl_attr_put(header, type, address_size(address->family), address->bytes);
}

static void begin_address(NetlinkRequest *request, guint16 type, guint16 flags, gint index,
                          const VmAddress *address)
{
    struct ifaddrmsg *info = netlink_request_begin(request, type, flags, sizeof *info);
    info->ifa_family = (guint8)address->family;
    info->ifa_prefixlen = (guint8)address->prefix;
    info->ifa_index = (guint32)index;
    put_address(request->header, IFA_LOCAL, address);
    put_address(request->header, IFA_ADDRESS, address);
}

static void put_broadcast(struct nlmsghdr *header, const VmAddress *address)
{
    guint32 local;
    memcpy(&local, address->bytes, sizeof local);
    guint32 hosts = address->prefix == 0 ? G_MAXUINT32 : (1U << (32 - address->prefix)) - 1;
    mnl_attr_put_u32(header, IFA_BROADCAST, local | g_htonl(hosts));
}

gboolean netlink_address_add(Netlink *netlink, gint index, const VmAddress *address, GError **error)
{
    NetlinkRequest request;
    begin_address(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address);
    if (address->family == AF_INET6)
        mnl_attr_put_u32(request.header, IFA_FLAGS, IFA_F_NODAD);
    else if (address->prefix < 31)
        put_broadcast(request.header, address);
    g_autofree gchar *text = vm_address_format(address);
    return netlink_request_send(netlink, &request, EEXIST, error, "add the address %s", text);
}

gboolean netlink_address_delete(Netlink *netlink, gint index, const VmAddress *address,
                                GError **error)
{
    NetlinkRequest request;
    begin_address(&request, RTM_DELADDR, 0, index, address);
    g_autofree gchar *text = vm_address_format(address);
    return netlink_request_send(netlink, &request, EADDRNOTAVAIL, error, "delete the address %s",
                                text);
}

static gboolean is_link_local(const VmAddress *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

static gboolean parse_address(const struct nlmsghdr *message, gpointer element, gpointer data)
{
    VmAddress *address = element;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof *info ||
        info->ifa_index != *(const guint32 *)data)
        return FALSE;
    if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
        return FALSE;
    address->family = info->ifa_family;
    address->prefix = info->ifa_prefixlen;
    guint32 flags = info->ifa_flags;
    gboolean local = FALSE;
    const struct nlattr *attr;
    mnl_attr_for_each (attr, message, sizeof *info) {
        /* On a point-to-point link IFA_ADDRESS is the other side's. */
        guint16 type = mnl_attr_get_type(attr);
        if (type == IFA_LOCAL || (type == IFA_ADDRESS && !local))
            netlink_attr_copy(attr, address->bytes, address_size(address->family));
        if (type == IFA_FLAGS)
            netlink_attr_copy(attr, &flags, sizeof flags);
        local = local || type == IFA_LOCAL;
    }
    return (flags & IFA_F_PERMANENT) && !is_link_local(address);
}

GArray *netlink_address_list(Netlink *netlink, gint index, GError **error)
{
    NetlinkRequest request;
    struct ifaddrmsg *info = netlink_request_begin(&request, RTM_GETADDR, NLM_F_DUMP, sizeof *info);
    guint32 wanted = (guint32)index;
    info->ifa_index = wanted;
    return netlink_request_get(netlink, &request, sizeof(VmAddress), parse_address, &wanted, 0,
                               error, "list the addresses of link %d", index);
}

static gchar *route_text(const VmRoute *route)
{
    g_autofree gchar *to = vm_address_format(&route->destination);
    g_autoptr(GString) text = g_string_new(to);
    if (route->gateway.family != 0) {
        g_autofree gchar *gateway = vm_address_text(&route->gateway);
        g_string_append_printf(text, " via %s", gateway);
    }
    if (route->metric != 0)
        g_string_append_printf(text, " metric %u", route->metric);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void begin_route(NetlinkRequest *request, guint16 type, guint16 flags, gint index,
                        guint32 table, const VmRoute *route)
{
    struct rtmsg *info = netlink_request_begin(request, type, flags, sizeof *info);
    gboolean on_link = route->gateway.family == 0 && route->destination.family == AF_INET;
    info->rtm_family = (guint8)route->destination.family;
    info->rtm_dst_len = (guint8)route->destination.prefix;
    info->rtm_table = table <= G_MAXUINT8 ? (guint8)table : RT_TABLE_UNSPEC;
    info->rtm_protocol = type == RTM_NEWROUTE ? RTPROT_STATIC : RTPROT_UNSPEC;
    info->rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    info->rtm_type = RTN_UNICAST;
    if (route->destination.prefix != 0)
        put_address(request->header, RTA_DST, &route->destination);
    if (route->gateway.family != 0)
        put_address(request->header, RTA_GATEWAY, &route->gateway);
    if (route->metric != 0)
        mnl_attr_put_u32(request->header, RTA_PRIORITY, route->metric);
    mnl_attr_put_u32(request->header, RTA_OIF, (guint32)index);
    if (table > G_MAXUINT8)
        mnl_attr_put_u32(request->header, RTA_TABLE, table);
}

gboolean netlink_route_add(Netlink *netlink, gint index, guint32 table, const VmRoute *route,
                           GError **error)
{
    NetlinkRequest request;
    begin_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, table, route);
    g_autofree gchar *text = route_text(route);
    return netlink_request_send(netlink, &request, EEXIST, error, "add the route %s", text);
}

/* Which routes are asked for. */
typedef struct {
    int family;
    gint index;
    guint32 table;
} RouteFilter;

static gboolean is_given_route(const struct rtmsg *info)
{
    return info->rtm_type == RTN_UNICAST && !(info->rtm_flags & RTM_F_CLONED) &&
           info->rtm_protocol != RTPROT_KERNEL && info->rtm_protocol != RTPROT_RA &&
           info->rtm_protocol != RTPROT_REDIRECT;
}

static gboolean parse_route(const struct nlmsghdr *message, gpointer element, gpointer data)
{
    VmRoute *route = element;
    const RouteFilter *filter = data;
    const struct rtmsg *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof *info ||
        info->rtm_family != filter->family || !is_given_route(info))
        return FALSE;
    route->destination.family = info->rtm_family;
    route->destination.prefix = info->rtm_dst_len;
    gint index = 0;
    guint32 table = info->rtm_table;
    gsize size = address_size(info->rtm_family);
    const struct nlattr *attr;
    mnl_attr_for_each (attr, message, sizeof *info) {
        guint16 type = mnl_attr_get_type(attr);
        if (type == RTA_DST)
            netlink_attr_copy(attr, route->destination.bytes, size);
        else if (type == RTA_GATEWAY && netlink_attr_copy(attr, route->gateway.bytes, size)) {
            route->gateway.family = info->rtm_family;
            route->gateway.prefix = (guint)size * 8;
        } else if (type == RTA_PRIORITY)
            netlink_attr_copy(attr, &route->metric, sizeof route->metric);
        else if (type == RTA_OIF)
            netlink_attr_copy(attr, &index, sizeof index);
        else if (type == RTA_TABLE)
            netlink_attr_copy(attr, &table, sizeof table);
    }
    return index == filter->index && table == filter->table;
}

static gboolean list_routes(Netlink *netlink, RouteFilter filter, GArray *routes, GError **error)
{
    NetlinkRequest request;
    struct rtmsg *info = netlink_request_begin(&request, RTM_GETROUTE, NLM_F_DUMP, sizeof *info);
    info->rtm_family = (guint8)filter.family;
    mnl_attr_put_u32(request.header, RTA_OIF, (guint32)filter.index);
    mnl_attr_put_u32(request.header, RTA_TABLE, filter.table);
    /* A table that never had a route, be it the main one, is not there: ENOENT. */
    g_autoptr(GArray) found = netlink_request_get(
        netlink, &request, sizeof(VmRoute), parse_route, &filter, ENOENT, error,
        "list the IPv%c routes of link %d", filter.family == AF_INET6 ? '6' : '4', filter.index);
    if (!found)
        return FALSE;
    g_array_append_vals(routes, found->data, found->len);
    return TRUE;
}

GArray *netlink_route_list(Netlink *netlink, gint index, guint32 table, GError **error)
{
    g_autoptr(GArray) routes = g_array_new(FALSE, FALSE, sizeof(VmRoute));
    if (!list_routes(netlink, (RouteFilter){AF_INET, index, table}, routes, error) ||
        !list_routes(netlink, (RouteFilter){AF_INET6, index, table}, routes, error))
        return NULL;
    return g_steal_pointer(&routes);
}

gboolean netlink_route_delete(Netlink *netlink, gint index, guint32 table, const VmRoute *route,
                              GError **error)
{
    NetlinkRequest request;
    begin_route(&request, RTM_DELROUTE, 0, index, table, route);
    g_autofree gchar *text = route_text(route);
    return netlink_request_send(netlink, &request, ESRCH, error, "delete the route %s", text);
}

gboolean netlink_route_flush(Netlink *netlink, gint index, guint32 table, GError **error)
{
    g_autoptr(GArray) routes = netlink_route_list(netlink, index, table, error);
    if (!routes)
        return FALSE;
    for (guint i = 0; i < routes->len; i++)
        if (!netlink_route_delete(netlink, index, table, &g_array_index(routes, VmRoute, i), error))
            return FALSE;
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
/* Links: how they are read, made, changed and removed. */
#include "autoptr.h"
#include "error.h"
#include "netlink_request.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

static void take_text(const struct nlattr *attr, gchar *to, gsize size)
{
    gsize length = MIN(mnl_attr_get_payload_len(attr), size - 1);
    memcpy(to, mnl_attr_get_payload(attr), length);
    to[length] = '\0';
}

static void take_kind(const struct nlattr *info, NetlinkLink *link)
{
    const struct nlattr *attr;
    mnl_attr_for_each_nested (attr, info) {
        if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
            take_text(attr, link->kind, sizeof link->kind);
    }
}

static void take_counters(const struct nlattr *attr, NetlinkLink *link)
{
    /* Copied: attributes are aligned to 4 bytes only, and a newer kernel sends more of them. */
    guint64 counters[4];
    if (!netlink_attr_copy(attr, counters, sizeof counters))
        return;
    link->rx_packets = counters[0];
    link->tx_packets = counters[1];
    link->rx_bytes = counters[2];
    link->tx_bytes = counters[3];
}

static void take_attribute(const struct nlattr *attr, NetlinkLink *link)
{
    switch (mnl_attr_get_type(attr)) {
    case IFLA_IFNAME:
        take_text(attr, link->name, sizeof link->name);
        break;
    case IFLA_IFALIAS:
        take_text(attr, link->alias, sizeof link->alias);
        break;
    case IFLA_QDISC:
        take_text(attr, link->qdisc, sizeof link->qdisc);
        break;
    case IFLA_MTU:
        netlink_attr_copy(attr, &link->mtu, sizeof link->mtu);
        break;
    case IFLA_MASTER:
        netlink_attr_copy(attr, &link->master, sizeof link->master);
        break;
    case IFLA_LINK:
        netlink_attr_copy(attr, &link->peer_index, sizeof link->peer_index);
        break;
    case IFLA_ADDRESS:
        netlink_attr_copy(attr, link->mac, sizeof link->mac);
        break;
    case IFLA_LINKINFO:
        take_kind(attr, link);
        break;
    case IFLA_STATS64:
        take_counters(attr, link);
        break;
    default:
        break;
    }
}

static gboolean parse_link(const struct nlmsghdr *message, gpointer element,
                           G_GNUC_UNUSED gpointer data)
{
    NetlinkLink *link = element;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof *info)
        return FALSE;
    link->index = info->ifi_index;
    link->up = (info->ifi_flags & IFF_UP) != 0;
    link->running = (info->ifi_flags & IFF_RUNNING) != 0;
    const struct nlattr *attr;
    mnl_attr_for_each (attr, message, sizeof *info)
        take_attribute(attr, link);
    return TRUE;
}

gboolean netlink_link_get(Netlink *netlink, const char *name, NetlinkLink *link, gboolean *found,
                          GError **error)
{
    NetlinkRequest request;
    netlink_request_begin(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    g_autoptr(GArray) links = netlink_request_get(netlink, &request, sizeof *link, parse_link, NULL,
                                                  ENODEV, error, "look for the link %s", name);
    if (!links)
        return FALSE;
    *found = links->len > 0;
    if (*found)
        *link = g_array_index(links, NetlinkLink, 0);
    return TRUE;
}

gboolean netlink_link_each(Netlink *netlink, NetlinkLinkFunc func, gpointer data, GError **error)
{
    NetlinkRequest request;
    /* Without IFLA_EXT_MASK: a card's virtual functions are left out, the counters are not. */
    netlink_request_begin(&request, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
    g_autoptr(GArray) links = netlink_request_get(netlink, &request, sizeof(NetlinkLink),
                                                  parse_link, NULL, 0, error, "list all links");
    if (!links)
        return FALSE;
    for (guint i = 0; i < links->len; i++)
        func(&g_array_index(links, NetlinkLink, i), data);
    return TRUE;
}

static gboolean parse_counters(const struct nlmsghdr *message, gpointer element,
                               G_GNUC_UNUSED gpointer data)
{
    NetlinkCounters *counters = element;
    const struct if_stats_msg *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWSTATS || mnl_nlmsg_get_payload_len(message) < sizeof *info)
        return FALSE;
    NetlinkLink link = {0};
    const struct nlattr *attr;
    mnl_attr_for_each (attr, message, sizeof *info) {
        if (mnl_attr_get_type(attr) == IFLA_STATS_LINK_64)
            take_counters(attr, &link);
    }
    *counters = (NetlinkCounters){(gint)info->ifindex, link.rx_bytes, link.tx_bytes};
    return TRUE;
}

GArray *netlink_counters(Netlink *netlink, GError **error)
{
    NetlinkRequest request;
    struct if_stats_msg *info =
        netlink_request_begin(&request, RTM_GETSTATS, NLM_F_DUMP, sizeof *info);
    info->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    return netlink_request_get(netlink, &request, sizeof(NetlinkCounters), parse_counters, NULL, 0,
                               error, "read the links' counters");
}

/* The attributes that either end of a new pair may carry. */
static void put_end(struct nlmsghdr *header, const char *name, const guint8 *mac, guint mtu)
{
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    if (mac)
        mnl_attr_put(header, IFLA_ADDRESS, 6, mac);
    if (mtu != 0)
        mnl_attr_put_u32(header, IFLA_MTU, mtu);
}

static void put_peer(struct nlmsghdr *header, const NetlinkVeth *veth)
{
    struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    put_end(header, veth->guest_name, veth->guest_mac, veth->guest_mtu);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (guint32)veth->peer_netns);
    mnl_attr_nest_end(header, peer);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, info);
}

gboolean netlink_veth_add(Netlink *netlink, const NetlinkVeth *veth, GError **error)
{
    NetlinkRequest request;
    struct ifinfomsg *info =
        netlink_request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *info);
    info->ifi_flags = IFF_UP;
    info->ifi_change = IFF_UP;
    put_end(request.header, veth->host_name, veth->host_mac, veth->host_mtu);
    if (veth->master != 0)
        mnl_attr_put_u32(request.header, IFLA_MASTER, (guint32)veth->master);
    put_peer(request.header, veth);
    return netlink_request_send(netlink, &request, 0, error, "make the veth pair %s and %s",
                                veth->host_name, veth->guest_name);
}

gboolean netlink_link_delete(Netlink *netlink, const char *name, GError **error)
{
    NetlinkRequest request;
    netlink_request_begin(&request, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    return netlink_request_send(netlink, &request, ENODEV, error, "delete the link %s", name);
}

/* A request that changes the link INDEX. */
static struct ifinfomsg *begin_change(NetlinkRequest *request, gint index)
{
    struct ifinfomsg *info = netlink_request_begin(request, RTM_SETLINK, 0, sizeof *info);
    info->ifi_index = index;
    return info;
}

static gboolean set_up(Netlink *netlink, gint index, gboolean up, GError **error)
{
    NetlinkRequest request;
    struct ifinfomsg *info = begin_change(&request, index);
    info->ifi_flags = up ? IFF_UP : 0;
    info->ifi_change = IFF_UP;
    return netlink_request_send(netlink, &request, 0, error, "bring link %d %s", index,
                                up ? "up" : "down");
}

gboolean netlink_link_up(Netlink *netlink, gint index, GError **error)
{
    return set_up(netlink, index, TRUE, error);
}

gboolean netlink_link_down(Netlink *netlink, gint index, GError **error)
{
    return set_up(netlink, index, FALSE, error);
}

gboolean netlink_link_rename(Netlink *netlink, gint index, const char *name, gboolean *busy,
                             GError **error)
{
    NetlinkRequest request;
    NetlinkLink link = {0};
    gboolean found = FALSE;
    begin_change(&request, index);
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    if (!netlink_request_send(netlink, &request, EBUSY, error, "call link %d %s", index, name) ||
        !netlink_link_get(netlink, name, &link, &found, error))
        return FALSE;
    *busy = !found || link.index != index;
    return TRUE;
}

gboolean netlink_link_set_master(Netlink *netlink, gint index, gint master, GError **error)
{
    NetlinkRequest request;
    begin_change(&request, index);
    mnl_attr_put_u32(request.header, IFLA_MASTER, (guint32)master);
    return netlink_request_send(netlink, &request, 0, error, "make link %d a port of bridge %d",
                                index, master);
}

gboolean netlink_link_set_mtu(Netlink *netlink, gint index, guint mtu, GError **error)
{
    NetlinkRequest request;
    begin_change(&request, index);
    mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
    return netlink_request_send(netlink, &request, 0, error, "set the MTU of link %d to %u", index,
                                mtu);
}

gboolean netlink_link_set_mac(Netlink *netlink, gint index, const guint8 mac[6], GError **error)
{
    NetlinkRequest request;
    begin_change(&request, index);
    mnl_attr_put(request.header, IFLA_ADDRESS, 6, mac);
    g_autofree gchar *text = vm_mac_format(mac);
    return netlink_request_send(netlink, &request, 0, error, "set the MAC of link %d to %s", index,
                                text);
}

gboolean netlink_link_set_alias(Netlink *netlink, gint index, const char *alias, GError **error)
{
    NetlinkRequest request;
    begin_change(&request, index);
    mnl_attr_put_str(request.header, IFLA_IFALIAS, alias);
    return netlink_request_send(netlink, &request, 0, error, "mark link %d as \"%s\"", index,
                                alias);
}

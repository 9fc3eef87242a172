// SPDX-License-Identifier: Apache-2.0
/* Queueing disciplines: token buckets, and the way of arriving packets through one. */
#include "netlink_request.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <string.h>

/* Of the only filter on the links that are redirected. */
enum { PRIORITY = 1 };

/* A request on the qdisc that hangs below PARENT on the link INDEX. */
static struct tcmsg *begin_qdisc(NetlinkRequest *request, guint16 type, guint16 flags, gint index,
                                 guint32 parent)
{
    struct tcmsg *info = netlink_request_begin(request, type, flags, sizeof *info);
    info->tcm_ifindex = index;
    info->tcm_parent = parent;
    return info;
}

/* Rates of more than 32 bits have an attribute of their own. */
static struct tc_ratespec rate_spec(guint64 rate)
{
    /* With the link layer named, the kernel counts for itself and wants no table of rates. */
    return (struct tc_ratespec){.linklayer = TC_LINKLAYER_ETHERNET,
                                .rate = (guint32)MIN(rate, G_MAXUINT32)};
}

static void put_rate(struct nlmsghdr *header, guint16 type, guint64 rate)
{
    if (rate > G_MAXUINT32)
        mnl_attr_put_u64(header, type, rate);
}

gboolean netlink_shape(Netlink *netlink, gint index, const NetlinkShape *shape, GError **error)
{
    NetlinkRequest request;
    begin_qdisc(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index, TC_H_ROOT);
    mnl_attr_put_strz(request.header, TCA_KIND, "tbf");
    struct tc_tbf_qopt parameters = {.rate = rate_spec(shape->rate), .limit = shape->queue};
    if (shape->peak != 0)
        parameters.peakrate = rate_spec(shape->peak);
    struct nlattr *options = mnl_attr_nest_start(request.header, TCA_OPTIONS);
    mnl_attr_put(request.header, TCA_TBF_PARMS, sizeof parameters, &parameters);
    put_rate(request.header, TCA_TBF_RATE64, shape->rate);
    mnl_attr_put_u32(request.header, TCA_TBF_BURST, shape->burst);
    if (shape->peak != 0) {
        put_rate(request.header, TCA_TBF_PRATE64, shape->peak);
        mnl_attr_put_u32(request.header, TCA_TBF_PBURST, shape->peak_burst);
    }
    mnl_attr_nest_end(request.header, options);
    return netlink_request_send(
        netlink, &request, 0, error,
        "limit what leaves link %d to %" G_GUINT64_FORMAT " bytes per second", index, shape->rate);
}

gboolean netlink_unshape(Netlink *netlink, gint index, GError **error)
{
    NetlinkRequest request;
    begin_qdisc(&request, RTM_DELQDISC, 0, index, TC_H_ROOT);
    return netlink_request_send(netlink, &request, ENOENT, error,
                                "take the limit from what leaves link %d", index);
}

gboolean netlink_ifb_add(Netlink *netlink, const char *name, GError **error)
{
    NetlinkRequest request;
    netlink_request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                          sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
    mnl_attr_put_strz(request.header, IFLA_INFO_KIND, "ifb");
    mnl_attr_nest_end(request.header, info);
    return netlink_request_send(netlink, &request, 0, error, "make the link %s", name);
}

static gboolean add_ingress(Netlink *netlink, gint index, GError **error)
{
    NetlinkRequest request;
    struct tcmsg *info =
        begin_qdisc(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, TC_H_INGRESS);
    info->tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0);
    mnl_attr_put_strz(request.header, TCA_KIND, "ingress");
    return netlink_request_send(netlink, &request, 0, error, "look at what arrives on link %d",
                                index);
}

static void put_redirection(struct nlmsghdr *header, gint to)
{
    struct tc_mirred parameters = {
        .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (guint32)to};
    struct nlattr *actions = mnl_attr_nest_start(header, TCA_U32_ACT);
    struct nlattr *first = mnl_attr_nest_start(header, 1);
    mnl_attr_put_strz(header, TCA_ACT_KIND, "mirred");
    struct nlattr *options = mnl_attr_nest_start(header, TCA_ACT_OPTIONS);
    mnl_attr_put(header, TCA_MIRRED_PARMS, sizeof parameters, &parameters);
    mnl_attr_nest_end(header, options);
    mnl_attr_nest_end(header, first);
    mnl_attr_nest_end(header, actions);
}

/* A selector of one key without a bit to compare takes every packet. u32 rather than matchall:
 * every kernel has it. */
static void put_everything(struct nlmsghdr *header)
{
    struct {
        struct tc_u32_sel head;
        struct tc_u32_key key;
    } selector = {.head = {.flags = TC_U32_TERMINAL, .nkeys = 1}};
    mnl_attr_put(header, TCA_U32_SEL, sizeof selector, &selector);
}

static gboolean add_redirection(Netlink *netlink, gint index, gint to, GError **error)
{
    NetlinkRequest request;
    struct tcmsg *info = begin_qdisc(&request, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index,
                                     TC_H_MAKE(TC_H_INGRESS, 0));
    info->tcm_info = TC_H_MAKE(PRIORITY << 16, g_htons(ETH_P_ALL));
    mnl_attr_put_strz(request.header, TCA_KIND, "u32");
    struct nlattr *options = mnl_attr_nest_start(request.header, TCA_OPTIONS);
    put_everything(request.header);
    put_redirection(request.header, to);
    mnl_attr_nest_end(request.header, options);
    return netlink_request_send(netlink, &request, 0, error,
                                "redirect what arrives on link %d to link %d", index, to);
}

gboolean netlink_redirect(Netlink *netlink, gint index, gint to, GError **error)
{
    return netlink_unredirect(netlink, index, error) && add_ingress(netlink, index, error) &&
           add_redirection(netlink, index, to, error);
}

gboolean netlink_unredirect(Netlink *netlink, gint index, GError **error)
{
    NetlinkRequest request;
    begin_qdisc(&request, RTM_DELQDISC, 0, index, TC_H_INGRESS);
    return netlink_request_send(netlink, &request, ENOENT, error,
                                "leave alone what arrives on link %d", index);
}

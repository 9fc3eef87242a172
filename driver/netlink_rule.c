// SPDX-License-Identifier: Apache-2.0
/* Rules: which table of routes is asked for what is sent from an address. */
#include "autoptr.h"
#include "netlink_request.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

/* By it vmdock's rules are known: before that of the main table, 32766, and nobody's habit. */
enum { PRIORITY = 10042 };

typedef struct {
    VmAddress source;
    guint32 table;
} Rule;

static gsize address_size(int family)
{
    return family == AF_INET6 ? 16 : 4;
}

static void begin_rule(NetlinkRequest *request, guint16 type, guint16 flags, const Rule *rule)
{
    gsize size = address_size(rule->source.family);
    struct fib_rule_hdr *info = netlink_request_begin(request, type, flags, sizeof *info);
    info->family = (guint8)rule->source.family;
    info->src_len = (guint8)(size * 8);
    info->action = FR_ACT_TO_TBL;
    mnl_attr_put(request->header, FRA_SRC, size, rule->source.bytes);
    mnl_attr_put_u32(request->header, FRA_PRIORITY, PRIORITY);
    mnl_attr_put_u32(request->header, FRA_TABLE, rule->table);
}

gboolean netlink_source_rule_add(Netlink *netlink, const VmAddress *source, guint32 table,
                                 GError **error)
{
    NetlinkRequest request;
    begin_rule(&request, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &(Rule){*source, table});
    g_autofree gchar *text = vm_address_text(source);
    return netlink_request_send(netlink, &request, EEXIST, error,
                                "route what is sent from %s by table %u", text, table);
}

static gboolean parse_rule(const struct nlmsghdr *message, gpointer element, gpointer data)
{
    Rule *rule = element;
    const struct fib_rule_hdr *info = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(message) < sizeof *info ||
        info->family != *(const int *)data)
        return FALSE;
    rule->source.family = info->family;
    guint32 priority = 0;
    gboolean source = FALSE;
    const struct nlattr *attr;
    mnl_attr_for_each (attr, message, sizeof *info) {
        guint16 type = mnl_attr_get_type(attr);
        if (type == FRA_SRC)
            source = netlink_attr_copy(attr, rule->source.bytes, address_size(info->family));
        else if (type == FRA_PRIORITY)
            netlink_attr_copy(attr, &priority, sizeof priority);
        else if (type == FRA_TABLE)
            netlink_attr_copy(attr, &rule->table, sizeof rule->table);
    }
    return source && priority == PRIORITY && info->src_len == address_size(info->family) * 8;
}

static gboolean flush_family(Netlink *netlink, int family, GError **error)
{
    NetlinkRequest request;
    struct fib_rule_hdr *info =
        netlink_request_begin(&request, RTM_GETRULE, NLM_F_DUMP, sizeof *info);
    info->family = (guint8)family;
    g_autoptr(GArray) rules =
        netlink_request_get(netlink, &request, sizeof(Rule), parse_rule, &family, EAFNOSUPPORT,
                            error, "list the rules of IPv%c", family == AF_INET6 ? '6' : '4');
    if (!rules)
        return FALSE;
    for (guint i = 0; i < rules->len; i++) {
        const Rule *rule = &g_array_index(rules, Rule, i);
        begin_rule(&request, RTM_DELRULE, 0, rule);
        g_autofree gchar *text = vm_address_text(&rule->source);
        if (!netlink_request_send(netlink, &request, ENOENT, error, "delete the rule of %s", text))
            return FALSE;
    }
    return TRUE;
}

gboolean netlink_source_rule_flush(Netlink *netlink, GError **error)
{
    return flush_family(netlink, AF_INET, error) && flush_family(netlink, AF_INET6, error);
}

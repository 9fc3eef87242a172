// SPDX-License-Identifier: Apache-2.0
#include "nic_qos.h"

#include "error.h"
#include "log.h"
#include "nic.h"
#include "sysctl.h"

#include <string.h>

enum {
    HEADERS = 18, /* Ethernet's, with one VLAN tag */
    MIN_BURST = 32 * 1024,
    MIN_QUEUE = 128 * 1024,
    BURSTS_PER_SECOND = 100, /* a burst that is not given: 10 ms */
    TURNS_PER_SECOND = 1000, /* the least that a bucket holds: 1 ms, for timers come late */
    QUEUES_PER_SECOND = 5,   /* what waits: 200 ms */
};

/* A link's name, with its end: IFNAMSIZ. */
typedef gchar LinkName[VM_IFNAME_MAX + 1];

static guint32 bytes32(guint64 bytes)
{
    return (guint32)MIN(bytes, G_MAXINT32);
}

gboolean nic_qos_shape(const VmBandwidth *bandwidth, guint mtu, NetlinkShape *shape)
{
    guint64 average = (guint64)bandwidth->average, peak = (guint64)bandwidth->peak;
    guint64 asked = (guint64)bandwidth->burst, packets = 2 * ((guint64)mtu + HEADERS);
    guint64 rate = average == 0 ? peak : average;
    if (rate == 0)
        return FALSE;
    if (peak != 0)
        rate = MIN(rate, peak);
    guint64 burst = asked != 0 ? asked : MAX(rate / BURSTS_PER_SECOND, MIN_BURST);
    burst = MAX(burst, MAX(rate / TURNS_PER_SECOND, packets));
    *shape = (NetlinkShape){
        .rate = rate,
        .burst = bytes32(burst),
        .queue = bytes32(MAX(rate / QUEUES_PER_SECOND, MIN_QUEUE)),
    };
    if (peak > rate) {
        shape->peak = peak;
        shape->peak_burst = bytes32(MAX(peak / TURNS_PER_SECOND, packets));
    }
    return TRUE;
}

/*
 * "q" and the host end's name, which no other NIC of the host has; where that is too long, its
 * digest.
 */
static void ifb_name(const char *host_name, LinkName name)
{
    if (strlen(host_name) < VM_IFNAME_MAX) {
        g_snprintf(name, sizeof(LinkName), "q%s", host_name);
        return;
    }
    g_autofree gchar *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, host_name, -1);
    g_snprintf(name, sizeof(LinkName), "q%.*s", VM_IFNAME_MAX - 1, digest);
}

static gboolean is_own(const NetlinkLink *link, const char *alias)
{
    return strcmp(link->kind, "ifb") == 0 && strcmp(link->alias, alias) == 0;
}

/* What leaves LINK. */
static gboolean shape_link(Netlink *netlink, const VmBandwidth *bandwidth, const NetlinkLink *link,
                           GError **error)
{
    NetlinkShape shape;
    if (nic_qos_shape(bandwidth, link->mtu, &shape))
        return netlink_shape(netlink, link->index, &shape, error);
    return strcmp(link->qdisc, "tbf") != 0 || netlink_unshape(netlink, link->index, error);
}

static gboolean shape_guest(Netlink *guest, const VmNic *nic, GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    return netlink_link_get(guest, nic->guest_name, &link, &found, error) &&
           (!found || shape_link(guest, &nic->outbound, &link, error));
}

/* Up it would speak IPv6 of its own. */
static void silence(const char *name)
{
    g_autofree gchar *setting = g_strdup_printf("net/ipv6/conf/%s/disable_ipv6", name);
    g_autoptr(GError) failure = NULL;
    if (!sysctl_set(&(Sysctl){setting, "1"}, &failure))
        log_warn("the link %s has IPv6 of its own: %s", name, failure->message);
}

static gboolean make_ifb(Netlink *host, const char *name, const char *alias, NetlinkLink *ifb,
                         GError **error)
{
    gboolean found = FALSE;
    if (!netlink_ifb_add(host, name, error) || !netlink_link_get(host, name, ifb, &found, error))
        return FALSE;
    if (!found) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                    "the link %s was gone as soon as it was made", name);
        return FALSE;
    }
    if (!netlink_link_set_alias(host, ifb->index, alias, error)) {
        netlink_link_delete(host, name, NULL);
        return FALSE;
    }
    silence(name);
    return TRUE;
}

/* The bucket stands before anything is led to it. */
static gboolean lead_through(Netlink *host, const NetlinkLink *ifb, const NetlinkLink *host_end,
                             const NetlinkShape *shape, GError **error)
{
    netlink_batch_begin(host);
    return netlink_shape(host, ifb->index, shape, error) &&
           netlink_link_up(host, ifb->index, error) &&
           netlink_redirect(host, host_end->index, ifb->index, error) &&
           netlink_batch_send(host, error);
}

static gboolean shape_outbound(Netlink *host, const char *alias, const VmNic *nic,
                               const NetlinkLink *host_end, GError **error)
{
    LinkName name;
    ifb_name(nic->host_name, name);
    NetlinkLink ifb = {0};
    gboolean found = FALSE;
    NetlinkShape shape;
    gboolean wanted = nic_qos_shape(&nic->outbound, host_end->mtu, &shape);
    if (!netlink_link_get(host, name, &ifb, &found, error))
        return FALSE;
    gboolean own = found && is_own(&ifb, alias);
    if (!wanted)
        return !own || (netlink_unredirect(host, host_end->index, error) &&
                        netlink_link_delete(host, name, error));
    if (found && !own) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                    "the host has another link named %s (kind \"%s\", alias \"%s\"), the name that "
                    "the link which limits this NIC must have",
                    name, *ifb.kind ? ifb.kind : "device", ifb.alias);
        return FALSE;
    }
    return (own || make_ifb(host, name, alias, &ifb, error)) &&
           lead_through(host, &ifb, host_end, &shape, error);
}

gboolean nic_qos_ensure(Netlink *host, Netlink *guest, const char *deploy_id, const VmNic *nic,
                        const NetlinkLink *host_end, GError **error)
{
    g_autofree gchar *alias = g_strconcat(NIC_ALIAS_PREFIX, deploy_id, NULL);
    if (shape_link(host, &nic->inbound, host_end, error) &&
        (guest ? shape_guest(guest, nic, error)
               : shape_outbound(host, alias, nic, host_end, error)))
        return TRUE;
    g_prefix_error(error, "its bandwidth: ");
    return FALSE;
}

gboolean nic_qos_remove(Netlink *host, const char *deploy_id, const char *host_name, GError **error)
{
    LinkName name;
    ifb_name(host_name, name);
    NetlinkLink ifb = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(host, name, &ifb, &found, error))
        return FALSE;
    g_autofree gchar *alias = g_strconcat(NIC_ALIAS_PREFIX, deploy_id, NULL);
    return !found || !is_own(&ifb, alias) || netlink_link_delete(host, name, error);
}

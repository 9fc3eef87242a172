// SPDX-License-Identifier: Apache-2.0
/*
 * rtnetlink, by the few requests that a VM's network needs. One socket speaks for one network
 * namespace: the one its thread was in when it was opened.
 *
 * Errors: NETWORK with the kernel's extended-ack sentence where it gives one, else errno's words;
 * NO_BRIDGE; UNSUPPORTED (the kernel lacks the kind). A request that makes what is already there,
 * or removes what is not, says so through its result only where documented.
 */
#pragma once

#include "spec.h"

typedef struct Netlink Netlink;

/* Opens a socket in the calling thread's network namespace. */
Netlink *netlink_open(GError **error);
void netlink_free(Netlink *netlink);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Netlink, netlink_free)

/* A number that no other network namespace has in this boot; FALSE before Linux 5.14. */
gboolean netlink_namespace(const Netlink *netlink, guint64 *number);

typedef struct {
    gint index;
    gchar name[16];
    gchar kind[16]; /* "bridge", "veth", …; "" for none */
    guint mtu;
    gboolean up;      /* administratively */
    gboolean running; /* carrier */
    guint8 mac[6];
    gint master;     /* ifindex of the bridge, 0 = none */
    gint peer_index; /* IFLA_LINK of a veth, 0 = none */
    guint64 rx_bytes, tx_bytes, rx_packets, tx_packets;
    gchar qdisc[16]; /* its root queueing discipline: "noqueue", "tbf", … */
    gchar alias[80]; /* IFLA_IFALIAS: "vmdock:one-42" on the host ends that vmdock made */
} NetlinkLink;

/* *found tells whether there is a link of that name. */
gboolean netlink_link_get(Netlink *netlink, const char *name, NetlinkLink *link, gboolean *found,
                          GError **error);
/* Every link of the namespace in one dump, with its counters. */
typedef void (*NetlinkLinkFunc)(const NetlinkLink *link, gpointer data);
gboolean netlink_link_each(Netlink *netlink, NetlinkLinkFunc func, gpointer data, GError **error);

/* The counters alone: what a full listing has of them, for a twentieth of its cost. */
typedef struct {
    gint index;
    guint64 rx_bytes, tx_bytes;
} NetlinkCounters;

/* NetlinkCounters of every link of the namespace. */
GArray *netlink_counters(Netlink *netlink, GError **error);

/* What a new veth pair is: the host end here, the guest end made directly in PEER_NETNS. */
typedef struct {
    const char *host_name;
    const char *guest_name;
    int peer_netns;          /* descriptor of the sandbox */
    const guint8 *host_mac;  /* NULL = the kernel's choice */
    const guint8 *guest_mac; /* NULL = the kernel's choice */
    guint host_mtu;          /* 0 = the kernel's default */
    guint guest_mtu;         /* 0 = the kernel's default */
    gint master;             /* bridge to plug the host end into, 0 = none */
} NetlinkVeth;

/*
 * Several requests in one message to the kernel: between begin and send, functions that only change
 * something put their request in the queue and return TRUE; send reports the first that failed. The
 * kernel carries them out in order and does not stop at a failure.
 */
void netlink_batch_begin(Netlink *netlink);
gboolean netlink_batch_send(Netlink *netlink, GError **error);

/* The host end is up at once; the guest end is down, for addresses to be set first. */
gboolean netlink_veth_add(Netlink *netlink, const NetlinkVeth *veth, GError **error);
/* Fine if it is not there. */
gboolean netlink_link_delete(Netlink *netlink, const char *name, GError **error);
gboolean netlink_link_up(Netlink *netlink, gint index, GError **error);
gboolean netlink_link_down(Netlink *netlink, gint index, GError **error);
/* Before Linux 6.2 a link that is up keeps its name: *busy, and nothing is changed. */
gboolean netlink_link_rename(Netlink *netlink, gint index, const char *name, gboolean *busy,
                             GError **error);
gboolean netlink_link_set_master(Netlink *netlink, gint index, gint master, GError **error);
gboolean netlink_link_set_mtu(Netlink *netlink, gint index, guint mtu, GError **error);
gboolean netlink_link_set_mac(Netlink *netlink, gint index, const guint8 mac[6], GError **error);
/* The kernel takes an alias of a link that is there only: never in the request that makes it. */
gboolean netlink_link_set_alias(Netlink *netlink, gint index, const char *alias, GError **error);

/* IPv6 addresses are set without duplicate detection, so that they are usable at once. Fine, with a
 * warning, if the address is there. */
gboolean netlink_address_add(Netlink *netlink, gint index, const VmAddress *address,
                             GError **error);
gboolean netlink_address_delete(Netlink *netlink, gint index, const VmAddress *address,
                                GError **error);
/* The addresses that were given to a link; VmAddress. Link-local IPv6 and what was learned from
 * router advertisements are left out. */
GArray *netlink_address_list(Netlink *netlink, gint index, GError **error);
/* The table of routes that is asked unless a rule says another. */
#define NETLINK_TABLE_MAIN 254
/* Fine, with a warning, if a route of that destination and metric is there: the first one stands.
 */
gboolean netlink_route_add(Netlink *netlink, gint index, guint32 table, const VmRoute *route,
                           GError **error);
/* The routes of a table through a link that the kernel did not make itself; VmRoute. */
GArray *netlink_route_list(Netlink *netlink, gint index, guint32 table, GError **error);
/* Fine if it is not there. */
gboolean netlink_route_delete(Netlink *netlink, gint index, guint32 table, const VmRoute *route,
                              GError **error);
/* Removes them. */
gboolean netlink_route_flush(Netlink *netlink, gint index, guint32 table, GError **error);

/* A rule: what is sent from SOURCE, a single address, asks TABLE before the main one. */
gboolean netlink_source_rule_add(Netlink *netlink, const VmAddress *source, guint32 table,
                                 GError **error);
/* Removes all such rules of the namespace. */
gboolean netlink_source_rule_flush(Netlink *netlink, GError **error);

/*
 * A token bucket filter: what leaves the link does so at RATE, after BURST bytes at once; with a
 * PEAK, that burst too passes no faster than PEAK, PEAK_BURST bytes at once. QUEUE bytes wait for
 * their turn, more are dropped. Rates are bytes per second; a packet that is larger than a burst
 * never passes, unless it is one that the kernel may take apart.
 */
typedef struct {
    guint64 rate;
    guint64 peak; /* 0 = none */
    guint32 burst, peak_burst;
    guint32 queue;
} NetlinkShape;

/* Shapes what leaves the link, or changes how it is shaped; its root qdisc is replaced. */
gboolean netlink_shape(Netlink *netlink, gint index, const NetlinkShape *shape, GError **error);
/* Fine if nothing was. */
gboolean netlink_unshape(Netlink *netlink, gint index, GError **error);
/* A link of kind ifb, down: what is redirected to it leaves it again and goes on as if it had just
 * arrived where it came from, shaped on the way. */
gboolean netlink_ifb_add(Netlink *netlink, const char *name, GError **error);
/* Redirects all that arrives on the link to leave the link TO first; twice is once. */
gboolean netlink_redirect(Netlink *netlink, gint index, gint to, GError **error);
/* Fine if nothing was. */
gboolean netlink_unredirect(Netlink *netlink, gint index, GError **error);

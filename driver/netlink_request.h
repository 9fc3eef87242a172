// SPDX-License-Identifier: Apache-2.0
/* What the files of netlink share: one request to the kernel, and what comes back. */
#pragma once

#include "netlink.h"

#include <libmnl/libmnl.h>

/* A request under construction; the largest of ours, a veth pair, takes some 200 bytes. */
typedef struct {
    struct nlmsghdr *header;
    guint8 bytes[1024] __attribute__((aligned(8)));
} NetlinkRequest;

/* Begins a request of TYPE; returns its fixed header of SIZE bytes, all zero. */
gpointer netlink_request_begin(NetlinkRequest *request, guint16 type, guint16 flags, gsize size);

/*
 * Sends it, or puts it in the queue of a batch. FINE is an errno value that is no failure, 0 for
 * none. WHAT completes the sentence "cannot …".
 */
gboolean netlink_request_send(Netlink *netlink, NetlinkRequest *request, int fine, GError **error,
                              const char *what, ...) G_GNUC_PRINTF(5, 6);

/* Takes one message of an answer into ELEMENT; FALSE to leave it out. */
typedef gboolean (*NetlinkParser)(const struct nlmsghdr *message, gpointer element, gpointer data);

/*
 * Sends a request that is answered with messages and returns what PARSER made of them, elements of
 * SIZE bytes. A dump that changes under way is repeated. FINE as above: the answer is then empty.
 */
GArray *netlink_request_get(Netlink *netlink, NetlinkRequest *request, gsize size,
                            NetlinkParser parser, gpointer data, int fine, GError **error,
                            const char *what, ...) G_GNUC_PRINTF(8, 9);

/* FALSE when the attribute is shorter than SIZE: the kernel never sends that, a fault would. */
gboolean netlink_attr_copy(const struct nlattr *attr, gpointer to, gsize size);

// SPDX-License-Identifier: Apache-2.0
/*
 * Networks of libvirt: what one gives a NIC, and the addresses that are reserved there.
 *
 * The library's calls have no time-outs, and it takes longer to load than all else of a deploy. So
 * it is asked by a program of its own, vmdock-libvirt, which does one thing at each start, is told
 * how long it may take, and is not started unless a NIC names a network.
 *
 * Errors: NO_BRIDGE, there is no such network, or it is not started; NETWORK, libvirt cannot be
 * asked or refuses, or the address lies elsewhere; DUPLICATE, the address is another machine's;
 * UNSUPPORTED, a kind of network that gives no bridge, or the program is not installed.
 */
#pragma once

#include "config.h"
#include "spec.h"

#define LIBVIRT_RESERVE "reserve"
#define LIBVIRT_FREE    "free"
#define LIBVIRT_VERSION "version"

/* What the program exits with when a change was under way and its outcome is not known. */
enum { LIBVIRT_UNKNOWN_STATUS = 99 };

typedef struct {
    gchar *verb;
    gchar *uri;
    guint64 timeout_ms;
    gchar *network;
    gchar *portgroup; /* NULL = the network's default one */
    gboolean has_mac; /* needed to reserve and to free */
    guint8 mac[6];
    GStrv names;       /* reserve: the host's, the first that is free; free: the one it has */
    VmAddress address; /* asked for, or reserved; family 0: any */
    VmAddress wish;    /* taken where nothing is asked for and it is free; family 0: none */
} LibvirtRequest;

typedef struct {
    gchar *bridge;
    gboolean openvswitch;
    guint mtu; /* 0 = the bridge's own */
    VmVlan vlan;
    GArray *subnets;   /* VmAddress: libvirt's own address in each */
    gboolean leads_on; /* these route to elsewhere */
    GArray *routes;    /* VmRoute, of IPv4: what lies behind others on it */
    gboolean dns;      /* and answer for names */
    gchar *domain;     /* NULL = none */
    VmBandwidth inbound, outbound;
    VmAddress address; /* that is reserved, or was asked for; family 0 = none */
    gchar *name;       /* by which the network's DNS knows it; NULL = it does not */
    gboolean added;    /* the reservation, or a part of it, was not there before */
    gchar *version;    /* of libvirt: that alone is the answer to LIBVIRT_VERSION */
} LibvirtAnswer;

LibvirtRequest *libvirt_request_new(const char *verb, const Config *config);
void libvirt_request_free(LibvirtRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibvirtRequest, libvirt_request_free)
LibvirtAnswer *libvirt_answer_new(void);
void libvirt_answer_free(LibvirtAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibvirtAnswer, libvirt_answer_free)

/* *unknown: a change was begun, and nobody knows whether it has happened. */
LibvirtAnswer *libvirt_ask(const Config *config, const LibvirtRequest *request, gboolean *unknown,
                           GError **error);

/* Pure, for the above, the program and their tests: one JSON object each. Errors: NETWORK. */
gchar *libvirt_request_text(const LibvirtRequest *request);
LibvirtRequest *libvirt_request_parse(const char *text, GError **error);
gchar *libvirt_answer_text(const LibvirtAnswer *answer);
LibvirtAnswer *libvirt_answer_parse(const char *text, GError **error);

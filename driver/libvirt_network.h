// SPDX-License-Identifier: Apache-2.0
/*
 * A network as libvirt's XML describes it, and which address a NIC gets there. Pure.
 *
 * The contract: formatnetwork of libvirt 9.0.
 */
#pragma once

#include "libvirt.h"

/* An address that is a host's: reserved (dhcp/host), named (dns/host) or leased. */
typedef struct {
    gboolean has_mac;
    guint8 mac[6];
    VmAddress address; /* family 0: none is said */
    gchar *name;       /* of dns/host, the first; may be NULL */
} LibvirtHost;

typedef struct {
    VmAddress first, last;
} LibvirtRange;

typedef struct {
    gchar *name;
    LibvirtAnswer *gives; /* but for address, name and added */
    VmAddress subnet;     /* of IPv4, the one with DHCP if there is one; family 0 = none */
    gboolean dhcp;
    GArray *ranges;   /* LibvirtRange, of IPv4 */
    GPtrArray *hosts; /* LibvirtHost, dhcp/host of IPv4 */
    GPtrArray *named; /* LibvirtHost, dns/host */
} LibvirtNetwork;

void libvirt_network_free(LibvirtNetwork *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibvirtNetwork, libvirt_network_free)

/* Of a NIC of PORTGROUP, NULL for the default one. Errors: NETWORK, UNSUPPORTED. */
LibvirtNetwork *libvirt_network_parse(const char *xml, const char *portgroup, GError **error);
/* The same of its subnets, hosts and names alone, whatever kind it is. Errors: NETWORK. */
LibvirtNetwork *libvirt_network_hosts(const char *xml, GError **error);

GPtrArray *libvirt_hosts_new(void);
/* The one with MAC; NULL if there is none. Belongs to the list. */
const LibvirtHost *libvirt_host_of(const GPtrArray *hosts, const guint8 mac[6]);
/* The one with ADDRESS. */
const LibvirtHost *libvirt_host_at(const GPtrArray *hosts, const VmAddress *address);

/*
 * The address that REQUEST gets, with its subnet's prefix: what it asks for, else what is reserved
 * for its MAC, else what it wishes for, else the next that is free of the DHCP range; family 0
 * where nothing is asked and there is no DHCP. VIEWS: the network as it is and as it is saved
 * (LibvirtNetwork), one or both. LEASES: LibvirtHost. Errors: NETWORK, DUPLICATE.
 */
gboolean libvirt_choose(const GPtrArray *views, const GPtrArray *leases,
                        const LibvirtRequest *request, VmAddress *address, GError **error);
/* The first of REQUEST's names that a network can have and that no other MAC has; NULL if none. */
const char *libvirt_choose_name(const GPtrArray *views, const LibvirtRequest *request);

// SPDX-License-Identifier: Apache-2.0
/*
 * The rules by which vmdock filters what passes through NICs, as nftables takes them. Pure.
 *
 * All of it stands in one table of the family bridge, NIC_FILTER_TABLE, which is nobody else's. It
 * has three chains where packets come by, each with a map from the name of a bridge's port to the
 * chain of that NIC:
 *
 *   spoofing  what arrives from the VM, before anything else has seen it: its own addresses alone
 *   outbound  what arrives from the VM: its security groups
 *   inbound   what is about to leave for the VM, be it from another port or from the host: the same
 *
 * So a packet pays for one look-up, however many NICs there are, and a change of one VM is one
 * transaction that names nobody else's chains and elements. It can be repeated: it brings about
 * what it says whatever was there before.
 */
#pragma once

#include "spec.h"

#define NIC_FILTER_TABLE "vmdock"

/* How answers to what was let pass are known. */
typedef enum {
    NIC_FILTER_CONNTRACK, /* the kernel follows connections through bridges (nf_conntrack_bridge) */
    /*
     * It does not, but shows bridged packets to the rules of IP (br_netfilter), where connections
     * are followed: a second table there, of the family inet, marks those packets, and this one
     * reads the mark. A packet that has not come by there has none and is no answer.
     */
    NIC_FILTER_MARK,
} NicFilterTracking;

/* The bit of the mark; it is cleared before it is set, on packets of bridges alone. */
#define NIC_FILTER_MARK_BIT 0x20000000

/*
 * Whether the NICs can be filtered: UNSUPPORTED for a NIC that is no port of a bridge of the
 * kernel's, SPEC for one without MAC or with a name that nftables would take for something else.
 */
gboolean nic_filter_check(const GPtrArray *nics, GError **error);
/* Whether a NIC has rules that need to know connections. */
gboolean nic_filter_tracks(const GPtrArray *nics, VmFilter filter);

/*
 * The transaction, in the form of libnftables-json(5), that filters NICS (VmNic, checked) as FILTER
 * says and no more filters the ports named GONE, which may be NULL.
 */
json_t *nic_filter_rules(const GPtrArray *nics, VmFilter filter, const char *const *gone,
                         NicFilterTracking tracking);
/* The one that takes everything away, whoever's it is. */
json_t *nic_filter_no_rules(void);

/* How an element of a map is told: "spoofing one-42-0". The set of those that NICS have. */
GHashTable *nic_filter_elements(const GPtrArray *nics, VmFilter filter);
/* Those in LISTING, which is what nft -j printed of the table or of all rules; *there tells whether
 * it is there at all. NULL when LISTING is no JSON. */
GHashTable *nic_filter_listed(const char *listing, gboolean *there);
/* The name of the port in such a word. */
const char *nic_filter_port(const char *text);

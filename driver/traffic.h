// SPDX-License-Identifier: Apache-2.0
/*
 * What the VMs' NICs have carried, by the counters of their host ends.
 *
 * Whose a link is stands in its alias (NIC_ALIAS_PREFIX). Only a listing tells that which has
 * everything of each link in it and takes the kernel some microseconds each; the bare counters cost
 * a twentieth of it. So <run>/links keeps the owners by the links' indexes, and links are listed
 * again only when another one is there, or one is not there any more. A link gets its alias a
 * moment after it was made: that a veth is nobody's is believed once it has been so for a minute.
 */
#pragma once

#include "config.h"
#include "netlink.h"

typedef struct {
    guint64 rx,
        tx; /* bytes, as the guest sees them: what the host's end sends the guest receives */
} Traffic;

/* By deploy id, Traffic*; a VM without a link is not in it. That the owners could not be stored is
 * logged and no error. Errors: NETWORK, UNSUPPORTED. */
GHashTable *traffic_read(const Config *config, Netlink *netlink, GError **error);

/*
 * Adds what went through NICs of the engine's, which has the far ends: they are counted in the VMs'
 * sandboxes. Costs nothing where no VM has any; a VM that is just being stopped adds nothing.
 */
void traffic_add_engine(const Config *config, GHashTable *traffic);

/* ---- the parts of it, which touch neither kernel nor files ---- */

GHashTable *traffic_new(void);

/*
 * The owners of one network namespace's links. PLACE, one line, names the namespace so that no
 * other one has the same name, ever: indexes mean nothing elsewhere.
 */
typedef struct LinkOwners LinkOwners;
LinkOwners *link_owners_new(const char *place);
void link_owners_free(LinkOwners *owners);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinkOwners, link_owners_free)

/* What cannot be read, or is of another place, adds nothing. */
void link_owners_parse(LinkOwners *owners, const char *text, gsize length);
gchar *link_owners_format(const LinkOwners *owners);

/* Takes the owner of LINK, as listed at NOW (sample_clock()), and its counters into TRAFFIC; BEFORE
 * may know since when it is nobody's. */
void link_owners_learn(LinkOwners *owners, const LinkOwners *before, const NetlinkLink *link,
                       gint64 now_us, GHashTable *traffic);

/* Sums COUNTERS, all the namespace's NetlinkCounters, into TRAFFIC; FALSE, with nothing done, when
 * the links must be listed for it. */
gboolean link_owners_sum(const LinkOwners *owners, const GArray *counters, gint64 now_us,
                         GHashTable *traffic);

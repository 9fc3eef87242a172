// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic between VMs on one bridge, where the engine has set the FORWARD policy to DROP and
 * bridged traffic passes through it (bridge-nf-call-iptables = 1).
 *
 * What lets it pass is the very chain that OpenNebula's network drivers make for the first security
 * group of a host: "opennebula", reached by bridged traffic alone, ending in ACCEPT. They put the
 * rules of each NIC before that ACCEPT and keep a chain that is there, so none of them is passed
 * by; an accepting rule of vmdock's own would come before theirs. Routed traffic meets the policy
 * as ever. Nothing is done where traffic passes already or where bridged traffic meets no rules.
 *
 * Contract: security groups of OpenNebula 5.x to 7.4.
 */
#pragma once

#include <glib.h>

typedef enum {
    FORWARD_NOT_FILTERED, /* bridged traffic passes no rules of this family */
    FORWARD_PASSES,       /* the rules let it pass */
    FORWARD_HAS_CHAIN,    /* the chain is there and it does not pass: rules that somebody made */
    FORWARD_NEEDS_CHAIN,
} ForwardNeed;

/* By bridge-nf-call-… (-1: not loaded) and `iptables -S`. Pure. */
ForwardNeed setup_forward_need(int bridge_nf, const char *rules);

typedef struct {
    const char *program; /* "iptables", "ip6tables" */
    ForwardNeed need;
} ForwardState;

enum { FORWARD_FAMILIES = 2 };

/* Looks at IPv4 and IPv6, and makes the chain where it is needed unless DRY_RUN. Errors: IO. */
gboolean setup_forward(gboolean dry_run, ForwardState states[FORWARD_FAMILIES], GError **error);

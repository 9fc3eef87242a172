// SPDX-License-Identifier: Apache-2.0
/* What the host's packet filter does to traffic between two VMs on one bridge. Pure. */
#pragma once

#include "autoptr.h"

typedef enum {
    FORWARD_ACCEPTS,
    FORWARD_DROPS,
    FORWARD_UNSURE, /* rules accept some of it, by marks that only a packet shows */
} ForwardVerdict;

/*
 * The fate of the first packet between two ports of BRIDGE that no rule knows by name, by the
 * filter table as `iptables -S` prints it.
 */
ForwardVerdict forward_verdict(const char *rules, const char *bridge);

/*
 * The base chains of `nft -j list ruleset` that drop forwarded traffic by policy and that iptables
 * does not show: "inet filter forward"; gchar*. Only those of the bridge family unless ROUTED.
 */
GPtrArray *forward_nft_drops(const json_t *ruleset, gboolean routed);

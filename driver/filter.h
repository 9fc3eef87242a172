// SPDX-License-Identifier: Apache-2.0
/*
 * What OpenNebula's network drivers have put into the packet filter for a VM's NICs. They take it
 * out themselves after each action that stops a VM; but of a VM that ended by itself the front end
 * deletes the disks, and calls nothing else.
 *
 * Contract: chains "one-<vm>-<nic>-i" and "-o" with the rules that lead to them, and sets of ipset
 * whose names begin with "one-<vm>-<nic>-" (security groups of OpenNebula 5.12 to 7.4).
 */
#pragma once

#include "config.h"

/*
 * The input of iptables-restore --noflush that takes the chains of DEPLOY_ID out of RULES, which is
 * what "iptables -S" printed; NULL when it has none. Pure.
 */
gchar *filter_removal(const char *rules, const char *deploy_id);

/* The names of DEPLOY_ID's sets in NAMES, which is what "ipset list -n" printed. Pure. */
GStrv filter_sets(const char *names, const char *deploy_id);

/*
 * Takes out what is there. No failure: a host without a packet filter has nothing, and a VM goes
 * also when a rule stays; that is logged.
 */
void filter_clear(const Config *config, const char *deploy_id);

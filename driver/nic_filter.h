// SPDX-License-Identifier: Apache-2.0
/*
 * Filtering of what passes through the VMs' NICs, by vmdock itself (not filter.h, which clears
 * what OpenNebula's own drivers have left). What the rules are: nic_filter_rules.h.
 *
 * <run>/filter/<deploy-id> names the ports that may have rules, one a line. It is written before
 * the rules are made and goes after them, so that a host that filters nothing runs no program to
 * find that out, and what a killed action leaves is found. Changes of several VMs go on beside each
 * other.
 *
 * Errors: UNSUPPORTED (nft is not there, the kernel or the bridge cannot do it), SPEC, NETWORK (nft
 * does not end), IO, BUSY. After an error the rules are what they were.
 */
#pragma once

#include "config.h"
#include "spec.h"

/* How far SPEC's NICs are filtered: as far as host and template ask, whichever asks for more. */
VmFilter nic_filter_of(const Config *config, const VmSpec *spec);

/* Whether connections are known by marks (NIC_FILTER_MARK), as far as this host has been asked. */
gboolean nic_filter_marks(const Config *config);

/* The ports of the VM that may have rules; NULL for none. */
GStrv nic_filter_ports(const Config *config, const char *deploy_id);
/* Brings the rules of the VM to what SPEC says. */
gboolean nic_filter_apply(const Config *config, const VmSpec *spec, GError **error);
/* Takes the rules of the VM's ports away, but for those named in PORTS; NULL: all. */
gboolean nic_filter_keep(const Config *config, const char *deploy_id, const char *const *ports,
                         GError **error);

/* The deploy ids of VMs that may have rules; gchar*. */
GPtrArray *nic_filter_owners(const Config *config);

/*
 * The ports that have rules and are neither in PORTS (a set of names) nor any VM's by the files
 * above; gchar*. With REMOVE they lose them, and with the last rule the table goes.
 */
GPtrArray *nic_filter_strays(const Config *config, GHashTable *ports, gboolean remove,
                             GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * NICs on networks of libvirt: such a NIC is a port of the network's bridge, with an address that
 * libvirt has reserved for its MAC, so that libvirt's DHCP gives it to nobody and its DNS knows the
 * VM; and it takes from the network what its own description leaves open (VmNic.learned). The
 * reservation stays until the VM is purged. Errors: those of libvirt.h, each behind its NIC
 * ("NIC 0 (one-42-0): …"), POLICY, SPEC, IO.
 */
#pragma once

#include "libvirt.h"
#include "undo.h"

typedef struct LibvirtJoin LibvirtJoin;

/* Whether SPEC has such a NIC. */
gboolean nic_libvirt_any(const VmSpec *spec);

/* NICs without a MAC get those under which a deploy that broke off has reserved, so that they get
 * its addresses and names too. */
void nic_libvirt_take_macs(const Config *config, VmSpec *spec);

/*
 * Begins to ask libvirt for all such NICs of SPEC, or for NIC alone, beside what the caller does;
 * LAST is the VM's spec of before, or NULL: an address that it had is wished for. UNDO frees what
 * gets reserved. *begun belongs to UNDO, and is NULL where there is nothing to ask. SPEC and CONFIG
 * must outlive UNDO.
 */
gboolean nic_libvirt_begin(const Config *config, VmSpec *spec, VmNic *nic, const VmSpec *last,
                           Undo *undo, LibvirtJoin **begun, GError **error);
/* Waits for the answers, and puts them into SPEC, which has then passed vm_spec_check() again.
 * JOIN may be NULL. */
gboolean nic_libvirt_finish(LibvirtJoin *join, GError **error);
/* Both. */
gboolean nic_libvirt_join(const Config *config, VmSpec *spec, VmNic *nic, const VmSpec *last,
                          Undo *undo, GError **error);

/* SPEC is the VM's for good: what is reserved for other NICs of it is freed. What fails is logged,
 * and left to gc. */
void nic_libvirt_settle(const Config *config, const VmSpec *spec);
/* The VM goes: all that is reserved for it is freed, the same way. */
void nic_libvirt_clear(const Config *config, const char *deploy_id);

/* Pure: what ANSWER gives NIC, which is SPEC's; with DNS its name servers and domain too. */
void nic_libvirt_apply(VmSpec *spec, VmNic *nic, const LibvirtAnswer *answer, gboolean dns);

// SPDX-License-Identifier: Apache-2.0
/*
 * Whether somebody on a NIC's network has an address already that the VM is about to take: asked
 * from the NIC itself, in the sandbox, before the address is on it. Off unless host or template ask
 * for it.
 *
 * Errors: DUPLICATE, with the address and the MAC that answers for it; NETWORK; INTERRUPTED.
 */
#pragma once

#include "config.h"
#include "sandbox.h"
#include "spec.h"

/* How long the addresses of SPEC are looked for, in milliseconds; 0: they are not. */
guint nic_probe_ms(const Config *config, const VmSpec *spec);

/*
 * The addresses of NIC that it does not have yet, VmAddress. *ready tells that it is there, and up:
 * it can be asked from.
 */
GArray *nic_probe_news(Sandbox *sandbox, const VmNic *nic, gboolean *ready, GError **error);

/* Addresses that are looked for at one time. */
typedef struct NicProbe NicProbe;
/* What SPEC's own NICs answer is none. */
NicProbe *nic_probe_new(Sandbox *sandbox, const VmSpec *spec, GError **error);
void nic_probe_free(NicProbe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicProbe, nic_probe_free)
/* ADDRESSES, VmAddress, are looked for from NIC, which is ready. */
gboolean nic_probe_add(NicProbe *probe, const VmNic *nic, const GArray *addresses, GError **error);
/* Looks for them, MS milliseconds and no longer; TRUE when nobody has one. */
gboolean nic_probe_run(NicProbe *probe, guint ms, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * A VM's whole network: sandbox and NICs, brought up to a spec and taken down by deploy id alone.
 * Errors: those of sandbox.h and nic.h.
 */
#pragma once

#include "host.h"
#include "sandbox.h"
#include "undo.h"

/*
 * Brings sandbox and NICs to what SPEC says. Addresses that are new to the VM are looked for
 * before, where that is asked for (nic_probe.h): DUPLICATE for one that is another machine's. What
 * this call makes is pushed on UNDO; HOST and SPEC must outlive it. NICs of an earlier spec are
 * removed.
 */
Sandbox *network_up(Host *host, const VmSpec *spec, Undo *undo, GError **error);
/* One NIC of SPEC alone, in a sandbox that is there: made, or brought to what NIC says. The rules
 * of all its NICs are brought to what SPEC says. */
gboolean network_plug(Host *host, const VmSpec *spec, const VmNic *nic, Sandbox *sandbox,
                      Undo *undo, GError **error);
/* Removes the VM's NICs that SPEC has not, and their rules; fine where there is no sandbox. */
gboolean network_trim(Host *host, const VmSpec *spec, GError **error);
/* For NICs that are gone: the rules of all but SPEC's go too. What fails is logged. */
void network_unfilter_others(Host *host, const VmSpec *spec);
/* For an undo: network_up() to what SPEC said before, to stay; no address is looked for. */
gboolean network_restore(Host *host, const VmSpec *spec, GError **error);
/*
 * Removes every host end that carries the VM's alias, and the sandbox. Needs no spec: after a crash
 * or a reboot the kernel is asked what is there. Fine if there is nothing.
 */
gboolean network_down(Host *host, const char *deploy_id, GError **error);
/*
 * For a deploy: takes out the ports that an earlier life of the VM has left in a database that
 * outlives it, with the VLAN that they had then.
 */
void network_clear_ports(Host *host, const VmSpec *spec);
/* Ports in such a database that have no link any more: host end -> deploy id, gchar*. */
GHashTable *network_strays(Host *host, GError **error);
/* Takes out those of one VM, whose lock the caller holds. */
gboolean network_clear_strays(Host *host, const char *deploy_id, GError **error);
/* Tells the neighbours where the addresses are; what fails is logged, the VM is up all the same. */
void network_announce(Sandbox *sandbox, const VmSpec *spec);
void network_announce_nic(Sandbox *sandbox, const VmNic *nic);
/* Host end -> deploy id, gchar*, of everything that vmdock made. */
GHashTable *network_host_ends(Host *host, GError **error);
/* The deploy ids that host ends carry as alias; a set of gchar*. */
GHashTable *network_owners(Host *host, GError **error);

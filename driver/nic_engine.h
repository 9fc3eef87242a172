// SPDX-License-Identifier: Apache-2.0
/*
 * NICs on networks of the container engine: bridge, macvlan and attachable overlay ones, by name.
 *
 * The engine has the address, the MAC and the far end of such a NIC. It plugs the near end into the
 * VM's sandbox, which the container joins: by its hook, at each start of the container, and at once
 * when a container that runs is put on a network. There it counts the names of links by itself
 * (eth0, eth1, …, in an order of its own), takes it for a failure when a name, or the default
 * route, is taken, and takes a link away by the name that it once gave it, whoever has that name
 * now. So:
 *
 *   park   before the engine plugs: the VM's other NICs are down and have names out of the way, and
 *          what the engine plugged in before is gone
 *   open   while a container runs: no link has a name that the engine could choose or look for
 *   place  afterwards: each NIC has its own name and its routes, and is up
 *
 * vmdock-runtime has vmdock-plug do the placing, before the container's first instruction, and the
 * parking once more when the container has ended, before the engine looks for its links.
 *
 * Errors: NO_BRIDGE (no such network), DUPLICATE, SPEC, NETWORK, STATE, ENGINE_*, IO.
 */
#pragma once

#include "host.h"
#include "sandbox.h"
#include "undo.h"

/* ---- with the engine (nic_engine.c) ---------------------------------------------------------- */

/*
 * Before a start of the VM's container: brings the networks that the engine has noted for it to
 * what SPEC says, and parks. *plugs tells whether the engine will plug in any.
 */
gboolean nic_engine_prepare(Host *host, const VmSpec *spec, const char *container_id,
                            Sandbox *sandbox, gboolean *plugs, GError **error);
/* After a start: the saved spec gets the addresses that the engine has given. */
gboolean nic_engine_learn(Host *host, const VmSpec *spec, const char *container_id, GError **error);
/*
 * For a start that found an address taken: a copy of SPEC with none of those that the engine has
 * chosen itself; NULL where it has chosen none.
 */
VmSpec *nic_engine_without_learned(const VmSpec *spec);
/* Says which NIC an error of the engine's is about, and what it means. */
void nic_engine_explain(const VmSpec *spec, GError **error);
/*
 * Puts the VM's container, which runs, on those of the engine's networks that SPEC says, and takes
 * it off others; then places, and learns. BEFORE is what it said: UNDO brings that back. All of it
 * must outlive UNDO. Fine, without asking anybody, where neither names one.
 */
gboolean nic_engine_change(Host *host, const VmSpec *spec, const VmSpec *before, Undo *undo,
                           GError **error);

/* An address that the engine has chosen for the VM, of IPv4 where there is one; NULL for none. */
gchar *nic_engine_address(const Config *config, const char *deploy_id);
/* The deploy ids of VMs that have had such a NIC since their sandbox was made; gchar*. */
GPtrArray *nic_engine_owners(const Config *config);
/* Whether this one has. */
gboolean nic_engine_owns(const Config *config, const char *deploy_id);
/* The sandbox is gone. */
gboolean nic_engine_unnote(const Config *config, const char *deploy_id, GError **error);

/* ---- in the sandbox (nic_engine_place.c) ----------------------------------------------------- */

/* The links that the engine has plugged in have this alias, and those that vmdock has, none. */
#define NIC_ENGINE_ALIAS "vmdock:engine"

gboolean nic_engine_park(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error);
gboolean nic_engine_open(Sandbox *sandbox, GError **error);
/* Removes what the engine, which does not find it by its name, has left of ENDPOINT. */
gboolean nic_engine_unplug(Sandbox *sandbox, const EngineEndpoint *endpoint, GError **error);
/* Places, if an action that was killed has left it open. */
gboolean nic_engine_mend(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error);
gboolean nic_engine_place(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error);

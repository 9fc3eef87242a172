// SPDX-License-Identifier: Apache-2.0
/*
 * The host that an action works on: configuration, engine, the host's netlink; the lock of a VM and
 * the rule by which a container is known as one.
 */
#pragma once

#include "config.h"
#include "engine.h"
#include "netlink.h"
#include "spec.h"

typedef struct {
    const Config *config;
    Engine *engine;
    Netlink *netlink; /* opened on first use: host_netlink() */
} Host;

/* CONFIG stays the caller's and must outlive the host. */
Host *host_open(const Config *config, GError **error);
void host_free(Host *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Host, host_free)

Netlink *host_netlink(Host *host, GError **error);

/* A VM, held by one action at a time: <run>/lock/<deploy-id>. */
typedef struct HostLock HostLock;

/*
 * Takes the VM's lock, and settles a swap of its container that was killed (swap.h). Errors: SPEC
 * for what is no deploy id, BUSY, IO, INTERRUPTED; those of swap_settle().
 */
HostLock *host_lock(Host *host, const char *deploy_id, GError **error);
/* What became of an action on the VM: DONE, and ERROR names the VM where it is FALSE. */
gboolean host_about(const char *deploy_id, gboolean done, GError **error);
/* The lock alone, without waiting: NULL without error when somebody holds it. */
HostLock *host_try_lock(const Host *host, const char *deploy_id, GError **error);
/* Frees the VM for others. The lock's file goes with the VM's saved spec, so that a VM that never
 * came to be, or is purged, leaves nothing. */
void host_unlock(HostLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostLock, host_unlock)

/*
 * The VM's container. NULL without error when there is none; STATE when a container of that name
 * is not vmdock's: runtime, cgroup parent, name and label must all agree (an image can bring
 * labels, an operator can give names).
 */
EngineContainer *host_container(Host *host, const char *deploy_id, GError **error);
/* The same, NO_VM when there is none. */
EngineContainer *host_container_needed(Host *host, const char *deploy_id, GError **error);
/* A container that never ran, or whose removal broke off (doomed.h): what an unfinished action
 * left. */
gboolean host_is_leftover(const EngineContainer *container);
/* It runs, frozen or not. */
gboolean host_runs(const EngineContainer *container);
/*
 * Logs how a container ended that once ran and that vmdock has not stopped: a front end that hears
 * of a VM's end from a probe has no place for that in the VM's log.
 */
void host_tell_end(const Host *host, const EngineContainer *container, const char *deploy_id);
/* The rule itself. CONTAINER must come from engine_inspect(). */
gboolean host_owns(const Config *config, const EngineContainer *container, const char *deploy_id);
/* The rule in all but the name: it was made for the VM, and may be put aside now (swap.h). */
gboolean host_made_for(const Config *config, const EngineContainer *container,
                       const char *deploy_id);
/* Removes a container of a VM, and what vmdock-runtime knows of it. Fine if it is not there. */
gboolean host_remove_container(Host *host, const char *container_id, GError **error);

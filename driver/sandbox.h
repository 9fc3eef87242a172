// SPDX-License-Identifier: Apache-2.0
/*
 * The sandbox: a VM's network namespace, by name (/run/netns/<deploy-id>, visible to `ip netns`).
 * It belongs to vmdock, not to the engine, and outlives every restart of the container.
 * Errors: SANDBOX, NETWORK, IO, NO_SPACE.
 */
#pragma once

#include "config.h"
#include "netlink.h"
#include "sysctl.h"

#include <jansson.h>

typedef struct {
    gchar *deploy_id;
    gchar *path;      /* <netns>/<deploy-id> */
    int fd;           /* the namespace */
    Netlink *netlink; /* speaks inside it */
    gboolean created; /* by this call, not found */
} Sandbox;

/*
 * Opens the VM's sandbox, made when it is not there: lo up, IPv6 enabled. (Unprivileged ping and
 * low ports are sysctls that the engine itself sets in the namespace that a container joins.) The
 * directory is made a shared mount as `ip netns` does. A name that is there and is no network
 * namespace (a leftover of a killed run) is replaced.
 */
Sandbox *sandbox_ensure(const Config *config, const char *deploy_id, GError **error);
/*
 * Gives the VM's name back to the namespace that the process PID lives in, when somebody has
 * removed the name or it stands for another: a VM that runs keeps the network that it has.
 */
gboolean sandbox_adopt(const Config *config, const char *deploy_id, gint pid, GError **error);
/* Whether the process PID lives in it; also of one that has ended. */
gboolean sandbox_holds(const Sandbox *sandbox, gint pid);
/* NULL without error when there is none. */
Sandbox *sandbox_open(const Config *config, const char *deploy_id, GError **error);
void sandbox_free(Sandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sandbox, sandbox_free)

/* Unmounts and removes the name; the kernel ends the namespace, and the veths in it, when the last
 * process has left. Fine if it is not there. */
gboolean sandbox_remove(const Config *config, const char *deploy_id, GError **error);

/* The names in the netns directory that are valid deploy ids; gchar*. */
GPtrArray *sandbox_list(const Config *config, GError **error);

/* sysctl_set() for several settings of the sandbox's namespace; the last one has no name. */
gboolean sandbox_sysctls(const Sandbox *sandbox, const Sysctl *settings, GError **error);

/* Runs FUNC with the calling thread, and no other, in the sandbox's namespace. */
typedef gboolean (*SandboxFunc)(gpointer data, GError **error);
gboolean sandbox_run(const Sandbox *sandbox, SandboxFunc func, gpointer data, GError **error);

/*
 * The map that vmdock-runtime reads: <run>/sandbox/<container-id>, JSON, 0600
 *   {"vm": "one-42", "netns": "/run/netns/one-42", "runtime": "/usr/sbin/runc", "keep_hook": false,
 *    "mounts": []}
 * MOUNTS as volumes_mounts() makes them; written before every start, removed with the container.
 * The state directory keeps <state>/container/<container-id> (the deploy id, one line) beside it,
 * so that the runtime can name the VM after a host reboot has emptied the run directory.
 */
gboolean sandbox_map_write(const Config *config, const char *container_id, const Sandbox *sandbox,
                           gboolean keep_hook, const json_t *mounts, GError **error);
/* The deploy id of the VM whose container it is; NULL when vmdock has written none. */
gchar *sandbox_map_vm(const Config *config, const char *container_id);
/* Whether it has been started with the engine's hook, by the map. */
gboolean sandbox_map_keeps_hook(const Config *config, const char *container_id);
/* Hex digits and nothing else, as an engine gives them. Errors: SANDBOX. */
gboolean sandbox_map_check_id(const char *container_id, GError **error);
/* True when vmdock itself has written that the container is the VM's: no engine need be asked. */
gboolean sandbox_map_knows(const Config *config, const char *container_id, const char *deploy_id);
/* Whether vmdock-runtime has made the container that the engine says it has started. */
gboolean sandbox_map_served(const Config *config, const char *container_id);
gboolean sandbox_map_remove(const Config *config, const char *container_id, GError **error);
/* The maps of all containers that vmdock has written to be the VM's: there is none any more. */
gboolean sandbox_map_forget(const Config *config, const char *deploy_id, GError **error);

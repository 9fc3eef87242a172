// SPDX-License-Identifier: Apache-2.0
/*
 * What the methods of vmdock-nova share. The caller is Nova's user, not root: the method's name is
 * the only argument, everything else is the request on stdin, foreign input, and no path is taken
 * from it. doc/nova-protocol.md is the contract.
 */
#pragma once

#include "shim.h"

#include "driver/actions.h"
#include "driver/host.h"
#include "driver/spec_nova.h"

typedef struct {
    const Config *config;
    Host *host;
    json_t *request;
    GString *rest; /* what was read of stdin behind the request's line */
} Nova;

/* The one table of methods: name, function, whether an archive follows the request on stdin. */
#define NOVA_METHODS(X)                                                                            \
    X("attach_interface", nova_attach_interface, FALSE)                                            \
    X("attach_volume", nova_attach_volume, FALSE)                                                  \
    X("console", nova_console, FALSE)                                                              \
    X("destroy", nova_destroy, FALSE)                                                              \
    X("detach_interface", nova_detach_interface, FALSE)                                            \
    X("detach_volume", nova_detach_volume, FALSE)                                                  \
    X("diagnostics", nova_diagnostics, FALSE)                                                      \
    X("events", nova_events, FALSE)                                                                \
    X("extend_volume", nova_extend_volume, FALSE)                                                  \
    X("finish_migration", nova_finish_migration, FALSE)                                            \
    X("image_forget", nova_image_forget, FALSE)                                                    \
    X("image_held", nova_image_held, FALSE)                                                        \
    X("image_keep", nova_image_keep, FALSE)                                                        \
    X("image_load", nova_image_load, TRUE)                                                         \
    X("image_prune", nova_image_prune, FALSE)                                                      \
    X("info", nova_info, FALSE)                                                                    \
    X("list", nova_list, FALSE)                                                                    \
    X("migrate_forget", nova_migrate_forget, FALSE)                                                \
    X("migrate_receive", nova_migrate_receive, TRUE)                                               \
    X("migrate_send", nova_migrate_send, FALSE)                                                    \
    X("pause", nova_pause, FALSE)                                                                  \
    X("power_off", nova_power_off, FALSE)                                                          \
    X("power_on", nova_power_on, FALSE)                                                            \
    X("reboot", nova_reboot, FALSE)                                                                \
    X("renew_network", nova_renew_network, FALSE)                                                  \
    X("rescue", nova_rescue, FALSE)                                                                \
    X("resources", nova_resources, FALSE)                                                          \
    X("resume", nova_resume, FALSE)                                                                \
    X("save", nova_save, FALSE)                                                                    \
    X("set_password", nova_set_password, FALSE)                                                    \
    X("spawn", nova_spawn, FALSE)                                                                  \
    X("suspend", nova_suspend, FALSE)                                                              \
    X("sweep", nova_sweep, FALSE)                                                                  \
    X("unpause", nova_unpause, FALSE)                                                              \
    X("unrescue", nova_unrescue, FALSE)

#define X(name, function, archive) gboolean function(Nova *nova, GError **error);
NOVA_METHODS(X)
#undef X

/* Lets the action end as the request's "limit" says, which doc/nova-protocol.md explains. */
void nova_limit(const json_t *request);
/* One line of JSON on stdout. Takes ANSWER. */
gboolean nova_answer(json_t *answer, GError **error);
/* The deploy id of the request's instance. */
gchar *nova_id(const Nova *nova, GError **error);
/* How a request is read on this host. */
NovaOptions nova_options(const Config *config);
/* The request's spec; of its password there is the hash alone, for it is saved. */
VmSpec *nova_requested_spec(const Nova *nova, GError **error);
/*
 * The VM's last applied spec with the network and the volumes that the request tells, where it
 * tells them. What is done once, to a new container, is no more in it: keys, password and given
 * files.
 */
VmSpec *nova_saved_spec(const Nova *nova, GError **error);
/* What a new VM's disk 0 is made from: the id of an image that Glance gave, or a reference.
 * NO_IMAGE when the first has not been loaded. */
gchar *nova_image_source(const Nova *nova, const VmSpec *spec, GError **error);
/* Takes back what an action that failed has made: Nova's own destroy would do it later, a caller
 * that died cannot. */
void nova_leave_nothing(const Nova *nova, const char *deploy_id);
/* Gives up a disk of the request's instance that has arrived and is used, or never will be. */
void nova_drop_transit(const Nova *nova);
/* Waits until the caller's input ends. */
void nova_await_end(void);
/* Of a request with "wait": says {"plugged": true} when the network is there, and goes on with the
 * caller's next line. Empty for any other. */
DeployHooks nova_hooks(Nova *nova);
/* The word for the state of a VM's container in answers and events: "running", "paused",
 * "suspended", "stopped", "broken". */
const char *nova_state(const Nova *nova, const char *deploy_id, EngineState state);
/* The mark of a VM that was suspended, which to the engine is one that is paused. */
#define NOVA_SUSPENDED "suspended"

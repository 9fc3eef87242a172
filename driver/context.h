// SPDX-License-Identifier: Apache-2.0
/*
 * The context of a VM's container: what the cloud tells the guest, and has done in it.
 *
 * What is told stands in <state>/<deploy-id>/context: context.sh and the files of the context
 * image. The engine mounts that folder read-only at [context] mount_point when the container is
 * created; later it is changed in place, so that a container that runs sees what is new. Folders
 * are 0755 and files 0644 there (0700 and 0600 where the image keeps one from others), behind a
 * state folder that only root enters: a process in the container that is not root may read what it
 * could read of a mounted context image, and no user of the host may.
 *
 * What is done: SSH keys and a password's hash are put into the container's file system before it
 * starts, through the engine, which resolves every path inside the container's root. A start script
 * is run at every boot, in the background.
 */
#pragma once

#include "host.h"

/*
 * Brings the folder to what SPEC and the context image say. *context becomes what is in force: that
 * of SPEC with the values that the image has in clear; NULL when SPEC has none. An image that is
 * not there or cannot be read, and files that it should have and has not, are one warning.
 * Errors: IO, NO_SPACE, INTERRUPTED.
 */
gboolean context_refresh(const Config *config, const VmSpec *spec, VmContext **context,
                         GError **error);

/*
 * Puts keys and password of CONTEXT (NULL = nothing to do) into the container, which need not run.
 * What cannot be put there is a warning, but for one thing: where a password was asked for and the
 * user would keep another one that lets somebody in (STATE, or what the engine said).
 */
gboolean context_apply(Host *host, const VmSpec *spec, const VmContext *context,
                       const char *container_id, GError **error);

/* Puts the files that CONTEXT (NULL = none) gives into a new container. Errors: the engine's, IO.
 */
gboolean context_give(Host *host, const VmContext *context, const char *container_id,
                      GError **error);

/* Gives a container that runs, by its first process, the spec's host name; a failure is a warning.
 */
void context_set_hostname(const VmSpec *spec, gint pid);
/* The same for a container that has just booted, where it was created with another one: every start
 * gives it that one. CONTAINER is what it was before. */
void context_keep_hostname(Host *host, const VmSpec *spec, const EngineContainer *container);

/*
 * Has the start script of SPEC run in the container that has just started, by a process of its own:
 * vmdock-script. What hinders it is a warning.
 */
void context_boot(Host *host, const VmSpec *spec, const char *container_id);
/* What that process does: runs the script, keeps its output in <state>/<deploy-id>/script.log.
 * Errors: those of engine_exec_root(), IO. */
gboolean context_run_script(Host *host, const char *deploy_id, const char *container_id,
                            GError **error);

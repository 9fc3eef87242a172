// SPDX-License-Identifier: Apache-2.0
/*
 * Containers that the engine has lost. One that is killed, or restarted, while it starts a
 * container that outlives it (live-restore) takes the container for stopped when it is back, where
 * containerd has it, or half of it: it cannot be started ("task … already exists"), and what there
 * is of it outlives its removal. So a file stands for as long as a start is under way,
 * <run>/starting/<container id>; who finds it of a container that does not run ends what containerd
 * has of it.
 */
#pragma once

#include "config.h"

#define STRAY_FOLDER "starting"

/* The start of a container begins, and has come to its end. Errors: IO, NO_SPACE. */
gboolean stray_start_begins(const Config *config, const char *container_id, GError **error);
gboolean stray_start_ended(const Config *config, const char *container_id, GError **error);
/* Whether a start of it did not come to its end. */
gboolean stray_suspected(const Config *config, const char *container_id);
/*
 * Ends whatever containerd has of a container whose start did not come to its end, and that the
 * engine says does not run: containerd's process above it (the shim), its processes, its cgroup.
 * Fine if that is nothing; one look for a file where no start broke off. Under the VM's lock.
 * Errors: IO, INTERNAL, INTERRUPTED.
 */
gboolean stray_end(const Config *config, const char *container_id, GError **error);

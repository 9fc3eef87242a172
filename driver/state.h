// SPDX-License-Identifier: Apache-2.0
/*
 * What neither the engine nor the kernel can hold: the last applied spec of a VM,
 * <state>/<deploy-id>/spec.json, 0600, replaced atomically. Errors: IO, NO_SPACE.
 */
#pragma once

#include "config.h"
#include "spec.h"
#include "undo.h"

gboolean state_save(const Config *config, const VmSpec *spec, GError **error);
/* The same, as a step of an action: UNDO brings back what is saved now, readable or not, or that
 * there is nothing. CONFIG must outlive it. */
gboolean state_change(const Config *config, const VmSpec *spec, Undo *undo, GError **error);
/* Brings the saved spec to the disk: what file_sync() is to file_replace(). */
gboolean state_sync(const Config *config, const char *deploy_id, GError **error);
/* NULL without error when there is none. */
VmSpec *state_load(const Config *config, const char *deploy_id, GError **error);
/* The same, STATE when there is none. */
VmSpec *state_load_needed(const Config *config, const char *deploy_id, GError **error);
/* A mark of the VM, by name, that goes with its state folder: set or taken away; fine if it is so
 * already. */
gboolean state_mark(const Config *config, const char *deploy_id, const char *mark, gboolean on,
                    GError **error);
gboolean state_marked(const Config *config, const char *deploy_id, const char *mark);
/* The mark of a VM that an action has stopped: it has not ended by itself. */
#define STATE_STOPPED "stopped"
gboolean state_remove(const Config *config, const char *deploy_id, GError **error);
/* The deploy ids that have a state folder; gchar*. */
GPtrArray *state_list(const Config *config, GError **error);

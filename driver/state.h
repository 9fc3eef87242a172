// SPDX-License-Identifier: Apache-2.0
/*
 * What neither the engine nor the kernel can hold: the last applied spec of a VM,
 * <state>/<deploy-id>/spec.json, 0600, replaced atomically. Errors: IO, NO_SPACE.
 */
#pragma once

#include "config.h"
#include "spec.h"

gboolean state_save(const Config *config, const VmSpec *spec, GError **error);
/* Brings the saved spec to the disk: what file_sync() is to file_replace(). */
gboolean state_sync(const Config *config, const char *deploy_id, GError **error);
/* NULL without error when there is none. */
VmSpec *state_load(const Config *config, const char *deploy_id, GError **error);
/* The same, STATE when there is none. */
VmSpec *state_load_needed(const Config *config, const char *deploy_id, GError **error);
/* The saved spec as it stands in its file, readable as a spec or not, and back into it. */
GBytes *state_read(const Config *config, const char *deploy_id, GError **error);
gboolean state_restore(const Config *config, const char *deploy_id, GBytes *text, GError **error);
gboolean state_remove(const Config *config, const char *deploy_id, GError **error);
/* The deploy ids that have a state folder; gchar*. */
GPtrArray *state_list(const Config *config, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * Rescue: beside a VM that is stopped stands another one, made of another image, which has its NICs
 * and sees its files at [nova] rescue_point. The files are an overlay that vmdock mounts itself
 * from the stopped container's layers, so what is written there is written to the VM's own. Storage
 * drivers that keep no such layers are UNSUPPORTED.
 */
#pragma once

#include "actions.h"

/* "nova-…-rescue": the VM that rescues DEPLOY_ID. */
gchar *rescue_id(const char *deploy_id);
/* TRUE while it is being rescued, by what stands in the state folder alone. */
gboolean rescue_is_on(const Config *config, const char *deploy_id);

/* TRUE where a rescue, ended or not, may have left anything. */
gboolean rescue_has_left(const Config *config, const char *deploy_id);

/*
 * SPEC, whose deploy id is rescue_id(DEPLOY_ID), becomes the rescuing VM; its disk 0 is held
 * already. STATE when the VM runs. When it fails nothing is left of it.
 */
gboolean vm_rescue(Host *host, const char *deploy_id, VmSpec *spec, GError **error);
/* Everything of the rescuing VM goes; fine if there is none. */
gboolean vm_unrescue(Host *host, const char *deploy_id, GError **error);

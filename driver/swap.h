// SPDX-License-Identifier: Apache-2.0
/*
 * Another container in the place of a VM's own. The one that was there is put aside, whole, under
 * the name "<deploy-id>.old" until the new one has proved itself.
 *
 * The engine cannot exchange two containers at once, so <state>/<deploy-id>/swap is there for as
 * long as a swap is under way, and removing it is the moment from which the new one counts. A swap
 * that was killed is settled by the next action that takes the VM's lock: a new container that has
 * been started stays, and any other gives its place back.
 *
 * While the container is put aside its image is held by the name "vmdock/<deploy-id>:old".
 */
#pragma once

#include "host.h"

/* What a killed swap left. Costs one look at the file system when there was none. The caller holds
 * the VM's lock. */
gboolean swap_settle(Host *host, const char *deploy_id, GError **error);

/* One is under way, or was killed. */
gboolean swap_pending(const Host *host, const char *deploy_id);

/* Puts CONTAINER, the VM's, aside. If this fails swap_back() puts it right. */
gboolean swap_begin(Host *host, const char *deploy_id, const EngineContainer *container,
                    GError **error);
/* From here on the new container is the VM's. */
gboolean swap_hold(Host *host, const char *deploy_id, GError **error);
/* Removes what stands in the VM's place and gives it back to the container that was put aside, and
 * the name of disk 0 to its image. */
gboolean swap_back(Host *host, const char *deploy_id, GError **error);

/* The container that is aside; NULL without error when there is none. */
EngineContainer *swap_aside(Host *host, const char *deploy_id, GError **error);
/* Removes the one that is aside, when no swap is under way; fine if there is none. */
gboolean swap_clear(Host *host, const char *deploy_id, GError **error);
/* The deploy id of which NAME is the container that was put aside; NULL if it is none. */
gchar *swap_deploy_id(const char *name);

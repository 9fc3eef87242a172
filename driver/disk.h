// SPDX-License-Identifier: Apache-2.0
/*
 * Disk 0: the image that is the container's root, held on this host by a name of its own,
 * vmdock/<deploy-id>:disk.0, so that nobody's clean-up takes it from under the VM.
 */
#pragma once

#include "host.h"

/* "vmdock/one-42:TAG"; with DISK_ROOT_TAG it is the name that holds disk 0. */
gchar *disk_name(const char *deploy_id, const char *tag);
gchar *disk_root_name(const char *deploy_id);
#define DISK_ROOT_TAG    "disk.0"
/* While the disk is on its way. */
#define DISK_NOW_TAG     DISK_ROOT_TAG "-now"
/* What every such name begins with. */
#define DISK_NAME_PREFIX "vmdock/"

/*
 * The id of disk 0's image, which is made sure to be held: under its name already, else the spec's
 * reference, fetched when the engine does not have it. *gave_name tells whether this call gave the
 * name, or tried to: also beside an error. Errors: NO_IMAGE when the spec names no reference and
 * nothing is held, those of engine_pull().
 */
gchar *disk_root_hold(Host *host, const VmSpec *spec, EnginePullFunc progress, gpointer data,
                      gboolean *gave_name, GError **error);
/* Makes the name stand for IMAGE, an id, from now on. */
gboolean disk_root_set(Host *host, const char *deploy_id, const char *image, GError **error);
/*
 * Gives IMAGE, or any image that the engine has, a further name of the VM's:
 * "vmdock/one-42:<TAG>". And takes one away; fine if it is not there.
 */
gboolean disk_name_give(Host *host, const char *deploy_id, const char *image, const char *tag,
                        GError **error);
gboolean disk_name_take(Host *host, const char *deploy_id, const char *tag, GError **error);
/* Takes every name of the VM away; or, without those of its disks, its snapshots alone. */
gboolean disk_names_release(Host *host, const char *deploy_id, gboolean disks, GError **error);
/* Takes away NAME, one of the VM's, and what else an image that was being made had beside it. */
gboolean disk_name_drop(Host *host, const char *name, GError **error);
/* TRUE for a name of an action that was under way, and is no disk of its own. */
gboolean disk_name_is_draft(const char *name);
/* TRUE for "vmdock/one-42:snap.3", and for what a swap (swap.h) holds. */
gboolean disk_name_is_snapshot(const char *name);
#define DISK_SNAPSHOT_PREFIX "snap."
#define DISK_SWAP_TAG        "old"
/* "vmdock/one-42": what stands before the tag. */
gchar *disk_repository(const char *deploy_id);
/* Gives the name up; fine if it is not held. The image stays while anything else names it. */
gboolean disk_root_release(Host *host, const char *deploy_id, GError **error);
/*
 * The same for what an unfinished deploy left: only where the saved spec's reference names that
 * very image here, so that a deploy gave the name and can give it again. A transfer may hold an
 * image for a VM that is not deployed yet, and what was made of a VM's disk has no other name.
 */
gboolean disk_root_release_fetched(Host *host, const char *deploy_id, GError **error);

// SPDX-License-Identifier: Apache-2.0
/* What transfer.c, transfer_move.c and transfer_snapshot.c share. */
#pragma once

#include "disk.h"
#include "transfer.h"

#define TAG_NOW      DISK_NOW_TAG
#define TAG_SNAPSHOT DISK_ROOT_TAG "-snap."

/* The image that REFERENCE names here; NO_IMAGE with SENTENCE when there is none. */
gchar *transfer_image(Host *host, const char *reference, const char *sentence, GError **error);
/* Gives IMAGE the VM's name TAG. */
gboolean transfer_tag(Host *host, const char *deploy_id, const char *image, const char *tag,
                      GError **error);
/* Takes a name, or the VM's name TAG, away, also after a signal: for what must not stay whatever
 * happened. A failure is logged. */
void transfer_drop(Host *host, const char *deploy_id, const char *name);
void transfer_untag(Host *host, const char *deploy_id, const char *tag);

/* Gives disk 0 as it is the VM's name TAG: a commit of the container where there is one. */
gboolean transfer_take(Host *host, const char *deploy_id, const char *tag, GError **error);

/* Removes the stopped container of an earlier life; STATE when it runs. The container is no more
 * when this returns TRUE. */
gboolean transfer_clear_container(Host *host, const char *deploy_id, GError **error);

/* Runs WORK under the VM's lock and puts the VM's name in front of what went wrong. */
typedef gboolean (*TransferWork)(Host *host, const char *deploy_id, gpointer data, GError **error);
gboolean transfer_locked(Host *host, const char *deploy_id, TransferWork work, gpointer data,
                         GError **error);

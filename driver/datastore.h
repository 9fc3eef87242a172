// SPDX-License-Identifier: Apache-2.0
/*
 * OpenNebula's datastore actions: how images come into a datastore, and go. They run on the front
 * end as the cloud's user, without root and without an engine; registries are reached by skopeo.
 *
 * What makes something takes it back when it fails, and when its report fails: an image that the
 * cloud was not told of is nobody's. datastore_source.h says what becomes of which image.
 *
 * Errors, beside those of the parts: SPEC where the message does not say what the action needs,
 * POLICY for a path that images may not be made from, NO_IMAGE.
 */
#pragma once

#include "config.h"
#include "image_ref.h"
#include "opennebula_datastore.h"

typedef struct {
    const Config *config;
    const DatastoreMessage *message;
    const char *const
        *restricted; /* folders that no image is made from unless SAFE_DIRS has them */
} Datastore;

/* Gets the SOURCE of what was made. */
typedef gboolean (*DatastoreReport)(const char *source, gpointer data, GError **error);

typedef struct {
    guint64 used_mb, total_mb, free_mb;
} DatastoreUsage;

/*
 * The size of the image at PATH in MB, never 0. Of a reference it is what would be transferred: a
 * registry does not tell the unpacked size. Of an archive it is the file's.
 */
gboolean datastore_stat(const Datastore *datastore, guint64 *mb, GError **error);
/* Makes the image from PATH. */
gboolean datastore_cp(const Datastore *datastore, DatastoreReport report, gpointer data,
                      GError **error);
/* Makes it from the SOURCE of another image, which is in PATH. */
gboolean datastore_clone(const Datastore *datastore, DatastoreReport report, gpointer data,
                         GError **error);
/* Makes an empty one; with FORMAT save_as only its name, which a transfer will fill. */
gboolean datastore_mkfs(const Datastore *datastore, DatastoreReport report, gpointer data,
                        GError **error);
/* Removes what of SOURCE is this image's alone; fine if it is gone. */
gboolean datastore_rm(const Datastore *datastore, GError **error);
/* Of the file system that BASE_PATH is on: a registry does not tell how full it is. */
gboolean datastore_monitor(const Datastore *datastore, DatastoreUsage *usage, GError **error);
/* The IMPORT_INFO with which a marketplace takes the image. */
gchar *datastore_export(const Datastore *datastore, GError **error);

/* TARGET_SNAPSHOT becomes the image; flatten removes the snapshots too. */
gboolean datastore_snapshot_revert(const Datastore *datastore, GError **error);
gboolean datastore_snapshot_flatten(const Datastore *datastore, GError **error);
/* Fine if it is not there. */
gboolean datastore_snapshot_delete(const Datastore *datastore, GError **error);

/* For the transfer actions, which have no engine on the front end. */

/* The image NAME of ARCHIVE, a file of docker save, becomes REF. */
gboolean datastore_push(const Datastore *datastore, const char *archive, const char *name,
                        const ImageRef *ref, GError **error);
/* Deletes those tags of REF's repository that begin with PREFIX. */
gboolean datastore_drop_tags(const Datastore *datastore, const ImageRef *ref, const char *prefix,
                             GError **error);
/* The digest that REF has now, if its repository is one that the datastore made for an image; else
 * NULL, as for a registry that does not know it. */
gchar *datastore_own_digest(const Datastore *datastore, const ImageRef *ref, GError **error);
/* Deletes the manifest DIGEST of REF's repository, unless a tag stands for it. */
gboolean datastore_drop_unnamed(const Datastore *datastore, const ImageRef *ref, const char *digest,
                                GError **error);

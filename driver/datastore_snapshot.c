// SPDX-License-Identifier: Apache-2.0
#include "datastore_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static gchar *snapshot_path(const char *path, gint64 id)
{
    return g_strdup_printf("%s.snap/%" G_GINT64_FORMAT, path, id);
}

/* The image's SOURCE, which must be this image's own: nothing else is written to or removed. */
static DatastoreSource *own_source(const DatastoreMessage *message, GError **error)
{
    if (!datastore_need(message->image_id, "IMAGE/ID", error) ||
        !datastore_need(message->source, "IMAGE/SOURCE", error))
        return NULL;
    if (message->snapshot < 0) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                            "the message has no IMAGE/TARGET_SNAPSHOT");
        return NULL;
    }
    g_autoptr(DatastoreSource) source = datastore_source_parse(message->source, error);
    if (!source)
        return NULL;
    if ((source->kind == DATASTORE_SOURCE_ARCHIVE &&
         datastore_file_is_own(source->place, message->base_path, message->image_id)) ||
        (source->kind == DATASTORE_SOURCE_REFERENCE &&
         datastore_repository_is_own(source->ref, message->registry, message->image_id)))
        return g_steal_pointer(&source);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                "image %s lies outside the datastore: it has no snapshots", source->place);
    return NULL;
}

/* ---- files ---------------------------------------------------------------------------------- */

static gboolean revert_file(const Datastore *datastore, const char *path, gint64 id, GError **error)
{
    g_autofree gchar *snapshot = snapshot_path(path, id);
    autofd int from = open(snapshot, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0) {
        vmdock_error_errno(error, errno == ENOENT ? VMDOCK_ERROR_NO_IMAGE : VMDOCK_ERROR_IO, errno,
                           "snapshot %" G_GINT64_FORMAT " of image %s", id, path);
        return FALSE;
    }
    g_autoptr(DatastoreWork) work = datastore_work_new(datastore->message->base_path, error);
    if (!work)
        return FALSE;
    g_autofree gchar *made = g_build_filename(work->folder, "made", NULL);
    if (!datastore_work_take(from, snapshot, made, error) || !file_sync(made, error))
        return FALSE;
    if (rename(made, path) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
    return FALSE;
}

static gboolean delete_file(const Datastore *datastore G_GNUC_UNUSED, const char *path, gint64 id,
                            GError **error)
{
    g_autofree gchar *snapshot = snapshot_path(path, id);
    return file_remove(snapshot, error);
}

/* ---- registries ----------------------------------------------------------------------------- */

/* With a SOURCE that names a digest the image could not become anything else. */
static gboolean revert_tag(const DatastoreSession *session, const ImageRef *ref, gint64 id,
                           GError **error)
{
    if (ref->digest) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "image %s/%s is pinned to a digest: only an image that was made persistent "
                    "can be reverted",
                    ref->registry, ref->repository);
        return FALSE;
    }
    g_autofree gchar *tag = datastore_snapshot_tag(id);
    g_autoptr(DatastoreImage) from = datastore_image_of(session, ref, tag, NULL);
    g_autoptr(DatastoreImage) to = datastore_image_of(session, ref, DATASTORE_TAG, NULL);
    SkopeoImage source = datastore_image_view(from), target = datastore_image_view(to);
    return skopeo_copy(&session->skopeo, &source, &target, NULL, error);
}

/* What TAG stands for, NULL without error when the registry does not have it. */
static gchar *digest_if_there(const DatastoreSession *session, const ImageRef *ref, const char *tag,
                              GError **error)
{
    g_autoptr(GError) failure = NULL;
    gchar *digest = datastore_digest(session, ref, tag, &failure);
    if (failure && !vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE))
        g_propagate_error(error, g_steal_pointer(&failure));
    return digest;
}

/* Whether the image or another snapshot is the same manifest. */
static gboolean is_shared(const DatastoreSession *session, const ImageRef *ref, const char *digest,
                          gint64 id, gboolean *shared, GError **error)
{
    const GArray *snapshots = session->datastore->message->snapshots;
    g_autoptr(GPtrArray) tags = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(tags, g_strdup(DATASTORE_TAG));
    for (guint i = 0; i < snapshots->len; i++)
        if ((gint64)g_array_index(snapshots, guint64, i) != id)
            g_ptr_array_add(tags,
                            datastore_snapshot_tag((gint64)g_array_index(snapshots, guint64, i)));
    *shared = FALSE;
    for (guint i = 0; i < tags->len && !*shared; i++) {
        GError *failure = NULL;
        g_autofree gchar *found = digest_if_there(session, ref, tags->pdata[i], &failure);
        if (failure) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        *shared = g_strcmp0(found, digest) == 0;
    }
    return TRUE;
}

/*
 * A registry deletes a manifest with all the tags it has, so one that the image or another snapshot
 * is too stays, tag and all, until they go.
 */
static gboolean delete_tag(const DatastoreSession *session, const ImageRef *ref, gint64 id,
                           GError **error)
{
    g_autofree gchar *tag = datastore_snapshot_tag(id);
    GError *failure = NULL;
    g_autofree gchar *digest = digest_if_there(session, ref, tag, &failure);
    gboolean shared = FALSE;
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!digest)
        return TRUE;
    if (!is_shared(session, ref, digest, id, &shared, error))
        return FALSE;
    return shared || datastore_delete(session, ref, NULL, digest, error);
}

/* ---- the actions ---------------------------------------------------------------------------- */

typedef gboolean (*OnFile)(const Datastore *datastore, const char *path, gint64 id, GError **error);
typedef gboolean (*OnTag)(const DatastoreSession *session, const ImageRef *ref, gint64 id,
                          GError **error);

static gboolean act(const Datastore *datastore, gint64 id, OnFile on_file, OnTag on_tag,
                    GError **error)
{
    g_autoptr(DatastoreSource) source = own_source(datastore->message, error);
    if (!source)
        return FALSE;
    if (source->kind == DATASTORE_SOURCE_ARCHIVE)
        return on_file(datastore, source->place, id, error);
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    return session && on_tag(session, source->ref, id, error);
}

gboolean datastore_snapshot_revert(const Datastore *datastore, GError **error)
{
    return act(datastore, datastore->message->snapshot, revert_file, revert_tag, error);
}

gboolean datastore_snapshot_delete(const Datastore *datastore, GError **error)
{
    return act(datastore, datastore->message->snapshot, delete_file, delete_tag, error);
}

gboolean datastore_snapshot_flatten(const Datastore *datastore, GError **error)
{
    const GArray *snapshots = datastore->message->snapshots;
    if (!datastore_snapshot_revert(datastore, error))
        return FALSE;
    for (guint i = 0; i < snapshots->len; i++)
        if (!act(datastore, (gint64)g_array_index(snapshots, guint64, i), delete_file, delete_tag,
                 error))
            return FALSE;
    return TRUE;
}

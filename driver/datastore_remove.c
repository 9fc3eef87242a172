// SPDX-License-Identifier: Apache-2.0
#include "datastore_private.h"

#include "error.h"
#include "file.h"

gboolean datastore_delete(const DatastoreSession *session, const ImageRef *ref, const char *tag,
                          const char *digest, GError **error)
{
    g_autoptr(DatastoreImage) image = datastore_image_of(session, ref, tag, digest);
    SkopeoImage view = datastore_image_view(image);
    return skopeo_delete(&session->skopeo, &view, error);
}

/* A manifest goes with all its tags, so what two of them name is deleted once, and gone then. */
static gboolean remove_repository(const Datastore *datastore, const ImageRef *ref, GError **error)
{
    const GArray *snapshots = datastore->message->snapshots;
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    if (!session)
        return FALSE;
    for (guint i = 0; i < snapshots->len; i++) {
        g_autofree gchar *tag =
            datastore_snapshot_tag((gint64)g_array_index(snapshots, guint64, i));
        if (!datastore_delete(session, ref, tag, NULL, error))
            return FALSE;
    }
    return datastore_delete(session, ref, DATASTORE_TAG, NULL, error) &&
           (!ref->digest || datastore_delete(session, ref, NULL, ref->digest, error));
}

static gboolean remove_file(const char *path, GError **error)
{
    g_autofree gchar *snapshots = datastore_snapshot_folder(path);
    return file_remove_tree(snapshots, error) && file_remove(path, error);
}

gboolean datastore_rm(const Datastore *datastore, GError **error)
{
    const DatastoreMessage *message = datastore->message;
    if (!datastore_need(message->image_id, "IMAGE/ID", error))
        return FALSE;
    /* An image that failed to be made has none. */
    if (!message->source)
        return TRUE;
    g_autoptr(DatastoreSource) source = datastore_source_parse(message->source, error);
    if (!source)
        return FALSE;
    if (source->kind == DATASTORE_SOURCE_ARCHIVE &&
        datastore_file_is_own(source->place, message->base_path, message->image_id))
        return remove_file(source->place, error);
    if (source->kind == DATASTORE_SOURCE_REFERENCE &&
        datastore_repository_is_own(source->ref, message->registry, message->image_id))
        return remove_repository(datastore, source->ref, error);
    return TRUE;
}

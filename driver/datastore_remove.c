// SPDX-License-Identifier: Apache-2.0
#include "datastore_private.h"

#include "error.h"
#include "file.h"

#include <string.h>

gboolean datastore_delete(const DatastoreSession *session, const ImageRef *ref, const char *tag,
                          const char *digest, GError **error)
{
    g_autoptr(DatastoreImage) image = datastore_image_of(session, ref, tag, digest);
    SkopeoImage view = datastore_image_view(image);
    return skopeo_delete(&session->skopeo, &view, error);
}

GStrv datastore_tags(const DatastoreSession *session, const ImageRef *ref, GError **error)
{
    g_autoptr(DatastoreImage) image = datastore_image_of(session, ref, DATASTORE_TAG, NULL);
    g_autofree gchar *repository =
        g_strndup(image->name, (gsize)(strrchr(image->name, ':') - image->name));
    SkopeoImage view = {repository, image->label, image->insecure};
    return skopeo_tags(&session->skopeo, &view, error);
}

/* Those that the datastore's actions make. */
static GStrv known_tags(const DatastoreMessage *message)
{
    g_autoptr(GStrvBuilder) tags = g_strv_builder_new();
    for (guint i = 0; i < message->snapshots->len; i++) {
        g_autofree gchar *tag =
            datastore_snapshot_tag((gint64)g_array_index(message->snapshots, guint64, i));
        g_strv_builder_add(tags, tag);
    }
    g_strv_builder_add(tags, DATASTORE_TAG);
    return g_strv_builder_end(tags);
}

/* A registry that lists none may have no such repository, or no lists. */
static GStrv tags_of(const DatastoreSession *session, const ImageRef *ref, GError **error)
{
    g_auto(GStrv) tags = datastore_tags(session, ref, error);
    return !tags || *tags ? g_steal_pointer(&tags) : known_tags(session->datastore->message);
}

/* The repository is this image's alone, so all its tags go, also those of snapshots that the cloud
 * knows no more. A manifest goes with all its tags: what two name is deleted once, and gone then.
 */
static gboolean remove_repository(const Datastore *datastore, const ImageRef *ref, GError **error)
{
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    g_auto(GStrv) tags = session ? tags_of(session, ref, error) : NULL;
    for (gsize i = 0; tags && tags[i]; i++)
        if (!datastore_delete(session, ref, tags[i], NULL, error))
            return FALSE;
    return tags && (!ref->digest || datastore_delete(session, ref, NULL, ref->digest, error));
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

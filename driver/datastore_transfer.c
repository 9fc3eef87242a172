// SPDX-License-Identifier: Apache-2.0
/* What transfer actions do in a datastore's registries, where they have no engine to do it. */
#include "datastore_private.h"

#include "error.h"

#include <string.h>

gboolean datastore_push(const Datastore *datastore, const char *archive, const char *name,
                        const ImageRef *ref, GError **error)
{
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    if (!session)
        return FALSE;
    g_autofree gchar *from_name = g_strconcat(DATASTORE_ARCHIVE_SCHEME, archive, ":", name, NULL);
    g_autoptr(DatastoreImage) from = datastore_image_new(from_name, name);
    g_autoptr(DatastoreImage) to = datastore_image_of(session, ref, NULL, NULL);
    SkopeoImage source = datastore_image_view(from), target = datastore_image_view(to);
    return skopeo_copy(&session->skopeo, &source, &target, NULL, error);
}

gboolean datastore_drop_tags(const Datastore *datastore, const ImageRef *ref, const char *prefix,
                             GError **error)
{
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    g_auto(GStrv) tags = session ? datastore_tags(session, ref, error) : NULL;
    for (gsize i = 0; tags && tags[i]; i++)
        if (g_str_has_prefix(tags[i], prefix) &&
            !datastore_delete(session, ref, tags[i], NULL, error))
            return FALSE;
    return tags != NULL;
}

gchar *datastore_own_digest(const Datastore *datastore, const ImageRef *ref, GError **error)
{
    const char *registry = datastore->message->registry;
    if (g_strcmp0(ref->tag, DATASTORE_TAG) != 0 || !registry ||
        !datastore_repository_is_own(ref, registry, NULL))
        return NULL;
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    return session ? datastore_digest(session, ref, NULL, error) : NULL;
}

gboolean datastore_drop_unnamed(const Datastore *datastore, const ImageRef *ref, const char *digest,
                                GError **error)
{
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    g_auto(GStrv) tags = session ? datastore_tags(session, ref, error) : NULL;
    if (!tags)
        return FALSE;
    for (gsize i = 0; tags[i]; i++) {
        g_autofree gchar *now = datastore_digest(session, ref, tags[i], error);
        if (!now || strcmp(now, digest) == 0)
            return now != NULL;
    }
    return datastore_delete(session, ref, NULL, digest, error);
}

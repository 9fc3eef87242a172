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

// SPDX-License-Identifier: Apache-2.0
#include "datastore_private.h"

#include "error.h"
#include "file.h"

#include <errno.h>
#include <stdio.h>

/* ---- taking back ---------------------------------------------------------------------------- */

typedef struct {
    DatastoreSession *session;
    DatastoreImage *image;
    gboolean is_there; /* the copy has succeeded */
} Pushed;

/*
 * A copy writes the manifest last. One that failed has mostly written none, and the reason for
 * which it failed keeps the deletion from succeeding too: that is no news.
 */
static gboolean unpush(gpointer data, GError **error)
{
    const Pushed *pushed = data;
    SkopeoImage view = datastore_image_view(pushed->image);
    return skopeo_delete(&pushed->session->skopeo, &view, pushed->is_there ? error : NULL) ||
           !pushed->is_there;
}

static void pushed_free(gpointer data)
{
    Pushed *pushed = data;
    datastore_image_free(pushed->image);
    g_free(pushed);
}

static gboolean unlink_file(gpointer data, GError **error)
{
    return file_remove(data, error);
}

/* ---- the three places an image can be in ---------------------------------------------------- */

/* A reference that stays where it is: its SOURCE names the manifest that is there now. */
static gchar *pin(DatastoreSession *session, const ImageRef *ref, GError **error)
{
    g_autofree gchar *digest = datastore_digest(session, ref, NULL, error);
    return digest ? datastore_reference(ref, NULL, digest) : NULL;
}

/*
 * An image that its VMs write to keeps its tag: what is written to it has another digest. The undo
 * comes first, because a copy that fails may have written.
 */
static gchar *push(DatastoreSession *session, const DatastoreImage *from, Undo *undo,
                   GError **error)
{
    const DatastoreMessage *message = session->datastore->message;
    g_autofree gchar *name = datastore_name_new(message->image_id);
    g_autoptr(ImageRef) ref = datastore_repository(message->registry, name, error);
    if (!ref)
        return NULL;
    g_autoptr(DatastoreImage) to = datastore_image_of(session, ref, DATASTORE_TAG, NULL);
    Pushed *pushed = g_new0(Pushed, 1);
    pushed->session = session;
    pushed->image = datastore_image_of(session, ref, DATASTORE_TAG, NULL);
    undo_push(undo, "the image in the registry", unpush, pushed, pushed_free);
    SkopeoImage source = datastore_image_view(from), target = datastore_image_view(to);
    g_autofree gchar *digest = NULL;
    if (!skopeo_copy(&session->skopeo, &source, &target, &digest, error)) {
        g_prefix_error(error, "registry %s: ", message->registry);
        return NULL;
    }
    pushed->is_there = TRUE;
    return datastore_reference(ref, DATASTORE_TAG, message->persistent ? NULL : digest);
}

/* Through skopeo, which checks every layer, and leaves out names that would be taken on a node. */
static gchar *keep(DatastoreSession *session, const DatastoreImage *from, Undo *undo,
                   GError **error)
{
    const DatastoreMessage *message = session->datastore->message;
    g_autofree gchar *made = g_build_filename(session->work->folder, "made", NULL);
    g_autofree gchar *to_name = g_strconcat(DATASTORE_ARCHIVE_SCHEME, made, NULL);
    g_autoptr(DatastoreImage) to = datastore_image_new(to_name, made);
    SkopeoImage source = datastore_image_view(from), target = datastore_image_view(to);
    g_autofree gchar *name = datastore_name_new(message->image_id);
    g_autofree gchar *path = g_build_filename(message->base_path, name, NULL);
    if (!skopeo_copy(&session->skopeo, &source, &target, NULL, error) || !file_sync(made, error))
        return NULL;
    if (rename(made, path) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
        return NULL;
    }
    undo_push(undo, "the image's file", unlink_file, g_strdup(path), g_free);
    return g_strconcat(DATASTORE_ARCHIVE_SCHEME, path, NULL);
}

static gchar *store(DatastoreSession *session, const DatastoreImage *from, Undo *undo,
                    GError **error)
{
    return session->datastore->message->registry ? push(session, from, undo, error)
                                                 : keep(session, from, undo, error);
}

/* ---- the actions ---------------------------------------------------------------------------- */

static gboolean tell(gchar *source, Undo *undo, DatastoreReport report, gpointer data,
                     GError **error)
{
    g_autofree gchar *text = source;
    if (!text || !report(text, data, error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

static gboolean make_from(const Datastore *datastore, const DatastoreSource *source,
                          DatastoreReport report, gpointer data, GError **error)
{
    const DatastoreMessage *message = datastore->message;
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    if (!session)
        return FALSE;
    g_autoptr(Undo) undo = undo_new();
    gboolean stays =
        source->kind == DATASTORE_SOURCE_REFERENCE && !message->registry && !message->persistent;
    if (stays)
        return tell(pin(session, source->ref, error), undo, report, data, error);
    g_autoptr(DatastoreImage) from = datastore_fetch(session, source, error);
    return from && tell(store(session, from, undo, error), undo, report, data, error);
}

/* Where the image that the message is about comes from. */
static DatastoreSource *source_of(const DatastoreMessage *message, GError **error)
{
    return datastore_need(message->image_id, "IMAGE/ID", error) &&
                   datastore_need(message->path, "IMAGE/PATH", error)
               ? datastore_source_parse(message->path, error)
               : NULL;
}

gboolean datastore_cp(const Datastore *datastore, DatastoreReport report, gpointer data,
                      GError **error)
{
    g_autoptr(DatastoreSource) source = source_of(datastore->message, error);
    if (!source)
        return FALSE;
    /* What another image lies in is nobody's PATH: only clone is given it, by the cloud itself. */
    if (source->kind == DATASTORE_SOURCE_ARCHIVE)
        source->kind = DATASTORE_SOURCE_FILE;
    return make_from(datastore, source, report, data, error);
}

gboolean datastore_clone(const Datastore *datastore, DatastoreReport report, gpointer data,
                         GError **error)
{
    g_autoptr(DatastoreSource) source = source_of(datastore->message, error);
    if (!source)
        return FALSE;
    if (source->kind != DATASTORE_SOURCE_FILE && source->kind != DATASTORE_SOURCE_URL)
        return make_from(datastore, source, report, data, error);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "%s is no image of this kind of datastore",
                source->place);
    return FALSE;
}

/* The name alone: a transfer fills it. */
static gchar *name_only(const DatastoreMessage *message, GError **error)
{
    g_autofree gchar *name = datastore_name_new(message->image_id);
    if (!message->registry)
        return g_strconcat(DATASTORE_ARCHIVE_SCHEME, message->base_path, "/", name, NULL);
    g_autoptr(ImageRef) ref = datastore_repository(message->registry, name, error);
    return ref ? datastore_reference(ref, DATASTORE_TAG, NULL) : NULL;
}

gboolean datastore_mkfs(const Datastore *datastore, DatastoreReport report, gpointer data,
                        GError **error)
{
    const DatastoreMessage *message = datastore->message;
    if (!datastore_need(message->image_id, "IMAGE/ID", error))
        return FALSE;
    g_autoptr(DatastoreSession) session = NULL;
    g_autoptr(Undo) undo = undo_new();
    if (g_strcmp0(message->format, "save_as") == 0)
        return tell(name_only(message, error), undo, report, data, error);
    session = datastore_session_new(datastore, error);
    g_autoptr(DatastoreImage) from = session ? datastore_fetch_empty(session, error) : NULL;
    return from && tell(store(session, from, undo, error), undo, report, data, error);
}

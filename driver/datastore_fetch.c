// SPDX-License-Identifier: Apache-2.0
#include "datastore_private.h"

#include "autoptr.h"
#include "download.h"
#include "error.h"
#include "file.h"
#include "image_empty.h"
#include "image_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { ARCHIVE_MODE = 0640 };

/* Where the file that FD holds really is: what was opened, not what the name means later. */
static gchar *real_path(int fd, const char *place, GError **error)
{
    g_autofree gchar *link = g_strdup_printf("/proc/self/fd/%d", fd);
    gchar *path = g_file_read_link(link, NULL);
    if (!path)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "cannot tell where %s is", place);
    return path;
}

static gboolean check_place(const Datastore *datastore, const DatastoreSource *source,
                            const char *path, GError **error)
{
    const DatastoreMessage *message = datastore->message;
    if (source->kind == DATASTORE_SOURCE_ARCHIVE) {
        if (datastore_file_is_image(source->place, message->base_path))
            return TRUE;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY, "%s is no image of a datastore",
                    source->place);
        return FALSE;
    }
    if (datastore_path_allowed(path, (const char *const *)message->safe,
                               (const char *const *)message->restricted, datastore->restricted))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                "not allowed to make an image from %s: see RESTRICTED_DIRS and SAFE_DIRS of the "
                "datastore",
                source->place);
    return FALSE;
}

static gboolean check_kind(int fd, const char *place, GError **error)
{
    struct stat status;
    const char *fault = NULL;
    if (fstat(fd, &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", place);
        return FALSE;
    }
    if (!S_ISREG(status.st_mode))
        fault = "is no regular file";
    else if (status.st_size == 0)
        fault = "is empty";
    if (fault)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE, "%s %s", place, fault);
    return fault == NULL;
}

int datastore_open_file(const Datastore *datastore, const DatastoreSource *source, GError **error)
{
    const char *place = source->place;
    /* The datastore's own files are no links; a user's may be, and where they lead is checked. */
    int links = source->kind == DATASTORE_SOURCE_ARCHIVE ? O_NOFOLLOW : 0;
    autofd int fd = open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | links);
    if (fd < 0) {
        vmdock_error_errno(error, errno == ENOENT ? VMDOCK_ERROR_NO_IMAGE : VMDOCK_ERROR_IO, errno,
                           "cannot read %s", place);
        return -1;
    }
    g_autofree gchar *path = real_path(fd, place, error);
    if (!path || !check_place(datastore, source, path, error) || !check_kind(fd, place, error))
        return -1;
    return steal_fd(&fd);
}

/*
 * An archive is of docker save or of OCI; skopeo tells when it can read one. What it says of the
 * first form is what counts when it can read neither.
 */
static DatastoreImage *archive_image(DatastoreSession *session, const char *path, const char *label,
                                     GError **error)
{
    static const char *const schemes[] = {DATASTORE_ARCHIVE_SCHEME, "oci-archive:"};
    g_autoptr(GError) first = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
        g_autofree gchar *name = g_strconcat(schemes[i], path, NULL);
        g_autoptr(DatastoreImage) image = datastore_image_new(name, label);
        SkopeoImage view = datastore_image_view(image);
        gsize length = 0;
        g_autofree gchar *manifest =
            skopeo_manifest(&session->skopeo, &view, &length, first ? NULL : &first);
        if (manifest)
            return g_steal_pointer(&image);
        if (!vmdock_error_is(first, VMDOCK_ERROR_REGISTRY))
            break;
    }
    if (vmdock_error_is(first, VMDOCK_ERROR_REGISTRY))
        first->code = VMDOCK_ERROR_NO_IMAGE;
    g_propagate_prefixed_error(error, g_steal_pointer(&first),
                               "no archive of docker save or OCI: ");
    return NULL;
}

static gboolean download(DatastoreSession *session, const char *url, const char *path,
                         GError **error)
{
    g_autofree gchar *packed = g_strconcat(path, ".download", NULL);
    autofd int fd = open(packed, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, ARCHIVE_MODE);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", packed);
        return FALSE;
    }
    return download_to(session->datastore->config, url, fd, error) &&
           check_kind(fd, "what the URL holds", error) &&
           datastore_work_take(fd, "the download", path, error) && file_remove(packed, error);
}

DatastoreImage *datastore_fetch(DatastoreSession *session, const DatastoreSource *source,
                                GError **error)
{
    if (source->kind == DATASTORE_SOURCE_REFERENCE)
        return datastore_image_of(session, source->ref, NULL, NULL);
    g_autofree gchar *path = g_build_filename(session->work->folder, "image", NULL);
    if (source->kind == DATASTORE_SOURCE_URL) {
        if (!download(session, source->place, path, error))
            return NULL;
    } else {
        autofd int fd = datastore_open_file(session->datastore, source, error);
        if (fd < 0 || !datastore_work_take(fd, source->place, path, error))
            return NULL;
    }
    return archive_image(session, path, source->place, error);
}

DatastoreImage *datastore_fetch_empty(DatastoreSession *session, GError **error)
{
    g_autofree gchar *path = g_build_filename(session->work->folder, "image", NULL);
    g_autofree gchar *name = g_strconcat(DATASTORE_ARCHIVE_SCHEME, path, NULL);
    g_autoptr(GByteArray) archive = image_empty_archive(image_architecture());
    if (!file_replace(path, (const char *)archive->data, archive->len, ARCHIVE_MODE, error))
        return NULL;
    return datastore_image_new(name, "the empty image");
}

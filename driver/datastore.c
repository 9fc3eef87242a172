// SPDX-License-Identifier: Apache-2.0
#include "datastore_private.h"

#include "autoptr.h"
#include "credentials.h"
#include "download.h"
#include "error.h"
#include "file.h"
#include "image_manifest.h"

#include <errno.h>
#include <libxml/tree.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { BASE_MODE = 0750, AUTH_MODE = 0600, PIECE = 256 * 1024, MAX_SHOWN = 120 };

gboolean datastore_need(const char *text, const char *element, GError **error)
{
    if (!text)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "the message has no %s", element);
    return text != NULL;
}

/* ---- the session ---------------------------------------------------------------------------- */

/* Without a file of ours skopeo would look for one in the account's own places. */
static gboolean take_credentials(DatastoreSession *session, const char *folder, GError **error)
{
    g_autofree gchar *own = g_build_filename(folder, "auth.json", NULL);
    g_autoptr(GError) failure = NULL;
    if (credentials_usable(own, &failure)) {
        session->auth = g_steal_pointer(&own);
        return TRUE;
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    session->auth = g_build_filename(session->work->folder, "auth.json", NULL);
    return file_replace(session->auth, "{}", -1, AUTH_MODE, error);
}

static void take_certificates(DatastoreSession *session, const char *folder)
{
    g_autofree gchar *authority = g_build_filename(folder, "ca.crt", NULL);
    if (g_file_test(authority, G_FILE_TEST_EXISTS))
        session->cert_dir = g_strdup(folder);
}

DatastoreSession *datastore_session_new(const Datastore *datastore, GError **error)
{
    const DatastoreMessage *message = datastore->message;
    g_autofree gchar *folder =
        g_build_filename(datastore->config->datastore_credentials, message->id, NULL);
    g_autoptr(DatastoreSession) session = g_new0(DatastoreSession, 1);
    session->datastore = datastore;
    session->work = datastore_work_new(message->base_path, error);
    if (!session->work || !take_credentials(session, folder, error))
        return NULL;
    take_certificates(session, folder);
    session->skopeo = (Skopeo){.config = datastore->config,
                               .work = session->work->folder,
                               .auth = session->auth,
                               .cert_dir = session->cert_dir};
    return g_steal_pointer(&session);
}

void datastore_session_free(DatastoreSession *session)
{
    if (!session)
        return;
    datastore_work_free(session->work);
    g_free(session->auth);
    g_free(session->cert_dir);
    g_free(session);
}

/* ---- images --------------------------------------------------------------------------------- */

DatastoreImage *datastore_image_new(const char *name, const char *label)
{
    DatastoreImage *image = g_new0(DatastoreImage, 1);
    image->name = g_strdup(name);
    image->label = vmdock_one_line(label, MAX_SHOWN);
    return image;
}

DatastoreImage *datastore_image_of(const DatastoreSession *session, const ImageRef *ref,
                                   const char *tag, const char *digest)
{
    g_autofree gchar *name = datastore_reference(ref, tag, digest);
    DatastoreImage *image = datastore_image_new(name, name + strlen("docker://"));
    image->insecure = datastore_is_insecure(session->datastore->message, ref->registry);
    return image;
}

SkopeoImage datastore_image_view(const DatastoreImage *image)
{
    return (SkopeoImage){.name = image->name, .label = image->label, .insecure = image->insecure};
}

void datastore_image_free(DatastoreImage *image)
{
    if (!image)
        return;
    g_free(image->name);
    g_free(image->label);
    g_free(image);
}

gchar *datastore_digest(const DatastoreSession *session, const ImageRef *ref, const char *tag,
                        GError **error)
{
    g_autoptr(DatastoreImage) image = datastore_image_of(session, ref, tag, NULL);
    SkopeoImage view = datastore_image_view(image);
    gsize length = 0;
    g_autofree gchar *manifest = skopeo_manifest(&session->skopeo, &view, &length, error);
    return manifest ? image_manifest_digest(manifest, length) : NULL;
}

/* ---- stat ----------------------------------------------------------------------------------- */

static gboolean manifest_size(const DatastoreSession *session, const ImageRef *ref,
                              const char *digest, guint64 *bytes, gchar **platform, GError **error)
{
    g_autoptr(DatastoreImage) image = datastore_image_of(session, ref, NULL, digest);
    SkopeoImage view = datastore_image_view(image);
    gsize length = 0;
    g_autofree gchar *manifest = skopeo_manifest(&session->skopeo, &view, &length, error);
    if (!manifest)
        return FALSE;
    if (image_manifest_parse(manifest, length, image_architecture(), bytes, platform, error))
        return TRUE;
    g_prefix_error(error, "image %s: ", image->label);
    return FALSE;
}

static gboolean reference_size(const Datastore *datastore, const ImageRef *ref, guint64 *bytes,
                               GError **error)
{
    g_autoptr(DatastoreSession) session = datastore_session_new(datastore, error);
    g_autofree gchar *platform = NULL;
    g_autofree gchar *deeper = NULL;
    if (!session || !manifest_size(session, ref, NULL, bytes, &platform, error))
        return FALSE;
    if (!platform)
        return TRUE;
    if (!manifest_size(session, ref, platform, bytes, &deeper, error))
        return FALSE;
    if (deeper)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY,
                    "image %s/%s: its manifest lists a list", ref->registry, ref->repository);
    return deeper == NULL;
}

static gboolean file_size(const Datastore *datastore, const DatastoreSource *source, guint64 *bytes,
                          GError **error)
{
    autofd int fd = datastore_open_file(datastore, source, error);
    struct stat status;
    if (fd < 0)
        return FALSE;
    if (fstat(fd, &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", source->place);
        return FALSE;
    }
    *bytes = (guint64)status.st_size;
    return TRUE;
}

gboolean datastore_stat(const Datastore *datastore, guint64 *mb, GError **error)
{
    if (!datastore_need(datastore->message->path, "IMAGE/PATH", error))
        return FALSE;
    g_autoptr(DatastoreSource) source = datastore_source_parse(datastore->message->path, error);
    guint64 bytes = 0;
    gboolean fine = FALSE;
    if (!source)
        return FALSE;
    switch (source->kind) {
    case DATASTORE_SOURCE_REFERENCE:
        fine = reference_size(datastore, source->ref, &bytes, error);
        break;
    case DATASTORE_SOURCE_URL:
        fine = download_size(datastore->config, source->place, &bytes, error);
        break;
    case DATASTORE_SOURCE_FILE:
    case DATASTORE_SOURCE_ARCHIVE:
        fine = file_size(datastore, source, &bytes, error);
        break;
    }
    *mb = datastore_megabytes(bytes);
    return fine;
}

/* ---- monitor -------------------------------------------------------------------------------- */

gboolean datastore_monitor(const Datastore *datastore, DatastoreUsage *usage, GError **error)
{
    const char *path = datastore->message->base_path;
    struct statvfs fs;
    if (!file_make_folder(path, BASE_MODE, error))
        return FALSE;
    if (statvfs(path, &fs) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at %s", path);
        return FALSE;
    }
    const guint64 mb = G_GUINT64_CONSTANT(1024) * 1024;
    usage->total_mb = fs.f_blocks * fs.f_frsize / mb;
    usage->free_mb = fs.f_bavail * fs.f_frsize / mb;
    usage->used_mb = (fs.f_blocks - fs.f_bfree) * fs.f_frsize / mb;
    return TRUE;
}

/* ---- export --------------------------------------------------------------------------------- */

static gchar *md5_of(int fd, const char *label, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    g_autofree guchar *piece = g_malloc(PIECE);
    for (ssize_t n; (n = read(fd, piece, PIECE)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", label);
            return NULL;
        }
        g_checksum_update(sum, piece, n);
    }
    return g_strdup(g_checksum_get_string(sum));
}

static void add_element(xmlNode *parent, const char *name, const char *text)
{
    xmlNewTextChild(parent, NULL, (const xmlChar *)name, (const xmlChar *)text);
}

static gchar *import_info(const char *source, const char *md5, guint64 size_mb)
{
    g_autofree gchar *size = g_strdup_printf("%" G_GUINT64_FORMAT, size_mb);
    xmlNode *info = xmlNewNode(NULL, (const xmlChar *)"IMPORT_INFO");
    add_element(info, "IMPORT_SOURCE", source);
    add_element(info, "MD5", md5);
    add_element(info, "SIZE", size);
    add_element(info, "FORMAT", "raw");
    add_element(info, "DISPOSE", "NO");
    xmlBuffer *buffer = xmlBufferCreate();
    xmlNodeDump(buffer, NULL, info, 0, 0);
    gchar *text = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    xmlFreeNode(info);
    return text;
}

gchar *datastore_export(const Datastore *datastore, GError **error)
{
    const DatastoreMessage *message = datastore->message;
    if (!datastore_need(message->source, "IMAGE/SOURCE", error))
        return NULL;
    g_autoptr(DatastoreSource) source = datastore_source_parse(message->source, error);
    if (!source)
        return NULL;
    if (source->kind == DATASTORE_SOURCE_REFERENCE)
        return import_info(message->source, "", message->size_mb);
    autofd int fd = datastore_open_file(datastore, source, error);
    g_autofree gchar *md5 = fd < 0 ? NULL : md5_of(fd, source->place, error);
    return md5 ? import_info(source->place, md5, message->size_mb) : NULL;
}

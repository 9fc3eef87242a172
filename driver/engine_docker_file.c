// SPDX-License-Identifier: Apache-2.0
/*
 * Files of a container, which the engine gives and takes as tar archives. It resolves every path
 * inside the container's root, and unpacks confined to it.
 */
#include "engine_docker.h"

#include "autoptr.h"
#include "error.h"
#include "tar.h"

#include <string.h>

enum { ARCHIVE_BYTES = 65536 }; /* what an archive of one file has beside its content */

static gchar *archive_path(const char *id, const char *query, const char *path)
{
    g_autofree gchar *container = docker_path("/containers/", id, "/archive?");
    g_autofree gchar *escaped = g_uri_escape_string(path, "/", FALSE);
    return g_strconcat(container, query, escaped, NULL);
}

typedef struct {
    GByteArray *bytes;
    gsize most;
    const char *path;
} Gathering;

static gboolean gather(const char *bytes, gsize length, gpointer data, GError **error)
{
    Gathering *gathering = data;
    if (length > gathering->most - gathering->bytes->len) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                    "the container's %s is larger than %" G_GSIZE_FORMAT " bytes", gathering->path,
                    gathering->most - ARCHIVE_BYTES);
        return FALSE;
    }
    g_byte_array_append(gathering->bytes, (const guint8 *)bytes, (guint)length);
    return TRUE;
}

/* The archive of a file has one entry. */
static gboolean take_file(const GByteArray *archive, EngineFile **file, GError **error)
{
    TarReader reader = {(const char *)archive->data, archive->len, 0};
    g_auto(TarEntry) entry = {0};
    g_autoptr(GError) failure = NULL;
    if (tar_next(&reader, &entry, &failure) && entry.kind == TAR_FILE) {
        *file = g_new0(EngineFile, 1);
        (*file)->content = g_malloc(entry.length + 1);
        memcpy((*file)->content, entry.content, entry.length);
        (*file)->content[entry.length] = '\0';
        (*file)->length = entry.length;
        (*file)->mode = entry.mode;
        (*file)->uid = entry.uid;
        (*file)->gid = entry.gid;
    }
    if (!failure)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                "the container engine's answer: %s", failure->message);
    return FALSE;
}

gboolean docker_get_file(Engine *engine, const char *id, const char *path, gsize max,
                         EngineFile **file, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *request = archive_path(id, "path=", path);
    g_autoptr(GByteArray) archive = g_byte_array_new();
    Gathering gathering = {archive, max + ARCHIVE_BYTES, path};
    DockerCall call = {.method = "GET",
                       .path = request,
                       .timeout_ms = docker->config->engine_request_ms,
                       .sink = gather,
                       .data = &gathering};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_call(docker, &call, &answer, error))
        return FALSE;
    if (answer.status == 404)
        return TRUE;
    return docker_accept(&answer, error) && take_file(archive, file, error);
}

gboolean docker_has_file(Engine *engine, const char *id, const char *path, gboolean *there,
                         GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *request = archive_path(id, "path=", path);
    DockerCall call = {
        .method = "HEAD", .path = request, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_call(docker, &call, &answer, error))
        return FALSE;
    *there = answer.status < 400;
    return answer.status == 404 || docker_accept(&answer, error);
}

gboolean docker_put_files(Engine *engine, const char *id, const char *folder, const GByteArray *tar,
                          GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *request = archive_path(id, "noOverwriteDirNonDir=1&path=", folder);
    DockerCall call = {.method = "PUT",
                       .path = request,
                       .tar = tar,
                       .timeout_ms = docker->config->engine_create_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_call(docker, &call, &answer, error))
        return FALSE;
    if (answer.status == 404) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "the container has no folder %s",
                    folder);
        return FALSE;
    }
    return docker_accept(&answer, error);
}

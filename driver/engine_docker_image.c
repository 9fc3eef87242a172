// SPDX-License-Identifier: Apache-2.0
#include "engine_docker.h"

#include "autoptr.h"
#include "credentials.h"
#include "engine_docker_parse.h"
#include "engine_docker_stream.h"
#include "image_ref.h"

#include <string.h>

gchar *docker_image_path(const char *first, const char *name, const char *rest)
{
    g_autofree gchar *escaped = g_uri_escape_string(name, "/:@", FALSE);
    return g_strconcat(first, escaped, rest, NULL);
}

/* FALSE without an error where the engine does not have the image. */
static gboolean inspect(Engine *engine, const char *reference, HttpAnswer *answer, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_image_path("/images/", reference, "/json");
    DockerCall call = {
        .method = "GET", .path = path, .timeout_ms = docker->config->engine_request_ms};
    return docker_call(docker, &call, answer, error) && answer->status != 404 &&
           docker_accept(answer, error);
}

gchar *docker_image_id(Engine *engine, const char *reference, GError **error)
{
    g_auto(HttpAnswer) answer = {0};
    return inspect(engine, reference, &answer, error)
               ? docker_parse_image_id(answer.body->str, answer.body->len, error)
               : NULL;
}

GStrv docker_image_layers(Engine *engine, const char *reference, GError **error)
{
    g_auto(HttpAnswer) answer = {0};
    return inspect(engine, reference, &answer, error)
               ? docker_parse_image_layers(answer.body->str, answer.body->len, error)
               : NULL;
}

gboolean docker_image_size(Engine *engine, const char *id, gint64 *bytes, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_image_path("/images/", id, "/json");
    DockerCall call = {
        .method = "GET", .path = path, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error) &&
           docker_parse_image_size(answer.body->str, answer.body->len, bytes, error);
}

/* Without a tag the engine would fetch every tag of the repository; a digest is told as one. */
static gchar *pull_path(const ImageRef *ref)
{
    g_autofree gchar *repository = strcmp(ref->registry, "docker.io") == 0
                                       ? g_strdup(ref->repository)
                                       : g_strconcat(ref->registry, "/", ref->repository, NULL);
    g_autofree gchar *first = docker_image_path("/images/create?fromImage=", repository, "&tag=");
    return docker_image_path(first, ref->digest ? ref->digest : ref->tag, NULL);
}

static gboolean accept_pull(const HttpAnswer *answer, GError **error)
{
    if (answer->status < 400)
        return TRUE;
    g_autofree gchar *message =
        docker_parse_message(answer->status, answer->body->str, answer->body->len);
    g_set_error_literal(error, VMDOCK_ERROR, (gint)docker_pull_error_code(answer->status, message),
                        message);
    return FALSE;
}

static gboolean take_report(const char *bytes, gsize length, gpointer data, GError **error)
{
    return docker_pull_feed(data, bytes, length, error);
}

gboolean docker_with_registry(DockerEngine *docker, const char *registry, const char *path,
                              const char *no_auth, DockerPull *report, GError **error)
{
    GError *failure = NULL;
    g_autofree gchar *auth =
        credentials_header(docker->config->engine_credentials, registry, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    DockerCall call = {
        .method = "POST",
        .path = path,
        .registry_auth = auth ? auth : no_auth,
        .timeout_ms = docker->config->engine_pull_ms,
        .begin_ms = docker->config->engine_pull_stall_ms,
        .stall_ms = docker->config->engine_pull_stall_ms,
        .sink = take_report,
        .data = report,
    };
    g_auto(HttpAnswer) answer = {0};
    return docker_call(docker, &call, &answer, error) && accept_pull(&answer, error) &&
           docker_pull_end(report, error);
}

gboolean docker_pull(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(reference, error);
    if (!ref)
        return FALSE;
    g_autoptr(DockerPull) pull = docker_pull_new(progress, data);
    g_autofree gchar *path = pull_path(ref);
    if (!docker_with_registry((DockerEngine *)engine, ref->registry, path, NULL, pull, error))
        return FALSE;
    GError *failure = NULL;
    g_autofree gchar *name = image_ref_name(ref);
    g_autofree gchar *id = docker_image_id(engine, name, &failure);
    if (!id && !failure)
        g_set_error_literal(&failure, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                            "the container engine reports success and does not have the image");
    if (failure)
        g_propagate_error(error, failure);
    return id != NULL;
}

/* Without a body the image takes the container's own configuration over. */
gboolean docker_tag(Engine *engine, const char *image, const char *repository, const char *tag,
                    GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *first = docker_image_path("/images/", image, "/tag?repo=");
    g_autofree gchar *second = docker_image_path(first, repository, "&tag=");
    g_autofree gchar *path = docker_image_path(second, tag, NULL);
    DockerCall call = {
        .method = "POST", .path = path, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error);
}

gboolean docker_untag(Engine *engine, const char *reference, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_image_path("/images/", reference, NULL);
    DockerCall call = {
        .method = "DELETE", .path = path, .timeout_ms = docker->config->engine_create_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_call(docker, &call, &answer, error) &&
           (answer.status == 404 || docker_accept(&answer, error));
}

GPtrArray *docker_image_names(Engine *engine, const char *prefix, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    DockerCall call = {
        .method = "GET", .path = "/images/json", .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_ask(docker, &call, &answer, error))
        return NULL;
    return docker_parse_image_names(answer.body->str, answer.body->len, prefix, error);
}

// SPDX-License-Identifier: Apache-2.0
/* Images made, sent and received: commit, push, save, load. */
#include "engine_docker.h"

#include "autoptr.h"
#include "credentials.h"
#include "engine_docker_parse.h"
#include "engine_docker_stream.h"
#include "image_ref.h"
#include "interrupt.h"
#include "log.h"
#include "stream.h"

#include <string.h>

enum { PROGRESS_US = 100 * 1000 };

/* What PATH answers, as JSON. */
static json_t *look_at(DockerEngine *docker, const char *path, GError **error)
{
    DockerCall call = {
        .method = "GET", .path = path, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error)
               ? docker_json(answer.body->str, answer.body->len, error)
               : NULL;
}

/* "KEY=value" -> "KEY=". */
static gchar *without_value(const char *variable)
{
    return g_strdup_printf("%.*s=", (int)strcspn(variable, "="), variable);
}

static gboolean has_variable(const json_t *env, const char *named)
{
    for (gsize i = 0; i < json_array_size(env); i++)
        if (g_str_has_prefix(json_string_value(json_array_get(env, i)), named))
            return TRUE;
    return FALSE;
}

static json_t *neutral_env(const json_t *image, const json_t *container)
{
    json_t *env = json_is_array(image) ? json_copy((json_t *)image) : json_array();
    for (gsize i = 0; i < json_array_size(container); i++) {
        const char *variable = json_string_value(json_array_get(container, i));
        g_autofree gchar *empty = variable ? without_value(variable) : NULL;
        if (empty && !has_variable(image, empty))
            json_array_append_new(env, json_string(empty));
    }
    return env;
}

static json_t *neutral_labels(const json_t *image, const json_t *container)
{
    json_t *labels = json_is_object(image) ? json_copy((json_t *)image) : json_object();
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)container, key, value) {
        if (!json_object_get(image, key))
            json_object_set_new(labels, key, json_string(""));
    }
    return labels;
}

json_t *docker_commit_body(const json_t *image, const json_t *container)
{
    json_t *body = json_is_object(image) ? json_copy((json_t *)image) : json_object();
    json_object_set_new(
        body, "Env", neutral_env(json_object_get(image, "Env"), json_object_get(container, "Env")));
    json_object_set_new(
        body, "Labels",
        neutral_labels(json_object_get(image, "Labels"), json_object_get(container, "Labels")));
    /* An entry point that is null, unlike an empty one, is taken from the container. */
    if (!json_is_array(json_object_get(body, "Entrypoint")))
        json_object_set_new(body, "Entrypoint", json_array());
    return body;
}

static json_t *commit_body(DockerEngine *docker, const char *id, GError **error)
{
    g_autofree gchar *container_path = docker_path("/containers/", id, "/json");
    g_autoptr(json_t) container = look_at(docker, container_path, error);
    const char *image_id = json_string_value(json_object_get(container, "Image"));
    if (container && !image_id)
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                            "the container engine does not tell the container's image");
    if (!image_id)
        return NULL;
    g_autofree gchar *image_path = docker_image_path("/images/", image_id, "/json");
    g_autoptr(json_t) image = look_at(docker, image_path, error);
    return image ? docker_commit_body(json_object_get(image, "Config"),
                                      json_object_get(container, "Config"))
                 : NULL;
}

/* As large as the layer is, an answer comes only when all of it is written. */
static gchar *commit(DockerEngine *docker, const char *id, const json_t *body,
                     const char *repository, const char *tag, gboolean pause, GError **error)
{
    g_autofree gchar *first = docker_image_path("&repo=", repository, "&tag=");
    g_autofree gchar *name = docker_image_path(first, tag, NULL);
    g_autofree gchar *rest = g_strconcat(pause ? "&pause=true" : "&pause=false", name, NULL);
    g_autofree gchar *path = docker_path("/commit?container=", id, rest);
    DockerCall call = {.method = "POST",
                       .path = path,
                       .body = body,
                       .timeout_ms = docker->config->engine_commit_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error)
               ? docker_parse_image_id(answer.body->str, answer.body->len, error)
               : NULL;
}

static gchar *blank_name(const char *repository)
{
    return g_strdelimit(g_strconcat(repository, "-" ENGINE_COMMIT_TAG, NULL), "/:", '-');
}

/*
 * An image also keeps the whole configuration of the container that it was made from. So the name
 * goes to a second image, of the same layers, made from a container that never runs and that nobody
 * told anything.
 */
static gchar *commit_again(DockerEngine *docker, const char *image, const json_t *body,
                           const char *repository, const char *tag, GError **error)
{
    Engine *engine = &docker->base;
    g_autofree gchar *name = blank_name(repository);
    g_autoptr(json_t) blank =
        json_pack("{s:s, s:{s:s}}", "Image", image, "HostConfig", "NetworkMode", "none");
    g_autofree gchar *id = engine->backend->create(engine, name, blank, error);
    return id ? commit(docker, id, body, repository, tag, FALSE, error) : NULL;
}

gboolean docker_commit_clear(Engine *engine, const char *repository, GError **error)
{
    g_autofree gchar *blank = blank_name(repository);
    g_autofree gchar *first = g_strconcat(repository, ":" ENGINE_COMMIT_TAG, NULL);
    return engine->backend->remove(engine, blank, error) && docker_untag(engine, first, error);
}

/* The first image stays below the second, without a name, and goes with it. */
gchar *docker_commit(Engine *engine, const char *id, const char *repository, const char *tag,
                     gboolean pause, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autoptr(json_t) body = commit_body(docker, id, error);
    if (!body || !docker_commit_clear(engine, repository, error))
        return NULL;
    g_autofree gchar *image = commit(docker, id, body, repository, ENGINE_COMMIT_TAG, pause, error);
    gchar *made = image ? commit_again(docker, image, body, repository, tag, error) : NULL;
    g_autoptr(GError) trouble = NULL;
    interrupt_hold();
    if (!docker_commit_clear(engine, repository, &trouble))
        log_warn("something of the image that was made of the container stays: %s",
                 trouble->message);
    interrupt_allow();
    return made;
}

static gchar *push_path(const ImageRef *ref)
{
    g_autofree gchar *repository = g_strconcat(ref->registry, "/", ref->repository, NULL);
    g_autofree gchar *first = docker_image_path("/images/", repository, "/push?tag=");
    return docker_image_path(first, ref->tag, NULL);
}

gboolean docker_push(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     gchar **digest, GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(reference, error);
    if (!ref)
        return FALSE;
    if (ref->digest) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "image reference \"%s\": what is sent to a registry gets a tag, not a digest",
                    reference);
        return FALSE;
    }
    g_autoptr(DockerPull) report = docker_pull_new(progress, data);
    g_autofree gchar *path = push_path(ref);
    /* {}: a push must have the header */
    if (!docker_with_registry((DockerEngine *)engine, ref->registry, path, "e30=", report, error))
        return FALSE;
    if (digest)
        *digest = g_strdup(docker_pull_digest(report));
    return TRUE;
}

/* A tar on its way between the engine and a descriptor. */
typedef struct {
    int fd;
    guint64 stall_ms;
    EnginePullFunc progress;
    gpointer data;
    EnginePullProgress at;
    gint64 began, told;
    DockerPull *report; /* of a load */
} Passage;

static void note_passage(Passage *passage, gsize length)
{
    gint64 now = g_get_monotonic_time();
    passage->at.current += length;
    passage->at.seconds = (double)(now - passage->began) / G_TIME_SPAN_SECOND;
    if (!passage->progress || now - passage->told < PROGRESS_US)
        return;
    passage->told = now;
    passage->progress(&passage->at, passage->data);
}

static Passage passage_of(const DockerEngine *docker, int fd, EnginePullFunc progress,
                          gpointer data)
{
    return (Passage){.fd = fd,
                     .stall_ms = docker->config->engine_pull_stall_ms,
                     .progress = progress,
                     .data = data,
                     .began = g_get_monotonic_time()};
}

static gboolean take_tar(const char *bytes, gsize length, gpointer data, GError **error)
{
    Passage *passage = data;
    note_passage(passage, length);
    return stream_write(passage->fd, bytes, length, passage->stall_ms, "the image's archive",
                        error);
}

/* The engine gathers all layers before it sends the first byte. */
gboolean docker_save(Engine *engine, const char *const *names, int fd, EnginePullFunc progress,
                     gpointer data, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autoptr(GString) path = g_string_new("/images/get");
    for (gsize i = 0; names[i]; i++) {
        g_autofree gchar *more = docker_image_path(i > 0 ? "&names=" : "?names=", names[i], NULL);
        g_string_append(path, more);
    }
    Passage passage = passage_of(docker, fd, progress, data);
    DockerCall call = {
        .method = "GET",
        .path = path->str,
        .timeout_ms = docker->config->engine_pull_ms,
        .stall_ms = docker->config->engine_pull_stall_ms,
        .sink = take_tar,
        .data = &passage,
    };
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error);
}

static gssize give_tar(char *bytes, gsize room, gpointer data, GError **error)
{
    Passage *passage = data;
    gssize n =
        stream_read(passage->fd, bytes, room, passage->stall_ms, "the image's archive", error);
    if (n > 0)
        note_passage(passage, (gsize)n);
    return n;
}

static gboolean take_load_report(const char *bytes, gsize length, gpointer data, GError **error)
{
    const Passage *passage = data;
    return docker_pull_feed(passage->report, bytes, length, error);
}

gboolean docker_load(Engine *engine, int fd, EnginePullFunc progress, gpointer data, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autoptr(DockerPull) report = docker_pull_new(NULL, NULL);
    Passage passage = passage_of(docker, fd, progress, data);
    passage.report = report;
    DockerCall call = {
        .method = "POST",
        .path = "/images/load?quiet=1",
        .timeout_ms = docker->config->engine_pull_ms,
        .stall_ms = docker->config->engine_pull_stall_ms,
        .sink = take_load_report,
        .source = give_tar,
        .data = &passage,
    };
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error) && docker_pull_end(report, error);
}

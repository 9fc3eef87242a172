// SPDX-License-Identifier: Apache-2.0
/* The Docker Engine API, 1.41 (Engine 20.10) to 1.51 (Engine 28.5). */
#include "engine_docker.h"

#include "autoptr.h"
#include "engine_docker_parse.h"

#include <string.h>

enum { FREEZE_PAUSE_US = 100 * 1000 }; /* between two tries to freeze a container */

static Engine *docker_open(const Config *config, GError **error)
{
    EngineHttp *http = engine_http_open(config->engine_socket, config->engine_connect_ms,
                                        config->engine_max_answer, error);
    if (!http)
        return NULL;
    DockerEngine *docker = g_new0(DockerEngine, 1);
    docker->base.backend = &engine_docker;
    docker->config = config;
    docker->http = http;
    return &docker->base;
}

static void docker_free(Engine *engine)
{
    DockerEngine *docker = (DockerEngine *)engine;
    engine_http_free(docker->http);
    g_free(docker->api);
    g_free(docker);
}

gchar *docker_path(const char *first, const char *name, const char *rest)
{
    g_autofree gchar *escaped = g_uri_escape_string(name, ":", FALSE);
    return g_strconcat(first, escaped, rest, NULL);
}

gboolean docker_accept(const HttpAnswer *answer, GError **error)
{
    if (answer->status < 400)
        return TRUE;
    g_autofree gchar *message =
        docker_parse_message(answer->status, answer->body->str, answer->body->len);
    g_set_error_literal(error, VMDOCK_ERROR, (gint)docker_error_code(answer->status, message),
                        message);
    return FALSE;
}

static gint64 after(gint64 now, guint64 ms)
{
    return ms ? now + (gint64)ms * G_TIME_SPAN_MILLISECOND : 0;
}

/* Within the call's own time, but never longer than an ordinary request. */
static gboolean negotiate(DockerEngine *docker, gint64 deadline, GError **error)
{
    if (docker->api)
        return TRUE;
    gint64 now = g_get_monotonic_time();
    gint64 own = after(now, docker->config->engine_request_ms);
    HttpRequest ping = {
        .method = "GET",
        .path = "/_ping",
        .started = now,
        .deadline = deadline ? MIN(deadline, own) : own,
    };
    g_auto(HttpAnswer) answer = {0};
    if (!engine_http_send(docker->http, &ping, &answer, error) || !docker_accept(&answer, error))
        return FALSE;
    docker->api = docker_negotiate(answer.api_version, error);
    return docker->api != NULL;
}

gboolean docker_negotiated(DockerEngine *docker, GError **error)
{
    return negotiate(docker, 0, error);
}

/* Sends CALL in the API version API. */
static gboolean send_call(DockerEngine *docker, const char *api, const DockerCall *call,
                          gint64 began, HttpAnswer *answer, GError **error)
{
    g_autofree gchar *path = g_strconcat("/v", api, call->path, NULL);
    g_autofree char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    HttpRequest request = {
        .method = call->method,
        .path = path,
        .type = call->tar || call->source ? "application/x-tar"
                : body                    ? "application/json"
                                          : NULL,
        .body = call->tar ? (const char *)call->tar->data : body,
        .length = call->tar ? call->tar->len
                  : body    ? strlen(body)
                            : 0,
        .source = call->source,
        .registry_auth = call->registry_auth,
        .started = began,
        .deadline = after(began, call->timeout_ms),
        .begin = after(began, call->begin_ms),
        .stall_ms = call->stall_ms,
        .sink = call->sink,
        .capped = call->capped,
        .data = call->data,
    };
    return engine_http_send(docker->http, &request, answer, error);
}

static gboolean is_version_refused(const HttpAnswer *answer)
{
    if (answer->status != 400)
        return FALSE;
    g_autofree gchar *message =
        docker_parse_message(answer->status, answer->body->str, answer->body->len);
    return docker_error_code(answer->status, message) == VMDOCK_ERROR_UNSUPPORTED;
}

/*
 * Asks in the oldest version, which all but the newest engines still speak; every answer tells the
 * engine's own as a ping would. *refused: not this engine.
 */
static gboolean call_unnegotiated(DockerEngine *docker, const DockerCall *call, gint64 began,
                                  HttpAnswer *answer, gboolean *refused, GError **error)
{
    g_autofree gchar *oldest = g_strdup_printf("%d.%d", DOCKER_API_MAJOR, DOCKER_API_OLDEST);
    if (!send_call(docker, oldest, call, began, answer, error))
        return FALSE;
    if (answer->api_version)
        docker->api = docker_negotiate(answer->api_version, NULL);
    *refused = is_version_refused(answer);
    if (*refused)
        http_answer_clear(answer);
    return TRUE;
}

gboolean docker_call(DockerEngine *docker, const DockerCall *call, HttpAnswer *answer,
                     GError **error)
{
    gint64 began = g_get_monotonic_time();
    if (call->any_version && !docker->api) {
        gboolean refused;
        if (!call_unnegotiated(docker, call, began, answer, &refused, error))
            return FALSE;
        if (!refused)
            return TRUE;
    }
    return negotiate(docker, after(began, call->timeout_ms), error) &&
           send_call(docker, docker->api, call, began, answer, error);
}

gboolean docker_ask(DockerEngine *docker, const DockerCall *call, HttpAnswer *answer,
                    GError **error)
{
    return docker_call(docker, call, answer, error) && docker_accept(answer, error);
}

static EngineVersion *docker_version(Engine *engine, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    DockerCall call = {
        .method = "GET", .path = "/version", .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_ask(docker, &call, &answer, error))
        return NULL;
    g_autoptr(json_t) root = docker_json(answer.body->str, answer.body->len, error);
    if (!root)
        return NULL;
    const char *words = json_string_value(json_object_get(root, "Version"));
    EngineVersion *version = g_new0(EngineVersion, 1);
    version->version = vmdock_one_line(words ? words : "unknown", 100);
    version->api_version = g_strdup(docker->api);
    version->kind = g_strdup(engine_docker.kind);
    return version;
}

static json_t *docker_info(Engine *engine, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    DockerCall call = {
        .method = "GET", .path = "/info", .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_ask(docker, &call, &answer, error))
        return NULL;
    return docker_json(answer.body->str, answer.body->len, error);
}

static gchar *docker_create(Engine *engine, const char *name, const json_t *body, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_path("/containers/create?name=", name, NULL);
    if (!negotiate(docker, 0, error))
        return NULL;
    g_autoptr(json_t) fit = docker_create_body(body, docker->api);
    DockerCall call = {.method = "POST",
                       .path = path,
                       .body = fit,
                       .timeout_ms = docker->config->engine_create_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_ask(docker, &call, &answer, error))
        return NULL;
    return docker_parse_created(answer.body->str, answer.body->len, error);
}

/* POST /containers/ID/REST. */
static gboolean post(Engine *engine, const char *id, const char *rest, guint64 timeout_ms,
                     HttpAnswer *answer, GError **error)
{
    g_autofree gchar *path = docker_path("/containers/", id, rest);
    DockerCall call = {.method = "POST", .path = path, .timeout_ms = timeout_ms};
    return docker_call((DockerEngine *)engine, &call, answer, error);
}

static gboolean post_and_accept(Engine *engine, const char *id, const char *rest,
                                guint64 timeout_ms, GError **error)
{
    g_auto(HttpAnswer) answer = {0};
    return post(engine, id, rest, timeout_ms, &answer, error) && docker_accept(&answer, error);
}

/*
 * The second half of what a caller knows as one creation, so it gets the same time. A container
 * that runs answers 304. An engine that has just come back may still hold the terminal of the
 * container's last life, and let go of it when the next one is made: that hangs up on the first
 * process before its first instruction. The engine clears away after itself, and no terminal is
 * left to do so twice.
 */
static gboolean docker_start(Engine *engine, const char *id, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    g_autoptr(GError) failure = NULL;
    if (post_and_accept(engine, id, "/start", config->engine_create_ms, &failure))
        return TRUE;
    if (docker_ended_unstarted(failure->message))
        return post_and_accept(engine, id, "/start", config->engine_create_ms, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean docker_stop(Engine *engine, const char *id, gint timeout_s, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    guint patience_s = (guint)MAX(timeout_s, 0);
    g_autofree gchar *rest = g_strdup_printf("/stop?t=%u", patience_s);
    return post_and_accept(engine, id, rest, (guint64)patience_s * 1000 + config->engine_request_ms,
                           error);
}

/* Waits for CONDITION; a container that is not there any more meets each. */
static gboolean await(Engine *engine, const char *id, const char *condition, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    g_autofree gchar *rest = g_strconcat("/wait?condition=", condition, NULL);
    g_auto(HttpAnswer) answer = {0};
    return post(engine, id, rest, config->engine_request_ms, &answer, error) &&
           (answer.status == 404 || docker_accept(&answer, error));
}

static gboolean says(const HttpAnswer *answer, guint status, const char *words)
{
    return answer->status == status && strstr(answer->body->str, words);
}

static gboolean docker_kill(Engine *engine, const char *id, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    g_auto(HttpAnswer) answer = {0};
    if (!post(engine, id, "/kill?signal=KILL", config->engine_request_ms, &answer, error))
        return FALSE;
    if (says(&answer, 409, "is not running"))
        return TRUE;
    return docker_accept(&answer, error) && await(engine, id, "not-running", error);
}

/* The runtime takes a freeze back that the kernel does not bring to its end, as cgroup v1's freezer
 * on a busy machine: it is asked for again for as long as a request may take. */
static gboolean docker_pause(Engine *engine, const char *id, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    gint64 until =
        g_get_monotonic_time() + (gint64)config->engine_request_ms * G_TIME_SPAN_MILLISECOND;
    for (;;) {
        g_autoptr(GError) failure = NULL;
        if (post_and_accept(engine, id, "/pause", config->engine_request_ms, &failure))
            return TRUE;
        if (!strstr(failure->message, "unable to freeze") || g_get_monotonic_time() >= until) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        g_usleep(FREEZE_PAUSE_US);
    }
}

static gboolean docker_unpause(Engine *engine, const char *id, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    return post_and_accept(engine, id, "/unpause", config->engine_request_ms, error);
}

static gboolean docker_rename(Engine *engine, const char *id, const char *name, GError **error)
{
    const Config *config = ((DockerEngine *)engine)->config;
    g_autofree gchar *rest = docker_path("/rename?name=", name, NULL);
    return post_and_accept(engine, id, rest, config->engine_request_ms, error);
}

static gboolean docker_remove(Engine *engine, const char *id, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_path("/containers/", id, "?force=1&v=1");
    DockerCall call = {
        .method = "DELETE", .path = path, .timeout_ms = docker->config->engine_create_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_call(docker, &call, &answer, error))
        return FALSE;
    if (says(&answer, 409, "already in progress"))
        return await(engine, id, "removed", error);
    return answer.status == 404 || docker_accept(&answer, error);
}

/* A request that is dropped when its time is over takes its connection with it. */
static gboolean docker_watch(Engine *engine, const char *id, guint ms, gboolean *ended,
                             gint *exit_code, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    GError *failure = NULL;
    g_auto(HttpAnswer) answer = {0};
    *ended = FALSE;
    if (!negotiate(docker, 0, error))
        return FALSE;
    if (post(engine, id, "/wait?condition=not-running", MAX(ms, 1), &answer, &failure)) {
        *ended = docker_accept(&answer, error) &&
                 docker_parse_wait(answer.body->str, answer.body->len, exit_code, error);
        return *ended;
    }
    if (vmdock_error_is(failure, VMDOCK_ERROR_ENGINE_TIMEOUT)) {
        g_error_free(failure);
        return TRUE;
    }
    g_propagate_error(error, failure);
    return FALSE;
}

static EngineContainer *docker_inspect(Engine *engine, const char *name_or_id, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_path("/containers/", name_or_id, "/json");
    DockerCall call = {
        .method = "GET", .path = path, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_call(docker, &call, &answer, error) || answer.status == 404 ||
        !docker_accept(&answer, error))
        return NULL;
    return docker_parse_inspect(answer.body->str, answer.body->len, error);
}

static gboolean take_list(const char *bytes, gsize length, gpointer reader, GError **error)
{
    return docker_list_feed(reader, bytes, length, error);
}

static GPtrArray *docker_list(Engine *engine, const char *label, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autoptr(json_t) filters = label ? json_pack("{s:[s]}", "label", label) : json_object();
    g_autofree char *text = json_dumps(filters, JSON_COMPACT);
    g_autofree gchar *path = docker_path("/containers/json?all=1&filters=", text, NULL);
    g_autoptr(DockerList) reader = docker_list_new();
    DockerCall call = {.method = "GET",
                       .path = path,
                       .any_version = TRUE,
                       .timeout_ms = docker->config->engine_poll_ms,
                       .sink = take_list,
                       .capped = TRUE,
                       .data = reader};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error) ? docker_list_end(reader, error) : NULL;
}

static gboolean docker_update(Engine *engine, const char *id, const json_t *body, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_path("/containers/", id, "/update");
    DockerCall call = {.method = "POST",
                       .path = path,
                       .body = body,
                       .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_ask(docker, &call, &answer, error))
        return FALSE;
    docker_log_warnings(answer.body->str, answer.body->len);
    return TRUE;
}

const EngineBackend engine_docker = {
    .kind = "docker",
    .open = docker_open,
    .free = docker_free,
    .version = docker_version,
    .info = docker_info,
    .create = docker_create,
    .start = docker_start,
    .stop = docker_stop,
    .kill = docker_kill,
    .pause = docker_pause,
    .unpause = docker_unpause,
    .rename = docker_rename,
    .remove = docker_remove,
    .watch = docker_watch,
    .inspect = docker_inspect,
    .list = docker_list,
    .connect = docker_connect,
    .disconnect = docker_disconnect,
    .has_network = docker_has_network,
    .update = docker_update,
    .logs = docker_logs,
    .events = docker_events,
    .exec = docker_exec,
    .exec_root = docker_exec_root,
    .run = docker_run,
    .run_pid = docker_run_pid,
    .attach = docker_attach,
    .exec_session = docker_exec_session,
    .get_file = docker_get_file,
    .has_file = docker_has_file,
    .put_files = docker_put_files,
    .image_id = docker_image_id,
    .image_size = docker_image_size,
    .image_layers = docker_image_layers,
    .pull = docker_pull,
    .tag = docker_tag,
    .untag = docker_untag,
    .image_names = docker_image_names,
    .commit = docker_commit,
    .commit_clear = docker_commit_clear,
    .push = docker_push,
    .save = docker_save,
    .load = docker_load,
};

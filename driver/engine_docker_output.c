// SPDX-License-Identifier: Apache-2.0
#include "engine_docker.h"

#include "autoptr.h"
#include "engine_docker_parse.h"
#include "engine_docker_stream.h"
#include "interrupt.h"

#include <signal.h>

enum { EXIT_PAUSE_US = 5000 };

typedef struct {
    gboolean terminal;
    DockerFrames frames;
    EngineOutputFunc output;
    gpointer data;
} Output;

static gboolean take_output(const char *bytes, gsize length, gpointer data, GError **error)
{
    Output *to = data;
    if (to->terminal)
        return to->output(1, bytes, length, to->data, error);
    return docker_frames_feed(&to->frames, bytes, length, to->output, to->data, error);
}

static gboolean stream(DockerEngine *docker, DockerCall *call, Output *to, GError **error)
{
    g_auto(HttpAnswer) answer = {0};
    call->begin_ms = docker->config->engine_request_ms;
    call->sink = take_output;
    call->data = to;
    return docker_ask(docker, call, &answer, error) && docker_frames_end(&to->frames, error);
}

/* What is there may be long and its reader slow: only silence ends it. What follows may be silent.
 */
gboolean docker_logs(Engine *engine, const char *id, gboolean terminal, guint tail, gboolean follow,
                     EngineOutputFunc output, gpointer data, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *lines = tail ? g_strdup_printf("%u", tail) : g_strdup("all");
    g_autofree gchar *rest =
        g_strdup_printf("/logs?stdout=1&stderr=1&follow=%d&tail=%s", follow ? 1 : 0, lines);
    g_autofree gchar *path = docker_path("/containers/", id, rest);
    Output to = {.terminal = terminal, .output = output, .data = data};
    DockerCall call = {
        .method = "GET", .path = path, .stall_ms = follow ? 0 : docker->config->engine_request_ms};
    return stream(docker, &call, &to, error);
}

static json_t *exec_body(const DockerExecWish *wish, GError **error)
{
    g_autoptr(json_t) command = json_array();
    for (const char *const *argv = wish->argv; *argv; argv++)
        if (json_array_append_new(command, json_string(*argv)) < 0) {
            g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                                "the command is not UTF-8");
            return NULL;
        }
    return json_pack("{s:b, s:b, s:b, s:b, s:O, s:s, s:s*}", "AttachStdin", wish->input,
                     "AttachStdout", 1, "AttachStderr", 1, "Tty", wish->terminal, "Cmd", command,
                     "User", wish->user, "DetachKeys", wish->detach_keys);
}

gchar *docker_exec_create(DockerEngine *docker, const char *id, const DockerExecWish *wish,
                          GError **error)
{
    g_autoptr(json_t) body = exec_body(wish, error);
    if (!body)
        return NULL;
    g_autofree gchar *path = docker_path("/containers/", id, "/exec");
    DockerCall call = {.method = "POST",
                       .path = path,
                       .body = body,
                       .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_ask(docker, &call, &answer, error))
        return NULL;
    return docker_parse_created(answer.body->str, answer.body->len, error);
}

gboolean docker_exec_inspect(DockerEngine *docker, const char *exec_id, DockerExec *exec,
                             GError **error)
{
    g_autofree gchar *path = docker_path("/exec/", exec_id, "/json");
    DockerCall call = {
        .method = "GET", .path = path, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(docker, &call, &answer, error) &&
           docker_parse_exec(answer.body->str, answer.body->len, exec, error);
}

/* The output ends a moment before the engine has noted the exit, or long before it when the command
 * closed its output. */
gboolean docker_exec_exit(DockerEngine *docker, const char *exec_id, DockerExec *exec,
                          GError **error)
{
    for (guint pause_us = EXIT_PAUSE_US;; pause_us = MIN(pause_us * 2, 40 * EXIT_PAUSE_US)) {
        if (!docker_exec_inspect(docker, exec_id, exec, error))
            return FALSE;
        if (!exec->running)
            return exec->ended || docker_garbled(error, "no exit status of the command");
        g_usleep(pause_us);
    }
}

static gboolean exec_start(DockerEngine *docker, const char *exec_id, guint64 timeout_ms,
                           EngineOutputFunc output, gpointer data, GError **error)
{
    g_autofree gchar *path = docker_path("/exec/", exec_id, "/start");
    g_autoptr(json_t) body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", 0);
    Output to = {.output = output, .data = data};
    DockerCall call = {.method = "POST", .path = path, .body = body, .timeout_ms = timeout_ms};
    return stream(docker, &call, &to, error);
}

static gboolean exec_status(DockerEngine *docker, const char *exec_id, gint *exit_code,
                            GError **error)
{
    DockerExec exec;
    if (!docker_exec_exit(docker, exec_id, &exec, error))
        return FALSE;
    *exit_code = exec.exit_code;
    return TRUE;
}

gboolean docker_exec(Engine *engine, const char *id, const char *const *argv,
                     EngineOutputFunc output, gpointer data, gint *exit_code, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    DockerExecWish wish = {.argv = argv, .user = ""};
    g_autofree gchar *exec_id = docker_exec_create(docker, id, &wish, error);
    return exec_id && exec_start(docker, exec_id, 0, output, data, error) &&
           exec_status(docker, exec_id, exit_code, error);
}

/*
 * The engine has no verb that ends a command. Its process is the leader of a session and a group of
 * its own, whose number cannot be given to another one while it lives.
 */
static void exec_kill(DockerEngine *docker, const char *exec_id)
{
    DockerExec exec;
    interrupt_hold();
    gboolean known = docker_exec_inspect(docker, exec_id, &exec, NULL);
    interrupt_allow();
    if (known && exec.running && exec.pid > 1)
        kill(-exec.pid, SIGKILL);
}

gboolean docker_exec_root(Engine *engine, const char *id, const char *const *argv,
                          guint64 timeout_ms, EngineOutputFunc output, gpointer data,
                          gint *exit_code, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    DockerExecWish wish = {.argv = argv, .user = "0"};
    g_autofree gchar *exec_id = docker_exec_create(docker, id, &wish, error);
    if (!exec_id)
        return FALSE;
    if (exec_start(docker, exec_id, timeout_ms, output, data, error))
        return exec_status(docker, exec_id, exit_code, error);
    exec_kill(docker, exec_id);
    return FALSE;
}

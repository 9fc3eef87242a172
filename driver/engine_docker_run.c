// SPDX-License-Identifier: Apache-2.0
/*
 * A command with a stdin of its own: the engine hands the connection over to it, so these are raw
 * bytes on a socket, not one request and one answer.
 */
#include "engine_docker_hijack.h"

#include "autoptr.h"
#include "engine_docker_parse.h"
#include "engine_docker_stream.h"
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    PIECE = 32 * 1024,
    MAX_HEAD = 16 * 1024,
    STARTING_MS = 10, /* how often the engine is asked whether the command runs by now */
    POLL_MS = 500,    /* how long a wish to stop may go unseen */
};

typedef struct {
    DockerEngine *docker;
    const EngineCommand *command;
    gchar *exec_id;
    DockerHijack link;
    gsize sent; /* of the command's input */
    gboolean told;
    gboolean ended;
    gint64 deadline; /* by when it must run */
    DockerFrames frames;
    GString *words; /* the first of what comes before it runs: why it does not */
} Run;

static void run_clear(Run *run)
{
    docker_hijack_clear(&run->link);
    g_free(run->exec_id);
    if (run->words)
        g_string_free(run->words, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* Waits for EVENTS, at most MS; *ready are those that came. */
static gboolean wait_for(const Run *run, short events, int ms, short *ready, GError **error)
{
    if (!interrupt_check(error))
        return FALSE;
    struct pollfd one = {.fd = run->link.fd, .events = events};
    *ready = poll(&one, 1, ms) > 0 ? one.revents : 0;
    return interrupt_check(error);
}

static gboolean in_time(const Run *run, GError **error)
{
    if (g_get_monotonic_time() < run->deadline)
        return TRUE;
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_TIMEOUT,
                        "the container engine did not start the command in time");
    return FALSE;
}

static gboolean keep_output(int stream, const char *bytes, gsize length, gpointer data,
                            GError **error)
{
    Run *run = data;
    if (!run->told && run->words->len < MAX_HEAD)
        g_string_append_len(run->words, bytes, (gssize)length);
    return run->command->output(stream, bytes, length, run->command->data, error);
}

static gboolean take_output(Run *run, const char *bytes, gsize length, GError **error)
{
    return docker_frames_feed(&run->frames, bytes, length, keep_output, run, error);
}

/* A command that does not read its input has no use for the rest of it. */
static void send_input(Run *run)
{
    const EngineCommand *command = run->command;
    ssize_t n = send(run->link.fd, command->input + run->sent,
                     MIN(command->input_length - run->sent, PIECE), MSG_NOSIGNAL);
    if (n >= 0)
        run->sent += (gsize)n;
    else if (errno != EAGAIN && errno != EINTR)
        run->sent = command->input_length;
    if (run->sent == command->input_length)
        shutdown(run->link.fd, SHUT_WR);
}

static gboolean receive(Run *run, GError **error)
{
    char piece[PIECE];
    ssize_t n = recv(run->link.fd, piece, sizeof piece, 0);
    if (n > 0)
        return take_output(run, piece, (gsize)n, error);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TRUE;
    run->ended = TRUE;
    /* Input that nobody read makes a reset of what is an ordinary end. */
    return n == 0 || errno == ECONNRESET || docker_hijack_broken(error, g_strerror(errno));
}

static gboolean tell_started(Run *run, gint pid, GError **error)
{
    run->told = TRUE;
    return run->command->started(run->exec_id, pid, run->command->data, error);
}

/* Asks whether the command runs by now. */
static gboolean look_whether_started(Run *run, GError **error)
{
    DockerExec exec;
    if (!docker_exec_inspect(run->docker, run->exec_id, &exec, error))
        return FALSE;
    return exec.pid > 0 ? tell_started(run, exec.pid, error) : in_time(run, error);
}

static gboolean start(Run *run, GError **error)
{
    static const char body[] = "{\"Detach\":false,\"Tty\":false}";
    g_autofree gchar *path = docker_path("/exec/", run->exec_id, "/start");
    return docker_hijack(run->docker, path, body, run->deadline, &run->link, error) &&
           take_output(run, run->link.early->str, run->link.early->len, error);
}

static gboolean pump(Run *run, GError **error)
{
    const EngineCommand *command = run->command;
    gboolean has_input = command->input != NULL;
    if (has_input && command->input_length == 0)
        shutdown(run->link.fd, SHUT_WR);
    while (!run->ended) {
        short ready, events = POLLIN;
        if (has_input && run->sent < command->input_length)
            events |= POLLOUT;
        if (!wait_for(run, events, run->told ? POLL_MS : STARTING_MS, &ready, error))
            return FALSE;
        if (ready & POLLOUT)
            send_input(run);
        if ((ready & (POLLIN | POLLHUP | POLLERR)) && !receive(run, error))
            return FALSE;
        if (!run->told && !run->ended && !look_whether_started(run, error))
            return FALSE;
    }
    return docker_frames_end(&run->frames, error);
}

/* The engine says on the command's own output why there is none. */
static gboolean refuse_unstarted(const Run *run, GError **error)
{
    g_autofree gchar *words = vmdock_one_line(run->words->str, 500);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_REFUSED, "cannot start %s: %s",
                run->command->argv[0], *words ? words : "the container engine does not say why");
    return FALSE;
}

gboolean docker_run(Engine *engine, const char *id, const EngineCommand *command, gint *exit_code,
                    GError **error)
{
    g_auto(Run) run = {.docker = (DockerEngine *)engine, .command = command, .link = {.fd = -1}};
    run.words = g_string_new(NULL);
    DockerExecWish wish = {.argv = command->argv, .user = "", .input = command->input != NULL};
    run.exec_id = docker_exec_create(run.docker, id, &wish, error);
    run.deadline = g_get_monotonic_time() +
                   (gint64)run.docker->config->engine_create_ms * G_TIME_SPAN_MILLISECOND;
    DockerExec exec;
    if (!run.exec_id || !start(&run, error) || !pump(&run, error) ||
        !docker_exec_exit(run.docker, run.exec_id, &exec, error))
        return FALSE;
    *exit_code = exec.exit_code;
    if (exec.pid == 0)
        return refuse_unstarted(&run, error);
    return run.told || tell_started(&run, exec.pid, error);
}

gboolean docker_run_pid(Engine *engine, const char *exec_id, gint *pid, GError **error)
{
    GError *failure = NULL;
    DockerExec exec;
    *pid = 0;
    if (!docker_exec_inspect((DockerEngine *)engine, exec_id, &exec, &failure)) {
        /* The engine forgets commands that have ended, and those of removed containers. */
        if (vmdock_error_is(failure, VMDOCK_ERROR_ENGINE_REFUSED)) {
            g_clear_error(&failure);
            return TRUE;
        }
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (exec.running)
        *pid = exec.pid;
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
/* Somebody who talks with a container, or with a command in one, for as long as both like. */
#include "engine_docker_hijack.h"

#include "autoptr.h"
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    PIECE = 32 * 1024,
    POLL_MS = 500, /* how long a wish to stop, or a new size of the window, may go unseen */
    OWED_MS = 20,  /* how often a size is told again that nobody took */
};

typedef struct {
    DockerEngine *docker;
    const EngineSession *session;
    const char *kind; /* of what is talked with, as the engine's paths have it */
    const char *id;
    DockerHijack link;
    DockerFrames frames;
    GString *pending; /* has been read and not yet sent */
    gboolean heard;   /* there may be more to read */
    guint rows, columns;
    gboolean owed;   /* the size has yet to be told */
    gint64 deadline; /* by when a command takes its size, since it runs by then */
    gboolean left, ended;
} Session;

static void session_clear(Session *session)
{
    docker_hijack_clear(&session->link);
    if (session->pending)
        g_string_free(session->pending, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Session, session_clear)

static gboolean resize(const Session *session, guint rows)
{
    g_autofree gchar *rest = g_strdup_printf("/resize?h=%u&w=%u", rows, session->columns);
    g_autofree gchar *path = docker_path(session->kind, session->id, rest);
    DockerCall call = {
        .method = "POST", .path = path, .timeout_ms = session->docker->config->engine_poll_ms};
    g_auto(HttpAnswer) answer = {0};
    return docker_ask(session->docker, &call, &answer, NULL);
}

/* What runs is not there yet, or any more, where nobody takes the size. */
static void tell_size(Session *session)
{
    const EngineSession *wants = session->session;
    if (wants->resized && wants->resized(&session->rows, &session->columns, wants->data))
        session->owed = TRUE;
    if (session->owed &&
        (resize(session, session->rows) || g_get_monotonic_time() >= session->deadline))
        session->owed = FALSE;
}

/* What does not read its input has no use for the rest of it. */
static void say(Session *session)
{
    GString *pending = session->pending;
    ssize_t n = send(session->link.fd, pending->str, pending->len, MSG_NOSIGNAL);
    if (n >= 0) {
        g_string_erase(pending, 0, n);
    } else if (errno != EAGAIN && errno != EINTR) {
        g_string_truncate(pending, 0);
        session->heard = FALSE;
    }
}

/* Reads what is typed while all that was typed before is sent. Who leaves waits for nobody. */
static gboolean hear(Session *session, GError **error)
{
    const EngineSession *wants = session->session;
    char piece[PIECE];
    ssize_t n = read(wants->input, piece, sizeof piece);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return TRUE;
    if (n < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read standard input");
        return FALSE;
    }
    g_string_append_len(session->pending, piece, n);
    session->heard = n > 0;
    if (n > 0 && wants->typed)
        session->left = !wants->typed(session->pending, wants->data);
    if (session->left && session->pending->len > 0)
        say(session);
    if (n == 0)
        shutdown(session->link.fd, SHUT_WR);
    return TRUE;
}

static gboolean take(Session *session, const char *bytes, gsize length, GError **error)
{
    const EngineSession *wants = session->session;
    if (wants->resized)
        return wants->output(1, bytes, length, wants->data, error);
    return docker_frames_feed(&session->frames, bytes, length, wants->output, wants->data, error);
}

static gboolean receive(Session *session, GError **error)
{
    char piece[PIECE];
    ssize_t n = recv(session->link.fd, piece, sizeof piece, 0);
    if (n > 0)
        return take(session, piece, (gsize)n, error);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TRUE;
    session->ended = TRUE;
    return n == 0 || errno == ECONNRESET || docker_hijack_broken(error, g_strerror(errno));
}

static gboolean turn(Session *session, GError **error)
{
    struct pollfd both[] = {
        {.fd = session->link.fd, .events = session->pending->len > 0 ? POLLIN | POLLOUT : POLLIN},
        {.fd = session->heard && session->pending->len == 0 ? session->session->input : -1,
         .events = POLLIN},
    };
    if (poll(both, G_N_ELEMENTS(both), session->owed ? OWED_MS : POLL_MS) <= 0)
        return TRUE;
    if (both[0].revents & POLLOUT)
        say(session);
    if ((both[0].revents & (POLLIN | POLLHUP | POLLERR)) && !receive(session, error))
        return FALSE;
    return both[1].revents == 0 || hear(session, error);
}

static gboolean talk(Session *session, const char *path, const char *body, GError **error)
{
    const Config *config = session->docker->config;
    session->deadline =
        g_get_monotonic_time() + (gint64)config->engine_create_ms * G_TIME_SPAN_MILLISECOND;
    session->heard = session->session->input >= 0;
    session->pending = g_string_new(NULL);
    if (!docker_hijack(session->docker, path, body, session->deadline, &session->link, error) ||
        !take(session, session->link.early->str, session->link.early->len, error))
        return FALSE;
    while (!session->ended && !session->left) {
        if (!interrupt_check(error))
            return FALSE;
        tell_size(session);
        if (!turn(session, error))
            return FALSE;
    }
    return session->left || docker_frames_end(&session->frames, error);
}

/* A program that fills its screen does so again when the screen's size changes. */
static void have_redrawn(Session *session)
{
    const EngineSession *wants = session->session;
    if (wants->resized && wants->resized(&session->rows, &session->columns, wants->data)) {
        resize(session, session->rows + 1);
        session->owed = TRUE;
    }
}

gboolean docker_attach(Engine *engine, const char *id, const EngineSession *wants, gboolean *left,
                       GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_auto(Session) session = {
        .docker = docker, .session = wants, .kind = "/containers/", .id = id, .link = {.fd = -1}};
    g_autofree gchar *keys = g_uri_escape_string(wants->detach_keys, NULL, FALSE);
    g_autofree gchar *rest =
        g_strconcat("/attach?stream=1&stdin=1&stdout=1&stderr=1&detachKeys=", keys, NULL);
    g_autofree gchar *path = docker_path("/containers/", id, rest);
    if (!docker_negotiated(docker, error))
        return FALSE;
    have_redrawn(&session);
    gboolean done = talk(&session, path, "", error);
    *left = session.left;
    return done;
}

gboolean docker_exec_session(Engine *engine, const char *id, const char *const *argv,
                             const EngineSession *wants, gboolean *left, gint *exit_code,
                             GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    DockerExecWish wish = {.argv = argv,
                           .input = wants->input >= 0,
                           .terminal = wants->resized != NULL,
                           .detach_keys = wants->detach_keys,
                           .user = ""};
    g_autofree gchar *exec_id = docker_exec_create(docker, id, &wish, error);
    if (!exec_id)
        return FALSE;
    g_auto(Session) session = {
        .docker = docker, .session = wants, .kind = "/exec/", .id = exec_id, .link = {.fd = -1}};
    g_autofree gchar *path = docker_path("/exec/", exec_id, "/start");
    g_autofree gchar *body =
        g_strdup_printf("{\"Detach\":false,\"Tty\":%s}", wish.terminal ? "true" : "false");
    gboolean done = talk(&session, path, body, error);
    *left = session.left;
    DockerExec exec;
    if (!done || session.left)
        return done;
    if (!docker_exec_exit(docker, exec_id, &exec, error))
        return FALSE;
    *exit_code = exec.exit_code;
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
#include "front_command.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_COMMANDS = 4,
    MAX_WORDS = 8192,             /* of one command's complaint */
    MAX_ANSWER = 4 * 1024 * 1024, /* what front_ask() returns */
    TICK_MS = 50,
    GRACE_US = 2 * G_USEC_PER_SEC, /* between the wish that a program ends, and its end */
    SSH_UNREACHABLE = 255,
};

/* One program of a pipeline. */
typedef struct {
    GPid pid;  /* 0 = it has ended */
    int words; /* its stderr, -1 = at its end */
    int status;
    GString *line, *sentence;
} Child;

typedef struct {
    const Front *front;
    Child children[MAX_COMMANDS];
    guint count;
    gint first_failed; /* which failed first, -1 = none */
} Pipeline;

/* ---- hosts ------------------------------------------------------------------------------------*/

/* Up to the first dot where one of the two names has none. */
static gboolean same_host(const char *a, const char *b)
{
    if (strchr(a, '.') && strchr(b, '.'))
        return g_ascii_strcasecmp(a, b) == 0;
    gsize length = strcspn(a, ".");
    return length == strcspn(b, ".") && g_ascii_strncasecmp(a, b, length) == 0;
}

gboolean front_is_here(const Front *front, const char *host)
{
    const char *own = front->config->transfer_front_end;
    return !host || same_host(host, strcmp(own, "auto") == 0 ? g_get_host_name() : own);
}

static gchar *quoted(const char *const *command)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (gsize i = 0; command[i]; i++) {
        g_autofree gchar *word = g_shell_quote(command[i]);
        g_string_append_printf(line, "%s%s", i > 0 ? " " : "", word);
    }
    return g_string_free(g_steal_pointer(&line), FALSE);
}

GStrv front_on_host(const Front *front, const char *host, const char *const *command)
{
    if (front_is_here(front, host))
        return g_strdupv((gchar **)command);
    g_autofree gchar *line = quoted(command);
    g_autofree gchar *patience =
        g_strdup_printf("ConnectTimeout=%" G_GUINT64_FORMAT, front->config->transfer_connect_s);
    const char *const ssh[] = {"ssh",
                               "-o",
                               "BatchMode=yes",
                               "-o",
                               patience,
                               "-o",
                               "ServerAliveInterval=15",
                               "-o",
                               "ServerAliveCountMax=4",
                               host,
                               line,
                               NULL};
    return g_strdupv((gchar **)ssh);
}

/* ---- what a program says ----------------------------------------------------------------------*/

/* How front ends of 6.0 and older are told of an error: the sentence stands between. */
static gboolean is_mark(const char *line)
{
    return strcmp(line, "ERROR MESSAGE --8<------") == 0 ||
           strcmp(line, "ERROR MESSAGE ------>8--") == 0;
}

static void take_line(Child *child, const char *line)
{
    if (g_str_has_prefix(line, "INFO: "))
        log_info("%s", line + strlen("INFO: "));
    else if (g_str_has_prefix(line, "WARN: "))
        log_warn("%s", line + strlen("WARN: "));
    else if (*line && !is_mark(line) && child->sentence->len < MAX_WORDS)
        g_string_append_printf(child->sentence, "%s%s", child->sentence->len ? " " : "", line);
}

static void take_words(Child *child, const char *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (bytes[i] != '\n' && child->line->len < MAX_WORDS) {
            g_string_append_c(child->line, bytes[i]);
            continue;
        }
        take_line(child, child->line->str);
        g_string_truncate(child->line, 0);
    }
}

static void hear(Child *child)
{
    char bytes[4096];
    gssize n = read(child->words, bytes, sizeof bytes);
    if (n > 0) {
        take_words(child, bytes, (gsize)n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        take_words(child, "\n", 1);
        close(child->words);
        child->words = -1;
    }
}

/* ---- a pipeline's life ------------------------------------------------------------------------*/

static void pipeline_clear(Pipeline *pipeline)
{
    for (guint i = 0; i < pipeline->count; i++) {
        Child *child = &pipeline->children[i];
        if (child->words >= 0)
            close(child->words);
        g_string_free(child->line, TRUE);
        g_string_free(child->sentence, TRUE);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pipeline, pipeline_clear)

static gboolean spawn(Pipeline *pipeline, GStrv command, int in, int out, GError **error)
{
    int words[2];
    if (pipe2(words, O_CLOEXEC) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make a pipe");
        return FALSE;
    }
    g_autoptr(GError) failure = NULL;
    Child *child = &pipeline->children[pipeline->count];
    gboolean done = g_spawn_async_with_pipes_and_fds(
        NULL, (const char *const *)command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
        NULL, NULL, in, out, words[1], NULL, NULL, 0, &child->pid, NULL, NULL, NULL, &failure);
    close(words[1]);
    if (!done) {
        close(words[0]);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "cannot run %s: %s", command[0],
                    failure->message);
        return FALSE;
    }
    child->words = words[0];
    child->line = g_string_new(NULL);
    child->sentence = g_string_new(NULL);
    pipeline->count++;
    return TRUE;
}

static gboolean start(Pipeline *pipeline, const GStrv *commands, guint count, int in, int out,
                      GError **error)
{
    autofd int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    autofd int from = dup(in >= 0 ? in : nothing);
    for (guint i = 0; i < count; i++) {
        int ends[2] = {-1, -1};
        if (i + 1 < count && pipe2(ends, O_CLOEXEC) < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make a pipe");
            return FALSE;
        }
        int to = i + 1 < count ? ends[1] : out >= 0 ? out : nothing;
        gboolean done = spawn(pipeline, commands[i], from, to, error);
        close(from);
        from = ends[0];
        if (ends[1] >= 0)
            close(ends[1]);
        if (!done)
            return FALSE;
    }
    return TRUE;
}

/* Notes which have ended; how many still run. */
static guint reap(Pipeline *pipeline)
{
    guint alive = 0;
    for (guint i = 0; i < pipeline->count; i++) {
        Child *child = &pipeline->children[i];
        int status = 0;
        if (child->pid == 0)
            continue;
        if (waitpid(child->pid, &status, WNOHANG) != child->pid) {
            alive++;
            continue;
        }
        child->pid = 0;
        child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (child->status != 0 && pipeline->first_failed < 0)
            pipeline->first_failed = (gint)i;
    }
    return alive;
}

static void end_all(Pipeline *pipeline)
{
    gint64 until = g_get_monotonic_time() + GRACE_US;
    for (int signal_number = SIGTERM; reap(pipeline) > 0; g_usleep(TICK_MS * 1000UL)) {
        for (guint i = 0; i < pipeline->count; i++)
            if (pipeline->children[i].pid > 0)
                kill(pipeline->children[i].pid, signal_number);
        if (g_get_monotonic_time() > until)
            signal_number = SIGKILL;
    }
}

/* Listens for a moment; TRUE while somebody may still say something. */
static gboolean listen_to(Pipeline *pipeline)
{
    struct pollfd fds[MAX_COMMANDS];
    guint open_ones = 0;
    for (guint i = 0; i < pipeline->count; i++) {
        fds[i] = (struct pollfd){.fd = pipeline->children[i].words, .events = POLLIN};
        open_ones += pipeline->children[i].words >= 0;
    }
    if (poll(fds, pipeline->count, TICK_MS) > 0)
        for (guint i = 0; i < pipeline->count; i++)
            if (fds[i].revents)
                hear(&pipeline->children[i]);
    return open_ones > 0;
}

/* An ssh that is kept as others' master holds on to stderr: the programs' ends decide. */
static gboolean see_through(Pipeline *pipeline, guint64 timeout_ms, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * G_TIME_SPAN_MILLISECOND;
    while (reap(pipeline) > 0) {
        listen_to(pipeline);
        if (!interrupt_check(error))
            return FALSE;
        if (g_get_monotonic_time() >= end) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "no end within %.0f s",
                        (double)timeout_ms / 1000);
            return FALSE;
        }
    }
    for (guint rounds = 0; rounds < 4 && listen_to(pipeline);)
        rounds++;
    return TRUE;
}

/* ---- failures ---------------------------------------------------------------------------------*/

static VmdockError code_of(int status)
{
    const char *name, *text;
    int row_status = 0;
    for (guint code = 0; vmdock_error_row(code, &name, &row_status, &text); code++)
        if (row_status == status && code != VMDOCK_ERROR_INTERRUPTED)
            return (VmdockError)code;
    return VMDOCK_ERROR_IO;
}

static void tell(const Child *child, GStrv command, GError **error)
{
    g_autofree gchar *words = vmdock_one_line(child->sentence->str, MAX_WORDS);
    if (child->status == SSH_UNREACHABLE && strcmp(command[0], "ssh") == 0)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it cannot be reached: %s",
                    *words ? words : "ssh does not say why");
    else if (*words)
        g_set_error_literal(error, VMDOCK_ERROR, (gint)code_of(child->status), words);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s ended with status %d", command[0],
                    child->status);
}

gboolean front_pipe(const Front *front, const GStrv *commands, guint count, int in, int out,
                    guint64 timeout_ms, const char *where, GError **error)
{
    g_auto(Pipeline) pipeline = {.front = front, .first_failed = -1};
    gboolean done = start(&pipeline, commands, count, in, out, error) &&
                    see_through(&pipeline, timeout_ms, error);
    if (!done)
        end_all(&pipeline);
    if (done && pipeline.first_failed >= 0) {
        tell(&pipeline.children[pipeline.first_failed], commands[pipeline.first_failed], error);
        done = FALSE;
    }
    if (!done && where)
        g_prefix_error(error, "%s: ", where);
    return done;
}

/* ---- one command ------------------------------------------------------------------------------*/

static gboolean run_one(const Front *front, const char *host, const char *const *command, int in,
                        int out, guint64 timeout_ms, GError **error)
{
    g_auto(GStrv) whole = front_on_host(front, host, command);
    return front_pipe(front, &whole, 1, in, out, timeout_ms, host, error);
}

gchar *front_ask(const Front *front, const char *host, const char *const *command,
                 guint64 timeout_ms, GError **error)
{
    autofd int fd = memfd_create("answer", MFD_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot keep an answer");
        return NULL;
    }
    if (!run_one(front, host, command, -1, fd, timeout_ms, error))
        return NULL;
    off_t length = lseek(fd, 0, SEEK_END);
    if (length < 0 || length > MAX_ANSWER) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "the answer of %s is too long",
                    command[0]);
        return NULL;
    }
    g_autofree gchar *text = g_malloc0((gsize)length + 1);
    if (pread(fd, text, (gsize)length, 0) == length)
        return g_steal_pointer(&text);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read an answer");
    return NULL;
}

gboolean front_do(const Front *front, const char *host, const char *const *command, GError **error)
{
    return run_one(front, host, command, -1, -1, front->config->transfer_command_ms, error);
}

gboolean front_carry(const Front *front, const char *host, const char *const *command, int in,
                     int out, GError **error)
{
    return run_one(front, host, command, in, out, front->config->transfer_ms, error);
}

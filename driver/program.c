// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include "autoptr.h"
#include "interrupt.h"
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_OUTPUT = 16 * 1024 * 1024, STREAMS = 2 };

/* What it says on one of its streams. */
typedef struct {
    int fd;
    GString *text;
} Ear;

/* Nothing of the caller's account decides what a program of root's does. */
static char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                    (char *)"LC_ALL=C", NULL};

/* Reads what is there; closes the stream at its end. */
static gboolean hear(Ear *ear, GError **error)
{
    char piece[4096];
    ssize_t n = read(ear->fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR)
        return TRUE;
    if (n < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read what it says");
        return FALSE;
    }
    if (n == 0) {
        close(ear->fd);
        ear->fd = -1;
    }
    g_string_append_len(ear->text, piece, n);
    if (ear->text->len <= MAX_OUTPUT)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it says more than %d bytes", MAX_OUTPUT);
    return FALSE;
}

static gboolean listen_until(Ear *ears, gint64 end, VmdockError late, GError **error)
{
    while (ears[0].fd >= 0 || ears[1].fd >= 0) {
        gint64 left = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
        if (left <= 0) {
            g_set_error(error, VMDOCK_ERROR, late, "it did not end in time");
            return FALSE;
        }
        struct pollfd wait[STREAMS] = {{.fd = ears[0].fd, .events = POLLIN},
                                       {.fd = ears[1].fd, .events = POLLIN}};
        if (poll(wait, STREAMS, (int)MIN(left, G_MAXINT)) <= 0)
            continue;
        for (guint i = 0; i < STREAMS; i++)
            if (wait[i].revents && !hear(&ears[i], error))
                return FALSE;
    }
    return TRUE;
}

/* A file that reads as TEXT. */
static int text_file(const char *text, GError **error)
{
    gsize length = strlen(text);
    autofd int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, text, length) == (ssize_t)length && lseek(fd, 0, SEEK_SET) == 0)
        return steal_fd(&fd);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot hand over its input");
    return -1;
}

static gboolean spawn(const char *const *argv, const char *input, pid_t *pid, int *streams,
                      GError **error)
{
    g_autoptr(GError) failure = NULL;
    autofd int in = input ? text_file(input, error) : -1;
    if (input && in < 0)
        return FALSE;
    if (g_spawn_async_with_pipes_and_fds("/", argv, (const char *const *)environment,
                                         G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH_FROM_ENVP,
                                         NULL, NULL, in, -1, -1, NULL, NULL, 0, pid, NULL,
                                         &streams[0], &streams[1], &failure))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "cannot run %s: %s", argv[0],
                failure->message);
    return FALSE;
}

/* What has closed its mouth may go on, and what was not heard to the end is killed at once. */
static gboolean await(pid_t pid, gboolean heard, gint64 end, VmdockError late, int *status,
                      GError **error)
{
    g_autoptr(GError) failure = NULL;
    interrupt_hold();
    gboolean ended = process_await(pid, heard ? end : 0, status, &failure);
    interrupt_allow();
    if (heard && !ended)
        g_set_error_literal(error, VMDOCK_ERROR, late, failure->message);
    return heard && ended;
}

gboolean program_run(const char *const *argv, const char *input, guint64 timeout_ms,
                     VmdockError late, gchar **out, gchar **words, int *status, GError **error)
{
    int streams[STREAMS] = {-1, -1};
    pid_t pid = 0;
    if (!spawn(argv, input, &pid, streams, error))
        return FALSE;
    g_autoptr(GString) printed = g_string_new(NULL);
    g_autoptr(GString) said = g_string_new(NULL);
    Ear ears[STREAMS] = {{streams[0], printed}, {streams[1], said}};
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * G_TIME_SPAN_MILLISECOND;
    gboolean heard = listen_until(ears, end, late, error);
    for (guint i = 0; i < STREAMS; i++)
        if (ears[i].fd >= 0)
            close(ears[i].fd);
    if (!await(pid, heard, end, late, status, error)) {
        g_prefix_error(error, "%s: ", argv[0]);
        return FALSE;
    }
    *out = g_string_free(g_steal_pointer(&printed), FALSE);
    *words = g_string_free(g_steal_pointer(&said), FALSE);
    return TRUE;
}

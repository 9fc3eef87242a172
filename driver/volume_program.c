// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

enum { MAX_WORDS = 4096, MAX_SENTENCE = 400, STEP_MS = 100 };

/* For the child, between fork and exec: plain system calls only. */
typedef struct {
    const gchar *groups[2]; /* files that take a process into the root cgroup; NULL */
} Escape;

/*
 * A session of the cloud's user ends with everything in its cgroup where logind is told so; the
 * server of a disk must not.
 */
static void escape(gpointer data)
{
    const Escape *way = data;
    for (guint i = 0; i < G_N_ELEMENTS(way->groups); i++) {
        int fd = way->groups[i] ? open(way->groups[i], O_WRONLY | O_CLOEXEC) : -1;
        if (fd >= 0) {
            ssize_t ignored = write(fd, "0", 1);
            (void)ignored;
            close(fd);
        }
    }
}

static gboolean spawn(char **argv, const int *fds, Escape *way, pid_t *pid, int *words,
                      GError **error)
{
    GError *failure = NULL;
    gsize count = 0;
    while (fds && fds[count] >= 0)
        count++;
    if (g_spawn_async_with_pipes_and_fds("/", (const gchar *const *)argv, NULL,
                                         G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL,
                                         way ? escape : NULL, way, -1, -1, -1, fds, fds, count, pid,
                                         NULL, NULL, words, &failure))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "cannot run %s: %s", argv[0],
                failure->message);
    g_error_free(failure);
    return FALSE;
}

/* Keeps what PROGRAM says on stderr until it closes it; FALSE when the time is over. */
static gboolean listen_until(int words, GString *said, gint64 end, GError **error)
{
    char piece[512];
    for (;;) {
        gint64 left = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
        if (!interrupt_check(error))
            return FALSE;
        if (left <= 0) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it did not end in time");
            return FALSE;
        }
        struct pollfd wait = {.fd = words, .events = POLLIN};
        if (poll(&wait, 1, (int)MIN(left, STEP_MS)) <= 0)
            continue;
        ssize_t n = read(words, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return TRUE;
        if (said->len < MAX_WORDS)
            g_string_append_len(said, piece, n);
    }
}

static gboolean judge(int status, const char *said, GError **error)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TRUE;
    g_autofree gchar *line = vmdock_one_line(said, MAX_SENTENCE);
    if (*g_strchomp(line))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s", line);
    else if (WIFSIGNALED(status))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it was ended by signal %d",
                    WTERMSIG(status));
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it ended with status %d",
                    WEXITSTATUS(status));
    return FALSE;
}

gboolean volume_program(const Config *config, char **argv, const int *fds, VolumeProgramFlags flags,
                        GError **error)
{
    pid_t pid;
    autofd int words = -1;
    int status = 0;
    g_autofree gchar *v2 = g_build_filename(config->cgroup_root, "cgroup.procs", NULL);
    g_autofree gchar *v1 = g_build_filename(config->cgroup_root, "systemd", "cgroup.procs", NULL);
    Escape way = {{v2, v1}};
    g_autoptr(GString) said = g_string_new(NULL);
    if (!spawn(argv, fds, flags & VOLUME_PROGRAM_DETACHED ? &way : NULL, &pid, &words, error))
        return FALSE;
    gboolean whole = flags & VOLUME_PROGRAM_WHOLE;
    gint64 end =
        whole ? G_MAXINT64
              : g_get_monotonic_time() + (gint64)config->disk_program_ms * G_TIME_SPAN_MILLISECOND;
    if (whole)
        interrupt_hold();
    gboolean heard = listen_until(words, said, end, error);
    /* What was not heard to the end is killed at once, and what has closed its mouth may go on. */
    gboolean ended = process_await(pid, heard ? end : 0, &status, heard ? error : NULL);
    if (whole)
        interrupt_allow();
    if (heard && ended && judge(status, said->str, error))
        return TRUE;
    g_prefix_error(error, "%s: ", argv[0]);
    return FALSE;
}

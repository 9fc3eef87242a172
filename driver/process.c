// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "samples.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    MAX_FILE = 16384,
    ROUNDS = 50, /* what forks while it is being ended is found in the next round */
    PAUSE_US = 10 * 1000,
    LOOK_MS = 100,    /* how long a wish to stop may go unseen */
    KILLED_MS = 5000, /* how long a killed process may take to end */
};

/* NULL when the process has gone. */
static gchar *read_of(gint pid, const char *name)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/%s", pid, name);
    return file_read(path, MAX_FILE, NULL, NULL);
}

guint64 process_start(gint pid)
{
    guint64 ticks = 0;
    g_autofree gchar *stat = pid > 0 ? read_of(pid, "stat") : NULL;
    return stat && cgroup_parse_start_ticks(stat, strlen(stat), &ticks) ? ticks : 0;
}

/* The session of a process that has not ended, 0 otherwise: "PID (name) STATE PPID GROUP SESSION".
 * The name may have anything in it. */
static gint session_of(gint pid)
{
    g_autofree gchar *stat = read_of(pid, "stat");
    const char *rest = stat ? strrchr(stat, ')') : NULL;
    g_auto(GStrv) words = rest ? g_strsplit(rest, " ", 6) : NULL;
    if (!words || g_strv_length(words) < 6 || g_str_equal(words[1], "Z") ||
        g_str_equal(words[1], "X"))
        return 0;
    return (gint)g_ascii_strtoll(words[4], NULL, 10);
}

typedef struct {
    gint session; /* 0: any */
    const char *container_id;
} Members;

static gboolean is_member(const Members *members, gint pid)
{
    gint session = session_of(pid);
    if (session == 0 || (members->session != 0 && session != members->session))
        return FALSE;
    g_autofree gchar *groups = read_of(pid, "cgroup");
    return groups && strstr(groups, members->container_id);
}

/* It is looked at once more when its number cannot become another process's any more. */
static gboolean kill_member(const Members *members, gint pid, GError **error)
{
    autofd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || !is_member(members, pid))
        return TRUE;
    if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0 || errno == ESRCH)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, errno, "cannot end process %d", pid);
    return FALSE;
}

/* One round over all processes; *found tells whether there were any. */
static gboolean kill_round(const Members *members, gboolean *found, GError **error)
{
    g_autoptr(GDir) folder = g_dir_open("/proc", 0, NULL);
    *found = FALSE;
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        gint pid = (gint)g_ascii_strtoll(name, NULL, 10);
        if (pid <= 0 || !is_member(members, pid))
            continue;
        *found = TRUE;
        if (!kill_member(members, pid, error))
            return FALSE;
    }
    return TRUE;
}

/* *ended is FALSE when some go on for all that. */
static gboolean kill_members(const Members *members, gboolean *ended, GError **error)
{
    gboolean found = TRUE;
    for (guint i = 0; found && i < ROUNDS; i++) {
        if (i > 0)
            g_usleep(PAUSE_US);
        if (!kill_round(members, &found, error))
            return FALSE;
    }
    *ended = !found;
    return TRUE;
}

gboolean process_kill_session(gint pid, const char *container_id, GError **error)
{
    Members members = {pid, container_id};
    gboolean ended = FALSE;
    if (!kill_members(&members, &ended, error))
        return FALSE;
    if (!ended)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL,
                    "the command's processes (session %d) do not end", pid);
    return ended;
}

gboolean process_kill_all(const char *container_id, GError **error)
{
    Members members = {0, container_id};
    gboolean ended = FALSE;
    if (!kill_members(&members, &ended, error))
        return FALSE;
    if (!ended)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL,
                    "the processes of the container %.12s do not end", container_id);
    return ended;
}

/* Waits at most MS for what PROCESS is a handle of, and takes its status. Without a handle (-1), it
 * looks again soon. */
static gboolean has_ended(int process, gint pid, int ms, int *status)
{
    struct pollfd ended = {.fd = process, .events = POLLIN};
    while (poll(&ended, 1, process < 0 ? MIN(ms, PAUSE_US / 1000) : ms) < 0 && errno == EINTR)
        continue;
    return waitpid(pid, status, WNOHANG) == pid;
}

static void put_an_end(int process, gint pid, int *status)
{
    gint64 until = g_get_monotonic_time() + (gint64)KILLED_MS * G_TIME_SPAN_MILLISECOND;
    kill(pid, SIGKILL);
    while (!has_ended(process, pid, LOOK_MS, status) && g_get_monotonic_time() < until)
        continue;
}

static gboolean out_of_time(gint64 end, gint64 *left_ms, GError **error)
{
    *left_ms = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
    if (*left_ms > 0)
        return FALSE;
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it did not end in time");
    return TRUE;
}

gboolean process_await(gint pid, gint64 until, int *status, GError **error)
{
    autofd int process = (int)syscall(SYS_pidfd_open, pid, 0);
    /* valgrind knows of no such handles. */
    if (process < 0 && errno != ENOSYS) {
        vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, errno, "cannot wait for process %d", pid);
        return FALSE;
    }
    gint64 left_ms = 0;
    while (!has_ended(process, pid, (int)MIN(left_ms, LOOK_MS), status)) {
        if (interrupt_check(error) && !out_of_time(until, &left_ms, error))
            continue;
        put_an_end(process, pid, status);
        return FALSE;
    }
    return TRUE;
}

/* The same for what is no child. */
static gboolean is_gone(int process, gint pid, int ms)
{
    struct pollfd ended = {.fd = process, .events = POLLIN};
    int found = poll(&ended, 1, process < 0 ? MIN(ms, PAUSE_US / 1000) : ms);
    return process < 0 ? kill(pid, 0) < 0 && errno == ESRCH : found > 0;
}

gboolean process_watch(gint pid, guint ms, const gint *given_up, gboolean *ended, GError **error)
{
    gint64 until = g_get_monotonic_time() + (gint64)ms * G_TIME_SPAN_MILLISECOND;
    autofd int process = (int)syscall(SYS_pidfd_open, pid, 0);
    *ended = process < 0 && errno == ESRCH;
    if (process < 0 && errno != ESRCH && errno != ENOSYS) {
        vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, errno, "cannot watch process %d", pid);
        return FALSE;
    }
    for (gint64 left = ms; !*ended && left > 0;
         left = (until - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND) {
        if (!interrupt_check(error))
            return FALSE;
        if (given_up && g_atomic_int_get(given_up))
            return TRUE;
        *ended = is_gone(process, pid, (int)MIN(left, LOOK_MS));
    }
    return TRUE;
}

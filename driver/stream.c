// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include "error.h"
#include "interrupt.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 100 };

static gboolean fail(GError **error, const char *verb, const char *what)
{
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot %s %s", verb, what);
    return FALSE;
}

/* Until FD is ready for EVENTS. */
static gboolean await(int fd, short events, guint64 stall_ms, const char *what, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)stall_ms * G_TIME_SPAN_MILLISECOND;
    for (;;) {
        struct pollfd one = {.fd = fd, .events = events};
        if (!interrupt_check(error))
            return FALSE;
        int ready = poll(&one, 1, POLL_MS);
        if (ready > 0)
            return TRUE;
        if (ready < 0 && errno != EINTR)
            return fail(error, "wait for", what);
        if (stall_ms && g_get_monotonic_time() >= end) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s stood still for %.1f s", what,
                        (double)stall_ms / 1000);
            return FALSE;
        }
    }
}

gssize stream_read(int fd, char *bytes, gsize room, guint64 stall_ms, const char *what,
                   GError **error)
{
    for (;;) {
        if (!await(fd, POLLIN, stall_ms, what, error))
            return -1;
        gssize n = read(fd, bytes, room);
        if (n >= 0)
            return n;
        if (errno != EINTR && errno != EAGAIN) {
            fail(error, "read", what);
            return -1;
        }
    }
}

gboolean stream_write(int fd, const char *bytes, gsize length, guint64 stall_ms, const char *what,
                      GError **error)
{
    struct stat st;
    /* A pipe that is ready takes this much without making us wait; a file always takes all. */
    gsize most = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? length : PIPE_BUF;
    while (length > 0) {
        if (!await(fd, POLLOUT, stall_ms, what, error))
            return FALSE;
        gssize n = write(fd, bytes, MIN(length, most));
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return fail(error, "write", what);
        if (n > 0) {
            bytes += n;
            length -= (gsize)n;
        }
    }
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
#include "shim.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of what is sent to a program as a core the limit keeps nothing back, but what is not dumpable is
 * sent nowhere. Of a program that does not run as root, /proc would then belong to somebody else.
 */
static void leave_no_core(void)
{
    static const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (geteuid() == 0)
        prctl(PR_SET_DUMPABLE, 0);
}

void shim_take_standard_files(void)
{
    leave_no_core();
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_FAILURE);
}

void shim_begin_as_root(const char *name)
{
    shim_take_standard_files();
    clearenv();
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setlocale(LC_ALL, "C.UTF-8");
    umask(0022);
    g_set_prgname(name);
    interrupt_install();
}

static gboolean write_out(const char *text, gsize length, GError **error)
{
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, text, length);
        if (n < 0 && errno == EINTR) {
            if (!interrupt_check(error))
                return FALSE;
            continue;
        }
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write the answer");
            return FALSE;
        }
        text += n;
        length -= (gsize)n;
    }
    return TRUE;
}

gboolean shim_print(const char *text, GError **error)
{
    return write_out(text, strlen(text), error);
}

gboolean shim_print_json(const json_t *json, GError **error)
{
    /* Foreign text must not steer a terminal: there everything beyond ASCII is escaped. */
    gsize ascii = isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0;
    char *text =
        json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) | ascii);
    g_autofree gchar *line = g_strconcat(text, "\n", NULL);
    free(text);
    return shim_print(line, error);
}

static gboolean read_all(int fd, const char *name, gsize max, GString *text, GError **error)
{
    char piece[65536];
    for (;;) {
        if (!interrupt_check(error))
            return FALSE;
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", name);
            return FALSE;
        }
        if (n == 0)
            return TRUE;
        if (text->len + (gsize)n > max) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        "%s is larger than %" G_GSIZE_FORMAT " bytes ([limits] xml_max_bytes)",
                        name, max);
            return FALSE;
        }
        g_string_append_len(text, piece, n);
    }
}

gchar *shim_read(const char *file, gsize max, gsize *length, GError **error)
{
    gboolean from_stdin = !file || strcmp(file, "-") == 0;
    autofd int fd = from_stdin ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s",
                           from_stdin ? "stdin" : file);
        return NULL;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    if (!read_all(fd, from_stdin ? "stdin" : file, max, text, error))
        return NULL;
    *length = text->len;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gint64 began;
static gboolean bar_open; /* on stderr's current line */

static void print_log(LogLevel level, const char *line, gpointer data G_GNUC_UNUSED)
{
    shim_progress_end();
    if (level == LOG_TRACE)
        g_printerr("%9.2f ms  %s\n", (double)(g_get_monotonic_time() - began) / 1000, line);
    else
        g_printerr("%s: %s\n", level == LOG_WARN ? "warning" : "note", line);
}

void shim_log_to_stderr(gboolean trace)
{
    began = g_get_monotonic_time();
    log_set_sink(print_log, trace ? LOG_TRACE : LOG_INFO, NULL);
}

gchar *shim_progress_text(const EnginePullProgress *at)
{
    const double mib = 1024 * 1024;
    double rate = at->seconds > 0 ? (double)at->current / at->seconds : 0;
    if (at->total == 0 && at->layers == 0) /* a stream, whose end is not known */
        return g_strdup_printf("%.1f MiB, %.1f MiB/s", (double)at->current / mib, rate / mib);
    double share = at->total > 0 ? (double)at->current / (double)at->total : 0;
    return g_strdup_printf("%.1f of %.1f MiB (%.0f %%), %.1f MiB/s, %u of %u layers",
                           (double)at->current / mib, (double)at->total / mib, MIN(share, 1) * 100,
                           rate / mib, at->layers_done, at->layers);
}

void shim_progress(const EnginePullProgress *at, gpointer data)
{
    enum { WIDTH = 24, LINE_EVERY_S = 5 };
    Progress *progress = data;
    g_autofree gchar *text = shim_progress_text(at);
    if (!progress->terminal) {
        if (at->seconds - progress->told >= LINE_EVERY_S) {
            progress->told = at->seconds;
            log_info("%s: %s", progress->verb ? progress->verb : "fetching", text);
        }
        return;
    }
    gsize full = at->total > 0 ? (gsize)(MIN(at->current, at->total) * WIDTH / at->total) : 0;
    char bar[WIDTH + 1];
    memset(bar, '.', WIDTH);
    memset(bar, '#', full);
    bar[WIDTH] = '\0';
    g_printerr("\r[%s] %s\033[K", bar, text);
    bar_open = TRUE;
}

void shim_progress_end(void)
{
    if (bar_open)
        g_printerr("\n");
    bar_open = FALSE;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The start script. It may take as long as it likes while the cloud waits for the deploy's answer,
 * so a process of its own runs it, which lives on when the action has ended.
 */
#include "context.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHELL "/bin/sh"

static gboolean find_shell(Host *host, const VmSpec *spec, const char *container_id)
{
    g_autoptr(GError) failure = NULL;
    gboolean there = FALSE;
    if (!engine_has_file(host->engine, container_id, SHELL, &there, &failure))
        log_warn("VM %s: its start script is not run: %s", spec->deploy_id, failure->message);
    else if (!there)
        log_warn("VM %s: its start script is not run: the image has no " SHELL, spec->deploy_id);
    return there;
}

void context_boot(Host *host, const VmSpec *spec, const char *container_id)
{
    const char *const argv[] = {VMDOCK_LIBEXECDIR "/vmdock-script", spec->deploy_id, container_id,
                                NULL};
    g_autoptr(GError) failure = NULL;
    if (!spec->context || !spec->context->script || !find_shell(host, spec, container_id))
        return;
    /* Not our child: it is nobody's to wait for. Nothing of our output is handed on, which the
     * cloud reads until the last holder of it has gone. */
    if (!g_spawn_async("/", (gchar **)argv, NULL,
                       G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL,
                       &failure))
        log_warn("VM %s: its start script is not run: %s", spec->deploy_id, failure->message);
}

/* ---- in that process --------------------------------------------------------------------------
 */

typedef struct {
    int fd;
    guint64 left; /* bytes that are kept */
    gboolean cut;
} Log;

static void log_bytes(Log *log, const char *bytes, gsize length)
{
    while (length > 0) {
        ssize_t n = write(log->fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        bytes += n;
        length -= (gsize)n;
    }
}

/* The first part of the output is kept, the rest read and thrown away. */
static gboolean keep(int stream G_GNUC_UNUSED, const char *bytes, gsize length, gpointer data,
                     GError **error G_GNUC_UNUSED)
{
    Log *log = data;
    gsize kept = (gsize)MIN(length, log->left);
    log_bytes(log, bytes, kept);
    log->left -= kept;
    log->cut = log->cut || kept < length;
    return TRUE;
}

static void log_text(Log *log, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void log_text(Log *log, const char *format, ...)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree gchar *time = g_date_time_format_iso8601(now);
    va_list args;
    va_start(args, format);
    g_autofree gchar *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree gchar *line = g_strdup_printf("[%s %s]\n", time, text);
    log_bytes(log, line, strlen(line));
}

static gboolean open_log(const Config *config, const char *deploy_id, Log *log, GError **error)
{
    g_autofree gchar *path = g_build_filename(config->state_dir, deploy_id, "script.log", NULL);
    log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    log->left = config->context_log_bytes;
    if (log->fd >= 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
    return FALSE;
}

gboolean context_run_script(Host *host, const char *deploy_id, const char *container_id,
                            GError **error)
{
    /* The variables are the script's environment, as OpenNebula's own packages have it. */
    const char *const argv[] = {
        SHELL,
        "-c",
        "cd \"$1\" && set -a && . ./context.sh && set +a && ./.start-script",
        "start-script",
        host->config->context_mount_point,
        NULL};
    Log log = {.fd = -1};
    gint status = 0;
    if (!open_log(host->config, deploy_id, &log, error))
        return FALSE;
    log_text(&log, "the start script begins");
    g_autoptr(GError) failure = NULL;
    gboolean done =
        engine_exec_root(host->engine, container_id, argv, host->config->context_script_s * 1000,
                         keep, &log, &status, &failure);
    if (log.cut)
        log_text(&log, "there was more output; it is not kept");
    if (done)
        log_text(&log, "the start script has ended with status %d", status);
    else
        log_text(&log, "the start script is ended: %s", failure->message);
    close(log.fd);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return done;
}

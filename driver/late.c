// SPDX-License-Identifier: Apache-2.0
#include "late.h"

#include "error.h"
#include "file.h"
#include "interrupt.h"

#include <glib/gstdio.h>

enum { PAUSE_US = 50 * 1000 };

static gchar *mark_path(const Config *config, const char *deploy_id)
{
    return g_build_filename(config->run_dir, LATE_FOLDER, deploy_id, NULL);
}

gboolean late_begins(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = mark_path(config, deploy_id);
    g_autofree gchar *folder = g_build_filename(config->run_dir, LATE_FOLDER, NULL);
    return file_make_folder(folder, 0700, error) && file_mark(path, error);
}

gboolean late_ended(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = mark_path(config, deploy_id);
    return file_remove(path, error);
}

gboolean late_is_possible(const GError *failure)
{
    return vmdock_error_is(failure, VMDOCK_ERROR_ENGINE_TIMEOUT) ||
           vmdock_error_is(failure, VMDOCK_ERROR_ENGINE_GARBLED) ||
           vmdock_error_is(failure, VMDOCK_ERROR_INTERRUPTED);
}

/* By when a container that was asked for is given up, in microseconds of the real time, which the
 * kernel gives files; 0 when none was. A clock that was set back makes nobody wait longer. */
static gint64 deadline(const Config *config, const char *deploy_id)
{
    GStatBuf status;
    g_autofree gchar *path = mark_path(config, deploy_id);
    if (g_stat(path, &status) < 0)
        return 0;
    gint64 asked = status.st_mtim.tv_sec * G_USEC_PER_SEC + status.st_mtim.tv_nsec / 1000;
    return MIN(asked, g_get_real_time()) + (gint64)config->engine_late_ms * G_TIME_SPAN_MILLISECOND;
}

EngineContainer *late_container(Host *host, const char *deploy_id, GError **error)
{
    gint64 until = deadline(host->config, deploy_id);
    for (;;) {
        GError *failure = NULL;
        EngineContainer *container = host_container(host, deploy_id, &failure);
        if (failure)
            g_propagate_error(error, failure);
        if (container || failure || g_get_real_time() >= until || !interrupt_check(error))
            return container;
        g_usleep(PAUSE_US);
    }
}

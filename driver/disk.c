// SPDX-License-Identifier: Apache-2.0
#include "disk.h"

#include "error.h"
#include "log.h"

#define DISK_TAG "disk.0"

gchar *disk_root_name(const char *deploy_id)
{
    return g_strconcat(DISK_NAME_PREFIX, deploy_id, ":" DISK_TAG, NULL);
}

static gboolean present(Host *host, const char *reference, gboolean *found, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *id = engine_image_id(host->engine, reference, &failure);
    *found = id != NULL;
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean fetch(Host *host, const VmSpec *spec, EnginePullFunc progress, gpointer data,
                      GError **error)
{
    gboolean found = FALSE;
    if (!present(host, spec->image, &found, error))
        return FALSE;
    if (found)
        return TRUE;
    log_info("VM %s: fetching image %s", spec->deploy_id, spec->image);
    gint64 began = g_get_monotonic_time();
    if (!engine_pull(host->engine, spec->image, progress, data, error)) {
        g_prefix_error(error, "image %s: ", spec->image);
        return FALSE;
    }
    log_info("VM %s: fetched image %s in %.1f s", spec->deploy_id, spec->image,
             (double)(g_get_monotonic_time() - began) / G_TIME_SPAN_SECOND);
    return TRUE;
}

static void refuse_no_image(const VmSpec *spec, const char *name, GError **error)
{
    if (spec->image_source)
        g_set_error(
            error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
            "disk 0 has no image: its SOURCE %s is no reference (docker://…) and the engine "
            "holds no %s",
            spec->image_source, name);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
                    "the VM has no disk 0 and no ONEDOCK_IMAGE, and the engine holds no %s", name);
}

gboolean disk_root_hold(Host *host, const VmSpec *spec, EnginePullFunc progress, gpointer data,
                        gboolean *held, GError **error)
{
    *held = FALSE;
    g_autofree gchar *name = disk_root_name(spec->deploy_id);
    gboolean found = FALSE;
    if (!present(host, name, &found, error))
        return FALSE;
    if (found)
        return TRUE;
    if (!spec->image) {
        refuse_no_image(spec, name, error);
        return FALSE;
    }
    if (!fetch(host, spec, progress, data, error))
        return FALSE;
    g_autofree gchar *repository = g_strconcat(DISK_NAME_PREFIX, spec->deploy_id, NULL);
    if (!engine_tag(host->engine, spec->image, repository, DISK_TAG, error)) {
        g_prefix_error(error, "cannot hold the image %s: ", spec->image);
        return FALSE;
    }
    *held = TRUE;
    return TRUE;
}

gboolean disk_root_release(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *name = disk_root_name(deploy_id);
    return engine_untag(host->engine, name, error);
}

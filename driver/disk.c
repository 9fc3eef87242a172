// SPDX-License-Identifier: Apache-2.0
#include "disk.h"

#include "error.h"
#include "log.h"
#include "state.h"

#define DISK_TAG "disk.0"

gchar *disk_root_name(const char *deploy_id)
{
    return g_strconcat(DISK_NAME_PREFIX, deploy_id, ":" DISK_TAG, NULL);
}

/* The id of the spec's image, fetched when the engine does not have it. */
static gchar *fetch(Host *host, const VmSpec *spec, EnginePullFunc progress, gpointer data,
                    GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *id = engine_image_id(host->engine, spec->image, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (id)
        return g_steal_pointer(&id);
    log_info("VM %s: fetching image %s", spec->deploy_id, spec->image);
    gint64 began = g_get_monotonic_time();
    if (!engine_pull(host->engine, spec->image, progress, data, error)) {
        g_prefix_error(error, "image %s: ", spec->image);
        return NULL;
    }
    log_info("VM %s: fetched image %s in %.1f s", spec->deploy_id, spec->image,
             (double)(g_get_monotonic_time() - began) / G_TIME_SPAN_SECOND);
    id = engine_image_id(host->engine, spec->image, &failure);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (!id)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
                    "image %s: it was removed as soon as it was fetched", spec->image);
    return g_steal_pointer(&id);
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

/* What is held wins over the spec's reference; who changed the reference should hear of it. */
static void tell_other_image(Host *host, const VmSpec *spec, const char *name, const char *held)
{
    if (!spec->image)
        return;
    g_autofree gchar *named = engine_image_id(host->engine, spec->image, NULL);
    if (named && !g_str_equal(named, held))
        log_warn("VM %s: disk 0 is the image that %s holds, not what %s is here now; purge the VM "
                 "to start from that",
                 spec->deploy_id, name, spec->image);
}

gchar *disk_root_hold(Host *host, const VmSpec *spec, EnginePullFunc progress, gpointer data,
                      gboolean *gave_name, GError **error)
{
    *gave_name = FALSE;
    g_autofree gchar *name = disk_root_name(spec->deploy_id);
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *held = engine_image_id(host->engine, name, &failure);
    if (held) {
        tell_other_image(host, spec, name, held);
        return g_steal_pointer(&held);
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (!spec->image) {
        refuse_no_image(spec, name, error);
        return NULL;
    }
    g_autofree gchar *id = fetch(host, spec, progress, data, error);
    if (!id)
        return NULL;
    g_autofree gchar *repository = g_strconcat(DISK_NAME_PREFIX, spec->deploy_id, NULL);
    if (!engine_tag(host->engine, id, repository, DISK_TAG, error)) {
        g_prefix_error(error, "cannot hold the image %s: ", spec->image);
        return NULL;
    }
    *gave_name = TRUE;
    return g_steal_pointer(&id);
}

gboolean disk_root_release(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *name = disk_root_name(deploy_id);
    return engine_untag(host->engine, name, error);
}

gboolean disk_root_release_fetched(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(VmSpec) spec = state_load(host->config, deploy_id, NULL);
    if (!spec || !spec->image)
        return TRUE;
    g_autofree gchar *name = disk_root_name(deploy_id);
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *held = engine_image_id(host->engine, name, &failure);
    g_autofree gchar *named = held ? engine_image_id(host->engine, spec->image, &failure) : NULL;
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return g_strcmp0(held, named) != 0 || !held || engine_untag(host->engine, name, error);
}

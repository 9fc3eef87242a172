// SPDX-License-Identifier: Apache-2.0
#include "disk.h"

#include "error.h"
#include "log.h"
#include "state.h"

#include <string.h>

gchar *disk_name(const char *deploy_id, const char *tag)
{
    return g_strconcat(DISK_NAME_PREFIX, deploy_id, ":", tag, NULL);
}

gchar *disk_root_name(const char *deploy_id)
{
    return disk_name(deploy_id, DISK_ROOT_TAG);
}

gchar *disk_repository(const char *deploy_id)
{
    return g_strconcat(DISK_NAME_PREFIX, deploy_id, NULL);
}

gboolean disk_name_give(Host *host, const char *deploy_id, const char *image, const char *tag,
                        GError **error)
{
    g_autofree gchar *repository = disk_repository(deploy_id);
    return engine_tag(host->engine, image, repository, tag, error);
}

gboolean disk_name_take(Host *host, const char *deploy_id, const char *tag, GError **error)
{
    g_autofree gchar *name = disk_name(deploy_id, tag);
    return engine_untag(host->engine, name, error);
}

gboolean disk_name_is_snapshot(const char *name)
{
    const char *tag = strrchr(name, ':');
    return tag &&
           (g_str_has_prefix(tag + 1, DISK_SNAPSHOT_PREFIX) || g_str_equal(tag + 1, DISK_SWAP_TAG));
}

gboolean disk_name_is_draft(const char *name)
{
    return g_str_has_suffix(name, ":" DISK_NOW_TAG) ||
           g_str_has_suffix(name, ":" ENGINE_COMMIT_TAG);
}

gboolean disk_name_drop(Host *host, const char *name, GError **error)
{
    if (!g_str_has_suffix(name, ":" ENGINE_COMMIT_TAG))
        return engine_untag(host->engine, name, error);
    g_autofree gchar *repository = g_strndup(name, strlen(name) - strlen(":" ENGINE_COMMIT_TAG));
    return engine_commit_clear(host->engine, repository, error);
}

gboolean disk_names_release(Host *host, const char *deploy_id, gboolean disks, GError **error)
{
    g_autofree gchar *prefix = disk_name(deploy_id, "");
    g_autoptr(GPtrArray) names = engine_image_names(host->engine, prefix, error);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        gboolean goes =
            disks || disk_name_is_snapshot(name) || g_str_has_suffix(name, ":" ENGINE_COMMIT_TAG);
        if (goes && !disk_name_drop(host, name, error))
            return FALSE;
    }
    return names != NULL;
}

gboolean disk_root_set(Host *host, const char *deploy_id, const char *image, GError **error)
{
    return disk_name_give(host, deploy_id, image, DISK_ROOT_TAG, error);
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

/* Whether it is BASE with something written on it: a disk that was moved, saved or reverted. */
static gboolean stands_on(Host *host, const char *image, const char *base)
{
    g_auto(GStrv) over = engine_image_layers(host->engine, image, NULL);
    g_auto(GStrv) under = engine_image_layers(host->engine, base, NULL);
    if (!over || !under || g_strv_length(over) <= g_strv_length(under))
        return FALSE;
    for (guint i = 0; under[i]; i++)
        if (!g_str_equal(over[i], under[i]))
            return FALSE;
    return TRUE;
}

/* What is held wins over the spec's reference; who changed the reference should hear of it. */
static void tell_other_image(Host *host, const VmSpec *spec, const char *name, const char *held)
{
    if (!spec->image)
        return;
    g_autofree gchar *named = engine_image_id(host->engine, spec->image, NULL);
    if (named && !g_str_equal(named, held) && !stands_on(host, held, named))
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
    /* An engine whose disk is full says no, and has the name all the same. */
    *gave_name = TRUE;
    if (!disk_root_set(host, spec->deploy_id, id, error)) {
        g_prefix_error(error, "cannot hold the image %s: ", spec->image);
        return NULL;
    }
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

// SPDX-License-Identifier: Apache-2.0
#include "swap.h"

#include "disk.h"
#include "error.h"
#include "file.h"
#include "log.h"

#include <string.h>

#define ASIDE ".old"

static gchar *aside_name(const char *deploy_id)
{
    return g_strconcat(deploy_id, ASIDE, NULL);
}

/*
 * An engine that was restarted under its containers (live-restore) does not find the network any
 * more of one whose runtime made none of the engine's, and refuses it another name for as long as
 * it runs.
 */
static gboolean rename_or_stop(Host *host, const EngineContainer *container, const char *name,
                               GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (engine_rename(host->engine, container->id, name, &failure))
        return TRUE;
    if (!host_runs(container) || !vmdock_error_is(failure, VMDOCK_ERROR_ENGINE_REFUSED)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return engine_kill(host->engine, container->id, error) &&
           engine_rename(host->engine, container->id, name, error);
}

static gchar *note_path(const Host *host, const char *deploy_id)
{
    return g_build_filename(host->config->state_dir, deploy_id, "swap", NULL);
}

gchar *swap_deploy_id(const char *name)
{
    if (!g_str_has_suffix(name, ASIDE))
        return NULL;
    g_autofree gchar *deploy_id = g_strndup(name, strlen(name) - strlen(ASIDE));
    return vm_id_valid(deploy_id) ? g_steal_pointer(&deploy_id) : NULL;
}

EngineContainer *swap_aside(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *name = aside_name(deploy_id);
    g_autoptr(EngineContainer) container = engine_inspect(host->engine, name, error);
    if (!container || g_strcmp0(container->name, name) != 0 ||
        !host_made_for(host->config, container, deploy_id))
        return NULL;
    return g_steal_pointer(&container);
}

/* The container in the VM's place, NULL without error when there is none. */
static gboolean look(Host *host, const char *deploy_id, EngineContainer **current,
                     EngineContainer **aside, GError **error)
{
    GError *failure = NULL;
    *current = host_container(host, deploy_id, &failure);
    *aside = failure ? NULL : swap_aside(host, deploy_id, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

gboolean swap_begin(Host *host, const char *deploy_id, const EngineContainer *container,
                    GError **error)
{
    g_autofree gchar *path = note_path(host, deploy_id);
    g_autofree gchar *name = aside_name(deploy_id);
    return file_replace(path, "", 0, 0600, error) && file_sync(path, error) &&
           disk_name_give(host, deploy_id, container->image_id, DISK_SWAP_TAG, error) &&
           rename_or_stop(host, container, name, error);
}

gboolean swap_hold(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = note_path(host, deploy_id);
    return file_remove(path, error);
}

gboolean swap_back(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(EngineContainer) current = NULL;
    g_autoptr(EngineContainer) aside = NULL;
    if (!look(host, deploy_id, &current, &aside, error))
        return FALSE;
    if (aside && ((current && !host_remove_container(host, current->id, error)) ||
                  !disk_root_set(host, deploy_id, aside->image_id, error) ||
                  !rename_or_stop(host, aside, deploy_id, error)))
        return FALSE;
    return disk_name_take(host, deploy_id, DISK_SWAP_TAG, error) &&
           swap_hold(host, deploy_id, error);
}

gboolean swap_clear(Host *host, const char *deploy_id, GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) aside = swap_aside(host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    return (!aside || host_remove_container(host, aside->id, error)) &&
           disk_name_take(host, deploy_id, DISK_SWAP_TAG, error);
}

static gboolean settle(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(EngineContainer) current = NULL;
    g_autoptr(EngineContainer) aside = NULL;
    if (!look(host, deploy_id, &current, &aside, error))
        return FALSE;
    if (!aside || !current || host_is_leftover(current)) {
        log_info("VM %s: taking back the change of its container, which was killed", deploy_id);
        return swap_back(host, deploy_id, error);
    }
    log_info("VM %s: its new container has run, the old one goes", deploy_id);
    return swap_hold(host, deploy_id, error) && swap_clear(host, deploy_id, error);
}

gboolean swap_pending(const Host *host, const char *deploy_id)
{
    g_autofree gchar *path = note_path(host, deploy_id);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

gboolean swap_settle(Host *host, const char *deploy_id, GError **error)
{
    if (!swap_pending(host, deploy_id) || settle(host, deploy_id, error))
        return TRUE;
    g_prefix_error(error,
                   "VM %s: cannot settle the change of its container that was killed: ", deploy_id);
    return FALSE;
}

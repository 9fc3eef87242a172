// SPDX-License-Identifier: Apache-2.0
/* Snapshots of disk 0: made as images, reverted to by a new container, given up by name. */
#include "actions.h"

#include "autoptr.h"
#include "boot.h"
#include "disk.h"
#include "engine_body.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "network.h"
#include "root_size.h"
#include "state.h"
#include "swap.h"
#include "volume.h"

#include <string.h>

enum { MAX_DIGITS = 9 };

/* The name of a snapshot comes back from the cloud: only what a create can have returned counts. */
static gboolean check_name(const char *snapshot, GError **error)
{
    const char *number = g_str_has_prefix(snapshot, DISK_SNAPSHOT_PREFIX)
                             ? snapshot + strlen(DISK_SNAPSHOT_PREFIX)
                             : "";
    gsize length = strlen(number);
    if (length > 0 && length <= MAX_DIGITS && strspn(number, "0123456789") == length)
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(snapshot, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is no snapshot's name", shown);
    return FALSE;
}

typedef gboolean (*SnapshotFunc)(Host *host, const char *deploy_id, const char *snapshot,
                                 GError **error);

static gboolean with_lock(Host *host, const char *deploy_id, const char *snapshot,
                          SnapshotFunc func, GError **error)
{
    g_autoptr(HostLock) lock =
        check_name(snapshot, error) ? host_lock(host, deploy_id, error) : NULL;
    return lock && host_about(deploy_id, func(host, deploy_id, snapshot, error), error);
}

/* ---- create ------------------------------------------------------------------------------------
 */

static gboolean create_locked(Host *host, const char *deploy_id, const char *snapshot,
                              GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (host_is_leftover(container)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                            "it has never run, so there is nothing to take a snapshot of");
        return FALSE;
    }
    /* The cloud gives a number again when it has forgotten the snapshot that had it. */
    if (!disk_name_take(host, deploy_id, snapshot, error))
        return FALSE;
    g_autofree gchar *repository = disk_repository(deploy_id);
    g_autofree gchar *image = engine_commit(host->engine, container->id, repository, snapshot,
                                            container->state == ENGINE_RUNNING, error);
    if (image && interrupt_check(error))
        return TRUE;
    /* Also of a commit that was cut off: it may have happened. */
    interrupt_hold();
    g_autoptr(GError) trouble = NULL;
    if (!disk_name_take(host, deploy_id, snapshot, &trouble))
        log_warn("VM %s: cannot take back the snapshot: %s", deploy_id, trouble->message);
    interrupt_allow();
    return FALSE;
}

gchar *vm_snapshot_create(Host *host, const char *deploy_id, guint number, GError **error)
{
    g_autofree gchar *snapshot = g_strdup_printf(DISK_SNAPSHOT_PREFIX "%u", number);
    if (!with_lock(host, deploy_id, snapshot, create_locked, error))
        return NULL;
    return g_steal_pointer(&snapshot);
}

/* ---- delete ------------------------------------------------------------------------------------
 */

static gboolean delete_locked(Host *host, const char *deploy_id, const char *snapshot,
                              GError **error)
{
    return disk_name_take(host, deploy_id, snapshot, error);
}

gboolean vm_snapshot_delete(Host *host, const char *deploy_id, const char *snapshot, GError **error)
{
    return with_lock(host, deploy_id, snapshot, delete_locked, error);
}

/* ---- revert ------------------------------------------------------------------------------------
 */

typedef struct {
    Host *host;
    const VmSpec *spec;
    const EngineContainer *old;
    Sandbox *sandbox;
} Revert;

/* As it was: after swap_back() it has its name again. */
static gboolean undo_kill(gpointer data, GError **error)
{
    const Revert *revert = data;
    Host *host = revert->host;
    const char *id = revert->old->id;
    g_autoptr(EngineContainer) now = host_container_needed(host, revert->spec->deploy_id, error);
    if (!now)
        return FALSE;
    if (host_runs(now))
        return TRUE;
    return volumes_down(host, revert->spec->deploy_id, error) &&
           boot_start(host, revert->spec, id, revert->sandbox, error) &&
           (revert->old->state != ENGINE_PAUSED || engine_pause(host->engine, id, error));
}

/* Of a VM that was stopped. */
static gboolean undo_disks(gpointer data, GError **error)
{
    const Revert *revert = data;
    return volumes_down(revert->host, revert->spec->deploy_id, error);
}

static gboolean undo_swap(gpointer data, GError **error)
{
    const Revert *revert = data;
    return swap_back(revert->host, revert->spec->deploy_id, error);
}

/* The id of the snapshot's image. */
static gchar *find_image(Host *host, const char *deploy_id, const char *snapshot, GError **error)
{
    g_autofree gchar *name = disk_name(deploy_id, snapshot);
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *image = engine_image_id(host->engine, name, &failure);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (!image)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
                    "there is no snapshot %s of it on this host", snapshot);
    return g_steal_pointer(&image);
}

/*
 * What the image declares as a volume is in no snapshot: the new container takes the old one's over
 * as they are, instead of beginning with empty ones.
 */
static json_t *make_body(const Revert *revert, const char *image)
{
    json_t *body = engine_body(revert->spec, revert->host->config, image);
    json_object_set_new(json_object_get(body, "HostConfig"), "VolumesFrom",
                        json_pack("[s]", revert->old->id));
    return body;
}

/* The new container takes the old one's place, and runs. */
static gboolean exchange(Revert *revert, const char *image, GError **error)
{
    Host *host = revert->host;
    const VmSpec *spec = revert->spec;
    g_autoptr(RootSize) size = root_size_ask(host->config, spec);
    if (!swap_begin(host, spec->deploy_id, revert->old, error))
        return FALSE;
    g_autoptr(json_t) body = make_body(revert, image);
    g_autofree gchar *id =
        root_size_create(size, host->engine, spec->deploy_id, image, body, error);
    return id && disk_root_set(host, spec->deploy_id, image, error) &&
           (!host_runs(revert->old) || engine_kill(host->engine, revert->old->id, error)) &&
           volumes_down(host, spec->deploy_id, error) &&
           boot_container(host, spec, id, revert->sandbox, error) && interrupt_check(error) &&
           swap_hold(host, spec->deploy_id, error);
}

static gboolean prepare(Revert *revert, Undo *network, GError **error)
{
    Host *host = revert->host;
    const char *deploy_id = revert->spec->deploy_id;
    /* A disk or a bridge that is gone is found while the VM still runs. */
    if (!volumes_check(host->config, revert->spec, error))
        return FALSE;
    if (host_runs(revert->old) && !sandbox_adopt(host->config, deploy_id, revert->old->pid, error))
        return FALSE;
    revert->sandbox = network_up(host, revert->spec, network, error);
    if (revert->sandbox && host_runs(revert->old))
        undo_commit(network);
    return revert->sandbox != NULL;
}

static gboolean run_revert(Revert *revert, const char *image, GError **error)
{
    g_autoptr(Undo) network = undo_new();
    if (!prepare(revert, network, error))
        return FALSE;
    g_autoptr(Undo) undo = undo_new();
    if (host_runs(revert->old))
        undo_push(undo, "the stop", undo_kill, revert, NULL);
    else
        undo_push(undo, "the disks", undo_disks, revert, NULL);
    undo_push(undo, "the change of the container", undo_swap, revert, NULL);
    if (!exchange(revert, image, error))
        return FALSE;
    undo_commit(undo);
    undo_commit(network);
    return TRUE;
}

/* What was asked for is done: a signal that comes now would only leave things behind. */
static void clear_old(Host *host, const char *deploy_id)
{
    g_autoptr(GError) trouble = NULL;
    interrupt_hold();
    if (!swap_clear(host, deploy_id, &trouble))
        log_warn("VM %s: its old container is left for gc: %s", deploy_id, trouble->message);
    interrupt_allow();
}

static gboolean revert_locked(Host *host, const char *deploy_id, const char *snapshot,
                              GError **error)
{
    g_autofree gchar *image = find_image(host, deploy_id, snapshot, error);
    g_autoptr(EngineContainer) old = image ? host_container_needed(host, deploy_id, error) : NULL;
    g_autoptr(VmSpec) spec = old ? state_load_needed(host->config, deploy_id, error) : NULL;
    if (!spec || !swap_clear(host, deploy_id, error))
        return FALSE;
    Revert revert = {.host = host, .spec = spec, .old = old};
    gboolean done = run_revert(&revert, image, error);
    if (revert.sandbox)
        sandbox_free(revert.sandbox);
    if (done)
        clear_old(host, deploy_id);
    return done;
}

gboolean vm_snapshot_revert(Host *host, const char *deploy_id, const char *snapshot, GError **error)
{
    return with_lock(host, deploy_id, snapshot, revert_locked, error);
}

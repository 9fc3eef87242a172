// SPDX-License-Identifier: Apache-2.0
/* attach_disk and detach_disk: a further disk comes to a VM that runs, and leaves it. */
#include "actions.h"

#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "state.h"
#include "undo.h"
#include "volume.h"

/* The VM that an action of this file works on. */
typedef struct {
    Host *host;
    const char *deploy_id;
    VmDisk *disk;
    EngineContainer *container;
    VmSpec *spec; /* the last applied one */
} Plugging;

static void plugging_clear(Plugging *plugging)
{
    g_clear_pointer(&plugging->disk, vm_disk_free);
    g_clear_pointer(&plugging->container, engine_container_free);
    g_clear_pointer(&plugging->spec, vm_spec_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Plugging, plugging_clear)

static gboolean look(Plugging *it, GError **error)
{
    it->container = host_container_needed(it->host, it->deploy_id, error);
    if (!it->container)
        return FALSE;
    it->spec = state_load_needed(it->host->config, it->deploy_id, error);
    return it->spec != NULL;
}

static gboolean undo_attach(gpointer data, GError **error)
{
    const Plugging *it = data;
    return volume_detach(it->host->config, it->deploy_id, it->disk, it->container->pid, error);
}

static void forget(VmSpec *spec, guint id)
{
    VmDisk *disk = vm_spec_disk(spec, id);
    if (disk)
        g_ptr_array_remove(spec->disks, disk);
}

static gint by_id(gconstpointer a, gconstpointer b)
{
    const VmDisk *mine = *(VmDisk *const *)a, *theirs = *(VmDisk *const *)b;
    return mine->id < theirs->id ? -1 : mine->id > theirs->id;
}

static gboolean save(const Plugging *it, Undo *undo, GError **error)
{
    const Config *config = it->host->config;
    return state_change(config, it->spec, undo, error) && state_sync(config, it->deploy_id, error);
}

/* One that the cloud knows by an id of its own has a number here, which it keeps. */
static void number(const Plugging *it)
{
    if (!it->disk->cloud_id)
        return;
    const VmDisk *had = vm_spec_volume(it->spec, it->disk->cloud_id);
    it->disk->id = had ? had->id : vm_spec_free_disk(it->spec);
}

/* For its next start; of what the disk holds nothing is known until then. */
static gboolean keep(Plugging *it, GError **error)
{
    g_autoptr(VmSpec) disks = vm_spec_new();
    g_ptr_array_add(disks->disks, vm_disk_copy(it->disk));
    g_autoptr(Undo) undo = undo_new();
    gboolean done = volumes_check(it->host->config, disks, error) && save(it, undo, error);
    volumes_release(it->host->config, disks);
    if (done)
        undo_commit(undo);
    return done;
}

static gboolean attach_locked(Plugging *it, gboolean stopped_too, GError **error)
{
    if (!look(it, error))
        return FALSE;
    if (!stopped_too && !host_runs(it->container)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it does not run");
        return FALSE;
    }
    number(it);
    forget(it->spec, it->disk->id);
    g_ptr_array_add(it->spec->disks, vm_disk_copy(it->disk));
    g_ptr_array_sort(it->spec->disks, by_id);
    if (!vm_spec_check(it->spec, error) || !interrupt_check(error))
        return FALSE;
    if (!host_runs(it->container))
        return keep(it, error);
    g_autoptr(Undo) undo = undo_new();
    if (!volume_attach(it->host->config, it->deploy_id, it->disk, it->container->pid, error))
        return FALSE;
    undo_push(undo, "the disk", undo_attach, it, NULL);
    if (!interrupt_check(error) || !save(it, undo, error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

/* The saved spec first: once the disk is gone there is nothing left that could fail. */
static gboolean detach_locked(Plugging *it, guint id, const char *cloud_id, GError **error)
{
    if (!look(it, error))
        return FALSE;
    const VmDisk *found =
        cloud_id ? vm_spec_volume(it->spec, cloud_id) : vm_spec_disk(it->spec, id);
    if (!found)
        return TRUE;
    g_autoptr(VmDisk) disk = vm_disk_copy(found);
    forget(it->spec, disk->id);
    g_autoptr(Undo) undo = undo_new();
    if (!save(it, undo, error) ||
        (host_runs(it->container) &&
         !volume_detach(it->host->config, it->deploy_id, disk, it->container->pid, error)))
        return FALSE;
    undo_commit(undo);
    g_autoptr(GError) trouble = NULL;
    if (!volume_file_drop_link(it->host->config, disk, &trouble))
        log_warn("VM %s: disk %u: %s", it->deploy_id, disk->id, trouble->message);
    return TRUE;
}

gboolean vm_attach_disk(Host *host, const char *deploy_id, const VmDisk *disk, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    g_auto(Plugging) it = {.host = host, .deploy_id = deploy_id, .disk = vm_disk_copy(disk)};
    return lock && host_about(deploy_id, attach_locked(&it, FALSE, error), error);
}

gboolean vm_detach_disk(Host *host, const char *deploy_id, guint id, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    g_auto(Plugging) it = {.host = host, .deploy_id = deploy_id};
    return lock && host_about(deploy_id, detach_locked(&it, id, NULL, error), error);
}

gboolean vm_attach_volume(Host *host, const char *deploy_id, const VmDisk *disk, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    g_auto(Plugging) it = {.host = host, .deploy_id = deploy_id, .disk = vm_disk_copy(disk)};
    return lock && host_about(deploy_id, attach_locked(&it, TRUE, error), error);
}

gboolean vm_detach_volume(Host *host, const char *deploy_id, const char *cloud_id, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    g_auto(Plugging) it = {.host = host, .deploy_id = deploy_id};
    return lock && host_about(deploy_id, detach_locked(&it, 0, cloud_id, error), error);
}

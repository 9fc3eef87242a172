// SPDX-License-Identifier: Apache-2.0
/* resize_disk: a disk of a VM that runs becomes larger. */
#include "actions.h"

#include "error.h"
#include "state.h"
#include "volume.h"

/*
 * The engine takes the size of a container's root when it makes the container, if its storage can
 * hold one at all, and changes it never.
 */
static gboolean refuse_root(GError **error)
{
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                        "disk 0 is the container's root, whose size the engine sets when it makes "
                        "the container and cannot change: attach a further disk, or save disk 0 as "
                        "an image (disk-saveas) and start a new VM of it with the SIZE wanted");
    return FALSE;
}

static gboolean resize_locked(Host *host, const char *deploy_id, guint disk_id, guint64 megabytes,
                              GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (disk_id == 0)
        return refuse_root(error);
    g_autoptr(VmSpec) spec = state_load_needed(host->config, deploy_id, error);
    if (!spec)
        return FALSE;
    const VmDisk *disk = vm_spec_disk(spec, disk_id);
    if (disk && host_runs(container))
        return volume_resize(host->config, deploy_id, disk, container->pid, megabytes << 20, error);
    if (disk)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it does not run");
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it has no disk %u", disk_id);
    return FALSE;
}

static gboolean resize_volume_locked(Host *host, const char *deploy_id, const char *cloud_id,
                                     guint64 megabytes, GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    g_autoptr(VmSpec) spec = container ? state_load_needed(host->config, deploy_id, error) : NULL;
    if (!spec)
        return FALSE;
    const VmDisk *disk = vm_spec_volume(spec, cloud_id);
    if (disk)
        return !host_runs(container) ||
               volume_resize(host->config, deploy_id, disk, container->pid, megabytes << 20, error);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it has no volume %s", cloud_id);
    return FALSE;
}

gboolean vm_resize_volume(Host *host, const char *deploy_id, const char *cloud_id,
                          guint64 megabytes, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock &&
           host_about(deploy_id, resize_volume_locked(host, deploy_id, cloud_id, megabytes, error),
                      error);
}

gboolean vm_resize_disk(Host *host, const char *deploy_id, guint disk_id, guint64 megabytes,
                        GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock &&
           host_about(deploy_id, resize_locked(host, deploy_id, disk_id, megabytes, error), error);
}

// SPDX-License-Identifier: Apache-2.0
/* purge: cancel, and then everything of the VM goes. */
#include "actions.h"

#include "disk.h"
#include "doomed.h"
#include "error.h"
#include "exec.h"
#include "filter.h"
#include "late.h"
#include "network.h"
#include "nic_libvirt.h"
#include "root_size.h"
#include "state.h"
#include "swap.h"
#include "volume.h"

/* The VM's container is found by name; one that is somebody else's is not touched. */
static gboolean remove_container(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = late_container(host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (!container)
        return TRUE;
    host_tell_end(host, container, deploy_id);
    return host_remove_container(host, container->id, error);
}

static gboolean purge_locked(Host *host, const char *deploy_id, GError **error)
{
    if (!remove_container(host, deploy_id, error) || !swap_clear(host, deploy_id, error) ||
        !volumes_clear(host->config, deploy_id, error) || !network_down(host, deploy_id, error))
        return FALSE;
    filter_clear(host->config, deploy_id);
    nic_libvirt_clear(host->config, deploy_id);
    return sandbox_map_forget(host->config, deploy_id, error) &&
           disk_names_release(host, deploy_id, TRUE, error) &&
           exec_forget(host->config, deploy_id, error) &&
           late_ended(host->config, deploy_id, error) &&
           doomed_forget(host->config, host->engine, deploy_id, error) &&
           state_remove(host->config, deploy_id, error);
}

gboolean vm_purge(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    if (!lock)
        return FALSE;
    gboolean done = purge_locked(host, deploy_id, error);
    root_size_recount(host->config);
    return host_about(deploy_id, done, error);
}

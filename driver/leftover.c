// SPDX-License-Identifier: Apache-2.0
#include "leftover.h"

#include "disk.h"
#include "doomed.h"
#include "exec.h"
#include "late.h"
#include "network.h"
#include "nic_libvirt.h"
#include "state.h"
#include "volume.h"

static gboolean clear_late(Host *host, const char *deploy_id, GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) late = late_container(host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    return !late || !host_is_leftover(late) || host_remove_container(host, late->id, error);
}

gboolean leftover_clear(Host *host, const char *deploy_id, const EngineContainer *container,
                        GError **error)
{
    if (!(container ? host_remove_container(host, container->id, error)
                    : clear_late(host, deploy_id, error)) ||
        !sandbox_map_forget(host->config, deploy_id, error) ||
        !volumes_clear(host->config, deploy_id, error) || !network_down(host, deploy_id, error))
        return FALSE;
    nic_libvirt_clear(host->config, deploy_id);
    return disk_root_release_fetched(host, deploy_id, error) &&
           exec_forget(host->config, deploy_id, error) &&
           late_ended(host->config, deploy_id, error) &&
           doomed_forget(host->config, host->engine, deploy_id, error) &&
           state_remove(host->config, deploy_id, error);
}

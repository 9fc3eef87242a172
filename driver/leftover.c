// SPDX-License-Identifier: Apache-2.0
#include "leftover.h"

#include "disk.h"
#include "doomed.h"
#include "exec.h"
#include "network.h"
#include "state.h"
#include "volume.h"

gboolean leftover_clear(Host *host, const char *deploy_id, const EngineContainer *container,
                        GError **error)
{
    if (container && !host_remove_container(host, container->id, error))
        return FALSE;
    return sandbox_map_forget(host->config, deploy_id, error) &&
           volumes_clear(host->config, deploy_id, error) && network_down(host, deploy_id, error) &&
           disk_root_release_fetched(host, deploy_id, error) &&
           exec_forget(host->config, deploy_id, error) &&
           doomed_forget(host->config, host->engine, deploy_id, error) &&
           state_remove(host->config, deploy_id, error);
}

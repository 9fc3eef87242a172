// SPDX-License-Identifier: Apache-2.0
/* pause and resume: every process of the container is frozen where it is, and goes on. */
#include "actions.h"

#include "error.h"

static gboolean freeze_locked(Host *host, const char *deploy_id, gboolean frozen, GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (container->state == (frozen ? ENGINE_PAUSED : ENGINE_RUNNING))
        return TRUE;
    if (container->state != (frozen ? ENGINE_RUNNING : ENGINE_PAUSED)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it does not run");
        return FALSE;
    }
    return frozen ? engine_pause(host->engine, container->id, error)
                  : engine_unpause(host->engine, container->id, error);
}

static gboolean freeze(Host *host, const char *deploy_id, gboolean frozen, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, freeze_locked(host, deploy_id, frozen, error), error);
}

gboolean vm_pause(Host *host, const char *deploy_id, GError **error)
{
    return freeze(host, deploy_id, TRUE, error);
}

gboolean vm_resume(Host *host, const char *deploy_id, GError **error)
{
    return freeze(host, deploy_id, FALSE, error);
}

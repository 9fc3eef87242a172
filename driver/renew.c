// SPDX-License-Identifier: Apache-2.0
/* renew: the VM's network becomes what the cloud says now. */
#include "actions.h"

#include "error.h"
#include "hotplug.h"
#include "interrupt.h"
#include "network.h"
#include "state.h"
#include "undo.h"

/* What it points to outlives its undo list. */
typedef struct {
    Host *host;
    const VmSpec *last;
} Renewal;

static gboolean undo_network(gpointer data, GError **error)
{
    const Renewal *renewal = data;
    return network_restore(renewal->host, renewal->last, error);
}

static gboolean renew_live(Renewal *renewal, VmSpec *spec, const EngineContainer *container,
                           Undo *undo, GError **error)
{
    Host *host = renewal->host;
    if (!sandbox_adopt(host->config, spec->deploy_id, container->pid, error) ||
        !vm_refresh_network(host, spec, error))
        return FALSE;
    undo_push(undo, "the change of the network", undo_network, renewal, NULL);
    return TRUE;
}

static gboolean renew_locked(Host *host, VmSpec *spec, GError **error)
{
    const Config *config = host->config;
    g_autoptr(EngineContainer) container = host_container_needed(host, spec->deploy_id, error);
    g_autoptr(VmSpec) last = container ? state_load_needed(config, spec->deploy_id, error) : NULL;
    if (!last)
        return FALSE;
    Renewal renewal = {host, last};
    g_autoptr(Undo) undo = undo_new();
    if ((host_runs(container) && !renew_live(&renewal, spec, container, undo, error)) ||
        !state_change(config, spec, undo, error) || !state_sync(config, spec->deploy_id, error) ||
        !interrupt_check(error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

gboolean vm_renew_network(Host *host, VmSpec *spec, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, spec->deploy_id, error);
    return lock && host_about(spec->deploy_id, renew_locked(host, spec, error), error);
}

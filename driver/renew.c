// SPDX-License-Identifier: Apache-2.0
/* renew: the VM's network becomes what the cloud says now. */
#include "actions.h"

#include "error.h"
#include "hotplug.h"
#include "interrupt.h"
#include "network.h"
#include "state.h"
#include "undo.h"

/* Everything it points to outlives the undo list. */
typedef struct {
    Host *host;
    VmSpec *last;
    GBytes *saved;
} Renewal;

static void renewal_clear(Renewal *renewal)
{
    g_clear_pointer(&renewal->last, vm_spec_free);
    g_clear_pointer(&renewal->saved, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Renewal, renewal_clear)

static gboolean undo_network(gpointer data, GError **error)
{
    const Renewal *renewal = data;
    return network_restore(renewal->host, renewal->last, error);
}

static gboolean undo_save(gpointer data, GError **error)
{
    const Renewal *renewal = data;
    const Config *config = renewal->host->config;
    const char *deploy_id = renewal->last->deploy_id;
    return state_restore(config, deploy_id, renewal->saved, error) &&
           state_sync(config, deploy_id, error);
}

static gboolean renew_live(Renewal *renewal, const VmSpec *spec, const EngineContainer *container,
                           Undo *undo, GError **error)
{
    Host *host = renewal->host;
    if (!sandbox_adopt(host->config, spec->deploy_id, container->pid, error) ||
        !vm_refresh_network(host, spec, error))
        return FALSE;
    undo_push(undo, "the change of the network", undo_network, renewal, NULL);
    return TRUE;
}

static gboolean renew_locked(Host *host, const VmSpec *spec, GError **error)
{
    const Config *config = host->config;
    g_auto(Renewal) renewal = {.host = host};
    g_autoptr(EngineContainer) container = host_container_needed(host, spec->deploy_id, error);
    renewal.last = container ? state_load_needed(config, spec->deploy_id, error) : NULL;
    renewal.saved = renewal.last ? state_read(config, spec->deploy_id, error) : NULL;
    if (!renewal.saved)
        return FALSE;
    g_autoptr(Undo) undo = undo_new();
    if (host_runs(container) && !renew_live(&renewal, spec, container, undo, error))
        return FALSE;
    undo_push(undo, "the saved spec", undo_save, &renewal, NULL);
    if (!state_save(config, spec, error) || !state_sync(config, spec->deploy_id, error) ||
        !interrupt_check(error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

gboolean vm_renew_network(Host *host, const VmSpec *spec, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, spec->deploy_id, error);
    if (!lock)
        return FALSE;
    if (renew_locked(host, spec, error))
        return TRUE;
    g_prefix_error(error, "VM %s: ", spec->deploy_id);
    return FALSE;
}

// SPDX-License-Identifier: Apache-2.0
/* reconfigure: a VM that runs is told what has changed of its context and its addresses. */
#include "actions.h"

#include "context.h"
#include "engine_body.h"
#include "error.h"
#include "hotplug.h"
#include "interrupt.h"
#include "log.h"
#include "network.h"
#include "nic_engine.h"
#include "nic_libvirt.h"
#include "policy.h"
#include "state.h"

/* One reconfigure on its way; everything it points to outlives its undo list. */
typedef struct {
    Host *host;
    VmSpec *spec;
    const VmSpec *last;
} Reconfigure;

static gboolean undo_network(gpointer data, GError **error)
{
    const Reconfigure *step = data;
    return network_restore(step->host, step->last, error);
}

static gboolean undo_context(gpointer data, GError **error)
{
    const Reconfigure *step = data;
    g_autoptr(VmContext) context = NULL;
    return context_refresh(step->host->config, step->last, &context, error);
}

/*
 * The front end reconfigures after each attach and detach of a NIC, and still describes the one
 * that was detached. Which NICs there are is said by these two actions, so SPEC keeps those of
 * the last applied spec alone; one that is not described any more stays as it was, and is taken
 * from DONOR, a copy of that spec.
 */
static void keep_plugged(VmSpec *spec, VmSpec *donor)
{
    for (guint i = spec->nics->len; i-- > 0;) {
        const VmNic *nic = spec->nics->pdata[i];
        if (!vm_nics_find(donor->nics, nic->id))
            g_ptr_array_remove_index(spec->nics, i);
    }
    for (guint i = donor->nics->len; i-- > 0;) {
        const VmNic *nic = donor->nics->pdata[i];
        if (!vm_nics_find(spec->nics, nic->id))
            g_ptr_array_add(spec->nics, g_ptr_array_steal_index(donor->nics, i));
    }
    vm_nics_sort(spec->nics);
}

static void tell_kept(const VmSpec *last, const VmSpec *spec)
{
    g_auto(GStrv) changed = engine_body_changed(last, spec);
    g_autofree gchar *list = g_strjoinv(", ", changed);
    if (changed[0])
        log_warn("VM %s: its container goes on with its old %s; only a new one can take the change",
                 spec->deploy_id, list);
}

static gboolean reconfigure_steps(Reconfigure *step, const EngineContainer *container, Undo *undo,
                                  GError **error)
{
    Host *host = step->host;
    VmSpec *spec = step->spec;
    g_autoptr(VmContext) context = NULL;
    undo_push(undo, "the change of the network", undo_network, step, NULL);
    if (!sandbox_adopt(host->config, spec->deploy_id, container->pid, error) ||
        !vm_refresh_network(host, spec, error))
        return FALSE;
    if (!state_change(host->config, spec, undo, error) ||
        !nic_engine_change(host, spec, step->last, undo, error))
        return FALSE;
    undo_push(undo, "the change of the context", undo_context, step, NULL);
    if (!context_refresh(host->config, spec, &context, error) ||
        !context_apply(host, spec, context, container->id, error) ||
        !state_sync(host->config, spec->deploy_id, error) || !interrupt_check(error))
        return FALSE;
    context_set_hostname(spec, container->pid);
    return TRUE;
}

static gboolean reconfigure_locked(Host *host, VmSpec *spec, GError **error)
{
    const char *deploy_id = spec->deploy_id;
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (!host_runs(container)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it does not run");
        return FALSE;
    }
    g_autoptr(VmSpec) last = state_load_needed(host->config, deploy_id, error);
    g_autoptr(VmSpec) donor = last ? vm_spec_copy(last, error) : NULL;
    if (!donor)
        return FALSE;
    keep_plugged(spec, donor);
    vm_nics_keep_addresses(spec->nics, last->nics);
    Reconfigure step = {host, spec, last};
    g_autoptr(Undo) undo = undo_new();
    /* A NIC that is plugged in may be described as one of another network. */
    if (!policy_check_networks(host->config, spec, error) ||
        !nic_libvirt_join(host->config, spec, NULL, last, undo, error) ||
        !reconfigure_steps(&step, container, undo, error))
        return FALSE;
    undo_commit(undo);
    nic_libvirt_settle(host->config, spec);
    tell_kept(last, spec);
    return TRUE;
}

gboolean vm_reconfigure(Host *host, VmSpec *spec, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, spec->deploy_id, error);
    return lock && host_about(spec->deploy_id, reconfigure_locked(host, spec, error), error);
}

// SPDX-License-Identifier: Apache-2.0
/* The methods that make, start, stop and remove a VM. */
#include "nova.h"

#include "driver/actions.h"
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/rescue.h"
#include "driver/state.h"
#include "driver/transfer.h"

enum { MAX_TIMEOUT_S = 3600 };

static gboolean is_true(const Nova *nova, const char *key)
{
    return json_is_true(json_object_get(nova->request, key));
}

/* ---- spawn ---- */

static gboolean make(Nova *nova, VmSpec *spec, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    g_autofree gchar *source = nova_image_source(nova, spec, error);
    if (!source || !transfer_hold(nova->host, spec->deploy_id, source, FALSE, silent, error))
        return FALSE;
    DeployHooks hooks = nova_hooks(nova);
    gboolean done = vm_deploy(nova->host, spec, &hooks, error) &&
                    (!json_is_false(json_object_get(nova->request, "power_on")) ||
                     vm_shutdown(nova->host, spec->deploy_id, -1, error));
    if (!done)
        nova_leave_nothing(nova, spec->deploy_id);
    return done;
}

/* A VM that is there already is not Nova's to spawn; one that runs is never taken away. */
static gboolean is_new(const Nova *nova, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = host_container(nova->host, deploy_id, &failure);
    if (container && host_runs(container))
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "VM %s: it runs already",
                    deploy_id);
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

gboolean nova_spawn(Nova *nova, GError **error)
{
    g_autoptr(VmSpec) spec = nova_requested_spec(nova, error);
    return spec && is_new(nova, spec->deploy_id, error) && make(nova, spec, error) &&
           nova_answer(json_object(), error);
}

/* ---- the others ---- */

typedef gboolean (*Plain)(Host *host, const char *deploy_id, GError **error);

static gboolean plain(Nova *nova, Plain action, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    return id && action(nova->host, id, error) && nova_answer(json_object(), error);
}

static gboolean has_volumes(Host *host, const char *deploy_id)
{
    g_autoptr(VmSpec) spec = state_load(host->config, deploy_id, NULL);
    return spec && spec->disks->len > 0;
}

/* Nova gives its volumes to somebody else next: they must have been written back. */
static gboolean destroy(Host *host, const char *deploy_id, GError **error)
{
    return (!rescue_has_left(host->config, deploy_id) || vm_unrescue(host, deploy_id, error)) &&
           (!has_volumes(host, deploy_id) || vm_cancel(host, deploy_id, error)) &&
           vm_purge(host, deploy_id, error);
}

gboolean nova_destroy(Nova *nova, GError **error)
{
    if (!plain(nova, destroy, error))
        return FALSE;
    nova_drop_transit(nova);
    return TRUE;
}

/* What actions that were killed or cut off have left, of all VMs of this engine; {"cleared":
 * [sentence, …]}. */
gboolean nova_sweep(Nova *nova, GError **error)
{
    g_autoptr(GPtrArray) found = vm_sweep(nova->host, error);
    if (!found)
        return FALSE;
    g_autoptr(json_t) cleared = json_array();
    for (guint i = 0; i < found->len; i++)
        json_array_append_new(cleared, json_string(found->pdata[i]));
    return nova_answer(json_pack("{s:O}", "cleared", cleared), error);
}

gboolean nova_pause(Nova *nova, GError **error)
{
    return plain(nova, vm_pause, error);
}

gboolean nova_unpause(Nova *nova, GError **error)
{
    return plain(nova, vm_resume, error);
}

/* The mark first: a VM that stands still without it would be one that was paused. */
gboolean nova_suspend(Nova *nova, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    g_autoptr(EngineContainer) container = id ? host_container_needed(nova->host, id, error) : NULL;
    if (!container || !state_mark(nova->config, id, NOVA_SUSPENDED, TRUE, error))
        return FALSE;
    if (vm_pause(nova->host, id, error))
        return nova_answer(json_object(), error);
    state_mark(nova->config, id, NOVA_SUSPENDED, FALSE, NULL);
    return FALSE;
}

static gboolean start(Nova *nova, GError **error)
{
    DeployHooks hooks = nova_hooks(nova);
    g_autoptr(VmSpec) spec = nova_saved_spec(nova, error);
    if (spec && rescue_is_on(nova->config, spec->deploy_id)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "VM %s: it is being rescued",
                    spec->deploy_id);
        return FALSE;
    }
    return spec && state_mark(nova->config, spec->deploy_id, NOVA_SUSPENDED, FALSE, error) &&
           vm_deploy(nova->host, spec, &hooks, error);
}

/* A VM that the host's reboot has stopped is started. */
gboolean nova_resume(Nova *nova, GError **error)
{
    return start(nova, error) && nova_answer(json_object(), error);
}

gboolean nova_power_on(Nova *nova, GError **error)
{
    return start(nova, error) && nova_answer(json_object(), error);
}

/* "timeout" in seconds; 0 kills at once. */
gboolean nova_power_off(Nova *nova, GError **error)
{
    const json_t *timeout = json_object_get(nova->request, "timeout");
    json_int_t seconds = json_is_integer(timeout) ? json_integer_value(timeout) : -1;
    g_autofree gchar *id = nova_id(nova, error);
    return id && vm_shutdown(nova->host, id, (gint)CLAMP(seconds, -1, MAX_TIMEOUT_S), error) &&
           state_mark(nova->config, id, NOVA_SUSPENDED, FALSE, error) &&
           nova_answer(json_object(), error);
}

/* What the flavor says; an action that broke off may have left other limits. */
static gboolean mend_limits(Nova *nova, VmSpec *spec, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!nova_take_limits(nova->request, spec, error))
        return FALSE;
    if (vm_resize(nova->host, spec, &failure))
        return TRUE;
    /* While it runs it may use more memory than it is to have. */
    if (vmdock_error_is(failure, VMDOCK_ERROR_STATE))
        return vm_cancel(nova->host, spec->deploy_id, error) && vm_resize(nova->host, spec, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

/* Neutron has something to say of NICs that are new to it. */
static gboolean start_anew(Nova *nova, VmSpec *spec, GError **error)
{
    DeployHooks hooks = nova_hooks(nova);
    return vm_cancel(nova->host, spec->deploy_id, error) &&
           vm_deploy(nova->host, spec, &hooks, error);
}

/* Whatever the VM has come to. */
static gboolean mend(Nova *nova, VmSpec *spec, GError **error)
{
    return (!rescue_has_left(nova->config, spec->deploy_id) ||
            vm_unrescue(nova->host, spec->deploy_id, error)) &&
           mend_limits(nova, spec, error) &&
           (is_true(nova, "wait") ? start_anew(nova, spec, error)
                                  : vm_renew_network(nova->host, spec, error) &&
                                        vm_reset(nova->host, spec->deploy_id, error));
}

/* "hard" also mends limits and network, ends a rescue, and starts what is stopped. */
gboolean nova_reboot(Nova *nova, GError **error)
{
    g_autoptr(VmSpec) spec = nova_saved_spec(nova, error);
    return spec && state_mark(nova->config, spec->deploy_id, NOVA_SUSPENDED, FALSE, error) &&
           (is_true(nova, "hard") ? mend(nova, spec, error)
                                  : vm_reboot(nova->host, spec->deploy_id, error)) &&
           nova_answer(json_object(), error);
}

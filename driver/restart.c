// SPDX-License-Identifier: Apache-2.0
/* reboot and reset: the container ends and starts again in the sandbox that it had. */
#include "actions.h"

#include "boot.h"
#include "context.h"
#include "error.h"
#include "interrupt.h"
#include "network.h"
#include "state.h"
#include "volume.h"

static gboolean halt(Host *host, const EngineContainer *container, const VmSpec *spec,
                     gboolean gently, GError **error)
{
    if (!gently)
        return engine_kill(host->engine, container->id, error);
    if (container->state == ENGINE_PAUSED && !engine_unpause(host->engine, container->id, error))
        return FALSE;
    gint timeout_s = spec->process.stop_timeout;
    return engine_stop(host->engine, container->id,
                       timeout_s >= 0 ? timeout_s : (gint)host->config->stop_timeout_s, error);
}

typedef struct {
    Host *host;
    const char *container_id;
    Sandbox *sandbox;
    const VmSpec *spec;
} Halted;

/* A restart that breaks off must not leave the VM stopped: whatever still runs of it ends now. */
static gboolean undo_halt(gpointer data, GError **error)
{
    const Halted *halted = data;
    Host *host = halted->host;
    return engine_kill(host->engine, halted->container_id, error) &&
           boot_start(host, halted->spec, halted->container_id, halted->sandbox, error);
}

static gboolean undo_boot(gpointer data, GError **error)
{
    const Halted *halted = data;
    return engine_kill(halted->host->engine, halted->container_id, error) &&
           volumes_down(halted->host, halted->spec->deploy_id, error);
}

static gboolean restart_locked(Host *host, const char *deploy_id, gboolean gently, GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    /* The front end does not send the XML again for these two. */
    g_autoptr(VmSpec) spec = state_load_needed(host->config, deploy_id, error);
    if (!spec)
        return FALSE;
    /* The engine cannot start a container whose context is gone; it is made as at the deploy. */
    g_autoptr(VmContext) context = NULL;
    if (!context_refresh(host->config, spec, &context, error))
        return FALSE;
    /* A bridge or a disk's file that is gone is found while the VM still runs. */
    if (!volumes_check(host->config, spec, error))
        return FALSE;
    if (host_runs(container) && !sandbox_adopt(host->config, deploy_id, container->pid, error))
        return FALSE;
    g_autoptr(Undo) network = undo_new();
    g_autoptr(Sandbox) sandbox = network_up(host, spec, network, error);
    if (!sandbox)
        return FALSE;
    Halted halted = {host, container->id, sandbox, spec};
    g_autoptr(Undo) undo = undo_new();
    if (host_runs(container)) {
        undo_commit(network);
        undo_push(undo, "the stop", undo_halt, &halted, NULL);
    } else {
        undo_push(undo, "the start", undo_boot, &halted, NULL);
    }
    if (!halt(host, container, spec, gently, error) || !interrupt_check(error))
        return FALSE;
    g_autoptr(GError) failure = NULL;
    gboolean booted = boot_container(host, spec, container->id, sandbox, &failure);
    if (booted)
        context_keep_hostname(host, spec, container);
    /* What dies at its start would die again: it is left as it is. */
    if (booted || vmdock_error_is(failure, VMDOCK_ERROR_DEAD)) {
        undo_commit(undo);
        undo_commit(network);
    }
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return booted;
}

static gboolean restart(Host *host, const char *deploy_id, gboolean gently, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, restart_locked(host, deploy_id, gently, error), error);
}

gboolean vm_reboot(Host *host, const char *deploy_id, GError **error)
{
    return restart(host, deploy_id, TRUE, error);
}

gboolean vm_reset(Host *host, const char *deploy_id, GError **error)
{
    return restart(host, deploy_id, FALSE, error);
}

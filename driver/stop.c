// SPDX-License-Identifier: Apache-2.0
/* shutdown and cancel: the container stops, its network goes, its writable layer stays. */
#include "actions.h"

#include "error.h"
#include "leftover.h"
#include "log.h"
#include "network.h"
#include "nic_engine.h"
#include "process.h"
#include "state.h"
#include "stray.h"
#include "volume.h"

static gint stop_seconds(Host *host, const char *deploy_id, gint asked)
{
    if (asked >= 0)
        return asked;
    g_autoptr(VmSpec) spec = state_load(host->config, deploy_id, NULL);
    if (spec && spec->process.stop_timeout >= 0)
        return spec->process.stop_timeout;
    return (gint)host->config->stop_timeout_s;
}

/* A frozen process cannot answer its stop signal. */
static gboolean thaw(Host *host, const EngineContainer *container, GError **error)
{
    return container->state != ENGINE_PAUSED || engine_unpause(host->engine, container->id, error);
}

/* For a sentence in a log, which no stop fails for. */
static void note_stop(Host *host, const char *deploy_id)
{
    g_autoptr(GError) failure = NULL;
    if (!state_mark(host->config, deploy_id, STATE_STOPPED, TRUE, &failure))
        log_trace("VM %s: %s", deploy_id, failure->message);
}

/*
 * A stop by the engine, which goes on clearing away after the container's first process has ended.
 * From then on nobody uses the VM's network: it goes meanwhile, unless the engine has a part in it.
 * What fails of that is done once more when the engine has answered, and told then.
 */
typedef struct {
    Host *host;
    const EngineContainer *container;
    gint timeout_s; /* NO_PATIENCE: it is killed */
    gint answered;  /* atomic */
    GError *error;
} Stopping;

enum { NO_PATIENCE = -1 };

static gpointer stop_thread(gpointer data)
{
    Stopping *stopping = data;
    Engine *engine = stopping->host->engine;
    const char *id = stopping->container->id;
    if (stopping->timeout_s == NO_PATIENCE)
        engine_kill(engine, id, &stopping->error);
    else
        engine_stop(engine, id, stopping->timeout_s, &stopping->error);
    g_atomic_int_set(&stopping->answered, TRUE);
    return NULL;
}

static gboolean stop_and_unplug(Host *host, const char *deploy_id, const EngineContainer *container,
                                gint timeout_s, GError **error)
{
    Stopping stopping = {.host = host, .container = container, .timeout_s = timeout_s};
    GThread *thread = g_thread_new("stop", stop_thread, &stopping);
    gboolean ended = FALSE;
    if (!nic_engine_owns(host->config, deploy_id) &&
        process_watch(container->pid, G_MAXUINT, &stopping.answered, &ended, NULL) && ended)
        network_down(host, deploy_id, NULL);
    g_thread_join(thread);
    if (!stopping.error)
        return TRUE;
    g_propagate_error(error, stopping.error);
    return FALSE;
}

static gboolean shutdown_locked(Host *host, const char *deploy_id, gint timeout_s, GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (host_runs(container)) {
        if (!thaw(host, container, error) ||
            !stop_and_unplug(host, deploy_id, container, stop_seconds(host, deploy_id, timeout_s),
                             error))
            return FALSE;
        note_stop(host, deploy_id);
    } else if (!stray_end(host->config, container->id, error)) {
        return FALSE;
    }
    return volumes_down(host, deploy_id, error) && network_down(host, deploy_id, error);
}

static gboolean cancel_locked(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    /* A container that never ran has nothing worth keeping. */
    if (!container || host_is_leftover(container))
        return leftover_clear(host, deploy_id, container, error);
    if (host_runs(container)) {
        if (!stop_and_unplug(host, deploy_id, container, NO_PATIENCE, error))
            return FALSE;
        note_stop(host, deploy_id);
    } else if (!stray_end(host->config, container->id, error)) {
        return FALSE;
    }
    return volumes_down(host, deploy_id, error) && network_down(host, deploy_id, error);
}

gboolean vm_shutdown(Host *host, const char *deploy_id, gint timeout_s, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, shutdown_locked(host, deploy_id, timeout_s, error), error);
}

gboolean vm_cancel(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, cancel_locked(host, deploy_id, error), error);
}

// SPDX-License-Identifier: Apache-2.0
#include "boot.h"

#include "autoptr.h"
#include "context.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "network.h"
#include "nic_engine.h"
#include "process.h"
#include "state.h"
#include "stray.h"
#include "volume.h"

#include <string.h>

enum { MAX_OUTPUT = 2000 };

static gboolean keep_output(int stream G_GNUC_UNUSED, const char *bytes, gsize length,
                            gpointer data, GError **error G_GNUC_UNUSED)
{
    GString *output = data;
    g_string_append_len(output, bytes, (gssize)length);
    if (output->len > MAX_OUTPUT)
        g_string_erase(output, 0, (gssize)(output->len - MAX_OUTPUT));
    return TRUE;
}

/* The last lines of output on one line, "" when there are none or they cannot be had. */
static gchar *last_output(Host *host, const VmSpec *spec, const char *container_id)
{
    g_autoptr(GString) output = g_string_new(NULL);
    if (host->config->boot_output_lines > 0)
        engine_logs(host->engine, container_id, spec->process.terminal,
                    (guint)host->config->boot_output_lines, FALSE, keep_output, output, NULL);
    g_autofree gchar *line = vmdock_one_line(output->str, MAX_OUTPUT);
    return *line ? g_strdup_printf("; its last output: %s", line) : g_strdup("");
}

/*
 * The process is watched itself: the engine hears of its end only some time later, and is asked
 * then how it ended. A container that does not run any more is asked for at once.
 */
static gboolean watch_process(Host *host, const char *container_id, gboolean *ended, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = engine_inspect(host->engine, container_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    *ended = TRUE;
    return !container || !host_runs(container) ||
           process_watch(container->pid, (guint)host->config->boot_watch_ms, NULL, ended, error);
}

static gboolean watch(Host *host, const VmSpec *spec, const char *container_id, GError **error)
{
    gboolean ended = FALSE, known = FALSE;
    gint status = 0;
    if (!watch_process(host, container_id, &ended, error))
        return FALSE;
    if (!ended)
        return TRUE;
    if (!engine_watch(host->engine, container_id, (guint)host->config->engine_request_ms, &known,
                      &status, error))
        return FALSE;
    g_autofree gchar *output = last_output(host, spec, container_id);
    if (known)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_DEAD,
                    "the container ended at once with status %d%s", status, output);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_DEAD,
                    "the container's first process ended at once, how the engine does not say%s",
                    output);
    return FALSE;
}

/* The disk is waited for in the time that the watch takes anyway. */
typedef struct {
    const Config *config;
    const char *deploy_id;
    GError *error;
} Syncing;

static gpointer sync_thread(gpointer data)
{
    Syncing *syncing = data;
    state_sync(syncing->config, syncing->deploy_id, &syncing->error);
    return NULL;
}

static gboolean watch_and_sync(Host *host, const VmSpec *spec, const char *container_id,
                               GError **error)
{
    Syncing syncing = {host->config, spec->deploy_id, NULL};
    GThread *thread = g_thread_new("sync", sync_thread, &syncing);
    gboolean alive = host->config->boot_watch_ms == 0 || watch(host, spec, container_id, error);
    g_thread_join(thread);
    if (alive && syncing.error) {
        g_propagate_error(error, syncing.error);
        return FALSE;
    }
    g_clear_error(&syncing.error);
    return alive;
}

static void limit_disks(Host *host, const VmSpec *spec, const Volumes *volumes,
                        const char *container_id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(EngineContainer) container = engine_inspect(host->engine, container_id, &error);
    if (error)
        log_warn("the I/O limits of the disks are not set: %s", error->message);
    if (error || !container || container->pid <= 0)
        return;
    volumes_limit(volumes, container->pid);
    if (vm_disk_limits_any(&spec->root_limits))
        volume_limit_root(host->config, spec->deploy_id, &spec->root_limits, container->layer,
                          container->pid);
}

/*
 * A program that is registered under the runtime's name and is another one starts containers as
 * well, in a network of their own: they do not stay.
 */
static gboolean check_joined(Host *host, const char *container_id, const Sandbox *sandbox,
                             GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (sandbox_map_served(host->config, container_id))
        return TRUE;
    g_autoptr(EngineContainer) container = engine_inspect(host->engine, container_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (!container || container->pid <= 0 || sandbox_holds(sandbox, container->pid))
        return TRUE; /* it has ended by now, and its record with it */
    engine_kill(host->engine, container_id, &failure);
    if (failure)
        log_warn("a container that is not in its VM's network goes on: %s", failure->message);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX,
                "the container is not in the VM's network: what the engine runs as \"%s\" is not "
                "vmdock-runtime; see vmdock doctor",
                host->config->runtime_name);
    return FALSE;
}

/* A start that has not come to its end is looked after by whoever meets the container next. */
static gboolean start(Host *host, const char *container_id, GError **error)
{
    const Config *config = host->config;
    return stray_end(config, container_id, error) &&
           stray_start_begins(config, container_id, error) &&
           engine_start(host->engine, container_id, error) &&
           stray_start_ended(config, container_id, error);
}

/* The engine's networks, and what the runtime is to know, and then the start. */
static gboolean try_start(Host *host, const VmSpec *spec, const char *container_id,
                          Sandbox *sandbox, const json_t *mounts, GError **error)
{
    gboolean plugs = FALSE;
    if (!nic_engine_prepare(host, spec, container_id, sandbox, &plugs, error) ||
        !sandbox_map_write(host->config, container_id, sandbox, plugs, mounts, error) ||
        !interrupt_check(error))
        return FALSE;
    if (start(host, container_id, error))
        return check_joined(host, container_id, sandbox, error) &&
               nic_engine_learn(host, spec, container_id, error);
    nic_engine_explain(spec, error);
    return FALSE;
}

/* An address that nobody asked for, and that has gone to somebody else meanwhile, keeps no VM down.
 */
static gboolean start_into(Host *host, const VmSpec *spec, const char *container_id,
                           Sandbox *sandbox, const json_t *mounts, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (try_start(host, spec, container_id, sandbox, mounts, &failure))
        return TRUE;
    g_autoptr(VmSpec) modest =
        vmdock_error_is(failure, VMDOCK_ERROR_DUPLICATE) ? nic_engine_without_learned(spec) : NULL;
    if (modest)
        return try_start(host, modest, container_id, sandbox, mounts, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

gboolean boot_start(Host *host, const VmSpec *spec, const char *container_id, Sandbox *sandbox,
                    GError **error)
{
    g_autoptr(Volumes) volumes = volumes_up(host->config, spec, error);
    if (!volumes)
        return FALSE;
    g_autoptr(json_t) mounts = volumes_mounts(volumes);
    if (!start_into(host, spec, container_id, sandbox, mounts, error) ||
        !state_mark(host->config, spec->deploy_id, STATE_STOPPED, FALSE, error))
        return FALSE;
    if (volumes_limited(volumes) || vm_disk_limits_any(&spec->root_limits))
        limit_disks(host, spec, volumes, container_id);
    return TRUE;
}

gboolean boot_container(Host *host, const VmSpec *spec, const char *container_id, Sandbox *sandbox,
                        GError **error)
{
    if (!boot_start(host, spec, container_id, sandbox, error))
        return FALSE;
    network_announce(sandbox, spec);
    g_autoptr(GError) failure = NULL;
    if (watch_and_sync(host, spec, container_id, &failure)) {
        context_boot(host, spec, container_id);
        return TRUE;
    }
    /* What has died needs no server for its disks. */
    g_autoptr(GError) trouble = NULL;
    if (vmdock_error_is(failure, VMDOCK_ERROR_DEAD) &&
        !volumes_down(host, spec->deploy_id, &trouble))
        log_warn("VM %s: %s", spec->deploy_id, trouble->message);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

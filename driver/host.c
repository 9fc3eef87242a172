// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include "doomed.h"
#include "engine_body.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "sandbox.h"
#include "state.h"
#include "stray.h"
#include "swap.h"

#include <unistd.h>

Host *host_open(const Config *config, GError **error)
{
    g_autoptr(Engine) engine = engine_open(config, error);
    if (!engine)
        return NULL;
    Host *host = g_new0(Host, 1);
    host->config = config;
    host->engine = g_steal_pointer(&engine);
    return host;
}

void host_free(Host *host)
{
    engine_free(host->engine);
    if (host->netlink)
        netlink_free(host->netlink);
    g_free(host);
}

Netlink *host_netlink(Host *host, GError **error)
{
    if (!host->netlink)
        host->netlink = netlink_open(error);
    return host->netlink;
}

struct HostLock {
    int fd;
    gchar *path;
    gchar *state; /* the folder of the VM's saved spec */
};

static HostLock *lock_within(const Host *host, const char *deploy_id, guint wait_ms, GError **error)
{
    if (!vm_id_valid(deploy_id)) {
        g_autofree gchar *shown = vmdock_one_line(deploy_id, 80);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "\"%s\" is no VM's deploy id", shown);
        return NULL;
    }
    g_autofree gchar *folder = g_build_filename(host->config->run_dir, "lock", NULL);
    if (!file_make_folder(folder, 0700, error))
        return NULL;
    g_autofree gchar *path = g_build_filename(folder, deploy_id, NULL);
    g_autofree gchar *what = g_strdup_printf("VM %s", deploy_id);
    int fd = file_lock(path, wait_ms, what, error);
    if (fd < 0)
        return NULL;
    HostLock *lock = g_new(HostLock, 1);
    lock->fd = fd;
    lock->path = g_steal_pointer(&path);
    lock->state = g_build_filename(host->config->state_dir, deploy_id, NULL);
    return lock;
}

HostLock *host_lock(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(HostLock) lock =
        lock_within(host, deploy_id, (guint)host->config->lock_wait_ms, error);
    return lock && swap_settle(host, deploy_id, error) ? g_steal_pointer(&lock) : NULL;
}

gboolean host_about(const char *deploy_id, gboolean done, GError **error)
{
    /* That there is no such VM names it already. */
    if (!done && error && !vmdock_error_is(*error, VMDOCK_ERROR_NO_VM))
        g_prefix_error(error, "VM %s: ", deploy_id);
    return done;
}

HostLock *host_try_lock(const Host *host, const char *deploy_id, GError **error)
{
    GError *failure = NULL;
    HostLock *lock = lock_within(host, deploy_id, 0, &failure);
    if (!lock && vmdock_error_is(failure, VMDOCK_ERROR_BUSY))
        g_clear_error(&failure);
    if (failure)
        g_propagate_error(error, failure);
    return lock;
}

void host_unlock(HostLock *lock)
{
    if (!g_file_test(lock->state, G_FILE_TEST_EXISTS))
        unlink(lock->path);
    close(lock->fd);
    g_free(lock->path);
    g_free(lock->state);
    g_free(lock);
}

gboolean host_made_for(const Config *config, const EngineContainer *container,
                       const char *deploy_id)
{
    const char *label = g_hash_table_lookup(container->labels, ENGINE_LABEL_VM);
    return g_strcmp0(label, deploy_id) == 0 &&
           g_strcmp0(container->runtime, config->runtime_name) == 0 &&
           g_strcmp0(container->cgroup_parent, config->cgroup_parent) == 0;
}

gboolean host_owns(const Config *config, const EngineContainer *container, const char *deploy_id)
{
    return g_strcmp0(container->name, deploy_id) == 0 &&
           host_made_for(config, container, deploy_id);
}

gboolean host_remove_container(Host *host, const char *container_id, GError **error)
{
    return engine_remove(host->engine, container_id, error) &&
           stray_end(host->config, container_id, error) &&
           sandbox_map_remove(host->config, container_id, error) &&
           doomed_remove(host->config, container_id, error);
}

gboolean host_is_leftover(const EngineContainer *container)
{
    return container->state == ENGINE_DEAD ||
           (container->state == ENGINE_CREATED && container->started == 0);
}

gboolean host_runs(const EngineContainer *container)
{
    return container->state == ENGINE_RUNNING || container->state == ENGINE_PAUSED ||
           container->state == ENGINE_RESTARTING;
}

void host_tell_end(const Host *host, const EngineContainer *container, const char *deploy_id)
{
    if (container->state != ENGINE_EXITED || container->started == 0 ||
        state_marked(host->config, deploy_id, STATE_STOPPED))
        return;
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(container->finished / G_USEC_PER_SEC);
    g_autofree gchar *when =
        utc && container->finished > 0 ? g_date_time_format(utc, " at %FT%TZ") : NULL;
    log_info("VM %s: its container ended%s with exit status %d%s", deploy_id, when ? when : "",
             container->exit_code, container->oom_killed ? ", out of memory" : "");
}

EngineContainer *host_container(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = engine_inspect(host->engine, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    /* The engine also finds containers by the beginning of their id. */
    if (!container || g_strcmp0(container->name, deploy_id) != 0)
        return NULL;
    if (host_owns(host->config, container, deploy_id)) {
        doomed_judge(host->config, container);
        return g_steal_pointer(&container);
    }
    g_set_error(
        error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
        "a container named %s is there (%.12s) and is not vmdock's: its runtime, cgroup parent "
        "or label is another; rename or remove it",
        deploy_id, container->id);
    return NULL;
}

EngineContainer *host_container_needed(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, &failure);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (!container)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "there is no VM %s on this host",
                    deploy_id);
    return g_steal_pointer(&container);
}

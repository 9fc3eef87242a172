// SPDX-License-Identifier: Apache-2.0
#include "actions.h"

#include "autoptr.h"
#include "boot.h"
#include "context.h"
#include "disk.h"
#include "doomed.h"
#include "engine_body.h"
#include "error.h"
#include "interrupt.h"
#include "late.h"
#include "log.h"
#include "network.h"
#include "nic_engine.h"
#include "nic_libvirt.h"
#include "policy.h"
#include "root_size.h"
#include "state.h"
#include "volume.h"

enum { LATE_PAUSE_US = 100 * 1000 }; /* between looks at what a killed deploy's request makes */

/* One deploy on its way; everything it points to outlives its undo list. */
typedef struct {
    Host *host;
    VmSpec *spec;
    VmSpec *last;       /* the last applied spec, NULL also when it cannot be read */
    gchar *id;          /* the container's */
    gboolean fresh;     /* the container was made by this deploy */
    VmContext *context; /* in force: the spec's with what its image adds; NULL = none */
} Deploy;

static void deploy_clear(Deploy *deploy)
{
    g_clear_pointer(&deploy->last, vm_spec_free);
    g_free(deploy->id);
    vm_context_free(deploy->context);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Deploy, deploy_clear)

static gboolean undo_hold(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    return disk_root_release(deploy->host, deploy->spec->deploy_id, error);
}

static gboolean undo_disks(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    return volumes_down(deploy->host, deploy->spec->deploy_id, error);
}

/* An engine that cannot be reached may still start what it was asked to start. */
static gboolean undo_create(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    if (host_remove_container(deploy->host, deploy->id, error))
        return TRUE;
    g_autoptr(GError) trouble = NULL;
    if (!doomed_add(deploy->host->config, deploy->id, deploy->spec->deploy_id, &trouble))
        log_warn("VM %s: nobody will remove its container: %s", deploy->spec->deploy_id,
                 trouble->message);
    return FALSE;
}

static gboolean undo_start(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    return engine_kill(deploy->host->engine, deploy->id, error);
}

static gboolean undo_update(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    g_autoptr(json_t) body = engine_update_body(deploy->last, deploy->host->config);
    return engine_update(deploy->host->engine, deploy->id, body, error);
}

static gboolean undo_network(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    return network_restore(deploy->host, deploy->last, error);
}

/* The folder itself goes with the saved spec where there was none before. */
static gboolean undo_context(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    g_autoptr(VmContext) context = NULL;
    return context_refresh(deploy->host->config, deploy->last, &context, error);
}

static gboolean undo_thaw(gpointer data, GError **error)
{
    const Deploy *deploy = data;
    return engine_pause(deploy->host->engine, deploy->id, error);
}

/* Its folder must be there before the container is made. */
static gboolean refresh_context(Deploy *deploy, Undo *undo, GError **error)
{
    if (deploy->last && !deploy->fresh)
        undo_push(undo, "the change of the context", undo_context, deploy, NULL);
    return context_refresh(deploy->host->config, deploy->spec, &deploy->context, error);
}

static gboolean was_told(const Deploy *deploy, const char *sentence)
{
    return deploy->last && g_ptr_array_find_with_equal_func(deploy->last->not_honoured, sentence,
                                                            g_str_equal, NULL);
}

/*
 * Says once what the XML asks for and this deploy does not give, and what a container that is kept
 * cannot take over.
 */
static void tell_not_honoured(const Deploy *deploy)
{
    const VmSpec *spec = deploy->spec;
    for (guint i = 0; i < spec->not_honoured->len; i++) {
        const char *sentence = g_ptr_array_index(spec->not_honoured, i);
        if (!was_told(deploy, sentence))
            log_warn("VM %s: %s", spec->deploy_id, sentence);
    }
    if (deploy->fresh || !deploy->last)
        return;
    g_auto(GStrv) changed = engine_body_changed(deploy->last, spec);
    if (!changed[0])
        return;
    g_autofree gchar *list = g_strjoinv(", ", changed);
    log_warn("VM %s: its container is kept and goes on with its old %s; only a new one can take "
             "the change",
             spec->deploy_id, list);
}

/* The engine makes the container in a thread, while this one builds the network. */
typedef struct {
    const Config *config;
    const char *name;
    const char *image;
    RootSize *size;
    json_t *body;
    gchar *id;
    GError *error;
} Creation;

/*
 * The name was free when this deploy looked, under the VM's lock: what has it now comes from the
 * request of a deploy that was killed. TRUE when it is worth trying again.
 */
static gboolean clear_late(const Creation *creation, Engine *engine)
{
    g_autoptr(GError) trouble = NULL;
    g_autoptr(EngineContainer) late = engine_inspect(engine, creation->name, &trouble);
    if (late)
        return host_owns(creation->config, late, creation->name) && host_is_leftover(late) &&
               engine_remove(engine, late->id, NULL);
    g_usleep(LATE_PAUSE_US); /* the engine still makes it */
    return !trouble;
}

/* From the mark on a signal waits for the answer: no mark stands for what was not asked for. */
static void create(Creation *creation, Engine *engine)
{
    g_clear_error(&creation->error);
    if (!interrupt_check(&creation->error))
        return;
    interrupt_patience_begin((guint)creation->config->engine_request_ms);
    if (late_begins(creation->config, creation->name, &creation->error))
        creation->id = root_size_create(creation->size, engine, creation->name, creation->image,
                                        creation->body, &creation->error);
    interrupt_patience_end();
}

static gpointer create_thread(gpointer data)
{
    Creation *creation = data;
    g_autoptr(Engine) engine = engine_open(creation->config, &creation->error);
    if (!engine)
        return NULL;
    gint64 deadline = g_get_monotonic_time() +
                      (gint64)creation->config->engine_request_ms * G_TIME_SPAN_MILLISECOND;
    create(creation, engine);
    while (!creation->id && vmdock_error_is(creation->error, VMDOCK_ERROR_STATE) &&
           g_get_monotonic_time() < deadline && clear_late(creation, engine))
        create(creation, engine);
    return NULL;
}

/*
 * A create that was cut off (time-out, interrupt, a broken connection) may still have happened: the
 * engine is asked by name, so that undo finds the container.
 */
static void find_cut_off(Deploy *deploy, Creation *creation)
{
    if (creation->id || vmdock_error_is(creation->error, VMDOCK_ERROR_NO_IMAGE) ||
        vmdock_error_is(creation->error, VMDOCK_ERROR_ENGINE_DOWN))
        return;
    interrupt_hold();
    g_autoptr(EngineContainer) left = host_container(deploy->host, deploy->spec->deploy_id, NULL);
    interrupt_allow();
    if (left)
        creation->id = g_strdup(left->id);
}

/*
 * IMAGE is its id: for a container made from a name, the engine resolves that name anew in every
 * listing, which makes a poll of many VMs several times as slow.
 */
static Sandbox *create_beside_network(Deploy *deploy, const char *image, RootSize *size, Undo *undo,
                                      GError **error)
{
    Host *host = deploy->host;
    g_autoptr(json_t) body = engine_body(deploy->spec, host->config, image);
    Creation creation = {.config = host->config,
                         .name = deploy->spec->deploy_id,
                         .image = image,
                         .size = size,
                         .body = body};
    GThread *thread = g_thread_new("create", create_thread, &creation);

    g_autoptr(GError) failure = NULL;
    network_clear_ports(host, deploy->spec);
    g_autoptr(Sandbox) sandbox = network_up(host, deploy->spec, undo, &failure);

    g_thread_join(thread);
    find_cut_off(deploy, &creation);
    deploy->id = creation.id;
    if (deploy->id)
        undo_push(undo, "the container", undo_create, deploy, NULL);
    if (deploy->id || !late_is_possible(creation.error))
        late_ended(host->config, deploy->spec->deploy_id, failure ? NULL : &failure);
    if (failure) {
        g_clear_error(&creation.error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (creation.error) {
        nic_engine_explain(deploy->spec, &creation.error);
        g_propagate_error(error, creation.error);
        return NULL;
    }
    return g_steal_pointer(&sandbox);
}

static gboolean boot(Deploy *deploy, const DeployHooks *hooks, Sandbox *sandbox, GError **error)
{
    return (!hooks->plugged || hooks->plugged(deploy->spec->deploy_id, hooks->data, error)) &&
           boot_container(deploy->host, deploy->spec, deploy->id, sandbox, error);
}

/* What its networks have said is saved with it. */
static gboolean finish_join(const Deploy *deploy, LibvirtJoin *join, GError **error)
{
    return nic_libvirt_finish(join, error) &&
           (!join || state_save(deploy->host->config, deploy->spec, error));
}

static gboolean deploy_new(Deploy *deploy, const DeployHooks *hooks, Undo *undo, GError **error)
{
    Host *host = deploy->host;
    deploy->fresh = TRUE;
    /* Saved before anything else is made: gc finds by it what a killed deploy leaves. */
    if (!state_change(host->config, deploy->spec, undo, error))
        return FALSE;
    LibvirtJoin *join = NULL;
    if (!nic_libvirt_begin(host->config, deploy->spec, NULL, deploy->last, undo, &join, error) ||
        !volumes_check(host->config, deploy->spec, error))
        return FALSE;
    undo_push(undo, "the disks", undo_disks, deploy, NULL);
    g_autoptr(RootSize) size = root_size_ask(host->config, deploy->spec);
    gboolean gave_name = FALSE;
    g_autofree gchar *image =
        disk_root_hold(host, deploy->spec, hooks->pull, hooks->data, &gave_name, error);
    if (gave_name)
        undo_push(undo, "the image's name", undo_hold, deploy, NULL);
    if (!image || !finish_join(deploy, join, error))
        return FALSE;
    tell_not_honoured(deploy);
    if (!refresh_context(deploy, undo, error))
        return FALSE;
    g_autoptr(Sandbox) sandbox = create_beside_network(deploy, image, size, undo, error);
    return sandbox && context_apply(host, deploy->spec, deploy->context, deploy->id, error) &&
           context_give(host, deploy->context, deploy->id, error) &&
           boot(deploy, hooks, sandbox, error);
}

/* A VM that runs and whose limits are the last applied ones is spared the request. */
static gboolean update_limits(Deploy *deploy, const EngineContainer *container, Undo *undo,
                              GError **error)
{
    g_autoptr(json_t) new = engine_update_body(deploy->spec, deploy->host->config);
    if (deploy->last) {
        g_autoptr(json_t) old = engine_update_body(deploy->last, deploy->host->config);
        if (host_runs(container) && json_equal(old, new))
            return TRUE;
        undo_push(undo, "the limits", undo_update, deploy, NULL);
    }
    if (engine_update(deploy->host->engine, deploy->id, new, error))
        return TRUE;
    g_prefix_error(error, "cannot change the limits: ");
    return FALSE;
}

/* A network that is there, of a VM that runs or died by itself, is brought back by an undo. */
static gboolean keep_network(Deploy *deploy, Undo *undo, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(Sandbox) sandbox =
        sandbox_open(deploy->host->config, deploy->spec->deploy_id, &failure);
    if (sandbox && deploy->last)
        undo_push(undo, "the change of the network", undo_network, deploy, NULL);
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean deploy_again(Deploy *deploy, const EngineContainer *container,
                             const DeployHooks *hooks, Undo *undo, GError **error)
{
    Host *host = deploy->host;
    deploy->id = g_strdup(container->id);
    host_tell_end(host, container, deploy->spec->deploy_id);
    if (!nic_libvirt_join(host->config, deploy->spec, NULL, deploy->last, undo, error))
        return FALSE;
    tell_not_honoured(deploy);
    /* The guest has them under these names, and the cloud numbers anew those it tells nothing of.
     */
    if (host_runs(container) && deploy->last)
        vm_nics_keep_names(deploy->spec->nics, deploy->last->nics);
    if (!update_limits(deploy, container, undo, error) ||
        (host_runs(container) &&
         !sandbox_adopt(host->config, deploy->spec->deploy_id, container->pid, error)) ||
        !keep_network(deploy, undo, error))
        return FALSE;
    if (!host_runs(container))
        network_clear_ports(host, deploy->spec);
    g_autoptr(Sandbox) sandbox = network_up(host, deploy->spec, undo, error);
    if (!sandbox ||
        (host_runs(container) && deploy->last &&
         !volumes_bring(host->config, deploy->last, deploy->spec, container, undo, error)) ||
        !state_change(host->config, deploy->spec, undo, error) ||
        !refresh_context(deploy, undo, error) ||
        !context_apply(host, deploy->spec, deploy->context, deploy->id, error))
        return FALSE;
    if (host_runs(container)) {
        if (container->state == ENGINE_PAUSED) {
            if (!engine_unpause(host->engine, deploy->id, error))
                return FALSE;
            undo_push(undo, "the thaw", undo_thaw, deploy, NULL);
        }
        const VmSpec *before = deploy->last ? deploy->last : deploy->spec;
        if (!nic_engine_change(host, deploy->spec, before, undo, error))
            return FALSE;
        network_announce(sandbox, deploy->spec);
        context_set_hostname(deploy->spec, container->pid);
        return state_sync(host->config, deploy->spec->deploy_id, error);
    }
    undo_push(undo, "the disks", undo_disks, deploy, NULL);
    undo_push(undo, "the start", undo_start, deploy, NULL);
    if (!boot(deploy, hooks, sandbox, error))
        return FALSE;
    context_keep_hostname(host, deploy->spec, container);
    return TRUE;
}

/* A NIC that was given no MAC keeps the one that it got with its first deploy; what runs with one
 * of the kernel's choice is left alone. */
static void give_macs(const Deploy *deploy, const EngineContainer *container)
{
    gboolean keep = container && host_runs(container);
    if (!deploy->last)
        nic_libvirt_take_macs(deploy->host->config, deploy->spec);
    vm_nics_give_macs(deploy->spec->nics, deploy->last ? deploy->last->nics : NULL, keep);
}

static gboolean deploy_locked(Host *host, VmSpec *spec, const DeployHooks *hooks, GError **error)
{
    g_auto(Deploy) deploy = {.host = host, .spec = spec};
    g_autoptr(Undo) undo = undo_new();
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, spec->deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (container && host_is_leftover(container)) {
        log_info("VM %s: removing the container that an unfinished action left", spec->deploy_id);
        if (!host_remove_container(host, container->id, error))
            return FALSE;
        g_clear_pointer(&container, engine_container_free);
    }
    g_autoptr(GError) unreadable = NULL;
    deploy.last = state_load(host->config, spec->deploy_id, &unreadable);
    if (unreadable)
        log_warn("VM %s: %s", spec->deploy_id, unreadable->message);
    give_macs(&deploy, container);
    vm_nics_keep_addresses(spec->nics, deploy.last ? deploy.last->nics : NULL);
    if (container ? !deploy_again(&deploy, container, hooks, undo, error)
                  : !deploy_new(&deploy, hooks, undo, error))
        return FALSE;
    if (!interrupt_check(error) ||
        (hooks->report && !hooks->report(spec->deploy_id, hooks->data, error)))
        return FALSE;
    undo_commit(undo);
    nic_libvirt_settle(host->config, spec);
    return TRUE;
}

static gboolean may_be_deployed(const Config *config, const VmSpec *spec, GError **error)
{
    if (!spec->refused)
        return policy_check(config, spec, error);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "VM %s: %s", spec->deploy_id,
                spec->refused);
    return FALSE;
}

gboolean vm_deploy(Host *host, VmSpec *spec, const DeployHooks *hooks, GError **error)
{
    static const DeployHooks none = {0};
    if (!may_be_deployed(host->config, spec, error))
        return FALSE;
    g_autoptr(HostLock) lock = host_lock(host, spec->deploy_id, error);
    return lock && host_about(spec->deploy_id,
                              deploy_locked(host, spec, hooks ? hooks : &none, error), error);
}

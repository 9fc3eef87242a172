// SPDX-License-Identifier: Apache-2.0
/* gc: what killed actions and containers removed behind vmdock's back have left on the host. */
#include "gc.h"

#include "actions.h"

#include "disk.h"
#include "doomed.h"
#include "engine_body.h"
#include "error.h"
#include "file.h"
#include "leftover.h"
#include "log.h"
#include "network.h"
#include "nic_filter.h"
#include "nic_libvirt_record.h"
#include "sandbox.h"
#include "spec_nova.h"
#include "state.h"
#include "stray.h"
#include "swap.h"
#include "volume.h"

#include <string.h>

enum { ID_LENGTH = 64, DRAFT_AGE_S = 60 };

typedef struct {
    Host *host;
    gboolean dry_run;
    GcDueFunc due; /* NULL: everything is looked at, and is due */
    gpointer data;
    GHashTable *containers; /* name -> EngineContainer of the listing */
    GHashTable *ids;        /* container id, a set */
    GPtrArray *names;       /* of images, gchar* */
    GHashTable *swapped;    /* deploy ids whose image of before a revert still has its name */
    GPtrArray *found;       /* sentences */
} Sweep;

static void sweep_clear(Sweep *sweep)
{
    g_clear_pointer(&sweep->containers, g_hash_table_unref);
    g_clear_pointer(&sweep->ids, g_hash_table_unref);
    g_clear_pointer(&sweep->names, g_ptr_array_unref);
    g_clear_pointer(&sweep->swapped, g_hash_table_unref);
    g_clear_pointer(&sweep->found, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sweep, sweep_clear)

static void note(Sweep *sweep, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void note(Sweep *sweep, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(sweep->found, g_strdup_vprintf(format, args));
    va_end(args);
}

static void list_containers(Sweep *sweep, GPtrArray *list)
{
    doomed_judge_all(sweep->host->config, list);
    for (guint i = 0; i < list->len; i++) {
        EngineContainer *container = g_ptr_array_index(list, i);
        g_hash_table_insert(sweep->containers, g_strdup(container->name), container);
        g_hash_table_add(sweep->ids, g_strdup(container->id));
    }
}

/* The ids that have snapshots. A name of a disk tells nothing: a transfer may hold one for a VM
 * that is not deployed yet. */
static gboolean add_snapshots(Sweep *sweep, GHashTable *ids, GError **error)
{
    GPtrArray *names = engine_image_names(sweep->host->engine, DISK_NAME_PREFIX, error);
    sweep->names = names;
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        const char *rest = name + strlen(DISK_NAME_PREFIX);
        if (!disk_name_is_snapshot(name))
            continue;
        g_autofree gchar *id = g_strndup(rest, strcspn(rest, ":"));
        if (g_str_has_suffix(name, ":" DISK_SWAP_TAG))
            g_hash_table_add(sweep->swapped, g_strdup(id));
        g_hash_table_add(ids, g_steal_pointer(&id));
    }
    return names != NULL;
}

static void add_ids(GHashTable *ids, const GPtrArray *list)
{
    for (guint i = 0; i < list->len; i++)
        g_hash_table_add(ids, g_strdup(list->pdata[i]));
}

/* The ids with a sandbox, a host end, rules in the packet filter, a state folder or a snapshot, and
 * of containers. */
static GHashTable *suspects(Sweep *sweep, GError **error)
{
    g_autoptr(GHashTable) ids = network_owners(sweep->host, error);
    if (!ids)
        return NULL;
    g_autoptr(GPtrArray) sandboxes = sandbox_list(sweep->host->config, error);
    g_autoptr(GPtrArray) states = sandboxes ? state_list(sweep->host->config, error) : NULL;
    if (!states)
        return NULL;
    g_autoptr(GPtrArray) volumes = volumes_list(sweep->host->config);
    g_autoptr(GPtrArray) filtered = nic_filter_owners(sweep->host->config);
    /* A probe waits for no libvirt that does not answer: what a purge could not free is gc's. */
    g_autoptr(GPtrArray) reserved = reservations_owners(sweep->host->config);
    if (!sweep->due)
        add_ids(ids, reserved);
    add_ids(ids, volumes);
    add_ids(ids, filtered);
    add_ids(ids, sandboxes);
    add_ids(ids, states);
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, sweep->containers);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        gchar *put_aside = swap_deploy_id(name);
        if (put_aside)
            g_hash_table_add(ids, put_aside);
        else if (vm_id_valid(name))
            g_hash_table_add(ids, g_strdup(name));
    }
    if (!add_snapshots(sweep, ids, error))
        return NULL;
    return g_steal_pointer(&ids);
}

/* What stands without a container. Looked at again under the VM's lock: a deploy may be on its way.
 */
static gboolean sweep_orphan(Sweep *sweep, const char *deploy_id, GError **error)
{
    note(sweep, "VM %s has no container: its links, sandbox, snapshots and saved spec %s",
         deploy_id, sweep->dry_run ? "would go" : "are gone");
    return sweep->dry_run || (leftover_clear(sweep->host, deploy_id, NULL, error) &&
                              disk_names_release(sweep->host, deploy_id, FALSE, error));
}

static gboolean sweep_unstarted(Sweep *sweep, const EngineContainer *container, GError **error)
{
    note(sweep, "VM %s has a container (%.12s) of an unfinished action: %s", container->name,
         container->id, sweep->dry_run ? "it would go" : "it is gone");
    return sweep->dry_run || leftover_clear(sweep->host, container->name, container, error);
}

/* A container that was put aside, and whose removal failed; or its image's name alone, where the
 * action was killed between the two. */
static gboolean sweep_aside(Sweep *sweep, const char *deploy_id, GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) aside = swap_aside(sweep->host, deploy_id, &failure);
    if (failure)
        g_propagate_error(error, failure);
    if (failure || (!aside && !g_hash_table_contains(sweep->swapped, deploy_id)))
        return !failure;
    g_autofree gchar *image = disk_name(deploy_id, DISK_SWAP_TAG);
    note(sweep, "%s is the %s that VM %s had before: it %s", aside ? aside->name : image,
         aside ? "container" : "image", deploy_id, sweep->dry_run ? "would go" : "is gone");
    return sweep->dry_run || swap_clear(sweep->host, deploy_id, error);
}

/* A VM that ended by itself: nobody has taken its network down, and its addresses still answer. */
static gboolean sweep_ended(Sweep *sweep, const EngineContainer *container, GError **error)
{
    note(sweep, "VM %s has ended by itself: its links and sandbox are gone", container->name);
    return network_down(sweep->host, container->name, error);
}

/* A VM that ended by itself leaves the servers of its qcow2 disks. */
static gboolean sweep_volumes(Sweep *sweep, const char *deploy_id, GError **error)
{
    if (!volumes_left(sweep->host->config, deploy_id))
        return TRUE;
    note(sweep, "VM %s does not run: what served its disks %s", deploy_id,
         sweep->dry_run ? "would go" : "is gone");
    return sweep->dry_run || volumes_down(sweep->host, deploy_id, error);
}

/* A start that broke off, and that the engine may have lost. */
static gboolean sweep_start(Sweep *sweep, const EngineContainer *container, GError **error)
{
    const Config *config = sweep->host->config;
    if (!stray_suspected(config, container->id))
        return TRUE;
    note(sweep, "a start of VM %s has broken off: what is left of it %s", container->name,
         sweep->dry_run ? "would go" : "is gone");
    return sweep->dry_run || stray_end(config, container->id, error);
}

static gboolean has_sandbox(const Sweep *sweep, const char *deploy_id)
{
    g_autofree gchar *path = g_build_filename(sweep->host->config->netns_dir, deploy_id, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean has_rules(const Sweep *sweep, const char *deploy_id)
{
    g_auto(GStrv) ports = nic_filter_ports(sweep->host->config, deploy_id);
    return ports != NULL;
}

/* A VM was stopped, and the packet filter could not be changed then. */
static gboolean sweep_rules(Sweep *sweep, const char *deploy_id, GError **error)
{
    if (has_sandbox(sweep, deploy_id) || !has_rules(sweep, deploy_id))
        return TRUE;
    note(sweep, "VM %s does not run: the rules of its NICs %s", deploy_id,
         sweep->dry_run ? "would go" : "are gone");
    return sweep->dry_run || nic_filter_keep(sweep->host->config, deploy_id, NULL, error);
}

static gboolean sweep_attaching(Sweep *sweep, const char *deploy_id, GError **error)
{
    gboolean found = FALSE;
    if (!volumes_tidy(sweep->host->config, deploy_id, sweep->dry_run, &found, error))
        return FALSE;
    if (found)
        note(sweep,
             "VM %s was given a disk, or had one taken away, by an action that was killed: "
             "what is left of it on the host %s",
             deploy_id, sweep->dry_run ? "would go" : "is gone");
    return TRUE;
}

static gboolean sweep_vm(Sweep *sweep, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(HostLock) lock = host_try_lock(sweep->host, deploy_id, &failure);
    if (!lock) {
        if (!failure)
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (swap_pending(sweep->host, deploy_id)) {
        g_hash_table_remove(sweep->swapped, deploy_id);
        note(sweep, "VM %s was given another container by an action that was killed: it %s",
             deploy_id, sweep->dry_run ? "would be settled" : "is settled");
    }
    if (sweep->dry_run ? swap_pending(sweep->host, deploy_id)
                       : !swap_settle(sweep->host, deploy_id, error))
        return sweep->dry_run;
    if (!sweep_aside(sweep, deploy_id, error))
        return FALSE;
    g_autoptr(EngineContainer) container = host_container(sweep->host, deploy_id, &failure);
    if (!container && !failure)
        return sweep_orphan(sweep, deploy_id, error);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (host_is_leftover(container))
        return sweep_unstarted(sweep, container, error);
    if (host_runs(container))
        return sweep_attaching(sweep, deploy_id, error);
    if (!sweep_start(sweep, container, error))
        return FALSE;
    if (sweep->due && container->state == ENGINE_EXITED && !sweep_ended(sweep, container, error))
        return FALSE;
    return sweep_volumes(sweep, deploy_id, error) && sweep_rules(sweep, deploy_id, error);
}

/* Map and record files of containers that the engine no longer has. */
static gboolean sweep_files(Sweep *sweep, const char *root, const char *kind, GError **error)
{
    g_autofree gchar *folder = g_build_filename(root, kind, NULL);
    g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
    if (!files)
        return TRUE;
    for (const char *name; (name = g_dir_read_name(files));) {
        /* Anything else is a file on its way to its name. */
        if (strlen(name) != ID_LENGTH || g_hash_table_contains(sweep->ids, name))
            continue;
        g_autoptr(GError) failure = NULL;
        g_autoptr(EngineContainer) container = engine_inspect(sweep->host->engine, name, &failure);
        if (failure) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        if (container)
            continue;
        g_autofree gchar *path = g_build_filename(folder, name, NULL);
        note(sweep, "%s belongs to no container: it %s", path,
             sweep->dry_run ? "would go" : "is gone");
        if (!sweep->dry_run &&
            (!stray_end(sweep->host->config, name, error) || !file_remove(path, error)))
            return FALSE;
    }
    return TRUE;
}

/* What was being written when its writer was killed. */
static gboolean sweep_drafts(const Sweep *sweep, GError **error)
{
    static const char *const in_run[] = {"", "sandbox", "runtime", "exec", "monitor"};
    static const char *const in_state[] = {"", "container", DOOMED_FOLDER};
    const Config *config = sweep->host->config;
    gboolean done = TRUE;
    for (gsize i = 0; done && i < G_N_ELEMENTS(in_run); i++) {
        g_autofree gchar *folder = g_build_filename(config->run_dir, in_run[i], NULL);
        done = file_sweep_drafts(folder, DRAFT_AGE_S, error);
    }
    for (gsize i = 0; done && i < G_N_ELEMENTS(in_state); i++) {
        g_autofree gchar *folder = g_build_filename(config->state_dir, in_state[i], NULL);
        done = file_sweep_drafts(folder, DRAFT_AGE_S, error);
    }
    return done;
}

/* A killed action leaves its lock's file; taking and freeing the lock removes it when the VM is no
 * more. Nothing to tell: it holds nobody up. */
static void sweep_locks(Sweep *sweep)
{
    g_autofree gchar *folder = g_build_filename(sweep->host->config->run_dir, "lock", NULL);
    g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
    for (const char *name; files && (name = g_dir_read_name(files));) {
        if (!vm_id_valid(name))
            continue;
        HostLock *lock = host_try_lock(sweep->host, name, NULL);
        if (lock)
            host_unlock(lock);
    }
}

/* TRUE when the listing and a file say that nothing is wrong with it, which costs no question. */
static gboolean in_order(const Sweep *sweep, const char *deploy_id)
{
    const Config *config = sweep->host->config;
    const EngineContainer *container = g_hash_table_lookup(sweep->containers, deploy_id);
    if (!container || !sandbox_map_knows(config, container->id, deploy_id))
        return FALSE;
    return host_runs(container) ||
           (container->state == ENGINE_EXITED && !has_sandbox(sweep, deploy_id) &&
            !stray_suspected(config, container->id) && !has_rules(sweep, deploy_id) &&
            !volumes_left(config, deploy_id));
}

static gboolean is_due(const Sweep *sweep, const char *deploy_id)
{
    return vm_id_valid(deploy_id) &&
           (!sweep->due || (!in_order(sweep, deploy_id) && sweep->due(deploy_id, sweep->data)));
}

/* The lock is held: nothing of the VM is on its way. */
static gboolean is_forgotten(Sweep *sweep, const char *name, const char *deploy_id, gboolean *is,
                             GError **error)
{
    GError *failure = NULL;
    *is = disk_name_is_draft(name);
    if (*is)
        return TRUE;
    g_autoptr(EngineContainer) container = host_container(sweep->host, deploy_id, &failure);
    *is = !container;
    if (!failure)
        return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean sweep_name(Sweep *sweep, const char *name, const char *deploy_id, GError **error)
{
    gboolean forgotten = FALSE;
    GError *failure = NULL;
    g_autoptr(HostLock) lock = host_try_lock(sweep->host, deploy_id, &failure);
    if (failure)
        g_propagate_error(error, failure);
    if (!lock || !is_forgotten(sweep, name, deploy_id, &forgotten, error))
        return FALSE;
    if (!forgotten)
        return TRUE;
    note(sweep, "the image's name %s is of an action that was killed: it %s", name,
         sweep->dry_run ? "would go" : "is gone");
    return sweep->dry_run || disk_name_drop(sweep->host, name, error);
}

/* Disks that were on their way when their action was killed. And the images of Nova's VMs without a
 * container: a spawn holds one for a moment only, where OpenNebula's transfer may hold it for long.
 */
static void sweep_names(Sweep *sweep)
{
    for (guint i = 0; i < sweep->names->len; i++) {
        const char *name = g_ptr_array_index(sweep->names, i);
        const char *rest = name + strlen(DISK_NAME_PREFIX);
        g_autofree gchar *id = g_strndup(rest, strcspn(rest, ":"));
        g_autofree gchar *uuid = nova_uuid(id);
        const EngineContainer *container = g_hash_table_lookup(sweep->containers, id);
        gboolean unused = uuid && sweep->due && (!container || host_is_leftover(container));
        g_autoptr(GError) trouble = NULL;
        if ((unused || disk_name_is_draft(name)) && vm_id_valid(id) &&
            (!sweep->due || sweep->due(name, sweep->data)) &&
            !sweep_name(sweep, name, id, &trouble) && trouble)
            log_warn("the image's name %s stays: %s", name, trouble->message);
    }
}

/* Looked at again under the VM's lock: a NIC may be on its way. */
static gboolean sweep_stray(Sweep *sweep, const char *name, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(HostLock) lock = host_try_lock(sweep->host, deploy_id, &failure);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    if (!lock)
        return !failure;
    note(sweep, "VM %s has a port %s in Open vSwitch without its link: it %s", deploy_id, name,
         sweep->dry_run ? "would go" : "is gone");
    return sweep->dry_run || network_clear_strays(sweep->host, deploy_id, error);
}

/* What Open vSwitch remembers over a reboot. Its silence leaves the rest as it is. */
static void sweep_strays(Sweep *sweep)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GHashTable) strays = network_strays(sweep->host, &failure);
    GHashTableIter iter;
    gpointer name, deploy_id;
    if (!strays) {
        log_warn("whether ports of VMs are left cannot be told: %s", failure->message);
        return;
    }
    g_hash_table_iter_init(&iter, strays);
    while (g_hash_table_iter_next(&iter, &name, &deploy_id)) {
        g_autoptr(GError) trouble = NULL;
        if (vm_id_valid(deploy_id) && (!sweep->due || sweep->due(deploy_id, sweep->data)) &&
            !sweep_stray(sweep, name, deploy_id, &trouble))
            log_warn("VM %s: its port %s stays: %s", (const char *)deploy_id, (const char *)name,
                     trouble->message);
    }
}

/* Looking costs a program, which a probe does not run; and what was never there is not looked for.
 */
static gboolean may_have_filtered(const Config *config)
{
    g_autofree gchar *folder = g_build_filename(config->run_dir, "filter", NULL);
    return g_file_test(folder, G_FILE_TEST_IS_DIR) || strcmp(config->network_filter, "off") != 0;
}

static gboolean strays_in_filter(Sweep *sweep, GPtrArray **strays, GError **error)
{
    g_autoptr(GHashTable) links = network_host_ends(sweep->host, error);
    *strays = links ? nic_filter_strays(sweep->host->config, links, !sweep->dry_run, error) : NULL;
    return *strays != NULL;
}

/* Rules of ports that are gone and that nobody has noted. */
static void sweep_filter(Sweep *sweep)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GPtrArray) strays = NULL;
    if (sweep->due || !may_have_filtered(sweep->host->config))
        return;
    if (!strays_in_filter(sweep, &strays, &failure))
        log_warn("whether rules of NICs are left cannot be told: %s", failure->message);
    for (guint i = 0; strays && i < strays->len; i++)
        note(sweep, "%s has rules in the packet filter and is no NIC of a VM: they %s",
             (const char *)strays->pdata[i], sweep->dry_run ? "would go" : "are gone");
}

static gboolean sweep_all(Sweep *sweep, GError **error)
{
    g_autoptr(GHashTable) ids = suspects(sweep, error);
    if (!ids)
        return FALSE;
    GHashTableIter iter;
    gpointer deploy_id;
    g_hash_table_iter_init(&iter, ids);
    while (g_hash_table_iter_next(&iter, &deploy_id, NULL)) {
        g_autoptr(GError) trouble = NULL;
        if (is_due(sweep, deploy_id) && !sweep_vm(sweep, deploy_id, &trouble))
            log_warn("VM %s is left as it is: %s", (const char *)deploy_id, trouble->message);
    }
    sweep_names(sweep);
    sweep_strays(sweep);
    sweep_filter(sweep);
    if (!sweep->dry_run)
        sweep_locks(sweep);
    return (sweep->dry_run || sweep_drafts(sweep, error)) &&
           sweep_files(sweep, sweep->host->config->run_dir, "sandbox", error) &&
           sweep_files(sweep, sweep->host->config->run_dir, "runtime", error) &&
           sweep_files(sweep, sweep->host->config->run_dir, STRAY_FOLDER, error) &&
           sweep_files(sweep, sweep->host->config->state_dir, "container", error) &&
           sweep_files(sweep, sweep->host->config->state_dir, DOOMED_FOLDER, error);
}

GPtrArray *vm_gc(Host *host, gboolean dry_run, GError **error)
{
    return gc_run(host, dry_run, NULL, NULL, error);
}

GPtrArray *gc_run(Host *host, gboolean dry_run, GcDueFunc due, gpointer data, GError **error)
{
    g_autoptr(GPtrArray) list = engine_list(host->engine, ENGINE_LABEL_VM, error);
    if (!list)
        return NULL;
    g_auto(Sweep) sweep = {
        .host = host,
        .dry_run = dry_run,
        .due = due,
        .data = data,
        .containers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .swapped = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .found = g_ptr_array_new_with_free_func(g_free),
    };
    list_containers(&sweep, list);
    if (!sweep_all(&sweep, error))
        return NULL;
    return g_steal_pointer(&sweep.found);
}

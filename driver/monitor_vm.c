// SPDX-License-Identifier: Apache-2.0
#include "monitor_vm.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "root_size.h"
#include "spec_opennebula.h"
#include "swap.h"
#include "vm_list.h"
#include "vm_status.h"
#include "volume.h"

#include <string.h>

enum {
    MOUNTS_MAX = 1024 * 1024,
    MIB = 1024 * 1024,
};

/* Two clients of the front end may run a while: one keeps the files at a time. The lock ends with
 * the descriptor. */
static int lock_monitor(const Config *config, const char *name, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->run_dir, "monitor", NULL);
    g_autofree gchar *path = g_strconcat(folder, "/", name, ".lock", NULL);
    g_autofree gchar *what = g_strconcat("the probe vm/", name, NULL);
    return file_make_folder(folder, 0700, error)
               ? file_lock(path, config->probe_wait_ms, what, error)
               : -1;
}

/* ---- vm/status ---- */

/*
 * What served the disks of a VM that has ended by itself goes before the front end hears of the
 * end: its transfer driver could not have their files otherwise.
 */
static void free_disks(const Host *host, const char *deploy_id, const EngineContainer *container)
{
    g_autoptr(GError) trouble = NULL;
    if (!host_runs(container) && volumes_left(host->config, deploy_id) &&
        !volumes_clear(host->config, deploy_id, &trouble))
        log_warn("VM %s: %s", deploy_id, trouble->message);
}

/* Under the VM's lock, so that no action is half way through. A listing that shows it running after
 * nobody holds it any more needs no second look: that is how a deploy ends. */
static StatusFound look(const char *deploy_id, const EngineContainer *listed, StatusLook *found,
                        gpointer data)
{
    Host *host = data;
    g_autoptr(GError) failure = NULL;
    g_autoptr(HostLock) lock = host_try_lock(host, deploy_id, &failure);
    if (!lock) {
        if (failure)
            log_warn("VM %s: %s", deploy_id, failure->message);
        return STATUS_HELD;
    }
    /* Neither its old container nor its new one stands in its place until that is settled. */
    if (swap_pending(host, deploy_id))
        return STATUS_HELD;
    if (listed && listed->state == ENGINE_RUNNING) {
        found->status = VM_STATUS_RUNNING;
        return STATUS_IS;
    }
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, &failure);
    if (failure) {
        log_warn("VM %s: %s", deploy_id, failure->message);
        return STATUS_HELD;
    }
    if (!container || !vm_status_of(container->state, &found->status))
        return STATUS_GONE;
    free_disks(host, deploy_id, container);
    found->oom_killed = container->oom_killed;
    return STATUS_IS;
}

static GPtrArray *list_vms(Host *host, GError **error)
{
    g_autoptr(CgroupReader) reader =
        cgroup_reader_open(host->config->cgroup_root, host->config->cgroup_parent, error);
    return reader ? vm_list(host, reader, error) : NULL;
}

gboolean monitor_vm_status(Host *host, const char *host_id, guint64 sync_s, MonitorTell tell_text,
                           gpointer data, GError **error)
{
    autofd int lock = lock_monitor(host->config, "status", error);
    g_autoptr(GPtrArray) vms = lock >= 0 ? list_vms(host, error) : NULL;
    if (!vms)
        return FALSE;
    /* Every few seconds: so long a VM may be held to no size after a container has gone. */
    root_size_recount(host->config);
    g_autoptr(StatusStore) store = status_store_load(host->config, host_id);
    StatusTimes times = {
        .now_s = sample_clock() / G_USEC_PER_SEC,
        .wall_s = g_get_real_time() / G_USEC_PER_SEC,
        .sync_s = sync_s,
        .repeat_s = host->config->status_repeat_s,
    };
    g_autofree gchar *text = status_store_report(store, vms, &times, look, host);
    if (!tell_text(text, data, error))
        return FALSE;
    g_autoptr(GError) failure = NULL;
    if (!status_store_save(store, host->config, &failure))
        log_warn("what was told of the VMs is told again: %s", failure->message);
    return TRUE;
}

/* ---- the size of disk 0 ---- */

/* The folder of the VM's writable layer: the engine's word, or what a process of it has mounted. */
static gchar *find_layer(Host *host, const PollVm *vm)
{
    g_autoptr(EngineContainer) container = engine_inspect(host->engine, vm->container_id, NULL);
    if (!container)
        return NULL;
    if (container->layer)
        return g_steal_pointer(&container->layer);
    if (container->pid <= 0)
        return NULL;
    g_autofree gchar *path = g_strdup_printf("/proc/%d/mountinfo", container->pid);
    g_autofree gchar *mounts = file_read(path, MOUNTS_MAX, NULL, NULL);
    gchar *folder = mounts ? layer_folder_of(mounts) : NULL;
    return folder ? folder : g_strdup("");
}

static void measure_one(Host *host, const PollVm *vm, Usage *usage, gint64 deadline)
{
    usage->tried_us = sample_clock();
    if (!usage->layer)
        usage->layer = find_layer(host, vm);
    if (!usage->layer || !*usage->layer)
        return;
    if (!usage->walk)
        usage->walk = layer_walk_new();
    gboolean done = FALSE;
    g_autoptr(GError) failure = NULL;
    if (!layer_walk_run(usage->walk, usage->layer, deadline, &done, &failure)) {
        log_trace("VM %s: %s", vm->deploy_id, failure->message);
        g_clear_pointer(&usage->layer, g_free);
        g_clear_pointer(&usage->walk, layer_walk_free);
        return;
    }
    if (!done)
        return;
    usage->measured = TRUE;
    usage->layer_bytes = layer_walk_bytes(usage->walk);
    g_clear_pointer(&usage->walk, layer_walk_free);
}

typedef struct {
    const PollVm *vm;
    Usage *usage;
} Pair;

static gint compare_tried(gconstpointer a, gconstpointer b)
{
    gint64 left = ((const Pair *)a)->usage->tried_us, right = ((const Pair *)b)->usage->tried_us;
    return (left > right) - (left < right);
}

/* Those first that have waited longest, until the time of this run is used up: a layer of a million
 * files takes many runs, and holds up nobody else's. */
static void measure_layers(Host *host, const GArray *pairs)
{
    g_autoptr(GArray) queue = g_array_copy((GArray *)pairs);
    gint64 period_us = (gint64)host->config->layer_period_s * G_USEC_PER_SEC;
    gint64 now_us = sample_clock();
    gint64 deadline =
        g_get_monotonic_time() + (gint64)host->config->layer_budget_ms * G_TIME_SPAN_MILLISECOND;
    g_array_sort(queue, compare_tried);
    for (guint i = 0; i < queue->len && g_get_monotonic_time() < deadline; i++) {
        const Pair *pair = &g_array_index(queue, Pair, i);
        const Usage *usage = pair->usage;
        gint64 age_us = now_us - usage->tried_us;
        gboolean rests = usage->tried_us > 0 && age_us >= 0 && age_us < period_us;
        if (!rests || usage->walk)
            measure_one(host, pair->vm, pair->usage, deadline);
    }
}

/* ---- vm/monitor ---- */

static void add_text(GString *values, const char *key, const char *value)
{
    g_string_append_printf(values, "%s=\"%s\"\n", key, value);
}

static void add_number(GString *values, const char *key, gboolean known, guint64 number)
{
    g_autofree gchar *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);
    add_text(values, key, known ? text : "-");
}

static void add_counters(GString *values, const Sample *sample)
{
    add_number(values, "NETRX", TRUE, sample->net_rx);
    add_number(values, "NETTX", TRUE, sample->net_tx);
    add_number(values, "DISKRDBYTES", TRUE, sample->disk_read_bytes);
    add_number(values, "DISKWRBYTES", TRUE, sample->disk_write_bytes);
    add_number(values, "DISKRDIOPS", TRUE, sample->disk_read_ops);
    add_number(values, "DISKWRIOPS", TRUE, sample->disk_write_ops);
}

static void add_disk(GString *values, guint id, guint64 bytes)
{
    guint64 mib = bytes / MIB + (bytes % MIB > 0);
    g_string_append_printf(values, "DISK_SIZE=[ ID=\"%u\", SIZE=\"%" G_GUINT64_FORMAT "\" ]\n", id,
                           mib);
}

gchar *monitor_vm_values(const PollVm *vm, const Usage *usage, gboolean oom_killed,
                         const GArray *disks)
{
    const Sample *sample = &vm->sample;
    gboolean runs = vm->has_sample, is_off = vm->state == ENGINE_EXITED;
    char percent[G_ASCII_DTOSTR_BUF_SIZE];
    GString *values = g_string_new(NULL);
    add_text(values, "CPU", g_ascii_formatd(percent, sizeof percent, "%.1f", vm->cpu_percent));
    add_number(values, "MEMORY", TRUE, sample->memory / 1024);
    if (runs)
        add_counters(values, sample);
    if (vm->guest_ip)
        add_text(values, "GUEST_IP", vm->guest_ip);
    add_number(values, "PIDS", TRUE, sample->pids);
    add_number(values, "THROTTLED", runs, sample->throttled_us / 1000);
    add_number(values, "OOM_KILLS", runs || is_off,
               is_off ? (guint64)oom_killed : sample->oom_kills);
    add_number(values, "RESTARTS", TRUE, usage->restarts);
    add_number(values, "EXIT_CODE", is_off, (guint64)MAX(vm->exit_code, 0));
    if (usage->measured)
        add_disk(values, 0, usage->layer_bytes);
    for (guint i = 0; i < disks->len; i++) {
        const DiskSize *disk = &g_array_index(disks, DiskSize, i);
        add_disk(values, disk->id, disk->bytes);
    }
    return g_string_free(values, FALSE);
}

gchar *monitor_vm_line(const char *deploy_id, const char *values)
{
    g_autofree gchar *encoded = g_base64_encode((const guchar *)values, strlen(values));
    return g_strdup_printf("VM = [ ID=\"%s\", DEPLOY_ID=\"%s\", MONITOR=\"%s\" ]\n",
                           opennebula_number(deploy_id), deploy_id, encoded);
}

/* The VMs of OpenNebula that have been up at least once, with what is remembered of them. */
static GArray *pair_up(const GPtrArray *vms, UsageCache *cache)
{
    GArray *pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    for (guint i = 0; i < vms->len; i++) {
        const PollVm *vm = vms->pdata[i];
        VmStatus status;
        if (!opennebula_number(vm->deploy_id) || !vm_status_of(vm->state, &status))
            continue;
        Pair pair = {vm, usage_cache_get(cache, vm->deploy_id, vm->container_id)};
        if (vm->has_sample)
            usage_note_start(pair.usage, vm->sample.start_id);
        g_array_append_val(pairs, pair);
    }
    return pairs;
}

static gchar *lines_of(const Host *host, const GArray *pairs)
{
    g_autoptr(StatusStore) told = status_store_load(host->config, NULL);
    g_autoptr(GPtrArray) datastores = disk_datastores(host->config->opennebula_datastores);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < pairs->len; i++) {
        const Pair *pair = &g_array_index(pairs, Pair, i);
        const char *id = pair->vm->deploy_id;
        g_autoptr(GArray) disks = disk_sizes(datastores, opennebula_number(id));
        g_autofree gchar *values =
            monitor_vm_values(pair->vm, pair->usage, status_store_oom_killed(told, id), disks);
        g_autofree gchar *line = monitor_vm_line(id, values);
        g_string_append(text, line);
    }
    return g_string_free(text, FALSE);
}

gchar *monitor_vm_usage(Host *host, GError **error)
{
    autofd int lock = lock_monitor(host->config, "monitor", error);
    g_autoptr(GPtrArray) vms = lock >= 0 ? poll_all(host, POLL_FULL, error) : NULL;
    if (!vms)
        return NULL;
    g_autoptr(UsageCache) cache = usage_cache_load(host->config);
    g_autoptr(GArray) pairs = pair_up(vms, cache);
    measure_layers(host, pairs);
    gchar *text = lines_of(host, pairs);
    g_autoptr(GError) failure = NULL;
    if (!usage_cache_save(cache, host->config, &failure))
        log_warn("what was measured of the VMs is lost: %s", failure->message);
    return text;
}

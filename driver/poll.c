// SPDX-License-Identifier: Apache-2.0
#include "poll.h"

#include "engine_body.h"
#include "log.h"
#include "nic_engine.h"
#include "traffic.h"
#include "vm_list.h"

#include <string.h>

void poll_vm_free(PollVm *vm)
{
    g_free(vm->deploy_id);
    g_free(vm->cloud);
    g_free(vm->cloud_id);
    g_free(vm->name);
    g_free(vm->container_id);
    g_free(vm->guest_ip);
    g_free(vm);
}

char poll_one_state(EngineState state)
{
    switch (state) {
    case ENGINE_RUNNING:
    case ENGINE_RESTARTING:
        return 'a';
    case ENGINE_PAUSED:
        return 'p';
    case ENGINE_EXITED:
        return 'd';
    case ENGINE_CREATED:
    case ENGINE_DEAD:
        break;
    }
    return 'e';
}

static gchar *label_text(const EngineContainer *container, const char *label)
{
    const char *text = g_hash_table_lookup(container->labels, label);
    return g_utf8_make_valid(text ? text : "", -1);
}

static PollVm *new_vm(const EngineContainer *container)
{
    PollVm *vm = g_new0(PollVm, 1);
    vm->deploy_id = g_strdup(container->name);
    vm->cloud = label_text(container, ENGINE_LABEL_CLOUD);
    vm->cloud_id = label_text(container, ENGINE_LABEL_CLOUD_ID);
    vm->name = label_text(container, ENGINE_LABEL_NAME);
    vm->container_id = g_strdup(container->id);
    vm->created = container->created;
    vm->state = container->state;
    vm->one_state = poll_one_state(container->state);
    vm->exit_code = container->exit_code;
    return vm;
}

static PollVm *sample_vm(const EngineContainer *container, const CgroupReader *reader,
                         GHashTable *traffic, SampleStore *store, GError **error)
{
    g_autoptr(PollVm) vm = new_vm(container);
    Sample *now = &vm->sample;
    if (!cgroup_reader_read(reader, container->id, now, &vm->has_sample, error)) {
        g_prefix_error(error, "VM %s: ", vm->deploy_id);
        return NULL;
    }
    if (vm->has_sample) {
        if (!sample_store_knows(store, vm->deploy_id, now->start_id))
            now->started_us = cgroup_reader_started(reader, container->id);
        vm->cpu_percent = sample_store_cpu(store, vm->deploy_id, now);
    }
    const Traffic *sum = g_hash_table_lookup(traffic, vm->deploy_id);
    if (sum) {
        now->net_rx = sum->rx;
        now->net_tx = sum->tx;
    }
    return g_steal_pointer(&vm);
}

GPtrArray *poll_assemble(const GPtrArray *containers, const CgroupReader *reader,
                         GHashTable *traffic, SampleStore *store, GError **error)
{
    g_autoptr(GPtrArray) vms = g_ptr_array_new_with_free_func((GDestroyNotify)poll_vm_free);
    for (guint i = 0; i < containers->len; i++) {
        PollVm *vm = sample_vm(containers->pdata[i], reader, traffic, store, error);
        if (!vm)
            return NULL;
        g_ptr_array_add(vms, vm);
    }
    return g_steal_pointer(&vms);
}

/* What the kernel and the store tell, whichever containers there are. */
typedef struct {
    const Config *config;
    Netlink *netlink;
    CgroupReader *reader;
    GHashTable *traffic;
    SampleStore *store;
    GError *error;
} Readings;

static void readings_clear(Readings *readings)
{
    g_clear_pointer(&readings->reader, cgroup_reader_free);
    g_clear_pointer(&readings->traffic, g_hash_table_unref);
    g_clear_pointer(&readings->store, sample_store_free);
    g_clear_error(&readings->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Readings, readings_clear)

static gboolean readings_open(Host *host, Readings *readings, GError **error)
{
    readings->config = host->config;
    readings->netlink = host_netlink(host, error);
    if (!readings->netlink)
        return FALSE;
    readings->reader =
        cgroup_reader_open(host->config->cgroup_root, host->config->cgroup_parent, error);
    return readings->reader != NULL;
}

static gboolean read_links_and_store(Readings *readings, GError **error)
{
    readings->store = sample_store_load(readings->config);
    readings->traffic = traffic_read(readings->config, readings->netlink, error);
    if (readings->traffic)
        traffic_add_engine(readings->config, readings->traffic);
    return readings->traffic != NULL;
}

static gpointer read_thread(gpointer data)
{
    Readings *readings = data;
    /* What can be shared with the other thread comes last. */
    read_links_and_store(readings, &readings->error);
    cgroup_reader_prefetch(readings->reader);
    return NULL;
}

static void add_guest_ips(const Config *config, const GPtrArray *vms)
{
    g_autoptr(GPtrArray) ids = nic_engine_owners(config);
    for (guint i = 0; i < vms->len && ids->len > 0; i++) {
        PollVm *vm = g_ptr_array_index(vms, i);
        if (g_ptr_array_find_with_equal_func(ids, vm->deploy_id, g_str_equal, NULL))
            vm->guest_ip = nic_engine_address(config, vm->deploy_id);
    }
}

/* CONTAINERS are VMs; COMPLETE when they are all of them. */
static GPtrArray *poll_containers(const Readings *readings, const GPtrArray *containers,
                                  gboolean complete, GError **error)
{
    SampleStore *store = readings->store;
    g_autoptr(GPtrArray) vms =
        poll_assemble(containers, readings->reader, readings->traffic, store, error);
    if (!vms)
        return NULL;
    add_guest_ips(readings->config, vms);
    g_autoptr(GError) failure = NULL;
    if (!sample_store_save(store, complete, &failure))
        log_warn("the samples of this poll are lost: %s", failure->message);
    return g_steal_pointer(&vms);
}

GPtrArray *poll_all(Host *host, PollDetail detail, GError **error)
{
    g_auto(Readings) readings = {0};
    if (!readings_open(host, &readings, error))
        return NULL;
    if (detail == POLL_BRIEF)
        cgroup_reader_set_brief(readings.reader);
    /* The kernel is read while the engine makes its list: by one thread, for a second would take
     * the processor from the engine. */
    GThread *thread = g_thread_new("readings", read_thread, &readings);
    g_autoptr(GPtrArray) listed = engine_list(host->engine, ENGINE_LABEL_VM, error);
    if (listed)
        cgroup_reader_prefetch(readings.reader);
    g_thread_join(thread);
    g_autoptr(GPtrArray) containers =
        listed ? vm_list_of(host, listed, readings.reader, error) : NULL;
    if (!containers)
        return NULL;
    if (readings.error) {
        g_propagate_error(error, g_steal_pointer(&readings.error));
        return NULL;
    }
    return poll_containers(&readings, containers, TRUE, error);
}

PollVm *poll_one(Host *host, const char *deploy_id, GError **error)
{
    g_auto(Readings) readings = {0};
    if (!readings_open(host, &readings, error))
        return NULL;
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, error);
    if (!container || !read_links_and_store(&readings, error))
        return NULL;
    g_autoptr(GPtrArray) containers = g_ptr_array_new();
    g_ptr_array_add(containers, container);
    g_autoptr(GPtrArray) vms = poll_containers(&readings, containers, FALSE, error);
    return vms ? g_ptr_array_steal_index(vms, 0) : NULL;
}

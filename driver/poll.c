// SPDX-License-Identifier: Apache-2.0
#include "poll.h"

#include "engine_body.h"
#include "log.h"
#include "nic.h"
#include "vm_list.h"

#include <string.h>

typedef struct {
    guint64 rx, tx; /* as the guest sees them */
} Traffic;

void poll_vm_free(PollVm *vm)
{
    g_free(vm->deploy_id);
    g_free(vm->cloud);
    g_free(vm->cloud_id);
    g_free(vm->name);
    g_free(vm->container_id);
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

GHashTable *poll_traffic_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void poll_traffic_add(GHashTable *traffic, const NetlinkLink *link)
{
    if (!g_str_has_prefix(link->alias, NIC_ALIAS_PREFIX))
        return;
    const char *deploy_id = link->alias + strlen(NIC_ALIAS_PREFIX);
    Traffic *sum = g_hash_table_lookup(traffic, deploy_id);
    if (!sum) {
        sum = g_new0(Traffic, 1);
        g_hash_table_insert(traffic, g_strdup(deploy_id), sum);
    }
    sum->rx += link->tx_bytes;
    sum->tx += link->rx_bytes;
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

static void add_link(const NetlinkLink *link, gpointer data)
{
    poll_traffic_add(data, link);
}

/* Everything beside the listing: CONTAINERS are VMs; COMPLETE when they are all of them. */
static GPtrArray *poll_containers(Host *host, const CgroupReader *reader,
                                  const GPtrArray *containers, gboolean complete, GError **error)
{
    g_autoptr(GHashTable) traffic = poll_traffic_new();
    Netlink *netlink = containers->len > 0 ? host_netlink(host, error) : NULL;
    if (containers->len > 0 && (!netlink || !netlink_link_each(netlink, add_link, traffic, error)))
        return NULL;
    g_autoptr(SampleStore) store = sample_store_load(host->config);
    g_autoptr(GPtrArray) vms = poll_assemble(containers, reader, traffic, store, error);
    if (!vms)
        return NULL;
    g_autoptr(GError) failure = NULL;
    if (!sample_store_save(store, complete, &failure))
        log_warn("the samples of this poll are lost: %s", failure->message);
    return g_steal_pointer(&vms);
}

GPtrArray *poll_all(Host *host, GError **error)
{
    const Config *config = host->config;
    g_autoptr(CgroupReader) reader =
        cgroup_reader_open(config->cgroup_root, config->cgroup_parent, error);
    if (!reader)
        return NULL;
    g_autoptr(GPtrArray) containers = vm_list(host, reader, error);
    if (!containers)
        return NULL;
    return poll_containers(host, reader, containers, TRUE, error);
}

PollVm *poll_one(Host *host, const char *deploy_id, GError **error)
{
    const Config *config = host->config;
    g_autoptr(CgroupReader) reader =
        cgroup_reader_open(config->cgroup_root, config->cgroup_parent, error);
    g_autoptr(EngineContainer) container = reader ? host_container(host, deploy_id, error) : NULL;
    if (!container)
        return NULL;
    g_autoptr(GPtrArray) containers = g_ptr_array_new();
    g_ptr_array_add(containers, container);
    g_autoptr(GPtrArray) vms = poll_containers(host, reader, containers, FALSE, error);
    return vms ? g_ptr_array_steal_index(vms, 0) : NULL;
}

// SPDX-License-Identifier: Apache-2.0
#include "vm_list.h"

#include "doomed.h"
#include "engine_body.h"
#include "sandbox.h"

#include <string.h>

/* What name and label of a listed container claim: a VM's id, or NULL. */
static const char *claimed_id(const EngineContainer *container)
{
    const char *label = g_hash_table_lookup(container->labels, ENGINE_LABEL_VM);
    if (!label || g_strcmp0(container->name, label) != 0 || !vm_id_valid(label))
        return NULL;
    return label;
}

static gint compare_containers(gconstpointer a, gconstpointer b)
{
    const EngineContainer *const *left = a;
    const EngineContainer *const *right = b;
    return strverscmp((*left)->name, (*right)->name);
}

GPtrArray *vm_list_select(const Config *config, GPtrArray *containers, const CgroupReader *reader,
                          VmInspectFunc inspect, gpointer data, GError **error)
{
    g_autoptr(GPtrArray) vms =
        g_ptr_array_new_with_free_func((GDestroyNotify)engine_container_free);
    while (containers->len > 0) {
        g_autoptr(EngineContainer) container = g_ptr_array_steal_index_fast(containers, 0);
        if (!claimed_id(container))
            continue;
        if (cgroup_reader_has(reader, container->id) ||
            sandbox_map_knows(config, container->id, container->name)) {
            g_ptr_array_add(vms, g_steal_pointer(&container));
            continue;
        }
        GError *failure = NULL;
        g_autoptr(EngineContainer) inspected = inspect(container->id, data, &failure);
        if (failure) {
            g_prefix_error(&failure, "VM %s: ", container->name);
            g_propagate_error(error, failure);
            return NULL;
        }
        if (inspected && host_owns(config, inspected, container->name))
            g_ptr_array_add(vms, g_steal_pointer(&inspected));
    }
    doomed_judge_all(config, vms);
    g_ptr_array_sort(vms, compare_containers);
    return g_steal_pointer(&vms);
}

static EngineContainer *inspect_with_engine(const char *id, gpointer data, GError **error)
{
    return engine_inspect(data, id, error);
}

GPtrArray *vm_list_of(Host *host, GPtrArray *containers, const CgroupReader *reader, GError **error)
{
    return vm_list_select(host->config, containers, reader, inspect_with_engine, host->engine,
                          error);
}

GPtrArray *vm_list(Host *host, const CgroupReader *reader, GError **error)
{
    g_autoptr(GPtrArray) containers = engine_list(host->engine, ENGINE_LABEL_VM, error);
    return containers ? vm_list_of(host, containers, reader, error) : NULL;
}

GPtrArray *vm_list_wild(Host *host, const GPtrArray *vms, GError **error)
{
    g_autoptr(GPtrArray) all = engine_list(host->engine, NULL, error);
    if (!all)
        return NULL;
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < vms->len; i++)
        g_hash_table_add(known, ((const EngineContainer *)g_ptr_array_index(vms, i))->id);
    for (guint i = all->len; i-- > 0;)
        if (g_hash_table_contains(known, ((const EngineContainer *)g_ptr_array_index(all, i))->id))
            g_ptr_array_remove_index(all, i);
    g_ptr_array_sort(all, compare_containers);
    return g_steal_pointer(&all);
}

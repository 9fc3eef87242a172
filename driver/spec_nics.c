// SPDX-License-Identifier: Apache-2.0
/* The NICs of a spec as a list. */
#include "spec.h"

#include <string.h>

VmNic *vm_nics_find(const GPtrArray *nics, guint id)
{
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = g_ptr_array_index(nics, i);
        if (nic->id == id)
            return nic;
    }
    return NULL;
}

static gboolean has_guest_name(const GPtrArray *nics, const char *name)
{
    for (guint i = 0; i < nics->len; i++)
        if (strcmp(((const VmNic *)g_ptr_array_index(nics, i))->guest_name, name) == 0)
            return TRUE;
    return FALSE;
}

gchar *vm_nics_free_name(const GPtrArray *nics)
{
    gchar *name = NULL;
    guint number = 0;
    do {
        g_free(name);
        name = g_strdup_printf("eth%u", number++);
    } while (has_guest_name(nics, name));
    return name;
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
    guint mine = (*(const VmNic *const *)a)->id, theirs = (*(const VmNic *const *)b)->id;
    return mine < theirs ? -1 : mine > theirs;
}

void vm_nics_sort(GPtrArray *nics)
{
    g_ptr_array_sort(nics, compare_ids);
}

void vm_nics_keep_names(GPtrArray *nics, const GPtrArray *had)
{
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) fresh = g_ptr_array_new();
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = g_ptr_array_index(nics, i);
        const VmNic *old = vm_nics_find(had, nic->id);
        if (!old || strcmp(old->host_name, nic->host_name) != 0) {
            g_ptr_array_add(fresh, nic);
            continue;
        }
        g_free(nic->guest_name);
        nic->guest_name = g_strdup(old->guest_name);
        g_hash_table_add(used, g_strdup(nic->guest_name));
    }
    for (guint i = 0, number = 0; i < fresh->len; i++) {
        VmNic *nic = g_ptr_array_index(fresh, i);
        while (!g_hash_table_add(used, g_strdup(nic->guest_name))) {
            g_free(nic->guest_name);
            nic->guest_name = g_strdup_printf("eth%u", number++);
        }
    }
}

gboolean vm_nics_any_engine(const GPtrArray *nics)
{
    for (guint i = 0; i < nics->len; i++)
        if (((const VmNic *)g_ptr_array_index(nics, i))->engine_network)
            return TRUE;
    return FALSE;
}

GPtrArray *vm_nics_own(const GPtrArray *nics)
{
    GPtrArray *own = g_ptr_array_new();
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = g_ptr_array_index(nics, i);
        if (!nic->engine_network)
            g_ptr_array_add(own, nic);
    }
    return own;
}

static const char *learned_word(int family)
{
    return family == AF_INET6 ? VM_LEARNED_ADDRESS6 : VM_LEARNED_ADDRESS;
}

gboolean vm_nic_learned_address(const VmNic *nic, int family)
{
    return vm_nic_learned(nic, learned_word(family));
}

void vm_nics_keep_addresses(GPtrArray *nics, const GPtrArray *had)
{
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = g_ptr_array_index(nics, i);
        const VmNic *old = had && nic->engine_network ? vm_nics_find(had, nic->id) : NULL;
        if (!old || g_strcmp0(old->engine_network, nic->engine_network) != 0)
            continue;
        for (guint j = 0; j < old->addresses->len; j++) {
            const VmAddress *address = &g_array_index(old->addresses, VmAddress, j);
            if (vm_nic_learned_address(old, address->family))
                vm_nic_learn_address(nic, address);
        }
    }
}

void vm_nic_learn_address(VmNic *nic, const VmAddress *address)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        VmAddress *own = &g_array_index(nic->addresses, VmAddress, i);
        if (own->family != address->family)
            continue;
        if (vm_nic_learned_address(nic, own->family) || vm_address_same(own, address))
            *own = *address;
        return;
    }
    g_array_append_vals(nic->addresses, address, 1);
    vm_words_add(&nic->learned, learned_word(address->family));
}

gboolean vm_nic_forget_addresses(VmNic *nic)
{
    guint had = nic->addresses->len;
    for (guint i = had; i-- > 0;)
        if (vm_nic_learned_address(nic, g_array_index(nic->addresses, VmAddress, i).family))
            g_array_remove_index(nic->addresses, i);
    return nic->addresses->len < had;
}

void vm_nics_give_macs(GPtrArray *nics, const GPtrArray *had, gboolean keep)
{
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = g_ptr_array_index(nics, i);
        const VmNic *old = had ? vm_nics_find(had, nic->id) : NULL;
        if (nic->has_mac || (old && !old->has_mac && keep))
            continue;
        guint32 random = g_random_int();
        const guint8 made[6] = {0x52,         0x54, 0x00, random >> 16 & 0xff, random >> 8 & 0xff,
                                random & 0xff};
        memcpy(nic->mac, old && old->has_mac ? old->mac : made, sizeof nic->mac);
        nic->has_mac = TRUE;
    }
}

enum {
    LATER_METRIC_IP4 = 1000,
    LATER_METRIC_IP6 = 2000,
    KERNEL_METRIC_IP6 = 1024, /* what the kernel makes of metric 0 */
    BESIDE_METRIC_IP4 = 1,    /* beside a default route of the engine's, which has the kernel's */
    BESIDE_METRIC_IP6 = KERNEL_METRIC_IP6 - 1,
};

static gchar *route_key(const VmRoute *route)
{
    g_autofree gchar *destination = vm_address_format(&route->destination);
    guint metric = route->metric;
    if (metric == 0 && route->destination.family == AF_INET6)
        metric = KERNEL_METRIC_IP6;
    return g_strdup_printf("%s %u", destination, metric);
}

/* The engine takes it for a failure when its default route is there already. */
static void give_way(const VmNic *nic)
{
    for (guint i = 0; !nic->engine_network && i < nic->routes->len; i++) {
        VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        if (route->destination.prefix == 0 && route->metric == 0)
            route->metric =
                route->destination.family == AF_INET ? BESIDE_METRIC_IP4 : BESIDE_METRIC_IP6;
    }
}

void vm_nics_part_routes(GPtrArray *nics)
{
    gboolean beside = vm_nics_any_engine(nics);
    for (guint i = 0; beside && i < nics->len; i++)
        give_way(nics->pdata[i]);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < nics->len; i++) {
        const VmNic *nic = nics->pdata[i];
        for (guint j = 0; j < nic->routes->len; j++) {
            VmRoute *route = &g_array_index(nic->routes, VmRoute, j);
            guint later =
                route->destination.family == AF_INET ? LATER_METRIC_IP4 : LATER_METRIC_IP6;
            for (later += nic->id; !g_hash_table_add(seen, route_key(route)); later++)
                route->metric = later;
        }
    }
}

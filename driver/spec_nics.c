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
};

static gchar *route_key(const VmRoute *route)
{
    g_autofree gchar *destination = vm_address_format(&route->destination);
    guint metric = route->metric;
    if (metric == 0 && route->destination.family == AF_INET6)
        metric = KERNEL_METRIC_IP6;
    return g_strdup_printf("%s %u", destination, metric);
}

void vm_nics_part_routes(GPtrArray *nics)
{
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

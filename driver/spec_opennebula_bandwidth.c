// SPDX-License-Identifier: Apache-2.0
/*
 * INBOUND_* and OUTBOUND_* of a NIC. AVG_BW and PEAK_BW are kilobytes per second and PEAK_KB is
 * kilobytes; what they come to in bytes is what they come to under KVM: libvirt hands them to tc,
 * whose rates count in thousands and whose sizes in 1024.
 */
#include "spec_opennebula_private.h"

#include <string.h>

enum {
    RATE_UNIT = 1000,
    SIZE_UNIT = 1024,
    MAX_RATE = 100000000, /* 100 GB/s: more is a slip of the pen */
    MAX_BURST = 1048576,  /* 1 GiB: the kernel counts the bytes of a bucket in 32 bits */
    MAX_NICS = 256,
    MAX_NIC_ID = 999999,
};

static const struct {
    const char *key;
    const char *unit;
    guint64 largest;
    gint64 factor;
    gsize field;
} limits[] = {
    {"AVG_BW", "kilobytes per second", MAX_RATE, RATE_UNIT, G_STRUCT_OFFSET(VmBandwidth, average)},
    {"PEAK_BW", "kilobytes per second", MAX_RATE, RATE_UNIT, G_STRUCT_OFFSET(VmBandwidth, peak)},
    {"PEAK_KB", "kilobytes", MAX_BURST, SIZE_UNIT, G_STRUCT_OFFSET(VmBandwidth, burst)},
};

static gboolean parse_direction(const xmlNode *node, const char *label, const char *direction,
                                VmBandwidth *bandwidth, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree gchar *name = g_strconcat(direction, "_", limits[i].key, NULL);
        g_autofree gchar *what = g_strconcat(label, ": ", name, NULL);
        g_autofree gchar *text = xml_text(node, name);
        guint64 number = 0;
        if (text && !spec_number(what, text, limits[i].unit, 0, limits[i].largest, &number, error))
            return FALSE;
        G_STRUCT_MEMBER(gint64, bandwidth, limits[i].field) = (gint64)number * limits[i].factor;
    }
    return TRUE;
}

gboolean one_parse_bandwidth(const xmlNode *node, const char *label, VmNic *nic, GError **error)
{
    return parse_direction(node, label, "INBOUND", &nic->inbound, error) &&
           parse_direction(node, label, "OUTBOUND", &nic->outbound, error);
}

gboolean one_is_bandwidth(const char *name)
{
    const char *key = g_str_has_prefix(name, "INBOUND_")    ? name + strlen("INBOUND_")
                      : g_str_has_prefix(name, "OUTBOUND_") ? name + strlen("OUTBOUND_")
                                                            : "";
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++)
        if (strcmp(key, limits[i].key) == 0)
            return TRUE;
    return FALSE;
}

static VmNic *parse_nic(const xmlNode *node, GError **error)
{
    g_autoptr(VmNic) nic = vm_nic_new();
    g_autofree gchar *id = xml_text(node, "NIC_ID");
    guint64 number;
    if (!spec_number("NIC_ID", id ? id : "", "a NIC", 0, MAX_NIC_ID, &number, error))
        return NULL;
    nic->id = (guint)number;
    g_autofree gchar *label = g_strdup_printf("NIC %u", nic->id);
    if (!one_parse_bandwidth(node, label, nic, error))
        return NULL;
    return g_steal_pointer(&nic);
}

static GPtrArray *parse_nics(const xmlNode *vm, GError **error)
{
    const OpennebulaOptions options = {0};
    g_autoptr(OneVm) one = one_vm_new(vm, &options);
    g_autoptr(GPtrArray) nodes = one_children(one->templates, "NIC");
    g_autoptr(GPtrArray) nics = g_ptr_array_new_with_free_func((GDestroyNotify)vm_nic_free);
    if (nodes->len > MAX_NICS) {
        spec_fail(error, "the VM has more than %d elements NIC", MAX_NICS);
        return NULL;
    }
    for (guint i = 0; i < nodes->len; i++) {
        VmNic *nic = parse_nic(nodes->pdata[i], error);
        if (!nic)
            return NULL;
        g_ptr_array_add(nics, nic);
    }
    return g_steal_pointer(&nics);
}

GPtrArray *opennebula_bandwidth(const char *xml, gsize length, gsize max_size, gchar **id,
                                GError **error)
{
    const xmlNode *vm;
    g_autoptr(xmlDoc) doc = one_xml_parse(xml, length, max_size, &vm, error);
    g_autofree gchar *number = doc ? one_parse_id(vm, error) : NULL;
    g_autoptr(GPtrArray) nics = number ? parse_nics(vm, error) : NULL;
    if (nics)
        *id = g_steal_pointer(&number);
    return g_steal_pointer(&nics);
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_opennebula_private.h"

#include <string.h>

/*
 * What is read elsewhere, or asks the hypervisor for nothing: the cloud's own book-keeping, and the
 * work of its network and transfer drivers. Whatever an element holds beside it is told.
 */
static const char *const disk_silent[] = {"ALLOW_ORPHANS",
                                          "CLONE",
                                          "CLONE_TARGET",
                                          "CLUSTER_ID",
                                          "DATASTORE",
                                          "DATASTORE_ID",
                                          "DEV_PREFIX",
                                          "DISK_ID",
                                          "DISK_SNAPSHOT_TOTAL_SIZE",
                                          "DISK_TYPE",
                                          "DOCKERRUN",
                                          "DRIVER",
                                          "FORMAT",
                                          "FS",
                                          "IMAGE",
                                          "IMAGE_ID",
                                          "IMAGE_STATE",
                                          "IMAGE_UID",
                                          "IMAGE_UNAME",
                                          "LN_TARGET",
                                          "ORDER",
                                          "ORIGINAL_SIZE",
                                          "PERSISTENT",
                                          "PERSISTENT_SNAPSHOTS",
                                          "READONLY",
                                          "READ_BYTES_SEC",
                                          "READ_IOPS_SEC",
                                          "RESIZE",
                                          "SAVE",
                                          "SIZE",
                                          "SIZE_PREV",
                                          "SOURCE",
                                          "TARGET",
                                          "TM_MAD",
                                          "TM_MAD_SYSTEM",
                                          "TOTAL_BYTES_SEC",
                                          "TOTAL_IOPS_SEC",
                                          "TYPE",
                                          "WRITE_BYTES_SEC",
                                          "WRITE_IOPS_SEC",
                                          NULL};

/* Honoured on the disks beside disk 0, or asking for nothing there. */
static const char *const more_disk_silent[] = {"ATTACH",     "DETACH",        "HOTPLUG_SAVE_AS",
                                               "ONEDOCK_FS", "ONEDOCK_MOUNT", NULL};

static const char *const nic_silent[] = {"ALIAS_ID",
                                         "ALIAS_IDS",
                                         "AR_ID",
                                         "ATTACH",
                                         "AUTOMATIC_OUTER_VLAN_ID",
                                         "AUTOMATIC_VLAN_ID",
                                         "BRIDGE",
                                         "BRIDGE_CONF",
                                         "BRIDGE_TYPE",
                                         "CLUSTER_ID",
                                         "CONF",
                                         "CVLANS",
                                         "DETACH",
                                         "DNS",
                                         "DOCKER_NETWORK",
                                         "DOMAIN",
                                         "EXTERNAL",
                                         "FILTER_IP_SPOOFING",
                                         "FILTER_MAC_SPOOFING",
                                         "GATEWAY",
                                         "GATEWAY6",
                                         "GUEST_MTU",
                                         "IP",
                                         "IP6",
                                         "IP6_GATEWAY",
                                         "IP6_GLOBAL",
                                         "IP6_LINK",
                                         "IP6_METHOD",
                                         "IP6_METRIC",
                                         "IP6_PREFIX_LENGTH",
                                         "IP6_ULA",
                                         "IP_LINK_CONF",
                                         "LIBVIRT_NETWORK",
                                         "LIBVIRT_PORTGROUP",
                                         "MAC",
                                         "MASK",
                                         "METHOD",
                                         "METRIC",
                                         "MTU",
                                         "NAME",
                                         "NETMASK",
                                         "NETWORK",
                                         "NETWORK_ADDRESS",
                                         "NETWORK_ID",
                                         "NETWORK_MASK",
                                         "NETWORK_MODE",
                                         "NETWORK_UID",
                                         "NETWORK_UNAME",
                                         "NIC_ID",
                                         "ORDER",
                                         "OUTER_VLAN_ID",
                                         "OVS_BRIDGE_CONF",
                                         "PARENT",
                                         "PARENT_ID",
                                         "PHYDEV",
                                         "PREFIX_LENGTH",
                                         "QINQ_TYPE",
                                         "RDP",
                                         "ROUTES",
                                         "SCHED_RANK",
                                         "SCHED_REQUIREMENTS",
                                         "SEARCH_DOMAIN",
                                         "SECURITY_GROUPS",
                                         "SSH",
                                         "TARGET",
                                         "VLAN_ID",
                                         "VLAN_TAGGED_ID",
                                         "VN_MAD",
                                         "VROUTER_IP",
                                         "VROUTER_IP6",
                                         "VROUTER_MANAGEMENT",
                                         "VXLAN_MC",
                                         "VXLAN_MODE",
                                         "VXLAN_TEP",
                                         NULL};

static const char *const os_silent[] = {"ARCH", "MACHINE", "UUID", NULL};

static const char *const template_silent[] = {"CLONING_TEMPLATE_ID",
                                              "CONTEXT",
                                              "CPU",
                                              "CPU_COST",
                                              "CREATED_BY",
                                              "DESCRIPTION",
                                              "DISK",
                                              "DISK_COST",
                                              "DOCKERRUN",
                                              "DOCKER_NETWORK",
                                              "ERROR",
                                              "HYPERVISOR",
                                              "IMPORTED",
                                              "LABELS",
                                              "LOGO",
                                              "MEMORY",
                                              "MEMORY_COST",
                                              "MEMORY_RESIZE_MODE",
                                              "MEMORY_SLOTS",
                                              "NAME",
                                              "NIC",
                                              "NIC_ALIAS",
                                              "NIC_DEFAULT",
                                              "ONEDOCK",
                                              "PREV_STATE",
                                              "QEMU_GA_EXEC",
                                              "RESIZE",
                                              "SECURITY_GROUP_RULE",
                                              "SNAPSHOT",
                                              "SUBMIT_ON_HOLD",
                                              "TEMPLATE_ID",
                                              "TM_MAD_SYSTEM",
                                              "USER_INPUTS",
                                              "VCPU",
                                              "VMGROUP",
                                              "VMID",
                                              "VROUTER_ID",
                                              "VROUTER_KEEPALIVED_ID",
                                              "VROUTER_KEEPALIVED_PASSWORD",
                                              NULL};

/* Keys of CONTEXT's ETHn that are honoured, or speak to nobody but the guest. */
static const char *const eth_silent[] = {"CONTEXT_FORCE_IPV4",
                                         "DNS",
                                         "DOMAIN",
                                         "EXTERNAL",
                                         "GATEWAY",
                                         "GATEWAY6",
                                         "IP",
                                         "IP6",
                                         "IP6_GATEWAY",
                                         "IP6_METHOD",
                                         "IP6_METRIC",
                                         "IP6_PREFIX_LENGTH",
                                         "IP6_ULA",
                                         "MAC",
                                         "MASK",
                                         "METHOD",
                                         "METRIC",
                                         "MTU",
                                         "NETWORK",
                                         "ROUTES",
                                         "SEARCH_DOMAIN",
                                         "VLAN_ID",
                                         "VROUTER_IP",
                                         "VROUTER_IP6",
                                         "VROUTER_MANAGEMENT",
                                         NULL};

/* "NO" asks for nothing. */
static gboolean asks(const xmlNode *node)
{
    g_autofree gchar *text = node->type == XML_ELEMENT_NODE ? xml_node_text(node) : NULL;
    return text && g_ascii_strcasecmp(text, "NO") != 0;
}

/* The names of NODE's elements that ask for something and are not in SILENT. */
static GPtrArray *loud(const xmlNode *parent, const char *const *silent)
{
    GPtrArray *names = g_ptr_array_new();
    for (xmlNode *node = parent->children; node; node = node->next)
        if (asks(node) && !g_strv_contains(silent, (const char *)node->name))
            g_ptr_array_add(names, (gpointer)node->name);
    return names;
}

void one_note_nic(OneVm *one, const OneNic *nic)
{
    g_autofree gchar *label = one_nic_label(nic);
    g_autoptr(GPtrArray) names = loud(nic->node, nic_silent);
    g_autoptr(GPtrArray) bandwidth = g_ptr_array_new();
    g_autoptr(GPtrArray) others = g_ptr_array_new();
    gboolean alias = strcmp(nic->element, "NIC_ALIAS") == 0;
    for (guint i = 0; i < names->len; i++)
        if (!one_is_bandwidth(names->pdata[i]))
            g_ptr_array_add(others, names->pdata[i]);
        else if (alias)
            g_ptr_array_add(bandwidth, names->pdata[i]);
    g_autofree gchar *limits = spec_join(bandwidth);
    g_autofree gchar *rest = spec_join(others);
    if (bandwidth->len > 0)
        one_note(one, "%s: %s %s not honoured: it shares the bandwidth of its NIC", label, limits,
                 spec_are(bandwidth));
    if (others->len > 0)
        one_note(one, "%s: %s %s not honoured", label, rest, spec_are(others));
}

static void note_disk(OneVm *one, const xmlNode *node, const char *id, const char *const *honoured)
{
    g_autoptr(GPtrArray) names = loud(node, disk_silent);
    for (guint i = names->len; honoured && i-- > 0;)
        if (g_strv_contains(honoured, names->pdata[i]))
            g_ptr_array_remove_index(names, i);
    g_autofree gchar *list = spec_join(names);
    if (names->len > 0)
        one_note(one, "disk %s: %s %s not honoured", id, list, spec_are(names));
}

static void note_disks(OneVm *one)
{
    if (one->root_disk)
        note_disk(one, one->root_disk, "0", NULL);
    for (guint i = 0; i < one->more_disks->len; i++) {
        const xmlNode *node = one->more_disks->pdata[i];
        g_autofree gchar *id = xml_text(node, "DISK_ID");
        guint64 number = g_ascii_strtoull(id, NULL, 10);
        if (vm_spec_disk(one->spec, (guint)number))
            note_disk(one, node, id, more_disk_silent);
    }
}

/* All of CONTEXT is told to the guest; what is asked of a NIC there is asked of us. */
static void note_context(OneVm *one)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < one->context_names->len; i++) {
        const char *key = one_nic_key(one->context_names->pdata[i]);
        if (key && !g_strv_contains(eth_silent, key))
            g_ptr_array_add(names, one->context_names->pdata[i]);
    }
    g_autofree gchar *list = spec_join(names);
    if (names->len > 0)
        one_note(one, "CONTEXT/%s %s not honoured", list, spec_are(names));
}

static void note_typed(OneVm *one, const xmlNode *node, const char *why)
{
    g_autofree gchar *type = xml_text(node, "TYPE");
    g_autofree gchar *shown = spec_shown(type ? type : "none");
    one_note(one, "%s (TYPE %s) is not honoured: %s", (const char *)node->name, shown, why);
}

static void note_parts(OneVm *one, const xmlNode *node, const char *const *silent, const char *why)
{
    g_autoptr(GPtrArray) names = loud(node, silent);
    g_autofree gchar *list = spec_join(names);
    if (names->len > 0)
        one_note(one, "%s/%s %s not honoured: %s", (const char *)node->name, list, spec_are(names),
                 why);
}

/* MEMORY_MAX and VCPU_MAX promise something only where they are more than there is now. */
static void note_maximum(OneVm *one, const xmlNode *node, const char *now)
{
    guint64 most = 0, current = 1;
    g_autofree gchar *text = xml_node_text(node);
    g_autofree gchar *now_text = one_template_text(one, now);
    if (!text ||
        (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &most, NULL) &&
         (!now_text || g_ascii_string_to_unsigned(now_text, 10, 0, G_MAXUINT64, &current, NULL)) &&
         most <= current))
        return;
    one_note(one, "%s is not honoured: nothing is kept back for more %s", (const char *)node->name,
             now);
}

static void note_element(OneVm *one, const xmlNode *node)
{
    static const char *const none[] = {NULL};
    const char *name = (const char *)node->name;
    if (g_strv_contains(template_silent, name) || g_str_has_prefix(name, "AUTOMATIC_") ||
        g_str_has_prefix(name, "SCHED_") || g_str_has_prefix(name, "ONEDOCK_"))
        return;
    if (strcmp(name, "GRAPHICS") == 0)
        note_typed(one, node, "a container has no screen");
    else if (strcmp(name, "INPUT") == 0)
        note_typed(one, node, "a container has no input devices");
    else if (strcmp(name, "RAW") == 0)
        note_typed(one, node, "the engine takes no options from a template");
    else if (strcmp(name, "FEATURES") == 0)
        note_parts(one, node, none, "a container has no such hardware");
    else if (strcmp(name, "OS") == 0)
        note_parts(one, node, os_silent, "a container boots its image");
    else if (strcmp(name, "MEMORY_MAX") == 0)
        note_maximum(one, node, "MEMORY");
    else if (strcmp(name, "VCPU_MAX") == 0)
        note_maximum(one, node, "VCPU");
    else if (xmlChildElementCount((xmlNode *)node) > 0 || asks(node))
        one_note(one, "%s is not honoured", name);
}

void one_note_rest(OneVm *one)
{
    note_disks(one);
    note_context(one);
    for (guint i = 0; i < one->templates->len; i++) {
        const xmlNode *template = one->templates->pdata[i];
        for (const xmlNode *node = template->children; node; node = node->next)
            if (node->type == XML_ELEMENT_NODE)
                note_element(one, node);
    }
}

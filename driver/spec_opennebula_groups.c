// SPDX-License-Identifier: Apache-2.0
/*
 * Security groups. A NIC names its groups (SECURITY_GROUPS, "0,100"); what each lets pass stands
 * beside the NICs, one SECURITY_GROUP_RULE a rule. A rule can only let more pass, so one that is
 * not understood is left out, and told: that is never weaker than what was asked.
 *
 * Contract: the rules that OpenNebula's own network drivers read (5.0 to 7.4). IP is the first of
 * SIZE addresses, in IP6, IP6_GLOBAL and IP6_ULA as well; RANGE is of the receiver's ports.
 */
#include "spec_opennebula_private.h"

#include <string.h>

enum {
    MAX_RULES = 4096, /* of the VM, and of a NIC */
    MAX_GROUPS = 256, /* of a NIC */
    MAX_PORTS = 256,  /* of a rule, ranges */
    MAX_NICS = 256,
    MAX_NIC_ID = 999999,
};

/* What is wrong with a rule; beside it the rule as far as it was read. */
typedef struct {
    const xmlNode *node;
    VmRule *rule;
    const char *trouble;
} Reading;

static gboolean trouble(Reading *reading, const char *what)
{
    reading->trouble = what;
    return FALSE;
}

static gboolean read_direction(Reading *reading)
{
    g_autofree gchar *type = xml_text(reading->node, "RULE_TYPE");
    reading->rule->inbound = type && g_ascii_strcasecmp(type, "INBOUND") == 0;
    return reading->rule->inbound || (type && g_ascii_strcasecmp(type, "OUTBOUND") == 0) ||
           trouble(reading, "its RULE_TYPE is neither INBOUND nor OUTBOUND");
}

static gboolean read_protocol(Reading *reading)
{
    static const struct {
        const char *name;
        VmProtocol protocol;
    } protocols[] = {
        {"ALL", VM_PROTOCOL_ALL},   {"TCP", VM_PROTOCOL_TCP},      {"UDP", VM_PROTOCOL_UDP},
        {"ICMP", VM_PROTOCOL_ICMP}, {"ICMPV6", VM_PROTOCOL_ICMP6}, {"IPSEC", VM_PROTOCOL_ESP},
    };
    g_autofree gchar *name = xml_text(reading->node, "PROTOCOL");
    for (gsize i = 0; name && i < G_N_ELEMENTS(protocols); i++) {
        reading->rule->protocol = protocols[i].protocol;
        if (g_ascii_strcasecmp(name, protocols[i].name) == 0)
            return TRUE;
    }
    return trouble(reading, "its PROTOCOL is none that is known");
}

static gboolean parse_port(const char *text, guint *port)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT16, &number, NULL))
        return FALSE;
    *port = (guint)number;
    return TRUE;
}

/* "80" or "80:90" */
static gboolean parse_ports(const char *text, VmPorts *ports)
{
    g_auto(GStrv) ends = g_strsplit(text, ":", 3);
    guint count = g_strv_length(ends);
    return (count == 1 || count == 2) && parse_port(g_strstrip(ends[0]), &ports->first) &&
           parse_port(g_strstrip(ends[count - 1]), &ports->last) && ports->first <= ports->last;
}

static gint compare_ports(gconstpointer a, gconstpointer b)
{
    guint mine = ((const VmPorts *)a)->first, theirs = ((const VmPorts *)b)->first;
    return mine < theirs ? -1 : mine > theirs;
}

/* In order, and those that touch made one. */
static void join_ports(GArray *list)
{
    guint kept = 0;
    g_array_sort(list, compare_ports);
    for (guint i = 1; i < list->len; i++) {
        VmPorts *last = &g_array_index(list, VmPorts, kept);
        const VmPorts *next = &g_array_index(list, VmPorts, i);
        if (next->first <= last->last + 1)
            last->last = MAX(last->last, next->last);
        else
            g_array_index(list, VmPorts, ++kept) = *next;
    }
    if (list->len > 0)
        g_array_set_size(list, kept + 1);
}

static gboolean read_ports(Reading *reading)
{
    const VmRule *rule = reading->rule;
    g_autofree gchar *range = xml_text(reading->node, "RANGE");
    if (!range)
        return TRUE;
    if (rule->protocol != VM_PROTOCOL_TCP && rule->protocol != VM_PROTOCOL_UDP)
        return trouble(reading, "only TCP and UDP have a RANGE of ports");
    g_auto(GStrv) parts = spec_commas(range);
    for (char **part = parts; *part; part++) {
        VmPorts ports;
        if (!parse_ports(*part, &ports))
            return trouble(reading, "its RANGE is no list of ports");
        g_array_append_val(rule->ports, ports);
    }
    if (rule->ports->len == 0 || rule->ports->len > MAX_PORTS)
        return trouble(reading, "its RANGE has no ports or too many");
    join_ports(rule->ports);
    return TRUE;
}

/* "8" or "8/0" */
static gboolean parse_icmp(const char *text, VmRule *rule)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 3);
    guint count = g_strv_length(parts);
    guint64 number[2] = {0};
    for (guint i = 0; i < count; i++)
        if (i > 1 ||
            !g_ascii_string_to_unsigned(g_strstrip(parts[i]), 10, 0, G_MAXUINT8, &number[i], NULL))
            return FALSE;
    rule->icmp_type = (gint)number[0];
    rule->icmp_code = count > 1 ? (gint)number[1] : -1;
    return count > 0;
}

static gboolean read_icmp(Reading *reading)
{
    g_autofree gchar *ip4 = xml_text(reading->node, "ICMP_TYPE");
    g_autofree gchar *ip6 = xml_text(reading->node, "ICMPV6_TYPE");
    if ((ip4 && reading->rule->protocol != VM_PROTOCOL_ICMP) ||
        (ip6 && reading->rule->protocol != VM_PROTOCOL_ICMP6))
        return trouble(reading, "its ICMP type is of another protocol");
    const char *text = ip4 ? ip4 : ip6;
    return !text || parse_icmp(text, reading->rule) ||
           trouble(reading, "its ICMP type is no number");
}

/* The last of SIZE addresses from FIRST on; FALSE when there are not so many. */
static gboolean last_address(const VmAddress *first, guint64 size, VmAddress *last)
{
    guint64 carry = size - 1;
    *last = *first;
    for (gsize i = first->family == AF_INET ? 4 : sizeof first->bytes; i-- > 0;) {
        guint64 sum = first->bytes[i] + (carry & 0xff);
        last->bytes[i] = (guint8)sum;
        carry = (carry >> 8) + (sum >> 8);
    }
    return carry == 0;
}

static gboolean fits(const VmRule *rule, int family)
{
    return !(rule->protocol == VM_PROTOCOL_ICMP && family == AF_INET6) &&
           !(rule->protocol == VM_PROTOCOL_ICMP6 && family == AF_INET);
}

/* A rule for each range of addresses; of those that can never have its protocol, none. */
static gboolean read_addresses(Reading *reading, GPtrArray *rules)
{
    static const char *const keys[] = {"IP", "IP6", "IP6_GLOBAL", "IP6_ULA"};
    g_autofree gchar *size_text = xml_text(reading->node, "SIZE");
    guint64 size = 0;
    gboolean named = FALSE;
    if (size_text && !g_ascii_string_to_unsigned(size_text, 10, 1, G_MAXINT64, &size, NULL))
        return trouble(reading, "its SIZE is no number of addresses");
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        VmRule *rule = reading->rule;
        g_autofree gchar *text = xml_text(reading->node, keys[i]);
        if (!text)
            continue;
        named = TRUE;
        if (strchr(text, '/') || !vm_address_parse(text, &rule->first))
            return trouble(reading, "its IP is no address");
        if (size == 0 || !last_address(&rule->first, size, &rule->last))
            return trouble(reading, "its IP has no SIZE, or goes beyond the last address");
        if (fits(rule, rule->first.family))
            g_ptr_array_add(rules, vm_rule_copy(rule));
    }
    if (size > 0 && !named)
        return trouble(reading, "it has a SIZE and no IP");
    if (!named)
        g_ptr_array_add(rules, vm_rule_copy(reading->rule));
    return TRUE;
}

static void read_rule(OneVm *one, const xmlNode *node, GHashTable *groups)
{
    g_autoptr(VmRule) rule = vm_rule_new(FALSE);
    g_autoptr(GPtrArray) rules = vm_rules_new();
    g_autofree gchar *group = xml_text(node, "SECURITY_GROUP_ID");
    Reading reading = {node, rule, NULL};
    if (!group)
        trouble(&reading, "it has no SECURITY_GROUP_ID");
    else if (read_direction(&reading) && read_protocol(&reading) && read_ports(&reading) &&
             read_icmp(&reading))
        read_addresses(&reading, rules);
    if (reading.trouble) {
        g_autofree gchar *shown = spec_shown(group ? group : "none");
        one_note(one, "a rule of security group %s lets nothing pass where vmdock filters: %s",
                 shown, reading.trouble);
        return;
    }
    GPtrArray *known = g_hash_table_lookup(groups, group);
    if (!known) {
        known = vm_rules_new();
        g_hash_table_insert(groups, g_strdup(group), known);
    }
    g_ptr_array_extend_and_steal(known, g_steal_pointer(&rules));
}

GHashTable *one_parse_groups(OneVm *one, GError **error)
{
    g_autoptr(GPtrArray) nodes = one_children(one->templates, "SECURITY_GROUP_RULE");
    if (nodes->len > MAX_RULES) {
        spec_fail(error, "the VM has more than %d elements SECURITY_GROUP_RULE", MAX_RULES);
        return NULL;
    }
    GHashTable *groups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < nodes->len; i++)
        read_rule(one, nodes->pdata[i], groups);
    return groups;
}

gboolean one_take_groups(const xmlNode *node, GHashTable *groups, VmNic *nic, GError **error)
{
    g_autofree gchar *text = xml_text(node, "SECURITY_GROUPS");
    if (!text)
        return TRUE;
    g_auto(GStrv) ids = spec_commas(text);
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (char **id = ids; *id; id++) {
        const GPtrArray *rules = g_hash_table_lookup(groups, *id);
        if (!g_hash_table_add(seen, *id))
            continue;
        for (guint i = 0; rules && i < rules->len; i++)
            g_ptr_array_add(all, rules->pdata[i]);
    }
    if (g_strv_length(ids) > MAX_GROUPS || all->len > MAX_RULES)
        return spec_fail(error, "NIC %u: it has too many security groups, or rules of them",
                         nic->id);
    vm_nic_set_rules(nic, all);
    return TRUE;
}

static VmNic *parse_nic(const xmlNode *node, GHashTable *groups, GError **error)
{
    g_autoptr(VmNic) nic = vm_nic_new();
    g_autofree gchar *id = xml_text(node, "NIC_ID");
    guint64 number;
    if (!spec_number("NIC_ID", id ? id : "", "a NIC", 0, MAX_NIC_ID, &number, error))
        return NULL;
    nic->id = (guint)number;
    if (!one_take_groups(node, groups, nic, error))
        return NULL;
    return g_steal_pointer(&nic);
}

static GPtrArray *parse_nics(const xmlNode *vm, GStrv *notes, GError **error)
{
    const OpennebulaOptions options = {0};
    g_autoptr(OneVm) one = one_vm_new(vm, &options);
    g_autoptr(GHashTable) groups = one_parse_groups(one, error);
    g_autoptr(GPtrArray) nodes = one_children(one->templates, "NIC");
    g_autoptr(GPtrArray) nics = g_ptr_array_new_with_free_func((GDestroyNotify)vm_nic_free);
    if (!groups)
        return NULL;
    if (nodes->len > MAX_NICS) {
        spec_fail(error, "the VM has more than %d elements NIC", MAX_NICS);
        return NULL;
    }
    for (guint i = 0; i < nodes->len; i++) {
        VmNic *nic = parse_nic(nodes->pdata[i], groups, error);
        if (!nic)
            return NULL;
        g_ptr_array_add(nics, nic);
    }
    g_autoptr(GStrvBuilder) sentences = g_strv_builder_new();
    for (guint i = 0; i < one->spec->not_honoured->len; i++)
        g_strv_builder_add(sentences, one->spec->not_honoured->pdata[i]);
    *notes = g_strv_builder_end(sentences);
    return g_steal_pointer(&nics);
}

GPtrArray *opennebula_rules(const char *xml, gsize length, gsize max_size, gchar **id, GStrv *notes,
                            GError **error)
{
    const xmlNode *vm;
    g_autoptr(xmlDoc) doc = one_xml_parse(xml, length, max_size, &vm, error);
    g_autofree gchar *number = doc ? one_parse_id(vm, error) : NULL;
    g_autoptr(GPtrArray) nics = number ? parse_nics(vm, notes, error) : NULL;
    if (nics)
        *id = g_steal_pointer(&number);
    return g_steal_pointer(&nics);
}

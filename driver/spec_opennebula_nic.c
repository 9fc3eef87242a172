// SPDX-License-Identifier: Apache-2.0
#include "spec_attribute.h"
#include "spec_opennebula_private.h"

#include <string.h>

enum {
    MAX_NICS = 256,
    MAX_ALIASES = 1024,
    MAX_GROUPS = 2048, /* of CONTEXT's ETHn and ETHn_ALIASm */
    MAX_NIC_ID = 999999,
};

/* The variables ETH<number>_* of CONTEXT, or those of one of its aliases. */
typedef struct {
    gchar *prefix;
    guint number;
    gboolean alias;
    gboolean taken;
} Group;

static void group_free(Group *group)
{
    g_free(group->prefix);
    g_free(group);
}

void one_nic_free(OneNic *nic)
{
    g_free(nic->prefix);
    g_free(nic);
}

gchar *one_nic_label(const OneNic *nic)
{
    return g_strdup_printf("%s %u", nic->element, nic->id);
}

static gboolean parse_mac(OneNic *nic, GError **error)
{
    g_autofree gchar *text = xml_text(nic->node, "MAC");
    if (!text)
        return TRUE;
    nic->has_mac = vm_mac_parse(text, nic->mac);
    if (nic->has_mac)
        return TRUE;
    g_autofree gchar *label = one_nic_label(nic);
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(error, "%s: \"%s\" is no MAC", label, shown);
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
    guint mine = (*(const OneNic *const *)a)->id, theirs = (*(const OneNic *const *)b)->id;
    return mine < theirs ? -1 : mine > theirs;
}

static GPtrArray *collect(const OneVm *one, const char *element, guint most, GError **error)
{
    g_autoptr(GPtrArray) nodes = one_children(one->templates, element);
    g_autoptr(GPtrArray) nics = g_ptr_array_new_with_free_func((GDestroyNotify)one_nic_free);
    if (nodes->len > most) {
        spec_fail(error, "the VM has more than %u elements %s", most, element);
        return NULL;
    }
    for (guint i = 0; i < nodes->len; i++) {
        OneNic *nic = g_new0(OneNic, 1);
        g_ptr_array_add(nics, nic);
        nic->node = nodes->pdata[i];
        nic->element = element;
        g_autofree gchar *id = xml_text(nic->node, "NIC_ID");
        guint64 number;
        if (!spec_number("NIC_ID", id ? id : "", "a NIC", 0, MAX_NIC_ID, &number, error))
            return NULL;
        nic->id = (guint)number;
        if (!parse_mac(nic, error))
            return NULL;
    }
    g_ptr_array_sort(nics, compare_ids);
    return g_steal_pointer(&nics);
}

static gboolean check_ids(const GPtrArray *nics, const GPtrArray *aliases, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    const GPtrArray *const lists[] = {nics, aliases};
    for (gsize list = 0; list < G_N_ELEMENTS(lists); list++) {
        for (guint i = 0; i < lists[list]->len; i++) {
            const OneNic *nic = lists[list]->pdata[i];
            if (!g_hash_table_add(seen, GUINT_TO_POINTER(nic->id)))
                return spec_fail(error, "two NICs have the NIC_ID %u", nic->id);
        }
    }
    return TRUE;
}

/* Reads "12" of "12_IP" into NUMBER; what stands behind it, NULL when it is no such number. */
static const char *skip_number(const char *text, guint *number)
{
    gsize digits = strspn(text, "0123456789");
    guint64 value;
    g_autofree gchar *word = g_strndup(text, digits);
    if (text[digits] != '_' || (digits > 1 && *text == '0') ||
        !g_ascii_string_to_unsigned(word, 10, 0, MAX_NIC_ID, &value, NULL))
        return NULL;
    *number = (guint)value;
    return text + digits + 1;
}

/* Reads ETH<number>_ or ETH<number>_ALIAS<number>_; the key behind it, NULL when it is neither. */
static const char *read_prefix(const char *variable, guint *number, gboolean *alias)
{
    guint alias_number;
    const char *key = g_str_has_prefix(variable, "ETH") ? skip_number(variable + 3, number) : NULL;
    const char *alias_key = key && g_str_has_prefix(key, "ALIAS")
                                ? skip_number(key + strlen("ALIAS"), &alias_number)
                                : NULL;
    *alias = alias_key != NULL;
    return alias_key ? alias_key : key;
}

const char *one_nic_key(const char *variable)
{
    guint number;
    gboolean alias;
    return read_prefix(variable, &number, &alias);
}

static Group *group_of(const char *variable)
{
    guint number;
    gboolean alias;
    const char *key = read_prefix(variable, &number, &alias);
    if (!key)
        return NULL;
    Group *group = g_new0(Group, 1);
    group->number = number;
    group->alias = alias;
    group->prefix = g_strndup(variable, (gsize)(key - variable) - 1);
    return group;
}

static GPtrArray *find_groups(const OneVm *one)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GPtrArray *groups = g_ptr_array_new_with_free_func((GDestroyNotify)group_free);
    for (guint i = 0; i < one->context_names->len && groups->len < MAX_GROUPS; i++) {
        Group *group = group_of(one->context_names->pdata[i]);
        if (group && g_hash_table_add(seen, g_strdup(group->prefix)))
            g_ptr_array_add(groups, group);
        else if (group)
            group_free(group);
    }
    return groups;
}

static gboolean same_mac(const OneVm *one, const OneNic *nic, const Group *group)
{
    guint8 mac[6];
    const char *text = one_context(one, group->prefix, "MAC");
    return nic->has_mac && text && vm_mac_parse(text, mac) &&
           memcmp(mac, nic->mac, sizeof mac) == 0;
}

static gboolean same_ip(const OneVm *one, const OneNic *nic, const Group *group)
{
    static const char *const pairs[][2] = {
        {"IP", "IP"}, {"IP6", "IP6"}, {"IP6", "IP6_GLOBAL"}, {"IP6_ULA", "IP6_ULA"}};
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        const char *told = one_context(one, group->prefix, pairs[i][0]);
        g_autofree gchar *leased = xml_text(nic->node, pairs[i][1]);
        if (told && leased && strcmp(told, leased) == 0)
            return TRUE;
    }
    return FALSE;
}

/* OpenNebula numbers ETHn by NIC_ID. A group of another MAC speaks of another NIC. */
static gboolean same_number(const OneVm *one, const OneNic *nic, const Group *group)
{
    if (nic->has_mac && one_context(one, group->prefix, "MAC"))
        return FALSE;
    return !group->alias && group->number == nic->id;
}

static void match(const OneVm *one, const GPtrArray *nics, gboolean alias, const GPtrArray *groups)
{
    typedef gboolean (*SameFunc)(const OneVm *, const OneNic *, const Group *);
    static const SameFunc tests[] = {same_mac, same_ip, same_number};
    for (gsize test = 0; test < G_N_ELEMENTS(tests); test++) {
        for (guint i = 0; i < nics->len; i++) {
            OneNic *nic = nics->pdata[i];
            for (guint j = 0; j < groups->len && !nic->prefix; j++) {
                Group *group = groups->pdata[j];
                if (group->taken || group->alias != alias || !tests[test](one, nic, group))
                    continue;
                group->taken = TRUE;
                nic->prefix = g_strdup(group->prefix);
            }
        }
    }
}

static void note_groups(OneVm *one, const GPtrArray *groups)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < groups->len; i++) {
        const Group *group = groups->pdata[i];
        if (!group->taken)
            g_ptr_array_add(names, g_strconcat(group->prefix, "_*", NULL));
    }
    g_autofree gchar *list = spec_join(names);
    if (names->len > 0)
        one_note(one, "CONTEXT/%s %s not honoured: the VM has no such NIC", list, spec_are(names));
}

static OneNic *parent_of(const OneNic *alias, const GPtrArray *nics)
{
    g_autofree gchar *id = xml_text(alias->node, "PARENT_ID");
    g_autofree gchar *name = xml_text(alias->node, "PARENT");
    for (guint i = 0; i < nics->len; i++) {
        OneNic *nic = nics->pdata[i];
        g_autofree gchar *its_id = g_strdup_printf("%u", nic->id);
        g_autofree gchar *its_name = id ? NULL : xml_text(nic->node, "NAME");
        if (g_strcmp0(id, its_id) == 0 || (name && g_strcmp0(name, its_name) == 0))
            return nic;
    }
    return NULL;
}

static gboolean find_parents(const GPtrArray *aliases, const GPtrArray *nics, GError **error)
{
    for (guint i = 0; i < aliases->len; i++) {
        OneNic *alias = aliases->pdata[i];
        const OneNic *parent = parent_of(alias, nics);
        if (!parent)
            return spec_fail(error, "NIC_ALIAS %u: the VM has no NIC that is its parent",
                             alias->id);
        alias->nic = parent->nic;
    }
    return TRUE;
}

/* OpenNebula 4.14 has no BRIDGE_TYPE: there the driver's name tells Open vSwitch. */
static gchar *parse_bridge_type(const OneNic *nic, GError **error)
{
    static const char *const words[] = {"linux", "openvswitch", "openvswitch_dpdk",
                                        "vcenter_port_groups", NULL};
    g_autofree gchar *type = xml_text(nic->node, "BRIDGE_TYPE");
    g_autofree gchar *driver = xml_text(nic->node, "VN_MAD");
    if (!type)
        return g_strdup(driver && g_str_has_prefix(driver, "ovswitch") ? "openvswitch" : "linux");
    if (strcmp(type, "bridge") == 0 || strcmp(type, "none") == 0)
        return g_strdup("linux");
    if (g_strv_contains(words, type))
        return g_steal_pointer(&type);
    g_autofree gchar *shown = spec_shown(type);
    spec_fail(error, "NIC %u: \"%s\" is no BRIDGE_TYPE that is known", nic->id, shown);
    return NULL;
}

static gboolean parse_mtu(const OneVm *one, const OneNic *nic, GError **error)
{
    g_autofree gchar *guest = xml_text(nic->node, "GUEST_MTU");
    g_autofree gchar *bridge = xml_text(nic->node, "MTU");
    const char *told = one_context(one, nic->prefix, "MTU");
    const char *text = guest ? guest : told ? told : bridge;
    g_autofree gchar *what = g_strdup_printf("NIC %u: MTU", nic->id);
    guint64 mtu;
    if (!text)
        return TRUE;
    if (!spec_number(what, text, "bytes", 68, 65535, &mtu, error))
        return FALSE;
    nic->nic->mtu = (guint)mtu;
    return TRUE;
}

static gboolean parse_link(OneVm *one, OneNic *nic, GHashTable *groups, GError **error)
{
    VmNic *link = vm_nic_new();
    g_ptr_array_add(one->spec->nics, link);
    nic->nic = link;
    link->id = nic->id;
    link->has_mac = nic->has_mac;
    memcpy(link->mac, nic->mac, sizeof link->mac);
    link->network = xml_text(nic->node, "NETWORK");
    link->host_name = xml_text(nic->node, "TARGET");
    if (!link->host_name)
        link->host_name = g_strdup_printf("%s-%u", one->spec->deploy_id, nic->id);
    link->libvirt_network = xml_text(nic->node, "LIBVIRT_NETWORK");
    link->portgroup = link->libvirt_network ? xml_text(nic->node, "LIBVIRT_PORTGROUP") : NULL;
    link->engine_network = xml_text(nic->node, "DOCKER_NETWORK");
    link->bridge =
        link->libvirt_network || link->engine_network ? NULL : xml_text(nic->node, "BRIDGE");
    if (!link->bridge && !link->libvirt_network && !link->engine_network)
        return spec_fail(error, "NIC %u: no BRIDGE is given", nic->id);
    link->bridge_type = parse_bridge_type(nic, error);
    g_autofree gchar *label = one_nic_label(nic);
    return link->bridge_type && parse_mtu(one, nic, error) &&
           one_parse_bandwidth(nic->node, label, link, error) &&
           one_take_groups(nic->node, groups, link, error);
}

/* "ETH4" is eth4, as the guest's own scripts would have it; the others fill the gaps. */
static void name_guests(const GPtrArray *nics)
{
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < nics->len; i++) {
        const OneNic *nic = nics->pdata[i];
        if (!nic->prefix)
            continue;
        nic->nic->guest_name = g_ascii_strdown(nic->prefix, -1);
        g_hash_table_add(used, g_strdup(nic->nic->guest_name));
    }
    for (guint i = 0, number = 0; i < nics->len; i++) {
        const OneNic *nic = nics->pdata[i];
        if (nic->prefix)
            continue;
        number = MAX(number, i);
        do {
            g_free(nic->nic->guest_name);
            nic->nic->guest_name = g_strdup_printf("eth%u", number++);
        } while (!g_hash_table_add(used, g_strdup(nic->nic->guest_name)));
    }
}

static gboolean parse_links(OneVm *one, const GPtrArray *nics, const GPtrArray *aliases,
                            GError **error)
{
    g_autoptr(GHashTable) groups = one_parse_groups(one, error);
    for (guint i = 0; groups && i < nics->len; i++)
        if (!parse_link(one, nics->pdata[i], groups, error))
            return FALSE;
    if (!groups)
        return FALSE;
    name_guests(nics);
    if (!find_parents(aliases, nics, error))
        return FALSE;
    for (guint i = 0; i < nics->len; i++)
        if (!one_parse_addresses(one, nics->pdata[i], aliases, error))
            return FALSE;
    return TRUE;
}

/*
 * An alias that is being detached is still described, as is one that is being attached; but
 * CONTEXT, where it speaks of NICs at all, has no more to say of it.
 */
static void leave_out_detached(GPtrArray *aliases, const GPtrArray *groups)
{
    for (guint i = aliases->len; groups->len > 0 && i-- > 0;) {
        const OneNic *alias = aliases->pdata[i];
        g_autofree gchar *attach = xml_text(alias->node, "ATTACH");
        if (!alias->prefix && attach && g_ascii_strcasecmp(attach, "YES") == 0)
            g_ptr_array_remove_index(aliases, i);
    }
}

gboolean one_parse_nics(OneVm *one, GError **error)
{
    g_autoptr(GPtrArray) nics = collect(one, "NIC", MAX_NICS, error);
    g_autoptr(GPtrArray) aliases = nics ? collect(one, "NIC_ALIAS", MAX_ALIASES, error) : NULL;
    if (!aliases || !check_ids(nics, aliases, error))
        return FALSE;
    g_autoptr(GPtrArray) groups = find_groups(one);
    match(one, nics, FALSE, groups);
    match(one, aliases, TRUE, groups);
    leave_out_detached(aliases, groups);
    if (!parse_links(one, nics, aliases, error))
        return FALSE;
    one_parse_vm_network(one);
    vm_nics_part_routes(one->spec->nics);
    one_parse_dns(one, nics, aliases);
    for (guint i = 0; i < nics->len; i++) {
        one_note_nic(one, nics->pdata[i]);
        one_note_engine_nic(one, nics->pdata[i]);
    }
    for (guint i = 0; i < aliases->len; i++)
        one_note_nic(one, aliases->pdata[i]);
    note_groups(one, groups);
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_domain_private.h"

#include <string.h>

enum {
    MAX_NAME = 255,
    MAX_ID_TAIL = 50,
    MARK = 10, /* hexadecimal digits */
    MAX_VCPUS = 4096,
    MIN_PERIOD_US = 1000,
    MAX_PERIOD_US = 1000000,
    PERIOD_US = 100000,
    MIN_QUOTA_US = 1000,
    MIN_SHARES = 2, /* cgroup v1 shares */
    MAX_SHARES = 262144,
    MIN_WEIGHT = 10,
    MAX_WEIGHT = 1000,
    MAX_DEVICES = 64,
};

#define PREFIX "dom-"

gboolean spec_is_domain(const char *xml, gsize length, gsize max_size)
{
    g_autoptr(xmlDoc) doc = xml_read(xml, length, max_size, NULL);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    return root && xml_is(root, "domain");
}

/* ---- names ----------------------------------------------------------------------------------- */

static gboolean is_plain(const char *name)
{
    gsize length = strlen(name);
    return length > 0 && length <= MAX_ID_TAIL && name[0] != '-' && name[length - 1] != '-' &&
           !strstr(name, "--") && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* A name that is not plain has "--" in its id, which no plain one has. */
gchar *domain_deploy_id(const char *name)
{
    if (is_plain(name))
        return g_strconcat(PREFIX, name, NULL);
    g_autofree gchar *mark = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
    GString *id = g_string_new(PREFIX);
    for (const char *p = name; *p && id->len < strlen(PREFIX) + MAX_ID_TAIL - MARK - 2; p++) {
        char last = id->str[id->len - 1];
        if (g_ascii_isalnum(*p))
            g_string_append_c(id, g_ascii_tolower(*p));
        else if (last != '-')
            g_string_append_c(id, '-');
    }
    while (id->len > strlen(PREFIX) && id->str[id->len - 1] == '-')
        g_string_truncate(id, id->len - 1);
    g_string_append_printf(id, "--%.*s", MARK, mark);
    return g_string_free(id, FALSE);
}

static gboolean take_uuid(Domain *domain, GError **error)
{
    g_autofree gchar *uuid = domain_text(domain->root, "uuid");
    if (!uuid)
        return TRUE;
    if (g_uuid_string_is_valid(uuid)) {
        domain->spec->uuid = g_ascii_strdown(uuid, -1);
        return TRUE;
    }
    g_autofree gchar *shown = spec_shown(uuid);
    return spec_fail(error, "\"%s\" is no UUID", shown);
}

static gboolean take_names(Domain *domain, GError **error)
{
    VmSpec *spec = domain->spec;
    g_autofree gchar *name = domain_text(domain->root, "name");
    if (!name)
        return spec_fail(error, "the domain has no name");
    if (strlen(name) > MAX_NAME || strchr(name, '/') || strchr(name, '\n')) {
        g_autofree gchar *shown = spec_shown(name);
        return spec_fail(error, "\"%s\" is no name of a domain", shown);
    }
    spec->deploy_id = domain_deploy_id(name);
    spec->cloud = g_strdup(DOMAIN_CLOUD);
    spec->cloud_id = g_strdup(name);
    spec->hostname = vm_hostname_from(name, spec->deploy_id);
    spec->name = g_steal_pointer(&name);
    spec->title = domain_text(domain->root, "title");
    spec->description = domain_text(domain->root, "description");
    return take_uuid(domain, error);
}

static gboolean take_type(Domain *domain, GError **error)
{
    g_autofree gchar *type = domain_attribute(domain->root, "type");
    g_free(domain_attribute(domain->root, "id"));
    if (g_strcmp0(type, "lxc") == 0)
        return TRUE;
    g_autofree gchar *shown = spec_shown(type ? type : "none");
    return spec_fail(error, "a domain of type %s is no container; those of type lxc are", shown);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* What the VM has now; libvirt too takes no more of it than there may be at the most. */
static gboolean take_memory(Domain *domain, GError **error)
{
    VmLimits *limits = &domain->spec->limits;
    xmlNode *most = domain_child(domain->root, "memory");
    xmlNode *current = domain_child(domain->root, "currentMemory");
    gint64 now = 0;
    if (!most)
        return spec_fail(error, "the domain has no memory");
    if (!domain_size(most, NULL, "unit", "memory", &limits->memory, error) ||
        (current && !domain_size(current, NULL, "unit", "currentMemory", &now, error)))
        return FALSE;
    if (limits->memory == 0)
        return spec_fail(error, "memory: the domain has none");
    if (now == 0 || now >= limits->memory)
        return TRUE;
    spec_note(domain->spec, "memory is not honoured: nothing is kept back for more than "
                            "currentMemory");
    limits->memory = now;
    return TRUE;
}

/* The two limits are of memory, and of memory and swap together. */
static gboolean take_swap(Domain *domain, GError **error)
{
    VmLimits *limits = &domain->spec->limits;
    xmlNode *tune = domain_child(domain->root, "memtune");
    xmlNode *hard = domain_child(tune, "hard_limit"), *swap = domain_child(tune, "swap_hard_limit");
    gint64 memory = limits->memory, both = 0;
    if ((hard && !domain_size(hard, NULL, "unit", "memtune/hard_limit", &memory, error)) ||
        (swap && !domain_size(swap, NULL, "unit", "memtune/swap_hard_limit", &both, error)))
        return FALSE;
    if (memory != limits->memory)
        spec_note(domain->spec, "memtune/hard_limit is not honoured: memory is the limit");
    if (swap && both < limits->memory)
        return spec_fail(error, "memtune/swap_hard_limit: it is less than the memory");
    if (swap)
        limits->swap = both - limits->memory;
    return TRUE;
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static gboolean take_vcpu(Domain *domain, gchar **cpus, GError **error)
{
    xmlNode *node = domain_child(domain->root, "vcpu");
    g_autofree gchar *text = node ? xml_node_text(node) : NULL;
    g_autofree gchar *current = domain_attribute(node, "current");
    g_autofree gchar *placement = domain_attribute(node, "placement");
    guint64 most = 1, now;
    *cpus = domain_attribute(node, "cpuset");
    if (text && !spec_number("vcpu", text, "CPUs", 1, MAX_VCPUS, &most, error))
        return FALSE;
    now = most;
    if (current && !spec_number("vcpu/@current", current, "CPUs", 1, most, &now, error))
        return FALSE;
    if (now < most)
        spec_note(domain->spec, "vcpu is not honoured: nothing is kept back for more than its "
                                "@current");
    if (g_strcmp0(placement, "auto") == 0)
        spec_note(domain->spec, "vcpu/@placement is not honoured: nobody is asked for advice");
    domain->spec->vcpus = (guint)now;
    return TRUE;
}

/* QUOTA is of COUNT CPUs each, in PERIOD; under 0 there is no ceiling. */
static void set_quota(VmSpec *spec, gint64 quota, gint64 period, guint count)
{
    VmLimits *limits = &spec->limits;
    gint64 most = period * spec->vcpus;
    limits->cpu_period_us = period;
    limits->cpu_quota_us = quota < 0 ? 0 : CLAMP(quota * count, MIN_QUOTA_US, most);
}

/* As with every cloud, a VM has no more than its CPUs; libvirt's quota is what each may use. */
static gboolean take_quota(Domain *domain, xmlNode *tune, GError **error)
{
    VmSpec *spec = domain->spec;
    gint64 period = 0, quota = 0, all_period = 0, all_quota = 0;
    if (!domain_number(tune, "period", "cputune", "microseconds", MIN_PERIOD_US, MAX_PERIOD_US,
                       &period, error) ||
        !domain_number(tune, "quota", "cputune", "microseconds", G_MININT64, G_MAXINT32, &quota,
                       error))
        return FALSE;
    spec->limits.cpu_quota_us = (gint64)PERIOD_US * spec->vcpus;
    if (period != 0 || quota != 0) {
        gint64 within = period ? period : PERIOD_US;
        set_quota(spec, quota ? quota : within, within, spec->vcpus);
        return TRUE; /* the global ones stay untaken, and are told */
    }
    if (!domain_number(tune, "global_period", "cputune", "microseconds", MIN_PERIOD_US,
                       MAX_PERIOD_US, &all_period, error) ||
        !domain_number(tune, "global_quota", "cputune", "microseconds", G_MININT64, G_MAXINT32,
                       &all_quota, error))
        return FALSE;
    if (all_period != 0 || all_quota != 0) {
        gint64 within = all_period ? all_period : PERIOD_US;
        set_quota(spec, all_quota ? all_quota : within * spec->vcpus, within, 1);
    }
    return TRUE;
}

/* A pin as it is kept, "1:0-3"; *set is what it says. */
static gchar *read_pin(xmlNode *node, CpuSet *set, guint *vcpu, GError **error)
{
    g_autofree gchar *number = domain_attribute(node, "vcpu");
    g_autofree gchar *cpus = domain_attribute(node, "cpuset");
    guint64 which;
    if (!spec_number("cputune/vcpupin/@vcpu", number ? number : "", "a CPU of the domain", 0,
                     MAX_VCPUS, &which, error) ||
        !cpu_set_parse("cputune/vcpupin/@cpuset", cpus ? cpus : "", set, error))
        return NULL;
    *vcpu = (guint)which;
    g_autofree gchar *text = cpu_set_text(set);
    return g_strdup_printf("%u:%s", *vcpu, text);
}

static gboolean collect_pins(Domain *domain, xmlNode *tune, GStrvBuilder *pins, CpuSet *all,
                             guint *pinned, GError **error)
{
    g_autoptr(GPtrArray) nodes = domain_children(tune, "vcpupin");
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < nodes->len; i++) {
        guint vcpu = 0;
        g_autoptr(CpuSet) set = cpu_set_new();
        g_autofree gchar *pin = read_pin(nodes->pdata[i], set, &vcpu, error);
        if (!pin)
            return FALSE;
        if (vcpu >= domain->spec->vcpus)
            continue; /* one that is not there now */
        if (!g_hash_table_add(seen, GUINT_TO_POINTER(vcpu)))
            return spec_fail(error, "cputune/vcpupin: CPU %u has two", vcpu);
        g_strv_builder_add(pins, pin);
        cpu_set_add(all, set);
    }
    *pinned = g_hash_table_size(seen);
    return TRUE;
}

/*
 * A container's processes have no CPUs of their own, so they may run wherever one of the domain's
 * CPUs may: those that are pinned on their sets, the others on vcpu's set, or anywhere.
 */
static gboolean take_pins(Domain *domain, xmlNode *tune, const char *others, GError **error)
{
    VmSpec *spec = domain->spec;
    g_autoptr(GStrvBuilder) pins = g_strv_builder_new();
    g_autoptr(CpuSet) all = cpu_set_new(), rest = cpu_set_new();
    guint pinned = 0;
    if (others) {
        if (!cpu_set_parse("vcpu/@cpuset", others, rest, error))
            return FALSE;
        g_autofree gchar *text = cpu_set_text(rest);
        g_autofree gchar *pin = g_strconcat(":", text, NULL);
        g_strv_builder_add(pins, pin);
    }
    if (!collect_pins(domain, tune, pins, all, &pinned, error))
        return FALSE;
    if (pinned < spec->vcpus)
        cpu_set_add(all, rest);
    if (others || pinned > 0)
        spec->cpu_pins = g_strv_builder_end(pins);
    if (pinned == spec->vcpus || others)
        spec->cpus = cpu_set_text(all);
    return TRUE;
}

static gboolean take_cpu(Domain *domain, GError **error)
{
    g_autofree gchar *cpus = NULL;
    gint64 shares = 0;
    if (!take_vcpu(domain, &cpus, error))
        return FALSE;
    xmlNode *tune = domain_child(domain->root, "cputune");
    if (!domain_number(tune, "shares", "cputune", "shares", MIN_SHARES, MAX_SHARES, &shares, error))
        return FALSE;
    domain->spec->limits.cpu_weight = shares;
    return take_quota(domain, tune, error) && take_pins(domain, tune, cpus, error);
}

/* ---- the disks of the host ------------------------------------------------------------------- */

static gboolean take_device(Domain *domain, xmlNode *node, GError **error)
{
    const char *label = "blkiotune/device";
    g_autofree gchar *path = domain_text(node, "path");
    VmDeviceLimits *device = g_new0(VmDeviceLimits, 1);
    VmDiskLimits *limits = &device->limits;
    g_ptr_array_add(domain->spec->device_limits, device);
    device->path = g_strdup(path ? path : "");
    return spec_check_path(label, device->path, error) &&
           domain_number(node, "weight", label, "shares", 0, MAX_WEIGHT, &device->weight, error) &&
           domain_number(node, "read_bytes_sec", label, "bytes", 0, G_MAXINT64, &limits->read_bytes,
                         error) &&
           domain_number(node, "write_bytes_sec", label, "bytes", 0, G_MAXINT64,
                         &limits->write_bytes, error) &&
           domain_number(node, "read_iops_sec", label, "requests", 0, G_MAXUINT32,
                         &limits->read_ops, error) &&
           domain_number(node, "write_iops_sec", label, "requests", 0, G_MAXUINT32,
                         &limits->write_ops, error);
}

static gboolean take_blkiotune(Domain *domain, GError **error)
{
    xmlNode *tune = domain_child(domain->root, "blkiotune");
    g_autoptr(GPtrArray) devices = domain_children(tune, "device");
    if (devices->len > MAX_DEVICES)
        return spec_fail(error, "blkiotune has more than %d devices", MAX_DEVICES);
    for (guint i = 0; i < devices->len; i++)
        if (!take_device(domain, devices->pdata[i], error))
            return FALSE;
    return domain_number(tune, "weight", "blkiotune", "shares", MIN_WEIGHT, MAX_WEIGHT,
                         &domain->spec->limits.io_weight, error);
}

/* ---- what asks for nothing, and what cannot be ----------------------------------------------- */

/* A VM that ends stays off until somebody starts it. */
static void take_ends(Domain *domain)
{
    static const char *const events[] = {"on_poweroff", "on_crash"};
    g_free(domain_text(domain->root, "on_reboot"));
    for (gsize i = 0; i < G_N_ELEMENTS(events); i++) {
        g_autofree gchar *what = domain_text(domain->root, events[i]);
        if (what && strcmp(what, "destroy") != 0)
            spec_note(domain->spec, "%s is not honoured: a VM that ends stays off", events[i]);
    }
}

/* What libvirt itself adds to each domain. */
static void take_silent(Domain *domain)
{
    xmlNode *clock = domain_child(domain->root, "clock");
    xmlNode *resource = domain_child(domain->root, "resource");
    xmlNode *label = domain_child(domain->root, "seclabel");
    g_autofree gchar *offset = domain_attribute(clock, "offset");
    g_autofree gchar *partition = domain_text(resource, "partition");
    g_autofree gchar *model = domain_attribute(label, "type");
    if (offset && strcmp(offset, "utc") != 0)
        spec_note(domain->spec, "clock is not honoured: a container has the host's");
    if (partition && strcmp(partition, "/machine") != 0)
        spec_note(domain->spec, "resource/partition is not honoured: the host's configuration "
                                "names the control group");
    if (model && strcmp(model, "none") != 0)
        spec_note(domain->spec, "seclabel is not honoured: the engine labels its containers");
    domain_take_all(label);
}

/* To be given to the right ids, the files of an image would have to belong to others. */
static void take_idmap(Domain *domain)
{
    xmlNode *map = domain_child(domain->root, "idmap");
    if (!map)
        return;
    domain_take_all(map);
    domain->spec->refused =
        g_strdup("idmap is asked for, and a container with user ids of its own cannot join the "
                 "VM's network namespace; take the element out");
}

VmSpec *spec_from_domain(const char *xml, gsize length, const DomainOptions *options,
                         GError **error)
{
    g_autoptr(xmlDoc) doc = xml_read(xml, length, options->max_size, error);
    if (!doc)
        return NULL;
    xmlNode *root = xmlDocGetRootElement(doc);
    if (!root || !xml_is(root, "domain")) {
        spec_fail(error, "the XML is of no domain");
        return NULL;
    }
    g_autoptr(VmSpec) spec = vm_spec_new();
    Domain domain = {options, root, spec};
    spec->process.terminal = options->terminal;
    if (!take_type(&domain, error) || !take_names(&domain, error) || !take_memory(&domain, error) ||
        !take_swap(&domain, error) || !take_cpu(&domain, error) ||
        !take_blkiotune(&domain, error) || !domain_take_os(&domain, error) ||
        !domain_take_features(&domain, error) || !domain_take_devices(&domain, error) ||
        !domain_take_metadata(&domain, error))
        return NULL;
    take_idmap(&domain);
    take_ends(&domain);
    take_silent(&domain);
    domain_note_rest(&domain);
    if (!vm_spec_check(spec, error))
        return NULL;
    return g_steal_pointer(&spec);
}

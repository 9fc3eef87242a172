// SPDX-License-Identifier: Apache-2.0
#include "spec.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

enum {
    MAX_HOSTNAME = 63,
    MAX_ID_TAIL = 50,
    WEIGHT_OF_CPU = 1024, /* cgroup v1 shares, and their smallest and largest */
    MIN_WEIGHT = 2,
    MAX_WEIGHT = 262144,
    PERIOD_US = 100000,
    MIN_QUOTA_US = 1000,
};

VmSpec *vm_spec_new(void)
{
    VmSpec *spec = g_new0(VmSpec, 1);
    spec->process.terminal = TRUE;
    spec->process.stop_timeout = -1;
    spec->devices = g_ptr_array_new_with_free_func((GDestroyNotify)vm_device_free);
    spec->nics = g_ptr_array_new_with_free_func((GDestroyNotify)vm_nic_free);
    spec->not_honoured = g_ptr_array_new_with_free_func(g_free);
    spec->disks = g_ptr_array_new_with_free_func((GDestroyNotify)vm_disk_free);
    spec->mounts = g_ptr_array_new_with_free_func((GDestroyNotify)vm_mount_free);
    spec->device_limits = g_ptr_array_new_with_free_func((GDestroyNotify)vm_device_limits_free);
    return spec;
}

static void process_clear(VmProcess *process)
{
    g_strfreev(process->entrypoint);
    g_strfreev(process->command);
    g_strfreev(process->environment);
    g_free(process->user);
    g_free(process->working_dir);
    g_free(process->stop_signal);
}

void vm_spec_free(VmSpec *spec)
{
    if (!spec)
        return;
    process_clear(&spec->process);
    g_free(spec->deploy_id);
    g_free(spec->cloud);
    g_free(spec->cloud_id);
    g_free(spec->name);
    g_free(spec->uuid);
    g_free(spec->hostname);
    g_free(spec->image);
    g_free(spec->image_source);
    g_strfreev(spec->tmpfs);
    g_strfreev(spec->capabilities);
    g_ptr_array_unref(spec->devices);
    g_ptr_array_unref(spec->nics);
    g_strfreev(spec->dns);
    g_strfreev(spec->search);
    g_ptr_array_unref(spec->not_honoured);
    vm_context_free(spec->context);
    g_ptr_array_unref(spec->disks);
    g_free(spec->host);
    g_free(spec->rescued);
    g_free(spec->refused);
    g_free(spec->title);
    g_free(spec->description);
    g_free(spec->cpus);
    g_strfreev(spec->cpu_pins);
    g_strfreev(spec->capabilities_dropped);
    g_ptr_array_unref(spec->mounts);
    g_ptr_array_unref(spec->device_limits);
    g_free(spec);
}

static void variable_free(VmVariable *variable)
{
    g_free(variable->name);
    g_free(variable->value);
    g_free(variable);
}

GPtrArray *vm_variables_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)variable_free);
}

static void file_free(gpointer data)
{
    VmFile *file = data;
    g_free(file->path);
    g_bytes_unref(file->content);
    g_free(file);
}

GPtrArray *vm_files_new(void)
{
    return g_ptr_array_new_with_free_func(file_free);
}

void vm_files_add(GPtrArray *files, const char *path, const void *content, gsize length)
{
    VmFile *file = g_new(VmFile, 1);
    file->path = g_strdup(path);
    file->content = g_bytes_new(content, length);
    g_ptr_array_add(files, file);
}

static void copy_files(GPtrArray *to, const GPtrArray *from)
{
    for (guint i = 0; i < from->len; i++) {
        const VmFile *file = from->pdata[i];
        gsize length = 0;
        const void *content = g_bytes_get_data(file->content, &length);
        vm_files_add(to, file->path, content, length);
    }
}

VmContext *vm_context_new(void)
{
    VmContext *context = g_new0(VmContext, 1);
    context->variables = vm_variables_new();
    context->told = vm_files_new();
    context->given = vm_files_new();
    return context;
}

void vm_context_free(VmContext *context)
{
    if (!context)
        return;
    g_ptr_array_unref(context->variables);
    g_free(context->image);
    g_strfreev(context->files);
    g_free(context->user);
    g_strfreev(context->keys);
    g_free(context->password);
    g_free(context->password_hash);
    g_free(context->script);
    g_free(context->mount_point);
    g_ptr_array_unref(context->told);
    g_ptr_array_unref(context->given);
    g_free(context);
}

VmContext *vm_context_copy(const VmContext *context)
{
    VmContext *copy = vm_context_new();
    for (guint i = 0; i < context->variables->len; i++) {
        const VmVariable *variable = context->variables->pdata[i];
        vm_variables_set(copy->variables, variable->name, variable->value);
    }
    copy->image = g_strdup(context->image);
    copy->files = g_strdupv(context->files);
    copy->user = g_strdup(context->user);
    copy->keys = g_strdupv(context->keys);
    copy->password = g_strdup(context->password);
    copy->password_hash = g_strdup(context->password_hash);
    copy->sealed = context->sealed;
    copy->script = g_strdup(context->script);
    copy->mount_point = g_strdup(context->mount_point);
    copy_files(copy->told, context->told);
    copy_files(copy->given, context->given);
    return copy;
}

/* Where NAME is, or belongs. */
static guint variable_place(const GPtrArray *variables, const char *name, gboolean *there)
{
    guint low = 0, high = variables->len;
    *there = FALSE;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const VmVariable *variable = variables->pdata[middle];
        int order = strcmp(variable->name, name);
        if (order == 0) {
            *there = TRUE;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const char *vm_variables_value(const GPtrArray *variables, const char *name)
{
    gboolean there;
    guint place = variable_place(variables, name, &there);
    return there ? ((const VmVariable *)variables->pdata[place])->value : NULL;
}

void vm_variables_set(GPtrArray *variables, const char *name, const char *value)
{
    gboolean there;
    guint place = variable_place(variables, name, &there);
    if (!there) {
        VmVariable *variable = g_new0(VmVariable, 1);
        variable->name = g_strdup(name);
        g_ptr_array_insert(variables, (gint)place, variable);
    }
    VmVariable *variable = variables->pdata[place];
    gchar *copy = g_strdup(value);
    g_free(variable->value);
    variable->value = copy;
}

VmNic *vm_nic_new(void)
{
    VmNic *nic = g_new0(VmNic, 1);
    nic->addresses = g_array_new(FALSE, TRUE, sizeof(VmAddress));
    nic->routes = g_array_new(FALSE, TRUE, sizeof(VmRoute));
    return nic;
}

VmNic *vm_nic_copy(const VmNic *nic)
{
    VmNic *copy = g_memdup2(nic, sizeof *nic);
    copy->host_name = g_strdup(nic->host_name);
    copy->guest_name = g_strdup(nic->guest_name);
    copy->bridge = g_strdup(nic->bridge);
    copy->bridge_type = g_strdup(nic->bridge_type);
    copy->network = g_strdup(nic->network);
    copy->libvirt_network = g_strdup(nic->libvirt_network);
    copy->portgroup = g_strdup(nic->portgroup);
    copy->learned = g_strdupv(nic->learned);
    vm_vlan_copy(&copy->vlan, &nic->vlan);
    copy->engine_network = g_strdup(nic->engine_network);
    copy->addresses = g_array_copy(nic->addresses);
    copy->routes = g_array_copy(nic->routes);
    copy->rules = NULL;
    vm_nic_set_rules(copy, nic->rules);
    return copy;
}

gchar *vm_nic_host_name(const char *prefix, const char *deploy_id, guint id)
{
    g_autofree gchar *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, deploy_id, -1);
    return g_strdup_printf("%s%.8s-%u", prefix, digest, id);
}

const VmAddress *vm_nic_address(const VmNic *nic, int family)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        const VmAddress *address = &g_array_index(nic->addresses, VmAddress, i);
        if (address->family == family)
            return address;
    }
    return NULL;
}

void vm_words_add(GStrv *list, const char *word)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    if (*list && g_strv_contains((const gchar *const *)*list, word))
        return;
    for (char **item = *list; item && *item; item++)
        g_strv_builder_add(builder, *item);
    g_strv_builder_add(builder, word);
    g_strfreev(*list);
    *list = g_strv_builder_end(builder);
}

gboolean vm_bandwidth_any(const VmBandwidth *bandwidth)
{
    return bandwidth->average != 0 || bandwidth->peak != 0;
}

gboolean vm_nic_learned(const VmNic *nic, const char *what)
{
    return nic->learned && g_strv_contains((const gchar *const *)nic->learned, what);
}

gboolean vm_spec_learned(const VmSpec *spec, const char *what)
{
    for (guint i = 0; i < spec->nics->len; i++)
        if (vm_nic_learned(spec->nics->pdata[i], what))
            return TRUE;
    return FALSE;
}

void vm_nic_free(VmNic *nic)
{
    if (!nic)
        return;
    g_free(nic->host_name);
    g_free(nic->guest_name);
    g_free(nic->bridge);
    g_free(nic->bridge_type);
    g_free(nic->network);
    g_free(nic->libvirt_network);
    g_free(nic->portgroup);
    g_strfreev(nic->learned);
    vm_vlan_clear(&nic->vlan);
    g_free(nic->engine_network);
    g_array_unref(nic->addresses);
    g_array_unref(nic->routes);
    if (nic->rules)
        g_ptr_array_unref(nic->rules);
    g_free(nic);
}

void vm_device_free(VmDevice *device)
{
    if (!device)
        return;
    g_free(device->host_path);
    g_free(device->guest_path);
    g_free(device->access);
    g_free(device);
}

void vm_mount_free(VmMount *mount)
{
    g_free(mount->host_path);
    g_free(mount->guest_path);
    g_free(mount);
}

void vm_device_limits_free(VmDeviceLimits *limits)
{
    g_free(limits->path);
    g_free(limits);
}

static guint address_bits(const VmAddress *address)
{
    return address->family == AF_INET ? 32 : 128;
}

gboolean vm_address_parse(const char *text, VmAddress *address)
{
    VmAddress parsed = {0};
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    if (!parts[0])
        return FALSE;
    if (inet_pton(AF_INET, parts[0], parsed.bytes) == 1)
        parsed.family = AF_INET;
    else if (inet_pton(AF_INET6, parts[0], parsed.bytes) == 1)
        parsed.family = AF_INET6;
    else
        return FALSE;
    guint64 prefix = address_bits(&parsed);
    if (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, 0, prefix, &prefix, NULL))
        return FALSE;
    parsed.prefix = (guint)prefix;
    *address = parsed;
    return TRUE;
}

gchar *vm_address_text(const VmAddress *address)
{
    char text[INET6_ADDRSTRLEN];
    if (!inet_ntop(address->family, address->bytes, text, sizeof text))
        return g_strdup("");
    return g_strdup(text);
}

gchar *vm_address_format(const VmAddress *address)
{
    g_autofree gchar *text = vm_address_text(address);
    return g_strdup_printf("%s/%u", text, address->prefix);
}

gboolean vm_address_same(const VmAddress *a, const VmAddress *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

VmAddress vm_address_subnet(const VmAddress *address)
{
    VmAddress subnet = *address;
    for (guint bit = address->prefix; bit < address_bits(address); bit++)
        subnet.bytes[bit / 8] &= (guint8) ~(0x80u >> bit % 8);
    return subnet;
}

gboolean vm_address_contains(const VmAddress *address, const VmAddress *other)
{
    VmAddress inside = *other;
    inside.prefix = address->prefix;
    if (address->family != other->family)
        return FALSE;
    VmAddress mine = vm_address_subnet(address), theirs = vm_address_subnet(&inside);
    return vm_address_same(&mine, &theirs);
}

gboolean vm_mask_prefix(const char *mask, guint *prefix)
{
    guint64 number;
    struct in_addr parsed;
    if (g_ascii_string_to_unsigned(mask, 10, 0, 32, &number, NULL)) {
        *prefix = (guint)number;
        return TRUE;
    }
    if (inet_pton(AF_INET, mask, &parsed) != 1)
        return FALSE;
    guint32 holes = ~ntohl(parsed.s_addr);
    if (holes & (holes + 1))
        return FALSE;
    *prefix = holes == 0 ? 32 : (guint)__builtin_clz(holes);
    return TRUE;
}

gboolean vm_mac_parse(const char *text, guint8 mac[6])
{
    guint8 parsed[6];
    if (strlen(text) != 17)
        return FALSE;
    for (gsize i = 0; i < 6; i++) {
        int high = g_ascii_xdigit_value(text[3 * i]), low = g_ascii_xdigit_value(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            return FALSE;
        parsed[i] = (guint8)(high << 4 | low);
    }
    memcpy(mac, parsed, sizeof parsed);
    return TRUE;
}

gchar *vm_mac_format(const guint8 mac[6])
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

gchar *vm_hostname_from(const char *text, const char *fallback)
{
    GString *name = g_string_new(NULL);
    for (const char *p = text ? text : ""; *p; p++) {
        char last = name->len > 0 ? name->str[name->len - 1] : '.';
        if (g_ascii_isalnum(*p)) {
            g_string_append_c(name, *p);
        } else if (*p == '.') {
            if (last == '-')
                g_string_truncate(name, name->len - 1);
            if (name->len > 0 && name->str[name->len - 1] != '.')
                g_string_append_c(name, '.');
        } else if (last != '-' && last != '.') {
            g_string_append_c(name, '-');
        }
    }
    g_string_truncate(name, MIN(name->len, MAX_HOSTNAME));
    while (name->len > 0 && !g_ascii_isalnum(name->str[name->len - 1]))
        g_string_truncate(name, name->len - 1);
    if (name->len == 0)
        g_string_assign(name, fallback);
    return g_string_free(name, FALSE);
}

gboolean vm_id_valid(const char *deploy_id)
{
    static const char *const makers[] = {"one-", "nova-", "run-", "dom-"};
    const char *tail = NULL;
    for (gsize i = 0; !tail && i < G_N_ELEMENTS(makers); i++)
        if (g_str_has_prefix(deploy_id, makers[i]))
            tail = deploy_id + strlen(makers[i]);
    if (!tail || *tail == '\0' || strlen(tail) > MAX_ID_TAIL)
        return FALSE;
    for (const char *p = tail; *p; p++)
        if (!g_ascii_isalnum(*p) && *p != '-')
            return FALSE;
    return TRUE;
}

gboolean vm_cpus_parse(const char *text, double *cpus)
{
    char *end;
    *cpus = g_ascii_strtod(text, &end);
    /* strtod also takes "inf", "nan" and hexadecimal numbers. */
    return *end == '\0' && strspn(text, "0123456789.eE+-") == strlen(text) && isfinite(*cpus) &&
           *cpus >= 0 && *cpus <= VM_CPUS_MAX && !signbit(*cpus);
}

void vm_limits_set_cpus(VmLimits *limits, double cpus, guint vcpus, gboolean hard)
{
    limits->cpu_weight = CLAMP((gint64)llround(cpus * WEIGHT_OF_CPU), MIN_WEIGHT, MAX_WEIGHT);
    if (hard)
        limits->cpu_quota_us = MAX((gint64)llround(cpus * PERIOD_US), MIN_QUOTA_US);
    else
        limits->cpu_quota_us = (vcpus ? (gint64)vcpus : MAX((gint64)ceil(cpus), 1)) * PERIOD_US;
}

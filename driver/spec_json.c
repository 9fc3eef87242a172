// SPDX-License-Identifier: Apache-2.0
/*
 * Each struct has one table of its fields, and each kind of field one writer and one reader, so
 * that what is written and what is read cannot drift apart.
 *
 * A host is upgraded while its VMs run, so specs that an older version saved are read too. A field
 * that its struct did not have in its first version is LATER: where it is missing it is what
 * vm_spec_new() and its like make it.
 */
#include "autoptr.h"
#include "error.h"
#include "spec.h"

#define PROCESS_FIELDS(X)                                                                          \
    X(strings, entrypoint)                                                                         \
    X(strings, command)                                                                            \
    X(strings, environment)                                                                        \
    X(string, user)                                                                                \
    X(string, working_dir)                                                                         \
    X(flag, terminal)                                                                              \
    X(flag, init)                                                                                  \
    X(string, stop_signal)                                                                         \
    X(count, stop_timeout)

#define LIMITS_FIELDS(X)                                                                           \
    X(size, memory)                                                                                \
    X(size, swap)                                                                                  \
    X(size, cpu_weight)                                                                            \
    X(size, cpu_quota_us)                                                                          \
    X(size, pids)

/* What one cloud's limits alone have. */
#define LIMITS_OPTIONAL_FIELDS(X)                                                                  \
    X(size_if_any, cpu_period_us)                                                                  \
    X(size_if_any, io_weight)

#define MOUNT_FIELDS(X)                                                                            \
    X(text, host_path)                                                                             \
    X(text, guest_path)                                                                            \
    X(flag, read_only)

#define DEVICE_LIMITS_FIELDS(X)                                                                    \
    X(text, path)                                                                                  \
    X(size, weight)                                                                                \
    X(disk_limits, limits)

#define DEVICE_FIELDS(X)                                                                           \
    X(text, host_path)                                                                             \
    X(text, guest_path)                                                                            \
    X(text, access)

#define DISK_LIMITS_FIELDS(X)                                                                      \
    X(size, read_bytes)                                                                            \
    X(size, write_bytes)                                                                           \
    X(size, read_ops)                                                                              \
    X(size, write_ops)

#define DISK_FIELDS(X)                                                                             \
    X(number, id)                                                                                  \
    X(text, target)                                                                                \
    X(text, source)                                                                                \
    X(text, mount_point)                                                                           \
    X(string, make_fs)                                                                             \
    X(disk_format, format)                                                                         \
    X(flag, read_only)                                                                             \
    X(flag, optical)                                                                               \
    X(disk_limits, limits)

/* What one cloud's disks alone have. */
#define DISK_OPTIONAL_FIELDS(X)                                                                    \
    X(disk_storage, storage)                                                                       \
    X(string, cloud_id)                                                                            \
    X(string, share)                                                                               \
    X(string, share_options)

#define ROUTE_FIELDS(X)                                                                            \
    X(address, destination)                                                                        \
    X(address, gateway)                                                                            \
    X(number, metric)

#define BANDWIDTH_FIELDS(X)                                                                        \
    X(size, average)                                                                               \
    X(size, peak)                                                                                  \
    X(size, burst)

/* The MAC stands between these two: it is two fields of the struct and one of the JSON. */
#define NIC_NAME_FIELDS(X)                                                                         \
    X(number, id)                                                                                  \
    X(text, host_name)                                                                             \
    X(text, guest_name)                                                                            \
    X(string, bridge)                                                                              \
    X(string, bridge_type)                                                                         \
    X(string, network)

#define NIC_REST_FIELDS(X, LATER)                                                                  \
    X(number, mtu)                                                                                 \
    X(addresses, addresses)                                                                        \
    X(routes, routes)                                                                              \
    X(ip6_mode, ip6_mode)                                                                          \
    LATER(bandwidth, inbound)                                                                      \
    LATER(bandwidth, outbound)

#define SPEC_FIELDS(X, LATER)                                                                      \
    X(text, deploy_id)                                                                             \
    X(text, cloud)                                                                                 \
    X(text, cloud_id)                                                                              \
    X(text, name)                                                                                  \
    X(string, uuid)                                                                                \
    X(text, hostname)                                                                              \
    X(string, image)                                                                               \
    X(string, image_source)                                                                        \
    X(size, root_size)                                                                             \
    X(process, process)                                                                            \
    X(limits, limits)                                                                              \
    X(flag, read_only_root)                                                                        \
    X(strings, tmpfs)                                                                              \
    X(strings, capabilities)                                                                       \
    X(devices, devices)                                                                            \
    X(flag, privileged)                                                                            \
    X(nics, nics)                                                                                  \
    X(strings, dns)                                                                                \
    X(strings, search)                                                                             \
    X(sentences, not_honoured)                                                                     \
    LATER(disks, disks)                                                                            \
    LATER(context, context)

#define CONTEXT_FIELDS(X)                                                                          \
    X(variables, variables)                                                                        \
    X(string, image)                                                                               \
    X(strings, files)                                                                              \
    X(string, user)                                                                                \
    X(strings, keys)                                                                               \
    X(string, password)                                                                            \
    X(string, password_hash)                                                                       \
    X(flag, sealed)                                                                                \
    X(string, script)

/* Fields that only some clouds have: left out where nothing is said. */
#define CONTEXT_OPTIONAL_FIELDS(X)                                                                 \
    X(string, mount_point)                                                                         \
    X(files, told)                                                                                 \
    X(files, given)

#define NIC_OPTIONAL_FIELDS(X)                                                                     \
    X(mark, checksums)                                                                             \
    X(rules, rules)                                                                                \
    X(mark, link_down)                                                                             \
    X(string, libvirt_network)                                                                     \
    X(string, portgroup)                                                                           \
    X(vlan, vlan)                                                                                  \
    X(strings, learned)                                                                            \
    X(string, engine_network)

#define PORTS_FIELDS(X)                                                                            \
    X(number, first)                                                                               \
    X(number, last)

#define RULE_FIELDS(X)                                                                             \
    X(flag, inbound)                                                                               \
    X(protocol, protocol)                                                                          \
    X(ports, ports)                                                                                \
    X(count, icmp_type)                                                                            \
    X(count, icmp_code)                                                                            \
    X(address, first)                                                                              \
    X(address, last)

#define SPEC_OPTIONAL_FIELDS(X)                                                                    \
    X(string, host)                                                                                \
    X(string, rescued)                                                                             \
    X(disk_limits_if_any, root_limits)                                                             \
    X(filter, filter)                                                                              \
    X(string, title)                                                                               \
    X(string, description)                                                                         \
    X(number_if_any, vcpus)                                                                        \
    X(string, cpus)                                                                                \
    X(strings, cpu_pins)                                                                           \
    X(strings, capabilities_dropped)                                                               \
    X(mounts, mounts)                                                                              \
    X(device_limits, device_limits)                                                                \
    X(probe, probe)

#define WRITE_OPTIONAL(kind, field)                                                                \
    {                                                                                              \
        json_t *value = write_##kind(&from->field);                                                \
        if (json_is_null(value))                                                                   \
            json_decref(value);                                                                    \
        else                                                                                       \
            json_object_set_new(json, #field, value);                                              \
    }
#define READ_OPTIONAL(kind, field)                                                                 \
    if (json_object_get(json, #field))                                                             \
    READ(kind, field)

#define WRITE(kind, field) json_object_set_new(json, #field, write_##kind(&from->field));
#define READ_IF(there, kind, field)                                                                \
    {                                                                                              \
        GError *inner = NULL;                                                                      \
        const json_t *value = json_object_get(json, #field);                                       \
        if ((there) && (!value || !read_##kind(value, &to->field, &inner)))                        \
            return bad_field(#field, value, inner, error);                                         \
    }
#define READ(kind, field)       READ_IF(TRUE, kind, field)
#define READ_LATER(kind, field) READ_IF(value, kind, field)

static gboolean bad_field(const char *name, const json_t *value, GError *inner, GError **error)
{
    if (inner)
        g_propagate_prefixed_error(error, inner, "%s: ", name);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s %s", name,
                    value ? "has not the form that vmdock writes" : "is missing");
    return FALSE;
}

static json_t *write_string(gchar *const *text)
{
    return *text ? json_string(*text) : json_null();
}

static gboolean read_string(const json_t *json, gchar **text, G_GNUC_UNUSED GError **error)
{
    *text = g_strdup(json_string_value(json));
    return json_is_string(json) || json_is_null(json);
}

/* A text is a string that is always there. */
static json_t *write_text(gchar *const *text)
{
    return write_string(text);
}

static gboolean read_text(const json_t *json, gchar **text, GError **error)
{
    return read_string(json, text, error) && *text;
}

static json_t *write_strings(const GStrv *list)
{
    if (!*list)
        return json_null();
    json_t *json = json_array();
    for (char **item = *list; *item; item++)
        json_array_append_new(json, json_string(*item));
    return json;
}

static gboolean read_strings(const json_t *json, GStrv *list, G_GNUC_UNUSED GError **error)
{
    if (!json_is_array(json))
        return json_is_null(json);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        if (!json_is_string(item))
            return FALSE;
        g_strv_builder_add(builder, json_string_value(item));
    }
    *list = g_strv_builder_end(builder);
    return TRUE;
}

static json_t *write_flag(const gboolean *flag)
{
    return json_boolean(*flag);
}

static gboolean read_flag(const json_t *json, gboolean *flag, G_GNUC_UNUSED GError **error)
{
    *flag = json_is_true(json);
    return json_is_boolean(json);
}

/* A mark is a flag that is left out where it is not set. */
static json_t *write_mark(const gboolean *mark)
{
    return *mark ? json_true() : json_null();
}

static gboolean read_mark(const json_t *json, gboolean *mark, GError **error)
{
    return read_flag(json, mark, error);
}

static gboolean read_within(const json_t *json, gint64 smallest, gint64 largest, gint64 *number)
{
    *number = json_integer_value(json);
    return json_is_integer(json) && *number >= smallest && *number <= largest;
}

static json_t *write_size(const gint64 *number)
{
    return json_integer(*number);
}

static gboolean read_size(const json_t *json, gint64 *number, G_GNUC_UNUSED GError **error)
{
    return read_within(json, 0, G_MAXINT64, number);
}

static json_t *write_count(const gint *number)
{
    return json_integer(*number);
}

static gboolean read_count(const json_t *json, gint *number, G_GNUC_UNUSED GError **error)
{
    gint64 value;
    if (!read_within(json, -1, G_MAXINT, &value))
        return FALSE;
    *number = (gint)value;
    return TRUE;
}

static json_t *write_number(const guint *number)
{
    return json_integer(*number);
}

static gboolean read_number(const json_t *json, guint *number, G_GNUC_UNUSED GError **error)
{
    gint64 value;
    if (!read_within(json, 0, G_MAXUINT, &value))
        return FALSE;
    *number = (guint)value;
    return TRUE;
}

/* What is left out where it is 0. */
static json_t *write_size_if_any(const gint64 *number)
{
    return *number ? write_size(number) : json_null();
}

static gboolean read_size_if_any(const json_t *json, gint64 *number, GError **error)
{
    return read_size(json, number, error);
}

static json_t *write_number_if_any(const guint *number)
{
    return *number ? write_number(number) : json_null();
}

static gboolean read_number_if_any(const json_t *json, guint *number, GError **error)
{
    return read_number(json, number, error);
}

static json_t *write_vlan(const VmVlan *vlan)
{
    return vm_vlan_json(vlan);
}

static gboolean read_vlan(const json_t *json, VmVlan *vlan, G_GNUC_UNUSED GError **error)
{
    return vm_vlan_from_json(json, vlan);
}

static json_t *write_address(const VmAddress *address)
{
    if (address->family == 0)
        return json_null();
    g_autofree gchar *text = vm_address_format(address);
    return json_string(text);
}

static gboolean read_address(const json_t *json, VmAddress *address, G_GNUC_UNUSED GError **error)
{
    return json_is_null(json) ||
           (json_is_string(json) && vm_address_parse(json_string_value(json), address));
}

static json_t *write_addresses(GArray *const *list)
{
    json_t *json = json_array();
    for (guint i = 0; i < (*list)->len; i++)
        json_array_append_new(json, write_address(&g_array_index(*list, VmAddress, i)));
    return json;
}

static gboolean read_addresses(const json_t *json, GArray **list, G_GNUC_UNUSED GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmAddress address;
        if (!json_is_string(item) || !vm_address_parse(json_string_value(item), &address))
            return FALSE;
        g_array_append_val(*list, address);
    }
    return json_is_array(json);
}

static json_t *write_routes(GArray *const *list)
{
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmRoute *from = &g_array_index(*list, VmRoute, i);
        json_t *json = json_object();
        ROUTE_FIELDS(WRITE)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_route(const json_t *json, VmRoute *to, GError **error)
{
    ROUTE_FIELDS(READ)
    return to->destination.family != 0;
}

static gboolean read_routes(const json_t *json, GArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmRoute route = {0};
        if (!read_route(item, &route, error))
            return FALSE;
        g_array_append_val(*list, route);
    }
    return json_is_array(json);
}

static const char *const ip6_modes[] = {
    [VM_IP6_STATIC] = "static",
    [VM_IP6_ROUTERS] = "routers",
    [VM_IP6_AUTO] = "auto",
    [VM_IP6_OFF] = "off",
};

static json_t *write_ip6_mode(const VmIp6Mode *mode)
{
    return json_string(ip6_modes[*mode]);
}

static gboolean read_ip6_mode(const json_t *json, VmIp6Mode *mode, G_GNUC_UNUSED GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(ip6_modes); i++) {
        if (g_strcmp0(json_string_value(json), ip6_modes[i]) == 0) {
            *mode = (VmIp6Mode)i;
            return TRUE;
        }
    }
    return FALSE;
}

/* null where nothing is said of that direction. */
static json_t *write_bandwidth(const VmBandwidth *from)
{
    if (from->average == 0 && from->peak == 0 && from->burst == 0)
        return json_null();
    json_t *json = json_object();
    BANDWIDTH_FIELDS(WRITE)
    return json;
}

static gboolean read_bandwidth(const json_t *json, VmBandwidth *to, GError **error)
{
    if (json_is_null(json))
        return TRUE;
    BANDWIDTH_FIELDS(READ)
    return TRUE;
}

static const char *const protocols[] = {
    [VM_PROTOCOL_ALL] = "all",   [VM_PROTOCOL_TCP] = "tcp",      [VM_PROTOCOL_UDP] = "udp",
    [VM_PROTOCOL_ICMP] = "icmp", [VM_PROTOCOL_ICMP6] = "icmpv6", [VM_PROTOCOL_ESP] = "esp",
};

static json_t *write_protocol(const VmProtocol *protocol)
{
    return json_string(protocols[*protocol]);
}

static gboolean read_protocol(const json_t *json, VmProtocol *protocol,
                              G_GNUC_UNUSED GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(protocols); i++) {
        *protocol = (VmProtocol)i;
        if (g_strcmp0(json_string_value(json), protocols[i]) == 0)
            return TRUE;
    }
    return FALSE;
}

static json_t *write_ports(GArray *const *list)
{
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmPorts *from = &g_array_index(*list, VmPorts, i);
        json_t *json = json_object();
        PORTS_FIELDS(WRITE)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_range(const json_t *json, VmPorts *to, GError **error)
{
    PORTS_FIELDS(READ)
    return to->first <= to->last && to->last <= G_MAXUINT16;
}

static gboolean read_ports(const json_t *json, GArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmPorts ports = {0};
        if (!read_range(item, &ports, error))
            return FALSE;
        g_array_append_val(*list, ports);
    }
    return json_is_array(json);
}

/* null where the cloud gives the NIC no security groups, which is not the same as no rules. */
static json_t *write_rules(GPtrArray *const *list)
{
    if (!*list)
        return json_null();
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmRule *from = (*list)->pdata[i];
        json_t *json = json_object();
        RULE_FIELDS(WRITE)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_rule(const json_t *json, VmRule *to, GError **error)
{
    RULE_FIELDS(READ)
    return to->first.family == to->last.family;
}

static gboolean read_rules(const json_t *json, GPtrArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    *list = vm_rules_new();
    json_array_foreach (json, index, item) {
        VmRule *rule = vm_rule_new(FALSE);
        g_ptr_array_add(*list, rule);
        if (!read_rule(item, rule, error))
            return FALSE;
    }
    return json_is_array(json);
}

static json_t *write_filter(const VmFilter *filter)
{
    return *filter == VM_FILTER_OFF ? json_null() : json_string(vm_filter_name(*filter));
}

static gboolean read_filter(const json_t *json, VmFilter *filter, G_GNUC_UNUSED GError **error)
{
    return json_is_string(json) && vm_filter_parse(json_string_value(json), filter);
}

static json_t *write_probe(const VmProbe *probe)
{
    return *probe == VM_PROBE_HOST ? json_null() : json_boolean(*probe == VM_PROBE_YES);
}

static gboolean read_probe(const json_t *json, VmProbe *probe, G_GNUC_UNUSED GError **error)
{
    *probe = json_is_true(json) ? VM_PROBE_YES : VM_PROBE_NO;
    return json_is_boolean(json);
}

static json_t *write_mac(const VmNic *nic)
{
    if (!nic->has_mac)
        return json_null();
    g_autofree gchar *text = vm_mac_format(nic->mac);
    return json_string(text);
}

static gboolean read_mac(const json_t *json, VmNic *nic)
{
    nic->has_mac = json_is_string(json);
    return json_is_null(json) || (nic->has_mac && vm_mac_parse(json_string_value(json), nic->mac));
}

static json_t *write_nics(GPtrArray *const *list)
{
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmNic *from = (*list)->pdata[i];
        json_t *json = json_object();
        NIC_NAME_FIELDS(WRITE)
        json_object_set_new(json, "mac", write_mac(from));
        NIC_REST_FIELDS(WRITE, WRITE)
        NIC_OPTIONAL_FIELDS(WRITE_OPTIONAL)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_nic(const json_t *json, VmNic *to, GError **error)
{
    NIC_NAME_FIELDS(READ)
    const json_t *mac = json_object_get(json, "mac");
    if (!mac || !read_mac(mac, to))
        return bad_field("mac", mac, NULL, error);
    NIC_REST_FIELDS(READ, READ_LATER)
    NIC_OPTIONAL_FIELDS(READ_OPTIONAL)
    return to->bridge || to->libvirt_network || to->engine_network ||
           bad_field("bridge", json_object_get(json, "bridge"), NULL, error);
}

static gboolean read_nics(const json_t *json, GPtrArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        g_autoptr(VmNic) nic = vm_nic_new();
        if (!read_nic(item, nic, error))
            return FALSE;
        g_ptr_array_add(*list, g_steal_pointer(&nic));
    }
    return json_is_array(json);
}

static json_t *write_devices(GPtrArray *const *list)
{
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmDevice *from = (*list)->pdata[i];
        json_t *json = json_object();
        DEVICE_FIELDS(WRITE)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_device(const json_t *json, VmDevice *to, GError **error)
{
    DEVICE_FIELDS(READ)
    return TRUE;
}

static gboolean read_devices(const json_t *json, GPtrArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmDevice *device = g_new0(VmDevice, 1);
        g_ptr_array_add(*list, device);
        if (!read_device(item, device, error))
            return FALSE;
    }
    return json_is_array(json);
}

static const char *const disk_formats[] = {[VM_DISK_RAW] = "raw", [VM_DISK_QCOW2] = "qcow2"};

static json_t *write_disk_format(const VmDiskFormat *format)
{
    return json_string(disk_formats[*format]);
}

static gboolean read_disk_format(const json_t *json, VmDiskFormat *format,
                                 G_GNUC_UNUSED GError **error)
{
    *format = g_strcmp0(json_string_value(json), disk_formats[VM_DISK_QCOW2]) == 0 ? VM_DISK_QCOW2
                                                                                   : VM_DISK_RAW;
    return g_strcmp0(json_string_value(json), disk_formats[*format]) == 0;
}

static json_t *write_disk_limits(const VmDiskLimits *from)
{
    json_t *json = json_object();
    DISK_LIMITS_FIELDS(WRITE)
    return json;
}

static gboolean read_disk_limits(const json_t *json, VmDiskLimits *to, GError **error)
{
    DISK_LIMITS_FIELDS(READ)
    return TRUE;
}

static json_t *write_disk_limits_if_any(const VmDiskLimits *from)
{
    return vm_disk_limits_any(from) ? write_disk_limits(from) : json_null();
}

static gboolean read_disk_limits_if_any(const json_t *json, VmDiskLimits *to, GError **error)
{
    return read_disk_limits(json, to, error);
}

/* Left out where there are none. */
static json_t *write_mounts(GPtrArray *const *list)
{
    if ((*list)->len == 0)
        return json_null();
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmMount *from = (*list)->pdata[i];
        json_t *json = json_object();
        MOUNT_FIELDS(WRITE)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_mount(const json_t *json, VmMount *to, GError **error)
{
    MOUNT_FIELDS(READ)
    return TRUE;
}

static gboolean read_mounts(const json_t *json, GPtrArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmMount *mount = g_new0(VmMount, 1);
        g_ptr_array_add(*list, mount);
        if (!read_mount(item, mount, error))
            return FALSE;
    }
    return json_is_array(json);
}

static json_t *write_device_limits(GPtrArray *const *list)
{
    if ((*list)->len == 0)
        return json_null();
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmDeviceLimits *from = (*list)->pdata[i];
        json_t *json = json_object();
        DEVICE_LIMITS_FIELDS(WRITE)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_one_device_limits(const json_t *json, VmDeviceLimits *to, GError **error)
{
    DEVICE_LIMITS_FIELDS(READ)
    return TRUE;
}

static gboolean read_device_limits(const json_t *json, GPtrArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmDeviceLimits *limits = g_new0(VmDeviceLimits, 1);
        g_ptr_array_add(*list, limits);
        if (!read_one_device_limits(item, limits, error))
            return FALSE;
    }
    return json_is_array(json);
}

static const char *const disk_storages[] = {[VM_DISK_DATASTORE] = "datastore",
                                            [VM_DISK_LOCAL] = "local",
                                            [VM_DISK_SHARE] = "share",
                                            [VM_DISK_ISCSI] = "iscsi"};

/* Most are of a datastore, and those of older specs all are. */
static json_t *write_disk_storage(const VmDiskStorage *storage)
{
    return *storage == VM_DISK_DATASTORE ? json_null() : json_string(disk_storages[*storage]);
}

static gboolean read_disk_storage(const json_t *json, VmDiskStorage *storage,
                                  G_GNUC_UNUSED GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(disk_storages); i++) {
        *storage = (VmDiskStorage)i;
        if (g_strcmp0(json_string_value(json), disk_storages[i]) == 0)
            return TRUE;
    }
    return FALSE;
}

static json_t *write_disks(GPtrArray *const *list)
{
    json_t *array = json_array();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmDisk *from = (*list)->pdata[i];
        json_t *json = json_object();
        DISK_FIELDS(WRITE)
        DISK_OPTIONAL_FIELDS(WRITE_OPTIONAL)
        json_array_append_new(array, json);
    }
    return array;
}

static gboolean read_disk(const json_t *json, VmDisk *to, GError **error)
{
    DISK_FIELDS(READ)
    DISK_OPTIONAL_FIELDS(READ_OPTIONAL)
    return TRUE;
}

static gboolean read_disks(const json_t *json, GPtrArray **list, GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        VmDisk *disk = g_new0(VmDisk, 1);
        g_ptr_array_add(*list, disk);
        if (!read_disk(item, disk, error))
            return FALSE;
    }
    return json_is_array(json);
}

static json_t *write_sentences(GPtrArray *const *list)
{
    json_t *json = json_array();
    for (guint i = 0; i < (*list)->len; i++)
        json_array_append_new(json, json_string((*list)->pdata[i]));
    return json;
}

static gboolean read_sentences(const json_t *json, GPtrArray **list, G_GNUC_UNUSED GError **error)
{
    gsize index;
    const json_t *item;
    json_array_foreach (json, index, item) {
        if (!json_is_string(item))
            return FALSE;
        g_ptr_array_add(*list, g_strdup(json_string_value(item)));
    }
    return json_is_array(json);
}

static json_t *write_process(const VmProcess *from)
{
    json_t *json = json_object();
    PROCESS_FIELDS(WRITE)
    return json;
}

static gboolean read_process(const json_t *json, VmProcess *to, GError **error)
{
    PROCESS_FIELDS(READ)
    return TRUE;
}

static json_t *write_limits(const VmLimits *from)
{
    json_t *json = json_object();
    LIMITS_FIELDS(WRITE)
    LIMITS_OPTIONAL_FIELDS(WRITE_OPTIONAL)
    return json;
}

static gboolean read_limits(const json_t *json, VmLimits *to, GError **error)
{
    LIMITS_FIELDS(READ)
    LIMITS_OPTIONAL_FIELDS(READ_OPTIONAL)
    return TRUE;
}

static json_t *write_variables(GPtrArray *const *list)
{
    json_t *json = json_object();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmVariable *variable = (*list)->pdata[i];
        json_object_set_new(json, variable->name, json_string(variable->value));
    }
    return json;
}

/* {path: content in base64}, in order; null for none. */
static json_t *write_files(GPtrArray *const *list)
{
    if ((*list)->len == 0)
        return json_null();
    json_t *json = json_object();
    for (guint i = 0; i < (*list)->len; i++) {
        const VmFile *file = (*list)->pdata[i];
        gsize length = 0;
        const guchar *content = g_bytes_get_data(file->content, &length);
        g_autofree gchar *text = g_base64_encode(content, length);
        json_object_set_new(json, file->path, json_string(text));
    }
    return json;
}

static gboolean read_files(const json_t *json, GPtrArray **list, G_GNUC_UNUSED GError **error)
{
    const char *path;
    json_t *item;
    json_object_foreach ((json_t *)json, path, item) {
        gsize length = 0;
        if (!json_is_string(item))
            return FALSE;
        g_autofree guchar *content = g_base64_decode(json_string_value(item), &length);
        vm_files_add(*list, path, content, length);
    }
    return json_is_object(json);
}

static json_t *write_context(VmContext *const *context)
{
    const VmContext *from = *context;
    if (!from)
        return json_null();
    json_t *json = json_object();
    CONTEXT_FIELDS(WRITE)
    CONTEXT_OPTIONAL_FIELDS(WRITE_OPTIONAL)
    return json;
}

static gboolean read_variables(const json_t *json, GPtrArray **list, G_GNUC_UNUSED GError **error)
{
    const char *name;
    json_t *item;
    json_object_foreach ((json_t *)json, name, item) {
        if (!json_is_string(item))
            return FALSE;
        vm_variables_set(*list, name, json_string_value(item));
    }
    return json_is_object(json);
}

static gboolean read_context(const json_t *json, VmContext **context, GError **error)
{
    if (json_is_null(json))
        return TRUE;
    VmContext *to = *context = vm_context_new();
    CONTEXT_FIELDS(READ)
    CONTEXT_OPTIONAL_FIELDS(READ_OPTIONAL)
    return TRUE;
}

static json_t *write_spec(const VmSpec *from)
{
    json_t *json = json_object();
    SPEC_FIELDS(WRITE, WRITE)
    SPEC_OPTIONAL_FIELDS(WRITE_OPTIONAL)
    return json;
}

json_t *vm_spec_to_json(const VmSpec *spec)
{
    return write_spec(spec);
}

static gboolean read_spec(const json_t *json, VmSpec *to, GError **error)
{
    SPEC_FIELDS(READ, READ_LATER)
    SPEC_OPTIONAL_FIELDS(READ_OPTIONAL)
    return TRUE;
}

VmSpec *vm_spec_from_json(const json_t *json, GError **error)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    if (!read_spec(json, spec, error))
        return NULL;
    return g_steal_pointer(&spec);
}

VmSpec *vm_spec_copy(const VmSpec *spec, GError **error)
{
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    return vm_spec_from_json(json, error);
}

/* Variables whose values are no secrets whatever stands in them; any other may be one. */
static gboolean variable_is_plain(const char *name)
{
    static const char *const plain[] = {"DISK_ID",
                                        "DNS",
                                        "FILES",
                                        "FILES_DS",
                                        "GROW_FS",
                                        "GROW_ROOTFS",
                                        "HOSTNAME",
                                        "NETWORK",
                                        "ONEGATE_ENDPOINT",
                                        "REPORT_READY",
                                        "SET_HOSTNAME",
                                        "SSH_PUBLIC_KEY",
                                        "TARGET",
                                        "TOKEN",
                                        "USERNAME",
                                        "VMID",
                                        NULL};
    return g_strv_contains(plain, name) || g_str_has_prefix(name, "ETH");
}

static void hide(json_t *object, const char *key)
{
    if (json_is_string(json_object_get(object, key)))
        json_object_set_new(object, key, json_string("(hidden)"));
}

/* Their names are no secrets. */
static void hide_files(json_t *files)
{
    const char *path;
    json_t *content;
    void *next;
    json_object_foreach_safe(files, next, path, content)
    {
        hide(files, path);
    }
}

json_t *vm_spec_to_shown_json(const VmSpec *spec)
{
    json_t *json = vm_spec_to_json(spec);
    json_t *context = json_object_get(json, "context");
    json_t *variables = json_object_get(context, "variables"), *value;
    const char *name;
    void *next;
    json_object_foreach_safe(variables, next, name, value)
    {
        if (!variable_is_plain(name))
            hide(variables, name);
    }
    hide(context, "password");
    hide(context, "password_hash");
    hide(context, "script");
    hide_files(json_object_get(context, "told"));
    hide_files(json_object_get(context, "given"));
    return json;
}

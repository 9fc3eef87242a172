// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes that Nova attaches, and what it limits of disks. A volume's place and its number are the
 * host's; Nova knows it by its UUID.
 *
 * Contract: connection_info as Cinder's drivers and os-brick have it; block_device_info as
 * ComputeDriver.spawn() gets it.
 */
#include "spec_nova_private.h"

#include <string.h>

enum { MAX_VOLUMES = 64, MAX_WORD = 32, MAX_PATH = 1024, MAX_OPTIONS = 256 };

static gboolean is_word(const char *text)
{
    gsize length = text ? strlen(text) : 0;
    for (const char *p = text; p && *p; p++)
        if (!g_ascii_isalnum(*p))
            return FALSE;
    return length > 0 && length <= MAX_WORD;
}

/* What becomes an argument, part of a path and part of a sentence. */
static gboolean is_clean(const char *text)
{
    if (!text || strlen(text) > MAX_PATH || !g_utf8_validate(text, -1, NULL))
        return FALSE;
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            return FALSE;
    return TRUE;
}

/* ---- where it is ---- */

static gboolean take_path(const json_t *data, VmDiskStorage storage, VmDisk *disk, GError **error)
{
    const char *path = nova_text(data, "device_path");
    disk->storage = storage;
    disk->source = g_strdup(path);
    if (is_clean(path) && *path == '/')
        return TRUE;
    return spec_fail(error, "its connection has no device_path that is a path");
}

/* How the share is mounted is Cinder's to say only where it cannot harm the host. */
static gboolean is_harmless(const char *option)
{
    static const char *const names[] = {"vers",  "nfsvers",     "minorversion", "proto",    "rsize",
                                        "wsize", "timeo",       "retrans",      "sec",      "hard",
                                        "soft",  "lock",        "nolock",       "nconnect", "ac",
                                        "noac",  "lookupcache", "noresvport",   NULL};
    g_autofree gchar *name = g_strndup(option, strcspn(option, "="));
    const char *value = strchr(option, '=');
    return g_strv_contains(names, name) &&
           (!value ||
            strspn(value + 1, "abcdefghijklmnopqrstuvwxyz0123456789.") == strlen(value + 1));
}

/* "-o vers=4.1,nolock" as Cinder's list of shares has it. */
static gboolean take_options(const json_t *data, VmDisk *disk, GError **error)
{
    const char *text = nova_text(data, "options");
    if (!text)
        return TRUE;
    if (strlen(text) > MAX_OPTIONS)
        return spec_fail(error, "the options of its share are longer than %d bytes", MAX_OPTIONS);
    if (g_str_has_prefix(text, "-o"))
        text += strlen("-o") + strspn(text + strlen("-o"), " ");
    g_auto(GStrv) options = g_strsplit(text, ",", -1);
    for (char **option = options; *option; option++) {
        if (is_harmless(*option))
            continue;
        g_autofree gchar *shown = nova_shown(*option);
        return spec_fail(error, "its share is not mounted with the option \"%s\"", shown);
    }
    disk->share_options = g_strdup(text);
    return TRUE;
}

static gboolean take_share(const json_t *data, VmDisk *disk, GError **error)
{
    const char *share = nova_text(data, "export"), *name = nova_text(data, "name");
    if (!is_clean(share) || !strchr(share, ':') || *share == '-' || strpbrk(share, " ,\\"))
        return spec_fail(error, "its connection names no export \"server:/path\"");
    if (!is_clean(name) || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return spec_fail(error, "its connection names no file of its share");
    disk->storage = VM_DISK_SHARE;
    disk->share = g_strdup(share);
    disk->source = g_strdup(name);
    return take_options(data, disk, error);
}

static gboolean take_place(const json_t *connection, const json_t *data, VmDisk *disk,
                           GError **error)
{
    const char *type = nova_text(connection, "driver_volume_type");
    if (g_strcmp0(type, "local") == 0)
        return take_path(data, VM_DISK_LOCAL, disk, error);
    if (g_strcmp0(type, "iscsi") == 0)
        return take_path(data, VM_DISK_ISCSI, disk, error);
    if (g_strcmp0(type, "nfs") == 0)
        return take_share(data, disk, error);
    g_autofree gchar *shown = nova_shown(type);
    return spec_fail(
        error, "volumes of the type \"%s\" are not supported, only local, nfs and iscsi", shown);
}

/* ---- what it is ---- */

static gboolean take_format(const json_t *data, VmDisk *disk, GError **error)
{
    const char *format = nova_text(data, "format");
    if (json_is_true(json_object_get(data, "encrypted")))
        return spec_fail(error, "it is encrypted, which is not supported");
    disk->read_only = g_strcmp0(nova_text(data, "access_mode"), "ro") == 0;
    disk->format = g_strcmp0(format, "qcow2") == 0 ? VM_DISK_QCOW2 : VM_DISK_RAW;
    if (!format || disk->format == VM_DISK_QCOW2 || strcmp(format, "raw") == 0)
        return TRUE;
    g_autofree gchar *shown = nova_shown(format);
    return spec_fail(error, "its format is \"%s\", neither raw nor qcow2", shown);
}

/* "/dev/vdb" is seen at "/mnt/vdb". */
static gboolean take_mount_point(const char *device, const NovaOptions *options, VmDisk *disk,
                                 GError **error)
{
    const char *slash = device ? strrchr(device, '/') : NULL;
    const char *name = slash ? slash + 1 : device;
    if (!is_word(name)) {
        g_autofree gchar *shown = nova_shown(device);
        return spec_fail(error, "\"%s\" is no name of a device", shown);
    }
    disk->target = g_strdup(name);
    disk->mount_point = g_build_filename(options->volume_point, name, NULL);
    return TRUE;
}

static const char *id_of(const json_t *connection, GError **error)
{
    const char *id = nova_text(connection, "serial");
    if (!id)
        id = nova_text(connection, "volume_id");
    if (!id)
        id = nova_text(json_object_get(connection, "data"), "volume_id");
    if (id && g_uuid_string_is_valid(id))
        return id;
    spec_fail(error, "the volume's connection does not tell its id");
    return NULL;
}

/* ---- how much it may be used ---- */

static gint64 stricter(gint64 own, gint64 other)
{
    return own == 0 || (other != 0 && other < own) ? other : own;
}

/* A number that cannot be read is none, as with Nova's other quotas. */
static void tighten(const json_t *object, const char *prefix, const char *what, const char *unit,
                    gint64 *limit)
{
    g_autofree gchar *key = g_strdup_printf("%s%s_%s_sec", prefix, what, unit);
    gint64 number = 0;
    if (nova_number(object, key, G_MAXINT64, &number))
        *limit = stricter(*limit, number);
}

/* The kernel counts reading and writing apart: each gets the whole of a limit of both. */
static void tighten_all(const json_t *object, const char *prefix, VmDiskLimits *limits)
{
    tighten(object, prefix, "read", "bytes", &limits->read_bytes);
    tighten(object, prefix, "total", "bytes", &limits->read_bytes);
    tighten(object, prefix, "write", "bytes", &limits->write_bytes);
    tighten(object, prefix, "total", "bytes", &limits->write_bytes);
    tighten(object, prefix, "read", "iops", &limits->read_ops);
    tighten(object, prefix, "total", "iops", &limits->read_ops);
    tighten(object, prefix, "write", "iops", &limits->write_ops);
    tighten(object, prefix, "total", "iops", &limits->write_ops);
}

gboolean nova_is_io_limit(const char *name)
{
    static const char *const names[] = {"disk_read_bytes_sec",
                                        "disk_write_bytes_sec",
                                        "disk_total_bytes_sec",
                                        "disk_read_iops_sec",
                                        "disk_write_iops_sec",
                                        "disk_total_iops_sec",
                                        NULL};
    return g_strv_contains(names, name);
}

void nova_take_io_limits(const json_t *request, VmSpec *spec)
{
    const json_t *instance = json_object_get(request, "instance");
    const json_t *extra = nova_extra_specs(request);
    tighten_all(extra, "quota:disk_", &spec->root_limits);
    tighten_all(extra, "vmdock:disk_", &spec->root_limits);
    tighten_all(json_object_get(instance, "system_metadata"), "image_vmdock_disk_",
                &spec->root_limits);
}

/* ---- together ---- */

static VmDisk *parse(const json_t *connection, const char *device, const NovaOptions *options,
                     GError **error)
{
    g_autoptr(VmDisk) disk = g_new0(VmDisk, 1);
    const json_t *data = json_object_get(connection, "data");
    disk->cloud_id = g_strdup(id_of(connection, error));
    if (!disk->cloud_id)
        return NULL;
    if (!take_mount_point(device, options, disk, error) || !take_format(data, disk, error) ||
        !take_place(connection, data, disk, error)) {
        g_prefix_error(error, "volume %s: ", disk->cloud_id);
        return NULL;
    }
    disk->make_fs = disk->read_only ? NULL : g_strdup(options->volume_fs);
    tighten_all(json_object_get(data, "qos_specs"), "", &disk->limits);
    return g_steal_pointer(&disk);
}

VmDisk *nova_volume(const json_t *request, const NovaOptions *options, GError **error)
{
    return parse(json_object_get(request, "connection_info"), nova_text(request, "mountpoint"),
                 options, error);
}

const char *nova_volume_id(const json_t *request, GError **error)
{
    return id_of(json_object_get(request, "connection_info"), error);
}

/* The root of a container is an image, whose layers the engine keeps. */
static gboolean is_root(const json_t *info, const json_t *mapping)
{
    const json_t *index = json_object_get(mapping, "boot_index");
    const char *root = nova_text(info, "root_device_name");
    return (json_is_integer(index) && json_integer_value(index) == 0) ||
           (root && g_strcmp0(nova_text(mapping, "mount_device"), root) == 0);
}

static gboolean add(const json_t *mapping, const NovaOptions *options, const VmSpec *had,
                    VmSpec *now, GError **error)
{
    g_autoptr(VmDisk) disk = parse(json_object_get(mapping, "connection_info"),
                                   nova_text(mapping, "mount_device"), options, error);
    if (!disk)
        return FALSE;
    const VmDisk *same = vm_spec_volume(had, disk->cloud_id);
    disk->id = same ? same->id : 0;
    g_ptr_array_add(now->disks, g_steal_pointer(&disk));
    return TRUE;
}

/* Those that are new get the numbers that are free. */
static void number(VmSpec *spec)
{
    for (guint i = 0; i < spec->disks->len; i++) {
        VmDisk *disk = spec->disks->pdata[i];
        if (disk->id == 0)
            disk->id = vm_spec_free_disk(spec);
    }
}

gboolean nova_take_volumes(const json_t *request, const NovaOptions *options, VmSpec *spec,
                           GError **error)
{
    const json_t *info = json_object_get(request, "block_device_info");
    const json_t *list = json_object_get(info, "block_device_mapping"), *mapping;
    g_autoptr(VmSpec) now = vm_spec_new();
    gsize index;
    if (!json_is_object(info))
        return TRUE;
    if (json_array_size(list) > MAX_VOLUMES)
        return spec_fail(error, "the VM has more than %d volumes", MAX_VOLUMES);
    json_array_foreach (list, index, mapping) {
        if (is_root(info, mapping))
            return spec_fail(error,
                             "a container does not boot from a volume: boot it from an image "
                             "and attach the volume");
        if (!add(mapping, options, spec, now, error))
            return FALSE;
    }
    number(now);
    GPtrArray *disks = spec->disks;
    spec->disks = now->disks;
    now->disks = disks;
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
/* The disks of a spec beside disk 0. */
#include "error.h"
#include "spec.h"

#include <string.h>

void vm_disk_free(VmDisk *disk)
{
    if (!disk)
        return;
    g_free(disk->target);
    g_free(disk->source);
    g_free(disk->mount_point);
    g_free(disk->make_fs);
    g_free(disk->cloud_id);
    g_free(disk->share);
    g_free(disk->share_options);
    g_free(disk);
}

VmDisk *vm_disk_copy(const VmDisk *disk)
{
    VmDisk *copy = g_new(VmDisk, 1);
    *copy = *disk;
    copy->target = g_strdup(disk->target);
    copy->source = g_strdup(disk->source);
    copy->mount_point = g_strdup(disk->mount_point);
    copy->make_fs = g_strdup(disk->make_fs);
    copy->cloud_id = g_strdup(disk->cloud_id);
    copy->share = g_strdup(disk->share);
    copy->share_options = g_strdup(disk->share_options);
    return copy;
}

VmDisk *vm_spec_disk(const VmSpec *spec, guint id)
{
    for (guint i = 0; i < spec->disks->len; i++) {
        VmDisk *disk = g_ptr_array_index(spec->disks, i);
        if (disk->id == id)
            return disk;
    }
    return NULL;
}

VmDisk *vm_spec_volume(const VmSpec *spec, const char *cloud_id)
{
    for (guint i = 0; i < spec->disks->len; i++) {
        VmDisk *disk = g_ptr_array_index(spec->disks, i);
        if (g_strcmp0(disk->cloud_id, cloud_id) == 0)
            return disk;
    }
    return NULL;
}

guint vm_spec_free_disk(const VmSpec *spec)
{
    guint id = 1;
    while (vm_spec_disk(spec, id))
        id++;
    return id;
}

gboolean vm_disk_limits_any(const VmDiskLimits *limits)
{
    return limits->read_bytes || limits->write_bytes || limits->read_ops || limits->write_ops;
}

static gboolean is_below(const char *path, const char *parent)
{
    gsize length = strlen(parent);
    return strncmp(path, parent, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The kernel's own file systems: runtimes refuse them, and nothing good would come of it. */
static gboolean is_reserved(const char *path)
{
    static const char *const places[] = {"/proc", "/sys", "/dev"};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        if (is_below(path, places[i]))
            return TRUE;
    return FALSE;
}

static gboolean is_tmpfs(const VmSpec *spec, const char *path)
{
    for (char **item = spec->tmpfs; item && *item; item++) {
        g_autofree gchar *place = g_strndup(*item, strcspn(*item, ":"));
        if (strcmp(place, path) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean check_disk(const VmSpec *spec, const VmDisk *disk, GError **error)
{
    if (is_reserved(disk->mount_point))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "disk %u: nothing can be mounted on %s of a container", disk->id,
                    disk->mount_point);
    else if (is_tmpfs(spec, disk->mount_point))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "disk %u: its mount point %s is a tmpfs of the VM", disk->id,
                    disk->mount_point);
    else
        return TRUE;
    return FALSE;
}

static gboolean check_disk_pair(const VmDisk *a, const VmDisk *b, GError **error)
{
    if (a->id == b->id)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "two disks have the number %u", a->id);
    else if (a->cloud_id && g_strcmp0(a->cloud_id, b->cloud_id) == 0)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "disk %u and disk %u are one volume",
                    a->id, b->id);
    else if (strcmp(a->mount_point, b->mount_point) == 0)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "disk %u and disk %u have one mount point, %s", a->id, b->id, a->mount_point);
    else
        return TRUE;
    return FALSE;
}

static gboolean is_disk(const VmSpec *spec, const char *path)
{
    for (guint i = 0; i < spec->disks->len; i++)
        if (strcmp(((const VmDisk *)spec->disks->pdata[i])->mount_point, path) == 0)
            return TRUE;
    return FALSE;
}

static gboolean check_mount(const VmSpec *spec, guint index, GError **error)
{
    const char *path = ((const VmMount *)spec->mounts->pdata[index])->guest_path;
    if (is_reserved(path))
        return spec_fail(error, "nothing can be mounted on %s of a container", path);
    if (is_tmpfs(spec, path) || is_disk(spec, path))
        return spec_fail(error, "two things are to be mounted on %s", path);
    for (guint i = 0; i < index; i++)
        if (strcmp(((const VmMount *)spec->mounts->pdata[i])->guest_path, path) == 0)
            return spec_fail(error, "two things are to be mounted on %s", path);
    return TRUE;
}

gboolean vm_disks_check(const VmSpec *spec, GError **error)
{
    for (guint i = 0; i < spec->mounts->len; i++)
        if (!check_mount(spec, i, error))
            return FALSE;
    for (guint i = 0; i < spec->disks->len; i++) {
        if (!check_disk(spec, spec->disks->pdata[i], error))
            return FALSE;
        for (guint j = 0; j < i; j++)
            if (!check_disk_pair(spec->disks->pdata[j], spec->disks->pdata[i], error))
                return FALSE;
    }
    return TRUE;
}

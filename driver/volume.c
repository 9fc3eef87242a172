// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* One disk, mounted on the host. */
typedef struct {
    const VmDisk *disk;
    gchar *place;
    dev_t device;
} Volume;

struct Volumes {
    const Config *config;
    gchar *deploy_id;
    GPtrArray *list; /* Volume, by mount point */
};

static void volume_free(Volume *volume)
{
    g_autoptr(GError) error = NULL;
    if (volume->place && !volume_unmount(volume->place, &error))
        log_warn("disk %u: %s", volume->disk->id, error->message);
    g_free(volume->place);
    g_free(volume);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Volume, volume_free)

void volumes_free(Volumes *volumes)
{
    if (!volumes)
        return;
    /* Backwards: what is mounted below another place would keep that one. */
    while (volumes->list->len > 0)
        g_ptr_array_remove_index(volumes->list, volumes->list->len - 1);
    g_ptr_array_unref(volumes->list);
    g_autofree gchar *folder = volume_folder(volumes->config, volumes->deploy_id);
    rmdir(folder); /* stays where a server has its files in it */
    g_free(volumes->deploy_id);
    g_free(volumes);
}

static int open_image(const char *place, gboolean read_only, GError **error)
{
    g_autofree gchar *image = volume_image(place);
    int fd = open(image, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s", image);
    return fd;
}

/* The file that the loop device stands for, whatever shows it. */
static int open_content(const Config *config, const VmDisk *disk, const char *place, GError **error)
{
    struct stat status;
    g_auto(VolumeFile) file = {0};
    VolumeAccess wanted = disk->read_only ? VOLUME_READ : VOLUME_CLAIM;
    autofd int share = -1;
    if (!volume_file_of(config, disk, &file, error) ||
        (disk->storage == VM_DISK_SHARE && !volume_share_up(config, disk, &share, error)))
        return -1;
    if (disk->format == VM_DISK_RAW)
        return volume_file_open(config, &file, wanted, &status, error);
    return qcow2_serve(config, &file, disk->read_only, place, error)
               ? open_image(place, disk->read_only, error)
               : -1;
}

int volume_content_open(const Config *config, const char *deploy_id, const VmDisk *disk,
                        struct stat *status, GError **error)
{
    if (disk->format == VM_DISK_RAW)
        return volume_disk_open(config, disk, VOLUME_WRITE, status, error);
    g_autofree gchar *place = volume_place(config, deploy_id, disk->id);
    autofd int fd = open_image(place, FALSE, error);
    if (fd >= 0 && fstat(fd, status) == 0)
        return steal_fd(&fd);
    if (fd >= 0)
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at it");
    return -1;
}

static gchar *device_label(const char *deploy_id, const VmDisk *disk)
{
    return g_strdup_printf("%s:%u", deploy_id, disk->id);
}

/*
 * Two mounts of one file by way of two devices would destroy it: each has its own idea of what is
 * written. The last one may be a moment from being gone.
 */
static LoopDevice *make_device(const Config *config, const char *deploy_id, const VmDisk *disk,
                               const char *place, GError **error)
{
    autofd int file = open_content(config, disk, place, error);
    struct stat status;
    if (file < 0)
        return NULL;
    if (fstat(file, &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at it");
        return NULL;
    }
    if (!loop_device_wait(&status, disk->read_only, NULL, (guint)config->disk_release_ms, error)) {
        g_prefix_error(error, "%s is in use: ", disk->source);
        return NULL;
    }
    g_autofree gchar *label = device_label(deploy_id, disk);
    return loop_device_attach(file, disk->read_only, label, error);
}

/* The file system on it, made when it is asked for and there is none. */
static gchar *find_or_make_fs(const Config *config, const VmDisk *disk, const LoopDevice *device,
                              GError **error)
{
    GError *failure = NULL;
    gchar *fs = volume_fs_find(config, device->fd, &failure);
    if (fs)
        return fs;
    if (failure)
        g_propagate_error(error, failure);
    else if (!disk->make_fs || disk->read_only)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    disk->storage == VM_DISK_DATASTORE
                        ? "it holds no file system; ONEDOCK_FS of the disk would have one made"
                        : "it holds no file system");
    else if (volume_fs_make(config, device->fd, device->path, disk->make_fs, error))
        return volume_fs_find(config, device->fd, error);
    return NULL;
}

static Volume *mount_disk(const Config *config, const char *deploy_id, const VmDisk *disk,
                          GError **error)
{
    g_autoptr(Volume) volume = g_new0(Volume, 1);
    volume->disk = disk;
    volume->place = volume_place(config, deploy_id, disk->id);
    /* First of all: what was mounted before the folder is shared would be there twice. */
    if (!volume_make_place(config, volume->place, error))
        return NULL;
    g_autoptr(LoopDevice) device = make_device(config, deploy_id, disk, volume->place, error);
    g_autofree gchar *fs = device ? find_or_make_fs(config, disk, device, error) : NULL;
    if (!fs || !volume_mount(device->path, fs, disk->read_only, volume->place, error) ||
        !volume_fill(config, disk, device, fs, volume->place, error))
        return NULL;
    volume->device = device->number;
    return g_steal_pointer(&volume);
}

/* NULL without error for a CD that is left out. */
static Volume *volume_up(const Config *config, const char *deploy_id, const VmDisk *disk,
                         GError **error)
{
    GError *failure = NULL;
    Volume *volume = mount_disk(config, deploy_id, disk, &failure);
    if (volume)
        return volume;
    g_autofree gchar *place = volume_place(config, deploy_id, disk->id);
    g_autoptr(GError) trouble = NULL;
    if (disk->format == VM_DISK_QCOW2 && !qcow2_end(config, place, &trouble))
        log_warn("disk %u: %s", disk->id, trouble->message);
    if (disk->optical && (vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED) ||
                          vmdock_error_is(failure, VMDOCK_ERROR_STATE))) {
        log_warn("VM %s: CD %u (%s) is not given to it: %s", deploy_id, disk->id, disk->target,
                 failure->message);
        g_error_free(failure);
        return NULL;
    }
    g_propagate_prefixed_error(error, failure, "disk %u (%s): ", disk->id, disk->target);
    return NULL;
}

static gint by_mount_point(gconstpointer a, gconstpointer b)
{
    const VmDisk *mine = *(VmDisk *const *)a, *theirs = *(VmDisk *const *)b;
    return strcmp(mine->mount_point, theirs->mount_point);
}

/* Those of the disks that were mounted before one could not be. */
static void end_servers(const Config *config, const char *deploy_id)
{
    g_autoptr(GError) trouble = NULL;
    if (!volumes_clear(config, deploy_id, &trouble))
        log_warn("VM %s: %s", deploy_id, trouble->message);
}

Volumes *volumes_up(const Config *config, const VmSpec *spec, GError **error)
{
    if (!volumes_clear(config, spec->deploy_id, error))
        return NULL;
    g_autoptr(Volumes) volumes = g_new0(Volumes, 1);
    volumes->config = config;
    volumes->deploy_id = g_strdup(spec->deploy_id);
    volumes->list = g_ptr_array_new_with_free_func((GDestroyNotify)volume_free);
    g_autoptr(GPtrArray) disks = g_ptr_array_new();
    for (guint i = 0; i < spec->disks->len; i++)
        g_ptr_array_add(disks, spec->disks->pdata[i]);
    g_ptr_array_sort(disks, by_mount_point);
    for (guint i = 0; i < disks->len; i++) {
        g_autoptr(GError) failure = NULL;
        Volume *volume = volume_up(config, spec->deploy_id, disks->pdata[i], &failure);
        if (volume)
            g_ptr_array_add(volumes->list, volume);
        if (!failure)
            continue;
        g_propagate_error(error, g_steal_pointer(&failure));
        g_clear_pointer(&volumes, volumes_free);
        end_servers(config, spec->deploy_id);
        return NULL;
    }
    return g_steal_pointer(&volumes);
}

json_t *volumes_mounts(const Volumes *volumes)
{
    json_t *mounts = json_array();
    for (guint i = 0; i < volumes->list->len; i++) {
        const Volume *volume = volumes->list->pdata[i];
        json_array_append_new(mounts, json_pack("{s:s, s:s, s:b}", "source", volume->place,
                                                "destination", volume->disk->mount_point,
                                                "read_only", volume->disk->read_only));
    }
    return mounts;
}

gboolean volumes_limited(const Volumes *volumes)
{
    for (guint i = 0; i < volumes->list->len; i++)
        if (vm_disk_limits_any(&((const Volume *)volumes->list->pdata[i])->disk->limits))
            return TRUE;
    return FALSE;
}

static void set_limits(const Config *config, const char *deploy_id, const VmDisk *disk,
                       dev_t device, gint pid)
{
    g_autoptr(GError) error = NULL;
    if (!volume_limits_set(config, pid, device, &disk->limits, &error))
        log_warn("VM %s: the I/O limits of disk %u are not honoured: %s", deploy_id, disk->id,
                 error->message);
}

static void limit(const Config *config, const char *deploy_id, const VmDisk *disk, dev_t device,
                  gint pid)
{
    if (vm_disk_limits_any(&disk->limits))
        set_limits(config, deploy_id, disk, device, pid);
}

void volumes_limit(const Volumes *volumes, gint pid)
{
    for (guint i = 0; i < volumes->list->len; i++) {
        const Volume *volume = volumes->list->pdata[i];
        limit(volumes->config, volumes->deploy_id, volume->disk, volume->device, pid);
    }
}

static gboolean can_open(const Config *config, const VmDisk *disk, GError **error)
{
    struct stat status;
    autofd int share = -1;
    if (disk->storage == VM_DISK_SHARE && !volume_share_up(config, disk, &share, error))
        return FALSE;
    autofd int fd = volume_disk_open(config, disk, disk->read_only ? VOLUME_READ : VOLUME_WRITE,
                                     &status, error);
    return fd >= 0;
}

static gboolean check_disk(const Config *config, const VmDisk *disk, GError **error)
{
    if (can_open(config, disk, error))
        return TRUE;
    volume_share_down(config, disk);
    return FALSE;
}

gboolean volumes_check(const Config *config, const VmSpec *spec, GError **error)
{
    for (guint i = 0; i < spec->disks->len; i++) {
        const VmDisk *disk = spec->disks->pdata[i];
        if (check_disk(config, disk, error))
            continue;
        g_prefix_error(error, "disk %u (%s): ", disk->id, disk->target);
        return FALSE;
    }
    return TRUE;
}

void volumes_release(const Config *config, const VmSpec *spec)
{
    for (guint i = 0; i < spec->disks->len; i++)
        volume_share_down(config, spec->disks->pdata[i]);
}

/* ---- of a container that has ended ---- */

/* On one host with two engines, or two compute services, another VM may have it by then. */
static gboolean is_released(const Config *config, const char *deploy_id, const VmDisk *disk,
                            GError **error)
{
    struct stat status;
    g_autofree gchar *label = device_label(deploy_id, disk);
    autofd int fd = volume_disk_open(config, disk, VOLUME_READ, &status, NULL);
    return fd < 0 || disk->read_only ||
           loop_device_wait(&status, TRUE, label, (guint)config->disk_release_ms, error);
}

/* A transfer driver takes the file next: what is not written back by then would be lost. */
static gboolean wait_released(const Config *config, const char *deploy_id, const VmDisk *disk,
                              GError **error)
{
    gboolean released = is_released(config, deploy_id, disk, error);
    volume_share_down(config, disk);
    if (released)
        return TRUE;
    g_prefix_error(error, "disk %u (%s): ", disk->id, disk->target);
    return FALSE;
}

gboolean volumes_down(Host *host, const char *deploy_id, GError **error)
{
    if (!volumes_clear(host->config, deploy_id, error))
        return FALSE;
    g_autoptr(VmSpec) spec = state_load(host->config, deploy_id, NULL);
    gboolean released = TRUE;
    interrupt_hold();
    for (guint i = 0; spec && released && i < spec->disks->len; i++)
        released = wait_released(host->config, deploy_id, spec->disks->pdata[i], error);
    interrupt_allow();
    return released;
}

/* ---- of a container that runs ---- */

/* A file that is read alone may have a device for each of several VMs. */
LoopDevice *volume_device(const Config *config, const char *deploy_id, const VmDisk *disk)
{
    struct stat status;
    g_autofree gchar *place = volume_place(config, deploy_id, disk->id);
    g_autofree gchar *image = volume_image(place);
    if (disk->format == VM_DISK_QCOW2 && stat(image, &status) < 0)
        return NULL;
    if (disk->format == VM_DISK_RAW) {
        autofd int fd = volume_disk_open(config, disk, VOLUME_READ, &status, NULL);
        if (fd < 0)
            return NULL;
    }
    g_autofree gchar *label = device_label(deploy_id, disk);
    return loop_device_find(&status, FALSE, label);
}

/* The device of DISK when the container has it mounted, else 0. */
static gboolean find_plugged(const Config *config, const char *deploy_id, const VmDisk *disk,
                             gint pid, dev_t *device, GError **error)
{
    g_autoptr(LoopDevice) found = volume_device(config, deploy_id, disk);
    *device = found ? found->number : 0;
    if (!found)
        return TRUE;
    /* Closed before it is unmounted: an open device does not free itself. */
    g_clear_pointer(&found, loop_device_free);
    g_autoptr(GPtrArray) places = volume_mounted_at(pid, *device, error);
    if (places && places->len == 0)
        *device = 0;
    return places != NULL;
}

static gboolean attach_new(const Config *config, const char *deploy_id, const VmDisk *disk,
                           gint pid, GError **error)
{
    g_autofree gchar *place = volume_place(config, deploy_id, disk->id);
    /* What an attach that was killed has left. */
    if (!volume_unmount(place, error) || !qcow2_end(config, place, error))
        return FALSE;
    GError *failure = NULL;
    g_autoptr(Volume) volume = mount_disk(config, deploy_id, disk, &failure);
    if (volume) {
        limit(config, deploy_id, disk, volume->device, pid);
        volume_plug(config, deploy_id, place, pid, disk->mount_point, &failure);
    }
    g_clear_pointer(&volume, volume_free);
    if (!failure)
        return TRUE;
    g_propagate_error(error, failure);
    g_autoptr(GError) trouble = NULL;
    if (!qcow2_end(config, place, &trouble))
        log_warn("disk %u: %s", disk->id, trouble->message);
    volume_share_down(config, disk);
    return FALSE;
}

/* Gone when the last disk is. */
static void tidy(const Config *config, const char *deploy_id)
{
    g_autofree gchar *folder = volume_folder(config, deploy_id);
    rmdir(folder);
}

gboolean volume_attach(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       GError **error)
{
    dev_t device;
    gboolean done = find_plugged(config, deploy_id, disk, pid, &device, error);
    if (done && device != 0)
        limit(config, deploy_id, disk, device, pid);
    else
        done = done && attach_new(config, deploy_id, disk, pid, error);
    tidy(config, deploy_id);
    if (!done)
        g_prefix_error(error, "disk %u (%s): ", disk->id, disk->target);
    return done;
}

void volume_limit(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid)
{
    g_autoptr(GError) error = NULL;
    dev_t device;
    if (!find_plugged(config, deploy_id, disk, pid, &device, &error))
        log_warn("VM %s: the I/O limits of disk %u are not honoured: %s", deploy_id, disk->id,
                 error->message);
    else if (device != 0)
        set_limits(config, deploy_id, disk, device, pid);
}

static gboolean detach(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       GError **error)
{
    static const VmDiskLimits none;
    g_autofree gchar *place = volume_place(config, deploy_id, disk->id);
    dev_t device;
    if (!find_plugged(config, deploy_id, disk, pid, &device, error) ||
        (device != 0 && !volume_unplug(config, deploy_id, device, pid, error)))
        return FALSE;
    /* The next disk may get the same device. */
    if (device != 0 && vm_disk_limits_any(&disk->limits))
        volume_limits_set(config, pid, device, &none, NULL);
    return volume_unmount(place, error) && qcow2_end(config, place, error) &&
           wait_released(config, deploy_id, disk, error);
}

gboolean volume_detach(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       GError **error)
{
    gboolean done = detach(config, deploy_id, disk, pid, error);
    tidy(config, deploy_id);
    if (!done)
        g_prefix_error(error, "disk %u (%s): ", disk->id, disk->target);
    return done;
}

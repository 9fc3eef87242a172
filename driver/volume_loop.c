// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>

enum { TRIES = 64, WAIT_STEP_MS = 5 };

static const char sysfs_blocks[] = "/sys/block";

void loop_device_free(LoopDevice *device)
{
    if (!device)
        return;
    autofd_close(&device->fd);
    g_free(device->path);
    g_free(device);
}

static LoopDevice *open_device(const char *name, int flags)
{
    g_autofree gchar *path = g_strconcat("/dev/", name, NULL);
    autofd int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return NULL;
    if (!S_ISBLK(status.st_mode)) {
        errno = ENOTBLK;
        return NULL;
    }
    LoopDevice *device = g_new0(LoopDevice, 1);
    device->fd = steal_fd(&fd);
    device->path = g_steal_pointer(&path);
    device->number = status.st_rdev;
    return device;
}

static LoopDevice *free_device(int control, int flags)
{
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    g_autofree gchar *name = number < 0 ? NULL : g_strdup_printf("loop%d", number);
    return name ? open_device(name, flags) : NULL;
}

LoopDevice *loop_device_attach(int file, gboolean read_only, const char *label, GError **error)
{
    autofd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_UNSUPPORTED, errno, "cannot open /dev/loop-control");
        return NULL;
    }
    struct stat status;
    /* The cache of the file system above is enough where none is below. */
    gboolean direct = fstat(file, &status) == 0 && S_ISBLK(status.st_mode);
    struct loop_config config = {
        .fd = (guint32)file,
        .info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0u) |
                         (direct ? LO_FLAGS_DIRECT_IO : 0u),
    };
    g_strlcpy((char *)config.info.lo_file_name, label, LO_NAME_SIZE);
    /* Between the kernel's word that a device is free and its use somebody else may take it. */
    for (guint i = 0; i < TRIES; i++) {
        g_autoptr(LoopDevice) device = free_device(control, read_only ? O_RDONLY : O_RDWR);
        if (device && ioctl(device->fd, LOOP_CONFIGURE, &config) == 0)
            return g_steal_pointer(&device);
        if (errno != EBUSY && errno != ENXIO)
            break;
    }
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot get a loop device");
    return NULL;
}

static gboolean stands_for(const LoopDevice *device, const struct stat *file,
                           gboolean writable_only, const char *label)
{
    struct loop_info64 info;
    char name[LO_NAME_SIZE];
    g_strlcpy(name, label ? label : "", sizeof name);
    return ioctl(device->fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_device == file->st_dev &&
           info.lo_inode == file->st_ino &&
           !(writable_only && (info.lo_flags & LO_FLAGS_READ_ONLY)) &&
           (!label || strncmp((const char *)info.lo_file_name, name, sizeof name) == 0);
}

LoopDevice *loop_device_find(const struct stat *file, gboolean writable_only, const char *label)
{
    g_autoptr(GDir) blocks = g_dir_open(sysfs_blocks, 0, NULL);
    for (const char *name; blocks && (name = g_dir_read_name(blocks));) {
        if (!g_str_has_prefix(name, "loop"))
            continue;
        g_autofree gchar *used = g_build_filename(sysfs_blocks, name, "loop", "backing_file", NULL);
        if (access(used, F_OK) < 0)
            continue;
        g_autoptr(LoopDevice) device = open_device(name, O_RDONLY);
        if (device && stands_for(device, file, writable_only, label))
            return g_steal_pointer(&device);
    }
    return NULL;
}

gboolean loop_device_wait(const struct stat *file, gboolean writable_only, const char *label,
                          guint ms, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)ms * G_TIME_SPAN_MILLISECOND;
    for (;;) {
        g_autoptr(LoopDevice) device = loop_device_find(file, writable_only, label);
        if (!device)
            return TRUE;
        if (!interrupt_check(error))
            return FALSE;
        if (g_get_monotonic_time() >= end) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "%s still stands for its file",
                        device->path);
            return FALSE;
        }
        /* Closed before the pause: an open device does not free itself. */
        g_clear_pointer(&device, loop_device_free);
        g_usleep(WAIT_STEP_MS * G_TIME_SPAN_MILLISECOND);
    }
}

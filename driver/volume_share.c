// SPDX-License-Identifier: Apache-2.0
/*
 * NFS shares that hold disks, mounted under <run>/share for as long as a disk on them is used.
 * Several VMs, and several actions at a time, use one: a lock beside each keeps a mount from going
 * between being found and being used.
 */
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "share_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>

enum { BUSY_MS = 250, BUSY_STEP_MS = 5 };

#define ALWAYS "nodev,nosuid,noexec"

static gchar *root_of(const Config *config)
{
    return g_build_filename(config->run_dir, "share", NULL);
}

gchar *volume_share_place(const Config *config, const VmDisk *disk)
{
    g_autofree gchar *root = root_of(config);
    g_autofree gchar *name = g_compute_checksum_for_string(G_CHECKSUM_SHA256, disk->share, -1);
    return g_build_filename(root, name, NULL);
}

static int take_lock(const char *place, GError **error)
{
    g_autofree gchar *path = g_strconcat(place, ".lock", NULL);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return steal_fd(&fd);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot lock %s", path);
    return -1;
}

/* Asked of the kernel, not of a server that may not answer. */
static gboolean is_mounted(const char *place)
{
    struct statx status;
    return statx(AT_FDCWD, place, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, 0, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static gboolean mount_share(const Config *config, const VmDisk *disk, const char *place,
                            GError **error)
{
    g_autofree gchar *options = g_strconcat(disk->share_options ? disk->share_options : "",
                                            disk->share_options ? "," ALWAYS : ALWAYS, NULL);
    char *argv[] = {config->nova_mount, (char *)"-t",  (char *)"nfs", (char *)"-o", options,
                    disk->share,        (char *)place, NULL};
    if (volume_program(config, argv, NULL, 0, error))
        return TRUE;
    g_prefix_error(error, "cannot mount the share %s: ", disk->share);
    return FALSE;
}

gboolean volume_share_up(const Config *config, const VmDisk *disk, int *lock, GError **error)
{
    g_autofree gchar *root = root_of(config), *place = volume_share_place(config, disk);
    if (!config->nova_shares ||
        !g_strv_contains((const gchar *const *)config->nova_shares, disk->share)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                    "the share %s is none that [nova] shares of %s allows", disk->share,
                    config->path);
        return FALSE;
    }
    if (!file_make_folder(root, 0700, error) || !share_folder(root, VMDOCK_ERROR_IO, error))
        return FALSE;
    autofd int fd = take_lock(place, error);
    if (fd < 0 || !file_make_folder(place, 0700, error) ||
        (!is_mounted(place) && !mount_share(config, disk, place, error)))
        return FALSE;
    *lock = steal_fd(&fd);
    return TRUE;
}

/* A device that has just freed itself, and a server that has just ended, close its file a moment
 * later. */
static gboolean unmount_share(const char *place)
{
    gint64 end = g_get_monotonic_time() + BUSY_MS * G_TIME_SPAN_MILLISECOND;
    while (umount2(place, UMOUNT_NOFOLLOW) < 0) {
        if (errno != EBUSY)
            return errno == EINVAL || errno == ENOENT;
        if (g_get_monotonic_time() >= end)
            return TRUE;
        g_usleep(BUSY_STEP_MS * G_TIME_SPAN_MILLISECOND);
    }
    return TRUE;
}

void volume_share_down(const Config *config, const VmDisk *disk)
{
    if (disk->storage != VM_DISK_SHARE)
        return;
    g_autofree gchar *place = volume_share_place(config, disk);
    if (access(place, F_OK) < 0 && errno == ENOENT)
        return;
    g_autoptr(GError) trouble = NULL;
    autofd int lock = take_lock(place, &trouble);
    if (lock < 0)
        log_warn("%s", trouble->message);
    else if (!unmount_share(place))
        log_warn("the share %s stays mounted: %s", disk->share, g_strerror(errno));
    /* Not while it is mounted; the lock stays, as somebody may wait for it. */
    rmdir(place);
}

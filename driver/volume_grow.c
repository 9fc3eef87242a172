// SPDX-License-Identifier: Apache-2.0
/*
 * Disks that become larger: under a VM that runs, and, when the file grew while the VM was off, at
 * its next start. Nothing is ever made smaller.
 */
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

enum {
    MB = 1024 * 1024,
    EXT_PLACE = 1024, /* of the superblock */
    EXT_SIGN = 0xef53,
    EXT_64BIT = 0x80,
    EXT_MAX_BLOCK_BITS = 6,
};

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* The kernel's interface, which its headers do not export. */
#define EXT_RESIZE _IOW('f', 16, guint64)

struct xfs_geometry {
    guint32 block_size, unused[6], max_inodes;
    guint64 blocks, more[3];
    guint8 uuid[16];
    guint32 rest[7];
};

struct xfs_growth {
    guint64 blocks;
    guint32 max_inodes;
};

#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)
#define XFS_GROW     _IOW('X', 110, struct xfs_growth)

/* A mounted file system that can grow. */
typedef struct {
    int device;
    int mounted; /* a folder of it */
    gboolean ext;
    guint64 block_size, blocks;
    guint32 max_inodes; /* of xfs, which is told it again */
} Fs;

static guint32 le32(const guint8 *bytes)
{
    return bytes[0] | (guint32)bytes[1] << 8 | (guint32)bytes[2] << 16 | (guint32)bytes[3] << 24;
}

gboolean ext_superblock_parse(const guint8 bytes[EXT_SUPERBLOCK_SIZE], guint64 *block_size,
                              guint64 *blocks)
{
    guint32 bits = le32(bytes + 24), features = le32(bytes + 96);
    if ((le32(bytes + 56) & 0xffff) != EXT_SIGN || bits > EXT_MAX_BLOCK_BITS)
        return FALSE;
    *block_size = G_GUINT64_CONSTANT(1024) << bits;
    *blocks = le32(bytes + 4);
    if (features & EXT_64BIT)
        *blocks |= (guint64)le32(bytes + 336) << 32;
    /* No disk has more bytes than can be counted. */
    return *blocks <= G_MAXINT64 / *block_size;
}

static gboolean cannot(const char *fs, GError **error)
{
    int err = errno;
    gboolean here = err == EPERM || err == ENOTTY || err == EOPNOTSUPP;
    vmdock_error_errno(error, here ? VMDOCK_ERROR_UNSUPPORTED : VMDOCK_ERROR_IO, err,
                       "this host cannot make its %s larger while it is mounted", fs);
    return FALSE;
}

static gboolean set_blocks(const Fs *fs, guint64 blocks, GError **error)
{
    struct xfs_growth growth = {blocks, fs->max_inodes};
    if (fs->ext ? ioctl(fs->mounted, EXT_RESIZE, &blocks) == 0
                : ioctl(fs->mounted, XFS_GROW, &growth) == 0)
        return TRUE;
    return cannot(fs->ext ? "ext file system" : "xfs", error);
}

static gboolean look_at_ext(Fs *fs, GError **error)
{
    guint8 bytes[EXT_SUPERBLOCK_SIZE];
    if (pread(fs->device, bytes, sizeof bytes, EXT_PLACE) == (ssize_t)sizeof bytes &&
        ext_superblock_parse(bytes, &fs->block_size, &fs->blocks))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "its superblock cannot be read");
    return FALSE;
}

static gboolean look_at_xfs(Fs *fs, GError **error)
{
    struct xfs_geometry geometry;
    if (ioctl(fs->mounted, XFS_GEOMETRY, &geometry) < 0 || geometry.block_size == 0)
        return cannot("xfs", error);
    fs->block_size = geometry.block_size;
    fs->blocks = geometry.blocks;
    fs->max_inodes = geometry.max_inodes;
    return TRUE;
}

static gboolean look(Fs *fs, GError **error)
{
    struct statfs status;
    if (fstatfs(fs->mounted, &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at its file system");
        return FALSE;
    }
    fs->ext = status.f_type == EXT4_SUPER_MAGIC;
    if (fs->ext)
        return look_at_ext(fs, error);
    if (status.f_type == XFS_SUPER_MAGIC)
        return look_at_xfs(fs, error);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                "only ext2, ext3, ext4 and xfs can be made larger");
    return FALSE;
}

/* What is behind a file system may be somebody's data: it grows over nothing but zeros. */
static gboolean check_tail(const Fs *fs, guint64 size, GError **error)
{
    guint64 end = fs->block_size * fs->blocks;
    guint64 part = MIN(size - end, MB);
    gboolean blank = TRUE;
    if (!volume_is_blank(fs->device, end, part, &blank, error) ||
        !volume_is_blank(fs->device, size - part, part, &blank, error))
        return FALSE;
    if (!blank)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "behind its file system it holds data: that is not made larger");
    return blank;
}

/* Brings it to the size of its device. Less than the cloud's unit is left alone: it is what making
 * the file system has rounded off. */
static gboolean fill(const Fs *fs, GError **error)
{
    guint64 size = 0;
    if (ioctl(fs->device, BLKGETSIZE64, &size) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot tell its size");
        return FALSE;
    }
    if (size < fs->block_size * fs->blocks + MB)
        return TRUE;
    return check_tail(fs, size, error) && set_blocks(fs, size / fs->block_size, error);
}

/* ---- at the start of a VM ---- */

static gboolean fill_mounted(const LoopDevice *device, const char *place, GError **error)
{
    autofd int mounted = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    Fs fs = {.device = device->fd, .mounted = mounted};
    if (mounted >= 0)
        return look(&fs, error) && fill(&fs, error);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s", place);
    return FALSE;
}

/* By e2fsprogs, of which resize2fs is not broken off: a file system moved by half is none. */
static gboolean fill_unmounted(const Config *config, const LoopDevice *device, GError **error)
{
    char *check[] = {config->disk_e2fsck, (char *)"-f", (char *)"-n", device->path, NULL};
    char *resize[] = {config->disk_resize2fs, (char *)"-f", device->path, NULL};
    return volume_program(config, check, NULL, 0, error) &&
           volume_program(config, resize, NULL, VOLUME_PROGRAM_WHOLE, error);
}

/* Where the kernel does not let this host's root do it to what is mounted, as in a container. */
static gboolean fill_apart(const Config *config, const LoopDevice *device, const char *fs,
                           const char *place, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!volume_unmount(place, error))
        return FALSE;
    fill_unmounted(config, device, &failure);
    if (!volume_make_place(config, place, error) ||
        !volume_mount(device->path, fs, FALSE, place, error))
        return FALSE;
    if (failure)
        log_warn("%s is as large as before: %s", place, failure->message);
    return TRUE;
}

gboolean volume_fill(const Config *config, const VmDisk *disk, const LoopDevice *device,
                     const char *fs, const char *place, GError **error)
{
    g_autoptr(GError) failure = NULL;
    gboolean ext = g_str_has_prefix(fs, "ext"), xfs = strcmp(fs, "xfs") == 0;
    if (disk->read_only || (!ext && !xfs) || fill_mounted(device, place, &failure))
        return TRUE;
    if (ext && vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED))
        return fill_apart(config, device, fs, place, error);
    log_warn("disk %u (%s): its file system is as large as before: %s", disk->id, disk->target,
             failure->message);
    return TRUE;
}

/* ---- under a VM that runs ---- */

/* A device is made larger by whoever made it. */
static gboolean check_device(int device, guint64 bytes, GError **error)
{
    guint64 size = 0;
    if (ioctl(device, BLKGETSIZE64, &size) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot tell its size");
        return FALSE;
    }
    if (size >= bytes)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                "its device has %" G_GUINT64_FORMAT " MB, fewer than it is to have", size / MB);
    return FALSE;
}

/* What a transfer driver leaves to the hypervisor, as it does with a disk in use. */
static gboolean enlarge_file(const Config *config, const char *deploy_id, const VmDisk *disk,
                             guint64 bytes, GError **error)
{
    struct stat status;
    autofd int file = volume_content_open(config, deploy_id, disk, &status, error);
    if (file < 0)
        return FALSE;
    if (S_ISBLK(status.st_mode))
        return check_device(file, bytes, error);
    if ((guint64)status.st_size > bytes) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "it has %" G_GINT64_FORMAT " MB, and a disk is made larger only",
                    (gint64)status.st_size / MB);
        return FALSE;
    }
    if ((guint64)status.st_size == bytes || ftruncate(file, (off_t)bytes) == 0)
        return TRUE;
    vmdock_error_errno(error, errno == ENOSPC ? VMDOCK_ERROR_NO_SPACE : VMDOCK_ERROR_IO, errno,
                       "cannot make its file larger");
    return FALSE;
}

static gboolean enlarge(const Config *config, const char *deploy_id, const VmDisk *disk,
                        guint64 bytes, Fs *fs, GError **error)
{
    if (!enlarge_file(config, deploy_id, disk, bytes, error))
        return FALSE;
    if (ioctl(fs->device, LOOP_SET_CAPACITY, 0) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make its device larger");
        return FALSE;
    }
    if (fill(fs, error))
        return TRUE;
    g_prefix_error(error, "it has its new size, which its file system gets when the VM starts the "
                          "next time: ");
    return FALSE;
}

static gboolean resize(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       guint64 bytes, GError **error)
{
    if (disk->read_only) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "it is read-only");
        return FALSE;
    }
    g_autoptr(LoopDevice) device = volume_device(config, deploy_id, disk);
    if (!device) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "the VM does not have it mounted");
        return FALSE;
    }
    autofd int mounted = volume_open_mounted(config, deploy_id, device->number, pid, error);
    Fs fs = {.device = device->fd, .mounted = mounted};
    /* Set to the size that it has, it tells whether it could be set to another. What a cloud has
     * made larger already is larger all the same. */
    return mounted >= 0 && look(&fs, error) &&
           (disk->storage != VM_DISK_DATASTORE || set_blocks(&fs, fs.blocks, error)) &&
           enlarge(config, deploy_id, disk, bytes, &fs, error);
}

gboolean volume_resize(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       guint64 bytes, GError **error)
{
    /* What has begun is seen through: between two of its steps nothing could be taken back. */
    g_autoptr(GError) failure = NULL;
    interrupt_hold();
    gboolean done = resize(config, deploy_id, disk, pid, bytes, &failure);
    interrupt_allow();
    if (done)
        return TRUE;
    /* A file that is larger is filled by the next start, in whatever way this host can. */
    gboolean later = vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED) && !disk->read_only &&
                     disk->storage == VM_DISK_DATASTORE;
    g_set_error(error, VMDOCK_ERROR, failure->code, "disk %u (%s): %s%s", disk->id, disk->target,
                failure->message,
                later ? "; power the VM off, resize the disk and resume the VM" : "");
    return FALSE;
}

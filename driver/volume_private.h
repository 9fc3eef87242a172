// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of volume.h share, and nobody else includes:
 *   volume.c               the disks of a VM together
 *   volume_file.c          the files behind them, opened without leaving the folders allowed
 *   volume_iscsi.c         which devices are of an iSCSI session
 *   volume_share.c         network shares with such files
 *   volume_loop.c          loop devices
 *   volume_qcow2.c         qcow2 files and their server
 *   volume_qcow2_header.c  what a qcow2 file says of itself; pure
 *   volume_fs.c            which file system a device holds, and making one
 *   volume_grow.c          disks that become larger
 *   volume_mount.c         mounts of the host and of containers
 *   volume_left.c          what is left of them on the host
 *   volume_limits.c        I/O limits of a container
 *   volume_program.c       running mkfs and the server
 */
#pragma once

#include "volume.h"

#include <sys/stat.h>

/* volume_file.c ------------------------------------------------------------------------------- */

/* A file behind a disk, or behind that one: SOURCE below ROOT. */
typedef struct {
    VmDiskStorage storage;
    gchar *root;
    gchar *source;
} VolumeFile;

void volume_file_clear(VolumeFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumeFile, volume_file_clear)
/* The file of DISK. POLICY when the configuration does not allow its place. */
gboolean volume_file_of(const Config *config, const VmDisk *disk, VolumeFile *file, GError **error);
/* For people. */
gchar *volume_file_name(const VolumeFile *file);

typedef enum {
    VOLUME_READ,
    VOLUME_WRITE,
    VOLUME_CLAIM, /* to write, and of a block device, that nobody else mounts it meanwhile */
} VolumeAccess;

/*
 * Opens FILE. Links are followed as long as they stay below its root: stock transfer drivers make
 * such for persistent images and snapshots. It must be a regular file that not everybody may write,
 * of a datastore one of root's or of the cloud's user; a local one may be a block device too, and
 * an iSCSI one must be.
 */
int volume_file_open(const Config *config, const VolumeFile *file, VolumeAccess access,
                     struct stat *status, GError **error);
/* Both in one. */
int volume_disk_open(const Config *config, const VmDisk *disk, VolumeAccess access,
                     struct stat *status, GError **error);

/* What of PATH, which is absolute, lies below ROOT, whatever number of slashes is in both; NULL if
 * it does not. Looks at no file: links and ".." lead where the kernel says. */
gchar *volume_below(const char *root, const char *path);

/* volume_iscsi.c ------------------------------------------------------------------------------ */

/* Whether the block device is a disk of an iSCSI session, or multipath over such alone. SYSFS is
 * "/sys". */
gboolean volume_is_iscsi(const char *sysfs, dev_t device);

/* volume_share.c ------------------------------------------------------------------------------ */

/* Where the share of DISK is mounted on the host. */
gchar *volume_share_place(const Config *config, const VmDisk *disk);
/*
 * Mounts it unless it is. Until *lock, which is a descriptor, is closed it stays so; afterwards as
 * long as a file of it is open. POLICY when the configuration does not allow it.
 */
gboolean volume_share_up(const Config *config, const VmDisk *disk, int *lock, GError **error);
/* Unmounts it when nothing uses it any more. What cannot be done is logged. */
void volume_share_down(const Config *config, const VmDisk *disk);

/* volume_loop.c ------------------------------------------------------------------------------- */

/* A loop device; it frees itself when the last user of it is gone. */
typedef struct {
    int fd;
    gchar *path; /* "/dev/loop3" */
    dev_t number;
} LoopDevice;

void loop_device_free(LoopDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LoopDevice, loop_device_free)
/* The device is found again by LABEL, which people see too. */
LoopDevice *loop_device_attach(int file, gboolean read_only, const char *label, GError **error);
/* The device that stands for the file FILE, NULL when there is none. With WRITABLE_ONLY those that
 * are read-only are passed over, with LABEL those of other labels. */
LoopDevice *loop_device_find(const struct stat *file, gboolean writable_only, const char *label);
/* Waits until there is none that loop_device_find() would find; STATE when MS pass. */
gboolean loop_device_wait(const struct stat *file, gboolean writable_only, const char *label,
                          guint ms, GError **error);

/* volume_qcow2_header.c ----------------------------------------------------------------------- */

enum { QCOW2_HEADER_MAX = 4096, QCOW2_NAME_MAX = 1023 };

typedef struct {
    guint64 backing_offset; /* where the name of the backing file stands; 0 = none */
    guint32 backing_size;   /* its length */
    gchar backing_format[17];
    gboolean external_data; /* its data lies in another file */
    gboolean encrypted;
} Qcow2Header;

/* The first bytes of a file. Errors: SPEC for what is no qcow2. */
gboolean qcow2_header_parse(const guint8 *bytes, gsize length, Qcow2Header *header, GError **error);
/*
 * The place below ROOT that NAME, found in the file IMAGE below ROOT, means. Errors: SPEC for what
 * is no plain path, or leads out of ROOT.
 */
gchar *qcow2_backing_source(const char *root, const char *image, const char *name, GError **error);

/* volume_qcow2.c ------------------------------------------------------------------------------ */

/* Where things of one disk are: <run>/disk/<deploy-id>/<number> and beside it. */
gchar *volume_folder(const Config *config, const char *deploy_id);
gchar *volume_place(const Config *config, const char *deploy_id, guint id);
/* "<place>.image", the file that a server shows the disk as. */
gchar *volume_image(const char *place);

/* Starts the server of FILE, whose content is then the file volume_image(PLACE). */
gboolean qcow2_serve(const Config *config, const VolumeFile *file, gboolean read_only,
                     const char *place, GError **error);
/* Ends it when nothing uses it any more; STATE when that does not come. Fine if there is none. */
gboolean qcow2_end(const Config *config, const char *place, GError **error);

/* volume_fs.c --------------------------------------------------------------------------------- */

/* The name of the file system on DEVICE. NULL without error when there is nothing at all on it;
 * UNSUPPORTED for something else, or a file system that the configuration does not list. */
gchar *volume_fs_find(const Config *config, int device, GError **error);
/* Makes one on the device PATH, which DEVICE is; STATE unless its ends hold zeros only. */
gboolean volume_fs_make(const Config *config, int device, const char *path, const char *fs,
                        GError **error);

/* *blank becomes FALSE when there is anything but zeros in these bytes of DEVICE. */
gboolean volume_is_blank(int device, guint64 from, guint64 length, gboolean *blank, GError **error);

/* volume_grow.c ------------------------------------------------------------------------------- */

/*
 * Brings the file system FS of DISK, mounted on PLACE and nowhere else, to the size of its device.
 * What cannot be done is logged: a VM starts with its data in the space that they had.
 */
gboolean volume_fill(const Config *config, const VmDisk *disk, const LoopDevice *device,
                     const char *fs, const char *place, GError **error);

enum { EXT_SUPERBLOCK_SIZE = 512 };

/* What the superblock of an ext2, ext3 or ext4 says of its size, whose product is a number of
 * bytes; FALSE if it is none. Pure. */
gboolean ext_superblock_parse(const guint8 bytes[EXT_SUPERBLOCK_SIZE], guint64 *block_size,
                              guint64 *blocks);

/* volume.c ------------------------------------------------------------------------------------ */

/* The device of a disk, NULL when it has none now. */
LoopDevice *volume_device(const Config *config, const char *deploy_id, const VmDisk *disk);
/* The file that it stands for, to be written. */
int volume_content_open(const Config *config, const char *deploy_id, const VmDisk *disk,
                        struct stat *status, GError **error);

/* volume_mount.c ------------------------------------------------------------------------------ */

/* Makes the folder PLACE and those above it, under the shared mount <run>/disk. */
gboolean volume_make_place(const Config *config, const char *place, GError **error);
gboolean volume_mount(const char *device, const char *fs, gboolean read_only, const char *place,
                      GError **error);
/* Unmounts PLACE and removes it; fine if it is not there. */
gboolean volume_unmount(const char *place, GError **error);
/* Mounts what is mounted on PLACE on MOUNT_POINT of the container of process PID. */
gboolean volume_plug(const Config *config, const char *deploy_id, const char *place, gint pid,
                     const char *mount_point, GError **error);
/* Writes back and unmounts every mount of DEVICE in the container of process PID. */
gboolean volume_unplug(const Config *config, const char *deploy_id, dev_t device, gint pid,
                       GError **error);
/* Where DEVICE is mounted in the mount namespace of process PID; gchar*, in the order mounted. */
GPtrArray *volume_mounted_at(gint pid, dev_t device, GError **error);
/* Opens the root of what DEVICE has mounted in the container of process PID; STATE when it is not
 * mounted there, or covered. */
int volume_open_mounted(const Config *config, const char *deploy_id, dev_t device, gint pid,
                        GError **error);
/* What stands in /proc/PID/mountinfo, pure. */
GPtrArray *volume_mountinfo_parse(const char *text, dev_t device);

/* volume_limits.c ----------------------------------------------------------------------------- */

/* Limits of DEVICE for the cgroup of process PID; all 0 takes them off. */
gboolean volume_limits_set(const Config *config, gint pid, dev_t device, const VmDiskLimits *limits,
                           GError **error);

/* volume_program.c ---------------------------------------------------------------------------- */

typedef enum {
    VOLUME_PROGRAM_DETACHED =
        1,                    /* what it leaves running is not to end with the caller's session */
    VOLUME_PROGRAM_WHOLE = 2, /* neither a signal nor the time-out breaks it off */
} VolumeProgramFlags;

/*
 * Runs ARGV, which sees the files FDS (ending in -1) under the same numbers, until it ends;
 * [disks] program_timeout_ms. Its last words become the error, of code IO.
 */
gboolean volume_program(const Config *config, char **argv, const int *fds, VolumeProgramFlags flags,
                        GError **error);

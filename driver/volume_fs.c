// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "error.h"
#include "log.h"

#include <blkid.h>
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* What is mounted where [disks] filesystems says nothing. btrfs is not among them: it knows a file
 * system by its own number, which all copies of an image share. */
static const char *const usual[] = {"ext4", "ext3", "ext2", "xfs", "vfat", "iso9660", "udf", NULL};

enum { BLANK_BYTES = 1024 * 1024, PIECE = 64 * 1024 };

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(blkid_probe, blkid_free_probe, NULL)

static const char *value(blkid_probe probe, const char *name)
{
    const char *text = NULL;
    return blkid_probe_lookup_value(probe, name, &text, NULL) == 0 ? text : NULL;
}

static gboolean unfit(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean unfit(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *sentence = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, sentence);
    return FALSE;
}

static gboolean allowed(const Config *config, const char *fs, GError **error)
{
    const gchar *const *list = (const gchar *const *)config->disk_filesystems;
    if (g_strv_contains(*list ? list : usual, fs))
        return TRUE;
    return unfit(error, "it holds %s, which [disks] filesystems of %s does not list", fs,
                 config->path);
}

/* Which of its findings makes the device something else than one file system. */
static gchar *judge(const Config *config, blkid_probe probe, GError **error)
{
    const char *type = value(probe, "TYPE"), *usage = value(probe, "USAGE");
    const char *table = value(probe, "PTTYPE");
    if (type && g_strcmp0(usage, "filesystem") == 0)
        return allowed(config, type, error) ? g_strdup(type) : NULL;
    if (type)
        unfit(error, "it holds %s, which is no file system", type);
    else if (table)
        unfit(error,
              "it holds a partition table (%s); only a disk that is one file system as a whole can "
              "be mounted",
              table);
    else
        unfit(error, "it holds something that is no file system");
    return NULL;
}

gchar *volume_fs_find(const Config *config, int device, GError **error)
{
    g_auto(blkid_probe) probe = blkid_new_probe();
    if (!probe || blkid_probe_set_device(probe, device, 0, 0) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "cannot look for a file system on it");
        return NULL;
    }
    blkid_probe_enable_superblocks(probe, 1);
    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
    blkid_probe_enable_partitions(probe, 1);
    switch (blkid_do_safeprobe(probe)) {
    case 0:
        return judge(config, probe, error);
    case 1:
        return NULL;
    case -2:
        unfit(error, "it has the signs of several file systems");
        return NULL;
    default:
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look for a file system on it");
        return NULL;
    }
}

gboolean volume_is_blank(int device, guint64 from, guint64 length, gboolean *blank, GError **error)
{
    static const guint8 zero[PIECE];
    g_autofree guint8 *bytes = g_malloc(PIECE);
    for (guint64 at = from; at < from + length; at += PIECE) {
        ssize_t n = pread(device, bytes, MIN(PIECE, from + length - at), (off_t)at);
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read it");
            return FALSE;
        }
        *blank = *blank && memcmp(bytes, zero, (gsize)n) == 0;
    }
    return TRUE;
}

/* Data of a kind that nobody has a sign for (keys, databases without a file system) is data too. */
static gboolean check_blank(int device, GError **error)
{
    guint64 size = 0;
    gboolean blank = TRUE;
    if (ioctl(device, BLKGETSIZE64, &size) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot tell its size");
        return FALSE;
    }
    guint64 part = MIN(size, BLANK_BYTES);
    if (!volume_is_blank(device, 0, part, &blank, error) ||
        !volume_is_blank(device, size - part, part, &blank, error))
        return FALSE;
    if (!blank)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "it holds data, though no file system: none is made on it");
    return blank;
}

/* A half made file system would be taken for data the next time. */
static void make_blank(int device)
{
    guint64 size = 0;
    if (ioctl(device, BLKGETSIZE64, &size) < 0)
        return;
    guint64 part = MIN(size, BLANK_BYTES);
    guint64 ends[][2] = {{0, part}, {size - part, part}};
    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++)
        if (ioctl(device, BLKZEROOUT, ends[i]) < 0)
            log_warn("cannot make a disk blank again: %s", g_strerror(errno));
}

gboolean volume_fs_make(const Config *config, int device, const char *path, const char *fs,
                        GError **error)
{
    static const struct {
        const char *fs;
        char *options[4];
    } makers[] = {
        {"ext4", {(char *)"-q", (char *)"-F", NULL}},
        {"ext3", {(char *)"-q", (char *)"-F", NULL}},
        {"ext2", {(char *)"-q", (char *)"-F", NULL}},
        {"xfs", {(char *)"-q", NULL}},
    };
    gsize row = 0;
    while (row < G_N_ELEMENTS(makers) && strcmp(makers[row].fs, fs) != 0)
        row++;
    if (row == G_N_ELEMENTS(makers))
        return unfit(error, "it is blank, and vmdock makes no file system %s", fs);
    if (!allowed(config, fs, error) || !check_blank(device, error))
        return FALSE;
    g_autofree gchar *program = g_strconcat(config->disk_mkfs, ".", fs, NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, program);
    for (char *const *option = makers[row].options; *option; option++)
        g_ptr_array_add(argv, *option);
    g_ptr_array_add(argv, (gpointer)path);
    g_ptr_array_add(argv, NULL);
    if (volume_program(config, (char **)argv->pdata, NULL, 0, error))
        return TRUE;
    make_blank(device);
    return FALSE;
}

// SPDX-License-Identifier: Apache-2.0
/* I/O limits of a container by device, cgroup v1 and v2. */
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { MAX_CGROUP_FILE = 65536, MAX_MOUNTS = 16 * 1024 * 1024 };

/* The cgroup of PID that the io controller works on, and whether it is one of v1. */
static gchar *find_cgroup(const Config *config, gint pid, gboolean *v1, GError **error)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/cgroup", pid);
    g_autofree gchar *text = file_read(path, MAX_CGROUP_FILE, NULL, error);
    if (!text)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree gchar *unified = NULL;
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, ":", 3);
        if (g_strv_length(parts) != 3)
            continue;
        if (strcmp(parts[1], "blkio") == 0) {
            *v1 = TRUE;
            return g_build_filename(config->cgroup_root, "blkio", parts[2], NULL);
        }
        if (strcmp(parts[0], "0") == 0)
            unified = g_build_filename(config->cgroup_root, parts[2], NULL);
    }
    if (!unified)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                    "process %d has no cgroup for I/O", pid);
    return g_steal_pointer(&unified);
}

static gboolean put(const char *folder, const char *name, const char *text, GError **error)
{
    g_autofree gchar *path = g_build_filename(folder, name, NULL);
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_UNSUPPORTED, errno, "cannot write %s", path);
    return FALSE;
}

/* 0 takes a limit off. */
static gboolean put_v1(const char *folder, dev_t device, const VmDiskLimits *limits, GError **error)
{
    const struct {
        const char *file;
        gint64 value;
    } files[] = {
        {"blkio.throttle.read_bps_device", limits->read_bytes},
        {"blkio.throttle.write_bps_device", limits->write_bytes},
        {"blkio.throttle.read_iops_device", limits->read_ops},
        {"blkio.throttle.write_iops_device", limits->write_ops},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree gchar *line = g_strdup_printf("%u:%u %" G_GINT64_FORMAT, major(device),
                                                 minor(device), files[i].value);
        if (!put(folder, files[i].file, line, error))
            return FALSE;
    }
    return TRUE;
}

static void append(GString *line, const char *key, gint64 value)
{
    if (value > 0)
        g_string_append_printf(line, " %s=%" G_GINT64_FORMAT, key, value);
    else
        g_string_append_printf(line, " %s=max", key);
}

static gboolean put_v2(const char *folder, dev_t device, const VmDiskLimits *limits, GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);
    g_string_printf(line, "%u:%u", major(device), minor(device));
    append(line, "rbps", limits->read_bytes);
    append(line, "wbps", limits->write_bytes);
    append(line, "riops", limits->read_ops);
    append(line, "wiops", limits->write_ops);
    return put(folder, "io.max", line->str, error);
}

gboolean volume_limits_set(const Config *config, gint pid, dev_t device, const VmDiskLimits *limits,
                           GError **error)
{
    gboolean v1 = FALSE;
    g_autofree gchar *folder = find_cgroup(config, pid, &v1, error);
    if (!folder)
        return FALSE;
    return v1 ? put_v1(folder, device, limits, error) : put_v2(folder, device, limits, error);
}

/* ---- of disk 0 ---- */

/* Where a file system has a number of its own (btrfs, zfs), its mount names the device, or none. */
static dev_t find_source(const char *text, dev_t device)
{
    g_autofree gchar *number = g_strdup_printf(" %u:%u ", major(device), minor(device));
    const char *line = strstr(text, number);
    const char *rest = line ? strstr(line, " - ") : NULL;
    g_auto(GStrv) fields = rest ? g_strsplit(rest + strlen(" - "), " ", 3) : NULL;
    struct stat status;
    return fields && g_strv_length(fields) == 3 && *fields[1] == '/' &&
                   stat(fields[1], &status) == 0 && S_ISBLK(status.st_mode)
               ? status.st_rdev
               : 0;
}

/* "8:16"; 0 when TEXT is something else. */
static dev_t parse_device(const char *text)
{
    guint64 numbers[2] = {0, 0};
    g_auto(GStrv) parts = g_strsplit(text, ":", 3);
    if (g_strv_length(parts) != G_N_ELEMENTS(numbers))
        return 0;
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (!g_ascii_string_to_unsigned(g_strstrip(parts[i]), 10, 0, G_MAXUINT32, &numbers[i],
                                        NULL))
            return 0;
    return makedev((guint)numbers[0], (guint)numbers[1]);
}

/* The kernel limits whole disks, not their partitions. */
static dev_t whole_disk(dev_t device)
{
    char path[PATH_MAX];
    g_autofree gchar *link = g_strdup_printf("/sys/dev/block/%u:%u", major(device), minor(device));
    if (!realpath(link, path))
        return 0;
    g_autofree gchar *sign = g_build_filename(path, "partition", NULL);
    if (access(sign, F_OK) < 0)
        return device;
    g_autofree gchar *disk = g_path_get_dirname(path), *file = g_build_filename(disk, "dev", NULL);
    g_autofree gchar *text = file_read(file, MAX_CGROUP_FILE, NULL, NULL);
    return text ? parse_device(text) : 0;
}

static dev_t disk_of(const char *folder)
{
    struct stat status;
    if (!folder || stat(folder, &status) < 0)
        return 0;
    if (major(status.st_dev) != 0)
        return whole_disk(status.st_dev);
    g_autofree gchar *text = file_read("/proc/self/mountinfo", MAX_MOUNTS, NULL, NULL);
    dev_t source = text ? find_source(text, status.st_dev) : 0;
    return source ? whole_disk(source) : 0;
}

void volume_limit_root(const Config *config, const char *deploy_id, const VmDiskLimits *limits,
                       const char *layer, gint pid)
{
    g_autoptr(GError) error = NULL;
    dev_t disk = disk_of(layer);
    if (!disk)
        log_warn("VM %s: its I/O limits are not honoured: the engine's storage is on no disk that "
                 "the kernel could limit",
                 deploy_id);
    else if (!volume_limits_set(config, pid, disk, limits, &error))
        log_warn("VM %s: its I/O limits are not honoured: %s", deploy_id, error->message);
}

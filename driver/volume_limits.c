// SPDX-License-Identifier: Apache-2.0
/* I/O limits of a container by device, cgroup v1 and v2. */
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { MAX_CGROUP_FILE = 65536 };

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

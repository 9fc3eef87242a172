// SPDX-License-Identifier: Apache-2.0
#include "sysctl.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MAX_VALUE = 128 };

static gboolean has_value(int fd, const char *value)
{
    char text[MAX_VALUE] = "";
    ssize_t n = read(fd, text, sizeof text - 1);
    return n > 0 && strcmp(g_strchomp(text), value) == 0;
}

static gboolean write_value(int fd, const char *value)
{
    ssize_t n;
    do
        n = pwrite(fd, value, strlen(value), 0);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

gboolean sysctl_set(const Sysctl *setting, GError **error)
{
    g_autofree gchar *path = g_strconcat("/proc/sys/", setting->name, NULL);
    autofd int reader = open(path, O_RDONLY | O_CLOEXEC);
    if (reader < 0 && errno == ENOENT)
        return TRUE;
    if (reader >= 0 && has_value(reader, setting->value))
        return TRUE;
    /* Opened anew: a value that is right needs no right to write. */
    autofd int writer = open(path, O_WRONLY | O_CLOEXEC);
    if (writer >= 0 && write_value(writer, setting->value)) {
        log_trace("sysctl %s = %s", setting->name, setting->value);
        return TRUE;
    }
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot set the sysctl %s to %s",
                       setting->name, setting->value);
    return FALSE;
}

gchar *sysctl_boot_id(GError **error)
{
    gchar *id = file_read("/proc/sys/kernel/random/boot_id", MAX_VALUE, NULL, error);
    return id ? g_strstrip(id) : NULL;
}

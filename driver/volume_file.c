// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>

enum { MAX_LINKS = 8, MAX_SHOWN = 200 };

static gchar *squeeze(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    g_autoptr(GString) plain = g_string_new(NULL);
    for (char **part = parts; *part; part++)
        if (**part)
            g_string_append_printf(plain, "/%s", *part);
    return g_string_free(g_steal_pointer(&plain), FALSE);
}

static gboolean has_dots(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    return g_strv_contains((const gchar *const *)parts, "..") ||
           g_strv_contains((const gchar *const *)parts, ".");
}

gchar *volume_below(const char *root, const char *path)
{
    g_autofree gchar *plain = squeeze(path);
    g_autofree gchar *plain_root = squeeze(root);
    gsize length = strlen(plain_root);
    return *path == '/' && g_str_has_prefix(plain, plain_root) && plain[length] == '/'
               ? g_strdup(plain + length + 1)
               : NULL;
}

gchar *volume_source(const Config *config, const char *path, GError **error)
{
    gchar *source = has_dots(path) ? NULL : volume_below(config->opennebula_datastores, path);
    if (source)
        return source;
    g_autofree gchar *shown = vmdock_one_line(path, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                "\"%s\" is no path of a disk below [opennebula] datastores, %s", shown,
                config->opennebula_datastores);
    return NULL;
}

static int open_beneath(int root, const char *path, guint64 flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* Where the link PATH leads, as a path below ROOT; NULL with errno set if it leads elsewhere. */
static gchar *follow(int root, const char *root_path, const char *path)
{
    char text[PATH_MAX];
    autofd int link = open_beneath(root, path, O_PATH | O_NOFOLLOW);
    ssize_t length = link < 0 ? -1 : readlinkat(link, "", text, sizeof text - 1);
    if (length < 0) {
        errno = EXDEV;
        return NULL;
    }
    text[length] = '\0';
    if (*text == '/') {
        gchar *rest = volume_below(root_path, text);
        errno = EXDEV;
        return rest;
    }
    g_autofree gchar *folder = g_path_get_dirname(path);
    return g_build_filename(folder, text, NULL);
}

/* The kernel follows relative links; an absolute one may be the last part, and is followed here. */
static int open_path(int root, const char *root_path, const char *path)
{
    g_autofree gchar *at = g_strdup(path);
    for (guint links = 0; links <= MAX_LINKS; links++) {
        int fd = open_beneath(root, at, O_PATH);
        if (fd >= 0 || errno != EXDEV)
            return fd;
        gchar *next = follow(root, root_path, at);
        if (!next)
            return -1;
        g_free(at);
        at = next;
    }
    errno = ELOOP;
    return -1;
}

static gboolean cannot_open(const Config *config, const char *source, int err, GError **error)
{
    g_autofree gchar *shown = vmdock_one_line(source, MAX_SHOWN);
    const char *root = config->opennebula_datastores;
    if (err == EXDEV)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "%s/%s leads out of %s", root, shown,
                    root);
    else
        vmdock_error_errno(error, err == ENOSYS ? VMDOCK_ERROR_UNSUPPORTED : VMDOCK_ERROR_IO, err,
                           "cannot open %s/%s", root, shown);
    return FALSE;
}

static gboolean check_file(const Config *config, const char *source, const struct stat *status,
                           GError **error)
{
    g_autofree gchar *shown = vmdock_one_line(source, MAX_SHOWN);
    const char *root = config->opennebula_datastores;
    const struct passwd *user = getpwnam(config->opennebula_user);
    if (!S_ISREG(status->st_mode))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "%s/%s is no regular file", root,
                    shown);
    else if (status->st_uid != 0 && (!user || status->st_uid != user->pw_uid))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "%s/%s belongs to user %u, neither to root nor to %s", root, shown,
                    status->st_uid, config->opennebula_user);
    else if (status->st_mode & S_IWOTH)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "%s/%s can be written by everybody on this host", root, shown);
    else
        return TRUE;
    return FALSE;
}

int volume_file_open(const Config *config, const char *source, gboolean writable,
                     struct stat *status, GError **error)
{
    const char *root_path = config->opennebula_datastores;
    autofd int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s", root_path);
        return -1;
    }
    /* Looked at before it is opened for good: opening a device or a pipe would do something. */
    autofd int path = open_path(root, root_path, source);
    if (path < 0 || fstat(path, status) < 0) {
        cannot_open(config, source, errno, error);
        return -1;
    }
    if (!check_file(config, source, status, error))
        return -1;
    g_autofree gchar *again = g_strdup_printf("/proc/self/fd/%d", path);
    int fd = open(again, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        cannot_open(config, source, errno, error);
    return fd;
}

gboolean volume_file_drop_link(const Config *config, const char *source, GError **error)
{
    const char *root_path = config->opennebula_datastores;
    g_autofree gchar *folder = g_path_get_dirname(source), *name = g_path_get_basename(source);
    g_autofree gchar *own = g_build_filename(root_path, folder, NULL);
    autofd int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd int at = root < 0 ? -1 : open_beneath(root, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    char text[PATH_MAX];
    ssize_t length = at < 0 ? -1 : readlinkat(at, name, text, sizeof text - 1);
    if (length < 0 && (errno == EINVAL || errno == ENOENT))
        return TRUE;
    if (length >= 0) {
        text[length] = '\0';
        g_autofree gchar *inside = volume_below(own, text);
        if (*text != '/' || inside || unlinkat(at, name, 0) == 0)
            return TRUE;
    }
    g_autofree gchar *shown = vmdock_one_line(source, MAX_SHOWN);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove the link %s/%s", root_path,
                       shown);
    return FALSE;
}

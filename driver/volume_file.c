// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>

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
    return file_open_within(root, path, &how);
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

static gboolean is_roots_alone(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_uid == 0 &&
           (S_ISLNK(status.st_mode) || !(status.st_mode & (S_IWGRP | S_IWOTH)));
}

/*
 * "/dev/volumes/volume-1" is a link that udev has made to "../dm-3". One of root's, in a folder
 * that root alone may write, may lead out of its folder, but to a block device of /dev alone.
 */
static int open_device_link(int root, const char *path)
{
    g_autofree gchar *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);
    autofd int parent = open_beneath(root, folder, O_PATH | O_DIRECTORY);
    autofd int link = parent < 0 ? -1 : openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    autofd int fd = -1;
    struct stat status, devices;
    if (link >= 0 && is_roots_alone(parent) && is_roots_alone(link))
        fd = openat(parent, name, O_PATH | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISBLK(status.st_mode) &&
        stat("/dev", &devices) == 0 && status.st_dev == devices.st_dev)
        return steal_fd(&fd);
    errno = EXDEV;
    return -1;
}

/* ---- which file it is ---- */

void volume_file_clear(VolumeFile *file)
{
    g_clear_pointer(&file->root, g_free);
    g_clear_pointer(&file->source, g_free);
}

/* The folder of [nova] volumes in which PATH lies. */
static gboolean find_local(const Config *config, const char *path, VolumeFile *file, GError **error)
{
    for (char **root = config->nova_volumes; !has_dots(path) && root && *root; root++) {
        file->source = volume_below(*root, path);
        if (!file->source)
            continue;
        file->root = g_strdup(*root);
        return TRUE;
    }
    g_autofree gchar *shown = vmdock_one_line(path, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                "%s lies in none of the folders that [nova] volumes of %s allows", shown,
                config->path);
    return FALSE;
}

static gboolean find_iscsi(const Config *config, const char *path, VolumeFile *file, GError **error)
{
    if (!config->nova_iscsi) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY, "[nova] iscsi of %s forbids it",
                    config->path);
        return FALSE;
    }
    file->root = g_strdup("/dev");
    file->source = has_dots(path) ? NULL : volume_below(file->root, path);
    if (file->source)
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(path, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "%s is no device", shown);
    return FALSE;
}

gboolean volume_file_of(const Config *config, const VmDisk *disk, VolumeFile *file, GError **error)
{
    file->storage = disk->storage;
    switch (disk->storage) {
    case VM_DISK_LOCAL:
        return find_local(config, disk->source, file, error);
    case VM_DISK_ISCSI:
        return find_iscsi(config, disk->source, file, error);
    case VM_DISK_SHARE:
        file->root = volume_share_place(config, disk);
        file->source = g_strdup(disk->source);
        return TRUE;
    case VM_DISK_DATASTORE:
        break;
    }
    file->root = g_strdup(config->opennebula_datastores);
    file->source = g_strdup(disk->source);
    return TRUE;
}

gchar *volume_file_name(const VolumeFile *file)
{
    g_autofree gchar *path = g_strconcat(file->root, "/", file->source, NULL);
    return vmdock_one_line(path, MAX_SHOWN);
}

/* ---- opened ---- */

static gboolean cannot_open(const VolumeFile *file, int err, GError **error)
{
    g_autofree gchar *shown = volume_file_name(file);
    if (err == EXDEV)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "%s leads out of %s", shown,
                    file->root);
    else if (err == EBUSY)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "%s is in use by something else of this host", shown);
    else
        vmdock_error_errno(error, err == ENOSYS ? VMDOCK_ERROR_UNSUPPORTED : VMDOCK_ERROR_IO, err,
                           "cannot open %s", shown);
    return FALSE;
}

static gboolean wrong(const VolumeFile *file, const char *what, GError **error)
{
    g_autofree gchar *shown = volume_file_name(file);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "%s %s", shown, what);
    return FALSE;
}

/* Those of a datastore are root's or the cloud's user's. */
static gboolean check_owner(const Config *config, const VolumeFile *file, const struct stat *status,
                            GError **error)
{
    const struct passwd *user = getpwnam(config->opennebula_user);
    if (status->st_uid == 0 || (user && status->st_uid == user->pw_uid))
        return TRUE;
    g_autofree gchar *what = g_strdup_printf("belongs to user %u, neither to root nor to %s",
                                             status->st_uid, config->opennebula_user);
    return wrong(file, what, error);
}

/* Who may write a share is its server's to say. */
static gboolean check_file(const Config *config, const VolumeFile *file, const struct stat *status,
                           GError **error)
{
    if (file->storage == VM_DISK_ISCSI)
        return S_ISBLK(status->st_mode) && volume_is_iscsi("/sys", status->st_rdev)
                   ? TRUE
                   : wrong(file, "is no device of an iSCSI session", error);
    if (file->storage == VM_DISK_LOCAL && S_ISBLK(status->st_mode))
        return TRUE;
    if (!S_ISREG(status->st_mode))
        return wrong(file,
                     file->storage == VM_DISK_LOCAL ? "is neither a regular file nor a block device"
                                                    : "is no regular file",
                     error);
    if (file->storage == VM_DISK_DATASTORE && !check_owner(config, file, status, error))
        return FALSE;
    return file->storage == VM_DISK_SHARE || !(status->st_mode & S_IWOTH) ||
           wrong(file, "can be written by everybody on this host", error);
}

int volume_file_open(const Config *config, const VolumeFile *file, VolumeAccess access,
                     struct stat *status, GError **error)
{
    autofd int root = open(file->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s", file->root);
        return -1;
    }
    /* Looked at before it is opened for good: opening a device or a pipe would do something. */
    autofd int path = open_path(root, file->root, file->source);
    if (path < 0 && errno == EXDEV && file->storage == VM_DISK_LOCAL)
        path = open_device_link(root, file->source);
    if (path < 0 || fstat(path, status) < 0) {
        cannot_open(file, errno, error);
        return -1;
    }
    if (!check_file(config, file, status, error))
        return -1;
    g_autofree gchar *again = g_strdup_printf("/proc/self/fd/%d", path);
    int flags = access == VOLUME_READ ? O_RDONLY : O_RDWR;
    /* As long as it is open, and a loop device keeps it open, nobody else can mount it. */
    if (access == VOLUME_CLAIM && S_ISBLK(status->st_mode))
        flags |= O_EXCL;
    int fd = open(again, flags | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        cannot_open(file, errno, error);
    return fd;
}

int volume_disk_open(const Config *config, const VmDisk *disk, VolumeAccess access,
                     struct stat *status, GError **error)
{
    g_auto(VolumeFile) file = {0};
    return volume_file_of(config, disk, &file, error)
               ? volume_file_open(config, &file, access, status, error)
               : -1;
}

gboolean volume_file_drop_link(const Config *config, const VmDisk *disk, GError **error)
{
    if (disk->storage != VM_DISK_DATASTORE)
        return TRUE;
    const char *root_path = config->opennebula_datastores;
    g_autofree gchar *folder = g_path_get_dirname(disk->source);
    g_autofree gchar *name = g_path_get_basename(disk->source);
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
    g_autofree gchar *shown = vmdock_one_line(disk->source, MAX_SHOWN);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove the link %s/%s", root_path,
                       shown);
    return FALSE;
}

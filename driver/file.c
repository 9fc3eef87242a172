// SPDX-License-Identifier: Apache-2.0
#include "file.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Between a file's name and the letters of what is written beside it. */
#define DRAFT   ".draft-"
#define LETTERS "XXXXXX"

/* A look-up takes microseconds: a host that renames all the time leaves room for one of these. */
enum { MAX_LOOK_UPS = 1000, BETWEEN_LOOK_UPS_US = 100 };

gboolean file_make_folder(const char *path, int mode, GError **error)
{
    if (mkdir(path, (mode_t)mode) == 0 || errno == EEXIST)
        return TRUE;
    if (errno == ENOENT) {
        g_autofree gchar *parent = g_path_get_dirname(path);
        if (!file_make_folder(parent, 0755, error))
            return FALSE;
        if (mkdir(path, (mode_t)mode) == 0 || errno == EEXIST)
            return TRUE;
    }
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make the folder %s", path);
    return FALSE;
}

static gboolean write_all(int fd, const char *text, gsize length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FALSE;
        text += n;
        length -= (gsize)n;
    }
    return TRUE;
}

gboolean file_replace(const char *path, const char *text, gssize length, int mode, GError **error)
{
    return file_replace_as(path, text, length, mode, (uid_t)-1, (gid_t)-1, error);
}

gboolean file_replace_as(const char *path, const char *text, gssize length, int mode, uid_t uid,
                         gid_t gid, GError **error)
{
    g_autofree gchar *beside = g_strconcat(path, DRAFT LETTERS, NULL);
    autofd int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
        return FALSE;
    }
    gsize size = length < 0 ? strlen(text) : (gsize)length;
    if (fchown(fd, uid, gid) == 0 && fchmod(fd, (mode_t)mode) == 0 && write_all(fd, text, size) &&
        rename(beside, path) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
    unlink(beside);
    return FALSE;
}

static gboolean sync_one(const char *path, int flags, GError **error)
{
    autofd int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot bring %s to the disk", path);
    return FALSE;
}

gboolean file_mark(const char *path, GError **error)
{
    autofd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd >= 0 && futimens(fd, NULL) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
    return FALSE;
}

gboolean file_sync(const char *path, GError **error)
{
    g_autofree gchar *folder = g_path_get_dirname(path);
    return sync_one(path, 0, error) && sync_one(folder, O_DIRECTORY, error);
}

gchar *file_read(const char *path, gsize max, gsize *length, GError **error)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s is no regular file", path);
        return NULL;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    char piece[8192];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
            return NULL;
        }
        if (n == 0)
            break;
        g_string_append_len(text, piece, n);
        if (text->len > max) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO,
                        "%s is larger than %" G_GSIZE_FORMAT " bytes", path, max);
            return NULL;
        }
    }
    if (length)
        *length = text->len;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

int file_open_within(int folder, const char *path, const struct open_how *how)
{
    int fd = -1;
    for (int i = 0; i < MAX_LOOK_UPS; i++) {
        fd = (int)syscall(SYS_openat2, folder, path, how, sizeof *how);
        if (fd >= 0 || errno != EAGAIN)
            break;
        g_usleep(BETWEEN_LOOK_UPS_US);
    }
    return fd;
}

gboolean file_remove(const char *path, GError **error)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", path);
    return FALSE;
}

static gboolean is_draft(const char *name)
{
    const char *mark = g_strrstr(name, DRAFT);
    return mark && strlen(mark) == strlen(DRAFT LETTERS);
}

static gboolean is_file_of_before(const char *path, gint64 moment)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime <= moment;
}

/* Removes those drafts of FOLDER whose name begins so and that nobody has written since MOMENT. */
static gboolean remove_drafts(const char *folder, const char *beginning, gint64 moment,
                              GError **error)
{
    g_autoptr(GDir) names = g_dir_open(folder, 0, NULL);
    for (const char *name; names && (name = g_dir_read_name(names));) {
        if (!is_draft(name) || !g_str_has_prefix(name, beginning))
            continue;
        g_autofree gchar *path = g_build_filename(folder, name, NULL);
        if (is_file_of_before(path, moment) && !file_remove(path, error))
            return FALSE;
    }
    return TRUE;
}

gboolean file_remove_drafts(const char *path, GError **error)
{
    g_autofree gchar *folder = g_path_get_dirname(path);
    g_autofree gchar *name = g_path_get_basename(path);
    g_autofree gchar *beginning = g_strconcat(name, DRAFT, NULL);
    return remove_drafts(folder, beginning, G_MAXINT64, error);
}

gboolean file_sweep_drafts(const char *folder, gint64 age_s, GError **error)
{
    return remove_drafts(folder, "", (gint64)time(NULL) - age_s, error);
}

static gboolean remove_tree_at(int at, const char *name, const char *path, GError **error)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return TRUE;
    if (errno != EISDIR && errno != EPERM) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", path);
        return FALSE;
    }
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", path);
        if (fd >= 0)
            close(fd);
        return FALSE;
    }
    gboolean done = TRUE;
    for (struct dirent *entry; done && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            done = remove_tree_at(dirfd(folder), entry->d_name, path, error);
    closedir(folder);
    if (done && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", path);
        return FALSE;
    }
    return done;
}

gboolean file_remove_tree(const char *path, GError **error)
{
    return remove_tree_at(AT_FDCWD, path, path, error);
}

/* A lock file that purge removed while we waited for it guards nothing any more. */
static gboolean lock_is_current(int fd, const char *path)
{
    struct stat held, there;
    return fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino &&
           held.st_dev == there.st_dev;
}

static int try_lock(const char *path, int kind, GError **error)
{
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open the lock %s", path);
        return -1;
    }
    if (flock(fd, kind | LOCK_NB) == 0)
        return lock_is_current(fd, path) ? steal_fd(&fd) : -1;
    if (errno != EWOULDBLOCK && errno != EINTR)
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot lock %s", path);
    return -1;
}

static int await_lock(const char *path, int kind, guint wait_ms, const char *what, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * G_TIME_SPAN_MILLISECOND;
    for (guint pause_us = 1000;; pause_us = MIN(pause_us * 2, 50000)) {
        GError *failure = NULL;
        int fd = try_lock(path, kind, &failure);
        if (fd >= 0)
            return fd;
        if (failure) {
            g_propagate_error(error, failure);
            return -1;
        }
        if (!interrupt_check(error))
            return -1;
        if (g_get_monotonic_time() >= deadline) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_BUSY,
                        "%s is held by another action for more than %u ms", what, wait_ms);
            return -1;
        }
        g_usleep(pause_us);
    }
}

int file_lock(const char *path, guint wait_ms, const char *what, GError **error)
{
    return await_lock(path, LOCK_EX, wait_ms, what, error);
}

int file_lock_shared(const char *path, guint wait_ms, const char *what, GError **error)
{
    return await_lock(path, LOCK_SH, wait_ms, what, error);
}

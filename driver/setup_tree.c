// SPDX-License-Identifier: Apache-2.0
#include "setup_tree.h"

#include "autoptr.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_BYTES = 4 * 1024 * 1024, FOLDER_MODE = 0755, MAX_LINK = 4096 };

#define BESIDE ".vmdock-setup.new"

static gboolean fail(const SetupTree *tree, const char *doing, const char *path, GError **error)
{
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot %s %s/%s", doing, tree->path, path);
    return FALSE;
}

SetupTree *setup_tree_open(const char *path, uid_t uid, gid_t gid, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open the folder %s", path);
        return NULL;
    }
    SetupTree *tree = g_new0(SetupTree, 1);
    *tree = (SetupTree){.fd = fd, .path = g_strdup(path), .uid = uid, .gid = gid};
    return tree;
}

void setup_tree_close(SetupTree *tree)
{
    close(tree->fd);
    g_free(tree->path);
    g_free(tree);
}

gboolean setup_tree_path_ok(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    for (gsize i = 0; parts[i]; i++)
        if (*parts[i] == '\0' || g_str_equal(parts[i], ".") || g_str_equal(parts[i], ".."))
            return FALSE;
    return parts[0] != NULL;
}

static int open_folder(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The folder NAME in AT, made when MAKE says so and it is missing; -1 with errno. */
static int enter(const SetupTree *tree, int at, const char *name, gboolean make)
{
    autofd int fd = open_folder(at, name);
    if (fd >= 0 || errno != ENOENT || !make)
        return steal_fd(&fd);
    if (mkdirat(at, name, FOLDER_MODE) < 0)
        return -1;
    fd = open_folder(at, name);
    if (fd >= 0 && fchmod(fd, FOLDER_MODE) == 0 && fchown(fd, tree->uid, tree->gid) == 0)
        return steal_fd(&fd);
    return -1;
}

/* The folder that PATH stands in, and its *leaf there; -1 with errno. */
static int open_parent(const SetupTree *tree, const char *path, gboolean make, gchar **leaf)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    autofd int at = fcntl(tree->fd, F_DUPFD_CLOEXEC, 0);
    gsize i = 0;
    for (; at >= 0 && parts[i + 1]; i++) {
        int next = enter(tree, at, parts[i], make);
        int err = errno;
        close(at);
        at = next;
        errno = err;
    }
    if (at >= 0)
        *leaf = g_strdup(parts[i]);
    return steal_fd(&at);
}

/* ---- looking ---- */

static GBytes *read_file(int at, const char *leaf)
{
    autofd int fd = openat(at, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint8 piece[8192];
    for (ssize_t n; (n = read(fd, piece, sizeof piece)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return NULL;
        g_byte_array_append(bytes, piece, (guint)n);
        if (bytes->len > MAX_BYTES) {
            errno = EFBIG;
            return NULL;
        }
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

static GBytes *read_link(int at, const char *leaf)
{
    char target[MAX_LINK];
    ssize_t n = readlinkat(at, leaf, target, sizeof target);
    return n < 0 ? NULL : g_bytes_new(target, (gsize)n);
}

gboolean setup_tree_look(const SetupTree *tree, const char *path, TreeKind *kind, GBytes **text,
                         mode_t *mode, GError **error)
{
    g_autofree gchar *leaf = NULL;
    struct stat st;
    *kind = TREE_NOTHING;
    autofd int at = open_parent(tree, path, FALSE, &leaf);
    if (at < 0 || fstatat(at, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || fail(tree, "look at", path, error);
    *kind = S_ISDIR(st.st_mode)   ? TREE_FOLDER
            : S_ISREG(st.st_mode) ? TREE_FILE
            : S_ISLNK(st.st_mode) ? TREE_LINK
                                  : TREE_OTHER;
    if (mode)
        *mode = st.st_mode & 07777;
    if (!text || *kind == TREE_FOLDER || *kind == TREE_OTHER)
        return TRUE;
    *text = *kind == TREE_FILE ? read_file(at, leaf) : read_link(at, leaf);
    return *text || fail(tree, "read", path, error);
}

/* ---- changing ---- */

static gboolean write_bytes(int fd, GBytes *text)
{
    gsize length;
    const char *at = g_bytes_get_data(text, &length);
    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno != EINTR)
            return FALSE;
        if (n > 0) {
            at += n;
            length -= (gsize)n;
        }
    }
    return TRUE;
}

gboolean setup_tree_folder(const SetupTree *tree, const char *path, GError **error)
{
    g_autofree gchar *leaf = NULL;
    autofd int at = open_parent(tree, path, TRUE, &leaf);
    autofd int fd = at < 0 ? -1 : enter(tree, at, leaf, TRUE);
    return fd >= 0 || fail(tree, "make the folder", path, error);
}

gboolean setup_tree_file(const SetupTree *tree, const char *path, GBytes *text, mode_t mode,
                         GError **error)
{
    g_autofree gchar *leaf = NULL;
    autofd int at = open_parent(tree, path, TRUE, &leaf);
    if (at < 0)
        return fail(tree, "write", path, error);
    unlinkat(at, BESIDE, 0);
    autofd int fd = openat(at, BESIDE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write_bytes(fd, text) && fchown(fd, tree->uid, tree->gid) == 0 &&
        fchmod(fd, mode) == 0 && renameat(at, BESIDE, at, leaf) == 0)
        return TRUE;
    fail(tree, "write", path, error);
    unlinkat(at, BESIDE, 0);
    return FALSE;
}

gboolean setup_tree_link(const SetupTree *tree, const char *path, const char *target,
                         GError **error)
{
    g_autofree gchar *leaf = NULL;
    autofd int at = open_parent(tree, path, TRUE, &leaf);
    if (at < 0)
        return fail(tree, "make the link", path, error);
    unlinkat(at, BESIDE, 0);
    if (symlinkat(target, at, BESIDE) == 0 &&
        fchownat(at, BESIDE, tree->uid, tree->gid, AT_SYMLINK_NOFOLLOW) == 0 &&
        renameat(at, BESIDE, at, leaf) == 0)
        return TRUE;
    fail(tree, "make the link", path, error);
    unlinkat(at, BESIDE, 0);
    return FALSE;
}

gboolean setup_tree_remove(const SetupTree *tree, const char *path, GError **error)
{
    g_autofree gchar *leaf = NULL;
    autofd int at = open_parent(tree, path, FALSE, &leaf);
    if (at < 0)
        return errno == ENOENT || fail(tree, "remove", path, error);
    if (unlinkat(at, leaf, 0) == 0 || errno == ENOENT)
        return TRUE;
    if ((errno == EISDIR || errno == EPERM) && unlinkat(at, leaf, AT_REMOVEDIR) == 0)
        return TRUE;
    return errno == ENOTEMPTY || errno == EEXIST || fail(tree, "remove", path, error);
}

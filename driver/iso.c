// SPDX-License-Identifier: Apache-2.0
#include "iso.h"

#include "autoptr.h"
#include "error.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 64 * 1024, MAX_DEPTH = 16 };

struct IsoImage {
    struct archive *writer;
    int fd;
    gboolean discard; /* what the writer still has to say: it cannot be freed before its end */
};

static gboolean fail(const IsoImage *iso, GError **error)
{
    int err = archive_errno(iso->writer);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, err > 0 ? err : EIO, "cannot write the ISO image");
    return FALSE;
}

static la_ssize_t give(struct archive *writer, void *data, const void *bytes, size_t length)
{
    const IsoImage *iso = data;
    if (iso->discard)
        return (la_ssize_t)length;
    gssize n;
    do
        n = write(iso->fd, bytes, length);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        archive_set_error(writer, errno, "%s", g_strerror(errno));
    return n;
}

IsoImage *iso_new(int fd, const char *volume, GError **error)
{
    g_autoptr(IsoImage) iso = g_new0(IsoImage, 1);
    iso->fd = fd;
    iso->writer = archive_write_new();
    archive_write_set_format_iso9660(iso->writer);
    archive_write_add_filter_none(iso->writer);
    if (archive_write_set_format_option(iso->writer, "iso9660", "volume-id", volume) ==
            ARCHIVE_OK &&
        archive_write_open(iso->writer, iso, NULL, give, NULL) == ARCHIVE_OK)
        return g_steal_pointer(&iso);
    fail(iso, error);
    return NULL;
}

void iso_free(IsoImage *iso)
{
    if (!iso)
        return;
    iso->discard = TRUE;
    archive_write_free(iso->writer);
    g_free(iso);
}

static gboolean copy(const IsoImage *iso, int fd, const char *path, GError **error)
{
    char piece[PIECE];
    for (;;) {
        gssize n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
            return FALSE;
        }
        if (n == 0)
            return TRUE;
        if (archive_write_data(iso->writer, piece, (size_t)n) != n)
            return fail(iso, error);
    }
}

static gboolean add(const IsoImage *iso, const char *path, const char *name, guint depth,
                    GError **error);

static gboolean add_folder(const IsoImage *iso, const char *path, const char *name, guint depth,
                           GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GDir) folder = g_dir_open(path, 0, &failure);
    if (!folder) {
        vmdock_error_adopt(&failure, VMDOCK_ERROR_IO);
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    for (const char *entry; (entry = g_dir_read_name(folder));) {
        g_autofree gchar *below = g_build_filename(path, entry, NULL);
        g_autofree gchar *named = g_build_filename(name, entry, NULL);
        if (!add(iso, below, named, depth + 1, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean write_header(const IsoImage *iso, const char *name, const struct stat *st,
                             GError **error)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
    archive_entry_set_perm(entry, S_ISDIR(st->st_mode) ? 0755 : 0644);
    archive_entry_set_size(entry, S_ISDIR(st->st_mode) ? 0 : st->st_size);
    archive_entry_set_mtime(entry, st->st_mtim.tv_sec, 0);
    gboolean written = archive_write_header(iso->writer, entry) >= ARCHIVE_WARN;
    archive_entry_free(entry);
    return written || fail(iso, error);
}

static gboolean add(const IsoImage *iso, const char *path, const char *name, guint depth,
                    GError **error)
{
    struct stat st;
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return FALSE;
    }
    if (depth > MAX_DEPTH || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s is no file, or lies too deep", path);
        return FALSE;
    }
    return write_header(iso, name, &st, error) &&
           (S_ISDIR(st.st_mode) ? add_folder(iso, path, name, depth, error)
                                : copy(iso, fd, path, error));
}

gboolean iso_add(IsoImage *iso, const char *path, const char *name, GError **error)
{
    return add(iso, path, name, 0, error);
}

gboolean iso_finish(IsoImage *iso, GError **error)
{
    return archive_write_close(iso->writer) == ARCHIVE_OK || fail(iso, error);
}

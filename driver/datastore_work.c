// SPDX-License-Identifier: Apache-2.0
#include "datastore_work.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PREFIX ".vmdock-"

enum { BASE_MODE = 0750, FILE_MODE = 0640, PIECE = 256 * 1024 };

/* ---- the folder ----------------------------------------------------------------------------- */

static int lock_folder(const char *path)
{
    autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? steal_fd(&fd) : -1;
}

/* A folder that nobody locks is a dead action's. */
static void clear_stale(const char *base_path)
{
    g_autoptr(GDir) folder = g_dir_open(base_path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        if (!g_str_has_prefix(name, PREFIX))
            continue;
        g_autofree gchar *path = g_build_filename(base_path, name, NULL);
        g_autoptr(GError) error = NULL;
        autofd int lock = lock_folder(path);
        if (lock >= 0 && !file_remove_tree(path, &error))
            log_warn("%s", error->message);
    }
}

static DatastoreWork *make(const char *base_path, GError **error)
{
    g_autofree gchar *folder = g_build_filename(base_path, PREFIX "XXXXXX", NULL);
    if (!g_mkdtemp(folder)) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make a folder in %s", base_path);
        return NULL;
    }
    DatastoreWork *work = g_new0(DatastoreWork, 1);
    work->folder = g_steal_pointer(&folder);
    work->lock = lock_folder(work->folder);
    return work;
}

DatastoreWork *datastore_work_new(const char *base_path, GError **error)
{
    if (!file_make_folder(base_path, BASE_MODE, error))
        return NULL;
    /*
     * Between being made and being locked a folder looks stale to another action. Where the file
     * system cannot lock folders none is ever taken for stale, and nothing needs this.
     */
    autofd int guard = open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (guard < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s", base_path);
        return NULL;
    }
    flock(guard, LOCK_EX);
    clear_stale(base_path);
    return make(base_path, error);
}

void datastore_work_free(DatastoreWork *work)
{
    if (!work)
        return;
    g_autoptr(GError) error = NULL;
    if (!file_remove_tree(work->folder, &error))
        log_warn("%s", error->message);
    autofd_close(&work->lock);
    g_free(work->folder);
    g_free(work);
}

/* ---- files ---------------------------------------------------------------------------------- */

static gboolean write_all(int fd, const char *bytes, gsize length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR && !interrupt_pending())
            continue;
        if (n < 0)
            return FALSE;
        bytes += n;
        length -= (gsize)n;
    }
    return TRUE;
}

/* Bytes of FROM that wait to be unpacked. */
typedef struct {
    int from;
    gboolean at_end;
    gsize start, length;
    char bytes[PIECE];
} Input;

static gboolean refill(Input *input)
{
    if (input->length > 0 || input->at_end)
        return TRUE;
    ssize_t n = read(input->from, input->bytes, sizeof input->bytes);
    if (n < 0)
        return FALSE;
    input->start = 0;
    input->length = (gsize)n;
    input->at_end = n == 0;
    return TRUE;
}

static gboolean unpack(int from, const char *label, int to, const char *path, GError **error)
{
    g_autoptr(GConverter) gzip =
        G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP));
    g_autofree Input *input = g_new0(Input, 1);
    g_autofree gchar *out = g_malloc(PIECE);
    input->from = from;
    for (GConverterResult result = G_CONVERTER_CONVERTED; result != G_CONVERTER_FINISHED;) {
        if (!interrupt_check(error))
            return FALSE;
        if (!refill(input)) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", label);
            return FALSE;
        }
        gsize taken = 0, made = 0;
        g_autoptr(GError) failure = NULL;
        result = g_converter_convert(gzip, input->bytes + input->start, input->length, out, PIECE,
                                     input->at_end ? G_CONVERTER_INPUT_AT_END : 0, &taken, &made,
                                     &failure);
        if (result == G_CONVERTER_ERROR) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "cannot unpack %s: %s", label,
                        input->at_end ? "it is cut off" : failure->message);
            return FALSE;
        }
        input->start += taken;
        input->length -= taken;
        if (!write_all(to, out, made)) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean copy(int from, const char *label, int to, const char *path, GError **error)
{
    if (ioctl(to, FICLONE, from) == 0)
        return TRUE;
    g_autofree gchar *piece = g_malloc(PIECE);
    for (;;) {
        if (!interrupt_check(error))
            return FALSE;
        ssize_t n = read(from, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", label);
            return FALSE;
        }
        if (n == 0)
            return TRUE;
        if (!write_all(to, piece, (gsize)n)) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
            return FALSE;
        }
    }
}

static gboolean is_gzip(int fd)
{
    guint8 magic[2];
    return pread(fd, magic, sizeof magic, 0) == sizeof magic && magic[0] == 0x1f &&
           magic[1] == 0x8b;
}

gboolean datastore_work_take(int from, const char *label, const char *path, GError **error)
{
    autofd int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (to < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
        return FALSE;
    }
    if (lseek(from, 0, SEEK_SET) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", label);
        return FALSE;
    }
    return is_gzip(from) ? unpack(from, label, to, path, error)
                         : copy(from, label, to, path, error);
}

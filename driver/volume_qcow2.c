// SPDX-License-Identifier: Apache-2.0
/*
 * qcow2 disks: qemu-storage-daemon shows the content of one as a file of its own FUSE file system,
 * which a loop device can stand for. One server a disk, so that none outlives its VM.
 *
 * The server runs as root, and an image may name other files. So it is never left to find files by
 * itself: every file of the chain is opened here, below the datastores, and handed over.
 */
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

enum { MAX_CHAIN = 32, MAX_PID_FILE = 64, WAIT_STEP_MS = 5 };

gchar *volume_folder(const Config *config, const char *deploy_id)
{
    return g_build_filename(config->run_dir, "disk", deploy_id, NULL);
}

gchar *volume_place(const Config *config, const char *deploy_id, guint id)
{
    g_autofree gchar *folder = volume_folder(config, deploy_id);
    return g_strdup_printf("%s/%u", folder, id);
}

gchar *volume_image(const char *place)
{
    return g_strconcat(place, ".image", NULL);
}

static gchar *pid_path(const char *place)
{
    return g_strconcat(place, ".pid", NULL);
}

/* ---- the chain of files ---- */

/* The open files of an image and its backing files, and how the server is to use them. */
typedef struct {
    const Config *config;
    const VolumeFile *top;
    int fds[MAX_CHAIN + 1]; /* ends in -1 */
    guint count;
} Chain;

static void chain_clear(Chain *chain)
{
    for (guint i = 0; i < chain->count; i++)
        close(chain->fds[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chain, chain_clear)

static gssize read_at(int fd, void *bytes, gsize length, guint64 offset)
{
    gsize done = 0;
    while (done < length) {
        ssize_t n = pread(fd, (guint8 *)bytes + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (gsize)n;
    }
    return (gssize)done;
}

static gboolean read_header(int fd, Qcow2Header *header, gchar **backing, GError **error)
{
    guint8 bytes[QCOW2_HEADER_MAX];
    gssize length = read_at(fd, bytes, sizeof bytes, 0);
    if (length < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read it");
        return FALSE;
    }
    if (!qcow2_header_parse(bytes, (gsize)length, header, error))
        return FALSE;
    if (header->backing_offset == 0)
        return TRUE;
    *backing = g_malloc0((gsize)header->backing_size + 1);
    if (header->backing_offset <= G_MAXINT32 &&
        read_at(fd, *backing, header->backing_size, header->backing_offset) ==
            (gssize)header->backing_size &&
        strlen(*backing) == header->backing_size)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "it is no qcow2 file: the name of its backing file cannot be read");
    return FALSE;
}

static json_t *file_node(int fd, gboolean read_only)
{
    g_autofree gchar *name = g_strdup_printf("/proc/self/fd/%d", fd);
    return json_pack("{s:s, s:s, s:b, s:s}", "driver", "file", "filename", name, "read-only",
                     read_only, "discard", "unmap");
}

static int chain_open(Chain *chain, const char *source, gboolean writable, GError **error)
{
    if (chain->count == MAX_CHAIN) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "it has more than %d backing files one behind the other", MAX_CHAIN);
        return -1;
    }
    struct stat status;
    const VolumeFile file = {chain->top->storage, chain->top->root, (gchar *)source};
    int fd = volume_file_open(chain->config, &file, writable ? VOLUME_WRITE : VOLUME_READ, &status,
                              error);
    if (fd >= 0)
        chain->fds[chain->count++] = fd;
    return fd;
}

static json_t *qcow2_node(Chain *chain, const char *source, gboolean read_only, GError **error);

static json_t *backing_node(Chain *chain, const char *source, const Qcow2Header *header,
                            const char *name, GError **error)
{
    if (!name)
        return json_null();
    g_autofree gchar *place = qcow2_backing_source(chain->top->root, source, name, error);
    if (!place)
        return NULL;
    if (strcmp(header->backing_format, "qcow2") == 0)
        return qcow2_node(chain, place, TRUE, error);
    if (strcmp(header->backing_format, "raw") == 0) {
        int fd = chain_open(chain, place, FALSE, error);
        return fd < 0 ? NULL
                      : json_pack("{s:s, s:b, s:o}", "driver", "raw", "read-only", TRUE, "file",
                                  file_node(fd, TRUE));
    }
    g_autofree gchar *shown = vmdock_one_line(header->backing_format, 16);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "it says of its backing file's format \"%s\", neither raw nor qcow2", shown);
    return NULL;
}

/* What qemu calls a block node: the file, its content, and what is behind it. */
static json_t *qcow2_node(Chain *chain, const char *source, gboolean read_only, GError **error)
{
    Qcow2Header header;
    g_autofree gchar *name = NULL;
    int fd = chain_open(chain, source, !read_only, error);
    if (fd < 0 || !read_header(fd, &header, &name, error))
        return NULL;
    if (header.external_data || header.encrypted) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "it is a qcow2 file with %s",
                    header.encrypted ? "encryption" : "its data in another file");
        return NULL;
    }
    json_t *backing = backing_node(chain, source, &header, name, error);
    if (!backing)
        return NULL;
    return json_pack("{s:s, s:b, s:s, s:o, s:o}", "driver", "qcow2", "read-only", read_only,
                     "discard", "unmap", "file", file_node(fd, read_only), "backing", backing);
}

/* ---- the server ---- */

static gboolean start_server(const Config *config, const Chain *chain, json_t *node,
                             gboolean read_only, const char *place, GError **error)
{
    g_autofree gchar *image = volume_image(place), *pid = pid_path(place);
    json_object_set_new(node, "node-name", json_string("disk"));
    g_autoptr(json_t) export = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:b, s:s}", "type", "fuse", "id", "disk", "node-name", "disk",
        "mountpoint", image, "writable", !read_only, "growable", FALSE, "allow-other", "off");
    char *node_text = json_dumps(node, JSON_COMPACT),
         *export_text = json_dumps(export, JSON_COMPACT);
    char *argv[] = {config->disk_qcow2_server,
                    (char *)"--daemonize",
                    (char *)"--pidfile",
                    pid,
                    (char *)"--blockdev",
                    node_text,
                    (char *)"--export",
                    export_text,
                    NULL};
    gboolean started = node_text && export_text && file_replace(image, "", 0, 0600, error) &&
                       volume_program(config, argv, chain->fds, VOLUME_PROGRAM_DETACHED, error);
    free(node_text);
    free(export_text);
    return started;
}

gboolean qcow2_serve(const Config *config, const VolumeFile *file, gboolean read_only,
                     const char *place, GError **error)
{
    g_auto(Chain) chain = {.config = config, .top = file};
    g_autoptr(json_t) node = qcow2_node(&chain, file->source, read_only, error);
    if (!node) {
        g_autofree gchar *name = volume_file_name(file);
        g_prefix_error(error, "%s: ", name);
        return FALSE;
    }
    chain.fds[chain.count] = -1;
    if (start_server(config, &chain, node, read_only, place, error))
        return TRUE;
    g_autoptr(GError) trouble = NULL;
    if (!qcow2_end(config, place, &trouble))
        log_warn("the server of a disk that did not start is left: %s", trouble->message);
    return FALSE;
}

/* The process that holds the lock on its own pid file, as the server does while it lives; 0: none.
 */
static pid_t server_pid(const char *path)
{
    autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    g_autofree gchar *text = NULL;
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0;
    text = file_read(path, MAX_PID_FILE, NULL, NULL);
    return text ? (pid_t)g_ascii_strtoll(text, NULL, 10) : 0;
}

/* No signal cuts this short: it is how things are taken back. */
static gboolean waited(gint64 end, GError **error)
{
    g_usleep(WAIT_STEP_MS * G_TIME_SPAN_MILLISECOND);
    if (g_get_monotonic_time() < end)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it does not end in time");
    return FALSE;
}

static gboolean end_server(const char *path, gint64 end, GError **error)
{
    pid_t pid = server_pid(path);
    if (pid <= 0)
        return TRUE;
    /* The handle is of the very process that holds the lock, if the lock is still held behind it.
     */
    autofd int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0 || server_pid(path) != pid)
        return TRUE;
    syscall(SYS_pidfd_send_signal, handle, SIGTERM, NULL, 0);
    while (server_pid(path) == pid)
        if (!waited(end, error))
            return FALSE;
    return TRUE;
}

/* Busy as long as the loop device stands for it, which frees itself a moment after its last user.
 */
static gboolean unmount_image(const char *image, gint64 end, GError **error)
{
    while (umount2(image, UMOUNT_NOFOLLOW) != 0) {
        if (errno == EINVAL || errno == ENOENT)
            return TRUE;
        if (errno != EBUSY) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot unmount %s", image);
            return FALSE;
        }
        if (!waited(end, error)) {
            g_prefix_error(error, "%s is still in use: ", image);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean qcow2_end(const Config *config, const char *place, GError **error)
{
    g_autofree gchar *image = volume_image(place), *pid = pid_path(place);
    gint64 end = g_get_monotonic_time() + (gint64)config->disk_release_ms * G_TIME_SPAN_MILLISECOND;
    if (!unmount_image(image, end, error))
        return FALSE;
    if (!end_server(pid, end, error)) {
        g_prefix_error(error, "the server of %s: ", image);
        return FALSE;
    }
    return file_remove(image, error) && file_remove(pid, error);
}

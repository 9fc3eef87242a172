// SPDX-License-Identifier: Apache-2.0
#include "root_size.h"

#include "autoptr.h"
#include "doctor_facts.h"
#include "error.h"
#include "file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MAX_MOUNTS = 16 * 1024 * 1024, MAX_FLAG = 64 };

/* What a VM can write whose image fills its SIZE already: enough to start, and to be tidied. */
#define ROOM_LEAST (G_GINT64_CONSTANT(16) << 20)

struct RootSize {
    const Config *config;
    const VmSpec *spec;
    GThread *thread;
    /* The thread's, until it is joined: */
    gchar *driver; /* the storage's name */
    gchar *folder; /* the engine's */
    gchar *why;    /* it cannot hold a root to a size */
};

gint64 root_size_limit(const char *driver, gint64 wanted, gint64 image)
{
    gint64 room = MAX(wanted - image, ROOM_LEAST);
    return strcmp(driver, "btrfs") == 0 ? image + room : room;
}

static gpointer ask_thread(gpointer data)
{
    RootSize *size = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Engine) engine = engine_open(size->config, &error);
    g_autoptr(json_t) info = engine ? engine_info(engine, &error) : NULL;
    g_autofree gchar *mounts = file_read("/proc/self/mountinfo", MAX_MOUNTS, NULL, NULL);
    g_autofree gchar *backing = NULL;
    const char *folder = json_string_value(json_object_get(info, "DockerRootDir"));
    size->folder = g_strdup(folder ? folder : "");
    if (!info)
        size->why = g_strdup_printf("the engine does not tell its storage: %s", error->message);
    else if (!doctor_storage_holds(info, mounts, &size->driver, &backing))
        size->why = g_strdup_printf("the engine's storage (%s on %s) cannot hold a root to a size",
                                    *size->driver ? size->driver : "an unknown driver",
                                    *backing ? backing : "an unknown file system");
    return NULL;
}

RootSize *root_size_ask(const Config *config, const VmSpec *spec)
{
    if (spec->root_size == 0)
        return NULL;
    RootSize *size = g_new0(RootSize, 1);
    size->config = config;
    size->spec = spec;
    size->thread = g_thread_new("storage", ask_thread, size);
    return size;
}

static void join(RootSize *size)
{
    if (size->thread)
        g_thread_join(g_steal_pointer(&size->thread));
}

void root_size_free(RootSize *size)
{
    if (!size)
        return;
    join(size);
    g_free(size->driver);
    g_free(size->folder);
    g_free(size->why);
    g_free(size);
}

/* ---- btrfs that has lost count ---- */

static gchar *kept_path(const Config *config)
{
    return g_build_filename(config->run_dir, "monitor", "btrfs", NULL);
}

void root_size_keep(const Config *config, const char *driver, const char *folder)
{
    if (strcmp(driver, "btrfs") != 0 || *folder != '/')
        return;
    g_autofree gchar *path = kept_path(config);
    g_autofree gchar *parent = g_path_get_dirname(path);
    g_autofree gchar *last = file_read(path, PATH_MAX, NULL, NULL);
    g_autoptr(GError) error = NULL;
    if (g_strcmp0(last, folder) != 0 &&
        (!file_make_folder(parent, 0700, &error) || !file_replace(path, folder, -1, 0600, &error)))
        log_warn("SIZE of disk 0 may be held late: %s", error->message);
}

/* What the kernel says of the file system that FD is on. */
static gboolean has_lost_count(int fd)
{
    struct btrfs_ioctl_fs_info_args info = {0};
    if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
        return FALSE;
    g_autoptr(GString) path = g_string_new("/sys/fs/btrfs/");
    for (gsize i = 0; i < BTRFS_FSID_SIZE; i++)
        g_string_append_printf(path, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               info.fsid[i]);
    g_string_append(path, "/qgroups/inconsistent");
    g_autofree gchar *flag = file_read(path->str, MAX_FLAG, NULL, NULL);
    return flag && *flag == '1';
}

void root_size_recount(const Config *config)
{
    g_autofree gchar *path = kept_path(config);
    g_autofree gchar *folder = file_read(path, PATH_MAX, NULL, NULL);
    autofd int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct btrfs_ioctl_quota_rescan_args begin = {0};
    if (fd >= 0 && has_lost_count(fd) && ioctl(fd, BTRFS_IOC_QUOTA_RESCAN, &begin) < 0 &&
        errno != EINPROGRESS)
        log_warn("SIZE of disk 0 is not held: btrfs cannot count what is in %s: %s", folder,
                 g_strerror(errno));
}

/* ---- creating a container ---- */

static void tell(const RootSize *size, const char *why)
{
    log_warn("VM %s: SIZE of disk 0 (%" G_GINT64_FORMAT " MB) is not honoured: %s",
             size->spec->deploy_id, size->spec->root_size >> 20, why);
}

/* The limit for a container of IMAGE, 0 when there can be none, which is told. */
static gint64 find_limit(RootSize *size, Engine *engine, const char *image)
{
    join(size);
    if (size->why) {
        tell(size, size->why);
        return 0;
    }
    gint64 bytes = 0, wanted = size->spec->root_size;
    g_autoptr(GError) error = NULL;
    if (!engine_image_size(engine, image, &bytes, &error)) {
        tell(size, error->message);
        return 0;
    }
    if (wanted - bytes < ROOM_LEAST)
        log_warn("VM %s: SIZE of disk 0 (%" G_GINT64_FORMAT " MB) is all but filled by its image "
                 "(%" G_GINT64_FORMAT " MB): %" G_GINT64_FORMAT " MB can be written",
                 size->spec->deploy_id, wanted >> 20, bytes >> 20, ROOM_LEAST >> 20);
    return root_size_limit(size->driver, wanted, bytes);
}

gchar *root_size_create(RootSize *size, Engine *engine, const char *name, const char *image,
                        json_t *body, GError **error)
{
    gint64 limit = size ? find_limit(size, engine, image) : 0;
    if (limit == 0)
        return engine_create(engine, name, body, error);
    json_t *host = json_object_get(body, "HostConfig");
    g_autofree gchar *bytes = g_strdup_printf("%" G_GINT64_FORMAT, limit);
    json_object_set_new(host, "StorageOpt", json_pack("{s:s}", "size", bytes));
    g_autoptr(GError) refusal = NULL;
    gchar *id = engine_create(engine, name, body, &refusal);
    if (id) {
        root_size_keep(size->config, size->driver, size->folder);
        root_size_recount(size->config);
        return id;
    }
    if (!vmdock_error_is(refusal, VMDOCK_ERROR_ENGINE_REFUSED) &&
        !vmdock_error_is(refusal, VMDOCK_ERROR_NO_SPACE)) {
        g_propagate_error(error, g_steal_pointer(&refusal));
        return NULL;
    }
    json_object_del(host, "StorageOpt");
    id = engine_create(engine, name, body, error);
    if (id)
        tell(size, refusal->message);
    return id;
}

// SPDX-License-Identifier: Apache-2.0
#include "volume_private.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "share_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

enum { MAX_MOUNTINFO = 16 * 1024 * 1024, MAX_HOLDERS = 3 };

/* ---- on the host ---- */

/*
 * What a file system needs beside its name. Copies of an image share one UUID, which XFS would not
 * have twice; and what cannot be written cannot have its journal replayed.
 */
static const char *mount_data(const char *fs, gboolean read_only, gboolean again)
{
    if (strcmp(fs, "xfs") == 0)
        return again ? "nouuid,norecovery" : "nouuid";
    gboolean journal = strcmp(fs, "ext4") == 0 || strcmp(fs, "ext3") == 0;
    return again && journal && read_only ? "noload" : NULL;
}

static gboolean mount_fs(const char *device, const char *fs, gboolean read_only, const char *place,
                         GError **error)
{
    unsigned long flags = MS_NODEV | MS_NOSUID | (read_only ? MS_RDONLY : 0);
    if (mount(device, place, fs, flags, mount_data(fs, read_only, FALSE)) == 0 ||
        (errno == EROFS && read_only &&
         mount(device, place, fs, flags, mount_data(fs, read_only, TRUE)) == 0))
        return TRUE;
    if (errno == ENODEV)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                    "the kernel of this host cannot mount %s", fs);
    else
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot mount its %s", fs);
    return FALSE;
}

/* Nobody but root gets at foreign files by way of the host. */
gboolean volume_make_place(const Config *config, const char *place, GError **error)
{
    g_autofree gchar *root = g_build_filename(config->run_dir, "disk", NULL);
    g_autofree gchar *folder = g_path_get_dirname(place);
    return file_make_folder(root, 0700, error) && share_folder(root, VMDOCK_ERROR_IO, error) &&
           file_make_folder(folder, 0700, error) && file_make_folder(place, 0700, error);
}

gboolean volume_mount(const char *device, const char *fs, gboolean read_only, const char *place,
                      GError **error)
{
    if (!mount_fs(device, fs, read_only, place, error))
        return FALSE;
    /* What is made of it in a container is a mount of its own. */
    if (mount(NULL, place, NULL, MS_PRIVATE, NULL) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make %s a private mount", place);
    volume_unmount(place, NULL);
    return FALSE;
}

gboolean volume_unmount(const char *place, GError **error)
{
    /* Somebody who looks at it on the host does not hold it up: the last user frees the device. */
    while (umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        continue;
    if (errno != EINVAL && errno != ENOENT) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot unmount %s", place);
        return FALSE;
    }
    if (rmdir(place) == 0 || errno == ENOENT)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", place);
    return FALSE;
}

/* ---- what is mounted where ---- */

/* "\040" -> " " */
static gchar *unescape(const char *text)
{
    GString *plain = g_string_new(NULL);
    for (const char *p = text; *p; p++) {
        if (*p == '\\' && strspn(p + 1, "01234567") >= 3) {
            g_string_append_c(plain, (gchar)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0')));
            p += 3;
        } else {
            g_string_append_c(plain, *p);
        }
    }
    return g_string_free(plain, FALSE);
}

/* "36 35 7:3 / /mnt/data rw,nodev - ext4 /dev/loop3 rw" */
GPtrArray *volume_mountinfo_parse(const char *text, dev_t device)
{
    g_autofree gchar *number = g_strdup_printf("%u:%u", major(device), minor(device));
    GPtrArray *places = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, " ", 6);
        if (g_strv_length(fields) == 6 && strcmp(fields[2], number) == 0)
            g_ptr_array_add(places, unescape(fields[4]));
    }
    return places;
}

GPtrArray *volume_mounted_at(gint pid, dev_t device, GError **error)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/mountinfo", pid);
    g_autofree gchar *text = file_read(path, MAX_MOUNTINFO, NULL, error);
    return text ? volume_mountinfo_parse(text, device) : NULL;
}

/* ---- in a container ---- */

/* What a thread does in the mount namespace of a container. */
typedef struct {
    int namespace;
    gboolean (*work)(gpointer data, GError **error);
    gpointer data;
    GError *error;
} Visit;

/* Ends in the container's namespace: nothing else ever runs in this thread. */
static gpointer visit_thread(gpointer data)
{
    Visit *visit = data;
    /* Threads share root and current folder, and only one that does not may change its mounts. */
    if (unshare(CLONE_FS) != 0 || setns(visit->namespace, CLONE_NEWNS) != 0)
        vmdock_error_errno(&visit->error, VMDOCK_ERROR_IO, errno,
                           "cannot enter the container's mount namespace");
    else
        visit->work(visit->data, &visit->error);
    return NULL;
}

/* The process PID by /proc, when it is the VM's: numbers of processes are used again. */
static int open_process(const Config *config, const char *deploy_id, gint pid, GError **error)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d", pid);
    g_autofree gchar *sandbox = g_build_filename(config->netns_dir, deploy_id, NULL);
    autofd int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat theirs, own;
    if (process < 0 || fstatat(process, "ns/net", &theirs, 0) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_STATE, errno, "the container's process %d", pid);
        return -1;
    }
    if (stat(sandbox, &own) == 0 && own.st_ino == theirs.st_ino && own.st_dev == theirs.st_dev)
        return steal_fd(&process);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                "the container's process %d is not in the VM's sandbox %s", pid, sandbox);
    return -1;
}

static gboolean visit(int process, gboolean (*work)(gpointer data, GError **error), gpointer data,
                      GError **error)
{
    autofd int namespace = openat(process, "ns/mnt", O_RDONLY | O_CLOEXEC);
    struct stat theirs, own;
    if (namespace < 0 || fstat(namespace, &theirs) < 0 || stat("/proc/self/ns/mnt", &own) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_STATE, errno, "the container's mount namespace");
        return FALSE;
    }
    if (theirs.st_ino == own.st_ino && theirs.st_dev == own.st_dev) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "the container is in the host's own mount namespace");
        return FALSE;
    }
    Visit guest = {namespace, work, data, NULL};
    g_thread_join(g_thread_new("mounts", visit_thread, &guest));
    if (!guest.error)
        return TRUE;
    g_propagate_error(error, guest.error);
    return FALSE;
}

static int open_in(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return file_open_within(root, path, &how);
}

/* Opens the folder PATH of the container, with those of its parts made that are missing. */
static int open_mount_point(int root, const char *path, GError **error)
{
    g_autofree gchar *part = g_strdup(path);
    autofd int parent = dup(root);
    for (char *name = part + 1; name;) {
        char *slash = strchr(name, '/');
        if (slash)
            *slash = '\0';
        int next = open_in(root, part);
        if (next < 0 && errno == ENOENT && (mkdirat(parent, name, 0755) == 0 || errno == EEXIST))
            next = open_in(root, part);
        if (next < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "the container's folder %s", part);
            return -1;
        }
        autofd_close(&parent);
        parent = next;
        if (slash)
            *slash = '/';
        name = slash ? slash + 1 : NULL;
    }
    return steal_fd(&parent);
}

typedef struct {
    int tree;
    const char *mount_point;
} Plug;

static gboolean plug(gpointer data, GError **error)
{
    const Plug *it = data;
    autofd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd int place = root < 0 ? -1 : open_mount_point(root, it->mount_point, error);
    if (place < 0)
        return FALSE;
    if (move_mount(it->tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot mount it on %s of the container",
                       it->mount_point);
    return FALSE;
}

gboolean volume_plug(const Config *config, const char *deploy_id, const char *place, gint pid,
                     const char *mount_point, GError **error)
{
    autofd int process = open_process(config, deploy_id, pid, error);
    if (process < 0)
        return FALSE;
    autofd int tree = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_UNSUPPORTED, errno, "cannot take the mount of %s",
                           place);
        return FALSE;
    }
    Plug data = {tree, mount_point};
    return visit(process, plug, &data, error);
}

/* ---- what is mounted in a container, opened ---- */

typedef struct {
    const GPtrArray *places;
    dev_t device;
    int fd;
} Find;

/* What is mounted later may cover what was before, and the VM may change its folders meanwhile. */
static gboolean find(gpointer data, GError **error)
{
    Find *it = data;
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    autofd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (guint i = it->places->len; root >= 0 && i-- > 0;) {
        const char *place = g_ptr_array_index(it->places, i);
        autofd int fd = file_open_within(root, place, &how);
        struct stat status;
        if (fd < 0 || fstat(fd, &status) < 0 || status.st_dev != it->device)
            continue;
        it->fd = steal_fd(&fd);
        return TRUE;
    }
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                "the VM does not have it mounted, or something covers it");
    return FALSE;
}

int volume_open_mounted(const Config *config, const char *deploy_id, dev_t device, gint pid,
                        GError **error)
{
    autofd int process = open_process(config, deploy_id, pid, error);
    g_autoptr(GPtrArray) places = process < 0 ? NULL : volume_mounted_at(pid, device, error);
    Find data = {places, device, -1};
    if (!places || !visit(process, find, &data, error))
        return -1;
    return data.fd;
}

typedef struct {
    const GPtrArray *places;
} Unplug;

static gboolean write_back(const char *place, GError **error)
{
    autofd int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && syncfs(fd) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write back %s of the container",
                       place);
    return FALSE;
}

static gboolean unplug(gpointer data, GError **error)
{
    const Unplug *it = data;
    for (guint i = it->places->len; i-- > 0;) {
        const char *place = g_ptr_array_index(it->places, i);
        if (!write_back(place, error))
            return FALSE;
        if (umount2(place, UMOUNT_NOFOLLOW) == 0)
            continue;
        vmdock_error_errno(error, errno == EBUSY ? VMDOCK_ERROR_STATE : VMDOCK_ERROR_IO, errno,
                           "cannot unmount %s of the container", place);
        return FALSE;
    }
    return TRUE;
}

/* ---- who holds a device ---- */

static gboolean lies_on(int folder, const char *name, dev_t device)
{
    struct stat status;
    return fstatat(folder, name, &status, 0) == 0 && status.st_dev == device;
}

static gboolean has_file_on(int process, dev_t device)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = fd < 0 ? NULL : fdopendir(fd);
    gboolean found = FALSE;
    for (const struct dirent *file; files && !found && (file = readdir(files));)
        found = isdigit((unsigned char)*file->d_name) && lies_on(fd, file->d_name, device);
    if (files)
        closedir(files);
    return found;
}

/* Mapped files stand with their device in hexadecimal: "… 07:03 12 /mnt/data/lib.so" */
static gboolean has_mapped(const char *pid, dev_t device)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%s/maps", pid);
    g_autofree gchar *text = file_read(path, MAX_MOUNTINFO, NULL, NULL);
    g_autofree gchar *number = g_strdup_printf(" %02x:%02x ", major(device), minor(device));
    return text && strstr(text, number);
}

static gchar *process_name(const char *pid)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%s/comm", pid);
    g_autofree gchar *name = file_read(path, 256, NULL, NULL);
    g_autofree gchar *shown = vmdock_one_line(name ? g_strchomp(name) : "a process", 32);
    return g_strdup_printf("%s (process %s)", shown, pid);
}

/* "nginx (process 812), sh (process 840)"; NULL when nobody is found. */
static gchar *holders(dev_t device)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    for (const char *pid;
         processes && names->len < MAX_HOLDERS && (pid = g_dir_read_name(processes));) {
        if (!isdigit((unsigned char)*pid))
            continue;
        g_autofree gchar *path = g_build_filename("/proc", pid, NULL);
        autofd int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process >= 0 && (lies_on(process, "cwd", device) || lies_on(process, "root", device) ||
                             has_file_on(process, device) || has_mapped(pid, device)))
            g_ptr_array_add(names, process_name(pid));
    }
    g_ptr_array_add(names, NULL);
    return names->len > 1 ? g_strjoinv(", ", (gchar **)names->pdata) : NULL;
}

gboolean volume_unplug(const Config *config, const char *deploy_id, dev_t device, gint pid,
                       GError **error)
{
    autofd int process = open_process(config, deploy_id, pid, error);
    if (process < 0)
        return FALSE;
    g_autoptr(GPtrArray) places = volume_mounted_at(pid, device, error);
    if (!places)
        return FALSE;
    Unplug data = {places};
    g_autoptr(GError) failure = NULL;
    if (visit(process, unplug, &data, &failure))
        return TRUE;
    g_autofree gchar *names = vmdock_error_is(failure, VMDOCK_ERROR_STATE) ? holders(device) : NULL;
    if (names)
        g_set_error(error, VMDOCK_ERROR, failure->code, "%s: it is in use by %s", failure->message,
                    names);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

// SPDX-License-Identifier: Apache-2.0
#include "stray.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"
#include "process.h"
#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHIM_NAME "containerd-shim"

enum {
    MAX_COMMAND = 65536,
    CLEAR_MS = 6000, /* containerd gives up after five seconds */
    ROUNDS = 100,
    PAUSE_US = 10 * 1000,
    SHORT_ID = 12,
};

/* NULL for what is no id: it becomes a file's name. */
static gchar *mark_path(const Config *config, const char *container_id, GError **error)
{
    return sandbox_map_check_id(container_id, error)
               ? g_build_filename(config->run_dir, STRAY_FOLDER, container_id, NULL)
               : NULL;
}

gboolean stray_start_begins(const Config *config, const char *container_id, GError **error)
{
    g_autofree gchar *path = mark_path(config, container_id, error);
    g_autofree gchar *folder = g_build_filename(config->run_dir, STRAY_FOLDER, NULL);
    return path && file_make_folder(folder, 0700, error) && file_mark(path, error);
}

gboolean stray_start_ended(const Config *config, const char *container_id, GError **error)
{
    g_autofree gchar *path = mark_path(config, container_id, error);
    return path && file_remove(path, error);
}

gboolean stray_suspected(const Config *config, const char *container_id)
{
    g_autofree gchar *path = mark_path(config, container_id, NULL);
    return path && g_file_test(path, G_FILE_TEST_EXISTS);
}

/* ---- the shim ---- */

/* A guest can give its processes any name, but has a PID namespace of its own. */
static gboolean is_of_the_host(gint pid)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/ns/pid", pid);
    g_autofree gchar *theirs = g_file_read_link(path, NULL);
    g_autofree gchar *ours = g_file_read_link("/proc/self/ns/pid", NULL);
    return theirs && g_strcmp0(theirs, ours) == 0;
}

/* "/usr/bin/containerd-shim-runc-v2 -namespace moby -id <container id> -address …" */
static gboolean is_shim(gint pid, const char *container_id)
{
    gsize length = 0;
    g_autofree gchar *path = g_strdup_printf("/proc/%d/cmdline", pid);
    g_autofree gchar *command = file_read(path, MAX_COMMAND, &length, NULL);
    if (!command || length == 0)
        return FALSE;
    g_autofree gchar *program = g_path_get_basename(command);
    if (!g_str_has_prefix(program, SHIM_NAME) || !is_of_the_host(pid))
        return FALSE;
    const char *last = command;
    for (const char *word = command; word < command + length; word += strlen(word) + 1) {
        if (g_str_equal(last, "-id") && g_str_equal(word, container_id))
            return TRUE;
        last = word;
    }
    return FALSE;
}

/* 0 if there is none. */
static gint find_shim(const char *container_id)
{
    g_autoptr(GDir) folder = g_dir_open("/proc", 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        gint pid = (gint)g_ascii_strtoll(name, NULL, 10);
        if (pid > 0 && is_shim(pid, container_id))
            return pid;
    }
    return 0;
}

/* It is looked at once more when its number cannot become another process's any more. */
static gboolean kill_shim(gint pid, const char *container_id, GError **error)
{
    autofd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || !is_shim(pid, container_id) ||
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0 || errno == ESRCH)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, errno, "cannot end process %d", pid);
    return FALSE;
}

/*
 * What containerd leaves when it cannot clear away after a shim that died before it had written all
 * of its own files. Nothing below is touched: the container's root may be mounted there.
 */
static gboolean drop_folder(const char *path, GError **error)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        g_autofree gchar *child = g_build_filename(path, name, NULL);
        if (unlink(child) < 0 && errno == EISDIR)
            rmdir(child);
    }
    if (rmdir(path) == 0 || errno == ENOENT)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno,
                       "containerd does not let go of a container that the engine has lost: "
                       "cannot remove %s",
                       path);
    return FALSE;
}

/* containerd hears of the shim's end, has the runtime delete the container, and last removes the
 * folder that the shim stood in. */
static gboolean clear_folder(const char *path, GError **error)
{
    gint64 until = g_get_monotonic_time() + CLEAR_MS * (gint64)G_TIME_SPAN_MILLISECOND;
    while (g_file_test(path, G_FILE_TEST_EXISTS) && g_get_monotonic_time() < until) {
        if (!interrupt_check(error))
            return FALSE;
        g_usleep(PAUSE_US);
    }
    return drop_folder(path, error);
}

static gboolean end_shim(const char *container_id, GError **error)
{
    gint shim = find_shim(container_id);
    if (shim == 0)
        return TRUE;
    log_info("the engine has lost the container %.*s: what containerd has of it is ended", SHORT_ID,
             container_id);
    g_autofree gchar *link = g_strdup_printf("/proc/%d/cwd", shim);
    g_autofree gchar *folder = g_file_read_link(link, NULL);
    return kill_shim(shim, container_id, error) &&
           (!folder || !g_str_has_suffix(folder, container_id) || clear_folder(folder, error));
}

/* ---- what it leaves ---- */

/* Folders alone can be removed from a cgroup file system. The kernel needs a moment for what has
 * just ended. */
static gboolean remove_cgroup(const char *path, GError **error)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    if (!folder)
        return TRUE;
    for (const char *name; (name = g_dir_read_name(folder));) {
        g_autofree gchar *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR) && !remove_cgroup(child, error))
            return FALSE;
    }
    for (guint i = 0; i < ROUNDS; i++) {
        if (rmdir(path) == 0 || errno == ENOENT)
            return TRUE;
        g_usleep(PAUSE_US);
    }
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove the cgroup %s", path);
    return FALSE;
}

/* Of each controller's hierarchy (v1), or the one (v2). A scope of systemd's goes by itself. */
static gboolean remove_cgroups(const Config *config, const char *container_id, GError **error)
{
    const char *root = config->cgroup_root;
    g_autofree gchar *only = g_build_filename(root, config->cgroup_parent, container_id, NULL);
    if (g_str_has_suffix(config->cgroup_parent, ".slice"))
        return TRUE;
    if (!remove_cgroup(only, error))
        return FALSE;
    g_autoptr(GDir) hierarchies = g_dir_open(root, 0, NULL);
    for (const char *name; hierarchies && (name = g_dir_read_name(hierarchies));) {
        g_autofree gchar *path =
            g_build_filename(root, name, config->cgroup_parent, container_id, NULL);
        if (!remove_cgroup(path, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean forget_runtime(const Config *config, const char *container_id, GError **error)
{
    g_autofree gchar *path = g_build_filename(config->run_dir, "runtime", container_id, NULL);
    return file_remove(path, error);
}

gboolean stray_end(const Config *config, const char *container_id, GError **error)
{
    return !stray_suspected(config, container_id) ||
           (end_shim(container_id, error) && process_kill_all(container_id, error) &&
            remove_cgroups(config, container_id, error) &&
            forget_runtime(config, container_id, error) &&
            stray_start_ended(config, container_id, error));
}

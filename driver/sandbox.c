// SPDX-License-Identifier: Apache-2.0
#include "sandbox.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "share_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char own_namespace[] = "/proc/thread-self/ns/net";

static gchar *sandbox_path(const Config *config, const char *deploy_id, GError **error)
{
    if (vm_id_valid(deploy_id))
        return g_build_filename(config->netns_dir, deploy_id, NULL);
    g_autofree gchar *text = vmdock_one_line(deploy_id, VM_ID_MAX);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX, "\"%s\" is no deploy id", text);
    return NULL;
}

/*
 * Runs FUNC with the calling thread in the namespace FD, -1: in a new one. A thread of its own
 * would cost a turn of the scheduler on a busy host, some 4 ms. There is no going on from a failed
 * return: what is meant for the host would be done to the VM.
 */
static gboolean visit(int fd, SandboxFunc func, gpointer data, GError **error)
{
    autofd int home = open(own_namespace, O_RDONLY | O_CLOEXEC);
    if (home < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot open %s", own_namespace);
        return FALSE;
    }
    if ((fd < 0 ? unshare(CLONE_NEWNET) : setns(fd, CLONE_NEWNET)) != 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot %s",
                           fd < 0 ? "make a network namespace" : "enter the network namespace");
        return FALSE;
    }
    gboolean done = func(data, error);
    if (setns(home, CLONE_NEWNET) != 0)
        g_error("cannot return to the host's network namespace: %s", g_strerror(errno));
    return done;
}

gboolean sandbox_run(const Sandbox *sandbox, SandboxFunc func, gpointer data, GError **error)
{
    return visit(sandbox->fd, func, data, error);
}

static gboolean set_sysctls(gpointer data, GError **error)
{
    for (const Sysctl *setting = data; setting->name; setting++)
        if (!sysctl_set(setting, error))
            return FALSE;
    return TRUE;
}

gboolean sandbox_sysctls(const Sandbox *sandbox, const Sysctl *settings, GError **error)
{
    return sandbox_run(sandbox, set_sysctls, (gpointer)settings, error);
}

/*
 * The namespace behind PATH. *found is FALSE when there is nothing of that name or it is no network
 * namespace.
 */
static int open_namespace(const char *path, gboolean *found, GError **error)
{
    *found = FALSE;
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT && errno != ELOOP && errno != ENXIO)
            vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot open %s", path);
        return -1;
    }
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
        return -1;
    struct stat there, own;
    if (fstat(fd, &there) == 0 && stat(own_namespace, &own) == 0 && there.st_ino == own.st_ino &&
        there.st_dev == own.st_dev) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX,
                    "%s is the host's own network namespace", path);
        return -1;
    }
    *found = TRUE;
    return steal_fd(&fd);
}

static Sandbox *sandbox_new(const char *deploy_id, const char *path, int fd, Netlink *netlink)
{
    Sandbox *sandbox = g_new0(Sandbox, 1);
    sandbox->deploy_id = g_strdup(deploy_id);
    sandbox->path = g_strdup(path);
    sandbox->fd = fd;
    sandbox->netlink = netlink;
    return sandbox;
}

static gboolean open_socket(gpointer data, GError **error)
{
    Netlink **netlink = data;
    *netlink = netlink_open(error);
    return *netlink != NULL;
}

Sandbox *sandbox_open(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = sandbox_path(config, deploy_id, error);
    if (!path)
        return NULL;
    gboolean found = FALSE;
    autofd int fd = open_namespace(path, &found, error);
    if (!found)
        return NULL;
    Netlink *netlink = NULL;
    if (!visit(fd, open_socket, &netlink, error)) {
        g_prefix_error(error, "the sandbox %s: ", path);
        return NULL;
    }
    return sandbox_new(deploy_id, path, steal_fd(&fd), netlink);
}

void sandbox_free(Sandbox *sandbox)
{
    if (!sandbox)
        return;
    g_free(sandbox->deploy_id);
    g_free(sandbox->path);
    autofd_close(&sandbox->fd);
    netlink_free(sandbox->netlink);
    g_free(sandbox);
}

static gboolean unmount_all(const char *path, GError **error)
{
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        continue;
    if (errno == EINVAL || errno == ENOENT)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot unmount %s", path);
    return FALSE;
}

/* Whatever has the name: mounts over it, a file, an empty folder, a symbolic link. */
static gboolean clear_name(const char *path, GError **error)
{
    if (!unmount_all(path, error))
        return FALSE;
    if (unlink(path) == 0 || errno == ENOENT || (errno == EISDIR && rmdir(path) == 0))
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot remove %s", path);
    return FALSE;
}

/* A namespace in the making. */
typedef struct {
    const char *path;
    Netlink *netlink;
    int fd;
} Birth;

static gboolean configure(Netlink *netlink, GError **error)
{
    /* Said outright, for a host may hand down other values: net.core.devconf_inherit_init_net. */
    static const Sysctl settings[] = {
        {"net/ipv6/conf/all/disable_ipv6", "0"},
        {"net/ipv6/conf/default/disable_ipv6", "0"},
        {"net/ipv6/conf/lo/disable_ipv6", "0"},
        {"net/ipv6/conf/all/accept_dad", "0"},
        {NULL, NULL},
    };
    NetlinkLink lo = {0};
    gboolean found = FALSE;
    return set_sysctls((gpointer)settings, error) &&
           netlink_link_get(netlink, "lo", &lo, &found, error) &&
           netlink_link_up(netlink, lo.index, error);
}

static gboolean give_name(const char *path, const char *namespace, GError **error)
{
    autofd int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    if (file < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot make %s", path);
        return FALSE;
    }
    if (mount(namespace, path, "none", MS_BIND, NULL) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot mount the namespace on %s",
                       path);
    unlink(path);
    return FALSE;
}

/* Runs in the new namespace. The name comes last: what has a name is complete. */
static gboolean give_birth(gpointer data, GError **error)
{
    Birth *birth = data;
    birth->netlink = netlink_open(error);
    if (!birth->netlink || !configure(birth->netlink, error))
        return FALSE;
    birth->fd = open(own_namespace, O_RDONLY | O_CLOEXEC);
    if (birth->fd >= 0)
        return give_name(birth->path, own_namespace, error);
    vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot open %s", own_namespace);
    return FALSE;
}

static Sandbox *sandbox_make(const Config *config, const char *deploy_id, const char *path,
                             GError **error)
{
    if (!file_make_folder(config->netns_dir, 0755, error) ||
        !share_folder(config->netns_dir, VMDOCK_ERROR_SANDBOX, error) || !clear_name(path, error))
        return NULL;
    Birth birth = {.path = path, .fd = -1};
    if (visit(-1, give_birth, &birth, error)) {
        Sandbox *sandbox = sandbox_new(deploy_id, path, birth.fd, birth.netlink);
        sandbox->created = TRUE;
        return sandbox;
    }
    netlink_free(birth.netlink);
    autofd_close(&birth.fd);
    return NULL;
}

Sandbox *sandbox_ensure(const Config *config, const char *deploy_id, GError **error)
{
    GError *failure = NULL;
    Sandbox *sandbox = sandbox_open(config, deploy_id, &failure);
    if (sandbox)
        return sandbox;
    g_autofree gchar *path = failure ? NULL : sandbox_path(config, deploy_id, &failure);
    if (path)
        sandbox = sandbox_make(config, deploy_id, path, &failure);
    if (failure)
        g_propagate_prefixed_error(error, failure, "cannot make the sandbox of the VM: ");
    return sandbox;
}

static gboolean same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

gboolean sandbox_holds(const Sandbox *sandbox, gint pid)
{
    g_autofree gchar *namespace = g_strdup_printf("/proc/%d/ns/net", pid);
    struct stat theirs, named;
    return stat(namespace, &theirs) < 0 ||
           (stat(sandbox->path, &named) == 0 && same_file(&named, &theirs));
}

gboolean sandbox_adopt(const Config *config, const char *deploy_id, gint pid, GError **error)
{
    g_autofree gchar *path = sandbox_path(config, deploy_id, error);
    if (!path)
        return FALSE;
    g_autofree gchar *namespace = g_strdup_printf("/proc/%d/ns/net", pid);
    struct stat theirs, own, named;
    if (stat(namespace, &theirs) < 0 || stat(own_namespace, &own) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_SANDBOX, errno, "cannot look at %s", namespace);
        return FALSE;
    }
    if (stat(path, &named) == 0 && same_file(&named, &theirs))
        return TRUE;
    if (same_file(&theirs, &own)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX,
                    "the container's process %d is in the host's own network namespace", pid);
        return FALSE;
    }
    log_warn("VM %s: its sandbox had lost its name; it has it again", deploy_id);
    return file_make_folder(config->netns_dir, 0755, error) &&
           share_folder(config->netns_dir, VMDOCK_ERROR_SANDBOX, error) &&
           clear_name(path, error) && give_name(path, namespace, error);
}

gboolean sandbox_remove(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = sandbox_path(config, deploy_id, error);
    return path && clear_name(path, error);
}

GPtrArray *sandbox_list(const Config *config, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) failure = NULL;
    g_autoptr(GDir) folder = g_dir_open(config->netns_dir, 0, &failure);
    if (!folder && !g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        vmdock_error_adopt(error, VMDOCK_ERROR_IO);
        return NULL;
    }
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (vm_id_valid(name))
            g_ptr_array_add(names, g_strdup(name));
    return g_steal_pointer(&names);
}

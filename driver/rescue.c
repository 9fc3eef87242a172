// SPDX-License-Identifier: Apache-2.0
#include "rescue.h"

#include "autoptr.h"
#include "engine_body.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { MAX_LOWER = 65536 };

#define RESCUE_TAIL "-rescue"

gchar *rescue_id(const char *deploy_id)
{
    return g_strconcat(deploy_id, RESCUE_TAIL, NULL);
}

gboolean rescue_is_on(const Config *config, const char *deploy_id)
{
    g_autofree gchar *id = rescue_id(deploy_id);
    g_autofree gchar *folder = g_build_filename(config->state_dir, id, NULL);
    return g_file_test(folder, G_FILE_TEST_IS_DIR);
}

gboolean rescue_has_left(const Config *config, const char *deploy_id)
{
    g_autofree gchar *files = rescue_mount(config, deploy_id);
    return rescue_is_on(config, deploy_id) || g_file_test(files, G_FILE_TEST_IS_DIR);
}

/* ---- the files --------------------------------------------------------------------------------*/

/* The layers' names in "lower" are below the folder of all layers, and short: an option of a mount
 * has one page for all of them. */
typedef struct {
    gchar *layers; /* the folder of all layers */
    gchar *options;
    const char *target;
    int err;
} Overlay;

static void overlay_clear(Overlay *overlay)
{
    g_free(overlay->layers);
    g_free(overlay->options);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Overlay, overlay_clear)

static gboolean describe(Overlay *overlay, const EngineContainer *container, GError **error)
{
    if (!container->layer || !g_str_has_suffix(container->layer, "/diff")) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                            "the engine's storage driver keeps no layers that could be mounted");
        return FALSE;
    }
    g_autofree gchar *own = g_path_get_dirname(container->layer);
    g_autofree gchar *name = g_path_get_basename(own);
    g_autofree gchar *path = g_build_filename(own, "lower", NULL);
    g_autofree gchar *lower = file_read(path, MAX_LOWER, NULL, error);
    if (!lower)
        return FALSE;
    overlay->layers = g_path_get_dirname(own);
    overlay->options = g_strdup_printf("lowerdir=%s,upperdir=%s/diff,workdir=%s/work",
                                       g_strchomp(lower), name, name);
    return TRUE;
}

/* In a thread with a working folder of its own. */
static gpointer mount_thread(gpointer data)
{
    Overlay *overlay = data;
    if (unshare(CLONE_FS) < 0 || chdir(overlay->layers) < 0 ||
        mount("overlay", overlay->target, "overlay", MS_NODEV, overlay->options) < 0)
        overlay->err = errno;
    return NULL;
}

static gboolean unmount(const char *target, GError **error)
{
    if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot unmount %s", target);
        return FALSE;
    }
    return rmdir(target) == 0 || errno == ENOENT ||
           (vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", target), FALSE);
}

static gboolean mount_files(const EngineContainer *container, const char *target, GError **error)
{
    g_auto(Overlay) overlay = {.target = target};
    if (!describe(&overlay, container, error) || !unmount(target, error) ||
        !file_make_folder(target, 0700, error))
        return FALSE;
    g_thread_join(g_thread_new("mount", mount_thread, &overlay));
    if (overlay.err == 0)
        return interrupt_check(error);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, overlay.err, "cannot mount the files of %s",
                       container->name);
    unmount(target, NULL);
    return FALSE;
}

/* ---- the VM -----------------------------------------------------------------------------------*/

static EngineContainer *stopped_container(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container || !host_runs(container))
        return g_steal_pointer(&container);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "VM %s: it runs: stop it first",
                deploy_id);
    return NULL;
}

static gboolean clear(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *id = rescue_id(deploy_id);
    g_autofree gchar *target = rescue_mount(host->config, deploy_id);
    return vm_purge(host, id, error) && unmount(target, error);
}

gboolean vm_rescue(Host *host, const char *deploy_id, VmSpec *spec, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    g_autoptr(EngineContainer) container = lock ? stopped_container(host, deploy_id, error) : NULL;
    if (!container)
        return FALSE;
    g_autofree gchar *target = rescue_mount(host->config, deploy_id);
    if (mount_files(container, target, error) && vm_deploy(host, spec, NULL, error))
        return TRUE;
    g_autoptr(GError) trouble = NULL;
    interrupt_hold();
    if (!clear(host, deploy_id, &trouble))
        log_warn("VM %s: what should have rescued it is left: %s", deploy_id, trouble->message);
    interrupt_allow();
    return FALSE;
}

gboolean vm_unrescue(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && clear(host, deploy_id, error);
}

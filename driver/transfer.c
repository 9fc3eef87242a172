// SPDX-License-Identifier: Apache-2.0
/* Disk 0 comes to the host, and goes into a datastore. */
#include "transfer_private.h"

#include "autoptr.h"
#include "credentials.h"
#include "disk.h"
#include "error.h"
#include "file.h"
#include "image_archive.h"
#include "image_ref.h"
#include "interrupt.h"
#include "log.h"
#include "sandbox.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

gboolean transfer_locked(Host *host, const char *deploy_id, TransferWork work, gpointer data,
                         GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, work(host, deploy_id, data, error), error);
}

gchar *transfer_image(Host *host, const char *reference, const char *sentence, GError **error)
{
    GError *failure = NULL;
    gchar *id = engine_image_id(host->engine, reference, &failure);
    if (!id && !failure)
        g_set_error_literal(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE, sentence);
    if (failure)
        g_propagate_error(error, failure);
    return id;
}

gboolean transfer_tag(Host *host, const char *deploy_id, const char *image, const char *tag,
                      GError **error)
{
    if (disk_name_give(host, deploy_id, image, tag, error))
        return TRUE;
    g_prefix_error(error, "cannot hold the image: ");
    return FALSE;
}

void transfer_drop(Host *host, const char *deploy_id, const char *name)
{
    g_autoptr(GError) failure = NULL;
    interrupt_hold();
    if (!engine_untag(host->engine, name, &failure))
        log_warn("VM %s: the image's name %s stays: %s", deploy_id, name, failure->message);
    interrupt_allow();
}

void transfer_untag(Host *host, const char *deploy_id, const char *tag)
{
    g_autofree gchar *name = disk_name(deploy_id, tag);
    transfer_drop(host, deploy_id, name);
}

gboolean transfer_take(Host *host, const char *deploy_id, const char *tag, GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (container && !host_is_leftover(container)) {
        g_autofree gchar *repository = disk_repository(deploy_id);
        g_autofree gchar *made =
            engine_commit(host->engine, container->id, repository, tag, TRUE, error);
        return made != NULL;
    }
    g_autofree gchar *name = disk_root_name(deploy_id);
    g_autofree gchar *held = transfer_image(host, name, "no disk 0 of it is on this host", error);
    return held && transfer_tag(host, deploy_id, held, tag, error);
}

gboolean transfer_clear_container(Host *host, const char *deploy_id, GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!container)
        return TRUE;
    if (host_runs(container)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                            "it runs: its disk 0 cannot be replaced");
        return FALSE;
    }
    return host_remove_container(host, container->id, error);
}

/* ---- to the host ------------------------------------------------------------------------------*/

typedef struct {
    const char *source;
    TransferFetch fetch;
    TransferProgress progress;
    gchar *passing; /* a name that the image has for its way only */
} Hold;

static gboolean pull(Host *host, const char *deploy_id, const char *name, TransferProgress progress,
                     GError **error)
{
    log_info("VM %s: fetching image %s", deploy_id, name);
    gint64 began = g_get_monotonic_time();
    if (!engine_pull(host->engine, name, progress.func, progress.data, error))
        return FALSE;
    log_info("VM %s: fetched image %s in %.1f s", deploy_id, name,
             (double)(g_get_monotonic_time() - began) / G_TIME_SPAN_SECOND);
    return TRUE;
}

/* What is written to a persistent image goes back to where it came from: that must be possible. */
static gboolean check_writable(const Host *host, const ImageRef *ref, GError **error)
{
    GError *failure = NULL;
    g_autofree gchar *auth =
        credentials_header(host->config->engine_credentials, ref->registry, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!ref->digest && (auth || strcmp(ref->registry, "docker.io") != 0))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "it is persistent and %s: what the VM writes could not be put back; use an image "
                "of a datastore with REGISTRY, or of one that keeps archives",
                ref->digest ? "its SOURCE is fixed to a digest"
                            : "this host has no credentials for docker.io");
    return FALSE;
}

static gchar *fetch(Host *host, const char *deploy_id, const char *name, Hold *hold, GError **error)
{
    GError *failure = NULL;
    g_autofree gchar *id = engine_image_id(host->engine, name, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    if (id && hold->fetch == TRANSFER_CACHED)
        return g_steal_pointer(&id);
    if (!pull(host, deploy_id, name, hold->progress, error))
        return NULL;
    /* Kept, the name of an image that is written back would stand for what it was before. */
    if (hold->fetch == TRANSFER_ANEW || (hold->fetch == TRANSFER_IN_PLACE && !id))
        hold->passing = g_strdup(name);
    return transfer_image(host, name, "it was removed as soon as it was fetched", error);
}

static gchar *fetch_source(Host *host, const char *deploy_id, Hold *hold, GError **error)
{
    if (g_str_has_prefix(hold->source, "sha256:"))
        return transfer_image(host, hold->source, "it is not on this host", error);
    g_autoptr(ImageRef) ref = image_ref_parse(hold->source, error);
    if (!ref || (hold->fetch == TRANSFER_IN_PLACE && !check_writable(host, ref, error)))
        return NULL;
    g_autofree gchar *name = image_ref_name(ref);
    return fetch(host, deploy_id, name, hold, error);
}

static gboolean hold_locked(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    Hold *hold = data;
    g_autofree gchar *id = fetch_source(host, deploy_id, hold, error);
    if (!id) {
        g_prefix_error(error, "image %s: ", hold->source);
        return FALSE;
    }
    gboolean done = transfer_clear_container(host, deploy_id, error) &&
                    transfer_tag(host, deploy_id, id, DISK_ROOT_TAG, error);
    if (hold->passing)
        transfer_drop(host, deploy_id, hold->passing);
    return done;
}

gboolean transfer_hold(Host *host, const char *deploy_id, const char *source, TransferFetch fetch,
                       TransferProgress progress, GError **error)
{
    Hold hold = {source, fetch, progress, NULL};
    gboolean done = transfer_locked(host, deploy_id, hold_locked, &hold, error);
    g_free(hold.passing);
    return done;
}

static gboolean check_held(Host *host, const char *deploy_id, gpointer data G_GNUC_UNUSED,
                           GError **error)
{
    g_autofree gchar *name = disk_root_name(deploy_id);
    g_autofree gchar *id = transfer_image(host, name, "no disk 0 of it is on this host", error);
    return id != NULL;
}

gboolean transfer_check_held(Host *host, const char *deploy_id, GError **error)
{
    return transfer_locked(host, deploy_id, check_held, NULL, error);
}

/* ---- into a datastore -------------------------------------------------------------------------*/

typedef struct {
    gint snapshot;
    const char *reference; /* NULL = to FD */
    int fd;
    TransferWritten written;
    TransferProgress progress;
    gchar **digest; /* of what has been pushed; may be NULL */
} Put;

/* Gives what is to be put the VM's name TAG_NOW. */
static gboolean take_wanted(Host *host, const char *deploy_id, gint snapshot, GError **error)
{
    if (snapshot == TRANSFER_NOW)
        return transfer_take(host, deploy_id, TAG_NOW, error);
    g_autofree gchar *tag = g_strdup_printf(TAG_SNAPSHOT "%d", snapshot);
    g_autofree gchar *name = disk_name(deploy_id, tag);
    g_autofree gchar *id =
        transfer_image(host, name, "there is no such snapshot of its disk 0 on this host", error);
    return id && transfer_tag(host, deploy_id, id, TAG_NOW, error);
}

static gboolean push_as(Host *host, const char *deploy_id, const ImageRef *ref, const Put *put,
                        GError **error)
{
    g_autofree gchar *repository = g_strconcat(ref->registry, "/", ref->repository, NULL);
    g_autofree gchar *reference = g_strconcat(repository, ":", ref->tag, NULL);
    g_autofree gchar *now = disk_name(deploy_id, TAG_NOW);
    g_autofree gchar *digest = NULL;
    log_info("VM %s: sending disk 0 to %s", deploy_id, reference);
    if (!engine_tag(host->engine, now, repository, ref->tag, error))
        return FALSE;
    gboolean sent = engine_push(host->engine, reference, put->progress.func, put->progress.data,
                                &digest, error);
    if (!sent)
        g_prefix_error(error, "cannot send disk 0 to %s: ", reference);
    else
        log_info("VM %s: %s is now %s", deploy_id, reference, digest ? digest : "sent");
    transfer_drop(host, deploy_id, reference);
    if (put->digest)
        *put->digest = g_steal_pointer(&digest);
    return sent;
}

static gboolean put_named(Host *host, const char *deploy_id, const Put *put, GError **error)
{
    if (!put->reference) {
        g_autofree gchar *now = disk_name(deploy_id, TAG_NOW);
        const char *names[] = {now, NULL};
        return engine_save(host->engine, names, put->fd, put->progress.func, put->progress.data,
                           error);
    }
    g_autoptr(ImageRef) ref = image_ref_parse(put->reference, error);
    if (ref && ref->digest) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "%s is fixed to a digest: nothing can be put in its place", put->reference);
        return FALSE;
    }
    return ref && push_as(host, deploy_id, ref, put, error);
}

static gboolean put_locked(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    const Put *put = data;
    gboolean done = take_wanted(host, deploy_id, put->snapshot, error) &&
                    put_named(host, deploy_id, put, error);
    if (done && put->written)
        put->written();
    transfer_untag(host, deploy_id, TAG_NOW);
    return done;
}

gboolean transfer_push(Host *host, const char *deploy_id, gint snapshot, const char *reference,
                       TransferProgress progress, gchar **digest, GError **error)
{
    Put put = {snapshot, reference, -1, NULL, progress, digest};
    return transfer_locked(host, deploy_id, put_locked, &put, error);
}

gboolean transfer_save(Host *host, const char *deploy_id, gint snapshot, int fd,
                       TransferWritten written, TransferProgress progress, GError **error)
{
    Put put = {snapshot, NULL, fd, written, progress, NULL};
    return transfer_locked(host, deploy_id, put_locked, &put, error);
}

/* ---- the engine -------------------------------------------------------------------------------*/

static gchar *told(Host *host, const char *key, GError **error)
{
    g_autoptr(json_t) info = engine_info(host->engine, error);
    const char *text = json_string_value(json_object_get(info, key));
    if (info && (!text || !*text))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                    "the container engine does not tell its %s", key);
    return text && *text ? vmdock_one_line(text, PATH_MAX) : NULL;
}

/* Hosts that were made of one image may have one engine id, and several engines run on one host:
 * what no other host has is its boot. */
gchar *transfer_engine_id(Host *host, GError **error)
{
    g_autofree gchar *id = told(host, "ID", error);
    g_autofree gchar *boot = id ? sysctl_boot_id(error) : NULL;
    return boot ? g_strconcat(id, " ", boot, NULL) : NULL;
}

gboolean transfer_space(Host *host, TransferSpace *space, GError **error)
{
    struct statvfs fs;
    g_autofree gchar *root = told(host, "DockerRootDir", error);
    if (!root)
        return FALSE;
    if (statvfs(root, &fs) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at %s", root);
        return FALSE;
    }
    space->total = (guint64)fs.f_blocks * fs.f_frsize;
    space->used = (guint64)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
    space->available = (guint64)fs.f_bavail * fs.f_frsize;
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
/* Disk 0 between hosts: as an archive, or through a registry. Its snapshots go along, also those
 * that an image has kept from its last VM. */
#include "transfer_private.h"

#include "autoptr.h"
#include "error.h"
#include "image_archive.h"
#include "image_ref.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- archives into the engine -----------------------------------------------------------------*/

typedef struct {
    int in, out;
    const ImageArchiveNames *names;
    guint64 stall_ms;
    gboolean out_failed;
    GError *error;
} Renaming;

static gpointer rename_thread(gpointer data)
{
    Renaming *renaming = data;
    image_archive_rename(renaming->in, renaming->out, renaming->names, renaming->stall_ms,
                         &renaming->out_failed, &renaming->error);
    close(renaming->out);
    return NULL;
}

/* The archive from FD, renamed on its way into the engine. */
static gboolean load(Host *host, int fd, const ImageArchiveNames *names, TransferProgress progress,
                     GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make a pipe");
        return FALSE;
    }
    Renaming renaming = {fd, ends[1], names, host->config->engine_pull_stall_ms, FALSE, NULL};
    GThread *thread = g_thread_new("rename", rename_thread, &renaming);
    g_autoptr(GError) failure = NULL;
    gboolean loaded = engine_load(host->engine, ends[0], progress.func, progress.data, &failure);
    close(ends[0]); /* a thread that still writes hears of it */
    g_thread_join(thread);
    /* A broken archive breaks the engine's request too; one that the engine refuses, the pipe. */
    if (renaming.error && !renaming.out_failed) {
        g_propagate_error(error, renaming.error);
        return FALSE;
    }
    g_clear_error(&renaming.error);
    if (!loaded)
        g_propagate_error(error, g_steal_pointer(&failure));
    return loaded;
}

typedef struct {
    int fd;
    TransferProgress progress;
    const char *registry;
    const char *const *tags;
    GPtrArray *sent;
} Move;

static gboolean hold_archive(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    const Move *move = data;
    g_autofree gchar *name = disk_name(deploy_id, DISK_ROOT_TAG);
    ImageArchiveNames names = {.name = name};
    return transfer_clear_container(host, deploy_id, error) &&
           load(host, move->fd, &names, move->progress, error);
}

gboolean transfer_hold_archive(Host *host, const char *deploy_id, int fd, TransferProgress progress,
                               GError **error)
{
    Move move = {.fd = fd, .progress = progress};
    return transfer_locked(host, deploy_id, hold_archive, &move, error);
}

gboolean transfer_load(Host *host, const char *name, int fd, TransferProgress progress,
                       GError **error)
{
    ImageArchiveNames names = {.name = name};
    return load(host, fd, &names, progress, error);
}

gboolean transfer_pull(Host *host, const char *name, const char *reference,
                       TransferProgress progress, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(name, ":", 2);
    if (!engine_pull(host->engine, reference, progress.func, progress.data, error))
        return FALSE;
    gboolean done = engine_tag(host->engine, reference, parts[0], parts[1], error);
    transfer_drop(host, name, reference);
    return done;
}

/* What arrived as TAG_NOW is disk 0 from here on. */
static gboolean settle(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *now = disk_name(deploy_id, TAG_NOW);
    g_autofree gchar *id = transfer_image(host, now, "disk 0 was not in what arrived", error);
    gboolean done = id && transfer_clear_container(host, deploy_id, error) &&
                    transfer_tag(host, deploy_id, id, DISK_ROOT_TAG, error);
    if (id)
        transfer_untag(host, deploy_id, TAG_NOW);
    return done;
}

static gboolean import(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    const Move *move = data;
    g_autofree gchar *prefix = disk_name(deploy_id, DISK_ROOT_TAG "-");
    ImageArchiveNames names = {.prefix = prefix};
    return load(host, move->fd, &names, move->progress, error) && settle(host, deploy_id, error);
}

gboolean transfer_import(Host *host, const char *deploy_id, int fd, TransferProgress progress,
                         GError **error)
{
    Move move = {.fd = fd, .progress = progress};
    return transfer_locked(host, deploy_id, import, &move, error);
}

/* TAG_NOW and the tags of the snapshots; gchar*, ending in NULL. */
static GPtrArray *moving_tags(Host *host, const char *deploy_id, GError **error)
{
    g_autofree gchar *prefix = disk_name(deploy_id, DISK_ROOT_TAG "-");
    g_autoptr(GPtrArray) names = engine_image_names(host->engine, prefix, error);
    if (!names)
        return NULL;
    GPtrArray *tags = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(tags, g_strdup(strchr(g_ptr_array_index(names, i), ':') + 1));
    return tags;
}

static gboolean export_named(Host *host, const char *deploy_id, const Move *move, GError **error)
{
    g_autoptr(GPtrArray) tags = moving_tags(host, deploy_id, error);
    if (!tags)
        return FALSE;
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (guint i = 0; i < tags->len; i++) {
        g_autofree gchar *name = disk_name(deploy_id, g_ptr_array_index(tags, i));
        g_strv_builder_add(builder, name);
    }
    g_auto(GStrv) names = g_strv_builder_end(builder);
    return engine_save(host->engine, (const char *const *)names, move->fd, move->progress.func,
                       move->progress.data, error);
}

static gboolean export(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    gboolean done = transfer_take(host, deploy_id, TAG_NOW, error) &&
                    export_named(host, deploy_id, data, error);
    transfer_untag(host, deploy_id, TAG_NOW);
    return done;
}

gboolean transfer_export(Host *host, const char *deploy_id, int fd, TransferProgress progress,
                         GError **error)
{
    Move move = {.fd = fd, .progress = progress};
    return transfer_locked(host, deploy_id, export, &move, error);
}

/* ---- through a registry -----------------------------------------------------------------------*/

static gchar *remote_repository(const Move *move, const char *deploy_id)
{
    g_autofree gchar *repository = disk_repository(deploy_id);
    return g_strconcat(move->registry, "/", repository, NULL);
}

static gboolean send_tag(Host *host, const char *deploy_id, const Move *move, const char *tag,
                         GError **error)
{
    g_autofree gchar *name = disk_name(deploy_id, tag);
    g_autofree gchar *repository = remote_repository(move, deploy_id);
    g_autofree gchar *reference = g_strconcat(repository, ":", tag, NULL);
    log_info("VM %s: sending %s to %s", deploy_id, tag, move->registry);
    gboolean done =
        engine_tag(host->engine, name, repository, tag, error) &&
        engine_push(host->engine, reference, move->progress.func, move->progress.data, NULL, error);
    transfer_drop(host, deploy_id, reference);
    if (!done)
        g_prefix_error(error, "cannot send disk 0 to %s: ", reference);
    return done;
}

static gboolean send_named(Host *host, const char *deploy_id, Move *move, GError **error)
{
    g_autoptr(GPtrArray) tags = moving_tags(host, deploy_id, error);
    for (guint i = 0; tags && i < tags->len; i++)
        if (!send_tag(host, deploy_id, move, g_ptr_array_index(tags, i), error))
            return FALSE;
    move->sent = g_steal_pointer(&tags);
    return move->sent != NULL;
}

static gboolean send_all(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    gboolean done =
        transfer_take(host, deploy_id, TAG_NOW, error) && send_named(host, deploy_id, data, error);
    transfer_untag(host, deploy_id, TAG_NOW);
    return done;
}

GPtrArray *transfer_send(Host *host, const char *deploy_id, const char *registry,
                         TransferProgress progress, GError **error)
{
    Move move = {.registry = registry, .progress = progress};
    return transfer_locked(host, deploy_id, send_all, &move, error) ? move.sent : NULL;
}

/* REFERENCE becomes the VM's name TAG here, and keeps no other. */
static gboolean fetch_as(Host *host, const char *deploy_id, const char *reference, const char *tag,
                         TransferProgress progress, GError **error)
{
    log_info("VM %s: fetching %s", deploy_id, reference);
    if (!engine_pull(host->engine, reference, progress.func, progress.data, error)) {
        g_prefix_error(error, "image %s: ", reference);
        return FALSE;
    }
    g_autofree gchar *id =
        transfer_image(host, reference, "it was removed as soon as it was fetched", error);
    gboolean done = id && transfer_tag(host, deploy_id, id, tag, error);
    transfer_drop(host, deploy_id, reference);
    return done;
}

static gboolean fetch_all(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    const Move *move = data;
    g_autofree gchar *repository = remote_repository(move, deploy_id);
    for (gsize i = 0; move->tags[i]; i++) {
        g_autofree gchar *reference = g_strconcat(repository, ":", move->tags[i], NULL);
        if (!fetch_as(host, deploy_id, reference, move->tags[i], move->progress, error))
            return FALSE;
    }
    return settle(host, deploy_id, error);
}

gboolean transfer_fetch(Host *host, const char *deploy_id, const char *registry,
                        const char *const *tags, TransferProgress progress, GError **error)
{
    Move move = {.registry = registry, .tags = tags, .progress = progress};
    return transfer_locked(host, deploy_id, fetch_all, &move, error);
}

/* ---- snapshots that an image has kept ---------------------------------------------------------*/

typedef struct {
    guint snapshot;
    const char *reference; /* NULL = from FD */
    int fd;
    TransferProgress progress;
} Kept;

static gboolean hold_snapshot(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    const Kept *kept = data;
    g_autofree gchar *tag = g_strdup_printf(TAG_SNAPSHOT "%u", kept->snapshot);
    if (!kept->reference) {
        g_autofree gchar *name = disk_name(deploy_id, tag);
        ImageArchiveNames names = {.name = name};
        return load(host, kept->fd, &names, kept->progress, error);
    }
    g_autoptr(ImageRef) ref = image_ref_parse(kept->reference, error);
    g_autofree gchar *name = ref ? image_ref_name(ref) : NULL;
    return name && fetch_as(host, deploy_id, name, tag, kept->progress, error);
}

gboolean transfer_snapshot_hold(Host *host, const char *deploy_id, guint snapshot,
                                const char *reference, TransferProgress progress, GError **error)
{
    Kept kept = {snapshot, reference, -1, progress};
    return transfer_locked(host, deploy_id, hold_snapshot, &kept, error);
}

gboolean transfer_snapshot_load(Host *host, const char *deploy_id, guint snapshot, int fd,
                                TransferProgress progress, GError **error)
{
    Kept kept = {snapshot, NULL, fd, progress};
    return transfer_locked(host, deploy_id, hold_snapshot, &kept, error);
}

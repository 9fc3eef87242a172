// SPDX-License-Identifier: Apache-2.0
/* Snapshots of disk 0 alone: further names of images. */
#include "transfer_private.h"

#include "disk.h"
#include "error.h"
#include "undo.h"

static gchar *tag_of(const guint *snapshot)
{
    return g_strdup_printf(TAG_SNAPSHOT "%u", *snapshot);
}

static gboolean create(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    g_autofree gchar *tag = tag_of(data);
    return transfer_take(host, deploy_id, tag, error);
}

gboolean transfer_snapshot(Host *host, const char *deploy_id, guint snapshot, GError **error)
{
    return transfer_locked(host, deploy_id, create, &snapshot, error);
}

static gboolean forget(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    g_autofree gchar *tag = tag_of(data);
    g_autofree gchar *name = disk_name(deploy_id, tag);
    return engine_untag(host->engine, name, error);
}

gboolean transfer_snapshot_delete(Host *host, const char *deploy_id, guint snapshot, GError **error)
{
    return transfer_locked(host, deploy_id, forget, &snapshot, error);
}

typedef struct {
    Host *host;
    const char *deploy_id;
    gchar *held; /* what disk 0 was before, NULL if nothing */
} Revert;

static void revert_clear(Revert *revert)
{
    g_free(revert->held);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Revert, revert_clear)

static gboolean undo_tag(gpointer data, GError **error)
{
    const Revert *revert = data;
    return revert->held
               ? transfer_tag(revert->host, revert->deploy_id, revert->held, DISK_ROOT_TAG, error)
               : disk_root_release(revert->host, revert->deploy_id, error);
}

/* The name moves first and the container, which cannot come back, goes last. */
static gboolean go_back(Host *host, const char *deploy_id, gpointer data, GError **error)
{
    GError *failure = NULL;
    g_autofree gchar *tag = tag_of(data);
    g_autofree gchar *name = disk_name(deploy_id, tag);
    g_autofree gchar *root = disk_root_name(deploy_id);
    g_auto(Revert) revert = {host, deploy_id, engine_image_id(host->engine, root, &failure)};
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    g_autofree gchar *id =
        transfer_image(host, name, "there is no such snapshot of its disk 0 on this host", error);
    if (!id)
        return FALSE;
    g_autoptr(Undo) undo = undo_new();
    undo_push(undo, "the name of disk 0", undo_tag, &revert, NULL);
    if (!transfer_tag(host, deploy_id, id, DISK_ROOT_TAG, error) ||
        !transfer_clear_container(host, deploy_id, error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

gboolean transfer_revert(Host *host, const char *deploy_id, guint snapshot, GError **error)
{
    return transfer_locked(host, deploy_id, go_back, &snapshot, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "doomed.h"

#include "error.h"
#include "file.h"
#include "sandbox.h"
#include "stray.h"

enum { MAX_OWNER = 256 };

static gchar *folder_path(const Config *config)
{
    return g_build_filename(config->state_dir, DOOMED_FOLDER, NULL);
}

/* NULL for what is no id: it becomes a file's name. */
static gchar *mark_path(const Config *config, const char *container_id, GError **error)
{
    return sandbox_map_check_id(container_id, error)
               ? g_build_filename(config->state_dir, DOOMED_FOLDER, container_id, NULL)
               : NULL;
}

gboolean doomed_add(const Config *config, const char *container_id, const char *deploy_id,
                    GError **error)
{
    g_autofree gchar *path = mark_path(config, container_id, error);
    g_autofree gchar *folder = folder_path(config);
    return path && file_make_folder(folder, 0700, error) &&
           file_replace(path, deploy_id, -1, 0600, error) && file_sync(path, error);
}

gboolean doomed_remove(const Config *config, const char *container_id, GError **error)
{
    g_autofree gchar *path = mark_path(config, container_id, error);
    return path && file_remove(path, error);
}

static gboolean is_of(const Config *config, const char *container_id, const char *deploy_id)
{
    g_autofree gchar *path = mark_path(config, container_id, NULL);
    g_autofree gchar *owner = path ? file_read(path, MAX_OWNER, NULL, NULL) : NULL;
    return g_strcmp0(owner, deploy_id) == 0;
}

gboolean doomed_forget(const Config *config, Engine *engine, const char *deploy_id, GError **error)
{
    g_autofree gchar *folder = folder_path(config);
    g_autoptr(GDir) marks = g_dir_open(folder, 0, NULL);
    for (const char *id; marks && (id = g_dir_read_name(marks));) {
        if (!is_of(config, id, deploy_id))
            continue;
        GError *failure = NULL;
        g_autoptr(EngineContainer) container = engine_inspect(engine, id, &failure);
        if (failure) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        if (!container && (!stray_end(config, id, error) || !doomed_remove(config, id, error)))
            return FALSE;
    }
    return TRUE;
}

void doomed_judge(const Config *config, EngineContainer *container)
{
    g_autofree gchar *path = mark_path(config, container->id, NULL);
    if (path && g_file_test(path, G_FILE_TEST_IS_REGULAR))
        container->state = ENGINE_DEAD;
}

void doomed_judge_all(const Config *config, const GPtrArray *containers)
{
    g_autofree gchar *folder = folder_path(config);
    gboolean some = g_file_test(folder, G_FILE_TEST_IS_DIR);
    for (guint i = 0; some && i < containers->len; i++)
        doomed_judge(config, containers->pdata[i]);
}

// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"

#include <stdlib.h>

enum { MAX_SPEC = 16 * 1024 * 1024 };

static gchar *spec_path(const Config *config, const char *deploy_id)
{
    return g_build_filename(config->state_dir, deploy_id, "spec.json", NULL);
}

gboolean state_save(const Config *config, const VmSpec *spec, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->state_dir, spec->deploy_id, NULL);
    if (!file_make_folder(folder, 0700, error))
        return FALSE;
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    char *text = json_dumps(json, JSON_INDENT(2));
    g_autofree gchar *path = spec_path(config, spec->deploy_id);
    gboolean saved = file_replace(path, text, -1, 0600, error);
    free(text);
    return saved;
}

gboolean state_sync(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = spec_path(config, deploy_id);
    return file_sync(path, error);
}

/* The file as it stands, readable as a spec or not; NULL without error when there is none. */
static GBytes *read_text(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = spec_path(config, deploy_id);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return NULL;
    gsize length = 0;
    gchar *text = file_read(path, MAX_SPEC, &length, error);
    return text ? g_bytes_new_take(text, length) : NULL;
}

/* What a change has to bring back. */
typedef struct {
    const Config *config;
    gchar *deploy_id;
    GBytes *text;    /* NULL: there was no file */
    gboolean folder; /* there was the VM's folder, with or without it */
} Before;

static void before_free(gpointer data)
{
    Before *before = data;
    g_free(before->deploy_id);
    g_clear_pointer(&before->text, g_bytes_unref);
    g_free(before);
}

static gboolean bring_back(gpointer data, GError **error)
{
    const Before *before = data;
    g_autofree gchar *path = spec_path(before->config, before->deploy_id);
    if (!before->folder)
        return state_remove(before->config, before->deploy_id, error);
    if (!before->text)
        return file_remove(path, error);
    gsize length = 0;
    const char *bytes = g_bytes_get_data(before->text, &length);
    return file_replace(path, bytes ? bytes : "", (gssize)length, 0600, error) &&
           state_sync(before->config, before->deploy_id, error);
}

gboolean state_change(const Config *config, const VmSpec *spec, Undo *undo, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->state_dir, spec->deploy_id, NULL);
    GError *failure = NULL;
    GBytes *text = read_text(config, spec->deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    Before *before = g_new(Before, 1);
    *before =
        (Before){config, g_strdup(spec->deploy_id), text, g_file_test(folder, G_FILE_TEST_EXISTS)};
    /* Pushed first: a save that breaks off may have made the folder. */
    undo_push(undo, "the saved spec", bring_back, before, before_free);
    return state_save(config, spec, error);
}

VmSpec *state_load(const Config *config, const char *deploy_id, GError **error)
{
    g_autoptr(GBytes) text = read_text(config, deploy_id, error);
    if (!text)
        return NULL;
    gsize length = 0;
    const char *bytes = g_bytes_get_data(text, &length);
    json_error_t where;
    g_autoptr(json_t) json = json_loadb(bytes ? bytes : "", length, 0, &where);
    VmSpec *spec = NULL;
    if (!json)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "line %d: %s", where.line, where.text);
    else
        spec = vm_spec_from_json(json, error);
    if (!spec) {
        g_autofree gchar *path = spec_path(config, deploy_id);
        g_prefix_error(error, "the last applied spec %s cannot be read: ", path);
    }
    return spec;
}

VmSpec *state_load_needed(const Config *config, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    VmSpec *spec = state_load(config, deploy_id, &failure);
    if (!spec && failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (!spec)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "its last applied spec is gone from %s; deploy it again", config->state_dir);
    return spec;
}

static gchar *mark_path(const Config *config, const char *deploy_id, const char *mark)
{
    return g_build_filename(config->state_dir, deploy_id, mark, NULL);
}

gboolean state_mark(const Config *config, const char *deploy_id, const char *mark, gboolean on,
                    GError **error)
{
    g_autofree gchar *path = mark_path(config, deploy_id, mark);
    return on ? file_mark(path, error) : file_remove(path, error);
}

gboolean state_marked(const Config *config, const char *deploy_id, const char *mark)
{
    g_autofree gchar *path = mark_path(config, deploy_id, mark);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

gboolean state_remove(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->state_dir, deploy_id, NULL);
    return file_remove_tree(folder, error);
}

GPtrArray *state_list(const Config *config, GError **error)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) failure = NULL;
    g_autoptr(GDir) folder = g_dir_open(config->state_dir, 0, &failure);
    if (!folder) {
        if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&ids);
        vmdock_error_adopt(&failure, VMDOCK_ERROR_IO);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    for (const char *name; (name = g_dir_read_name(folder));)
        if (vm_id_valid(name))
            g_ptr_array_add(ids, g_strdup(name));
    return g_steal_pointer(&ids);
}

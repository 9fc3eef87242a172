// SPDX-License-Identifier: Apache-2.0
/* The map from container to sandbox that vmdock-runtime reads. */
#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "sandbox.h"

#include <string.h>

enum { MAX_ID = 128, MAX_MAP = 131072 };

/* The id becomes a file name that a root process reads: hex digits and nothing else. */
gboolean sandbox_map_check_id(const char *container_id, GError **error)
{
    gsize length = strlen(container_id);
    if (length > 0 && length <= MAX_ID && strspn(container_id, "0123456789abcdef") == length)
        return TRUE;
    g_autofree gchar *text = vmdock_one_line(container_id, MAX_ID);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX, "\"%s\" is no container id", text);
    return FALSE;
}

static gchar *map_path(const char *dir, const char *folder, const char *container_id)
{
    return g_build_filename(dir, folder, container_id, NULL);
}

static gboolean write_file(const char *dir, const char *folder, const char *container_id,
                           const char *text, GError **error)
{
    g_autofree gchar *parent = g_build_filename(dir, folder, NULL);
    g_autofree gchar *path = map_path(dir, folder, container_id);
    return file_make_folder(parent, 0700, error) && file_replace(path, text, -1, 0600, error);
}

gboolean sandbox_map_knows(const Config *config, const char *container_id, const char *deploy_id)
{
    if (!sandbox_map_check_id(container_id, NULL))
        return FALSE;
    g_autofree gchar *line = g_strconcat(deploy_id, "\n", NULL);
    g_autofree gchar *path = map_path(config->state_dir, "container", container_id);
    g_autofree gchar *there = file_read(path, VM_ID_MAX + 1, NULL, NULL);
    return g_strcmp0(there, line) == 0;
}

/* The same at every start of a container: written once. */
static gboolean write_state(const Config *config, const char *container_id, const char *deploy_id,
                            GError **error)
{
    g_autofree gchar *line = g_strconcat(deploy_id, "\n", NULL);
    return sandbox_map_knows(config, container_id, deploy_id) ||
           write_file(config->state_dir, "container", container_id, line, error);
}

gboolean sandbox_map_write(const Config *config, const char *container_id, const Sandbox *sandbox,
                           gboolean keep_hook, const json_t *mounts, GError **error)
{
    if (!sandbox_map_check_id(container_id, error) ||
        !write_state(config, container_id, sandbox->deploy_id, error))
        return FALSE;
    g_autoptr(json_t) map =
        json_pack("{s:s, s:s, s:s, s:b, s:O}", "vm", sandbox->deploy_id, "netns", sandbox->path,
                  "runtime", config->runtime_real, "keep_hook", keep_hook, "mounts", mounts);
    g_autofree gchar *text = NULL;
    char *dumped = map ? json_dumps(map, JSON_COMPACT) : NULL;
    if (!dumped) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO,
                    "cannot write the sandbox map: a path is not valid UTF-8");
        return FALSE;
    }
    text = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    return write_file(config->run_dir, "sandbox", container_id, text, error);
}

gboolean sandbox_map_keeps_hook(const Config *config, const char *container_id)
{
    g_autofree gchar *path = map_path(config->run_dir, "sandbox", container_id);
    gsize length = 0;
    g_autofree gchar *text = file_read(path, MAX_MAP, &length, NULL);
    g_autoptr(json_t) map = text ? json_loadb(text, length, 0, NULL) : NULL;
    return json_is_true(json_object_get(map, "keep_hook"));
}

gchar *sandbox_map_vm(const Config *config, const char *container_id)
{
    g_autofree gchar *path = map_path(config->state_dir, "container", container_id);
    g_autofree gchar *line = sandbox_map_check_id(container_id, NULL)
                                 ? file_read(path, VM_ID_MAX + 1, NULL, NULL)
                                 : NULL;
    if (line)
        g_strchomp(line);
    return line && vm_id_valid(line) ? g_steal_pointer(&line) : NULL;
}

gboolean sandbox_map_served(const Config *config, const char *container_id)
{
    g_autofree gchar *record = map_path(config->run_dir, "runtime", container_id);
    return g_file_test(record, G_FILE_TEST_EXISTS);
}

gboolean sandbox_map_remove(const Config *config, const char *container_id, GError **error)
{
    if (!sandbox_map_check_id(container_id, error))
        return FALSE;
    g_autofree gchar *map = map_path(config->run_dir, "sandbox", container_id);
    g_autofree gchar *state = map_path(config->state_dir, "container", container_id);
    /* The runtime removes its own record, but not what it was killed over. */
    g_autofree gchar *record = map_path(config->run_dir, "runtime", container_id);
    /* What tells whose it is goes last. */
    return file_remove_drafts(record, error) && file_remove_drafts(map, error) &&
           file_remove(map, error) && file_remove_drafts(state, error) && file_remove(state, error);
}

gboolean sandbox_map_forget(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->state_dir, "container", NULL);
    g_autoptr(GDir) names = g_dir_open(folder, 0, NULL);
    for (const char *name; names && (name = g_dir_read_name(names));)
        if (sandbox_map_knows(config, name, deploy_id) && !sandbox_map_remove(config, name, error))
            return FALSE;
    return TRUE;
}

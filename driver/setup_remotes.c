// SPDX-License-Identifier: Apache-2.0
#include "setup_remotes.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"

#include <string.h>
#include <sys/stat.h>

enum { MAX_TABLE = 65536, MAX_SCRIPT = 4 * 1024 * 1024, FILE_MODE = 0644, SCRIPT_MODE = 0755 };

static void free_entry(gpointer data)
{
    RemoteEntry *entry = data;
    g_free(entry->path);
    g_clear_pointer(&entry->text, g_bytes_unref);
    g_free(entry);
}

static RemoteEntry *add_entry(GPtrArray *entries, const char *path, TreeKind kind)
{
    RemoteEntry *entry = g_new0(RemoteEntry, 1);
    entry->path = g_strdup(path);
    entry->kind = kind;
    g_ptr_array_add(entries, entry);
    return entry;
}

static const RemoteEntry *find_entry(const GPtrArray *entries, const char *path)
{
    for (guint i = 0; i < entries->len; i++) {
        const RemoteEntry *entry = g_ptr_array_index(entries, i);
        if (g_str_equal(entry->path, path))
            return entry;
    }
    return NULL;
}

/* ---- what is wanted ---- */

static gboolean add_folder(GPtrArray *entries, const char *source, const char *below,
                           GError **error);

static gboolean add_file(GPtrArray *entries, const char *source, const char *path, GError **error)
{
    g_autofree gchar *from = g_build_filename(source, path, NULL);
    if (g_file_test(from, G_FILE_TEST_IS_DIR))
        return add_folder(entries, source, path, error);
    gsize length;
    gchar *text = file_read(from, MAX_SCRIPT, &length, error);
    if (!text)
        return FALSE;
    RemoteEntry *entry = add_entry(entries, path, TREE_FILE);
    entry->text = g_bytes_new_take(text, length);
    entry->mode = g_file_test(from, G_FILE_TEST_IS_EXECUTABLE) ? SCRIPT_MODE : FILE_MODE;
    return TRUE;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean add_folder(GPtrArray *entries, const char *source, const char *below,
                           GError **error)
{
    g_autofree gchar *from = g_build_filename(source, below, NULL);
    g_autoptr(GDir) folder = g_dir_open(from, 0, error);
    if (!folder) {
        vmdock_error_adopt(error, VMDOCK_ERROR_IO);
        return FALSE;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(folder));)
        g_ptr_array_add(names, *below ? g_build_filename(below, name, NULL) : g_strdup(name));
    g_ptr_array_sort(names, by_name);
    if (*below)
        add_entry(entries, below, TREE_FOLDER);
    for (guint i = 0; i < names->len; i++)
        if (!add_file(entries, source, g_ptr_array_index(names, i), error))
            return FALSE;
    return TRUE;
}

GStrv setup_remotes_line(const char *line, GError **error)
{
    g_autofree gchar *text = g_strndup(line, strcspn(line, "#"));
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r", -1);
    for (gsize i = 0; words[i]; i++)
        if (*words[i])
            g_strv_builder_add(builder, words[i]);
    g_auto(GStrv) row = g_strv_builder_end(builder);
    guint count = g_strv_length(row);
    gboolean folder = count > 0 && g_str_equal(row[0], "folder");
    gboolean link = count > 0 && (g_str_equal(row[0], "link") || g_str_equal(row[0], "need"));
    gboolean good = count == 0 || (folder && count == 2) || (link && count > 2);
    for (guint i = 1; i < count; i++)
        good = good && setup_tree_path_ok(row[i]);
    if (good)
        return g_steal_pointer(&row);
    g_autofree gchar *shown = vmdock_one_line(line, 200);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "\"%s\" is no row of it", shown);
    return NULL;
}

gchar *setup_remotes_target(const char *path, const char *stock)
{
    GString *target = g_string_new(NULL);
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++)
        g_string_append(target, "../");
    g_string_append(target, stock);
    return g_string_free(target, FALSE);
}

static gboolean is_there(const char *remotes, const char *stock)
{
    g_autofree gchar *path = g_build_filename(remotes, stock, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* A folder, and those that it is in, as far as they are not named already. */
static void add_folders(GPtrArray *entries, const char *path)
{
    if (g_str_equal(path, ".") || find_entry(entries, path))
        return;
    g_autofree gchar *above = g_path_get_dirname(path);
    add_folders(entries, above);
    add_entry(entries, path, TREE_FOLDER);
}

static void add_link(GPtrArray *entries, const char *path, const char *stock)
{
    g_autofree gchar *above = g_path_get_dirname(path);
    add_folders(entries, above);
    RemoteEntry *entry = add_entry(entries, path, TREE_LINK);
    gchar *target = setup_remotes_target(path, stock);
    entry->text = g_bytes_new_take(target, strlen(target));
}

static gboolean add_row(GPtrArray *entries, const GStrv row, const char *remotes, GError **error)
{
    if (!row[0])
        return TRUE;
    if (g_str_equal(row[0], "folder")) {
        add_folders(entries, row[1]);
        return TRUE;
    }
    /* A script of the driver's own comes first. */
    if (find_entry(entries, row[1]))
        return TRUE;
    for (gsize i = 2; row[i]; i++) {
        if (!is_there(remotes, row[i]))
            continue;
        add_link(entries, row[1], row[i]);
        return TRUE;
    }
    if (g_str_equal(row[0], "link"))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                "%s/%s of OpenNebula is not there, and the driver needs it", remotes, row[2]);
    return FALSE;
}

static gboolean add_table(GPtrArray *entries, const char *table, const char *remotes,
                          GError **error)
{
    g_autofree gchar *text = file_read(table, MAX_TABLE, NULL, error);
    if (!text)
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (gsize i = 0; lines[i]; i++) {
        g_autoptr(GError) why = NULL;
        g_auto(GStrv) row = setup_remotes_line(lines[i], &why);
        if (!row) {
            g_propagate_prefixed_error(error, g_steal_pointer(&why),
                                       "%s, line %" G_GSIZE_FORMAT ": ", table, i + 1);
            return FALSE;
        }
        if (!add_row(entries, row, remotes, error))
            return FALSE;
    }
    return TRUE;
}

GPtrArray *setup_remotes_wanted(const char *source, const char *table, const char *remotes,
                                GError **error)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(free_entry);
    if (!add_folder(entries, source, "", error) || !add_table(entries, table, remotes, error))
        return NULL;
    return g_steal_pointer(&entries);
}

/* ---- the list of what was put in place ---- */

/* The paths that it names, NULL without error when there is none. */
static gboolean read_list(const SetupRemotes *setup, GStrv *paths, GError **error)
{
    TreeKind kind;
    g_autoptr(GBytes) text = NULL;
    *paths = NULL;
    if (!setup_tree_look(setup->beside, SETUP_REMOTES_LIST, &kind, &text, NULL, error))
        return FALSE;
    if (kind != TREE_FILE)
        return TRUE;
    gsize length;
    const char *data = g_bytes_get_data(text, &length);
    g_autofree gchar *copy = g_strndup(data ? data : "", length);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (gsize i = 0; lines[i]; i++)
        if (setup_tree_path_ok(lines[i]))
            g_strv_builder_add(builder, lines[i]);
    *paths = g_strv_builder_end(builder);
    return TRUE;
}

static gboolean write_list(const SetupRemotes *setup, const GString *text, GError **error)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text->str, text->len);
    return setup_tree_file(setup->beside, SETUP_REMOTES_LIST, bytes, FILE_MODE, error);
}

/* ---- putting in place ---- */

static void done(const SetupRemotes *setup, char sign, const char *path)
{
    g_ptr_array_add(setup->done, g_strdup_printf("%c %s", sign, path));
}

static gchar *replaced_path(const char *path)
{
    return g_build_filename(SETUP_REMOTES_REPLACED, path, NULL);
}

/* A file of somebody else's keeps its content beside the remotes folder. */
static gboolean keep_replaced(const SetupRemotes *setup, const char *path, GBytes *text,
                              mode_t mode, GError **error)
{
    g_autofree gchar *kept = replaced_path(path);
    TreeKind kind;
    return setup_tree_look(setup->beside, kept, &kind, NULL, NULL, error) &&
           (kind != TREE_NOTHING || setup_tree_file(setup->beside, kept, text, mode, error));
}

static gboolean put(const SetupRemotes *setup, const RemoteEntry *entry, GError **error)
{
    if (entry->kind == TREE_FOLDER)
        return setup_tree_folder(setup->remotes, entry->path, error);
    if (entry->kind == TREE_FILE)
        return setup_tree_file(setup->remotes, entry->path, entry->text, entry->mode, error);
    gsize length;
    const char *target = g_bytes_get_data(entry->text, &length);
    g_autofree gchar *text = g_strndup(target, length);
    return setup_tree_link(setup->remotes, entry->path, text, error);
}

/* A folder that was there before is not listed: it is not this driver's to remove. */
static gboolean apply_entry(const SetupRemotes *setup, const RemoteEntry *entry, gboolean ours,
                            GString *list, GError **error)
{
    TreeKind kind;
    mode_t mode = 0;
    g_autoptr(GBytes) text = NULL;
    if (!setup_tree_look(setup->remotes, entry->path, &kind, &text, &mode, error))
        return FALSE;
    if (kind != TREE_FOLDER || ours)
        g_string_append_printf(list, "%s\n", entry->path);
    if (kind == entry->kind && (kind == TREE_FOLDER || g_bytes_equal(text, entry->text)) &&
        (kind != TREE_FILE || mode == entry->mode))
        return TRUE;
    done(setup, kind == TREE_NOTHING ? '+' : '!', entry->path);
    if (setup->dry_run)
        return TRUE;
    if (kind == TREE_FILE && !ours && !keep_replaced(setup, entry->path, text, mode, error))
        return FALSE;
    return put(setup, entry, error);
}

static gboolean take_out(const SetupRemotes *setup, const char *path, GError **error)
{
    TreeKind kind;
    if (!setup_tree_look(setup->remotes, path, &kind, NULL, NULL, error))
        return FALSE;
    if (kind == TREE_NOTHING)
        return TRUE;
    if (kind != TREE_FOLDER)
        done(setup, '-', path);
    return setup->dry_run || setup_tree_remove(setup->remotes, path, error);
}

gboolean setup_remotes_apply(SetupRemotes *setup, const GPtrArray *wanted, GError **error)
{
    g_auto(GStrv) list = NULL;
    if (!read_list(setup, &list, error))
        return FALSE;
    for (guint i = list ? g_strv_length(list) : 0; i > 0; i--)
        if (!find_entry(wanted, list[i - 1]) && !take_out(setup, list[i - 1], error))
            return FALSE;
    g_autoptr(GString) now = g_string_new(NULL);
    for (guint i = 0; i < wanted->len; i++) {
        const RemoteEntry *entry = g_ptr_array_index(wanted, i);
        gboolean ours = list && g_strv_contains((const gchar *const *)list, entry->path);
        if (!apply_entry(setup, entry, ours, now, error))
            return FALSE;
    }
    return setup->dry_run || write_list(setup, now, error);
}

/* ---- taking out ---- */

static gboolean put_back(const SetupRemotes *setup, const char *path, GError **error)
{
    g_autofree gchar *kept = replaced_path(path);
    TreeKind kind;
    mode_t mode = 0;
    g_autoptr(GBytes) text = NULL;
    if (!setup_tree_look(setup->beside, kept, &kind, &text, &mode, error))
        return FALSE;
    if (kind != TREE_FILE)
        return TRUE;
    done(setup, '<', path);
    return setup->dry_run || (setup_tree_file(setup->remotes, path, text, mode, error) &&
                              setup_tree_remove(setup->beside, kept, error));
}

/* The folders that the kept file stood in, as far as they are empty. */
static gboolean clear_replaced(const SetupRemotes *setup, const char *path, GError **error)
{
    g_autofree gchar *at = replaced_path(path);
    while (strchr(at, '/')) {
        *strrchr(at, '/') = '\0';
        if (!setup_tree_remove(setup->beside, at, error))
            return FALSE;
    }
    return TRUE;
}

static GStrv paths_of(const GPtrArray *wanted)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (guint i = 0; i < wanted->len; i++)
        g_strv_builder_add(builder, ((RemoteEntry *)g_ptr_array_index(wanted, i))->path);
    return g_strv_builder_end(builder);
}

gboolean setup_remotes_revert(SetupRemotes *setup, const GPtrArray *wanted, GError **error)
{
    g_auto(GStrv) list = NULL;
    if (!read_list(setup, &list, error))
        return FALSE;
    if (!list)
        list = paths_of(wanted);
    for (guint i = g_strv_length(list); i > 0; i--)
        if (!take_out(setup, list[i - 1], error))
            return FALSE;
    for (guint i = 0; list[i]; i++)
        if (!put_back(setup, list[i], error) ||
            (!setup->dry_run && !clear_replaced(setup, list[i], error)))
            return FALSE;
    return setup->dry_run || setup_tree_remove(setup->beside, SETUP_REMOTES_LIST, error);
}

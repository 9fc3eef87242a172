// SPDX-License-Identifier: Apache-2.0
#include "setup_file.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "setup_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_BYTES = 4 * 1024 * 1024, NEW_MODE = 0644 };

/* *text stays NULL when there is no file. */
static gboolean read_if_there(const char *path, gchar **text, GError **error)
{
    g_autoptr(GError) why = NULL;
    gsize length = 0;
    struct stat st;
    *text = NULL;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        return TRUE;
    *text = file_read(path, MAX_BYTES, &length, &why);
    if (!*text) {
        g_propagate_error(error, g_steal_pointer(&why));
        return FALSE;
    }
    if (strlen(*text) == length)
        return TRUE;
    g_clear_pointer(text, g_free);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "%s is no text", path);
    return FALSE;
}

SetupFile *setup_file_read(const char *path, GError **error)
{
    g_autoptr(SetupFile) file = g_new0(SetupFile, 1);
    char *real = realpath(path, NULL);
    file->path = g_strdup(real ? real : path);
    free(real);
    file->backup = g_strconcat(file->path, SETUP_BACKUP, NULL);
    if (!read_if_there(file->path, &file->text, error) ||
        !read_if_there(file->backup, &file->before, error))
        return NULL;
    return g_steal_pointer(&file);
}

void setup_file_free(SetupFile *file)
{
    g_free(file->path);
    g_free(file->backup);
    g_free(file->text);
    g_free(file->before);
    g_free(file->wanted);
    g_free(file);
}

gboolean setup_file_changes(const SetupFile *file)
{
    return g_strcmp0(file->text, file->wanted) != 0;
}

/* ---- the diff ---- */

gchar *setup_file_diff(const SetupFile *file, GError **error)
{
    autofd int old = setup_text_fd(file->text ? file->text : "", error);
    autofd int new = old < 0 ? -1 : setup_text_fd(file->wanted ? file->wanted : "", error);
    if (new < 0)
        return NULL;
    g_autofree gchar *old_path = g_strdup_printf("/proc/self/fd/%d", old);
    g_autofree gchar *new_path = g_strdup_printf("/proc/self/fd/%d", new);
    const char *const argv[] = {"diff",    "-u",
                                "--label", file->text ? file->path : "/dev/null",
                                "--label", file->wanted ? file->path : "/dev/null",
                                old_path,  new_path,
                                NULL};
    /* 1: there are differences */
    return setup_run(argv, 1, error);
}

/* ---- writing ---- */

/* With the owner and mode that the file has. */
static gboolean write_like(const SetupFile *file, const char *path, const char *text,
                           GError **error)
{
    struct stat st = {.st_mode = NEW_MODE, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
    if (file->text && stat(file->path, &st) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at %s", file->path);
        return FALSE;
    }
    return file_replace_as(path, text, -1, st.st_mode & 07777, st.st_uid, st.st_gid, error) &&
           file_sync(path, error);
}

gboolean setup_file_write(const SetupFile *file, gboolean fresh, GError **error)
{
    if (!setup_file_changes(file))
        return TRUE;
    g_autofree gchar *folder = g_path_get_dirname(file->path);
    if (!file->text && !file_make_folder(folder, 0755, error))
        return FALSE;
    if (file->text && (fresh || !file->before) &&
        !write_like(file, file->backup, file->text, error))
        return FALSE;
    return write_like(file, file->path, file->wanted, error);
}

gboolean setup_file_revert(const SetupFile *file, GError **error)
{
    if (file->text && !file->wanted)
        return file_remove(file->path, error) && file_remove(file->backup, error);
    if (setup_file_changes(file) && !write_like(file, file->path, file->wanted, error))
        return FALSE;
    return file_remove(file->backup, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "monitor_exec.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "spec_opennebula.h"

#include <string.h>
#include <sys/stat.h>

enum {
    OUTPUT_MAX = EXEC_REPORT_MAX - 1024, /* of both outputs in a line */
};

static gboolean is_base64(const char *text)
{
    gsize letters =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    return text[letters + strspn(text + letters, "=")] == '\0';
}

/* Whole groups of four: the beginning still decodes. */
static gsize cut(const char *text, gsize most)
{
    return MIN(strlen(text), most) / 4 * 4;
}

gchar *monitor_exec_line(const ExecRecord *record, const char *number)
{
    const char *out = record->output, *err = record->errors;
    if (record->status == EXEC_RUNNING || !is_base64(out) || !is_base64(err))
        return NULL;
    /* What one of them leaves over of its half, the other may use. */
    gsize out_length = cut(out, MAX(OUTPUT_MAX / 2, OUTPUT_MAX - MIN(strlen(err), OUTPUT_MAX)));
    gsize err_length = cut(err, OUTPUT_MAX - out_length);
    return g_strdup_printf("VM=[ID=\"%s\",PID=\"%d\",STATUS=\"%s\",RETURN_CODE=\"%d\","
                           "STDOUT=\"%.*s\",STDERR=\"%.*s\"]\n",
                           number, record->pid, exec_status_name(record->status),
                           record->return_code, (int)out_length, out, (int)err_length, err);
}

/* A result that was told: the file that it stood in. */
typedef struct {
    gchar *path;
    struct stat st;
} Told;

static void told_clear(gpointer data)
{
    g_free(((Told *)data)->path);
}

/* Another command may have begun meanwhile: its file has taken the place of the one that was read.
 * An inode's number alone is taken again at once. */
static gboolean is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void forget(const Told *told)
{
    struct stat st;
    g_autoptr(GError) failure = NULL;
    if (stat(told->path, &st) == 0 && is_same(&st, &told->st) && !file_remove(told->path, &failure))
        log_warn("a result is told again: %s", failure->message);
}

/* FALSE when it has no place any more in this run's TEXT. */
static gboolean add_result(const Config *config, const char *folder, const char *name,
                           GString *text, GArray *told)
{
    g_autofree gchar *id = g_strndup(name, strlen(name) - strlen(".json"));
    const char *number = vm_id_valid(id) ? opennebula_number(id) : NULL;
    Told result = {.path = g_build_filename(folder, name, NULL)};
    g_autoptr(ExecRecord) record =
        number && stat(result.path, &result.st) == 0 ? exec_record_load(config, id, NULL) : NULL;
    g_autofree gchar *line = record ? monitor_exec_line(record, number) : NULL;
    gboolean fits = !line || text->len == 0 || text->len + strlen(line) <= EXEC_REPORT_MAX;
    if (!line || !fits) {
        told_clear(&result);
        return fits;
    }
    g_string_append(text, line);
    g_array_append_val(told, result);
    return TRUE;
}

/* NULL without an error where no command has ever been run. */
static GDir *open_results(const char *folder, GError **error)
{
    GError *failure = NULL;
    GDir *files = g_dir_open(folder, 0, &failure);
    if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_clear_error(&failure);
    if (failure) {
        g_propagate_error(error, failure);
        vmdock_error_adopt(error, VMDOCK_ERROR_IO);
    }
    return files;
}

gboolean monitor_vm_execution(const Config *config, MonitorTell tell_text, gpointer data,
                              GError **error)
{
    GError *failure = NULL;
    g_autofree gchar *folder = g_build_filename(config->run_dir, "exec", NULL);
    g_autoptr(GDir) files = open_results(folder, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GArray) told = g_array_new(FALSE, FALSE, sizeof(Told));
    g_array_set_clear_func(told, told_clear);
    for (const char *name; files && (name = g_dir_read_name(files));)
        if (g_str_has_suffix(name, ".json") && !add_result(config, folder, name, text, told))
            break;
    if (!tell_text(text->str, data, error))
        return FALSE;
    for (guint i = 0; i < told->len; i++)
        forget(&g_array_index(told, Told, i));
    return TRUE;
}

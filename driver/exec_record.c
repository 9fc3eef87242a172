// SPDX-License-Identifier: Apache-2.0
#include "exec.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

#define SUFFIX ".json"

enum { MAX_RECORD = 64 * 1024 * 1024 };

static const char *const names[] = {"RUNNING", "DONE", "ERROR"};

const char *exec_status_name(ExecStatus status)
{
    return names[status];
}

void exec_record_free(ExecRecord *record)
{
    if (!record)
        return;
    g_free(record->deploy_id);
    g_free(record->vm);
    g_free(record->output);
    g_free(record->errors);
    g_free(record->exec_id);
    g_free(record);
}

static gchar *folder_path(const Config *config)
{
    return g_build_filename(config->run_dir, "exec", NULL);
}

static gchar *record_path(const Config *config, const char *deploy_id)
{
    g_autofree gchar *folder = folder_path(config);
    g_autofree gchar *name = g_strconcat(deploy_id, SUFFIX, NULL);
    return g_build_filename(folder, name, NULL);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

gchar *exec_record_format(const ExecRecord *record)
{
    g_autoptr(json_t) json =
        json_pack("{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:i, s:I}", "id", text_or_empty(record->vm),
                  "pid", record->pid, "status", names[record->status], "return_code",
                  record->return_code, "stdout", text_or_empty(record->output), "stderr",
                  text_or_empty(record->errors), "exec", text_or_empty(record->exec_id), "worker",
                  record->worker, "worker_start", (json_int_t)record->worker_start);
    char *text = json_dumps(json, JSON_COMPACT);
    gchar *line = g_strconcat(text, "\n", NULL);
    free(text);
    return line;
}

static gboolean read_status(const char *text, ExecStatus *status)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *status = (ExecStatus)i;
            return TRUE;
        }
    return FALSE;
}

static gboolean unpack(const json_t *json, ExecRecord *record)
{
    const char *vm, *status, *output, *errors, *exec;
    json_int_t start = 0;
    if (json_unpack((json_t *)json, "{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:i, s:I}", "id", &vm,
                    "pid", &record->pid, "status", &status, "return_code", &record->return_code,
                    "stdout", &output, "stderr", &errors, "exec", &exec, "worker", &record->worker,
                    "worker_start", &start) != 0 ||
        !read_status(status, &record->status))
        return FALSE;
    record->vm = g_strdup(vm);
    record->output = g_strdup(output);
    record->errors = g_strdup(errors);
    record->exec_id = g_strdup(exec);
    record->worker_start = (guint64)start;
    return TRUE;
}

ExecRecord *exec_record_parse(const char *text, gsize length, GError **error)
{
    json_error_t where;
    g_autoptr(json_t) json = json_loadb(text, length, 0, &where);
    g_autoptr(ExecRecord) record = g_new0(ExecRecord, 1);
    if (json && unpack(json, record))
        return g_steal_pointer(&record);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "it is no record of a command");
    return NULL;
}

gboolean exec_record_save(const Config *config, const ExecRecord *record, GError **error)
{
    g_autofree gchar *folder = folder_path(config);
    if (!file_make_folder(folder, 0700, error))
        return FALSE;
    g_autofree gchar *path = record_path(config, record->deploy_id);
    g_autofree gchar *text = exec_record_format(record);
    return file_replace(path, text, -1, 0600, error);
}

/* A worker that was killed, or ended by a loss of power, cannot say so itself. */
static void look_after(ExecRecord *record)
{
    static const char lost[] = "vmdock: the process that waited for the command is gone\n";
    guint64 start = process_start(record->worker);
    if (record->status != EXEC_RUNNING || (start > 0 && start == record->worker_start))
        return;
    record->status = EXEC_ERROR;
    g_free(record->errors);
    record->errors = g_base64_encode((const guchar *)lost, strlen(lost));
}

ExecRecord *exec_record_load(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = record_path(config, deploy_id);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return NULL;
    gsize length = 0;
    g_autofree gchar *text = file_read(path, MAX_RECORD, &length, error);
    ExecRecord *record = text ? exec_record_parse(text, length, error) : NULL;
    if (!record) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    record->deploy_id = g_strdup(deploy_id);
    look_after(record);
    return record;
}

gboolean exec_forget(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = record_path(config, deploy_id);
    return file_remove_drafts(path, error) && file_remove(path, error);
}

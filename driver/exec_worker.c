// SPDX-License-Identifier: Apache-2.0
/* The process that holds a command: alone with it until it ends. */
#include "exec.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define RUNS "runs"

enum {
    MAX_REPORT = 4096,
    WAIT_MS = 500, /* how long a wish to stop may go unseen */
};

/* One stream of output: the first bytes of it. */
typedef struct {
    GByteArray *bytes;
    gboolean cut;
} Kept;

typedef struct {
    const Config *config;
    const char *deploy_id, *container_id;
    const ExecRequest *request;
    int report;
    gint pid; /* of the command, once it runs */
    gchar *exec_id;
    Kept output, errors;
} Worker;

/* ---- the report --------------------------------------------------------------------------------
 */

static gboolean write_report(Worker *worker, const char *text)
{
    ssize_t n = write(worker->report, text, strlen(text));
    close(worker->report);
    worker->report = -1;
    return n == (ssize_t)strlen(text);
}

static void report_failure(Worker *worker, const GError *error)
{
    g_autofree gchar *line = vmdock_one_line(error->message, MAX_REPORT - 16);
    gboolean ours = error->domain == VMDOCK_ERROR;
    g_autofree gchar *text =
        g_strdup_printf("%d %s", ours ? error->code : (gint)VMDOCK_ERROR_INTERNAL, line);
    write_report(worker, text);
}

static gboolean read_report(int report, GString *text, GError **error)
{
    for (;;) {
        char piece[MAX_REPORT];
        struct pollfd one = {.fd = report, .events = POLLIN};
        if (!interrupt_check(error))
            return FALSE;
        if (poll(&one, 1, WAIT_MS) <= 0)
            continue;
        ssize_t n = read(report, piece, sizeof piece);
        if (n == 0)
            return TRUE;
        if (n > 0)
            g_string_append_len(text, piece, n);
    }
}

gboolean exec_told(int report, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (!read_report(report, text, error))
        return FALSE;
    if (strcmp(text->str, RUNS) == 0)
        return TRUE;
    char *words = NULL;
    guint64 code = g_ascii_strtoull(text->str, &words, 10);
    if (*words == ' ' && code < VMDOCK_ERROR_LAST)
        g_set_error_literal(error, VMDOCK_ERROR, (gint)code, words + 1);
    else
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL,
                            "the process that starts the command ended by itself");
    return FALSE;
}

/* ---- the record --------------------------------------------------------------------------------
 */

static gchar *encode(const Kept *kept)
{
    return g_base64_encode(kept->bytes->data ? kept->bytes->data : (const guchar *)"",
                           kept->bytes->len);
}

static ExecRecord *make_record(const Worker *worker, ExecStatus status, gint return_code)
{
    ExecRecord *record = g_new0(ExecRecord, 1);
    record->deploy_id = g_strdup(worker->deploy_id);
    record->vm = g_strdup(worker->request->vm);
    record->exec_id = g_strdup(worker->exec_id);
    record->pid = worker->pid;
    record->status = status;
    record->return_code = return_code;
    record->worker = getpid();
    record->worker_start = process_start(record->worker);
    record->output = encode(&worker->output);
    record->errors = encode(&worker->errors);
    return record;
}

static gboolean save_running(const Worker *worker, GError **error)
{
    g_autoptr(ExecRecord) record = make_record(worker, EXEC_RUNNING, 0);
    return exec_record_save(worker->config, record, error);
}

/* Another action may take long; the result is worth the wait. */
static HostLock *wait_for_lock(Host *host, const char *deploy_id)
{
    for (;;) {
        g_autoptr(GError) failure = NULL;
        HostLock *lock = host_lock(host, deploy_id, &failure);
        if (lock || !vmdock_error_is(failure, VMDOCK_ERROR_BUSY))
            return lock;
    }
}

/* Under the VM's lock: a command that was cancelled, or whose VM was purged, has no record. */
static void save_result(const Worker *worker, Host *host, ExecStatus status, gint return_code)
{
    interrupt_hold();
    g_autoptr(HostLock) lock = wait_for_lock(host, worker->deploy_id);
    g_autoptr(ExecRecord) now = exec_record_load(worker->config, worker->deploy_id, NULL);
    if (now && strcmp(now->exec_id, worker->exec_id) == 0) {
        g_autoptr(ExecRecord) record = make_record(worker, status, return_code);
        exec_record_save(worker->config, record, NULL);
    }
    interrupt_allow();
}

/* ---- the command -------------------------------------------------------------------------------
 */

static void keep(Kept *kept, const char *bytes, gsize length, gsize most)
{
    gsize room = most - MIN(most, kept->bytes->len);
    g_byte_array_append(kept->bytes, (const guint8 *)bytes, (guint)MIN(length, room));
    kept->cut = kept->cut || length > room;
}

static gboolean take_output(int stream, const char *bytes, gsize length, gpointer data,
                            GError **error G_GNUC_UNUSED)
{
    Worker *worker = data;
    keep(stream == 2 ? &worker->errors : &worker->output, bytes, length,
         worker->config->exec_output_bytes);
    return TRUE;
}

/* A front end that has gone away in the meantime takes the command for failed. */
static gboolean take_start(const char *exec_id, gint pid, gpointer data, GError **error)
{
    Worker *worker = data;
    worker->exec_id = g_strdup(exec_id);
    worker->pid = pid;
    if (!save_running(worker, error))
        return FALSE;
    if (write_report(worker, RUNS))
        return TRUE;
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERRUPTED, "nobody waits for it");
    exec_forget(worker->config, worker->deploy_id, NULL);
    return FALSE;
}

static void say(Kept *kept, const char *text)
{
    g_byte_array_append(kept->bytes, (const guint8 *)text, (guint)strlen(text));
}

static void say_what_is_missing(Worker *worker, const GError *failure)
{
    g_autofree gchar *cut =
        g_strdup_printf("\nvmdock: only the first %" G_GUINT64_FORMAT " bytes of its %s are kept\n",
                        worker->config->exec_output_bytes,
                        !worker->errors.cut   ? "output"
                        : !worker->output.cut ? "errors"
                                              : "output and its errors");
    if (worker->output.cut || worker->errors.cut)
        say(&worker->errors, cut);
    if (failure) {
        g_autofree gchar *line = g_strdup_printf("\nvmdock: %s\n", failure->message);
        say(&worker->errors, line);
    }
}

/* A command whose end will not be seen is ended. */
static void finish(Worker *worker, Host *host, const GError *failure, gint return_code)
{
    if (failure)
        process_kill_session(worker->pid, worker->container_id, NULL);
    say_what_is_missing(worker, failure);
    save_result(worker, host, failure ? EXEC_ERROR : EXEC_DONE, return_code);
}

static void run(Worker *worker)
{
    const char *const argv[] = {"/bin/sh", "-c", worker->request->command, NULL};
    EngineCommand command = {
        .argv = argv,
        .input = worker->request->input,
        .input_length = worker->request->input_length,
        .started = take_start,
        .output = take_output,
        .data = worker,
    };
    gint return_code = 0;
    g_autoptr(GError) failure = NULL;
    g_autoptr(Host) host = host_open(worker->config, &failure);
    if (host)
        engine_run(host->engine, worker->container_id, &command, &return_code, &failure);
    if (worker->pid > 0)
        finish(worker, host, failure, return_code);
    if (worker->report >= 0 && failure)
        report_failure(worker, failure);
}

void exec_worker(const Config *config, const char *deploy_id, const char *container_id,
                 const ExecRequest *request, int report)
{
    Worker worker = {
        .config = config,
        .deploy_id = deploy_id,
        .container_id = container_id,
        .request = request,
        .report = report,
        .output = {g_byte_array_new(), FALSE},
        .errors = {g_byte_array_new(), FALSE},
    };
    run(&worker);
    if (worker.report >= 0)
        close(worker.report);
    g_byte_array_unref(worker.output.bytes);
    g_byte_array_unref(worker.errors.bytes);
    g_free(worker.exec_id);
}

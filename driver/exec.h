// SPDX-License-Identifier: Apache-2.0
/*
 * Commands that the cloud runs in a VM: begun by one action, ended by another, and told of by a
 * probe. One at a time a VM.
 *
 * Contract: OpenNebula's VMM actions exec and exec_cancel, and its vm/execution probe (7.x).
 *
 * The command is /bin/sh -c COMMAND as the container's user. A process of its own holds its stdin
 * and output until it ends, and keeps the result in
 *   <run>/exec/<deploy-id>.json, 0600, replaced atomically:
 *   {"id": "42", "pid": 4242, "status": "RUNNING|DONE|ERROR", "return_code": 0,
 *    "stdout": "base64", "stderr": "base64",
 *    "exec": "the engine's id", "worker": 4711, "worker_start": 123456}
 * ERROR is a command whose end nobody saw; stderr says why. It stays until the probe has told it
 * and exec_forget() removes it, another command begins, the command is cancelled or the VM goes.
 */
#pragma once

#include "host.h"

typedef enum { EXEC_RUNNING, EXEC_DONE, EXEC_ERROR } ExecStatus;
/* "RUNNING". */
const char *exec_status_name(ExecStatus status);

typedef struct {
    gchar *deploy_id;
    gchar *vm; /* the cloud's id */
    gint pid;  /* on the host; 0 = not known */
    ExecStatus status;
    gint return_code;
    gchar *output, *errors; /* base64 */
    gchar *exec_id;
    gint worker;          /* the process that waits for it */
    guint64 worker_start; /* in clock ticks since boot: no other process has both */
} ExecRecord;

void exec_record_free(ExecRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExecRecord, exec_record_free)

/*
 * The VM's record, NULL without error when there is none. One that says RUNNING and whose worker is
 * no more comes as ERROR. Errors: IO.
 */
ExecRecord *exec_record_load(const Config *config, const char *deploy_id, GError **error);
gboolean exec_record_save(const Config *config, const ExecRecord *record, GError **error);
/* Removes it; fine if there is none. */
gboolean exec_forget(const Config *config, const char *deploy_id, GError **error);

/* The record's form, pure. */
gchar *exec_record_format(const ExecRecord *record);
/* Errors: IO. */
ExecRecord *exec_record_parse(const char *text, gsize length, GError **error);

typedef struct {
    const char *vm;      /* the cloud's id */
    const char *command; /* for the shell */
    const char *input;   /* NULL = no stdin */
    gsize input_length;
} ExecRequest;

/*
 * Returns as soon as the command runs. Errors: STATE when the VM does not run or another
 * command does, ENGINE_REFUSED for an image without a shell.
 */
gboolean vm_exec(Host *host, const char *deploy_id, const ExecRequest *request, GError **error);
/* Ends the command, and every process of its session, and forgets it; fine if there is none. */
gboolean vm_exec_cancel(Host *host, const char *deploy_id, GError **error);

/*
 * What the process does that holds the command, made by vm_exec(): runs it to its end and keeps the
 * result. When it runs, or cannot, that is told to the descriptor REPORT (exec_told), which is
 * closed then; a command that nobody waits for any more is ended.
 */
void exec_worker(const Config *config, const char *deploy_id, const char *container_id,
                 const ExecRequest *request, int report);
/* Reads a report to its end: TRUE when the command runs. */
gboolean exec_told(int report, GError **error);

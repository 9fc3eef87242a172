// SPDX-License-Identifier: Apache-2.0
/* exec and exec_cancel: the actions. The command itself is exec_worker.c's. */
#include "exec.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

static void null_standard_files(void)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
}

/*
 * The caller waits until nobody holds its pipes any more, and takes its lock back when nobody holds
 * that: so the worker keeps nothing open but the report. Nothing of this process is used on: it may
 * be in any state.
 */
static G_GNUC_NORETURN void become_worker(const Config *config, const char *deploy_id,
                                          const char *container_id, const ExecRequest *request,
                                          int report)
{
    enum { REPORT = STDERR_FILENO + 1 };
    log_set_sink(NULL, LOG_INFO, NULL);
    setsid();
    if (fork() != 0)
        _exit(0);
    null_standard_files();
    if (report != REPORT)
        dup3(report, REPORT, O_CLOEXEC);
    close_range(REPORT + 1, ~0U, 0);
    if (chdir("/") == 0)
        exec_worker(config, deploy_id, container_id, request, REPORT);
    _exit(0);
}

/* Two generations: the worker is nobody's child, so nobody need wait for it. */
static gboolean start_worker(const Config *config, const char *deploy_id, const char *container_id,
                             const ExecRequest *request, GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, errno, "cannot make a pipe");
        return FALSE;
    }
    pid_t child = fork();
    if (child == 0)
        become_worker(config, deploy_id, container_id, request, ends[1]);
    int why = errno;
    close(ends[1]);
    autofd int report = ends[0];
    if (child < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, why, "cannot make a process");
        return FALSE;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return exec_told(report, error);
}

/* The engine says which process it is: the record's number may be old. */
static gboolean end_command(Host *host, const char *deploy_id, const ExecRecord *record,
                            GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, deploy_id, &failure);
    gint pid = 0;
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    return !container || (engine_run_pid(host->engine, record->exec_id, &pid, error) &&
                          (pid == 0 || process_kill_session(pid, container->id, error)));
}

/* What an earlier command left is nobody's any more, but one that runs; one that its worker did not
 * see the end of is ended. */
static gboolean make_room(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) unreadable = NULL;
    g_autoptr(ExecRecord) record = exec_record_load(host->config, deploy_id, &unreadable);
    if (unreadable)
        log_warn("VM %s: %s", deploy_id, unreadable->message);
    if (!record || record->status != EXEC_RUNNING)
        return (!record || record->status != EXEC_ERROR ||
                end_command(host, deploy_id, record, error)) &&
               exec_forget(host->config, deploy_id, error);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                "another command runs in it (process %d): wait for it, or cancel it", record->pid);
    return FALSE;
}

static gboolean exec_locked(Host *host, const char *deploy_id, const ExecRequest *request,
                            GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (container->state != ENGINE_RUNNING) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "it %s, so no command can run in it",
                    container->state == ENGINE_PAUSED ? "is paused" : "does not run");
        return FALSE;
    }
    return make_room(host, deploy_id, error) && interrupt_check(error) &&
           start_worker(host->config, deploy_id, container->id, request, error);
}

gboolean vm_exec(Host *host, const char *deploy_id, const ExecRequest *request, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, exec_locked(host, deploy_id, request, error), error);
}

/* The worker sees the end, and finds no record of its command: it keeps none then. */
static gboolean cancel_locked(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) unreadable = NULL;
    g_autoptr(ExecRecord) record = exec_record_load(host->config, deploy_id, &unreadable);
    if (unreadable)
        log_warn("VM %s: %s", deploy_id, unreadable->message);
    return (!record || end_command(host, deploy_id, record, error)) &&
           exec_forget(host->config, deploy_id, error);
}

gboolean vm_exec_cancel(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, cancel_locked(host, deploy_id, error), error);
}

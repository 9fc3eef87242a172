// SPDX-License-Identifier: Apache-2.0
/* Records of commands, and the processes that they name. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/exec.h"
#include "driver/file.h"
#include "driver/process.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static ExecRecord *example(void)
{
    ExecRecord *record = g_new0(ExecRecord, 1);
    record->deploy_id = g_strdup("one-42");
    record->vm = g_strdup("42");
    record->pid = 4242;
    record->status = EXEC_DONE;
    record->return_code = 3;
    record->output = g_strdup("b3V0");
    record->errors = g_strdup("");
    record->exec_id = g_strdup("abc");
    record->worker = 17;
    record->worker_start = G_GUINT64_CONSTANT(987654321012);
    return record;
}

static void test_form(void)
{
    g_autoptr(ExecRecord) record = example();
    g_autofree gchar *text = exec_record_format(record);
    g_assert_cmpstr(text, ==,
                    "{\"id\":\"42\",\"pid\":4242,\"status\":\"DONE\",\"return_code\":3,"
                    "\"stdout\":\"b3V0\",\"stderr\":\"\",\"exec\":\"abc\",\"worker\":17,"
                    "\"worker_start\":987654321012}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(ExecRecord) again = exec_record_parse(text, strlen(text), &error);
    g_assert_no_error(error);
    again->deploy_id = g_strdup("one-42");
    g_autofree gchar *second = exec_record_format(again);
    g_assert_cmpstr(text, ==, second);
}

static void test_no_record(void)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"id\":\"42\"",
        "{\"id\":42,\"pid\":1,\"status\":\"DONE\",\"return_code\":0,\"stdout\":\"\",\"stderr\":"
        "\"\","
        "\"exec\":\"\",\"worker\":1,\"worker_start\":1}",
        "{\"id\":\"42\",\"pid\":1,\"status\":\"GONE\",\"return_code\":0,\"stdout\":\"\","
        "\"stderr\":\"\",\"exec\":\"\",\"worker\":1,\"worker_start\":1}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(exec_record_parse(texts[i], strlen(texts[i]), &error));
        g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_IO));
    }
}

static gchar *scratch(void)
{
    g_autoptr(GError) error = NULL;
    gchar *folder = g_dir_make_tmp("vmdock-exec-XXXXXX", &error);
    g_assert_no_error(error);
    return folder;
}

static void test_files(void)
{
    g_autofree gchar *folder = scratch();
    Config config = {.run_dir = folder};
    g_autoptr(GError) error = NULL;
    g_assert_null(exec_record_load(&config, "one-42", &error));
    g_assert_no_error(error);
    g_autoptr(ExecRecord) record = example();
    g_assert_true(exec_record_save(&config, record, &error));
    g_autofree gchar *path = g_build_filename(folder, "exec", "one-42.json", NULL);
    GStatBuf status;
    g_assert_cmpint(g_stat(path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    g_autofree gchar *bad = g_build_filename(folder, "exec", "one-43.json", NULL);
    g_assert_true(file_replace(bad, "{", 1, 0600, &error));
    g_assert_null(exec_record_load(&config, "one-43", &error));
    g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_IO));
    g_clear_error(&error);
    g_autoptr(ExecRecord) loaded = exec_record_load(&config, "one-42", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(loaded->deploy_id, ==, "one-42");
    g_assert_cmpint(loaded->return_code, ==, 3);
    g_assert_true(exec_forget(&config, "one-42", &error));
    g_assert_true(exec_forget(&config, "one-42", &error));
    g_assert_null(exec_record_load(&config, "one-42", &error));
    g_assert_true(file_remove_tree(folder, NULL));
}

static ExecStatus status_with_worker(const Config *config, gint worker, guint64 start)
{
    g_autoptr(ExecRecord) record = example();
    record->status = EXEC_RUNNING;
    record->worker = worker;
    record->worker_start = start;
    g_assert_true(exec_record_save(config, record, NULL));
    g_autoptr(ExecRecord) loaded = exec_record_load(config, "one-42", NULL);
    return loaded->status;
}

static void test_lost_worker(void)
{
    g_autofree gchar *folder = scratch();
    Config config = {.run_dir = folder};
    guint64 own = process_start(getpid());
    g_assert_cmpuint(own, >, 0);
    g_assert_cmpint(status_with_worker(&config, getpid(), own), ==, EXEC_RUNNING);
    /* the number is another process's by now */
    g_assert_cmpint(status_with_worker(&config, getpid(), own - 1), ==, EXEC_ERROR);
    g_assert_cmpint(status_with_worker(&config, G_MAXINT, own), ==, EXEC_ERROR);
    g_assert_cmpint(status_with_worker(&config, -1, 0), ==, EXEC_ERROR);
    g_assert_true(file_remove_tree(folder, NULL));
}

/* A session of a process and its child; returns the leader when both are there. */
static pid_t make_session(pid_t *child)
{
    int ready[2];
    g_assert_cmpint(pipe(ready), ==, 0);
    pid_t leader = fork();
    if (leader == 0) {
        setsid();
        pid_t own = fork();
        if (own != 0 && write(ready[1], &own, sizeof own) != sizeof own)
            _exit(1);
        for (;;)
            pause();
    }
    g_assert_cmpint(read(ready[0], child, sizeof *child), ==, sizeof *child);
    close(ready[0]);
    close(ready[1]);
    return leader;
}

static void test_kill_session(void)
{
    g_autoptr(GError) error = NULL;
    pid_t child, leader = make_session(&child);
    /* not of that container: left alone */
    g_assert_true(process_kill_session(leader, "no such container", &error));
    g_assert_cmpint(kill(leader, 0), ==, 0);
    g_assert_cmpint(waitpid(leader, NULL, WNOHANG), ==, 0);
    /* every line of a cgroup file has a colon */
    g_assert_true(process_kill_session(leader, ":", &error));
    g_assert_no_error(error);
    int status;
    g_assert_cmpint(waitpid(leader, &status, 0), ==, leader);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (guint i = 0; i < 200 && process_start(child) && kill(child, 0) == 0; i++)
        g_usleep(10000);
    /* nobody's zombie may be left where nobody reaps */
    g_autofree gchar *path = g_strdup_printf("/proc/%d/stat", child);
    g_autofree gchar *stat = file_read(path, 4096, NULL, NULL);
    g_assert_true(!stat || strstr(stat, ") Z "));
    g_assert_true(process_kill_session(leader, ":", &error));
}

static void test_process_start(void)
{
    g_assert_cmpuint(process_start(0), ==, 0);
    g_assert_cmpuint(process_start(-1), ==, 0);
    g_assert_cmpuint(process_start(G_MAXINT), ==, 0);
}

/* What has ended is told as ended, whoever may still have to take note of it. */
static void test_watch(void)
{
    g_autoptr(GError) error = NULL;
    gboolean ended = TRUE;
    gint given_up = FALSE;
    gint64 begin = g_get_monotonic_time();
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    g_assert_true(process_watch(child, 30, NULL, &ended, &error));
    g_assert_no_error(error);
    g_assert_false(ended);
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, 30 * G_TIME_SPAN_MILLISECOND);
    g_assert_true(process_watch(child, 0, &given_up, &ended, &error));
    g_assert_false(ended);
    g_atomic_int_set(&given_up, TRUE);
    g_assert_true(process_watch(child, 3600 * 1000, &given_up, &ended, &error));
    g_assert_false(ended);
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_true(process_watch(child, 3600 * 1000, NULL, &ended, &error));
    g_assert_true(ended);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    g_assert_true(process_watch(child, 3600 * 1000, NULL, &ended, &error));
    g_assert_true(ended);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exec/form", test_form);
    g_test_add_func("/exec/no-record", test_no_record);
    g_test_add_func("/exec/files", test_files);
    g_test_add_func("/exec/lost-worker", test_lost_worker);
    g_test_add_func("/exec/process-start", test_process_start);
    /* valgrind knows no pidfd_open; every other stage has these tests */
    if (!g_getenv("VMDOCK_UNDER_VALGRIND")) {
        g_test_add_func("/exec/kill-session", test_kill_session);
        g_test_add_func("/exec/watch", test_watch);
    }
    return g_test_run();
}

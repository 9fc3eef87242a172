// SPDX-License-Identifier: Apache-2.0
/* The ground floor: errors, interrupts, files, locks, undo, log. */
#include "driver/error.h"
#include "driver/file.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "driver/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

typedef struct {
    gchar *folder;
} Scratch;

static void set_up(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    scratch->folder = g_dir_make_tmp("vmdock-test-XXXXXX", NULL);
    g_assert_nonnull(scratch->folder);
}

static void tear_down(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_assert_true(file_remove_tree(scratch->folder, NULL));
    g_free(scratch->folder);
}

static void test_statuses(void)
{
    const char *name, *text;
    int status;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (guint code = 0; vmdock_error_row(code, &name, &status, &text); code++) {
        g_assert_cmpint(status, !=, 42);
        g_assert_cmpint(status, >, 0);
        g_assert_true(g_hash_table_add(seen, GINT_TO_POINTER(status)));
        g_autoptr(GError) error = g_error_new(VMDOCK_ERROR, (gint)code, "x");
        g_assert_cmpint(vmdock_error_status(error), ==, status);
    }
    g_assert_cmpuint(g_hash_table_size(seen), ==, VMDOCK_ERROR_LAST);
}

static void test_full_disk_is_one_kind(void)
{
    g_autoptr(GError) error = NULL;
    vmdock_error_errno(&error, VMDOCK_ERROR_IO, ENOSPC, "cannot write %s", "x");
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_SPACE);
    g_assert_cmpstr(error->message, ==, "cannot write x: No space left on device");
}

static void test_one_line(void)
{
    static const struct {
        const char *text, *line;
        gsize max;
    } rows[] = {
        {"plain", "plain", 100},
        {" two\r\n\tlines \n", "two lines", 100},
        {"bell\a and \033[31mred", "bell and [31mred", 100},
        {"\xff\xfe", "??", 100},
        {"right-to-left \u202e trick", "right-to-left trick", 100},
        {"cut off here", "cut off", 13},
        {"just fits", "just fits", 14},
        {"just cut", "just cu", 12},
        {"two  blanks", "two blanks", 100},
        {"behind ", "behind", 100},
        {" ", "", 100},
        {"del\x7f"
         "ete",
         "del ete", 100},
        {"", "", 10},
        {NULL, "", 10},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *line = vmdock_one_line(rows[i].text, rows[i].max);
        g_assert_cmpstr(line, ==, rows[i].line);
    }
}

static void test_replace(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree gchar *path = g_build_filename(scratch->folder, "a", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(file_replace(path, "one", -1, 0600, &error));
    g_assert_true(file_replace(path, "two\0three", 9, 0640, &error));
    gsize length = 0;
    g_autofree gchar *text = file_read(path, 100, &length, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(text, length, "two\0three", 9);
    struct stat st;
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0640);
    g_assert_null(file_read(path, 8, NULL, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
    /* Nothing stands beside it. */
    g_autoptr(GDir) folder = g_dir_open(scratch->folder, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(folder), ==, "a");
    g_assert_null(g_dir_read_name(folder));
}

static void test_replace_cannot(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree gchar *path = g_build_filename(scratch->folder, "no", "such", "folder", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(file_replace(path, "x", -1, 0600, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
}

static void test_mark(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree gchar *path = g_build_filename(scratch->folder, "mark", NULL);
    g_autofree gchar *link = g_build_filename(scratch->folder, "link", NULL);
    g_autoptr(GError) error = NULL;
    struct stat st;
    const struct utimbuf long_ago = {1000, 1000};
    g_assert_true(file_mark(path, &error));
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
    g_assert_cmpint(st.st_size, ==, 0);
    g_assert_cmpint(utime(path, &long_ago), ==, 0);
    g_assert_true(file_mark(path, &error));
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mtim.tv_sec, >, 1000);
    g_assert_cmpint(symlink("elsewhere", link), ==, 0);
    g_assert_false(file_mark(link, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
}

/* What a writer that was killed has left beside its file; tests/torture kills one for real. */
static void test_drafts(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    static const char *const names[] = {"a", "a.draft-Xy12Zz", "ab.draft-Xy12Zz", "a.draft"};
    g_autofree gchar *path = g_build_filename(scratch->folder, names[0], NULL);
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree gchar *file = g_build_filename(scratch->folder, names[i], NULL);
        g_assert_true(g_file_set_contents(file, "x", -1, NULL));
    }
    g_assert_true(file_remove_drafts(path, &error));
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree gchar *file = g_build_filename(scratch->folder, names[i], NULL);
        g_assert_cmpint(g_file_test(file, G_FILE_TEST_EXISTS), ==, i != 1);
    }
    g_autofree gchar *other = g_build_filename(scratch->folder, names[2], NULL);
    g_assert_true(file_sweep_drafts(scratch->folder, 60, &error));
    g_assert_true(g_file_test(other, G_FILE_TEST_EXISTS));
    struct utimbuf hour_ago = {time(NULL) - 3600, time(NULL) - 3600};
    g_assert_cmpint(utime(other, &hour_ago), ==, 0);
    g_assert_cmpint(utime(path, &hour_ago), ==, 0);
    g_assert_true(file_sweep_drafts(scratch->folder, 60, &error));
    g_assert_false(g_file_test(other, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_autofree gchar *nowhere = g_build_filename(scratch->folder, "no", "such", NULL);
    g_assert_true(file_remove_drafts(nowhere, &error));
    g_assert_true(file_sweep_drafts(nowhere, 60, &error));
    g_assert_no_error(error);
}

static void test_remove_tree_keeps_link_targets(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree gchar *tree = g_build_filename(scratch->folder, "tree", "deep", NULL);
    g_autofree gchar *kept = g_build_filename(scratch->folder, "kept", NULL);
    g_autofree gchar *file = g_build_filename(kept, "file", NULL);
    g_autofree gchar *link = g_build_filename(tree, "link", NULL);
    g_autofree gchar *top = g_path_get_dirname(tree);
    g_assert_true(file_make_folder(tree, 0700, NULL));
    g_assert_true(file_make_folder(kept, 0700, NULL));
    g_assert_true(file_replace(file, "x", -1, 0600, NULL));
    g_assert_cmpint(symlink(kept, link), ==, 0);
    g_assert_true(file_remove_tree(top, NULL));
    g_assert_false(g_file_test(top, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
    g_assert_true(file_remove_tree(top, NULL));
}

typedef struct {
    gchar *names[2];
    gint ended;
} Renames;

static gpointer rename_on(gpointer data)
{
    Renames *it = data;
    for (guint i = 0; !g_atomic_int_get(&it->ended); i++)
        g_assert_cmpint(g_rename(it->names[i % 2], it->names[(i + 1) % 2]), ==, 0);
    if (!g_file_test(it->names[0], G_FILE_TEST_EXISTS))
        g_assert_cmpint(g_rename(it->names[1], it->names[0]), ==, 0);
    return NULL;
}

/* What is renamed elsewhere on the host has the kernel refuse "..", which is no error of the
 * path's. */
static void test_open_within(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    enum { OPENS = 20000 };
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    g_autofree gchar *inner = g_build_filename(scratch->folder, "inner", NULL);
    g_autofree gchar *one = g_build_filename(scratch->folder, "one", NULL);
    g_autofree gchar *two = g_build_filename(scratch->folder, "two", NULL);
    g_assert_true(file_make_folder(inner, 0700, NULL));
    g_assert_true(g_file_set_contents(one, "x", -1, NULL));
    Renames renames = {{one, two}, 0};
    GThread *thread = g_thread_new("renames", rename_on, &renames);
    int root = open(scratch->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(root, >=, 0);
    for (int i = 0; i < OPENS; i++) {
        int fd = file_open_within(root, "inner/../inner/../../../inner", &how);
        if (fd < 0)
            g_error("open %d: %s", i, g_strerror(errno));
        close(fd);
    }
    g_atomic_int_set(&renames.ended, 1);
    g_thread_join(thread);
    g_assert_cmpint(file_open_within(root, "inner/../one", &how), ==, -1);
    g_assert_cmpint(errno, ==, ENOTDIR);
    g_assert_cmpint(file_open_within(root, "nowhere", &how), ==, -1);
    g_assert_cmpint(errno, ==, ENOENT);
    close(root);
}

static void test_lock(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree gchar *path = g_build_filename(scratch->folder, "lock", NULL);
    g_autoptr(GError) error = NULL;
    int held = file_lock(path, 0, "VM one-1", &error);
    g_assert_no_error(error);
    g_assert_cmpint(file_lock(path, 20, "VM one-1", &error), ==, -1);
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_BUSY);
    g_assert_true(g_str_has_prefix(error->message, "VM one-1 is held"));
    close(held);
    g_clear_error(&error);
    held = file_lock(path, 0, "VM one-1", &error);
    g_assert_no_error(error);
    close(held);
}

/* A holder that dies, or that removes the file while another waits, must not let two in. */
static void test_lock_of_the_dead(Scratch *scratch, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree gchar *path = g_build_filename(scratch->folder, "lock", NULL);
    int ready[2];
    g_assert_cmpint(pipe(ready), ==, 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = file_lock(path, 0, "x", NULL);
        if (fd < 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char byte;
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    g_assert_cmpint(file_lock(path, 0, "x", NULL), ==, -1);
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    int first = file_lock(path, 1000, "x", NULL);
    g_assert_cmpint(first, >=, 0);
    g_assert_cmpint(g_unlink(path), ==, 0);
    int second = file_lock(path, 1000, "x", NULL);
    g_assert_cmpint(second, >=, 0);
    struct stat a, b;
    g_assert_cmpint(fstat(second, &a), ==, 0);
    g_assert_cmpint(stat(path, &b), ==, 0);
    g_assert_cmpuint(a.st_ino, ==, b.st_ino);
    close(first);
    close(second);
    close(ready[0]);
    close(ready[1]);
}

static gboolean letter_a(gpointer data, GError **error G_GNUC_UNUSED)
{
    g_string_append_c(data, 'a');
    return TRUE;
}

static gboolean letter_b(gpointer data, GError **error)
{
    g_string_append_c(data, 'b');
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "b fails");
    return FALSE;
}

static gboolean count_up(gpointer data, GError **error G_GNUC_UNUSED)
{
    *(guint *)data += 10;
    return TRUE;
}

static void count_freed(gpointer data)
{
    (*(guint *)data)++;
}

static void test_undo(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    Undo *undo = undo_new();
    undo_push(undo, "a", letter_a, order, NULL);
    undo_push(undo, "b", letter_b, order, NULL);
    undo_push(undo, "a", letter_a, order, NULL);
    undo_free(undo);
    /* In reverse, and the failure of one does not keep the older ones. */
    g_assert_cmpstr(order->str, ==, "aba");
    /* What a committed step was given is freed, and freed once. */
    undo = undo_new();
    guint freed = 0;
    undo_push(undo, "a", letter_a, order, NULL);
    undo_push(undo, "count", count_up, &freed, count_freed);
    undo_commit(undo);
    undo_free(undo);
    g_assert_cmpstr(order->str, ==, "aba");
    g_assert_cmpuint(freed, ==, 1);
    undo = undo_new();
    undo_push(undo, "count", count_up, &freed, count_freed);
    undo_free(undo);
    g_assert_cmpuint(freed, ==, 12);
}

static gboolean not_interrupted(gpointer data, GError **error G_GNUC_UNUSED)
{
    *(gboolean *)data = !interrupt_pending();
    return TRUE;
}

static void test_interrupt_in_child(void)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
        g_test_trap_assert_passed();
        return;
    }
    g_autoptr(GError) error = NULL;
    interrupt_install();
    g_assert_true(interrupt_check(&error));
    g_assert_cmpint(raise(SIGTERM), ==, 0);
    g_assert_cmpint(raise(SIGPIPE), ==, 0);
    g_assert_false(interrupt_check(&error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERRUPTED);
    g_assert_cmpint(vmdock_error_status(error), ==, 128 + SIGTERM);
    /* An undo is not cut short by the signal that caused it. */
    gboolean free_to_work = FALSE;
    Undo *undo = undo_new();
    undo_push(undo, "x", not_interrupted, &free_to_work, NULL);
    undo_free(undo);
    g_assert_true(free_to_work);
    g_assert_true(interrupt_pending());
}

static void collect(LogLevel level, const char *line, gpointer data)
{
    g_string_append_printf(data, "%d:%s;", (int)level, line);
}

static void test_log(void)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    log_info("nobody listens");
    log_set_sink(collect, LOG_INFO, lines);
    g_assert_false(log_enabled(LOG_TRACE));
    log_trace("not wanted");
    log_info("a %s\nb", "\033[0m");
    log_warn("c");
    log_set_sink(NULL, LOG_INFO, NULL);
    g_assert_cmpstr(lines->str, ==, "1:a [0m b;2:c;");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/statuses", test_statuses);
    g_test_add_func("/error/full-disk", test_full_disk_is_one_kind);
    g_test_add_func("/error/one-line", test_one_line);
    g_test_add("/file/replace", Scratch, NULL, set_up, test_replace, tear_down);
    g_test_add("/file/replace-cannot", Scratch, NULL, set_up, test_replace_cannot, tear_down);
    g_test_add("/file/mark", Scratch, NULL, set_up, test_mark, tear_down);
    g_test_add("/file/drafts", Scratch, NULL, set_up, test_drafts, tear_down);
    g_test_add("/file/remove-tree", Scratch, NULL, set_up, test_remove_tree_keeps_link_targets,
               tear_down);
    g_test_add("/file/lock", Scratch, NULL, set_up, test_lock, tear_down);
    g_test_add("/file/lock-of-the-dead", Scratch, NULL, set_up, test_lock_of_the_dead, tear_down);
    /* Debian 12's valgrind knows no openat2(2). */
    if (!g_getenv("VMDOCK_UNDER_VALGRIND"))
        g_test_add("/file/open-within", Scratch, NULL, set_up, test_open_within, tear_down);
    g_test_add_func("/undo", test_undo);
    g_test_add_func("/interrupt", test_interrupt_in_child);
    g_test_add_func("/log", test_log);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
#include "driver/error.h"
#include "driver/file.h"
#include "driver/samples.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECOND = 1000000 };

/* A run folder of its own for each test. */
typedef struct {
    Config config;
    gchar *file;
} Run;

static void run_set_up(Run *run, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    run->config.run_dir = g_dir_make_tmp("vmdock-samples-XXXXXX", &error);
    g_assert_no_error(error);
    run->config.sample_window_ms = 5000;
    run->file = g_build_filename(run->config.run_dir, "samples", NULL);
}

static void run_tear_down(Run *run, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    file_remove_tree(run->config.run_dir, &error);
    g_assert_no_error(error);
    g_free(run->config.run_dir);
    g_free(run->file);
}

static void save(SampleStore *store, gboolean complete)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(sample_store_save(store, complete, &error));
    g_assert_no_error(error);
}

/* One poll of a program of its own: load, ask for one VM, save. Times in seconds, as in DESIGN. */
static double poll_at(const Run *run, double seconds, double cpu_seconds, guint64 start_id,
                      double started)
{
    g_autoptr(SampleStore) store = sample_store_load(&run->config);
    Sample now = {
        .time_us = (gint64)(seconds * SECOND),
        .started_us = (gint64)(started * SECOND),
        .start_id = start_id,
        .cpu_ns = (guint64)(cpu_seconds * 1e9),
    };
    double percent = sample_store_cpu(store, "one-42", &now);
    save(store, TRUE);
    return percent;
}

static void assert_percent(double percent, double expected)
{
    g_assert_cmpfloat_with_epsilon(percent, expected, 1e-6);
}

static void test_first_poll(Run *run, gconstpointer data)
{
    (void)data;
    /* 100 s after its start, 50 s of CPU used: half a core. */
    assert_percent(poll_at(run, 1100, 50, 7, 1000), 50);
    /* Ten seconds on it has used two cores all the time. */
    assert_percent(poll_at(run, 1110, 70, 7, 0), 200);
    assert_percent(poll_at(run, 1120, 70, 7, 0), 0);
}

static void test_start_unknown(Run *run, gconstpointer data)
{
    (void)data;
    assert_percent(poll_at(run, 1100, 50, 7, 0), 0);
    assert_percent(poll_at(run, 1101, 51, 7, 0), 100);
    assert_percent(poll_at(run, 1110, 55, 7, 0), 50);
}

/* Many pollers: none of them makes the window shorter than 5 s, and none waits. */
static void test_window(Run *run, gconstpointer data)
{
    (void)data;
    poll_at(run, 1000, 100, 7, 900);
    assert_percent(poll_at(run, 1006, 106, 7, 0), 100); /* kept: 6 s later */
    for (guint i = 1; i < 40; i++)                      /* every 0.1 s, one core busy */
        assert_percent(poll_at(run, 1006 + i * 0.1, 106 + i * 0.1, 7, 0), 100);
    /* Now it idles. The figure falls over the window from 1000 on, not at once. */
    assert_percent(poll_at(run, 1010.5, 110, 7, 0), 100 * 10 / 10.5);
    /* 1006 is 5.5 s old: it becomes the older sample. */
    assert_percent(poll_at(run, 1011.5, 110, 7, 0), 100 * 4 / 5.5);
    assert_percent(poll_at(run, 1012.5, 110, 7, 0), 100 * 4 / 6.5);
    assert_percent(poll_at(run, 1016.5, 110, 7, 0), 0);
}

static void test_restarted(Run *run, gconstpointer data)
{
    (void)data;
    poll_at(run, 1000, 100, 7, 900);
    poll_at(run, 1010, 110, 7, 0);
    /* Another cgroup: the mean since its own start, though its counter is already higher. */
    assert_percent(poll_at(run, 1020, 130, 8, 760), 50);
    assert_percent(poll_at(run, 1030, 130, 8, 0), 0);
    /* The same inode with the counter or the clock backwards is another one too. */
    assert_percent(poll_at(run, 1040, 5, 8, 1030), 50);
    assert_percent(poll_at(run, 20, 6, 8, 10), 60);
    assert_percent(poll_at(run, 30, 16, 8, 0), 100);
}

static void test_knows(Run *run, gconstpointer data)
{
    (void)data;
    poll_at(run, 1000, 100, 7, 900);
    g_autoptr(SampleStore) store = sample_store_load(&run->config);
    g_assert_true(sample_store_knows(store, "one-42", 7));
    g_assert_false(sample_store_knows(store, "one-42", 8));
    g_assert_false(sample_store_knows(store, "one-43", 7));
}

static void test_gone(Run *run, gconstpointer data)
{
    (void)data;
    Sample now = {.time_us = 10 * SECOND, .start_id = 1};
    g_autoptr(SampleStore) store = sample_store_load(&run->config);
    sample_store_cpu(store, "one-1", &now);
    sample_store_cpu(store, "one-2", &now);
    save(store, TRUE);

    /* A poll of one VM takes no other away, one of all does. */
    g_autoptr(SampleStore) single = sample_store_load(&run->config);
    sample_store_cpu(single, "one-2", &now);
    save(single, FALSE);
    g_autoptr(SampleStore) all = sample_store_load(&run->config);
    g_assert_true(sample_store_knows(all, "one-1", 1));
    sample_store_cpu(all, "one-2", &now);
    save(all, TRUE);
    g_autoptr(SampleStore) after = sample_store_load(&run->config);
    g_assert_false(sample_store_knows(after, "one-1", 1));
    g_assert_true(sample_store_knows(after, "one-2", 1));
}

static void test_writes(Run *run, gconstpointer data)
{
    (void)data;
    struct stat first, second;
    poll_at(run, 1000, 100, 7, 900);
    g_assert_cmpint(stat(run->file, &first), ==, 0);
    g_assert_cmpuint(first.st_mode & 0777, ==, 0600);
    /* Within the window nothing changes, so nothing is written. */
    poll_at(run, 1001, 101, 7, 0);
    g_assert_cmpint(stat(run->file, &second), ==, 0);
    g_assert_cmpuint(first.st_ino, ==, second.st_ino);
    poll_at(run, 1008, 108, 7, 0);
    g_autofree gchar *text = NULL;
    g_assert_true(g_file_get_contents(run->file, &text, NULL, NULL));
    g_assert_cmpstr(text, ==,
                    "vmdock-samples 1\n"
                    "one-42 7 1000000000 100000000000 1008000000 108000000000\n");
}

static void test_makes_folder(Run *run, gconstpointer data)
{
    (void)data;
    Config config = run->config;
    g_autofree gchar *folder = g_build_filename(config.run_dir, "gone", NULL);
    config.run_dir = folder;
    Sample now = {.time_us = 10 * SECOND, .start_id = 1};
    g_autoptr(SampleStore) store = sample_store_load(&config);
    sample_store_cpu(store, "one-1", &now);
    save(store, TRUE);
    g_autofree gchar *file = g_build_filename(folder, "samples", NULL);
    g_assert_cmpint(access(file, F_OK), ==, 0);
}

static void test_cannot_write(Run *run, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    Config config = run->config;
    config.run_dir = run->file; /* a file where the folder should be */
    g_assert_true(g_file_set_contents(run->file, "", -1, NULL));
    Sample now = {.time_us = 10 * SECOND, .start_id = 1};
    g_autoptr(SampleStore) store = sample_store_load(&config);
    sample_store_cpu(store, "one-1", &now);
    g_assert_false(sample_store_save(store, TRUE, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
}

static gchar *parsed(const Run *run, const char *text, gsize length)
{
    g_autoptr(SampleStore) store = sample_store_load(&run->config);
    sample_store_parse(store, text, length);
    return sample_store_format(store);
}

static void test_damaged(Run *run, gconstpointer data)
{
    (void)data;
    static const char *const empty[] = {
        "",
        "vmdock-samples 2\none-1 1 2 3 4 5\n",
        "one-1 1 2 3 4 5\n",
        "vmdock-samples 1\none-1 1 2 3 4\n",
        "vmdock-samples 1\none-1 1 2 3 4 5 6\n",
        "vmdock-samples 1\n../../x 1 2 3 4 5\n",
        "vmdock-samples 1\none-1 1 2 3 4 -5\n",
        "vmdock-samples 1\none-1 1 4 3 2 5\n", /* the newer is older */
        "vmdock-samples 1\none-1 1 2 5 4 3\n", /* the counter falls */
        "vmdock-samples 1\none-1 1 2 3 9223372036854775808 5\n",
        "vmdock-samples 1\none-1 1 2 3 4 18446744073709551616\n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(empty); i++) {
        g_autofree gchar *text = parsed(run, empty[i], strlen(empty[i]));
        g_assert_cmpstr(text, ==, "vmdock-samples 1\n");
    }
    /* What is whole of a damaged file is kept. */
    const char *some = "vmdock-samples 1\nnova-b 1 2 3 4 5\nrubbish\none-1 1 0 0 4 5\none-2 1 2";
    g_autofree gchar *text = parsed(run, some, strlen(some));
    g_assert_cmpstr(text, ==, "vmdock-samples 1\nnova-b 1 2 3 4 5\none-1 1 0 0 4 5\n");
}

static void test_unreadable(Run *run, gconstpointer data)
{
    (void)data;
    g_assert_cmpint(g_mkdir_with_parents(run->file, 0700), ==, 0);
    g_autoptr(SampleStore) store = sample_store_load(&run->config);
    g_autofree gchar *text = sample_store_format(store);
    g_assert_cmpstr(text, ==, "vmdock-samples 1\n");
}

static void add_run_test(const char *path, void (*test)(Run *, gconstpointer))
{
    g_test_add(path, Run, NULL, run_set_up, test, run_tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_run_test("/samples/first-poll", test_first_poll);
    add_run_test("/samples/start-unknown", test_start_unknown);
    add_run_test("/samples/window", test_window);
    add_run_test("/samples/restarted", test_restarted);
    add_run_test("/samples/knows", test_knows);
    add_run_test("/samples/gone", test_gone);
    add_run_test("/samples/writes", test_writes);
    add_run_test("/samples/makes-folder", test_makes_folder);
    add_run_test("/samples/cannot-write", test_cannot_write);
    add_run_test("/samples/damaged", test_damaged);
    add_run_test("/samples/unreadable", test_unreadable);
    return g_test_run();
}

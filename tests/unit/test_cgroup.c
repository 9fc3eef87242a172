// SPDX-License-Identifier: Apache-2.0
#include "driver/error.h"
#include "driver/file.h"
#include "driver/samples.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID    "f9064ea0f84514e7c763b668dbc2e89bfd7b3f0fa87795112d31222e09fd1ff7"
#define OTHER "eb05fe981734baf4a59fbf1e37c084cac1e6eaf4d1b42c7ee9c473fa95955c00"

/* A cgroup file system of its own for each test, filled from the recordings. */
typedef struct {
    gchar *root;
} Tree;

static void tree_set_up(Tree *tree, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    tree->root = g_dir_make_tmp("vmdock-cgroup-XXXXXX", &error);
    g_assert_no_error(error);
}

static void tree_tear_down(Tree *tree, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    file_remove_tree(tree->root, &error);
    g_assert_no_error(error);
    g_free(tree->root);
}

static gchar *recording(const char *name)
{
    const char *data = g_getenv("VMDOCK_TEST_DATA");
    return g_build_filename(data ? data : "tests/data", "cgroup", name, NULL);
}

static void tree_write(const Tree *tree, const char *folder, const char *name, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *in = g_build_filename(tree->root, folder, NULL);
    g_autofree gchar *path = g_build_filename(in, name, NULL);
    g_assert_cmpint(g_mkdir_with_parents(in, 0755), ==, 0);
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
}

/* Copies the recorded files of FROM ("v1/memory") into FOLDER. */
static void tree_fill(const Tree *tree, const char *from, const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *source = recording(from);
    g_autoptr(GDir) files = g_dir_open(source, 0, &error);
    g_assert_no_error(error);
    for (const char *name; (name = g_dir_read_name(files));) {
        g_autofree gchar *path = g_build_filename(source, name, NULL);
        g_autofree gchar *text = NULL;
        g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        tree_write(tree, folder, name, text);
    }
}

static void tree_remove(const Tree *tree, const char *path)
{
    g_autofree gchar *whole = g_build_filename(tree->root, path, NULL);
    g_autoptr(GError) error = NULL;
    file_remove_tree(whole, &error);
    g_assert_no_error(error);
}

static CgroupReader *tree_open(const Tree *tree, const char *parent)
{
    g_autoptr(GError) error = NULL;
    CgroupReader *reader = cgroup_reader_open(tree->root, parent, &error);
    g_assert_no_error(error);
    g_assert_nonnull(reader);
    return reader;
}

static Sample read_sample(const CgroupReader *reader, const char *id, gboolean expected)
{
    g_autoptr(GError) error = NULL;
    Sample sample = {.oom_kills = 99, .net_rx = 99};
    gboolean found = !expected;
    gboolean done = cgroup_reader_read(reader, id, &sample, &found, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    g_assert_cmpint(found, ==, expected);
    g_assert_cmpint(cgroup_reader_has(reader, id), ==, expected);
    return sample;
}

static void fill_v1(const Tree *tree, const char *below)
{
    static const char *const controllers[] = {"cpu", "cpuacct", "memory", "blkio", "pids"};
    for (gsize i = 0; i < G_N_ELEMENTS(controllers); i++) {
        g_autofree gchar *from = g_build_filename("v1", controllers[i], NULL);
        g_autofree gchar *to = g_build_filename(controllers[i], below, NULL);
        tree_fill(tree, from, to);
    }
}

static void assert_recorded_v1(const Sample *sample)
{
    g_assert_cmpuint(sample->cpu_ns, ==, 534591236);
    g_assert_cmpuint(sample->throttled_us, ==, 361826);
    g_assert_cmpuint(sample->memory, ==, 27336704 - 25788416);
    g_assert_cmpuint(sample->memory_limit, ==, 64 * 1024 * 1024);
    g_assert_cmpuint(sample->oom_kills, ==, 1);
    g_assert_cmpuint(sample->disk_read_bytes, ==, 4395008);
    g_assert_cmpuint(sample->disk_write_bytes, ==, 8388608);
    g_assert_cmpuint(sample->disk_read_ops, ==, 16);
    g_assert_cmpuint(sample->disk_write_ops, ==, 8);
    g_assert_cmpuint(sample->pids, ==, 2);
    g_assert_cmpuint(sample->net_rx, ==, 0);
}

static void test_v1(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    g_assert_cmpuint(cgroup_reader_version(reader), ==, 1);
    gint64 before = sample_clock();
    Sample sample = read_sample(reader, ID, TRUE);
    assert_recorded_v1(&sample);
    g_assert_cmpint(sample.time_us, >=, before);
    g_assert_cmpint(sample.time_us, <=, sample_clock());

    g_autofree gchar *folder = g_build_filename(tree->root, "cpuacct/vmdock", ID, NULL);
    struct stat info;
    g_assert_cmpint(stat(folder, &info), ==, 0);
    g_assert_cmpuint(sample.start_id, ==, info.st_ino);
}

/* cpu and cpuacct in one mount, without the links that most hosts have. */
static void test_v1_together(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    tree_remove(tree, "cpu");
    tree_remove(tree, "cpuacct");
    tree_fill(tree, "v1/cpu", "cpu,cpuacct/vmdock/" ID);
    tree_fill(tree, "v1/cpuacct", "cpu,cpuacct/vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    Sample sample = read_sample(reader, ID, TRUE);
    assert_recorded_v1(&sample);
}

static void test_v1_systemd(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock.slice/docker-" ID ".scope");
    g_autoptr(CgroupReader) reader = tree_open(tree, "vmdock.slice");
    Sample sample = read_sample(reader, ID, TRUE);
    assert_recorded_v1(&sample);

    fill_v1(tree, "cloud.slice/cloud-vms.slice/cloud-vms-docker.slice/docker-" OTHER ".scope");
    g_autoptr(CgroupReader) nested = tree_open(tree, "cloud-vms-docker.slice");
    sample = read_sample(nested, OTHER, TRUE);
    assert_recorded_v1(&sample);
    read_sample(nested, ID, FALSE);
}

/* What a prefetch has kept is answered without the files; what it has not seen, from them. */
static void test_prefetch(Tree *tree, gconstpointer data)
{
    static const char *const parents[][3] = {
        {"/vmdock", "vmdock/" ID, "vmdock/" OTHER},
        {"vmdock.slice", "vmdock.slice/docker-" ID ".scope", "vmdock.slice/docker-" OTHER ".scope"},
    };
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(parents); i++) {
        fill_v1(tree, parents[i][1]);
        g_autoptr(CgroupReader) reader = tree_open(tree, parents[i][0]);
        cgroup_reader_prefetch(reader);
        fill_v1(tree, parents[i][2]);
        for (const char *const *name = (const char *const[]){"cpuacct", "memory", "cpu", NULL};
             *name; name++)
            tree_remove(tree, *name);
        g_assert_true(cgroup_reader_has(reader, ID));
        Sample sample = read_sample(reader, ID, TRUE);
        assert_recorded_v1(&sample);
        g_assert_false(cgroup_reader_has(reader, OTHER));
    }
}

static gpointer prefetch(gpointer reader)
{
    cgroup_reader_prefetch(reader);
    return NULL;
}

/* Threads share the containers out among them, and each is read. */
static void test_prefetch_shared(Tree *tree, gconstpointer data)
{
    enum { CONTAINERS = 40, THREADS = 3 };
    GThread *threads[THREADS];
    (void)data;
    for (guint i = 0; i < CONTAINERS; i++) {
        g_autofree gchar *place = g_strdup_printf("vmdock/%064x", i);
        fill_v1(tree, place);
    }
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("prefetch", prefetch, reader);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    tree_remove(tree, "cpuacct");
    tree_remove(tree, "memory");
    for (guint i = 0; i < CONTAINERS; i++) {
        g_autofree gchar *id = g_strdup_printf("%064x", i);
        Sample sample = read_sample(reader, id, TRUE);
        assert_recorded_v1(&sample);
    }
}

/* A brief reading has everything but what stands in files of its own. */
static void test_brief(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    Sample full = read_sample(reader, ID, TRUE);
    cgroup_reader_set_brief(reader);
    Sample brief = read_sample(reader, ID, TRUE);
    g_assert_cmpuint(brief.pids, ==, 0);
    g_assert_cmpuint(brief.throttled_us, ==, 0);
    g_assert_cmpuint(brief.oom_kills, ==, 0);
    g_assert_cmpuint(brief.disk_read_ops, ==, 0);
    brief.pids = full.pids;
    brief.throttled_us = full.throttled_us;
    brief.oom_kills = full.oom_kills;
    brief.disk_read_ops = full.disk_read_ops;
    brief.disk_write_ops = full.disk_write_ops;
    brief.time_us = full.time_us;
    assert_recorded_v1(&brief);
}

/* systemd's hybrid layout: the v2 side mount has no controllers that count. */
static void test_hybrid(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    tree_write(tree, "unified", "cgroup.controllers", "hugetlb\n");
    tree_write(tree, "unified/vmdock/" ID, "cpu.stat", "usage_usec 1\n");
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    g_assert_cmpuint(cgroup_reader_version(reader), ==, 1);
    Sample sample = read_sample(reader, ID, TRUE);
    assert_recorded_v1(&sample);
}

static void test_v1_missing_controllers(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    tree_remove(tree, "blkio");
    tree_remove(tree, "pids");
    tree_remove(tree, "memory/vmdock");
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    Sample sample = read_sample(reader, ID, TRUE);
    g_assert_cmpuint(sample.cpu_ns, ==, 534591236);
    g_assert_cmpuint(sample.disk_read_bytes, ==, 0);
    g_assert_cmpuint(sample.pids, ==, 0);
    g_assert_cmpuint(sample.memory, ==, 0);
    g_assert_cmpuint(sample.oom_kills, ==, 0);
}

/* Kernels before 5.4 have no recursive counters of the throttle policy. */
static void test_v1_older_names(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    tree_remove(tree, "blkio/vmdock/" ID "/blkio.throttle.io_service_bytes_recursive");
    tree_remove(tree, "blkio/vmdock/" ID "/blkio.throttle.io_serviced_recursive");
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    Sample sample = read_sample(reader, ID, TRUE);
    assert_recorded_v1(&sample);
}

static void test_v1_no_limit(Tree *tree, gconstpointer data)
{
    (void)data;
    static const char *const none[] = {"9223372036854771712", "9223372036854710272"};
    fill_v1(tree, "vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        g_autofree gchar *text = g_strdup_printf(
            "hierarchical_memory_limit %s\ntotal_inactive_file 99999999\n", none[i]);
        tree_write(tree, "memory/vmdock/" ID, "memory.stat", text);
        Sample sample = read_sample(reader, ID, TRUE);
        g_assert_cmpuint(sample.memory_limit, ==, 0);
        g_assert_cmpuint(sample.memory, ==, 0); /* never below nothing */
    }
}

static void test_v2(Tree *tree, gconstpointer data)
{
    (void)data;
    tree_write(tree, ".", "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
    tree_fill(tree, "v2", "vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    g_assert_cmpuint(cgroup_reader_version(reader), ==, 2);
    Sample sample = read_sample(reader, ID, TRUE);
    g_assert_cmpuint(sample.cpu_ns, ==, G_GUINT64_CONSTANT(7402164000));
    g_assert_cmpuint(sample.throttled_us, ==, 3265520);
    g_assert_cmpuint(sample.memory, ==, 58208256 - 31457280);
    g_assert_cmpuint(sample.memory_limit, ==, 134217728);
    g_assert_cmpuint(sample.oom_kills, ==, 2);
    g_assert_cmpuint(sample.disk_read_bytes, ==, 6090752 + 4096);
    g_assert_cmpuint(sample.disk_write_bytes, ==, 25165824 + 8192);
    g_assert_cmpuint(sample.disk_read_ops, ==, 214 + 1);
    g_assert_cmpuint(sample.disk_write_ops, ==, 61 + 2);
    g_assert_cmpuint(sample.pids, ==, 7);
    g_assert_cmpuint(sample.start_id, !=, 0);
}

static void test_v2_scope_and_max(Tree *tree, gconstpointer data)
{
    (void)data;
    const char *folder = "vmdock.slice/docker-" ID ".scope";
    tree_write(tree, ".", "cgroup.controllers", "cpu memory\n");
    tree_fill(tree, "v2", folder);
    tree_write(tree, folder, "memory.max", "max\n");
    tree_remove(tree, "vmdock.slice/docker-" ID ".scope/io.stat");
    g_autoptr(CgroupReader) reader = tree_open(tree, "vmdock.slice");
    Sample sample = read_sample(reader, ID, TRUE);
    g_assert_cmpuint(sample.memory_limit, ==, 0);
    g_assert_cmpuint(sample.disk_read_bytes, ==, 0);
    g_assert_cmpuint(sample.cpu_ns, >, 0);
}

static void test_not_found(Tree *tree, gconstpointer data)
{
    (void)data;
    static const char *const ids[] = {
        OTHER,
        "",
        ".",
        "..",
        "../vmdock/" ID,
        ID "/",
        ID "0",
        "f9064ea0f845",
        "F9064EA0F84514E7C763B668DBC2E89BFD7B3F0FA87795112D31222E09FD1FF7",
    };
    fill_v1(tree, "vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++)
        read_sample(reader, ids[i], FALSE);
    /* A cgroup elsewhere is no VM's. */
    g_autoptr(CgroupReader) elsewhere = tree_open(tree, "/docker");
    read_sample(elsewhere, ID, FALSE);
    fill_v1(tree, "docker/" ID);
    g_autoptr(CgroupReader) there = tree_open(tree, "/docker");
    read_sample(there, ID, TRUE);
    /* Its folder is there and its first file is gone: it just ended. */
    tree_remove(tree, "cpuacct/vmdock/" ID "/cpuacct.usage");
    g_autoptr(GError) error = NULL;
    Sample sample;
    gboolean found = TRUE;
    g_assert_true(cgroup_reader_read(reader, ID, &sample, &found, &error));
    g_assert_no_error(error);
    g_assert_false(found);
}

static void test_faults(Tree *tree, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_assert_null(cgroup_reader_open(tree->root, "/vmdock", &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_autofree gchar *missing = g_build_filename(tree->root, "missing", NULL);
    g_assert_null(cgroup_reader_open(missing, "/vmdock", &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
    g_clear_error(&error);

    fill_v1(tree, "vmdock/" ID);
    tree_remove(tree, "memory/vmdock/" ID "/memory.stat");
    tree_write(tree, "memory/vmdock/" ID "/memory.stat", "folder", "");
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    Sample sample;
    gboolean found;
    g_assert_false(cgroup_reader_read(reader, ID, &sample, &found, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "memory.stat"));
}

/*
 * More devices than fit: whole lines only, so that no cut number is taken for a whole one, wherever
 * in a line the end of what was read falls.
 */
static void test_long_file(Tree *tree, gconstpointer data)
{
    (void)data;
    tree_write(tree, ".", "cgroup.controllers", "io\n");
    tree_write(tree, "vmdock/" ID, "cpu.stat", "usage_usec 1\n");
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    for (guint shift = 1; shift <= 30; shift++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_string_append_printf(text, "%*s\n", (int)shift, "");
        for (guint i = 0; i < 2000; i++)
            g_string_append(text, "8:0 rbytes=1000000 wbytes=0\n");
        tree_write(tree, "vmdock/" ID, "io.stat", text->str);
        Sample sample = read_sample(reader, ID, TRUE);
        g_assert_cmpuint(sample.disk_read_bytes, >, 100 * 1000000);
        g_assert_cmpuint(sample.disk_read_bytes % 1000000, ==, 0);
    }
}

static gint64 own_start(void)
{
    g_autofree gchar *text = NULL;
    gsize length;
    guint64 ticks;
    g_assert_true(g_file_get_contents("/proc/self/stat", &text, &length, NULL));
    g_assert_true(cgroup_parse_start_ticks(text, length, &ticks));
    return (gint64)ticks * G_USEC_PER_SEC / sysconf(_SC_CLK_TCK);
}

static void test_started(Tree *tree, gconstpointer data)
{
    (void)data;
    fill_v1(tree, "vmdock/" ID);
    g_autoptr(CgroupReader) reader = tree_open(tree, "/vmdock");
    g_assert_cmpint(cgroup_reader_started(reader, ID), ==, 0);
    /* No process, a process that is gone, something that is no number, and this one. */
    g_autofree gchar *pids = g_strdup_printf("4194304999\n../self\n%d\n", getpid());
    tree_write(tree, "cpuacct/vmdock/" ID, "cgroup.procs", "");
    g_assert_cmpint(cgroup_reader_started(reader, ID), ==, 0);
    tree_write(tree, "cpuacct/vmdock/" ID, "cgroup.procs", pids);
    gint64 started = cgroup_reader_started(reader, ID);
    g_assert_cmpint(started, ==, own_start());
    /* It is of the samples' clock: this program started less than ten minutes ago. */
    g_assert_cmpint(started, <=, sample_clock());
    g_assert_cmpint(started, >, sample_clock() - 600 * G_USEC_PER_SEC);
    /* The oldest counts: process 1 is older than this one. */
    g_autofree gchar *with_first = g_strdup_printf("%d\n1\n", getpid());
    tree_write(tree, "cpuacct/vmdock/" ID, "cgroup.procs", with_first);
    g_assert_cmpint(cgroup_reader_started(reader, ID), <=, started);
    g_assert_cmpint(cgroup_reader_started(reader, OTHER), ==, 0);
    g_assert_cmpint(cgroup_reader_started(reader, "../x"), ==, 0);
}

static void test_number(void)
{
    static const struct {
        const char *text;
        gboolean good;
        guint64 value;
    } rows[] = {
        {"0\n", TRUE, 0},
        {"534591236\n", TRUE, 534591236},
        {"7", TRUE, 7},
        {"max\n", TRUE, G_MAXUINT64},
        {"18446744073709551615\n", TRUE, G_MAXUINT64},
        {"18446744073709551616\n", FALSE, 0},
        {"99999999999999999999999\n", FALSE, 0},
        {"-1\n", FALSE, 0},
        {"+1\n", FALSE, 0},
        {"1 2\n", FALSE, 0},
        {"1x\n", FALSE, 0},
        {"maxx\n", FALSE, 0},
        {"\n", FALSE, 0},
        {"", FALSE, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint64 value = 0;
        g_assert_cmpint(cgroup_parse_number(rows[i].text, strlen(rows[i].text), &value), ==,
                        rows[i].good);
        g_assert_cmpuint(value, ==, rows[i].value);
    }
    guint64 value = 0;
    g_assert_true(cgroup_parse_number("1234", 2, &value)); /* the length, not the NUL, ends it */
    g_assert_cmpuint(value, ==, 12);
}

static void test_keyed(void)
{
    const char *text = "inactive_file_x 1\nxinactive_file 2\ninactive_file 3\nlast 4";
    guint64 value = 0;
    g_assert_true(cgroup_parse_keyed(text, strlen(text), "inactive_file", &value));
    g_assert_cmpuint(value, ==, 3);
    g_assert_true(cgroup_parse_keyed(text, strlen(text), "last", &value));
    g_assert_cmpuint(value, ==, 4);
    g_assert_false(cgroup_parse_keyed(text, strlen(text), "inactive", &value));
    g_assert_false(cgroup_parse_keyed("key\nother 1\n", 12, "key", &value));
    g_assert_false(cgroup_parse_keyed("key x\n", 6, "key", &value));
    g_assert_cmpuint(value, ==, 4);
}

static void test_io(void)
{
    const char *v1 = "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n8:16 Read 1\n"
                     "8:16 Write x\n8:16 Write\nTotal 31\n";
    guint64 bytes_read = 9, bytes_written = 9;
    cgroup_parse_io_v1(v1, strlen(v1), &bytes_read, &bytes_written);
    g_assert_cmpuint(bytes_read, ==, 11);
    g_assert_cmpuint(bytes_written, ==, 20);
    cgroup_parse_io_v1("Total 0\n", 8, &bytes_read, &bytes_written);
    g_assert_cmpuint(bytes_read, ==, 0);

    const char *v2 = "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16\n"
                     "8:32 rbytes=10 wbytes=x rios= wios\n";
    Sample sample = {0};
    cgroup_parse_io_v2(v2, strlen(v2), &sample);
    g_assert_cmpuint(sample.disk_read_bytes, ==, 11);
    g_assert_cmpuint(sample.disk_write_bytes, ==, 2);
    g_assert_cmpuint(sample.disk_read_ops, ==, 3);
    g_assert_cmpuint(sample.disk_write_ops, ==, 4);
}

static void test_start_ticks(void)
{
    /* A process may name itself so that its name looks like further fields. */
    const char *text = "14454 (a) S 1 2) S 14433 14454 14454 0 -1 4194560 1162 1150 0 0 47 1 0 2 "
                       "20 0 1 0 174394 2322432 316\n";
    guint64 ticks = 0;
    g_assert_true(cgroup_parse_start_ticks(text, strlen(text), &ticks));
    g_assert_cmpuint(ticks, ==, 174394);
    g_assert_false(cgroup_parse_start_ticks("1 (a) S 1 2\n", 12, &ticks));
    g_assert_false(cgroup_parse_start_ticks("1 2 3\n", 6, &ticks));
}

static void add_tree_test(const char *path, void (*test)(Tree *, gconstpointer))
{
    g_test_add(path, Tree, NULL, tree_set_up, test, tree_tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_tree_test("/cgroup/v1/separate", test_v1);
    add_tree_test("/cgroup/v1/together", test_v1_together);
    add_tree_test("/cgroup/v1/systemd", test_v1_systemd);
    add_tree_test("/cgroup/v1/missing-controllers", test_v1_missing_controllers);
    add_tree_test("/cgroup/v1/older-names", test_v1_older_names);
    add_tree_test("/cgroup/v1/no-limit", test_v1_no_limit);
    add_tree_test("/cgroup/hybrid", test_hybrid);
    add_tree_test("/cgroup/v2/all", test_v2);
    add_tree_test("/cgroup/prefetch", test_prefetch);
    add_tree_test("/cgroup/prefetch-shared", test_prefetch_shared);
    add_tree_test("/cgroup/brief", test_brief);
    add_tree_test("/cgroup/v2/scope-and-max", test_v2_scope_and_max);
    add_tree_test("/cgroup/not-found", test_not_found);
    add_tree_test("/cgroup/faults", test_faults);
    add_tree_test("/cgroup/long-file", test_long_file);
    add_tree_test("/cgroup/started", test_started);
    g_test_add_func("/cgroup/parse/number", test_number);
    g_test_add_func("/cgroup/parse/keyed", test_keyed);
    g_test_add_func("/cgroup/parse/io", test_io);
    g_test_add_func("/cgroup/parse/start-ticks", test_start_ticks);
    return g_test_run();
}

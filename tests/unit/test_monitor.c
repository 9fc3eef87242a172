// SPDX-License-Identifier: Apache-2.0
/* What the probes print, and what they measure and remember for it. */
#include "driver/doctor_facts.h"
#include "driver/error.h"
#include "driver/exec.h"
#include "driver/file.h"
#include "driver/monitor_exec.h"
#include "driver/monitor_host.h"
#include "driver/monitor_vm.h"
#include "driver/opennebula_monitor.h"
#include "driver/process.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gchar *make_folder(void)
{
    g_autoptr(GError) error = NULL;
    gchar *root = g_dir_make_tmp("vmdock-monitor-XXXXXX", &error);
    g_assert_no_error(error);
    return root;
}

static void remove_folder(const char *root)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(file_remove_tree(root, &error));
    g_assert_no_error(error);
}

/* ROOT/NAME with LENGTH bytes; its folder is made. */
static void write_file(const char *root, const char *name, gsize length)
{
    g_autofree gchar *path = g_build_filename(root, name, NULL);
    g_autofree gchar *folder = g_path_get_dirname(path);
    g_autofree gchar *text = g_malloc(length + 1);
    memset(text, 'x', length);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, text, (gssize)length, NULL));
}

/* ---- vm/monitor ---- */

static PollVm running(void)
{
    static char id[] = "one-42";
    return (PollVm){
        .deploy_id = id,
        .state = ENGINE_RUNNING,
        .has_sample = TRUE,
        .cpu_percent = 150.25,
        .sample = {.memory = 3 * 1024 * 1024 + 1023,
                   .net_rx = 11,
                   .net_tx = 12,
                   .disk_read_bytes = 13,
                   .disk_write_bytes = 14,
                   .disk_read_ops = 15,
                   .disk_write_ops = 16,
                   .pids = 17,
                   .throttled_us = 18999,
                   .oom_kills = 19},
    };
}

static void test_values_running(void)
{
    PollVm vm = running();
    Usage usage = {.restarts = 3, .measured = TRUE, .layer_bytes = 5 * 1024 * 1024 + 1};
    g_autoptr(GArray) disks = g_array_new(FALSE, FALSE, sizeof(DiskSize));
    DiskSize disk = {2, 64 * 1024 * 1024};
    g_array_append_val(disks, disk);
    g_autofree gchar *values = monitor_vm_values(&vm, &usage, FALSE, disks);
    g_assert_cmpstr(values, ==,
                    "CPU=\"150.2\"\nMEMORY=\"3072\"\nNETRX=\"11\"\nNETTX=\"12\"\n"
                    "DISKRDBYTES=\"13\"\nDISKWRBYTES=\"14\"\nDISKRDIOPS=\"15\"\nDISKWRIOPS=\"16\"\n"
                    "PIDS=\"17\"\nTHROTTLED=\"18\"\nOOM_KILLS=\"19\"\nRESTARTS=\"3\"\n"
                    "EXIT_CODE=\"-\"\nDISK_SIZE=[ ID=\"0\", SIZE=\"6\" ]\n"
                    "DISK_SIZE=[ ID=\"2\", SIZE=\"64\" ]\n");
    gchar address[] = "10.5.0.7";
    vm.guest_ip = address;
    g_autofree gchar *more = monitor_vm_values(&vm, &usage, FALSE, disks);
    g_assert_nonnull(strstr(more, "\nGUEST_IP=\"10.5.0.7\"\nPIDS="));
}

static void test_values_off(void)
{
    PollVm vm = {.state = ENGINE_EXITED, .exit_code = 137, .sample = {.net_rx = 5}};
    Usage usage = {0};
    g_autoptr(GArray) disks = g_array_new(FALSE, FALSE, sizeof(DiskSize));
    g_autofree gchar *values = monitor_vm_values(&vm, &usage, TRUE, disks);
    g_assert_cmpstr(values, ==,
                    "CPU=\"0.0\"\nMEMORY=\"0\"\nPIDS=\"0\"\nTHROTTLED=\"-\"\nOOM_KILLS=\"1\"\n"
                    "RESTARTS=\"0\"\nEXIT_CODE=\"137\"\n");
}

static void test_line(void)
{
    g_autofree gchar *line = monitor_vm_line("one-42", "CPU=\"1.0\"\n");
    g_assert_cmpstr(line, ==,
                    "VM = [ ID=\"42\", DEPLOY_ID=\"one-42\", MONITOR=\"Q1BVPSIxLjAiCg==\" ]\n");
}

/* ---- the writable layer ---- */

static guint64 walk_all(const char *folder, guint *runs)
{
    g_autoptr(LayerWalk) walk = layer_walk_new();
    for (*runs = 1;; ++*runs) {
        g_autoptr(GError) error = NULL;
        gboolean done = FALSE;
        /* a deadline that is over: as little as it ever does at once */
        g_assert_true(layer_walk_run(walk, folder, 0, &done, &error));
        g_assert_no_error(error);
        if (done)
            return layer_walk_bytes(walk);
        g_assert_cmpuint(*runs, <, 1000);
        /* put away, and taken up by another process */
        g_autoptr(json_t) json = layer_walk_to_json(walk);
        g_clear_pointer(&walk, layer_walk_free);
        walk = layer_walk_from_json(json);
        g_assert_nonnull(walk);
    }
}

static guint64 blocks_of(const char *path)
{
    struct stat st;
    g_assert_cmpint(lstat(path, &st), ==, 0);
    return (guint64)st.st_blocks * 512;
}

/* The sum as `du` makes it, over everything below. */
static guint64 sum_tree(const char *path)
{
    guint64 sum = blocks_of(path);
    g_autoptr(GDir) folder =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        g_autofree gchar *below = g_build_filename(path, name, NULL);
        sum += sum_tree(below);
    }
    return sum;
}

static void test_layer(void)
{
    g_autofree gchar *root = make_folder();
    guint runs = 0;
    for (guint i = 0; i < 300; i++) {
        g_autofree gchar *name = g_strdup_printf("d%u/e\xff\n%u/file", i % 7, i);
        write_file(root, name, 5000);
    }
    g_autofree gchar *link = g_build_filename(root, "link", NULL);
    g_assert_cmpint(symlink("/", link), ==, 0);
    g_assert_cmpuint(walk_all(root, &runs), ==, sum_tree(root));
    g_assert_cmpuint(runs, >, 5);
    remove_folder(root);
}

static void test_layer_names(void)
{
    g_autofree gchar *root = make_folder();
    guint runs = 0;
    write_file(root, "one", 65536);
    guint64 alone = walk_all(root, &runs);
    g_autofree gchar *one = g_build_filename(root, "one", NULL);
    g_autofree gchar *two = g_build_filename(root, "two", NULL);
    g_assert_cmpint(link(one, two), ==, 0);
    g_assert_cmpuint(walk_all(root, &runs), ==, alone);
    remove_folder(root);
}

/* What a guest takes away meanwhile is passed over. */
static void test_layer_changes(void)
{
    g_autofree gchar *root = make_folder();
    g_autoptr(LayerWalk) walk = layer_walk_new();
    g_autoptr(GError) error = NULL;
    gboolean done = FALSE;
    for (guint i = 0; i < 200; i++) {
        g_autofree gchar *name = g_strdup_printf("a/b/%u", i);
        write_file(root, name, 10);
    }
    g_assert_true(layer_walk_run(walk, root, 0, &done, &error));
    g_assert_false(done);
    g_autofree gchar *a = g_build_filename(root, "a", NULL);
    remove_folder(a);
    g_assert_cmpint(symlink("/", a), ==, 0);
    g_assert_true(layer_walk_run(walk, root, G_MAXINT64, &done, &error));
    g_assert_true(done);
    g_assert_cmpuint(layer_walk_bytes(walk), <, 1024 * 1024);
    remove_folder(root);
    g_autoptr(LayerWalk) other = layer_walk_new();
    g_assert_false(layer_walk_run(other, root, 0, &done, &error));
    g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_IO));
}

static void test_layer_deep(void)
{
    g_autofree gchar *root = make_folder();
    g_autoptr(GString) path = g_string_new("x");
    for (guint i = 0; i < LAYER_DEPTH_MAX + 20; i++)
        g_string_append(path, "/x");
    write_file(root, path->str, 10);
    guint runs = 0;
    guint64 bytes = walk_all(root, &runs);
    g_assert_cmpuint(bytes, >, 0);
    g_assert_cmpuint(bytes, <=, sum_tree(root));
    remove_folder(root);
}

static void test_layer_json(void)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"bytes\":-1,\"levels\":[]}",
        "{\"bytes\":1,\"levels\":[[\"x\",0]]}",
        "{\"bytes\":1,\"levels\":[[\"\",0],[\"..\",0]]}",
        "{\"bytes\":1,\"levels\":[[\"\",0],[\"a/b\",0]]}",
        "{\"bytes\":1,\"levels\":[[\"\",0],[\"a\",-1]]}",
        "{\"bytes\":1,\"levels\":[[\"\",0],[\"\",0]]}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(json_t) json = json_loads(texts[i], 0, NULL);
        g_assert_null(layer_walk_from_json(json));
    }
}

static void test_layer_folder(void)
{
    static const char mounts[] =
        "22 21 0:5 / /proc rw - proc proc rw\n"
        "99 98 0:50 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/l1:/l2,"
        "upperdir=/var/a\\040b/fs,workdir=/w\n";
    g_autofree gchar *folder = layer_folder_of(mounts);
    g_assert_cmpstr(folder, ==, "/var/a b/fs");
    g_assert_null(layer_folder_of("1 0 8:1 / / rw - ext4 /dev/sda1 rw,upperdir=/x\n"));
    g_assert_null(layer_folder_of("1 0 8:1 / / rw - overlay overlay rw,upperdir=x\n"));
    g_assert_null(layer_folder_of("1 0 8:1 / / rw shared:1"));
    g_assert_null(layer_folder_of("1 0 8:1 / / rw - overlay"));
    g_assert_null(layer_folder_of(""));
}

static void test_usage_cache(void)
{
    g_autofree gchar *root = make_folder();
    Config config = {.run_dir = root};
    g_autoptr(GError) error = NULL;
    g_autoptr(UsageCache) cache = usage_cache_load(&config);
    Usage *usage = usage_cache_get(cache, "one-1", "abc");
    usage_note_start(usage, G_MAXUINT64 - 1);
    usage->layer = g_strdup("/layer");
    usage->tried_us = 77;
    usage->measured = TRUE;
    usage->layer_bytes = 4096;
    usage->walk = layer_walk_new();
    usage_cache_get(cache, "one-2", "def");
    g_assert_true(usage_cache_save(cache, &config, &error));
    g_assert_no_error(error);

    g_autoptr(UsageCache) next = usage_cache_load(&config);
    usage = usage_cache_get(next, "one-1", "abc");
    g_assert_cmpuint(usage->start_id, ==, G_MAXUINT64 - 1);
    g_assert_cmpstr(usage->layer, ==, "/layer");
    g_assert_cmpint(usage->tried_us, ==, 77);
    g_assert_true(usage->measured);
    g_assert_cmpuint(usage->layer_bytes, ==, 4096);
    g_assert_nonnull(usage->walk);
    usage_note_start(usage, G_MAXUINT64 - 1);
    g_assert_cmpuint(usage->restarts, ==, 0);
    usage_note_start(usage, 5);
    usage_note_start(usage, 6);
    g_assert_cmpuint(usage->restarts, ==, 2);
    g_assert_true(usage_cache_save(next, &config, &error));

    /* one-2 was not asked for, and one-1 has another container now. */
    g_autoptr(UsageCache) last = usage_cache_load(&config);
    g_autofree gchar *text = usage_cache_format(last);
    g_assert_cmpstr(text, ==, "{}\n");
    usage = usage_cache_get(last, "one-1", "other");
    g_assert_cmpuint(usage->restarts, ==, 0);
    g_assert_false(usage->measured);
    remove_folder(root);
}

static void test_usage_damaged(void)
{
    static const char *const texts[] = {
        "", "x", "[1]", "{\"one-1\": 1}", "{\"../x\": {}}", "{\"one-1\": {\"container\": 7}}"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        static char nowhere[] = "/nonexistent";
        Config config = {.run_dir = nowhere};
        g_autoptr(UsageCache) cache = usage_cache_load(&config);
        usage_cache_parse(cache, texts[i], strlen(texts[i]));
        g_assert_cmpuint(usage_cache_get(cache, "one-1", "abc")->restarts, ==, 0);
    }
}

/* ---- other disks ---- */

static void test_disk_id(void)
{
    static const char *const none[] = {
        "disk", "disk.", "disk.x", "disk.1.snap", "disk.99999999999", "disk.-1", "deployment.0"};
    guint id = 0;
    g_assert_true(disk_size_id("disk.12", &id));
    g_assert_cmpuint(id, ==, 12);
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_false(disk_size_id(none[i], &id));
}

static void test_disk_sizes(void)
{
    g_autofree gchar *root = make_folder();
    write_file(root, "100/42/disk.0", 1000);
    write_file(root, "100/42/disk.3", 70000);
    write_file(root, "100/42/disk.3.snap/0", 70000);
    write_file(root, "101/42/disk.1", 1);
    write_file(root, "101/43/disk.1", 1);
    write_file(root, "secret/disk.9", 1);
    g_autofree gchar *to = g_build_filename(root, "secret", NULL);
    g_autofree gchar *vm = g_build_filename(root, "101", "44", NULL);
    g_autofree gchar *disk = g_build_filename(root, "101", "42", "disk.5", NULL);
    g_assert_cmpint(symlink(to, vm), ==, 0);
    g_assert_cmpint(symlink("/etc/passwd", disk), ==, 0);
    g_autoptr(GPtrArray) datastores = disk_datastores(root);
    g_assert_cmpuint(datastores->len, ==, 2);
    g_autoptr(GArray) sizes = disk_sizes(datastores, "42");
    g_assert_cmpuint(sizes->len, ==, 2);
    g_assert_cmpuint(g_array_index(sizes, DiskSize, 0).id, ==, 1);
    g_assert_cmpuint(g_array_index(sizes, DiskSize, 1).id, ==, 3);
    g_assert_cmpuint(g_array_index(sizes, DiskSize, 1).bytes, >=, 70000);
    g_autoptr(GArray) linked = disk_sizes(datastores, "44");
    g_assert_cmpuint(linked->len, ==, 0);
    remove_folder(root);
    g_autoptr(GPtrArray) nowhere = disk_datastores(root);
    g_assert_cmpuint(nowhere->len, ==, 0);
}

/* ---- vm/execution ---- */

/* NULL also for what is no record. */
static gchar *line_of(const char *text)
{
    g_autoptr(ExecRecord) record = exec_record_parse(text, strlen(text), NULL);
    return record ? monitor_exec_line(record, "42") : NULL;
}

#define KEEPER ",\"exec\":\"e\",\"worker\":1,\"worker_start\":1}"

static void test_exec_line(void)
{
    g_autofree gchar *done =
        line_of("{\"id\":\"42\",\"pid\":7,\"status\":\"DONE\",\"return_code\":3,"
                "\"stdout\":\"aGk=\",\"stderr\":\"\"" KEEPER);
    g_assert_cmpstr(done, ==,
                    "VM=[ID=\"42\",PID=\"7\",STATUS=\"DONE\",RETURN_CODE=\"3\",STDOUT=\"aGk=\","
                    "STDERR=\"\"]\n");
    g_autofree gchar *failed =
        line_of("{\"id\":\"42\",\"pid\":0,\"status\":\"ERROR\",\"return_code\":-1,"
                "\"stdout\":\"\",\"stderr\":\"\"" KEEPER);
    g_assert_cmpstr(failed, ==,
                    "VM=[ID=\"42\",PID=\"0\",STATUS=\"ERROR\",RETURN_CODE=\"-1\",STDOUT=\"\","
                    "STDERR=\"\"]\n");
#define NOT_TOLD(status, out, err)                                                                 \
    "{\"id\":\"42\",\"pid\":7,\"status\":\"" status "\",\"return_code\":0,\"stdout\":\"" out       \
    "\",\"stderr\":\"" err "\"" KEEPER
    static const char *const none[] = {"",
                                       "[]",
                                       "{}",
                                       "{\"status\":\"DONE",
                                       NOT_TOLD("RUNNING", "", ""),
                                       NOT_TOLD("DONE", "a\\\"]", ""),
                                       NOT_TOLD("DONE", "", "a=b")};
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_null(line_of(none[i]));
    g_autofree gchar *told = line_of(NOT_TOLD("DONE", "", ""));
    g_assert_nonnull(told); /* the form is not what keeps the three above back */
}

static gchar *result_text(gsize out, gsize err)
{
    g_autofree gchar *out_text = g_strnfill(out, 'A');
    g_autofree gchar *err_text = g_strnfill(err, 'B');
    return g_strdup_printf("{\"id\":\"7\",\"pid\":1,\"status\":\"DONE\",\"return_code\":0,"
                           "\"stdout\":\"%s\",\"stderr\":\"%s\",\"exec\":\"\",\"worker\":1,"
                           "\"worker_start\":1}",
                           out_text, err_text);
}

/* Longer than a datagram: the end goes, what is left decodes. */
static void test_exec_cut(void)
{
    static const gsize sizes[][2] = {{1000000, 0}, {0, 1000000}, {1000000, 1000000}, {1000000, 8}};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree gchar *text = result_text(sizes[i][0], sizes[i][1]);
        g_autofree gchar *line = line_of(text);
        g_assert_cmpuint(strlen(line), <=, EXEC_REPORT_MAX);
        g_assert_cmpuint(strlen(line), >, EXEC_REPORT_MAX - 2048);
        gsize out = strspn(strstr(line, "STDOUT=\"") + 8, "A");
        gsize err = strspn(strstr(line, "STDERR=\"") + 8, "B");
        g_assert_cmpuint(out % 4 + err % 4, ==, 0);
        g_assert_cmpint(out > 0, ==, sizes[i][0] > 0);
        g_assert_cmpint(err > 0, ==, sizes[i][1] > 0);
    }
}

typedef struct {
    GString *told;
    gboolean fails;
    const char *rewrite; /* a file that gets another content while it is told; NULL */
} Listener;

static gboolean hear(const char *text, gpointer data, GError **error)
{
    Listener *listener = data;
    if (listener->rewrite) {
        g_assert_cmpint(g_unlink(listener->rewrite), ==, 0);
        g_assert_true(g_file_set_contents(listener->rewrite, "{\"status\":\"RUNNING\"}", -1, NULL));
    }
    g_string_append(listener->told, text);
    if (listener->fails)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "nobody listens");
    return !listener->fails;
}

static void write_result(const char *root, const char *name, const char *text)
{
    g_autofree gchar *folder = g_build_filename(root, "exec", NULL);
    g_autofree gchar *path = g_build_filename(folder, name, NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static gboolean result_is_there(const char *root, const char *name)
{
    g_autofree gchar *path = g_build_filename(root, "exec", name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gchar *tell_results(const char *root, gboolean fails, const char *rewrite)
{
    Config config = {.run_dir = (gchar *)root};
    g_autoptr(GError) error = NULL;
    Listener listener = {g_string_new(NULL), fails, rewrite};
    g_assert_cmpint(monitor_vm_execution(&config, hear, &listener, &error), ==, !fails);
    g_assert_cmpint(error != NULL, ==, fails);
    return g_string_free(listener.told, FALSE);
}

/* What the action exec keeps of VM 7's command, whose keeper is a process that began at START. */
static gchar *record_text(ExecStatus status, guint64 start)
{
    static char vm[] = "7", nothing[] = "";
    ExecRecord record = {
        .vm = vm,
        .pid = 1,
        .status = status,
        .output = nothing,
        .errors = nothing,
        .exec_id = nothing,
        .worker = getpid(),
        .worker_start = start,
    };
    return exec_record_format(&record);
}

#define DONE_ONE_7                                                                                 \
    "VM=[ID=\"7\",PID=\"1\",STATUS=\"DONE\",RETURN_CODE=\"0\",STDOUT=\"\",STDERR=\"\"]\n"

static void test_exec_told_once(void)
{
    g_autofree gchar *root = make_folder();
    g_autofree gchar *nothing = tell_results(root, FALSE, NULL);
    g_assert_cmpstr(nothing, ==, "");
    g_autofree gchar *done = record_text(EXEC_DONE, 1);
    g_autofree gchar *running = record_text(EXEC_RUNNING, process_start(getpid()));
    write_result(root, "one-7.json", done);
    write_result(root, "one-8.json", running);
    write_result(root, "nova-8.json", done);
    write_result(root, "one-9.json.x7Tz", done);
    g_autofree gchar *unheard = tell_results(root, TRUE, NULL);
    g_assert_true(result_is_there(root, "one-7.json"));
    g_autofree gchar *told = tell_results(root, FALSE, NULL);
    g_assert_cmpstr(told, ==, DONE_ONE_7);
    g_assert_false(result_is_there(root, "one-7.json"));
    g_assert_true(result_is_there(root, "one-8.json"));
    g_autofree gchar *again = tell_results(root, FALSE, NULL);
    g_assert_cmpstr(again, ==, "");
    remove_folder(root);
}

static void test_exec_next_command(void)
{
    g_autofree gchar *root = make_folder();
    g_autofree gchar *path = g_build_filename(root, "exec", "one-7.json", NULL);
    g_autofree gchar *done = record_text(EXEC_DONE, 1);
    write_result(root, "one-7.json", done);
    g_autofree gchar *told = tell_results(root, FALSE, path);
    g_assert_cmpstr(told, ==, DONE_ONE_7);
    g_assert_true(result_is_there(root, "one-7.json"));
    remove_folder(root);
}

static void test_exec_many(void)
{
    g_autofree gchar *root = make_folder();
    g_autofree gchar *text = result_text(20000, 0);
    guint runs = 0;
    for (guint i = 0; i < 7; i++) {
        g_autofree gchar *name = g_strdup_printf("one-%u.json", i);
        write_result(root, name, text);
    }
    for (;; runs++) {
        g_autofree gchar *told = tell_results(root, FALSE, NULL);
        g_assert_cmpuint(strlen(told), <=, EXEC_REPORT_MAX);
        if (!*told)
            break;
    }
    g_assert_cmpuint(runs, ==, 4);
    remove_folder(root);
}

/* ---- the host ---- */

static void test_host_system(void)
{
    static char model[] = "A \"CPU\"\n@ 2\\3 GHz", version[] = "7.4.0", docker[] = "docker",
                number[] = "20.10.24", api[] = "1.41", overlay[] = "overlay2", on[] = "extfs";
    BridgeUse few = {docker, 1}, full = {overlay, 2000};
    g_autoptr(GPtrArray) bridges = g_ptr_array_new();
    g_ptr_array_add(bridges, &few);
    HostSystem system = {
        .cpus = 8,
        .mhz = 2400,
        .memory_kb = 16777216,
        .arch = "x86_64",
        .hostname = "node1",
        .model = model,
        .version = version,
        .cgroup_version = 2,
        .engine = docker,
        .engine_version = number,
        .engine_api = api,
        .storage = overlay,
        .storage_on = on,
        .vms = 3,
        .vms_running = 2,
        .bridges = bridges,
    };
    g_autofree gchar *text = monitor_host_format_system(&system);
    g_assert_cmpstr(
        text, ==,
        "HYPERVISOR=onedock\nTOTALCPU=800\nCPUSPEED=2400\nTOTALMEMORY=16777216\nARCH=\"x86_64\"\n"
        "MODELNAME=\"A 'CPU' @ 2/3 GHz\"\nHOSTNAME=\"node1\"\nVERSION=\"7.4.0\"\n"
        "CGROUPS_VERSION=2\nONEDOCK_VERSION=\"" VMDOCK_VERSION
        "\"\nENGINE=\"docker\"\nENGINE_VERSION=\"20.10.24\"\nENGINE_API=\"1.41\"\n"
        "ENGINE_STORAGE=\"overlay2\"\n"
        "DISK0_SIZE=\"NOT HELD: overlay2 on extfs keeps no VM to a size\"\n"
        "CONTAINERS=3\nCONTAINERS_RUNNING=2\nBRIDGE_PORTS_FREE=1022\nBRIDGES=\"docker 1022\"\n");
    g_ptr_array_add(bridges, &full);
    system.holds_size = TRUE;
    system.model = system.version = NULL;
    g_autofree gchar *other = monitor_host_format_system(&system);
    g_assert_nonnull(strstr(other, "DISK0_SIZE=\"HELD\"\n"));
    g_assert_nonnull(strstr(other, "BRIDGE_PORTS_FREE=0\nBRIDGES=\"docker 1022, overlay2 0\"\n"));
    g_assert_null(strstr(other, "MODELNAME"));
    g_assert_null(strstr(other, "\nVERSION"));
}

static void test_host_usage(void)
{
    HostUsage usage = {.cpus = 4,
                       .busy = 0.25,
                       .memory_kb = 1000,
                       .memory_free_kb = 400,
                       .net_rx = 5,
                       .net_tx = G_MAXUINT64};
    g_autofree gchar *text = monitor_host_format_usage(&usage);
    g_assert_cmpstr(text, ==,
                    "HYPERVISOR=onedock\nUSEDCPU=100\nFREECPU=300\nUSEDMEMORY=600\nFREEMEMORY=400\n"
                    "NETRX=5\nNETTX=18446744073709551615\n");
}

static void test_host_stat(void)
{
    guint64 busy = 0, all = 0;
    g_assert_true(host_parse_stat("cpu  10 1 20 300 40 5 6 7 8 9\ncpu0 1 2\n", &busy, &all));
    g_assert_cmpuint(all, ==, 389);
    g_assert_cmpuint(busy, ==, 49);
    g_assert_true(host_parse_stat("cpu 1 2 3 4", &busy, &all));
    g_assert_cmpuint(busy, ==, 6);
    static const char *const none[] = {"", "cpu ", "cpu x", "cpu 1 2 3", "intr 1 2 3 4 5"};
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_false(host_parse_stat(none[i], &busy, &all));
}

static void test_host_memory(void)
{
    static const char text[] = "MemTotal:       100 kB\nMemFree:  7 kB\n\nMemAvailable: x\n";
    guint64 kb = 0;
    g_assert_true(host_parse_memory(text, "MemTotal", &kb));
    g_assert_cmpuint(kb, ==, 100);
    g_assert_true(host_parse_memory(text, "MemFree", &kb));
    g_assert_cmpuint(kb, ==, 7);
    g_assert_false(host_parse_memory(text, "MemAvailable", &kb));
    g_assert_false(host_parse_memory(text, "Mem", &kb));
    g_assert_false(host_parse_memory("", "MemTotal", &kb));
}

static void test_host_cpu(void)
{
    guint mhz = 7;
    g_autofree gchar *amd =
        host_parse_cpu("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n"
                       "cpu MHz\t\t: 2596.534\n\nprocessor : 1\nmodel name\t: Other\n",
                       &mhz);
    g_assert_cmpstr(amd, ==, "AMD EPYC");
    g_assert_cmpuint(mhz, ==, 2597);
    g_autofree gchar *power = host_parse_cpu("processor : 0\ncpu\t\t: POWER9 (raw)\n", &mhz);
    g_assert_cmpstr(power, ==, "POWER9 (raw)");
    g_assert_cmpuint(mhz, ==, 0);
    g_assert_null(host_parse_cpu("processor\t: 0\ncpu MHz : nan\n", &mhz));
    g_assert_cmpuint(mhz, ==, 0);
}

static gboolean holds(const char *info, const char *mounts)
{
    g_autoptr(json_t) json = json_loads(info, 0, NULL);
    g_autofree gchar *driver = NULL, *on = NULL;
    g_assert_nonnull(json);
    return doctor_storage_holds(json, mounts, &driver, &on);
}

static void test_storage(void)
{
    static const char quota[] = "1 0 8:1 / / rw - ext4 /dev/a rw\n"
                                "2 1 8:2 / /var/lib/docker rw - xfs /dev/b rw,prjquota\n";
    static const char overlay[] = "{\"Driver\":\"overlay2\",\"DockerRootDir\":\"/var/lib/docker\","
                                  "\"DriverStatus\":[[\"Backing Filesystem\",\"xfs\"]]}";
    static const char ext4[] = "{\"Driver\":\"overlay2\",\"DockerRootDir\":\"/var/lib/docker\","
                               "\"DriverStatus\":[[\"Backing Filesystem\",\"extfs\"]]}";
    g_assert_true(holds(overlay, quota));
    /* ext4 knows project quotas too, but the engine does not use them. */
    g_assert_false(holds(ext4, quota));
    g_assert_false(holds(overlay, "1 0 8:1 / / rw - ext4 /dev/a rw\n"));
    g_assert_false(holds(overlay, NULL));
    g_assert_true(holds("{\"Driver\":\"btrfs\"}", NULL));
    g_assert_false(holds("{\"Driver\":\"btrfs\",\"DriverStatus\":[[\"driver-type\","
                         "\"io.containerd.snapshotter.v1\"]]}",
                         NULL));
    g_assert_false(holds("{}", NULL));
}

/* ---- the client's configuration ---- */

static guint64 period(const char *text)
{
    return opennebula_sync_period(text, strlen(text), 1024);
}

static void test_sync_period(void)
{
    g_assert_cmpuint(period("<MONITOR_CONFIGURATION><PROBES_PERIOD><SYNC_STATE_VM><![CDATA[90]]>"
                            "</SYNC_STATE_VM></PROBES_PERIOD></MONITOR_CONFIGURATION>"),
                     ==, 90);
    static const char *const others[] = {
        "",
        "x",
        "<MONITOR_CONFIGURATION/>",
        "<M><PROBES_PERIOD><SYNC_STATE_VM>0</SYNC_STATE_VM></PROBES_PERIOD></M>",
        "<M><PROBES_PERIOD><SYNC_STATE_VM>soon</SYNC_STATE_VM></PROBES_PERIOD></M>",
        "<!DOCTYPE M [<!ENTITY a \"90\">]><M><PROBES_PERIOD><SYNC_STATE_VM>&a;</SYNC_STATE_VM>"
        "</PROBES_PERIOD></M>"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_cmpuint(period(others[i]), ==, OPENNEBULA_SYNC_DEFAULT_S);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/monitor/vm/running", test_values_running);
    g_test_add_func("/monitor/vm/off", test_values_off);
    g_test_add_func("/monitor/vm/line", test_line);
    g_test_add_func("/monitor/layer/sum", test_layer);
    g_test_add_func("/monitor/layer/names", test_layer_names);
    g_test_add_func("/monitor/layer/changes", test_layer_changes);
    g_test_add_func("/monitor/layer/deep", test_layer_deep);
    g_test_add_func("/monitor/layer/json", test_layer_json);
    g_test_add_func("/monitor/layer/folder", test_layer_folder);
    g_test_add_func("/monitor/usage/cache", test_usage_cache);
    g_test_add_func("/monitor/usage/damaged", test_usage_damaged);
    g_test_add_func("/monitor/disk/id", test_disk_id);
    g_test_add_func("/monitor/disk/sizes", test_disk_sizes);
    g_test_add_func("/monitor/exec/line", test_exec_line);
    g_test_add_func("/monitor/exec/cut", test_exec_cut);
    g_test_add_func("/monitor/exec/told-once", test_exec_told_once);
    g_test_add_func("/monitor/exec/next-command", test_exec_next_command);
    g_test_add_func("/monitor/exec/many", test_exec_many);
    g_test_add_func("/monitor/host/system", test_host_system);
    g_test_add_func("/monitor/host/usage", test_host_usage);
    g_test_add_func("/monitor/host/stat", test_host_stat);
    g_test_add_func("/monitor/host/memory", test_host_memory);
    g_test_add_func("/monitor/host/cpu", test_host_cpu);
    g_test_add_func("/monitor/host/storage", test_storage);
    g_test_add_func("/monitor/sync-period", test_sync_period);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
#include "driver/doomed.h"
#include "driver/engine_body.h"
#include "driver/error.h"
#include "driver/file.h"
#include "driver/poll.h"
#include "driver/traffic.h"
#include "driver/vm_list.h"

#include <glib/gstdio.h>
#include <string.h>

/* A host without engine and kernel: a cgroup v2 tree, a run folder, and who was inspected. */
typedef struct {
    gchar *root;
    Config config;
    CgroupReader *reader;
    GPtrArray *containers;
    GHashTable *answers; /* id -> EngineContainer that an inspection gives */
    GString *inspected;
} Fake;

static void fake_write(const Fake *fake, const char *folder, const char *name, const char *text)
{
    g_autofree gchar *in = g_build_filename(fake->root, folder, NULL);
    g_autofree gchar *path = g_build_filename(in, name, NULL);
    g_assert_cmpint(g_mkdir_with_parents(in, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void fake_set_up(Fake *fake, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    fake->root = g_dir_make_tmp("vmdock-poll-XXXXXX", &error);
    g_assert_no_error(error);
    fake_write(fake, ".", "cgroup.controllers", "cpu io memory pids\n");
    fake->config.run_dir = g_build_filename(fake->root, "run", NULL);
    fake->config.state_dir = g_build_filename(fake->root, "state", NULL);
    fake->config.runtime_name = g_strdup("vmdock");
    fake->config.cgroup_parent = g_strdup("/vmdock");
    fake->config.sample_window_ms = 5000;
    g_autofree gchar *parent = g_build_filename(fake->root, "vmdock", NULL);
    g_assert_cmpint(g_mkdir(parent, 0755), ==, 0);
    fake->reader = cgroup_reader_open(fake->root, "/vmdock", &error);
    g_assert_no_error(error);
    fake->containers = g_ptr_array_new_with_free_func((GDestroyNotify)engine_container_free);
    fake->answers = g_hash_table_new(g_str_hash, g_str_equal);
    fake->inspected = g_string_new(NULL);
}

static void fake_tear_down(Fake *fake, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    file_remove_tree(fake->root, &error);
    g_assert_no_error(error);
    g_free(fake->root);
    g_free(fake->config.run_dir);
    g_free(fake->config.state_dir);
    g_free(fake->config.runtime_name);
    g_free(fake->config.cgroup_parent);
    cgroup_reader_free(fake->reader);
    g_ptr_array_unref(fake->containers);
    g_hash_table_unref(fake->answers);
    g_string_free(fake->inspected, TRUE);
}

/* The id of the container numbered N, of a container's form. */
static gchar *container_id(guint n)
{
    return g_strdup_printf("%064x", n);
}

static EngineContainer *container_new(guint n, const char *name, const char *label,
                                      EngineState state)
{
    EngineContainer *container = g_new0(EngineContainer, 1);
    container->id = container_id(n);
    container->name = g_strdup(name);
    container->state = state;
    container->created = 1700000000 + n;
    container->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (label)
        g_hash_table_insert(container->labels, g_strdup(ENGINE_LABEL_VM), g_strdup(label));
    g_hash_table_insert(container->labels, g_strdup(ENGINE_LABEL_NAME), g_strdup("web"));
    g_hash_table_insert(container->labels, g_strdup(ENGINE_LABEL_CLOUD), g_strdup("opennebula"));
    return container;
}

static void fake_list(Fake *fake, guint n, const char *name, const char *label, EngineState state)
{
    g_ptr_array_add(fake->containers, container_new(n, name, label, state));
}

/* What inspecting container N tells; the caller of the inspection gets it. */
static void fake_answer(Fake *fake, guint n, const char *name, const char *runtime,
                        const char *parent)
{
    EngineContainer *container = container_new(n, name, name, ENGINE_EXITED);
    container->runtime = g_strdup(runtime);
    container->cgroup_parent = g_strdup(parent);
    g_hash_table_insert(fake->answers, container->id, container);
}

static void fake_cgroup(const Fake *fake, guint n, const char *cpu_stat)
{
    g_autofree gchar *id = container_id(n);
    g_autofree gchar *folder = g_build_filename("vmdock", id, NULL);
    fake_write(fake, folder, "cpu.stat", cpu_stat);
}

static EngineContainer *fake_inspect(const char *id, gpointer data, GError **error)
{
    Fake *fake = data;
    (void)error;
    g_string_append_printf(fake->inspected, "%d ", (int)g_ascii_strtoull(id, NULL, 16));
    gpointer key, value = NULL;
    if (g_hash_table_steal_extended(fake->answers, id, &key, &value))
        return value;
    return NULL;
}

static EngineContainer *failing_inspect(const char *id, gpointer data, GError **error)
{
    (void)id;
    (void)data;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_TIMEOUT, "no answer");
    return NULL;
}

static gchar *fake_select(Fake *fake)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) vms =
        vm_list_select(&fake->config, fake->containers, fake->reader, fake_inspect, fake, &error);
    g_assert_no_error(error);
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < vms->len; i++)
        g_string_append_printf(names, "%s ", ((EngineContainer *)vms->pdata[i])->name);
    return g_string_free(names, FALSE);
}

static void test_running_are_not_inspected(Fake *fake, gconstpointer data)
{
    (void)data;
    fake_list(fake, 1, "one-10", "one-10", ENGINE_RUNNING);
    fake_list(fake, 2, "one-9", "one-9", ENGINE_PAUSED);
    fake_list(fake, 3, "nova-a", "nova-a", ENGINE_RUNNING);
    for (guint n = 1; n <= 3; n++)
        fake_cgroup(fake, n, "usage_usec 1\n");
    g_autofree gchar *names = fake_select(fake);
    g_assert_cmpstr(names, ==, "nova-a one-9 one-10 ");
    g_assert_cmpstr(fake->inspected->str, ==, "");
    g_assert_cmpuint(fake->containers->len, ==, 0);
}

/* What an image's labels or an operator's names can bring about. */
static void test_impostors(Fake *fake, gconstpointer data)
{
    (void)data;
    fake_list(fake, 1, "web", "one-1", ENGINE_RUNNING);
    fake_list(fake, 2, "one-2", "one-1", ENGINE_RUNNING);
    fake_list(fake, 3, "../../x", "../../x", ENGINE_RUNNING);
    fake_list(fake, 4, "one-4", NULL, ENGINE_RUNNING);
    fake_list(fake, 5, "one-5", "", ENGINE_RUNNING);
    for (guint n = 1; n <= 5; n++)
        fake_cgroup(fake, n, "usage_usec 1\n");
    g_autofree gchar *names = fake_select(fake);
    g_assert_cmpstr(names, ==, "");
    g_assert_cmpstr(fake->inspected->str, ==, "");
}

static void test_without_cgroup(Fake *fake, gconstpointer data)
{
    (void)data;
    fake_list(fake, 1, "one-1", "one-1", ENGINE_EXITED);
    fake_list(fake, 2, "one-2", "one-2", ENGINE_RUNNING); /* runs, but elsewhere */
    fake_list(fake, 3, "one-3", "one-3", ENGINE_EXITED);
    fake_list(fake, 4, "one-4", "one-4", ENGINE_CREATED);
    fake_list(fake, 5, "one-5", "one-5", ENGINE_EXITED); /* gone when it is inspected */
    fake_answer(fake, 1, "one-1", "vmdock", "/vmdock");
    fake_answer(fake, 2, "one-2", "runc", "/vmdock");
    fake_answer(fake, 3, "one-3", "vmdock", "");
    fake_answer(fake, 4, "one-4", "vmdock", "/vmdock");
    g_autofree gchar *names = fake_select(fake);
    g_assert_cmpstr(names, ==, "one-1 one-4 ");
    g_assert_cmpuint(strlen(fake->inspected->str), ==, strlen("1 2 3 4 5 "));
}

static EngineState listed_state(Fake *fake, guint n)
{
    g_autoptr(GError) error = NULL;
    fake_list(fake, n, "one-1", "one-1", ENGINE_RUNNING);
    g_autoptr(GPtrArray) vms =
        vm_list_select(&fake->config, fake->containers, fake->reader, fake_inspect, fake, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(vms->len, ==, 1);
    return ((const EngineContainer *)vms->pdata[0])->state;
}

/* Only its own mark makes a container that runs one whose removal broke off: that nothing else is
 * known of it does not. */
static void test_doomed(Fake *fake, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = container_id(1);
    fake_cgroup(fake, 1, "usage_usec 1\n");
    fake_cgroup(fake, 2, "usage_usec 1\n");
    g_assert_cmpint(listed_state(fake, 1), ==, ENGINE_RUNNING);
    g_assert_true(doomed_add(&fake->config, id, "one-1", &error));
    g_assert_no_error(error);
    g_assert_cmpint(listed_state(fake, 1), ==, ENGINE_DEAD);
    g_assert_cmpint(listed_state(fake, 2), ==, ENGINE_RUNNING);
    for (guint again = 0; again < 2; again++) {
        g_assert_true(doomed_remove(&fake->config, id, &error));
        g_assert_no_error(error);
    }
    g_assert_cmpint(listed_state(fake, 1), ==, ENGINE_RUNNING);
    g_assert_false(doomed_add(&fake->config, "../../x", "one-1", &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX);
}

static void test_inspection_fails(Fake *fake, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    fake_list(fake, 1, "one-1", "one-1", ENGINE_EXITED);
    fake_list(fake, 2, "one-2", "one-2", ENGINE_EXITED);
    g_assert_null(vm_list_select(&fake->config, fake->containers, fake->reader, failing_inspect,
                                 fake, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_TIMEOUT);
    g_assert_true(g_str_has_prefix(error->message, "VM one-"));
}

static void carried(GHashTable *traffic, const char *deploy_id, guint64 rx, guint64 tx)
{
    g_hash_table_insert(traffic, g_strdup(deploy_id),
                        g_memdup2(&(Traffic){rx, tx}, sizeof(Traffic)));
}

static GPtrArray *fake_assemble(Fake *fake, GHashTable *traffic)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SampleStore) store = sample_store_load(&fake->config);
    GPtrArray *vms = poll_assemble(fake->containers, fake->reader, traffic, store, &error);
    g_assert_no_error(error);
    g_assert_true(sample_store_save(store, TRUE, &error));
    return vms;
}

static void test_assemble(Fake *fake, gconstpointer data)
{
    (void)data;
    fake_list(fake, 1, "one-1", "one-1", ENGINE_RUNNING);
    fake_list(fake, 2, "one-2", "one-2", ENGINE_EXITED);
    fake_cgroup(fake, 1, "usage_usec 5000000\nthrottled_usec 7\n");
    g_autoptr(GHashTable) traffic = traffic_new();
    carried(traffic, "one-1", 202, 11);
    carried(traffic, "one-2", 4, 3);
    carried(traffic, "one-11", 1000, 1000);

    g_autoptr(GPtrArray) vms = fake_assemble(fake, traffic);
    g_assert_cmpuint(vms->len, ==, 2);
    const PollVm *running = vms->pdata[0];
    g_assert_cmpstr(running->deploy_id, ==, "one-1");
    g_assert_cmpstr(running->name, ==, "web");
    g_assert_cmpstr(running->cloud, ==, "opennebula");
    g_assert_cmpstr(running->cloud_id, ==, "");
    g_assert_cmpint(running->created, ==, 1700000001);
    g_assert_true(running->has_sample);
    g_assert_cmpuint(running->sample.cpu_ns, ==, 5000000000);
    g_assert_cmpuint(running->sample.throttled_us, ==, 7);
    g_assert_cmpuint(running->sample.net_rx, ==, 202);
    g_assert_cmpuint(running->sample.net_tx, ==, 11);
    const PollVm *stopped = vms->pdata[1];
    g_assert_false(stopped->has_sample);
    g_assert_cmpint(stopped->one_state, ==, 'd');
    g_assert_cmpuint(stopped->sample.net_rx, ==, 4);
    g_assert_cmpfloat(stopped->cpu_percent, ==, 0);
}

/* The first sample of a start needs the process's start, the others do not. */
static void test_assemble_rate(Fake *fake, gconstpointer data)
{
    (void)data;
    fake_list(fake, 1, "one-1", "one-1", ENGINE_RUNNING);
    fake_cgroup(fake, 1, "usage_usec 5000000\n");
    g_autofree gchar *id = container_id(1);
    g_autofree gchar *folder = g_build_filename("vmdock", id, NULL);
    fake_write(fake, folder, "cgroup.procs", "1\n");
    g_autoptr(GHashTable) traffic = traffic_new();
    g_autoptr(GPtrArray) first = fake_assemble(fake, traffic);
    const PollVm *vm = first->pdata[0];
    g_assert_cmpint(vm->sample.started_us, >=, 0);
    /* Process 1 started with the machine: the mean since then. */
    double expected = 100.0 * 5e6 / (double)(vm->sample.time_us - vm->sample.started_us);
    g_assert_cmpfloat_with_epsilon(vm->cpu_percent, vm->sample.started_us > 0 ? expected : 0, 1e-6);
    g_autoptr(GPtrArray) second = fake_assemble(fake, traffic);
    g_assert_cmpint(((PollVm *)second->pdata[0])->sample.started_us, ==, 0);
}

static void test_assemble_fault(Fake *fake, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    fake_list(fake, 1, "one-1", "one-1", ENGINE_RUNNING);
    fake_cgroup(fake, 1, "usage_usec 5000000\n");
    g_autofree gchar *id = container_id(1);
    g_autofree gchar *bad = g_build_filename("vmdock", id, "memory.stat", NULL);
    fake_write(fake, bad, "folder", "");
    g_autoptr(GHashTable) traffic = traffic_new();
    g_autoptr(SampleStore) store = sample_store_load(&fake->config);
    g_assert_null(poll_assemble(fake->containers, fake->reader, traffic, store, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
    g_assert_true(g_str_has_prefix(error->message, "VM one-1: "));
}

static void test_states(void)
{
    g_assert_cmpint(poll_one_state(ENGINE_RUNNING), ==, 'a');
    g_assert_cmpint(poll_one_state(ENGINE_RESTARTING), ==, 'a');
    g_assert_cmpint(poll_one_state(ENGINE_PAUSED), ==, 'p');
    g_assert_cmpint(poll_one_state(ENGINE_EXITED), ==, 'd');
    g_assert_cmpint(poll_one_state(ENGINE_CREATED), ==, 'e');
    g_assert_cmpint(poll_one_state(ENGINE_DEAD), ==, 'e');
}

static void add_fake_test(const char *path, void (*test)(Fake *, gconstpointer))
{
    g_test_add(path, Fake, NULL, fake_set_up, test, fake_tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_fake_test("/vm-list/running-are-not-inspected", test_running_are_not_inspected);
    add_fake_test("/vm-list/impostors", test_impostors);
    add_fake_test("/vm-list/without-cgroup", test_without_cgroup);
    add_fake_test("/vm-list/doomed", test_doomed);
    add_fake_test("/vm-list/inspection-fails", test_inspection_fails);
    add_fake_test("/poll/assemble", test_assemble);
    add_fake_test("/poll/assemble-rate", test_assemble_rate);
    add_fake_test("/poll/assemble-fault", test_assemble_fault);
    g_test_add_func("/poll/states", test_states);
    return g_test_run();
}

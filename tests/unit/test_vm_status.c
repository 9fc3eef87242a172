// SPDX-License-Identifier: Apache-2.0
#include "driver/error.h"
#include "driver/file.h"
#include "driver/vm_status.h"

#include <string.h>

enum { SYNC = 180, REPEAT = 40, WALL = 1000000 };

#define RUNNING(n)   "VM = [ ID=\"" #n "\", DEPLOY_ID=\"one-" #n "\", STATE=\"RUNNING\" ]\n"
#define POWEROFF(n)  "VM = [ ID=\"" #n "\", DEPLOY_ID=\"one-" #n "\", STATE=\"POWEROFF\" ]\n"
#define SUSPENDED(n) "VM = [ ID=\"" #n "\", DEPLOY_ID=\"one-" #n "\", STATE=\"SUSPENDED\" ]\n"
#define SYNCED       "SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n"

/* A host of a few VMs, its store between two runs as text, and who was looked at. */
typedef struct {
    GPtrArray *vms;
    GHashTable *held; /* names, a set */
    GHashTable *oom;  /* names, a set */
    GString *looked;
    gchar *store;
    const char *host_id;
} World;

static void world_set_up(World *world, gconstpointer data)
{
    (void)data;
    world->vms = g_ptr_array_new_with_free_func((GDestroyNotify)engine_container_free);
    world->held = g_hash_table_new(g_str_hash, g_str_equal);
    world->oom = g_hash_table_new(g_str_hash, g_str_equal);
    world->looked = g_string_new(NULL);
    world->store = g_strdup("");
    world->host_id = "1";
}

static void world_tear_down(World *world, gconstpointer data)
{
    (void)data;
    g_ptr_array_unref(world->vms);
    g_hash_table_unref(world->held);
    g_hash_table_unref(world->oom);
    g_string_free(world->looked, TRUE);
    g_free(world->store);
}

static EngineContainer *find(const World *world, const char *name)
{
    for (guint i = 0; i < world->vms->len; i++) {
        EngineContainer *vm = world->vms->pdata[i];
        if (strcmp(vm->name, name) == 0)
            return vm;
    }
    return NULL;
}

static void set(World *world, const char *name, EngineState state)
{
    EngineContainer *vm = find(world, name);
    if (!vm) {
        vm = g_new0(EngineContainer, 1);
        vm->name = g_strdup(name);
        g_ptr_array_add(world->vms, vm);
    }
    vm->state = state;
}

static StatusFound look(const char *deploy_id, const EngineContainer *listed, StatusLook *found,
                        gpointer data)
{
    World *world = data;
    g_string_append_printf(world->looked, "%s%s ", deploy_id, listed ? "" : "?");
    if (g_hash_table_contains(world->held, deploy_id))
        return STATUS_HELD;
    const EngineContainer *vm = find(world, deploy_id);
    if (!vm || !vm_status_of(vm->state, &found->status))
        return STATUS_GONE;
    found->oom_killed = g_hash_table_contains(world->oom, deploy_id);
    return STATUS_IS;
}

/* One run of a process of its own, at NOW seconds. */
static void assert_told(World *world, gint64 now, const char *expected, const char *looked)
{
    g_autoptr(StatusStore) store =
        status_store_parse(world->store, strlen(world->store), world->host_id);
    StatusTimes times = {now, WALL + now, SYNC, REPEAT};
    g_string_truncate(world->looked, 0);
    g_autofree gchar *text = status_store_report(store, world->vms, &times, look, world);
    g_assert_cmpstr(text, ==, expected);
    g_assert_cmpstr(world->looked->str, ==, looked);
    g_free(world->store);
    world->store = status_store_format(store);
}

static void test_states(void)
{
    static const struct {
        EngineState state;
        const char *name;
    } rows[] = {
        {ENGINE_RUNNING, "RUNNING"}, {ENGINE_RESTARTING, "RUNNING"}, {ENGINE_PAUSED, "SUSPENDED"},
        {ENGINE_EXITED, "POWEROFF"}, {ENGINE_CREATED, NULL},         {ENGINE_DEAD, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        VmStatus status = VM_STATUS_RUNNING;
        g_assert_cmpint(vm_status_of(rows[i].state, &status), ==, rows[i].name != NULL);
        if (rows[i].name)
            g_assert_cmpstr(vm_status_name(status), ==, rows[i].name);
    }
}

static void test_changes(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-10", ENGINE_RUNNING);
    set(world, "one-9", ENGINE_EXITED);
    set(world, "nova-7f1c", ENGINE_RUNNING);
    assert_told(world, 1000, SYNCED POWEROFF(9) RUNNING(10), "one-10 one-9 ");
    assert_told(world, 1005, "", "");
    set(world, "one-10", ENGINE_EXITED);
    assert_told(world, 1010, POWEROFF(10), "one-10 ");
    assert_told(world, 1015, "", "");
    set(world, "one-10", ENGINE_PAUSED);
    set(world, "one-11", ENGINE_RUNNING);
    assert_told(world, 1020, SUSPENDED(10) RUNNING(11), "one-10 one-11 ");
}

/* What the front end may have dropped for its half a minute of silence is told once more. */
static void test_again(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-1", ENGINE_RUNNING);
    assert_told(world, 1000, SYNCED RUNNING(1), "one-1 ");
    assert_told(world, 1035, "", "");
    set(world, "one-1", ENGINE_EXITED);
    assert_told(world, 1036, POWEROFF(1), "one-1 ");
    assert_told(world, 1070, "", "");
    assert_told(world, 1076, POWEROFF(1), "");
    assert_told(world, 1081, "", "");
    assert_told(world, 1120, "", "");
}

static void test_sync(World *world, gconstpointer data)
{
    (void)data;
    assert_told(world, 1000, SYNCED, "");
    set(world, "one-1", ENGINE_RUNNING);
    assert_told(world, 1001, RUNNING(1), "one-1 ");
    assert_told(world, 1041, RUNNING(1), "");
    assert_told(world, 1179, "", "");
    assert_told(world, 1180, SYNCED RUNNING(1), "");
    assert_told(world, 1181, "", "");
    /* Another boot's clock, another front end's host: everything anew. */
    assert_told(world, 20, SYNCED RUNNING(1), "");
    world->host_id = "2";
    assert_told(world, 25, SYNCED RUNNING(1), "one-1 ");
}

/* An action is under way: what was told last stands, also in a sync, and what never was is left
 * out. */
static void test_held(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-1", ENGINE_RUNNING);
    assert_told(world, 1000, SYNCED RUNNING(1), "one-1 ");
    assert_told(world, 1040, RUNNING(1), "");
    g_hash_table_add(world->held, (gpointer) "one-1");
    g_hash_table_add(world->held, (gpointer) "one-2");
    set(world, "one-1", ENGINE_EXITED); /* a reboot, half way */
    set(world, "one-2", ENGINE_RUNNING);
    find(world, "one-2")->created = WALL + 1041; /* a deploy in its first moments */
    assert_told(world, 1042, "", "one-1 one-2 ");
    assert_told(world, 1180, SYNCED RUNNING(1), "one-1 one-2 ");
    g_hash_table_remove_all(world->held);
    set(world, "one-1", ENGINE_RUNNING);
    assert_told(world, 1185, RUNNING(2), "one-2 ");
}

/* A VM held since before the store began may be known to the front end: no sync without it. */
static void test_held_from_the_start(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-1", ENGINE_RUNNING);
    set(world, "one-2", ENGINE_RUNNING);
    find(world, "one-1")->created = WALL;
    g_hash_table_add(world->held, (gpointer) "one-1");
    assert_told(world, 1000, RUNNING(2), "one-1 one-2 ");
    assert_told(world, 1005, "", "one-1 ");
    g_hash_table_remove_all(world->held);
    assert_told(world, 1010, SYNCED RUNNING(1) RUNNING(2), "one-1 ");
}

static void test_missing(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-1", ENGINE_RUNNING);
    set(world, "one-2", ENGINE_EXITED);
    set(world, "one-3", ENGINE_RUNNING);
    set(world, "one-4", ENGINE_RUNNING);
    assert_told(world, 1000, SYNCED RUNNING(1) POWEROFF(2) RUNNING(3) RUNNING(4),
                "one-1 one-2 one-3 one-4 ");
    g_ptr_array_set_size(world->vms, 0);
    g_hash_table_add(world->held, (gpointer) "one-3");
    assert_told(world, 1005, "", "one-1? one-2? one-3? one-4? ");
    set(world, "one-4", ENGINE_RUNNING); /* missed by one listing */
    assert_told(world, 1010, POWEROFF(1), "one-1? one-2? one-3? ");
    assert_told(world, 1015, "", "one-3? ");
    set(world, "one-3", ENGINE_DEAD); /* being removed is as good as gone */
    g_hash_table_remove_all(world->held);
    assert_told(world, 1020, "", "one-3? ");
    assert_told(world, 1025, POWEROFF(3), "one-3? ");
    assert_told(world, 1180, SYNCED RUNNING(4), "");
}

/* A listing that is older than the container: the look decides. */
static void test_missing_and_there(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-1", ENGINE_EXITED);
    assert_told(world, 1000, SYNCED POWEROFF(1), "one-1 ");
    g_autoptr(StatusStore) store =
        status_store_parse(world->store, strlen(world->store), world->host_id);
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    set(world, "one-1", ENGINE_RUNNING);
    StatusTimes times = {1005, WALL, SYNC, REPEAT};
    g_autofree gchar *text = status_store_report(store, none, &times, look, world);
    g_assert_cmpstr(text, ==, RUNNING(1));
}

static void test_oom(World *world, gconstpointer data)
{
    (void)data;
    set(world, "one-1", ENGINE_RUNNING);
    assert_told(world, 1000, SYNCED RUNNING(1), "one-1 ");
    set(world, "one-1", ENGINE_EXITED);
    g_hash_table_add(world->oom, (gpointer) "one-1");
    assert_told(world, 1005, POWEROFF(1), "one-1 ");
    g_autoptr(StatusStore) store = status_store_parse(world->store, strlen(world->store), NULL);
    g_assert_true(status_store_oom_killed(store, "one-1"));
    g_assert_false(status_store_oom_killed(store, "one-2"));
}

/* A damaged file is an empty store, a damaged entry none. */
static void test_damaged(World *world, gconstpointer data)
{
    (void)data;
    static const char *const texts[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"host\":\"1\",\"since_s\":\"x\",\"synced_s\":0,\"vms\":{}}",
        "{\"host\":\"1\",\"since_s\":1,\"synced_s\":999,\"vms\":[]}",
    };
    set(world, "one-1", ENGINE_RUNNING);
    for (gsize i = 0; i < G_N_ELEMENTS(texts) - 1; i++) {
        g_free(world->store);
        world->store = g_strdup(texts[i]);
        assert_told(world, 1000, SYNCED RUNNING(1), "one-1 ");
    }
    g_free(world->store);
    world->store = g_strdup("{\"host\":\"1\",\"since_s\":1,\"synced_s\":999,\"vms\":{\"one-1\":{"
                            "\"status\":\"ASLEEP\",\"told_s\":1,\"again\":false,\"missing\":0,"
                            "\"oom_killed\":false},\"../x\":{}}}");
    assert_told(world, 1000, RUNNING(1), "one-1 ");
}

static void test_file(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *root = g_dir_make_tmp("vmdock-status-XXXXXX", &error);
    g_assert_no_error(error);
    Config config = {.run_dir = root};
    g_autoptr(StatusStore) empty = status_store_load(&config, "7");
    g_assert_true(status_store_save(empty, &config, &error));
    g_assert_no_error(error);
    g_autoptr(StatusStore) again = status_store_load(&config, "7");
    g_autofree gchar *before = status_store_format(empty);
    g_autofree gchar *after = status_store_format(again);
    g_assert_cmpstr(before, ==, after);
    g_assert_true(file_remove_tree(root, &error));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vm-status/states", test_states);
    g_test_add_func("/vm-status/file", test_file);
#define ADD(name, function)                                                                        \
    g_test_add("/vm-status/" name, World, NULL, world_set_up, function, world_tear_down)
    ADD("changes", test_changes);
    ADD("again", test_again);
    ADD("sync", test_sync);
    ADD("held", test_held);
    ADD("held-from-the-start", test_held_from_the_start);
    ADD("missing", test_missing);
    ADD("missing-and-there", test_missing_and_there);
    ADD("oom", test_oom);
    ADD("damaged", test_damaged);
    return g_test_run();
}

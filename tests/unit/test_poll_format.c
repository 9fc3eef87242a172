// SPDX-License-Identifier: Apache-2.0
#include "driver/poll_format.h"

#include <string.h>

#define ID "f9064ea0f84514e7c763b668dbc2e89bfd7b3f0fa87795112d31222e09fd1ff7"

static PollVm *running(const char *deploy_id)
{
    PollVm *vm = g_new0(PollVm, 1);
    vm->deploy_id = g_strdup(deploy_id);
    vm->cloud = g_strdup("opennebula");
    vm->cloud_id = g_strdup("42");
    vm->name = g_strdup("web \"1\"\n\xc3\xbc");
    vm->container_id = g_strdup(ID);
    vm->created = 1700000000;
    vm->state = ENGINE_RUNNING;
    vm->one_state = 'a';
    vm->has_sample = TRUE;
    vm->cpu_percent = 150.25;
    vm->sample = (Sample){
        .cpu_ns = 534591236,
        .memory = 3 * 1024 * 1024 + 1023,
        .memory_limit = 64 * 1024 * 1024,
        .net_rx = 11,
        .net_tx = 12,
        .disk_read_bytes = 13,
        .disk_write_bytes = 14,
        .disk_read_ops = 15,
        .disk_write_ops = 16,
        .pids = 17,
        .throttled_us = 18,
        .oom_kills = 19,
    };
    return vm;
}

static PollVm *stopped(const char *deploy_id)
{
    PollVm *vm = running(deploy_id);
    vm->state = ENGINE_EXITED;
    vm->one_state = 'd';
    vm->has_sample = FALSE;
    vm->cpu_percent = 0;
    vm->sample = (Sample){.net_rx = 1, .net_tx = 2};
    return vm;
}

#define LINE_RUNNING                                                                               \
    "STATE=a USEDMEMORY=3072 USEDCPU=150.2 NETRX=11 NETTX=12 DISKRDBYTES=13 DISKWRBYTES=14 "       \
    "DISKRDIOPS=15 DISKWRIOPS=16"
#define LINE_STOPPED "STATE=d USEDMEMORY=0 USEDCPU=0.0 NETRX=1 NETTX=2"

static void test_opennebula_one(void)
{
    g_autoptr(PollVm) up = running("one-42");
    g_autoptr(PollVm) down = stopped("one-42");
    g_autofree gchar *line_up = poll_format_opennebula(up);
    g_autofree gchar *line_down = poll_format_opennebula(down);
    g_autofree gchar *line_none = poll_format_opennebula(NULL);
    g_assert_cmpstr(line_up, ==, LINE_RUNNING);
    g_assert_cmpstr(line_down, ==, LINE_STOPPED);
    g_assert_cmpstr(line_none, ==, "STATE=d");
}

static void test_opennebula_all(void)
{
    g_autoptr(GPtrArray) vms = g_ptr_array_new_with_free_func((GDestroyNotify)poll_vm_free);
    g_autofree gchar *none = poll_format_opennebula_all(vms);
    g_assert_cmpstr(none, ==, "");
    g_ptr_array_add(vms, running("nova-7f1c")); /* not OpenNebula's */
    g_ptr_array_add(vms, running("one-x"));
    g_ptr_array_add(vms, running("one-"));
    g_ptr_array_add(vms, stopped("one-7"));
    g_ptr_array_add(vms, running("one-42"));
    g_autofree gchar *text = poll_format_opennebula_all(vms);
    g_assert_cmpstr(text, ==,
                    "VM=[ID=7, DEPLOY_ID=one-7, POLL=\"" LINE_STOPPED "\"]\n"
                    "VM=[ID=42, DEPLOY_ID=one-42, POLL=\"" LINE_RUNNING "\"]\n");
}

static gchar *dump(json_t *json)
{
    gchar *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    gchar *copy = g_strdup(text);
    free(text);
    json_decref(json);
    return copy;
}

static void test_json(void)
{
    g_autoptr(GPtrArray) vms = g_ptr_array_new_with_free_func((GDestroyNotify)poll_vm_free);
    g_autofree gchar *none = dump(poll_format_json(vms));
    g_assert_cmpstr(none, ==, "[]");
    g_ptr_array_add(vms, running("one-42"));
    g_ptr_array_add(vms, stopped("one-7"));
    g_autofree gchar *text = dump(poll_format_json(vms));
    g_assert_cmpstr(
        text, ==,
        "[{\"vm\":\"one-42\",\"cloud\":\"opennebula\",\"cloud_id\":\"42\","
        "\"name\":\"web \\\"1\\\"\\n\xc3\xbc\",\"container_id\":\"" ID "\","
        "\"created\":1700000000,\"state\":\"running\",\"one_state\":\"a\",\"cpu_percent\":150.2,"
        "\"cpu_seconds\":0.534,\"memory_bytes\":3146751,\"memory_limit_bytes\":67108864,"
        "\"net_rx_bytes\":11,\"net_tx_bytes\":12,\"disk_read_bytes\":13,\"disk_write_bytes\":14,"
        "\"disk_read_ops\":15,\"disk_write_ops\":16,\"pids\":17,\"throttled_us\":18,"
        "\"oom_kills\":19},"
        "{\"vm\":\"one-7\",\"cloud\":\"opennebula\",\"cloud_id\":\"42\","
        "\"name\":\"web \\\"1\\\"\\n\xc3\xbc\",\"container_id\":\"" ID "\","
        "\"created\":1700000000,\"state\":\"exited\",\"one_state\":\"d\",\"cpu_percent\":null,"
        "\"cpu_seconds\":null,\"memory_bytes\":null,\"memory_limit_bytes\":null,"
        "\"net_rx_bytes\":1,\"net_tx_bytes\":2,\"disk_read_bytes\":null,"
        "\"disk_write_bytes\":null,\"disk_read_ops\":null,\"disk_write_ops\":null,\"pids\":null,"
        "\"throttled_us\":null,\"oom_kills\":null}]");
}

static void test_no_limit(void)
{
    g_autoptr(PollVm) vm = running("one-42");
    vm->sample.memory_limit = 0;
    vm->sample.pids = G_MAXUINT64; /* no JSON integer holds it */
    json_t *json = poll_format_json_one(vm);
    g_assert_true(json_is_null(json_object_get(json, "memory_limit_bytes")));
    g_assert_cmpint(json_integer_value(json_object_get(json, "pids")), ==, G_MAXINT64);
    json_decref(json);
}

static void test_state_names(void)
{
    g_assert_cmpstr(poll_state_name(ENGINE_CREATED), ==, "created");
    g_assert_cmpstr(poll_state_name(ENGINE_PAUSED), ==, "paused");
    g_assert_cmpstr(poll_state_name(ENGINE_RESTARTING), ==, "restarting");
    g_assert_cmpstr(poll_state_name(ENGINE_DEAD), ==, "dead");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/poll-format/opennebula/one", test_opennebula_one);
    g_test_add_func("/poll-format/opennebula/all", test_opennebula_all);
    g_test_add_func("/poll-format/json", test_json);
    g_test_add_func("/poll-format/no-limit", test_no_limit);
    g_test_add_func("/poll-format/state-names", test_state_names);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/engine_body.h"
#include "tests/unit/golden.h"

#include <string.h>

static VmSpec *spec_of(const GoldenCase *golden_case)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *path = golden_path(golden_case, "spec");
    g_autofree gchar *text = golden_read(path, NULL);
    g_autoptr(json_t) json = json_loads(text, 0, NULL);
    VmSpec *spec = vm_spec_from_json(json, &error);
    g_assert_no_error(error);
    return spec;
}

static VmSpec *own_spec(const char *name)
{
    return spec_of(&(GoldenCase){name, FALSE});
}

static void test_golden(void)
{
    gsize count;
    const GoldenCase *cases = golden_cases(&count);
    g_autoptr(GoldenConfig) config = golden_config();
    for (gsize i = 0; i < count; i++) {
        g_autofree gchar *path = golden_path(&cases[i], "body");
        g_autoptr(VmSpec) spec = spec_of(&cases[i]);
        g_autofree gchar *image = g_strdup_printf("vmdock/%s:disk.0", spec->deploy_id);
        json_t *body = engine_body(spec, config, image);
        json_t *labels = json_object_get(body, "Labels");
        /* The one thing that every release changes. */
        const char *version = json_string_value(json_object_get(labels, "vmdock.version"));
        g_assert_cmpstr(version, ==, VMDOCK_VERSION);
        json_object_set_new(labels, "vmdock.version", json_string("@VERSION@"));
        golden_compare(path, body);
    }
}

static json_t *host_of(json_t *body)
{
    return json_object_get(body, "HostConfig");
}

static gint64 number_in(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    g_assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *string_in(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static gchar *text_in(json_t *object, const char *key)
{
    return json_dumps(json_object_get(object, key), JSON_ENCODE_ANY | JSON_COMPACT);
}

static void assert_text(json_t *object, const char *key, const char *expected)
{
    char *text = text_in(object, key);
    g_assert_cmpstr(text, ==, expected);
    free(text);
}

/* Whatever a VM asks for, these are not its to choose. */
static void test_fixed(void)
{
    gsize count;
    const GoldenCase *cases = golden_cases(&count);
    g_autoptr(GoldenConfig) config = golden_config();
    g_free(config->cgroup_parent);
    config->cgroup_parent = g_strdup("vmdock.slice");
    for (gsize i = 0; i < count; i++) {
        g_autoptr(VmSpec) spec = spec_of(&cases[i]);
        g_autoptr(json_t) body = engine_body(spec, config, "image");
        json_t *host = host_of(body);
        g_assert_cmpstr(string_in(body, "Image"), ==, "image");
        g_assert_cmpstr(string_in(host, "Runtime"), ==, "vmdock");
        g_assert_cmpstr(string_in(host, "CgroupParent"), ==, "vmdock.slice");
        /* But a network that policy has allowed. */
        g_assert_cmpstr(string_in(host, "NetworkMode"), ==,
                        vm_nics_any_engine(spec->nics) ? "my-multi-host-network" : "none");
        assert_text(host, "RestartPolicy", "{\"Name\":\"no\"}");
        g_assert_null(json_object_get(host, "Binds"));
        /* One folder of our own, which nobody can write through. */
        json_t *mounts = json_object_get(host, "Mounts"), *mount = json_array_get(mounts, 0);
        g_assert_cmpuint(json_array_size(mounts), ==, spec->context ? 1 : 0);
        g_autofree gchar *folder =
            g_strdup_printf("%s/%s/context", config->state_dir, spec->deploy_id);
        g_assert_true(!mount || json_is_true(json_object_get(mount, "ReadOnly")));
        g_assert_true(!mount || strcmp(string_in(mount, "Source"), folder) == 0);
        g_assert_null(json_object_get(host, "PidMode"));
        g_assert_null(json_object_get(host, "SecurityOpt"));
        g_assert_cmpuint(json_object_size(json_object_get(body, "Labels")), ==, 6);
        g_assert_cmpstr(string_in(json_object_get(body, "Labels"), "vmdock.vm"), ==,
                        spec->deploy_id);
    }
}

/* An address that the engine gave once is asked for again where that is wanted; one that was asked
 * for, always. */
static void test_endpoint(void)
{
    g_autoptr(VmSpec) spec = own_spec("engine-network");
    VmNic *nic = vm_nics_find(spec->nics, 1);
    g_autoptr(json_t) asked = engine_endpoint_body(nic, FALSE);
    g_assert_cmpstr(string_in(json_object_get(asked, "IPAMConfig"), "IPv4Address"), ==,
                    "10.77.0.40");
    g_assert_cmpstr(string_in(asked, "MacAddress"), ==, "02:00:0a:4d:00:28");
    VmNic *other = vm_nics_find(spec->nics, 1000000);
    g_autoptr(json_t) nothing = engine_endpoint_body(other, TRUE);
    g_assert_cmpuint(json_object_size(nothing), ==, 0);
    VmAddress address = {0};
    g_assert_true(vm_address_parse("fd05::7/64", &address));
    vm_nic_learn_address(other, &address);
    g_autoptr(json_t) modest = engine_endpoint_body(other, FALSE);
    g_assert_cmpuint(json_object_size(modest), ==, 0);
    g_autoptr(json_t) again = engine_endpoint_body(other, TRUE);
    g_assert_cmpstr(string_in(json_object_get(again, "IPAMConfig"), "IPv6Address"), ==, "fd05::7");
}

static void test_limits(void)
{
    g_autoptr(GoldenConfig) config = golden_config();
    g_autoptr(VmSpec) spec = own_spec("bare");
    spec->limits = (VmLimits){.memory = 100, .swap = 20, .cpu_weight = 30, .cpu_quota_us = 4000};
    g_autoptr(json_t) body = engine_body(spec, config, "image");
    g_assert_cmpint(number_in(host_of(body), "Memory"), ==, 100);
    g_assert_cmpint(number_in(host_of(body), "MemorySwap"), ==, 120);
    g_assert_cmpint(number_in(host_of(body), "CpuShares"), ==, 30);
    g_assert_cmpint(number_in(host_of(body), "CpuPeriod"), ==, 100000);
    g_assert_cmpint(number_in(host_of(body), "CpuQuota"), ==, 4000);
    g_assert_cmpint(number_in(host_of(body), "PidsLimit"), ==, 4096);
    spec->limits = (VmLimits){.pids = 9};
    g_autoptr(json_t) unlimited = engine_body(spec, config, "image");
    g_assert_cmpint(number_in(host_of(unlimited), "PidsLimit"), ==, 9);
    static const char *const absent[] = {"Memory", "MemorySwap", "CpuShares", "CpuPeriod",
                                         "CpuQuota"};
    for (gsize i = 0; i < G_N_ELEMENTS(absent); i++)
        g_assert_null(json_object_get(host_of(unlimited), absent[i]));
    spec->limits.pids = 0;
    config->pids_limit = 0;
    g_autoptr(json_t) no_pids = engine_body(spec, config, "image");
    g_assert_cmpint(number_in(host_of(no_pids), "PidsLimit"), ==, -1);
}

static void test_configuration(void)
{
    g_autoptr(GoldenConfig) config = golden_config();
    g_autoptr(VmSpec) spec = own_spec("bare");
    config->log_max_bytes = 123;
    config->log_files = 7;
    config->stop_timeout_s = 99;
    g_autoptr(json_t) body = engine_body(spec, config, "image");
    assert_text(host_of(body), "LogConfig",
                "{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"123\",\"max-file\":\"7\"}}");
    g_assert_cmpint(number_in(body, "StopTimeout"), ==, 99);
    config->log_max_bytes = 0;
    spec->process.stop_timeout = 0;
    g_autoptr(json_t) other = engine_body(spec, config, "image");
    g_assert_null(json_object_get(host_of(other), "LogConfig"));
    g_assert_cmpint(number_in(other, "StopTimeout"), ==, 0);
}

/* An empty entry point takes the image's away; none leaves it. */
static void test_entrypoint(void)
{
    g_autoptr(GoldenConfig) config = golden_config();
    g_autoptr(VmSpec) spec = own_spec("bare");
    g_autoptr(json_t) none = engine_body(spec, config, "image");
    g_assert_null(json_object_get(none, "Entrypoint"));
    spec->process.entrypoint = g_new0(gchar *, 1);
    g_autoptr(json_t) empty = engine_body(spec, config, "image");
    assert_text(empty, "Entrypoint", "[]");
}

static void test_update(void)
{
    g_autoptr(GoldenConfig) config = golden_config();
    g_autoptr(VmSpec) spec = own_spec("everything");
    g_autoptr(json_t) body = engine_update_body(spec, config);
    char *text = json_dumps(body, JSON_COMPACT);
    g_assert_cmpstr(text, ==,
                    "{\"Memory\":1073741824,\"MemorySwap\":1342177280,\"CpuShares\":256,"
                    "\"CpuPeriod\":100000,\"CpuQuota\":200000,\"PidsLimit\":512}");
    free(text);
    /* To an update 0 means "as it is", so that "none" has to be said. */
    spec->limits = (VmLimits){0};
    config->pids_limit = 0;
    g_autoptr(json_t) none = engine_update_body(spec, config);
    text = json_dumps(none, JSON_COMPACT);
    g_assert_cmpstr(text, ==,
                    "{\"CpuShares\":1024,\"CpuPeriod\":100000,\"CpuQuota\":-1,\"PidsLimit\":-1}");
    free(text);
}

static void assert_changed(const VmSpec *old, const VmSpec *new, const char *expected)
{
    g_auto(GStrv) changed = engine_body_changed(old, new);
    g_autofree gchar *text = g_strjoinv(", ", changed);
    g_assert_cmpstr(text, ==, expected);
}

/* The engine brings limits to a container, and takes none of these away from one. */
static void test_changed_back(void)
{
    g_autoptr(VmSpec) old = own_spec("bare");
    g_autoptr(VmSpec) new = own_spec("bare");
    old->limits.io_weight = 100;
    old->cpus = g_strdup("0-1");
    const VmMount folder = {g_strdup("/srv/a"), g_strdup("/a"), TRUE};
    g_ptr_array_add(old->mounts, g_memdup2(&folder, sizeof folder));
    const VmDeviceLimits device = {.path = g_strdup("/dev/sda"), .limits = {.read_ops = 1}};
    g_ptr_array_add(old->device_limits, g_memdup2(&device, sizeof device));
    assert_changed(old, new, "folders of the host, CPUs, weight of its disks, limits of devices");
    assert_changed(new, old, "folders of the host, limits of devices");
    assert_changed(old, old, "");
}

static void test_changed(void)
{
    g_autoptr(VmSpec) old = own_spec("everything");
    g_autoptr(VmSpec) new = own_spec("everything");
    assert_changed(old, new, "");
    /* What an update, or the network, can bring along. */
    new->limits = (VmLimits){1, 2, 3, 4, 5, 6, 7};
    new->cpus = g_strdup("1");
    new->process.stop_timeout = 1;
    g_ptr_array_set_size(new->not_honoured, 0);
    assert_changed(old, new, "");
    g_ptr_array_set_size(new->nics, 0);
    assert_changed(old, new, "hosts file");
    g_autoptr(VmSpec) bare = own_spec("bare");
    assert_changed(
        old, bare,
        "name, image, command, entrypoint, environment, user, working directory, terminal, "
        "init, stop signal, tmpfs, capabilities, devices, privileged, "
        "hosts file, context");
    g_autoptr(VmSpec) dual = own_spec("dual-stack");
    g_autoptr(VmSpec) read_only = own_spec("dual-stack");
    read_only->read_only_root = TRUE;
    g_clear_pointer(&read_only->dns, g_strfreev);
    g_clear_pointer(&read_only->search, g_strfreev);
    assert_changed(dual, read_only, "read-only root, DNS, search domains");
}

static void test_changed_lists(void)
{
    g_autoptr(VmSpec) old = own_spec("bare");
    g_autoptr(VmSpec) new = own_spec("bare");
    /* To the engine "no environment" is an empty one, but "no command" is the image's. */
    new->process.environment = g_new0(gchar *, 1);
    new->tmpfs = g_new0(gchar *, 1);
    assert_changed(old, new, "");
    new->process.entrypoint = g_new0(gchar *, 1);
    assert_changed(old, new, "entrypoint");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine_body/golden", test_golden);
    g_test_add_func("/engine_body/fixed", test_fixed);
    g_test_add_func("/engine_body/limits", test_limits);
    g_test_add_func("/engine_body/configuration", test_configuration);
    g_test_add_func("/engine_body/entrypoint", test_entrypoint);
    g_test_add_func("/engine_body/update", test_update);
    g_test_add_func("/engine_body/changed", test_changed);
    g_test_add_func("/engine_body/changed-back", test_changed_back);
    g_test_add_func("/engine_body/changed-lists", test_changed_lists);
    g_test_add_func("/engine-body/endpoint", test_endpoint);
    return g_test_run();
}

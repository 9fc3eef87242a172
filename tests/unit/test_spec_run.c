// SPDX-License-Identifier: Apache-2.0
#include "driver/error.h"
#include "driver/spec_network.h"
#include "driver/spec_opennebula.h"
#include "driver/spec_run.h"
#include "tests/unit/golden.h"

#include <string.h>

static char *one_address[] = {(char *)"10.0.0.2/24", NULL};
static char *both_addresses[] = {(char *)"10.0.0.2/24", (char *)"fd00::2/64", NULL};
static char *one_gateway[] = {(char *)"10.0.0.1", NULL};

static RunWish plain(void)
{
    return (RunWish){.image = "nginx", .name = "web", .terminal = TRUE};
}

static void test_names(void)
{
    static const struct {
        const char *image, *name;
    } rows[] = {
        {"nginx", "nginx-00beef"},
        {"docker://reg.example:5000/team/My_App.v2:1", "vm-00beef"},
        {"reg.example:5000/team/my_app.v2:1", "my-app-v2-00beef"},
        {"no image", "vm-00beef"},
        {"a/abcdefghijklmnopqrstuvwxyzabcdef", "abcdefghijklmnopqrstuvwx-00beef"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *name = spec_run_name(rows[i].image, 0xff00beef);
        g_assert_cmpstr(name, ==, rows[i].name);
    }
}

static void test_plain(void)
{
    g_autoptr(GError) error = NULL;
    RunWish wish = plain();
    g_autoptr(VmSpec) spec = spec_from_run(&wish, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(spec->deploy_id, ==, "run-web");
    g_assert_cmpstr(spec->cloud, ==, "operator");
    g_assert_cmpstr(spec->cloud_id, ==, "web");
    g_assert_cmpstr(spec->hostname, ==, "web");
    g_assert_cmpstr(spec->image, ==, "nginx:latest");
    g_assert_true(spec->process.terminal);
    g_assert_null(spec->process.command);
    g_assert_cmpint(spec->limits.memory, ==, 0);
    g_assert_cmpint(spec->limits.cpu_quota_us, ==, 0);
    g_assert_cmpuint(spec->nics->len, ==, 0);
}

static void test_nic(void)
{
    g_autoptr(GError) error = NULL;
    RunWish wish = plain();
    wish.bridge = "br0";
    wish.addresses = both_addresses;
    wish.gateways = one_gateway;
    wish.mtu = "1400";
    g_autoptr(VmSpec) spec = spec_from_run(&wish, &error);
    g_assert_no_error(error);
    const VmNic *nic = vm_nics_find(spec->nics, 0);
    g_assert_cmpstr(nic->bridge, ==, "br0");
    g_assert_cmpstr(nic->guest_name, ==, "eth0");
    g_assert_cmpuint(strlen(nic->host_name), <=, VM_IFNAME_MAX);
    g_assert_true(g_str_has_prefix(nic->host_name, "run-"));
    g_assert_cmpuint(nic->mtu, ==, 1400);
    g_assert_true(nic->has_mac);
    g_assert_cmpuint(nic->mac[0], ==, 2);
    g_assert_cmpuint(nic->addresses->len, ==, 2);
    g_assert_cmpuint(nic->routes->len, ==, 1);
    g_assert_cmpint((gint)nic->ip6_mode, ==, VM_IP6_ROUTERS);
    /* Another VM has another MAC and another link, and the same has the same. */
    g_autoptr(VmSpec) again = spec_from_run(&wish, NULL);
    g_assert_cmpmem(vm_nics_find(again->nics, 0)->mac, 6, nic->mac, 6);
    wish.name = "other";
    g_autoptr(VmSpec) other = spec_from_run(&wish, NULL);
    g_assert_cmpstr(vm_nics_find(other->nics, 0)->host_name, !=, nic->host_name);
    g_assert_true(memcmp(vm_nics_find(other->nics, 0)->mac, nic->mac, 6) != 0);
}

static void test_limits(void)
{
    RunWish wish = plain();
    wish.memory = "2g";
    wish.cpu = "1.5";
    g_autoptr(VmSpec) spec = spec_from_run(&wish, NULL);
    g_assert_cmpint(spec->limits.memory, ==, G_GINT64_CONSTANT(2) << 30);
    g_assert_cmpint(spec->limits.cpu_weight, ==, 1536);
    g_assert_cmpint(spec->limits.cpu_quota_us, ==, 200000);
    wish.hard_cpu = TRUE;
    g_autoptr(VmSpec) hard = spec_from_run(&wish, NULL);
    g_assert_cmpint(hard->limits.cpu_quota_us, ==, 150000);
}

static void test_process(void)
{
    static char *environment[] = {(char *)"B=2=3", (char *)"A=", NULL};
    static char *command[] = {(char *)"sleep", (char *)"-1", NULL};
    static char *attributes[] = {(char *)"command=ls", (char *)"USER=guest", NULL};
    RunWish wish = plain();
    wish.environment = environment;
    wish.command = command;
    wish.attributes = attributes;
    g_autoptr(VmSpec) spec = spec_from_run(&wish, NULL);
    g_assert_cmpstrv(spec->process.environment, ((const char *[]){"A=", "B=2=3", NULL}));
    g_assert_cmpstrv(spec->process.command, ((const char *[]){"sleep", "-1", NULL}));
    g_assert_cmpstr(spec->process.user, ==, "guest");
}

static void assert_refused(const RunWish *wish)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_from_run(wish, &error);
    g_assert_null(spec);
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

static void test_refused(void)
{
    static char *no_prefix[] = {(char *)"10.0.0.2", NULL};
    static char *two[] = {(char *)"10.0.0.1", (char *)"10.0.0.3", NULL};
    static char *nothing[] = {(char *)"=1", NULL}, *latin[] = {(char *)"A=\xff", NULL};
    static char *twice[] = {(char *)"USER=a", (char *)"user=b", NULL};
    static const char *const memories[] = {"", "5", "-5M", "5MB", "0G", "1.5G", "9999999T", "M"};
    static const char *const cpus[] = {"", "0", "-1", "inf", "0x1", "1,5", "1000001"};
    RunWish rows[] = {plain(), plain(), plain(), plain(), plain(), plain(), plain(), plain()};
    rows[0].name = "";
    rows[1].image = "vmdock/one-1:disk.0";
    rows[2].addresses = one_address;
    rows[3].bridge = "br0";
    rows[3].addresses = no_prefix;
    rows[4].bridge = "br0";
    rows[4].addresses = one_address;
    rows[4].gateways = two;
    rows[5].environment = nothing;
    rows[6].environment = latin;
    rows[7].attributes = twice;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_refused(&rows[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(memories); i++) {
        RunWish wish = plain();
        wish.memory = memories[i];
        assert_refused(&wish);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(cpus); i++) {
        RunWish wish = plain();
        wish.cpu = cpus[i];
        assert_refused(&wish);
    }
}

static void test_network(void)
{
    g_autoptr(GError) error = NULL;
    RunWish wish = plain();
    wish.network = "default=192.168.122.7";
    g_autoptr(VmSpec) spec = spec_from_run(&wish, &error);
    g_assert_no_error(error);
    g_autofree gchar *path = golden_data("golden/run-network.spec.json");
    golden_compare(path, vm_spec_to_json(spec));
    wish.network = "office=2";
    assert_refused(&wish);
    wish.network = "";
    assert_refused(&wish);
    wish.network = "a/b";
    assert_refused(&wish);
    wish.network = "default";
    wish.bridge = "br0";
    assert_refused(&wish);
}

/* Behind the NICs that a description has, whatever their numbers. */
static void test_networks(void)
{
    static const char *const texts[] = {"default", "a=b=192.168.122.7", "six=fd12::7", NULL};
    static const char *const bad[] = {"default=x", NULL}, *const empty[] = {"=10.0.0.1", NULL};
    g_autoptr(GError) error = NULL, no_address = NULL, no_name = NULL;
    RunWish wish = plain();
    wish.bridge = "br0";
    g_autoptr(VmSpec) spec = spec_from_run(&wish, &error);
    g_assert_no_error(error);
    ((VmNic *)spec->nics->pdata[0])->id = ONE_VM_NIC;
    g_assert_true(spec_network_add(spec, NULL, &error));
    g_assert_true(spec_network_add(spec, (GStrv)texts, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(spec->nics->len, ==, 4);
    const VmNic *first = spec->nics->pdata[1], *second = spec->nics->pdata[2],
                *third = spec->nics->pdata[3];
    g_assert_cmpstr(first->libvirt_network, ==, "default");
    g_assert_cmpstr(first->guest_name, ==, "eth1");
    g_assert_cmpuint(first->id, ==, 1);
    g_assert_cmpuint(first->addresses->len, ==, 0);
    g_assert_cmpstr(second->libvirt_network, ==, "a=b");
    g_assert_cmpuint(second->addresses->len, ==, 1);
    g_assert_cmpint(second->ip6_mode, ==, VM_IP6_STATIC);
    g_assert_cmpint(third->ip6_mode, ==, VM_IP6_ROUTERS);
    g_assert_false(spec_network_add(spec, (GStrv)bad, &no_address));
    g_assert_cmpstr(no_address->message, ==, "--network: \"default=x\" is no NAME or NAME=ADDRESS");
    g_assert_false(spec_network_add(spec, (GStrv)empty, &no_name));
    g_assert_error(no_name, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

static void test_engine_networks(void)
{
    static char *networks[] = {(char *)"multi=10.5.0.7,fd05::7", (char *)"back.end-1", NULL};
    static const char *const wrong[] = {"",
                                        "a/b",
                                        "-a",
                                        "none",
                                        "bridge",
                                        "host",
                                        "a=10.0.0.7/8",
                                        "a=x",
                                        "a=10.0.0.7,10.0.0.8",
                                        "container:x",
                                        "a b"};
    g_autoptr(GError) error = NULL;
    RunWish wish = plain();
    wish.bridge = "br0";
    wish.addresses = one_address;
    wish.gateways = one_gateway;
    wish.engine_networks = networks;
    g_autoptr(VmSpec) spec = spec_from_run(&wish, &error);
    g_assert_no_error(error);
    g_autofree gchar *path = golden_data("golden/run-engine-networks.spec.json");
    golden_compare(path, vm_spec_to_json(spec));
    static char *twice[] = {(char *)"multi", (char *)"multi=10.5.0.7", NULL};
    wish.engine_networks = twice;
    assert_refused(&wish);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        char *one[] = {(char *)wrong[i], NULL};
        wish.engine_networks = one;
        assert_refused(&wish);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spec-run/names", test_names);
    g_test_add_func("/spec-run/plain", test_plain);
    g_test_add_func("/spec-run/nic", test_nic);
    g_test_add_func("/spec-run/network", test_network);
    g_test_add_func("/spec-run/networks", test_networks);
    g_test_add_func("/spec-run/engine-networks", test_engine_networks);
    g_test_add_func("/spec-run/limits", test_limits);
    g_test_add_func("/spec-run/process", test_process);
    g_test_add_func("/spec-run/refused", test_refused);
    return g_test_run();
}

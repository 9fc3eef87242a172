// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/spec.h"
#include "tests/unit/golden.h"

#include <stdlib.h>
#include <string.h>

static VmAddress address_of(const char *text)
{
    VmAddress address;
    if (!vm_address_parse(text, &address))
        g_error("\"%s\" is no address", text);
    return address;
}

static void test_addresses(void)
{
    static const char *const rows[][3] = {
        {"10.77.0.2/24", "10.77.0.2/24", "10.77.0.2"},
        {"10.77.0.2", "10.77.0.2/32", "10.77.0.2"},
        {"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0"},
        {"FD00:0077:0:0::1/64", "fd00:77::1/64", "fd00:77::1"},
        {"::", "::/128", "::"},
    };
    static const char *const bad[] = {"",
                                      "10.77.0",
                                      "10.77.0.256",
                                      "10.77.0.2/33",
                                      "10.77.0.2/",
                                      "10.77.0.2/-1",
                                      "10.77.0.2/ 8",
                                      "10.77.0.2/8/8",
                                      " 10.77.0.2",
                                      "10.77.0.02",
                                      "fd00::1/129",
                                      "fd00:::1",
                                      "fe80::1%eth0",
                                      "1",
                                      "10.77.0.2/0x8"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        VmAddress address = address_of(rows[i][0]);
        g_autofree gchar *format = vm_address_format(&address);
        g_autofree gchar *text = vm_address_text(&address);
        g_assert_cmpstr(format, ==, rows[i][1]);
        g_assert_cmpstr(text, ==, rows[i][2]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        VmAddress address = {.prefix = 99};
        if (vm_address_parse(bad[i], &address))
            g_error("taken: \"%s\"", bad[i]);
        g_assert_cmpuint(address.prefix, ==, 99);
    }
}

static void test_contains(void)
{
    static const struct {
        const char *subnet, *other;
        gboolean inside;
    } rows[] = {
        {"10.77.1.2/24", "10.77.1.255", TRUE},  {"10.77.1.2/24", "10.77.2.1", FALSE},
        {"10.77.1.2/23", "10.77.0.1", TRUE},    {"10.77.1.2/32", "10.77.1.2", TRUE},
        {"10.77.1.2/32", "10.77.1.3", FALSE},   {"10.77.1.2/0", "192.0.2.1", TRUE},
        {"10.77.1.2/0", "fd00::1", FALSE},      {"fd00::1/61", "fd00:0:0:7::1", TRUE},
        {"fd00::1/61", "fd00:0:0:8::1", FALSE}, {"fd00::1/128", "fd00::1", TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        VmAddress subnet = address_of(rows[i].subnet), other = address_of(rows[i].other);
        g_assert_cmpint(vm_address_contains(&subnet, &other), ==, rows[i].inside);
    }
    VmAddress address = address_of("10.77.255.2/17"), net = vm_address_subnet(&address);
    g_autofree gchar *text = vm_address_format(&net);
    g_assert_cmpstr(text, ==, "10.77.128.0/17");
}

static void test_masks(void)
{
    static const struct {
        const char *mask;
        guint prefix;
    } rows[] = {{"255.255.255.0", 24}, {"255.255.255.255", 32}, {"0.0.0.0", 0}, {"128.0.0.0", 1},
                {"255.255.254.0", 23}, {"255.255.255.254", 31}, {"24", 24},     {"0", 0}};
    static const char *const bad[] = {"255.0.255.0", "0.0.0.255",     "33", "-1", "",
                                      "255.255.255", "255.255.255.1", "/24"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint prefix = 99;
        g_assert_true(vm_mask_prefix(rows[i].mask, &prefix));
        g_assert_cmpuint(prefix, ==, rows[i].prefix);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        guint prefix = 99;
        g_assert_false(vm_mask_prefix(bad[i], &prefix));
        g_assert_cmpuint(prefix, ==, 99);
    }
}

static void test_macs(void)
{
    static const char *const bad[] = {"",
                                      "02:00:0a:4d:01",
                                      "02:00:0a:4d:01:02:03",
                                      "02-00-0a-4d-01-02",
                                      "02:00:0a:4d:01:0g",
                                      "2:00:0a:4d:01:002",
                                      "02000a4d0102"};
    guint8 mac[6];
    g_assert_true(vm_mac_parse("02:00:0A:4d:01:fF", mac));
    g_autofree gchar *text = vm_mac_format(mac);
    g_assert_cmpstr(text, ==, "02:00:0a:4d:01:ff");
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(vm_mac_parse(bad[i], mac));
}

static void test_ids(void)
{
    static const char *const good[] = {"one-0", "one-4294967295", "nova-0a-B",
                                       "nova-11111111-2222-4333-8444-555555555501"};
    static const char *const bad[] = {"",         "one-",         "one",       "nova-",   "one-1/2",
                                      "one-..",   "one-1 ",       "two-1",     "one-1\n", "ONE-1",
                                      "../one-1", "one-\xc3\xbc", "one-1.conf"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(vm_id_valid(good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(vm_id_valid(bad[i]));
    g_autofree gchar *tail = g_strnfill(50, '1');
    g_autofree gchar *longest = g_strconcat("one-", tail, NULL);
    g_autofree gchar *longer = g_strconcat("one-1", tail, NULL);
    g_assert_true(vm_id_valid(longest));
    g_assert_false(vm_id_valid(longer));
}

static void test_hostnames(void)
{
    static const char *const rows[][2] = {
        {"web", "web"},
        {"Web 01", "Web-01"},
        {"a_b__c", "a-b-c"},
        {"--a--", "a"},
        {"web.example.org", "web.example.org"},
        {".web..example-.-org.", "web.example.org"},
        {"_.a", "a"},
        {"küste", "k-ste"},
        {"../../x", "x"},
        {"$(reboot)", "reboot"},
        {"", "none"},
        {"...", "none"},
        {"ü", "none"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *name = vm_hostname_from(rows[i][0], "none");
        g_assert_cmpstr(name, ==, rows[i][1]);
    }
    g_autofree gchar *none = vm_hostname_from(NULL, "none");
    g_assert_cmpstr(none, ==, "none");
    g_autofree gchar *longer = g_strnfill(62, 'a');
    g_autofree gchar *text = g_strconcat(longer, "-bbb", NULL);
    g_autofree gchar *cut = vm_hostname_from(text, "none");
    g_assert_cmpstr(cut, ==, longer);
}

/* A spec with two NICs, dual-stack, that passes. */
static VmSpec *good_spec(void)
{
    VmSpec *spec = vm_spec_new();
    spec->deploy_id = g_strdup("one-7");
    spec->cloud = g_strdup("opennebula");
    spec->cloud_id = g_strdup("7");
    spec->name = g_strdup("boat");
    spec->hostname = g_strdup("boat");
    spec->limits.memory = 6291456;
    for (guint i = 0; i < 2; i++) {
        VmNic *nic = vm_nic_new();
        VmAddress addresses[] = {address_of(i ? "10.77.2.5/24" : "10.77.1.5/24"),
                                 address_of(i ? "fd00:2::5/64" : "fd00:1::5/64")};
        VmRoute route = {address_of("0.0.0.0/0"), address_of(i ? "10.77.2.1" : "10.77.1.1"), i};
        nic->id = i;
        nic->host_name = g_strdup_printf("one-7-%u", i);
        nic->guest_name = g_strdup_printf("eth%u", i);
        nic->bridge = g_strdup("br0");
        nic->has_mac = TRUE;
        nic->mac[0] = 2;
        nic->mac[5] = (guint8)i;
        g_array_append_vals(nic->addresses, addresses, 2);
        g_array_append_val(nic->routes, route);
        g_ptr_array_add(spec->nics, nic);
    }
    return spec;
}

static VmNic *second(VmSpec *spec)
{
    return spec->nics->pdata[1];
}

static void set_text(gchar **field, const char *text)
{
    g_free(*field);
    *field = g_strdup(text);
}

static void set_address(VmSpec *spec, guint index, const char *text)
{
    g_array_index(second(spec)->addresses, VmAddress, index) = address_of(text);
}

static void set_gateway(VmSpec *spec, const char *destination, const char *gateway)
{
    VmRoute *route = &g_array_index(second(spec)->routes, VmRoute, 0);
    route->destination = address_of(destination);
    route->gateway = address_of(gateway);
}

static void assert_check(VmSpec *taken, const char *words)
{
    g_autoptr(VmSpec) spec = taken;
    g_autoptr(GError) error = NULL;
    gboolean fine = vm_spec_check(spec, &error);
    if (!words) {
        g_assert_no_error(error);
        g_assert_true(fine);
        return;
    }
    g_assert_false(fine);
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
    if (!strstr(error->message, words))
        g_error("\"%s\" has no \"%s\" in it", error->message, words);
}

static void test_check_identity(void)
{
    VmSpec *spec = good_spec();
    assert_check(spec, NULL);
    spec = good_spec();
    set_text(&spec->deploy_id, "one-../x");
    assert_check(spec, "no id of a VM");
    spec = good_spec();
    set_text(&spec->deploy_id, NULL);
    assert_check(spec, "no id of a VM");
    spec = good_spec();
    spec->limits.memory = 6291455;
    assert_check(spec, "6 MiB");
    spec = good_spec();
    spec->limits.memory = 0;
    assert_check(spec, NULL);
}

static void test_check_names(void)
{
    static const char *const bad[] = {
        "", ".", "..", "a/b", "a b", "a\tb", "a:b", "a\x7f", "sixteen-bytes-xx", "\xff"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        VmSpec *spec = good_spec();
        set_text(&second(spec)->host_name, bad[i]);
        assert_check(spec, "NIC 1: the name");
        spec = good_spec();
        set_text(&second(spec)->guest_name, bad[i]);
        assert_check(spec, "NIC 1: the guest name");
        spec = good_spec();
        set_text(&second(spec)->bridge, bad[i]);
        assert_check(spec, "NIC 1: the bridge");
    }
    VmSpec *spec = good_spec();
    set_text(&second(spec)->host_name, "fifteen-bytes-x");
    assert_check(spec, NULL);
    spec = good_spec();
    set_text(&second(spec)->host_name, "one-7-0");
    assert_check(spec, "NIC 0 and NIC 1 have one name");
    spec = good_spec();
    set_text(&second(spec)->guest_name, "eth0");
    assert_check(spec, "one guest name");
}

static void test_check_macs(void)
{
    VmSpec *spec = good_spec();
    second(spec)->mac[5] = 0;
    assert_check(spec, "NIC 0 and NIC 1 have one MAC, 02:00:00:00:00:00");
    spec = good_spec();
    second(spec)->mac[5] = 0;
    second(spec)->has_mac = FALSE;
    assert_check(spec, NULL);
    spec = good_spec();
    second(spec)->mac[0] = 3;
    assert_check(spec, "NIC 1: 03:00:00:00:00:01 is a multicast MAC");
    spec = good_spec();
    memset(second(spec)->mac, 0, 6);
    assert_check(spec, "NIC 1: 00:00:00:00:00:00 is no MAC");
}

static void test_check_addresses(void)
{
    static const struct {
        guint index;
        const char *address, *words;
    } rows[] = {
        {0, "10.77.2.0/24", "address of its subnet"},
        {0, "10.77.2.255/24", "broadcast"},
        {0, "10.77.2.1/24", NULL},
        {0, "10.77.2.0/31", NULL},
        {0, "10.77.2.1/31", NULL},
        {0, "10.77.3.255/23", "broadcast address of its subnet"},
        {0, "10.77.2.255/23", NULL},
        {0, "0.0.0.0/24", "no address of a host"},
        {0, "224.0.0.5/24", "no address of a host"},
        {0, "255.255.255.255/32", "no address of a host"},
        {1, "ff02::1/64", "no address of a host"},
        {1, "::/64", "no address of a host"},
        {1, "fd00:2::/64", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        VmSpec *spec = good_spec();
        g_array_set_size(second(spec)->routes, 0);
        set_address(spec, rows[i].index, rows[i].address);
        assert_check(spec, rows[i].words);
    }
}

static void test_check_gateways(void)
{
    static const struct {
        const char *destination, *gateway, *words;
    } rows[] = {
        {"0.0.0.0/0", "10.77.2.1", NULL},
        {"0.0.0.0/0", "10.77.1.1", "NIC 1: the gateway 10.77.1.1 is outside every subnet"},
        {"::/0", "fd00:2::1", NULL},
        {"::/0", "fd00:1::1", "outside every subnet"},
        {"::/0", "fe80::1", NULL},
        {"::/0", "10.77.2.1", "no gateway for such a route"},
        {"0.0.0.0/0", "fd00:2::1", "no gateway for such a route"},
        {"::/0", "ff02::2", "no gateway for such a route"},
        {"10.0.0.0/8", "0.0.0.0", "no gateway for such a route"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        VmSpec *spec = good_spec();
        set_gateway(spec, rows[i].destination, rows[i].gateway);
        assert_check(spec, rows[i].words);
    }
    /* An on-link route makes a gateway a neighbour, when it stands before it. */
    VmRoute on_link = {.destination = address_of("192.0.2.1/32")};
    VmSpec *spec = good_spec();
    set_gateway(spec, "0.0.0.0/0", "192.0.2.1");
    g_array_prepend_val(second(spec)->routes, on_link);
    assert_check(spec, NULL);
    spec = good_spec();
    set_gateway(spec, "0.0.0.0/0", "192.0.2.1");
    g_array_append_val(second(spec)->routes, on_link);
    assert_check(spec, "outside every subnet");
}

static void test_check_mtu(void)
{
    static const struct {
        guint mtu;
        const char *words;
    } rows[] = {{0, NULL},   {1280, NULL},  {1279, "less than IPv6 needs"},
                {67, "MTU"}, {65535, NULL}, {65536, "MTU"}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        VmSpec *spec = good_spec();
        second(spec)->mtu = rows[i].mtu;
        assert_check(spec, rows[i].words);
    }
    VmSpec *spec = good_spec();
    g_array_set_size(second(spec)->addresses, 1);
    second(spec)->mtu = 68;
    assert_check(spec, NULL);
}

/* What one spec says and another may not: every string, every list, every number. */
static VmSpec *full_spec(void)
{
    static const char *const words[] = {"one", "", "drei ü\n\t\"", NULL};
    VmSpec *spec = good_spec();
    VmDevice *device = g_new0(VmDevice, 1);
    spec->uuid = g_strdup("11111111-2222-4333-8444-555555555501");
    spec->image = g_strdup("nginx:latest");
    spec->image_source = g_strdup("docker://nginx");
    spec->root_size = 1;
    spec->process.entrypoint = g_new0(gchar *, 1);
    spec->process.command = g_strdupv((gchar **)words);
    spec->process.environment = g_strdupv((gchar **)words);
    spec->process.user = g_strdup("u");
    spec->process.working_dir = g_strdup("/w");
    spec->process.terminal = FALSE;
    spec->process.init = TRUE;
    spec->process.stop_signal = g_strdup("SIGINT");
    spec->process.stop_timeout = 3;
    spec->limits = (VmLimits){G_MAXINT64, 2, 3, 4, 5, 6, 7};
    spec->title = g_strdup("t");
    spec->description = g_strdup("d\nd");
    spec->vcpus = 8;
    spec->cpus = g_strdup("0-3");
    spec->cpu_pins = g_strdupv((gchar **)words);
    spec->capabilities_dropped = g_strdupv((gchar **)words);
    const VmMount mount = {g_strdup("/m"), g_strdup("/n"), TRUE};
    g_ptr_array_add(spec->mounts, g_memdup2(&mount, sizeof mount));
    const VmDeviceLimits own = {g_strdup("/dev/c"), 9, {10, 11, 12, 13}};
    g_ptr_array_add(spec->device_limits, g_memdup2(&own, sizeof own));
    spec->read_only_root = TRUE;
    spec->tmpfs = g_strdupv((gchar **)words);
    spec->capabilities = g_strdupv((gchar **)words);
    spec->privileged = TRUE;
    spec->dns = g_strdupv((gchar **)words);
    spec->search = g_strdupv((gchar **)words);
    device->host_path = g_strdup("/dev/a");
    device->guest_path = g_strdup("/dev/b");
    device->access = g_strdup("rw");
    g_ptr_array_add(spec->devices, device);
    g_ptr_array_add(spec->not_honoured, g_strdup("a thing"));
    second(spec)->bridge_type = g_strdup("openvswitch");
    second(spec)->network = g_strdup("sea");
    second(spec)->has_mac = FALSE;
    second(spec)->mtu = 1400;
    second(spec)->ip6_mode = VM_IP6_OFF;
    VmRoute on_link = {.destination = address_of("192.0.2.1/32"), .metric = G_MAXUINT};
    g_array_append_val(second(spec)->routes, on_link);
    return spec;
}

static gchar *dump(const VmSpec *spec)
{
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    char *text = json_dumps(json, JSON_INDENT(2));
    gchar *copy = g_strdup(text);
    free(text);
    return copy;
}

static void test_json_round_trip(void)
{
    VmSpec *(*const makers[])(void) = {good_spec, full_spec};
    for (gsize i = 0; i < G_N_ELEMENTS(makers); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VmSpec) spec = makers[i]();
        g_autofree gchar *text = dump(spec);
        g_autoptr(json_t) json = json_loads(text, 0, NULL);
        g_autoptr(VmSpec) again = vm_spec_from_json(json, &error);
        g_assert_no_error(error);
        g_autofree gchar *text_again = dump(again);
        g_assert_cmpstr(text, ==, text_again);
    }
}

/* What JSON gives back is what the caller put in, field by field. */
static void test_json_fields(void)
{
    g_autoptr(VmSpec) spec = full_spec();
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    g_autoptr(VmSpec) again = vm_spec_from_json(json, NULL);
    g_assert_cmpstr(again->deploy_id, ==, "one-7");
    g_assert_cmpstr(again->process.command[2], ==, "drei ü\n\t\"");
    g_assert_nonnull(again->process.entrypoint);
    g_assert_null(again->process.entrypoint[0]);
    g_assert_false(again->process.terminal);
    g_assert_cmpint(again->process.stop_timeout, ==, 3);
    g_assert_cmpint(again->limits.pids, ==, 5);
    g_assert_false(second(again)->has_mac);
    g_assert_cmpint(second(again)->ip6_mode, ==, VM_IP6_OFF);
    const VmNic *first = again->nics->pdata[0];
    g_assert_true(first->has_mac);
    g_assert_cmpuint(first->mac[0], ==, 2);
    const VmRoute *route = &g_array_index(second(again)->routes, VmRoute, 1);
    g_assert_cmpint(route->gateway.family, ==, 0);
    g_assert_cmpuint(route->metric, ==, G_MAXUINT);
    g_assert_cmpuint(route->destination.prefix, ==, 32);
}

/* A field that came after the first version: the specs that older ones saved are still read. */
static gboolean came_later(const char *key)
{
    static const char *const later[] = {
        "context", "disks",         "title",    "description",
        "vcpus",   "cpus",          "cpu_pins", "capabilities_dropped",
        "mounts",  "device_limits", NULL};
    return g_strv_contains(later, key);
}

/* Each field taken away, or given another type, is an error that names it. */
static void test_json_broken(void)
{
    g_autoptr(VmSpec) spec = full_spec();
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    const char *key;
    json_t *value;
    json_object_foreach (json, key, value) {
        for (int wrong = 0; wrong < 2; wrong++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(json_t) broken = json_copy(json);
            if (wrong)
                json_object_set_new(broken, key, json_real(1.5));
            else
                json_object_del(broken, key);
            if (!wrong && came_later(key))
                continue;
            g_assert_null(vm_spec_from_json(broken, &error));
            g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
            g_assert_true(g_str_has_prefix(error->message, key));
        }
    }
}

static void test_json_bad_values(void)
{
    static const char *const patches[] = {
        "{\"deploy_id\": null}",
        "{\"nics\": {}}",
        "{\"nics\": [1]}",
        "{\"nics\": [{}]}",
        "{\"dns\": [1]}",
        "{\"dns\": \"x\"}",
        "{\"root_size\": -1}",
        "{\"limits\": {\"memory\": 1}}",
        "{\"limits\": []}",
        "{\"process\": null}",
        "{\"devices\": [{\"host_path\": \"/a\", \"guest_path\": null, \"access\": \"r\"}]}",
        "{\"not_honoured\": null}",
        "{\"not_honoured\": [null]}",
    };
    g_autoptr(VmSpec) spec = full_spec();
    for (gsize i = 0; i < G_N_ELEMENTS(patches); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) json = vm_spec_to_json(spec);
        g_autoptr(json_t) patch = json_loads(patches[i], 0, NULL);
        g_assert_nonnull(patch);
        json_object_update(json, patch);
        if (vm_spec_from_json(json, &error))
            g_error("taken: %s", patches[i]);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
    }
    g_autoptr(json_t) array = json_array();
    g_assert_null(vm_spec_from_json(array, NULL));
    /* What a later version adds does no harm. */
    g_autoptr(json_t) more = vm_spec_to_json(spec);
    json_object_set_new(more, "colour", json_string("blue"));
    g_autoptr(VmSpec) read = vm_spec_from_json(more, NULL);
    g_assert_nonnull(read);
}

static void test_json_goldens(void)
{
    gsize count;
    const GoldenCase *cases = golden_cases(&count);
    for (gsize i = 0; i < count; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *path = golden_path(&cases[i], "spec");
        g_autofree gchar *text = golden_read(path, NULL);
        g_autoptr(json_t) json = json_loads(text, 0, NULL);
        g_autoptr(VmSpec) spec = vm_spec_from_json(json, &error);
        g_assert_no_error(error);
        g_assert_true(vm_spec_check(spec, &error));
        g_assert_no_error(error);
        g_autofree gchar *again = dump(spec);
        g_autofree gchar *line = g_strconcat(again, "\n", NULL);
        g_assert_cmpstr(line, ==, text);
    }
}

/*
 * What older versions saved of a VM that runs on: the goldens of the first one, and of the last one
 * without further disks. Nothing of it is lost, and what they did not know has its default.
 */
static void test_json_older(void)
{
    static const char *const files[] = {"saved/first.spec.json", "saved/without-disks.spec.json"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *path = golden_data(files[i]);
        g_autofree gchar *text = golden_read(path, NULL);
        g_autoptr(json_t) json = json_loads(text, 0, NULL);
        g_autoptr(VmSpec) spec = vm_spec_from_json(json, &error);
        g_assert_no_error(error);
        g_assert_true(vm_spec_check(spec, &error));
        g_assert_cmpuint(spec->disks->len, ==, 0);
        const VmNic *nic = spec->nics->pdata[0];
        g_assert_cmpint(nic->inbound.average, ==, 0);
        g_autoptr(json_t) now = vm_spec_to_json(spec);
        const char *key;
        json_t *value;
        json_object_foreach (json, key, value)
            if (strcmp(key, "nics") != 0)
                g_assert_true(json_equal(value, json_object_get(now, key)));
        g_assert_nonnull(json_object_get(now, "disks"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spec/addresses", test_addresses);
    g_test_add_func("/spec/contains", test_contains);
    g_test_add_func("/spec/masks", test_masks);
    g_test_add_func("/spec/macs", test_macs);
    g_test_add_func("/spec/ids", test_ids);
    g_test_add_func("/spec/hostnames", test_hostnames);
    g_test_add_func("/spec/check/identity", test_check_identity);
    g_test_add_func("/spec/check/names", test_check_names);
    g_test_add_func("/spec/check/macs", test_check_macs);
    g_test_add_func("/spec/check/addresses", test_check_addresses);
    g_test_add_func("/spec/check/gateways", test_check_gateways);
    g_test_add_func("/spec/check/mtu", test_check_mtu);
    g_test_add_func("/spec/json/round-trip", test_json_round_trip);
    g_test_add_func("/spec/json/fields", test_json_fields);
    g_test_add_func("/spec/json/broken", test_json_broken);
    g_test_add_func("/spec/json/bad-values", test_json_bad_values);
    g_test_add_func("/spec/json/goldens", test_json_goldens);
    g_test_add_func("/spec/json/older", test_json_older);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/* What a VM may ask for, and which container counts as a VM. */
#include "driver/error.h"
#include "driver/host.h"
#include "driver/policy.h"

static VmSpec *spec_asking(const char *capability, const char *device, const char *access,
                           gboolean privileged)
{
    VmSpec *spec = vm_spec_new();
    spec->deploy_id = g_strdup("one-7");
    spec->privileged = privileged;
    if (capability) {
        const char *list[] = {capability, NULL};
        spec->capabilities = g_strdupv((gchar **)list);
    }
    if (device) {
        VmDevice *asked = g_new0(VmDevice, 1);
        asked->host_path = g_strdup(device);
        asked->guest_path = g_strdup(device);
        asked->access = g_strdup(access);
        g_ptr_array_add(spec->devices, asked);
    }
    return spec;
}

static void test_policy(void)
{
    g_auto(GStrv) capabilities = g_strsplit("NET_ADMIN", " ", -1);
    g_auto(GStrv) devices = g_strsplit("/dev/fuse /dev/kvm:rw", " ", -1);
    gchar path[] = "x.conf";
    const Config none = {.path = path};
    const Config some = {
        .path = path, .allow_capabilities = capabilities, .allow_devices = devices};
    const Config all = {.path = path, .allow_privileged = TRUE};
    const struct {
        const Config *config;
        const char *capability, *device, *access;
        gboolean privileged, allowed;
    } rows[] = {
        {&none, NULL, NULL, NULL, FALSE, TRUE},
        {&none, "NET_ADMIN", NULL, NULL, FALSE, FALSE},
        {&some, "NET_ADMIN", NULL, NULL, FALSE, TRUE},
        {&some, "SYS_ADMIN", NULL, NULL, FALSE, FALSE},
        {&none, NULL, "/dev/fuse", "rwm", FALSE, FALSE},
        {&some, NULL, "/dev/fuse", "rwm", FALSE, TRUE},
        {&some, NULL, "/dev/kvm", "rw", FALSE, TRUE},
        {&some, NULL, "/dev/kvm", "rwm", FALSE, FALSE},
        {&some, NULL, "/dev/fuse2", "r", FALSE, FALSE},
        {&some, NULL, NULL, NULL, TRUE, FALSE},
        {&all, NULL, NULL, NULL, TRUE, TRUE},
        {&all, "NET_ADMIN", NULL, NULL, TRUE, FALSE},
        {&none, "CHOWN", NULL, NULL, FALSE, TRUE},
        {&none, "NET_RAW", NULL, NULL, FALSE, FALSE},
        {&some, "ALL", NULL, NULL, FALSE, FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec =
            spec_asking(rows[i].capability, rows[i].device, rows[i].access, rows[i].privileged);
        g_autoptr(GError) error = NULL;
        gboolean allowed = policy_check(rows[i].config, spec, &error);
        g_assert_cmpint(allowed, ==, rows[i].allowed);
        if (!allowed)
            g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY);
    }
}

/* A folder is allowed by its own path, and to be written in only where that is said. */
static void test_mounts(void)
{
    g_auto(GStrv) mounts = g_strsplit("/srv/www /srv/media:ro", " ", -1);
    gchar path[] = "x.conf";
    const Config config = {.path = path, .allow_mounts = mounts};
    const struct {
        const char *folder;
        gboolean read_only, allowed;
    } rows[] = {
        {"/srv/www", FALSE, TRUE},      {"/srv/www", TRUE, TRUE},
        {"/srv/www/a", TRUE, FALSE},    {"/srv/media", FALSE, FALSE},
        {"/srv/media", TRUE, TRUE},     {"/srv", TRUE, FALSE},
        {"/srv/media:ro", TRUE, FALSE}, {"/srv/media:ro", FALSE, FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec = spec_asking(NULL, NULL, NULL, FALSE);
        const VmMount mount = {g_strdup(rows[i].folder), g_strdup("/a"), rows[i].read_only};
        g_ptr_array_add(spec->mounts, g_memdup2(&mount, sizeof mount));
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(policy_check(&config, spec, &error), ==, rows[i].allowed);
        if (!rows[i].allowed)
            g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY);
    }
}

/* Each of the four things that must agree, taken away in turn. */
static void test_ownership(void)
{
    gchar runtime[] = "vmdock", parent[] = "/vmdock";
    const Config config = {.runtime_name = runtime, .cgroup_parent = parent};
    static const struct {
        const char *name, *label, *runtime, *parent;
        gboolean owned;
    } rows[] = {
        {"one-7", "one-7", "vmdock", "/vmdock", TRUE},
        {"one-8", "one-7", "vmdock", "/vmdock", FALSE},
        {"one-7", "one-8", "vmdock", "/vmdock", FALSE},
        {"one-7", NULL, "vmdock", "/vmdock", FALSE},
        {"one-7", "one-7", "runc", "/vmdock", FALSE},
        {"one-7", "one-7", NULL, "/vmdock", FALSE},
        {"one-7", "one-7", "vmdock", "", FALSE},
        {"one-7", "one-7", "vmdock", "/vmdock2", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GHashTable) labels = g_hash_table_new(g_str_hash, g_str_equal);
        if (rows[i].label)
            g_hash_table_insert(labels, (gpointer) "vmdock.vm", (gpointer)rows[i].label);
        EngineContainer container = {.name = (gchar *)rows[i].name,
                                     .labels = labels,
                                     .runtime = (gchar *)rows[i].runtime,
                                     .cgroup_parent = (gchar *)rows[i].parent};
        g_assert_cmpint(host_owns(&config, &container, "one-7"), ==, rows[i].owned);
    }
}

/* What a cloud's user writes may name what is allowed; what an operator writes, any. */
static void test_networks(void)
{
    g_auto(GStrv) guests = g_strsplit("guests", " ", -1), every = g_strsplit("*", " ", -1);
    gchar path[] = "x.conf";
    const struct {
        GStrv allowed;
        const char *cloud;
        gboolean may;
    } rows[] = {
        {NULL, "opennebula", FALSE}, {guests, "opennebula", FALSE}, {every, "opennebula", TRUE},
        {NULL, "nova", FALSE},       {NULL, "libvirt", TRUE},       {NULL, "operator", TRUE},
        {guests, "operator", TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Config config = {.path = path, .allow_libvirt_networks = rows[i].allowed};
        g_autoptr(VmSpec) spec = spec_asking(NULL, NULL, NULL, FALSE);
        g_autoptr(GError) error = NULL;
        VmNic *nic = vm_nic_new();
        g_ptr_array_add(spec->nics, nic);
        spec->cloud = g_strdup(rows[i].cloud);
        g_assert_true(policy_check(&config, spec, NULL));
        nic->libvirt_network = g_strdup("default");
        g_assert_cmpint(policy_check(&config, spec, &error), ==, rows[i].may);
        if (!rows[i].may)
            g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY);
        /* What is said of the ones allows none of the others. */
        const Config other = {.path = path, .allow_engine_networks = rows[i].allowed};
        g_clear_error(&error);
        g_clear_pointer(&nic->libvirt_network, g_free);
        nic->engine_network = g_strdup("default");
        g_assert_cmpint(policy_check(&other, spec, &error), ==, rows[i].may);
        if (!rows[i].may)
            g_assert_true(strstr(error->message, "[policy] engine_networks") != NULL);
        g_assert_cmpint(policy_check(&config, spec, NULL), ==,
                        strcmp(rows[i].cloud, "opennebula") != 0 &&
                            strcmp(rows[i].cloud, "nova") != 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/networks", test_networks);
    g_test_add_func("/policy/power", test_policy);
    g_test_add_func("/policy/mounts", test_mounts);
    g_test_add_func("/ownership", test_ownership);
    return g_test_run();
}

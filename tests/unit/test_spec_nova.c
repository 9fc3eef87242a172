// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/engine_body.h"
#include "driver/error.h"
#include "driver/spec_nova.h"
#include "tests/unit/golden.h"

#include <string.h>

#define UUID "0f5e6a7b-1c2d-4e3f-8a9b-0c1d2e3f4a5b"

enum { MAX = 4194304 };

static const NovaOptions options = {
    .terminal = TRUE, .mount_point = "/mnt/config", .volume_point = "/mnt", .volume_fs = "ext4"};
static const char *const own[] = {"bare",    "everything",       "ovs",    "two-nics",
                                  "volumes", "finish-migration", "rescue", NULL};
static const char *const recorded[] = {"spawn__create_non1",     "spawn__create_ovs1",
                                       "spawn__create_rec1",     "spawn__evacuate",
                                       "spawn__rebuild_with_pw", NULL};

static json_t *request_of(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    json_t *request = nova_request(text, length, MAX, &error);
    g_assert_no_error(error);
    return request;
}

static json_t *load(const char *path)
{
    gsize length = 0;
    g_autofree gchar *text = golden_read(path, &length);
    return request_of(text, length);
}

static void check(const char *name, const json_t *request, const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_from_nova(request, &options, &error);
    g_assert_no_error(error);
    g_autofree gchar *spec_file = g_strdup_printf("%s/nova-%s.spec.json", folder, name);
    g_autofree gchar *body_file = g_strdup_printf("%s/nova-%s.body.json", folder, name);
    g_autofree gchar *spec_path = golden_data(spec_file);
    g_autofree gchar *body_path = golden_data(body_file);
    g_autoptr(GoldenConfig) config = golden_config();
    golden_compare(spec_path, vm_spec_to_json(spec));
    json_t *body = engine_body(spec, config, "sha256:image");
    /* Another version is no other result. */
    json_object_set_new(json_object_get(body, "Labels"), "vmdock.version", json_string("0.1.0"));
    golden_compare(body_path, body);
}

static void test_own(void)
{
    for (const char *const *name = own; *name; name++) {
        g_autofree gchar *file = g_strdup_printf("nova/%s.json", *name);
        g_autofree gchar *path = golden_data(file);
        g_autoptr(json_t) request = load(path);
        check(*name, request, "golden");
    }
}

/* What Nova 26 passed to spawn, of an image that Glance would hold as a container. */
static void test_recorded(void)
{
    const char *records = g_getenv("VMDOCK_RECORDS");
    for (const char *const *name = recorded; records && *records && *name; name++) {
        g_autofree gchar *file = g_strconcat(*name, ".json", NULL);
        g_autofree gchar *path = g_build_filename(records, "nova", "samples", file, NULL);
        g_autoptr(json_t) record = load(path);
        json_t *request = json_object_get(record, "args");
        /* The recorder's own form of a list that is waited for. */
        json_t *vifs = json_object_get(json_object_get(request, "network_info"), "vifs");
        if (vifs)
            json_object_set(request, "network_info", vifs);
        json_object_set_new(request, "host", json_string("cmp1"));
        json_object_set_new(json_object_get(request, "image_meta"), "container_format",
                            json_string("docker"));
        check(*name, request, "golden/recorded");
    }
}

static VmSpec *spec_of(const char *name)
{
    g_autofree gchar *file = g_strdup_printf("nova/%s.json", name);
    g_autofree gchar *path = golden_data(file);
    g_autoptr(json_t) request = load(path);
    g_autoptr(GError) error = NULL;
    VmSpec *spec = spec_from_nova(request, &options, &error);
    g_assert_no_error(error);
    return spec;
}

/* ---- the network of a VM that is there ---- */

#define VIF(name, mac, ip)                                                                         \
    "{\"devname\": \"" name "\", \"address\": \"" mac "\", \"type\": \"bridge\", \"network\": "    \
    "{\"bridge\": \"brq0\", \"subnets\": [{\"cidr\": \"10.1.0.0/24\", \"ips\": [{\"address\": "    \
    "\"" ip "\"}]}]}}"

static const VmNic *nic_at(const VmSpec *spec, guint i)
{
    g_assert_cmpuint(i, <, spec->nics->len);
    return spec->nics->pdata[i];
}

static void take(VmSpec *spec, const char *network_info)
{
    g_autofree gchar *text = g_strdup_printf("{\"network_info\": [%s]}", network_info);
    g_autoptr(json_t) request = request_of(text, strlen(text));
    g_autoptr(GError) error = NULL;
    nova_take_network(request, spec, &error);
    g_assert_no_error(error);
}

static void test_nics_keep_their_names(void)
{
    g_autoptr(VmSpec) spec = spec_of("bare");
    take(spec, VIF("tapa", "fa:16:3e:00:00:0a", "10.1.0.10") "," VIF("tapb", "fa:16:3e:00:00:0b",
                                                                     "10.1.0.11"));
    g_assert_cmpstr(nic_at(spec, 1)->guest_name, ==, "eth1");
    take(spec, VIF("tapc", "fa:16:3e:00:00:0c", "10.1.0.12") "," VIF("tapb", "fa:16:3e:00:00:0b",
                                                                     "10.1.0.11"));
    g_assert_cmpuint(spec->nics->len, ==, 2);
    g_assert_cmpstr(nic_at(spec, 0)->host_name, ==, "tapb");
    g_assert_cmpstr(nic_at(spec, 0)->guest_name, ==, "eth1");
    g_assert_cmpstr(nic_at(spec, 1)->host_name, ==, "tapc");
    g_assert_cmpstr(nic_at(spec, 1)->guest_name, ==, "eth2");
    take(spec, "");
    g_assert_cmpuint(spec->nics->len, ==, 0);
}

static void test_one_more_nic(void)
{
    g_autoptr(VmSpec) spec = spec_of("bare");
    g_autoptr(GError) error = NULL;
    take(spec, VIF("tapa", "fa:16:3e:00:00:0a", "10.1.0.10"));
    const char *text = "{\"vif\": " VIF("tapb", "fa:16:3e:00:00:0b", "10.1.0.11") "}";
    g_autoptr(json_t) request = request_of(text, strlen(text));
    const VmNic *nic = nova_take_vif(request, spec, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(nic->id, ==, 1);
    /* Asked for again, it is the same one. */
    nic = nova_take_vif(request, spec, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(nic->id, ==, 1);
    g_assert_cmpuint(spec->nics->len, ==, 2);
}

static json_t *sample(const char *name)
{
    g_autofree gchar *file = g_strdup_printf("nova/%s.json", name);
    g_autofree gchar *path = golden_data(file);
    return load(path);
}

/* As Nova 26 has passed them. */
static void test_attachments(void)
{
    g_autoptr(VmSpec) spec = spec_of("bare");
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) interface = sample("attach-interface");
    const VmNic *nic = nova_take_vif(interface, spec, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(nic->host_name, ==, "tap49026780-59");
    g_assert_cmpstr(nic->guest_name, ==, "eth0");
    g_assert_cmpuint(nic->addresses->len, ==, 1);
    g_autoptr(json_t) volume = sample("attach-volume");
    g_autoptr(VmDisk) disk = nova_volume(volume, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(disk->mount_point, ==, "/mnt/sdb");
    g_assert_cmpstr(nova_volume_id(volume, &error), ==, "11111111-2222-3333-4444-555555555555");
}

/* ---- names ---- */

static void test_deploy_id(void)
{
    static const char plain[] = "{\"host\": \"a\", \"instance\": {\"uuid\": \"" UUID "\"}}";
    static const char shared[] =
        "{\"host\": \"a\", \"shared_engine\": true, \"instance\": {\"uuid\": \"" UUID "\"}}";
    g_autoptr(json_t) one = request_of(plain, strlen(plain));
    g_autoptr(json_t) other = request_of(shared, strlen(shared));
    g_autofree gchar *id = nova_deploy_id(one, NULL);
    g_autofree gchar *marked = nova_deploy_id(other, NULL);
    g_autofree gchar *uuid = nova_uuid(marked);
    g_assert_cmpstr(id, ==, "nova-" UUID);
    g_assert_true(vm_id_valid(marked));
    g_assert_true(g_str_has_prefix(marked, id));
    g_assert_cmpstr(uuid, ==, UUID);
    g_assert_null(nova_uuid("one-42"));
    g_assert_null(nova_uuid("nova-42"));
}

/* ---- refusals ---- */

/* PATCH, an object, laid over the smallest request. */
static VmSpec *spec_of_patch(const char *patch, GError **error)
{
    g_autofree gchar *path = golden_data("nova/bare.json");
    g_autoptr(json_t) request = load(path);
    g_autoptr(json_t) over = request_of(patch, strlen(patch));
    json_object_update_recursive(request, over);
    return spec_from_nova(request, &options, error);
}

static void refuse(const char *patch, const char *words)
{
    g_autoptr(GError) error = NULL;
    VmSpec *spec = spec_of_patch(patch, &error);
    if (spec)
        g_error("taken: %s", patch);
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
    if (!strstr(error->message, words))
        g_error("\"%s\" has no \"%s\" in it", error->message, words);
    g_assert_null(strchr(error->message, '\n'));
}

static void test_refusals(void)
{
    refuse("{\"host\": \"\"}", "names no host");
    refuse("{\"instance\": {\"uuid\": \"../x\"}}", "no UUID of an instance");
    refuse("{\"instance\": {\"uuid\": \"0F5E6A7B-1C2D-4E3F-8A9B-0C1D2E3F4A5B\"}}", "no UUID");
    refuse("{\"instance\": {\"flavor\": {\"memory_mb\": 0}}}", "memory_mb");
    refuse("{\"instance\": {\"flavor\": {\"vcpus\": -1}}}", "vcpus");
    refuse("{\"image_meta\": {\"container_format\": \"bare\"}}", "vmdock_image");
    refuse("{\"image_meta\": {\"id\": \"x:y\"}}", "no id");
    refuse("{\"image_meta\": {\"container_format\": \"bare\"}, \"instance\": {\"system_metadata\": "
           "{\"image_vmdock_image\": \"vmdock/one-1:disk.0\"}}}",
           "an image of a VM");
    refuse("{\"files\": {\"../x\": \"\"}}", "no place");
    refuse("{\"files\": {\"/etc/x\": \"\"}}", "no such path");
    refuse("{\"injected_files\": [[\"/a/../x\", \"\"]]}", "no place");
    refuse("{\"injected_files\": [[\"/a\"]]}", "no content");
    refuse("{\"network_info\": {\"vifs\": []}}", "no list of VIFs");
    refuse("{\"network_info\": [{}]}", "devname");
    refuse("{\"network_info\": [{\"devname\": \"tap0\", \"address\": \"fa:16:3e:00:00:01\", "
           "\"type\": \"hw_veb\"}]}",
           "cannot be plugged");
    refuse("{\"network_info\": [{\"devname\": \"tap0\", \"address\": \"fa:16:3e:00:00:01\", "
           "\"type\": \"bridge\", \"network\": {\"bridge\": \"a-bridge-of-a-long-name\"}}]}",
           "longer than");
    refuse("{\"network_info\": [{\"devname\": \"tap0\", \"address\": \"fa:16:3e:00:00:01\", "
           "\"type\": \"bridge\", \"network\": {\"bridge\": \"b\", \"subnets\": [{\"cidr\": "
           "\"10.0.0.0\", \"ips\": [{\"address\": \"10.0.0.1\"}]}]}}]}",
           "no subnet");
    refuse("{\"instance\": {\"flavor\": {\"extra_specs\": {\"vmdock:pids_limit\": \"many\"}}}}",
           "vmdock:pids_limit");
}

/* An image that writes a name in another way gets nothing by it that is the flavor's to give. */
static void test_names_in_capitals(void)
{
    static const char patch[] =
        "{\"instance\": {\"system_metadata\": {\"image_vmdock_Cap_Add\": \"NET_ADMIN\", "
        "\"image_vmdock_PRIVILEGED\": \"yes\"}, \"flavor\": {\"extra_specs\": "
        "{\"vmdock:cap_add\": \"NET_RAW\"}}}}";
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_of_patch(patch, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(spec->capabilities), ==, 1);
    g_assert_cmpstr(spec->capabilities[0], ==, "NET_RAW");
    g_assert_false(spec->privileged);
    guint named = 0;
    for (guint i = 0; i < spec->not_honoured->len; i++)
        named += g_str_has_prefix(spec->not_honoured->pdata[i], "vmdock_Cap_Add ") ||
                 g_str_has_prefix(spec->not_honoured->pdata[i], "vmdock_PRIVILEGED ");
    g_assert_cmpuint(named, ==, 2);
}

/* A number that cannot be is none. */
static void test_negative_numbers(void)
{
    static const char patch[] = "{\"instance\": {\"flavor\": {\"swap\": -4, \"root_gb\": -1, "
                                "\"extra_specs\": {\"quota:cpu_period\": \"-5\", "
                                "\"quota:cpu_quota\": \"50000\"}}}}";
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_of_patch(patch, &error);
    g_assert_no_error(error);
    g_assert_cmpint(spec->limits.swap, ==, 0);
    g_assert_cmpint(spec->root_size, ==, 0);
    g_assert_cmpint(spec->limits.cpu_quota_us, >, 0);
}

/* What is a secret is in no form that is shown. */
static void test_secrets(void)
{
    g_autoptr(VmSpec) spec = spec_of("everything");
    json_t *shown = vm_spec_to_shown_json(spec);
    char *text = json_dumps(shown, 0);
    g_assert_null(strstr(text, "a-word"));
    g_assert_null(strstr(text, "IyEvYmlu"));
    g_assert_nonnull(strstr(text, "openstack/latest/user_data"));
    free(text);
    json_decref(shown);
}

/* ---- volumes ---- */

#define VOLUME "44444444-2222-3333-4444-555555555555"
#define ATTACH(type, data)                                                                         \
    "{\"mountpoint\": \"/dev/vdb\", \"connection_info\": {\"driver_volume_type\": \"" type         \
    "\", \"serial\": \"" VOLUME "\", \"data\": {" data "}}}"

static void test_volume(void)
{
    static const char text[] = ATTACH("nfs", "\"export\": \"nas:/v\", \"name\": \"v1\"");
    g_autoptr(json_t) request = request_of(text, strlen(text));
    g_autoptr(GError) error = NULL;
    g_autoptr(VmDisk) disk = nova_volume(request, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(disk->mount_point, ==, "/mnt/vdb");
    g_assert_cmpstr(disk->cloud_id, ==, VOLUME);
    g_assert_cmpstr(disk->share, ==, "nas:/v");
    g_assert_cmpstr(disk->make_fs, ==, "ext4");
    g_assert_cmpstr(nova_volume_id(request, &error), ==, VOLUME);
}

static void test_bad_volumes(void)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {ATTACH("rbd", "\"name\": \"x\""), "type \"rbd\" are not supported"},
        {ATTACH("local", ""), "no device_path that is a path"},
        {ATTACH("local", "\"device_path\": \"disk\""), "no device_path that is a path"},
        {ATTACH("local", "\"device_path\": \"/a\\nb\""), "no device_path that is a path"},
        {ATTACH("iscsi", "\"target_iqn\": \"x\""), "no device_path that is a path"},
        {ATTACH("local", "\"device_path\": \"/a\", \"encrypted\": true"), "encrypted"},
        {ATTACH("local", "\"device_path\": \"/a\", \"format\": \"vmdk\""), "neither raw nor qcow2"},
        {ATTACH("nfs", "\"export\": \"/v\", \"name\": \"v1\""), "names no export"},
        {ATTACH("nfs", "\"export\": \"-o:/v\", \"name\": \"v1\""), "names no export"},
        {ATTACH("nfs", "\"export\": \"nas:/v\", \"name\": \"../v1\""), "names no file"},
        {ATTACH("nfs", "\"export\": \"nas:/v\", \"name\": \"..\""), "names no file"},
        {ATTACH("nfs", "\"export\": \"nas:/v\", \"name\": \"v\", \"options\": \"-o dev\""),
         "the option \"dev\""},
        {ATTACH("nfs", "\"export\": \"nas:/v\", \"name\": \"v\", \"options\": \"vers=3 suid\""),
         "the option \"vers=3 suid\""},
        {"{\"mountpoint\": \"/dev/..\", \"connection_info\": {\"serial\": \"" VOLUME "\"}}",
         "no name of a device"},
        {"{\"connection_info\": {\"serial\": \"../x\"}}", "does not tell its id"},
        {"{}", "does not tell its id"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) request = request_of(rows[i].text, strlen(rows[i].text));
        g_assert_null(nova_volume(request, &options, &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        g_assert_nonnull(strstr(error->message, rows[i].words));
    }
}

static void take_list(VmSpec *spec, const char *list, const char *words)
{
    g_autofree gchar *text =
        g_strdup_printf("{\"block_device_info\": {\"root_device_name\": \"/dev/vda\", "
                        "\"block_device_mapping\": [%s]}}",
                        list);
    g_autoptr(json_t) request = request_of(text, strlen(text));
    g_autoptr(GError) error = NULL;
    g_assert_true(nova_take_volumes(request, &options, spec, &error) == (words == NULL));
    if (words)
        g_assert_nonnull(strstr(error->message, words));
}

#define MAPPING(id, device, more)                                                                  \
    "{\"mount_device\": \"/dev/" device "\", " more                                                \
    "\"connection_info\": {\"driver_volume_type\": "                                               \
    "\"local\", \"serial\": \"" id "1111111-2222-3333-4444-555555555555\", \"data\": "             \
    "{\"device_path\": \"/v/" id "\"}}}"

/* A volume keeps its number, whatever comes and goes beside it. */
static void test_numbers(void)
{
    g_autoptr(VmSpec) spec = spec_of("bare");
    take_list(spec, MAPPING("a", "vdb", "") "," MAPPING("b", "vdc", ""), NULL);
    g_assert_cmpuint(spec->disks->len, ==, 2);
    take_list(spec, MAPPING("c", "vdb", "") "," MAPPING("b", "vdc", ""), NULL);
    const VmDisk *b = vm_spec_volume(spec, "b1111111-2222-3333-4444-555555555555");
    const VmDisk *c = vm_spec_volume(spec, "c1111111-2222-3333-4444-555555555555");
    g_assert_cmpuint(b->id, ==, 2);
    g_assert_cmpuint(c->id, ==, 1);
    take_list(spec, MAPPING("d", "vdd", "\"boot_index\": 0, "), "does not boot from a volume");
    take_list(spec, MAPPING("d", "vda", ""), "does not boot from a volume");
    g_assert_cmpuint(spec->disks->len, ==, 2);
    take_list(spec, "", NULL);
    g_assert_cmpuint(spec->disks->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spec-nova/own", test_own);
    g_test_add_func("/spec-nova/recorded", test_recorded);
    g_test_add_func("/spec-nova/nics-keep-their-names", test_nics_keep_their_names);
    g_test_add_func("/spec-nova/one-more-nic", test_one_more_nic);
    g_test_add_func("/spec-nova/deploy-id", test_deploy_id);
    g_test_add_func("/spec-nova/refusals", test_refusals);
    g_test_add_func("/spec-nova/names-in-capitals", test_names_in_capitals);
    g_test_add_func("/spec-nova/negative-numbers", test_negative_numbers);
    g_test_add_func("/spec-nova/secrets", test_secrets);
    g_test_add_func("/spec-nova/volume", test_volume);
    g_test_add_func("/spec-nova/attachments", test_attachments);
    g_test_add_func("/spec-nova/bad-volumes", test_bad_volumes);
    g_test_add_func("/spec-nova/numbers-of-volumes", test_numbers);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/* Domain XML: what becomes of it, and that it comes out as it went in. */
#include "driver/autoptr.h"
#include "driver/engine_body.h"
#include "driver/error.h"
#include "driver/spec_domain.h"
#include "tests/unit/golden.h"

#include <string.h>

static const DomainOptions options = {.max_size = 65536, .terminal = TRUE};
static const char *const own[] = {
    "bare", "everything", "libvirt-network", "not-honoured", "policies", "vlans", NULL};

static VmSpec *parse(const char *xml, GError **error)
{
    return spec_from_domain(xml, strlen(xml), &options, error);
}

static VmSpec *good(const char *xml)
{
    g_autoptr(GError) error = NULL;
    VmSpec *spec = parse(xml, &error);
    g_assert_no_error(error);
    return spec;
}

static gchar *input(const char *name)
{
    g_autofree gchar *file = g_strdup_printf("domain/%s.xml", name);
    g_autofree gchar *path = golden_data(file);
    return golden_read(path, NULL);
}

static gchar *golden_file(const char *name, const char *kind)
{
    g_autofree gchar *file = g_strdup_printf("golden/domain-%s.%s.json", name, kind);
    return golden_data(file);
}

static void test_golden(void)
{
    g_autoptr(GoldenConfig) config = golden_config();
    for (const char *const *name = own; *name; name++) {
        g_autofree gchar *xml = input(*name);
        g_autoptr(VmSpec) spec = good(xml);
        g_autofree gchar *spec_path = golden_file(*name, "spec");
        g_autofree gchar *body_path = golden_file(*name, "body");
        golden_compare(spec_path, vm_spec_to_json(spec));
        json_t *body = engine_body(spec, config, "sha256:image");
        json_object_set_new(json_object_get(body, "Labels"), "vmdock.version",
                            json_string("0.1.0"));
        golden_compare(body_path, body);
    }
}

/* A new input must not go untested. */
static void test_complete(void)
{
    g_autofree gchar *folder = golden_data("domain");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(dir);
    for (const char *file; (file = g_dir_read_name(dir));) {
        g_autofree gchar *name = g_strndup(file, strcspn(file, "."));
        g_assert_true(g_strv_contains(own, name));
    }
}

/* What is honoured comes out so that it goes in again as it was; what is not does not come out. */
static void test_round_trip(void)
{
    for (const char *const *name = own; *name; name++) {
        g_autofree gchar *xml = input(*name);
        g_autoptr(VmSpec) spec = good(xml);
        g_autofree gchar *dumped = domain_from_spec(spec, "/datastores", 0);
        g_autoptr(VmSpec) again = good(dumped);
        g_assert_cmpuint(again->not_honoured->len, ==, 0);
        g_ptr_array_set_size(spec->not_honoured, 0);
        g_autoptr(json_t) first = vm_spec_to_json(spec), second = vm_spec_to_json(again);
        char *before = json_dumps(first, JSON_INDENT(1)),
             *after = json_dumps(second, JSON_INDENT(1));
        g_assert_cmpstr(before, ==, after);
        free(before);
        free(after);
        g_autofree gchar *dumped_again = domain_from_spec(again, "/datastores", 0);
        g_assert_cmpstr(dumped, ==, dumped_again);
    }
}

static void test_detected(void)
{
    static const struct {
        const char *xml;
        gboolean domain;
    } rows[] = {
        {"<domain/>", TRUE},
        {"<?xml version='1.0'?>\n<!-- c -->\n<domain type='lxc'></domain>", TRUE},
        {"<VM><domain/></VM>", FALSE},
        {"<domains/>", FALSE},
        {"<domain>", FALSE},
        {"", FALSE},
        {"<!DOCTYPE domain><domain/>", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(spec_is_domain(rows[i].xml, strlen(rows[i].xml), 65536), ==,
                        rows[i].domain);
    g_assert_false(spec_is_domain("<domain/>", 9, 8));
}

static void test_ids(void)
{
    static const struct {
        const char *name, *id;
    } rows[] = {
        {"web", "dom-web"},
        {"web-1", "dom-web-1"},
        {"Web", "dom-web--2975104784"},
        {"web--1", NULL},
        {"web_1", NULL},
        {"-", NULL},
        {"\xc3\xa4", NULL},
        {"a-very-long-name-that-nobody-would-give-to-a-machine-of-theirs", NULL},
    };
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        gchar *id = domain_deploy_id(rows[i].name);
        g_test_message("%s: %s", rows[i].name, id);
        g_assert_true(vm_id_valid(id));
        g_assert_cmpstr(id, ==, rows[i].id ? rows[i].id : id);
        g_assert_cmpint(strstr(id + 3, "--") != NULL, ==, i > 1);
        g_assert_true(g_hash_table_add(seen, id));
    }
}

/* What a network has said does not come out, what was asked for beside it does. */
static void test_dump_learned(void)
{
    static const char *const learned[] = {VM_LEARNED_ROUTES, VM_LEARNED_DNS, VM_LEARNED_VLAN, NULL};
    g_autofree gchar *xml = input("libvirt-network");
    g_autoptr(VmSpec) spec = good(xml);
    VmNic *nic = spec->nics->pdata[0];
    VmRoute route = {.destination = {.family = AF_INET}}, asked = {0};
    g_assert_true(vm_address_parse("192.168.122.1", &route.gateway) &&
                  vm_address_parse("fd77::/64", &asked.destination) &&
                  vm_address_parse("fd12::2", &asked.gateway));
    g_array_append_val(nic->routes, route);
    g_array_append_val(nic->routes, asked);
    nic->vlan.tag = 7;
    nic->learned = g_strdupv((gchar **)learned);
    spec->dns = g_strsplit("192.168.122.1", " ", 0);
    spec->search = g_strsplit("corp.example", " ", 0);
    g_autofree gchar *dumped = domain_from_spec(spec, "/datastores", 0);
    g_assert_null(strstr(dumped, "192.168.122.1"));
    g_assert_null(strstr(dumped, "<vlan>"));
    g_assert_nonnull(strstr(dumped, "address=\"fd77::\""));
    g_assert_nonnull(strstr(dumped, "corp.example"));
}

/* A domain whose part PART is that. */
#define DOMAIN(part)                                                                               \
    "<domain type='lxc'><name>x</name><memory unit='MiB'>64</memory>" part "</domain>"
#define DEVICE(part)   DOMAIN("<devices>" part "</devices>")
#define NIC(part)      DEVICE("<interface type='bridge'><source bridge='b'/>" part "</interface>")
#define SWITCHED(part) NIC("<virtualport type='openvswitch'/>" part)
#define META(part)                                                                                 \
    DOMAIN("<metadata><v:vm xmlns:v='" DOMAIN_NAMESPACE "'>" part "</v:vm></metadata>")

static void test_errors(void)
{
    static const struct {
        const char *xml, *sentence;
    } rows[] = {
        {"<VM/>", "the XML is of no domain"},
        {"<domain/>", "a domain of type none is no container; those of type lxc are"},
        {"<domain type='kvm'/>", "a domain of type kvm is no container; those of type lxc are"},
        {"<domain type='lxc'/>", "the domain has no name"},
        {"<domain type='lxc'><name>a/b</name></domain>", "\"a/b\" is no name of a domain"},
        {"<domain type='lxc'><name>x</name></domain>", "the domain has no memory"},
        {"<domain type='lxc'><name>x</name><memory>0</memory></domain>",
         "memory: the domain has none"},
        {"<domain type='lxc'><name>x</name><memory unit='parsec'>1</memory></domain>",
         "memory: \"parsec\" is no unit of memory"},
        {"<domain type='lxc'><name>x</name><memory unit='TiB'>101</memory></domain>",
         "memory: \"101\" is no number of TiB within 0 and 100"},
        {DOMAIN("<uuid>1234</uuid>"), "\"1234\" is no UUID"},
        {DOMAIN("<memtune><swap_hard_limit unit='MiB'>63</swap_hard_limit></memtune>"),
         "memtune/swap_hard_limit: it is less than the memory"},
        {DOMAIN("<vcpu>0</vcpu>"), "vcpu: \"0\" is no number of CPUs within 1 and 4096"},
        {DOMAIN("<vcpu cpuset='4-1'>1</vcpu>"), "vcpu/@cpuset: \"4-1\" is no set of CPUs"},
        {DOMAIN("<vcpu cpuset='1,^1'>1</vcpu>"), "vcpu/@cpuset: \"1,^1\" is no set of CPUs"},
        {DOMAIN("<cputune><shares>1</shares></cputune>"),
         "cputune/shares: \"1\" is no number of shares within 2 and 262144"},
        {DOMAIN("<cputune><period>999</period></cputune>"),
         "cputune/period: \"999\" is no number of microseconds within 1000 and 1000000"},
        {DOMAIN("<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='0' cpuset='2'/></cputune>"),
         "cputune/vcpupin: CPU 0 has two"},
        {DOMAIN("<blkiotune><device><path>sda</path></device></blkiotune>"),
         "blkiotune/device: \"sda\" is no plain absolute path"},
        {DOMAIN("<os><type>hvm</type></os>"),
         "os/type is hvm: a container runs a program, exe, and boots nothing"},
        {DOMAIN("<os><initenv name='1'>a</initenv></os>"), "os/initenv: entry 1 has no valid name"},
        {DOMAIN("<os><initdir>srv</initdir></os>"),
         "os/initdir: \"srv\" is no plain absolute path"},
        {DOMAIN("<features><capabilities policy='some'/></features>"),
         "features/capabilities: \"some\" is no policy"},
        {DOMAIN("<features><capabilities><chown/></capabilities></features>"),
         "features/capabilities/chown: its state is neither on nor off"},
        {DEVICE("<filesystem><source dir='/a'/><target dir='/'/></filesystem>"),
         "file system 0: the root is the image's, and no folder of the host"},
        {DEVICE("<filesystem><source dir='/a/../b'/><target dir='/c'/></filesystem>"),
         "file system 0: \"/a/../b\" is no plain absolute path"},
        {DEVICE("<filesystem><target dir='/c'/></filesystem>"),
         "file system 0: no folder is given"},
        {DEVICE("<filesystem><source dir='/a'/><target dir='/proc/b'/></filesystem>"),
         "nothing can be mounted on /proc/b of a container"},
        {DEVICE("<filesystem><source dir='/a'/><target dir='/c'/></filesystem>"
                "<filesystem type='ram'><source usage='1'/><target dir='/c'/></filesystem>"),
         "two things are to be mounted on /c"},
        {DEVICE("<interface type='direct'><source dev='eth0'/></interface>"),
         "NIC 0: an interface of type direct is none of a bridge"},
        {DEVICE("<interface type='bridge'/>"), "NIC 0: its source names no bridge"},
        {SWITCHED("<vlan/>"), "NIC 0 has a VLAN without a number"},
        {SWITCHED("<vlan><tag id='0'/></vlan>"),
         "NIC 0 has a VLAN whose number is none from 1 to 4094"},
        {SWITCHED("<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>"),
         "NIC 0 has several VLANs, and is to be no trunk"},
        {SWITCHED("<vlan><tag id='1' nativeMode='tagged'/></vlan>"),
         "NIC 0 has a native VLAN, and is no trunk"},
        {SWITCHED("<vlan trunk='yes'><tag id='1' nativeMode='tagged'/><tag id='2' "
                  "nativeMode='untagged'/></vlan>"),
         "NIC 0 has two native VLANs"},
        {SWITCHED("<vlan trunk='yes'><tag id='1' nativeMode='some'/></vlan>"),
         "NIC 0 has a native VLAN that is neither tagged nor untagged"},
        {NIC("<mac address='1'/>"), "NIC 0: \"1\" is no MAC"},
        {NIC("<mtu size='67'/>"), "NIC 0: mtu: \"67\" is no number of bytes within 68 and 65535"},
        {NIC("<ip address='10.0.0'/>"), "NIC 0: ip: \"10.0.0\" is no address"},
        {NIC("<ip address='10.0.0.1' family='ipv6'/>"),
         "NIC 0: ip: its family is not that of its address"},
        {NIC("<ip address='10.0.0.1' prefix='33'/>"),
         "NIC 0: ip: \"33\" is no number of bits of a prefix within 0 and 32"},
        {NIC("<ip address='10.0.0.2' prefix='24'/><route address='0.0.0.0' gateway='10.0.1.1'/>"),
         "NIC 0: the gateway 10.0.1.1 is outside every subnet of the NIC"},
        {NIC("<route address='10.0.0.0' netmask='255.0.255.0' gateway='10.0.1.1'/>"),
         "NIC 0: route: its netmask is none"},
        {NIC("<bandwidth><inbound average='0'/></bandwidth>"),
         "NIC 0: bandwidth/inbound/@average: \"0\" is no number of kilobytes within 1 and "
         "100000000"},
        {NIC("<target dev='a-name-that-is-too-long'/>"),
         "NIC 0: the name \"a-name-that-is-too-long\" is longer than 15 bytes"},
        {META("<v:image>docker://vmdock/one-7:disk.0</v:image>"),
         "metadata/image: names like \"vmdock/one-7:disk.0\" are for vmdock's own use"},
        {META("<v:dns>server</v:dns>"), "metadata/dns: \"server\" is no address"},
        {META("<v:stop_signal>SIGNONE</v:stop_signal>"),
         "metadata/stop_signal: \"SIGNONE\" is no signal"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VmSpec) spec = parse(rows[i].xml, &error);
        g_assert_null(spec);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        g_assert_cmpstr(error->message, ==, rows[i].sentence);
    }
}

static void test_units(void)
{
    static const struct {
        const char *unit;
        gint64 bytes;
    } rows[] = {
        {"unit='b'", 100000000},         {"unit='bytes'", 100000000},
        {"unit='KB'", 100000000000},     {"unit='k'", 102400000000},
        {"unit='KiB'", 102400000000},    {"", 102400000000},
        {"unit='MB'", 100000000000000},  {"unit='M'", 104857600000000},
        {"unit='mib'", 104857600000000},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *xml = g_strdup_printf(
            "<domain type='lxc'><name>x</name><memory %s>100000000</memory></domain>",
            rows[i].unit);
        g_autoptr(VmSpec) spec = good(xml);
        g_assert_cmpint(spec->limits.memory, ==, rows[i].bytes);
    }
}

/* Where processes may run: wherever one of the domain's CPUs may. */
static void test_pins(void)
{
    static const struct {
        const char *xml, *cpus;
    } rows[] = {
        {DOMAIN("<vcpu>2</vcpu>"), NULL},
        {DOMAIN("<vcpu cpuset='2-3'>2</vcpu>"), "2-3"},
        {DOMAIN("<vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/></cputune>"), NULL},
        {DOMAIN("<vcpu cpuset='2-3'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='7'/></cputune>"),
         "2-3,7"},
        {DOMAIN("<vcpu cpuset='2-3'>1</vcpu><cputune><vcpupin vcpu='0' cpuset='7'/></cputune>"),
         "7"},
        {DOMAIN("<vcpu current='1'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='7'/>"
                "<vcpupin vcpu='1' cpuset='8'/></cputune>"),
         "7"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec = good(rows[i].xml);
        g_assert_cmpstr(spec->cpus, ==, rows[i].cpus);
    }
}

static void test_idmap(void)
{
    g_autoptr(VmSpec) spec =
        good(DOMAIN("<idmap><uid start='0' target='1000' count='10'/></idmap>"));
    g_assert_nonnull(strstr(spec->refused, "idmap is asked for"));
    g_assert_cmpuint(spec->not_honoured->len, ==, 0);
}

/* Another cloud's VM: named by its deploy id, and what XML may not hold does not come out. */
static void test_other_cloud(void)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    spec->deploy_id = g_strdup("one-7");
    spec->cloud = g_strdup("opennebula");
    spec->cloud_id = g_strdup("7");
    spec->name = g_strdup("a/b\x01 <c>\nd");
    spec->hostname = g_strdup("one-7");
    spec->limits.memory = 67108864;
    spec->limits.cpu_quota_us = 150000;
    VmDisk *disk = g_new0(VmDisk, 1);
    disk->id = 1;
    disk->source = g_strdup("102/7/disk.1");
    disk->mount_point = g_strdup("/data");
    g_ptr_array_add(spec->disks, disk);
    g_autofree gchar *xml = domain_from_spec(spec, "/var/lib/one/datastores", 4711);
    g_assert_nonnull(strstr(xml, "<domain type=\"lxc\" id=\"4711\">\n  <name>one-7</name>\n"
                                 "  <title>a/b &lt;c&gt; d</title>\n"));
    g_assert_nonnull(strstr(xml, "<source file=\"/var/lib/one/datastores/102/7/disk.1\"/>"));
    g_assert_nonnull(strstr(xml, "<vcpu placement=\"static\">2</vcpu>\n  <cputune>\n"
                                 "    <period>100000</period>\n    <quota>75000</quota>\n"));
    g_autoptr(VmSpec) again = good(xml);
    g_assert_cmpint(again->limits.cpu_quota_us, ==, 150000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain/golden", test_golden);
    g_test_add_func("/domain/complete", test_complete);
    g_test_add_func("/domain/round-trip", test_round_trip);
    g_test_add_func("/domain/dump-learned", test_dump_learned);
    g_test_add_func("/domain/detected", test_detected);
    g_test_add_func("/domain/ids", test_ids);
    g_test_add_func("/domain/errors", test_errors);
    g_test_add_func("/domain/units", test_units);
    g_test_add_func("/domain/pins", test_pins);
    g_test_add_func("/domain/idmap", test_idmap);
    g_test_add_func("/domain/other-cloud", test_other_cloud);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/spec_opennebula.h"
#include "tests/unit/golden.h"

#include <string.h>

static const OpennebulaOptions options = {.max_size = 4194304, .terminal = TRUE};

static VmSpec *parse(const char *xml)
{
    g_autoptr(GError) error = NULL;
    VmSpec *spec = spec_from_opennebula(xml, strlen(xml), &options, &error);
    g_assert_no_error(error);
    return spec;
}

/* A VM of the smallest form around further elements of its TEMPLATE and USER_TEMPLATE. */
static gchar *vm_xml(const char *template, const char *user_template)
{
    return g_strdup_printf("<VM><ID>7</ID><NAME>boat</NAME><TEMPLATE><CPU>1</CPU>"
                           "<MEMORY>64</MEMORY>%s</TEMPLATE><USER_TEMPLATE>%s</USER_TEMPLATE></VM>",
                           template, user_template);
}

static VmSpec *parse_template(const char *template, const char *user_template)
{
    g_autofree gchar *xml = vm_xml(template, user_template);
    return parse(xml);
}

/* XML must end in an error of code SPEC whose sentence has WORDS in it. */
static void refuse(const char *xml, gsize length, const char *words)
{
    g_autoptr(GError) error = NULL;
    VmSpec *spec = spec_from_opennebula(xml, length, &options, &error);
    if (spec)
        g_error("taken: %s", xml);
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
    if (!strstr(error->message, words))
        g_error("\"%s\" has no \"%s\" in it", error->message, words);
    g_assert_null(strchr(error->message, '\n'));
    g_assert_false(g_str_has_suffix(error->message, "."));
}

static void refuse_template(const char *template, const char *user_template, const char *words)
{
    g_autofree gchar *xml = vm_xml(template, user_template);
    refuse(xml, strlen(xml), words);
}

static void assert_note(const VmSpec *spec, const char *words)
{
    for (guint i = 0; i < spec->not_honoured->len; i++)
        if (strstr(spec->not_honoured->pdata[i], words))
            return;
    g_error("no sentence has \"%s\" in it", words);
}

static const VmNic *nic_of(const VmSpec *spec, guint index)
{
    g_assert_cmpuint(index, <, spec->nics->len);
    return spec->nics->pdata[index];
}

static void assert_addresses(const VmNic *nic, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < nic->addresses->len; i++) {
        g_autofree gchar *one = vm_address_format(&g_array_index(nic->addresses, VmAddress, i));
        g_string_append_printf(text, "%s%s", i ? " " : "", one);
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void assert_routes(const VmNic *nic, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < nic->routes->len; i++) {
        const VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        g_autofree gchar *destination = vm_address_format(&route->destination);
        g_autofree gchar *gateway = vm_address_text(&route->gateway);
        g_string_append_printf(text, "%s%s>%s#%u", i ? " " : "", destination, gateway,
                               route->metric);
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void assert_words(const GStrv words, const char *expected)
{
    g_autofree gchar *text = words ? g_strjoinv("|", words) : NULL;
    g_assert_cmpstr(text, ==, expected);
}

static void test_golden(void)
{
    gsize count;
    const GoldenCase *cases = golden_cases(&count);
    for (gsize i = 0; i < count; i++) {
        gsize length;
        g_autoptr(GError) error = NULL;
        g_autofree gchar *input = golden_input(&cases[i]);
        g_autofree gchar *golden = golden_path(&cases[i], "spec");
        g_autofree gchar *xml = golden_read(input, &length);
        g_test_message("%s", input);
        g_autoptr(VmSpec) spec = spec_from_opennebula(xml, length, &options, &error);
        g_assert_no_error(error);
        g_autofree gchar *id = opennebula_vm_id(xml, length, options.max_size, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(id, ==, spec->cloud_id);
        golden_compare(golden, vm_spec_to_json(spec));
    }
}

/* Messages of the network drivers have a VM without limits: an id, and no more than that. */
static void test_network_message(void)
{
    static const char xml[] = "<VM><ID>9</ID><DEPLOY_ID>one-9</DEPLOY_ID>"
                              "<TEMPLATE><CONTEXT/></TEMPLATE><TEMPLATE><NIC/></TEMPLATE></VM>";
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = opennebula_vm_id(xml, sizeof xml - 1, 4096, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(id, ==, "9");
    refuse(xml, sizeof xml - 1, "no MEMORY");
}

static void test_split_template(void)
{
    g_autoptr(VmSpec) spec = parse(
        "<VM><ID>9</ID><TEMPLATE><CPU>1</CPU></TEMPLATE><TEMPLATE><MEMORY>64</MEMORY></TEMPLATE>"
        "<TEMPLATE><NIC><NIC_ID>1</NIC_ID><BRIDGE>b1</BRIDGE></NIC></TEMPLATE>"
        "<TEMPLATE><NIC><NIC_ID>0</NIC_ID><BRIDGE>b0</BRIDGE></NIC></TEMPLATE></VM>");
    g_assert_cmpuint(spec->nics->len, ==, 2);
    g_assert_cmpstr(nic_of(spec, 0)->bridge, ==, "b0");
    g_assert_cmpstr(nic_of(spec, 1)->host_name, ==, "one-9-1");
    g_assert_cmpstr(spec->name, ==, "one-9");
    g_assert_cmpstr(spec->hostname, ==, "one-9");
}

static void test_malformed(void)
{
    static const struct {
        const char *xml, *words;
    } rows[] = {
        {"", "the XML is empty"},
        {"   ", "line 1"},
        {"hello", "line 1"},
        {"<VM>\n<ID>7</ID>\n<NAME>x</NAME>", "line 3"},
        {"<VM>\n<ID>7</WRONG></VM>", "mismatch"},
        {"<VM><ID>7</ID></VM><VM/>", "Extra content"},
        {"<VM><ID>7</ID></VM>trailing", "Extra content"},
        {"<VM><ID>7</ID><NAME>\xff\xfe</NAME></VM>", "UTF-8"},
        {"<?xml version='1.0' encoding='KLINGON-8'?><VM><ID>7</ID></VM>", "encoding"},
        {"<VM><ID>&undefined;</ID></VM>", "undefined"},
        {"<VM><ID>\x01</ID></VM>", "line 1"},
        {"<DS_DRIVER_ACTION_DATA><VM><ID>7</ID></VM></DS_DRIVER_ACTION_DATA>", "not of a VM"},
        {"<VMM_DRIVER_ACTION_DATA><HOST/></VMM_DRIVER_ACTION_DATA>", "has no VM"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        refuse(rows[i].xml, strlen(rows[i].xml), rows[i].words);
    refuse("<VM>\0</VM>", 10, "line 1");
}

static void test_doctype(void)
{
    static const char *const documents[] = {
        "<!DOCTYPE VM><VM><ID>7</ID></VM>",
        "<!DOCTYPE VM SYSTEM 'file:///etc/passwd'><VM><ID>7</ID></VM>",
        "<!DOCTYPE VM [<!ENTITY x SYSTEM "
        "'file:///etc/passwd'>]><VM><ID>7</ID><NAME>&x;</NAME></VM>",
        "<!DOCTYPE VM [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
        "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
        "]><VM><ID>7</ID><NAME>&d;</NAME></VM>",
        "<!DOCTYPE VM [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/x'> %p;]><VM><ID>7</ID></VM>",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(documents); i++)
        refuse(documents[i], strlen(documents[i]), "DOCTYPE");
}

static void test_size(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) xml = g_string_new("<VM><ID>7</ID>");
    while (xml->len <= options.max_size)
        g_string_append(xml, "<SNAPSHOT>0123456789</SNAPSHOT>");
    refuse(xml->str, xml->len, "larger than 4194304 bytes");
    g_assert_null(opennebula_vm_id("<VM><ID>7</ID></VM>", 19, 18, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

static void test_depth(void)
{
    g_autoptr(GString) xml = g_string_new("<VM><ID>7</ID>");
    for (int i = 0; i < 100000; i++)
        g_string_append(xml, "<A>");
    refuse(xml->str, xml->len, "depth");
}

static void test_encoding(void)
{
    g_autoptr(VmSpec) spec =
        parse("<?xml version='1.0' encoding='ISO-8859-1'?><VM><ID>7</ID><NAME>k\xfcste</NAME>"
              "<TEMPLATE><CPU>1</CPU><MEMORY>64</MEMORY></TEMPLATE></VM>");
    g_assert_cmpstr(spec->name, ==, "küste");
    g_assert_cmpstr(spec->hostname, ==, "k-ste");
}

static void test_id(void)
{
    static const char *const bad[] = {"",     "../../x", "-1",          "7a",  "1 2",
                                      "0x10", "+3",      "12345678901", "007", "7&#10;8"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree gchar *xml = g_strdup_printf("<VM><ID>%s</ID></VM>", bad[i]);
        refuse(xml, strlen(xml), "ID");
    }
    refuse("<VM><NAME>x</NAME></VM>", 23, "no ID");
    g_autoptr(VmSpec) spec = parse("<VM><ID> 4294967295 </ID><DEPLOY_ID>nova-3</DEPLOY_ID>"
                                   "<TEMPLATE><CPU>1</CPU><MEMORY>64</MEMORY></TEMPLATE></VM>");
    g_assert_cmpstr(spec->deploy_id, ==, "one-4294967295");
}

static void test_limits(void)
{
    static const struct {
        const char *cpu, *vcpu;
        gboolean hard;
        gint64 weight, quota;
    } rows[] = {
        {"1", "", FALSE, 1024, 100000},
        {"0.5", "2", FALSE, 512, 200000},
        {"0.5", "2", TRUE, 512, 50000},
        {"0.001", "", FALSE, 2, 100000},
        {"0", "", FALSE, 2, 100000},
        {"1000", "", FALSE, 262144, 100000000},
        {"2.5e0", "", FALSE, 2560, 300000},
        {"0.1", "", FALSE, 102, 100000},
        {"0.1", "", TRUE, 102, 10000},
        {"0", "", TRUE, 2, 1000},
        {"1", "1000000", FALSE, 1024, 100000000000},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        OpennebulaOptions hard = options;
        hard.hard_cpu = rows[i].hard;
        g_autofree gchar *xml = g_strdup_printf("<VM><ID>7</ID><TEMPLATE><CPU>%s</CPU><VCPU>%s</"
                                                "VCPU><MEMORY>100</MEMORY></TEMPLATE></VM>",
                                                rows[i].cpu, rows[i].vcpu);
        g_autoptr(VmSpec) spec = spec_from_opennebula(xml, strlen(xml), &hard, NULL);
        g_assert_nonnull(spec);
        g_assert_cmpint(spec->limits.cpu_weight, ==, rows[i].weight);
        g_assert_cmpint(spec->limits.cpu_quota_us, ==, rows[i].quota);
        g_assert_cmpint(spec->limits.memory, ==, 104857600);
        g_assert_cmpint(spec->limits.swap, ==, 0);
    }
}

static void test_bad_limits(void)
{
    static const struct {
        const char *cpu, *vcpu, *memory, *words;
    } rows[] = {
        {"-1", "", "64", "CPU"},
        {"nan", "", "64", "CPU"},
        {"inf", "", "64", "CPU"},
        {"0x10", "", "64", "CPU"},
        {"1e9", "", "64", "CPU"},
        {"1,5", "", "64", "CPU"},
        {"-0.0", "", "64", "CPU"},
        {"one", "", "64", "CPU"},
        {"1", "0", "64", "VCPU"},
        {"1", "1.5", "64", "VCPU"},
        {"1", "-2", "64", "VCPU"},
        {"1", "1000001", "64", "VCPU"},
        {"1", "", "-64", "MEMORY"},
        {"1", "", "64.5", "MEMORY"},
        {"1", "", "0", "MEMORY"},
        {"1", "", "1e9", "MEMORY"},
        {"1", "", "5", "6 MiB"},
        {"1", "", "", "MEMORY"},
        {"1", "", "99999999999999999999", "MEMORY"},
        {"", "", "64", "CPU"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *xml =
            g_strdup_printf("<VM><ID>7</ID><TEMPLATE><CPU>%s</CPU><VCPU>%s</VCPU>"
                            "<MEMORY>%s</MEMORY></TEMPLATE></VM>",
                            rows[i].cpu, rows[i].vcpu, rows[i].memory);
        refuse(xml, strlen(xml), rows[i].words);
    }
}

static void test_image(void)
{
    g_autoptr(VmSpec) file =
        parse_template("<DISK><DISK_ID>3</DISK_ID><SOURCE>docker://three</SOURCE></DISK>"
                       "<DISK><DISK_ID>1</DISK_ID><SOURCE>/ds/1</SOURCE><SIZE>10</SIZE></DISK>",
                       "<ONEDOCK_IMAGE>other</ONEDOCK_IMAGE>");
    g_assert_null(file->image);
    g_assert_cmpstr(file->image_source, ==, "/ds/1");
    /* the image's own size, as the front end tells it */
    g_assert_cmpint(file->root_size, ==, 0);
    assert_note(file, "ONEDOCK_IMAGE is not honoured");
    assert_note(file, "DISK 3");
    g_autoptr(VmSpec) url = parse_template(
        "<DISK><DISK_ID>0</DISK_ID><SOURCE>docker://a/b:1?size=1</SOURCE></DISK>", "");
    g_assert_cmpstr(url->image, ==, "a/b:1");
    g_autoptr(VmSpec) user = parse_template("<ONEDOCK_IMAGE>one</ONEDOCK_IMAGE>",
                                            "<ONEDOCK_IMAGE>docker://two</ONEDOCK_IMAGE>");
    g_assert_cmpstr(user->image, ==, "two:latest");
    g_autoptr(VmSpec) none = parse_template("", "");
    g_assert_null(none->image);
    g_assert_null(none->image_source);
}

static VmSpec *parse_sizes(const char *size, const char *original)
{
    g_autofree gchar *disk = g_strdup_printf("<DISK><DISK_ID>0</DISK_ID><SIZE>%s</SIZE>"
                                             "<ORIGINAL_SIZE>%s</ORIGINAL_SIZE></DISK>",
                                             size, original);
    return parse_template(disk, "");
}

static void test_root_size(void)
{
    g_autoptr(VmSpec) own = parse_sizes("100", "100");
    g_assert_cmpint(own->root_size, ==, 0);
    g_assert_cmpuint(own->not_honoured->len, ==, 0);
    g_autoptr(VmSpec) larger = parse_sizes("101", "100");
    g_assert_cmpint(larger->root_size, ==, 101 << 20);
    g_assert_cmpuint(larger->not_honoured->len, ==, 0);
    g_autoptr(VmSpec) smaller = parse_sizes("99", "100");
    g_assert_cmpint(smaller->root_size, ==, 0);
    assert_note(smaller, "SIZE of disk 0 is not honoured: its image has 100 MB");
}

static void test_bad_image(void)
{
    refuse_template("<DISK><DISK_ID>0</DISK_ID><SOURCE>docker://UPPER</SOURCE></DISK>", "",
                    "SOURCE of disk 0");
    refuse_template("", "<ONEDOCK_IMAGE>a b</ONEDOCK_IMAGE>", "ONEDOCK_IMAGE");
    refuse_template("<DISK><SOURCE>docker://a</SOURCE></DISK>", "", "DISK_ID");
    refuse_template("<DISK><DISK_ID>1</DISK_ID></DISK><DISK><DISK_ID>1</DISK_ID></DISK>", "",
                    "two DISKs");
    refuse_template("<DISK><DISK_ID>0</DISK_ID><SIZE>big</SIZE></DISK>", "", "SIZE of disk 0");
    /* The name that holds another VM's disk. */
    refuse_template(
        "<DISK><DISK_ID>0</DISK_ID><SOURCE>docker://vmdock/one-8:disk.0</SOURCE></DISK>", "",
        "vmdock's own use");
    refuse_template("", "<ONEDOCK_IMAGE>docker.io/vmdock/one-8:disk.0</ONEDOCK_IMAGE>",
                    "vmdock's own use");
}

static void test_names(void)
{
    g_autoptr(VmSpec) set = parse_template(
        "<CONTEXT><SET_HOSTNAME>web.example.org</SET_HOSTNAME><HOSTNAME>x</HOSTNAME></CONTEXT>",
        "");
    g_assert_cmpstr(set->hostname, ==, "web.example.org");
    g_autoptr(VmSpec) second = parse_template("<CONTEXT><HOSTNAME>a_b</HOSTNAME></CONTEXT>", "");
    g_assert_cmpstr(second->hostname, ==, "a-b");
    g_autoptr(VmSpec) shell = parse("<VM><ID>7</ID><NAME>$(reboot); `id` \"x\"</NAME><TEMPLATE>"
                                    "<CPU>1</CPU><MEMORY>64</MEMORY></TEMPLATE></VM>");
    g_assert_cmpstr(shell->name, ==, "$(reboot); `id` \"x\"");
    g_assert_cmpstr(shell->hostname, ==, "reboot-id-x");
}

/* NIC 0 on a bridge, with more of its own elements and of CONTEXT. */
static gchar *one_nic(const char *nic, const char *context)
{
    return g_strdup_printf(
        "<NIC><NIC_ID>0</NIC_ID><BRIDGE>br0</BRIDGE>%s</NIC><CONTEXT>%s</CONTEXT>", nic, context);
}

static VmSpec *parse_nic(const char *nic, const char *context)
{
    g_autofree gchar *template = one_nic(nic, context);
    return parse_template(template, "");
}

static void refuse_nic(const char *nic, const char *context, const char *words)
{
    g_autofree gchar *template = one_nic(nic, context);
    refuse_template(template, "", words);
}

static void test_nic_addresses(void)
{
    static const struct {
        const char *nic, *context, *addresses;
    } rows[] = {
        {"<IP>10.77.1.5</IP>", "", "10.77.1.5/24"},
        {"<IP>10.77.1.5</IP><NETWORK_MASK>255.255.0.0</NETWORK_MASK>", "", "10.77.1.5/16"},
        {"<IP>10.77.1.5</IP><NETMASK>20</NETMASK>", "", "10.77.1.5/20"},
        {"<IP>10.77.1.5</IP><NETMASK>20</NETMASK>", "<ETH0_MASK>255.0.0.0</ETH0_MASK>",
         "10.77.1.5/8"},
        {"", "<ETH0_IP>10.77.1.6</ETH0_IP><ETH0_MASK>26</ETH0_MASK>", "10.77.1.6/26"},
        {"<IP>10.77.1.5</IP>", "<ETH0_IP>10.77.1.6</ETH0_IP>", "10.77.1.5/24"},
        {"<IP6>fd00:77::5</IP6>", "", "fd00:77::5/64"},
        {"<IP6>fd00:77::5</IP6><PREFIX_LENGTH>48</PREFIX_LENGTH>", "", "fd00:77::5/48"},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_IP6_PREFIX_LENGTH>120</ETH0_IP6_PREFIX_LENGTH>",
         "fd00:77::5/120"},
        {"<IP6_GLOBAL>2001:db8::5</IP6_GLOBAL><IP6_ULA>fd00:77::5</IP6_ULA>",
         "<ETH0_IP6>2001:db8::5</ETH0_IP6><ETH0_IP6_ULA>fd00:77::5</ETH0_IP6_ULA>",
         "2001:db8::5/64 fd00:77::5/64"},
        {"", "<ETH0_IP6>2001:db8::5</ETH0_IP6><ETH0_IP6_ULA>fd00:77::5</ETH0_IP6_ULA>",
         "2001:db8::5/64 fd00:77::5/64"},
        {"<IP6_LINK>fe80::5</IP6_LINK>", "", ""},
        {"<IP>10.77.1.5</IP>", "<ETH0_METHOD>skip</ETH0_METHOD>", ""},
        {"<IP>10.77.1.5</IP>", "<ETH0_METHOD>dhcp</ETH0_METHOD>", "10.77.1.5/24"},
        {"<IP>10.77.1.5</IP><METHOD>SKIP</METHOD><IP6>fd00:77::5</IP6>", "", "fd00:77::5/64"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec = parse_nic(rows[i].nic, rows[i].context);
        assert_addresses(nic_of(spec, 0), rows[i].addresses);
    }
}

static void test_bad_nic(void)
{
    static const struct {
        const char *nic, *context, *words;
    } rows[] = {
        {"<IP>10.77.1</IP>", "", "NIC 0: IP"},
        {"<IP>fd00::1</IP>", "", "no IPv4 address"},
        {"<IP6>10.77.1.1</IP6>", "", "no IPv6 address"},
        {"<IP>10.77.1.5/24</IP>", "", "no IPv4 address"},
        {"<IP>10.77.1.5</IP><NETMASK>255.0.255.0</NETMASK>", "", "netmask"},
        {"<IP>10.77.1.5</IP>", "<ETH0_NETWORK>10.77.2.0</ETH0_NETWORK>",
         "NIC 0: IP 10.77.1.5 is outside its subnet 10.77.2.0/24"},
        {"<IP>10.77.1.5</IP>", "<ETH0_NETWORK>front</ETH0_NETWORK>", "NETWORK"},
        {"<IP>10.77.1.0</IP>", "", "not of a host"},
        {"<IP>10.77.1.255</IP>", "", "broadcast"},
        {"<IP>10.77.1.5</IP><GATEWAY>10.77.2.1</GATEWAY>", "",
         "NIC 0: the gateway 10.77.2.1 is outside every subnet"},
        {"<IP6>fd00:77::5</IP6><GATEWAY6>fd00:78::1</GATEWAY6>", "", "outside every subnet"},
        {"<IP>10.77.1.5</IP><GATEWAY>fd00::1</GATEWAY>", "", "no IPv4 address"},
        {"<IP>10.77.1.5</IP><ROUTES>10.78.0.0/16 over 10.77.1.1</ROUTES>", "", "via GATEWAY"},
        {"<IP>10.77.1.5</IP><ROUTES>10.78.0.0/16 via fd00::1</ROUTES>", "", "via GATEWAY"},
        {"<IP>10.77.1.5</IP><ROUTES>10.78.0.0/16 via 10.79.0.1</ROUTES>", "", "outside every"},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_IP6_PREFIX_LENGTH>129</ETH0_IP6_PREFIX_LENGTH>",
         "IP6_PREFIX_LENGTH"},
        {"<MAC>02:00:00:00:00</MAC>", "", "no MAC"},
        {"<MAC>03:00:00:00:00:01</MAC>", "", "multicast"},
        {"<MAC>00:00:00:00:00:00</MAC>", "", "no MAC of a NIC"},
        {"<MTU>67</MTU>", "", "MTU"},
        {"<MTU>65536</MTU>", "", "MTU"},
        {"<MTU>1279</MTU><IP6>fd00:77::5</IP6>", "", "IPv6"},
        {"<TARGET>a-name-of-16-byt</TARGET>", "", "longer than 15 bytes"},
        {"<TARGET>a/b</TARGET>", "", "no interface name"},
        {"<TARGET>..</TARGET>", "", "no interface name"},
        {"<TARGET>a b</TARGET>", "", "no interface name"},
        {"<BRIDGE_TYPE>wormhole</BRIDGE_TYPE>", "", "BRIDGE_TYPE"},
        {"<IP>10.77.1.5</IP><GATEWAY>10.77.1.1</GATEWAY>", "<ETH0_METRIC>low</ETH0_METRIC>",
         "METRIC"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        refuse_nic(rows[i].nic, rows[i].context, rows[i].words);
    refuse_template("<NIC><NIC_ID>3</NIC_ID></NIC>", "", "NIC 3: no BRIDGE");
    refuse_template("<NIC><BRIDGE>b</BRIDGE></NIC>", "", "NIC_ID");
}

static void test_routes(void)
{
    static const struct {
        const char *nic, *context, *routes;
    } rows[] = {
        {"<IP>10.77.1.5</IP><GATEWAY>10.77.1.1</GATEWAY>", "", "0.0.0.0/0>10.77.1.1#0"},
        {"<IP>10.77.1.5</IP><GATEWAY>10.77.1.1</GATEWAY>",
         "<ETH0_GATEWAY>10.77.1.2</ETH0_GATEWAY><ETH0_METRIC>7</ETH0_METRIC>",
         "0.0.0.0/0>10.77.1.2#7"},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_GATEWAY6>fd00:77::1</ETH0_GATEWAY6>", "::/0>fd00:77::1#0"},
        {"<IP6>fd00:77::5</IP6><GATEWAY6>fe80::1</GATEWAY6>", "", "::/0>fe80::1#0"},
        {"<IP>10.77.1.5</IP><NETMASK>32</NETMASK><GATEWAY>10.9.9.9</GATEWAY>", "",
         "10.9.9.9/32>#0 0.0.0.0/0>10.9.9.9#0"},
        {"<IP>10.77.1.5</IP><ROUTES>10.78.3.4/16 via 10.77.1.9 ,,10.79.0.1 VIA 10.77.1.9</ROUTES>",
         "", "10.78.0.0/16>10.77.1.9#0 10.79.0.1/32>10.77.1.9#0"},
        {"<IP>10.77.1.5</IP>",
         "<ETH0_ROUTES>10.78.0.0/16 via 10.77.1.9, 10.78.0.0/16 via 10.77.1.9</ETH0_ROUTES>",
         "10.78.0.0/16>10.77.1.9#0"},
        {"<GATEWAY>10.77.1.1</GATEWAY>", "", ""},
        {"<IP>10.77.1.5</IP><GATEWAY>10.77.1.1</GATEWAY><METHOD>skip</METHOD>", "", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec = parse_nic(rows[i].nic, rows[i].context);
        assert_routes(nic_of(spec, 0), rows[i].routes);
    }
}

static void test_two_default_routes(void)
{
    g_autoptr(VmSpec) spec = parse_template(
        "<NIC><NIC_ID>4</NIC_ID><BRIDGE>b</BRIDGE><IP>10.77.2.5</IP><GATEWAY>10.77.2.1</GATEWAY>"
        "<IP6>fd00:2::5</IP6><GATEWAY6>fd00:2::1</GATEWAY6></NIC>"
        "<NIC><NIC_ID>1</NIC_ID><BRIDGE>b</BRIDGE><IP>10.77.1.5</IP><GATEWAY>10.77.1.1</GATEWAY>"
        "<IP6>fd00:1::5</IP6><GATEWAY6>fd00:1::1</GATEWAY6></NIC>"
        "<NIC><NIC_ID>9</NIC_ID><BRIDGE>b</BRIDGE><IP>10.77.9.5</IP><GATEWAY>10.77.9.1</GATEWAY>"
        "<METRIC>1004</METRIC></NIC>",
        "");
    assert_routes(nic_of(spec, 0), "0.0.0.0/0>10.77.1.1#0 ::/0>fd00:1::1#0");
    assert_routes(nic_of(spec, 1), "0.0.0.0/0>10.77.2.1#1004 ::/0>fd00:2::1#2004");
    assert_routes(nic_of(spec, 2), "0.0.0.0/0>10.77.9.1#1009");
}

static void test_ip6_mode(void)
{
    static const struct {
        const char *nic, *context;
        VmIp6Mode mode;
        const char *addresses;
    } rows[] = {
        {"<IP>10.77.1.5</IP>", "", VM_IP6_STATIC, "10.77.1.5/24"},
        {"<IP6>fd00:77::5</IP6>", "", VM_IP6_ROUTERS, "fd00:77::5/64"},
        {"<IP6>fd00:77::5</IP6><GATEWAY6>fd00:77::1</GATEWAY6>", "", VM_IP6_STATIC,
         "fd00:77::5/64"},
        {"<IP6>fd00:77::5</IP6><ROUTES>::/0 via fd00:77::1</ROUTES>", "", VM_IP6_STATIC,
         "fd00:77::5/64"},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_IP6_METHOD>auto</ETH0_IP6_METHOD>", VM_IP6_AUTO, ""},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_IP6_METHOD>disable</ETH0_IP6_METHOD>", VM_IP6_OFF, ""},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_IP6_METHOD>skip</ETH0_IP6_METHOD>", VM_IP6_STATIC, ""},
        {"<IP6>fd00:77::5</IP6>", "<ETH0_IP6_METHOD>dhcp</ETH0_IP6_METHOD>", VM_IP6_ROUTERS,
         "fd00:77::5/64"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec = parse_nic(rows[i].nic, rows[i].context);
        g_assert_cmpint(nic_of(spec, 0)->ip6_mode, ==, rows[i].mode);
        assert_addresses(nic_of(spec, 0), rows[i].addresses);
    }
}

static void test_mtu(void)
{
    g_autoptr(VmSpec) guest =
        parse_nic("<MTU>9000</MTU><GUEST_MTU>1400</GUEST_MTU>", "<ETH0_MTU>1450</ETH0_MTU>");
    g_autoptr(VmSpec) told = parse_nic("<MTU>9000</MTU>", "<ETH0_MTU>1450</ETH0_MTU>");
    g_autoptr(VmSpec) own = parse_nic("<MTU>9000</MTU>", "");
    g_autoptr(VmSpec) none = parse_nic("", "");
    g_assert_cmpuint(nic_of(guest, 0)->mtu, ==, 1400);
    g_assert_cmpuint(nic_of(told, 0)->mtu, ==, 1450);
    g_assert_cmpuint(nic_of(own, 0)->mtu, ==, 9000);
    g_assert_cmpuint(nic_of(none, 0)->mtu, ==, 0);
}

static void assert_bandwidth(const VmBandwidth *bandwidth, gint64 average, gint64 peak,
                             gint64 burst)
{
    g_assert_cmpint(bandwidth->average, ==, average);
    g_assert_cmpint(bandwidth->peak, ==, peak);
    g_assert_cmpint(bandwidth->burst, ==, burst);
}

static void test_bandwidth(void)
{
    g_autoptr(VmSpec) spec =
        parse_nic("<INBOUND_AVG_BW>1000</INBOUND_AVG_BW><INBOUND_PEAK_BW>2000</INBOUND_PEAK_BW>"
                  "<INBOUND_PEAK_KB>64</INBOUND_PEAK_KB><OUTBOUND_PEAK_BW>100000000"
                  "</OUTBOUND_PEAK_BW><OUTBOUND_AVG_BW></OUTBOUND_AVG_BW>",
                  "");
    assert_bandwidth(&nic_of(spec, 0)->inbound, 1000000, 2000000, 65536);
    assert_bandwidth(&nic_of(spec, 0)->outbound, 0, G_GINT64_CONSTANT(100000000000), 0);
    g_assert_cmpuint(spec->not_honoured->len, ==, 0);
    refuse_nic("<INBOUND_AVG_BW>-1</INBOUND_AVG_BW>", "", "NIC 0: INBOUND_AVG_BW");
    refuse_nic("<INBOUND_AVG_BW>1.5</INBOUND_AVG_BW>", "", "kilobytes per second");
    refuse_nic("<OUTBOUND_PEAK_BW>100000001</OUTBOUND_PEAK_BW>", "", "NIC 0: OUTBOUND_PEAK_BW");
    refuse_nic("<OUTBOUND_PEAK_KB>1048577</OUTBOUND_PEAK_KB>", "", "NIC 0: OUTBOUND_PEAK_KB");

    g_autoptr(VmSpec) alias =
        parse_template("<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE></NIC><NIC_ALIAS><NIC_ID>1"
                       "</NIC_ID><PARENT_ID>0</PARENT_ID><INBOUND_AVG_BW>5</INBOUND_AVG_BW>"
                       "</NIC_ALIAS>",
                       "");
    assert_bandwidth(&nic_of(alias, 0)->inbound, 0, 0, 0);
    assert_note(alias, "NIC_ALIAS 1: INBOUND_AVG_BW is not honoured: it shares the bandwidth of");
}

/* A message that says of the VM no more than that. */
static GPtrArray *bandwidth_of(const char *xml, gchar **id, GError **error)
{
    return opennebula_bandwidth(xml, strlen(xml), options.max_size, id, error);
}

static void test_bandwidth_alone(void)
{
    static const char *const bad[] = {
        "<VM><TEMPLATE/></VM>", "<VM><ID>5</ID><TEMPLATE><NIC/></TEMPLATE></VM>",
        "<VM><ID>5</ID><TEMPLATE><NIC><NIC_ID>0</NIC_ID><INBOUND_PEAK_KB>x</INBOUND_PEAK_KB></NIC>"
        "</TEMPLATE></VM>",
        "<VM><ID>5</ID>", ""};
    g_autofree gchar *id = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(bandwidth_of(bad[i], &id, &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        g_assert_null(id);
    }
    g_autoptr(GPtrArray) nics = bandwidth_of(
        "<VM><ID>5</ID><TEMPLATE><NIC><NIC_ID>3</NIC_ID><OUTBOUND_AVG_BW>7</OUTBOUND_AVG_BW></NIC>"
        "</TEMPLATE><TEMPLATE><NIC><NIC_ID>4</NIC_ID></NIC></TEMPLATE></VM>",
        &id, NULL);
    g_assert_cmpuint(nics->len, ==, 2);
    g_assert_cmpstr(id, ==, "5");
    const VmNic *first = nics->pdata[0], *second = nics->pdata[1];
    g_assert_cmpuint(first->id, ==, 3);
    assert_bandwidth(&first->inbound, 0, 0, 0);
    assert_bandwidth(&first->outbound, 7000, 0, 0);
    g_assert_cmpuint(second->id, ==, 4);
    assert_bandwidth(&second->outbound, 0, 0, 0);
}

#define RULE(id, inside)                                                                           \
    "<SECURITY_GROUP_RULE><SECURITY_GROUP_ID>" id "</SECURITY_GROUP_ID>" inside                    \
    "</SECURITY_GROUP_RULE>"
#define IN_TCP "<RULE_TYPE>inbound</RULE_TYPE><PROTOCOL>TCP</PROTOCOL>"
#define GROUP_NIC                                                                                  \
    "<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE><SECURITY_GROUPS>1,2,1</SECURITY_GROUPS></NIC>"

/* A rule that is not understood lets nothing pass, and is told; the others stay. */
static void test_bad_rules(void)
{
    static const struct {
        const char *rule, *words;
    } rows[] = {
        {"<PROTOCOL>TCP</PROTOCOL>", "neither INBOUND nor OUTBOUND"},
        {"<RULE_TYPE>both</RULE_TYPE><PROTOCOL>TCP</PROTOCOL>", "neither INBOUND nor OUTBOUND"},
        {"<RULE_TYPE>inbound</RULE_TYPE>", "PROTOCOL is none"},
        {IN_TCP "<RANGE>0-5</RANGE>", "no list of ports"},
        {IN_TCP "<RANGE>65536</RANGE>", "no list of ports"},
        {IN_TCP "<RANGE>1:2:3</RANGE>", "no list of ports"},
        {IN_TCP "<RANGE>9:8</RANGE>", "no list of ports"},
        {IN_TCP "<RANGE>80, x</RANGE>", "no list of ports"},
        {IN_TCP "<RANGE>,</RANGE>", "no ports or too many"},
        {"<RULE_TYPE>inbound</RULE_TYPE><PROTOCOL>ALL</PROTOCOL><RANGE>80</RANGE>", "only TCP"},
        {IN_TCP "<ICMP_TYPE>8</ICMP_TYPE>", "of another protocol"},
        {"<RULE_TYPE>inbound</RULE_TYPE><PROTOCOL>ICMP</PROTOCOL><ICMP_TYPE>256</ICMP_TYPE>",
         "no number"},
        {"<RULE_TYPE>inbound</RULE_TYPE><PROTOCOL>ICMP</PROTOCOL><ICMP_TYPE>8/0/0</ICMP_TYPE>",
         "no number"},
        {IN_TCP "<IP>10.0.0.1</IP>", "has no SIZE"},
        {IN_TCP "<SIZE>4</SIZE>", "a SIZE and no IP"},
        {IN_TCP "<IP>10.0.0.0/8</IP><SIZE>4</SIZE>", "no address"},
        {IN_TCP "<IP>10.0.0</IP><SIZE>4</SIZE>", "no address"},
        {IN_TCP "<IP>10.0.0.1</IP><SIZE>0</SIZE>", "SIZE is no number"},
        {IN_TCP "<IP>255.255.255.254</IP><SIZE>3</SIZE>", "beyond the last address"},
        {IN_TCP "<IP6>ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0</IP6><SIZE>17</SIZE>", "beyond"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *template = g_strconcat(
            GROUP_NIC, "<SECURITY_GROUP_RULE><SECURITY_GROUP_ID>1</SECURITY_GROUP_ID>",
            rows[i].rule, "</SECURITY_GROUP_RULE>", RULE("2", IN_TCP "<RANGE>22</RANGE>"), NULL);
        g_autoptr(VmSpec) spec = parse_template(template, "");
        assert_note(spec, rows[i].words);
        assert_note(spec, "a rule of security group 1 lets nothing pass where vmdock filters: ");
        g_assert_cmpuint(nic_of(spec, 0)->rules->len, ==, 1);
    }
}

static void test_rules(void)
{
    g_autoptr(VmSpec) spec = parse_template(
        GROUP_NIC RULE("1", IN_TCP "<RANGE>90:100, 80 ,81:89,65535,0</RANGE>")
            RULE("2", IN_TCP "<IP>10.0.0.255</IP><SIZE>2</SIZE><IP6_ULA>fd00::ffff:ffff</IP6_ULA>")
                RULE("3", IN_TCP),
        "<ONEDOCK_FILTER>Spoofing</ONEDOCK_FILTER>"
        "<ONEDOCK_ADDRESS_PROBE>no</ONEDOCK_ADDRESS_PROBE>");
    g_assert_cmpint(spec->filter, ==, VM_FILTER_SPOOFING);
    g_assert_cmpint(spec->probe, ==, VM_PROBE_NO);
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    g_autoptr(VmSpec) read = vm_spec_from_json(json, NULL);
    g_assert_cmpint(read->probe, ==, VM_PROBE_NO);
    const GPtrArray *rules = nic_of(spec, 0)->rules;
    g_assert_cmpuint(rules->len, ==, 3);
    const GArray *ports = ((const VmRule *)rules->pdata[0])->ports;
    static const VmPorts expected[] = {{0, 0}, {80, 100}, {65535, 65535}};
    g_assert_cmpmem(ports->data, ports->len * sizeof(VmPorts), expected, sizeof expected);
    const VmRule *ip4 = rules->pdata[1], *ip6 = rules->pdata[2];
    g_autofree gchar *last4 = vm_address_text(&ip4->last);
    g_autofree gchar *last6 = vm_address_text(&ip6->last);
    g_assert_cmpstr(last4, ==, "10.0.1.0");
    g_assert_cmpstr(last6, ==, "fd00::1:0:0");
    g_autoptr(VmSpec) none = parse_template("<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE></NIC>", "");
    g_assert_null(nic_of(none, 0)->rules);
    g_autoptr(VmSpec) empty = parse_template(GROUP_NIC, "");
    g_assert_cmpuint(nic_of(empty, 0)->rules->len, ==, 0);
    refuse_template("", "<ONEDOCK_FILTER>on</ONEDOCK_FILTER>", "ONEDOCK_FILTER");
    refuse_template("", "<ONEDOCK_ADDRESS_PROBE>300</ONEDOCK_ADDRESS_PROBE>",
                    "ONEDOCK_ADDRESS_PROBE");
}

/* The message of update_sg, which says of the VM no more than that. */
static void test_rules_alone(void)
{
    const char *xml = "<VM><ID>5</ID><TEMPLATE>" RULE("100", IN_TCP "<RANGE>8080</RANGE>")
        RULE("100", IN_TCP
             "<RANGE>x</RANGE>") "</TEMPLATE><TEMPLATE><NIC><NIC_ID>3</NIC_ID>"
                                 "<SECURITY_GROUPS>100</SECURITY_GROUPS></NIC></TEMPLATE></VM>";
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = NULL;
    g_auto(GStrv) notes = NULL;
    g_autoptr(GPtrArray) nics =
        opennebula_rules(xml, strlen(xml), options.max_size, &id, &notes, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(id, ==, "5");
    g_assert_cmpuint(g_strv_length(notes), ==, 1);
    g_assert_cmpuint(nics->len, ==, 1);
    const VmNic *nic = nics->pdata[0];
    g_assert_cmpuint(nic->id, ==, 3);
    g_assert_cmpuint(nic->rules->len, ==, 1);
    g_autofree gchar *other_id = NULL;
    g_assert_null(opennebula_rules("<VM/>", 5, options.max_size, &other_id, &notes, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

/* CONTEXT numbers its groups as it likes; MAC comes first, then IP, then the number. */
static void test_matching(void)
{
    g_autoptr(VmSpec) spec = parse_template(
        "<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE><MAC>02:00:00:00:00:0a</MAC><IP>10.77.1.10</IP></"
        "NIC>"
        "<NIC><NIC_ID>1</NIC_ID><BRIDGE>b</BRIDGE><IP>10.77.1.11</IP></NIC>"
        "<NIC><NIC_ID>2</NIC_ID><BRIDGE>b</BRIDGE><IP>10.77.1.12</IP></NIC>"
        "<NIC><NIC_ID>3</NIC_ID><BRIDGE>b</BRIDGE><MAC>02:00:00:00:00:0d</MAC></NIC>"
        "<CONTEXT><ETH1_MAC>02:00:00:00:00:0A</ETH1_MAC><ETH1_MASK>17</ETH1_MASK>"
        "<ETH0_IP>10.77.1.11</ETH0_IP><ETH0_MASK>18</ETH0_MASK><ETH2_MASK>19</ETH2_MASK>"
        "<ETH3_MAC>02:00:00:00:00:ee</ETH3_MAC><ETH3_IP>10.77.66.6</ETH3_IP></CONTEXT>",
        "");
    assert_addresses(nic_of(spec, 0), "10.77.1.10/17");
    assert_addresses(nic_of(spec, 1), "10.77.1.11/18");
    assert_addresses(nic_of(spec, 2), "10.77.1.12/19");
    assert_addresses(nic_of(spec, 3), "");
    g_assert_cmpstr(nic_of(spec, 0)->guest_name, ==, "eth1");
    g_assert_cmpstr(nic_of(spec, 1)->guest_name, ==, "eth0");
    g_assert_cmpstr(nic_of(spec, 2)->guest_name, ==, "eth2");
    g_assert_cmpstr(nic_of(spec, 3)->guest_name, ==, "eth3");
    assert_note(spec, "CONTEXT/ETH3_*");
}

static void test_guest_names(void)
{
    g_autoptr(VmSpec) plain = parse_template("<NIC><NIC_ID>5</NIC_ID><BRIDGE>b</BRIDGE></NIC>"
                                             "<NIC><NIC_ID>2</NIC_ID><BRIDGE>b</BRIDGE></NIC>",
                                             "");
    g_assert_cmpstr(nic_of(plain, 0)->guest_name, ==, "eth0");
    g_assert_cmpstr(nic_of(plain, 1)->guest_name, ==, "eth1");
    g_autoptr(VmSpec) taken = parse_template(
        "<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE></NIC><NIC><NIC_ID>1</NIC_ID><BRIDGE>b</BRIDGE>"
        "<IP>10.77.1.1</IP></NIC><CONTEXT><ETH0_IP>10.77.1.1</ETH0_IP></CONTEXT>",
        "");
    g_assert_cmpstr(nic_of(taken, 0)->guest_name, ==, "eth1");
    g_assert_cmpstr(nic_of(taken, 1)->guest_name, ==, "eth0");
}

static void test_aliases(void)
{
    static const char nic[] = "<NIC><NIC_ID>0</NIC_ID><NAME>front</NAME><BRIDGE>b</BRIDGE>"
                              "<IP>10.77.1.5</IP></NIC>";
    g_autofree gchar *by_name =
        g_strconcat(nic,
                    "<NIC_ALIAS><NIC_ID>1</NIC_ID><PARENT>front</PARENT><IP>10.77.2.6</IP>"
                    "<IP6>fd00:77::6</IP6></NIC_ALIAS>",
                    NULL);
    g_autoptr(VmSpec) spec = parse_template(by_name, "");
    g_assert_cmpuint(spec->nics->len, ==, 1);
    assert_addresses(nic_of(spec, 0), "10.77.1.5/24 10.77.2.6/24 fd00:77::6/64");
    g_autofree gchar *orphan =
        g_strconcat(nic, "<NIC_ALIAS><NIC_ID>1</NIC_ID><PARENT_ID>3</PARENT_ID></NIC_ALIAS>", NULL);
    refuse_template(orphan, "", "NIC_ALIAS 1");
    g_autofree gchar *twice =
        g_strconcat(nic, "<NIC_ALIAS><NIC_ID>0</NIC_ID><PARENT_ID>0</PARENT_ID></NIC_ALIAS>", NULL);
    refuse_template(twice, "", "two NICs have the NIC_ID 0");
}

/* An alias has routes of its own, but no default route. */
static void test_alias_routes(void)
{
    g_autoptr(VmSpec) spec = parse_template(
        "<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE><IP>10.77.1.5</IP><GATEWAY>10.77.1.1</GATEWAY>"
        "<ROUTES>10.78.0.0/16 via 10.77.1.2</ROUTES></NIC>"
        "<NIC_ALIAS><NIC_ID>1</NIC_ID><PARENT_ID>0</PARENT_ID><IP>10.77.2.6</IP>"
        "<GATEWAY>10.77.2.1</GATEWAY><DNS>10.77.2.53</DNS>"
        "<ROUTES>10.78.0.0/16 via 10.77.1.2, 10.79.0.0/16 via 10.77.2.2</ROUTES></NIC_ALIAS>",
        "");
    assert_routes(nic_of(spec, 0), "10.78.0.0/16>10.77.1.2#0 10.79.0.0/16>10.77.2.2#0 "
                                   "0.0.0.0/0>10.77.1.1#0");
    assert_words(spec->dns, "10.77.2.53");
    assert_note(spec, "NIC_ALIAS 1: GATEWAY is not honoured");
}

static void test_same_mac(void)
{
    refuse_template("<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE><MAC>02:00:00:00:00:01</MAC></NIC>"
                    "<NIC><NIC_ID>1</NIC_ID><BRIDGE>b</BRIDGE><MAC>02:00:00:00:00:01</MAC></NIC>",
                    "", "NIC 0 and NIC 1 have one MAC");
    refuse_template("<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE><TARGET>tap0</TARGET></NIC>"
                    "<NIC><NIC_ID>1</NIC_ID><BRIDGE>b</BRIDGE><TARGET>tap0</TARGET></NIC>",
                    "", "one name");
}

static void test_many_nics(void)
{
    g_autoptr(GString) template = g_string_new(NULL);
    for (int i = 0; i < 257; i++)
        g_string_append_printf(template, "<NIC><NIC_ID>%d</NIC_ID><BRIDGE>b</BRIDGE></NIC>", i);
    refuse_template(template->str, "", "more than 256");
}

static void test_dns(void)
{
    g_autoptr(VmSpec) spec =
        parse_nic("<DNS>10.77.0.53 10.77.0.54</DNS><SEARCH_DOMAIN>b.example</SEARCH_DOMAIN>",
                  "<ETH0_DNS>10.77.0.53</ETH0_DNS><DNS>FD00::53, 10.77.0.54 x/24</DNS>"
                  "<ETH0_SEARCH_DOMAIN>A.example</ETH0_SEARCH_DOMAIN><SEARCH_DOMAIN>b.example "
                  "c..d</SEARCH_DOMAIN>");
    assert_words(spec->dns, "10.77.0.53|10.77.0.54|fd00::53");
    assert_words(spec->search, "a.example|b.example");
    assert_note(spec, "\"x/24\"");
    assert_note(spec, "\"c..d\"");
    g_autoptr(VmSpec) none = parse_nic("", "");
    g_assert_null(none->dns);
    g_assert_null(none->search);
}

static void test_bridge_types(void)
{
    static const struct {
        const char *nic, *type;
    } rows[] = {
        {"", "linux"},
        {"<VN_MAD>ovswitch</VN_MAD>", "openvswitch"},
        {"<VN_MAD>fw</VN_MAD>", "linux"},
        {"<BRIDGE_TYPE>none</BRIDGE_TYPE>", "linux"},
        {"<BRIDGE_TYPE>openvswitch_dpdk</BRIDGE_TYPE>", "openvswitch_dpdk"},
        {"<BRIDGE_TYPE>linux</BRIDGE_TYPE><VN_MAD>ovswitch</VN_MAD>", "linux"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(VmSpec) spec = parse_nic(rows[i].nic, "");
        g_assert_cmpstr(nic_of(spec, 0)->bridge_type, ==, rows[i].type);
    }
}

static void test_commands(void)
{
    g_autoptr(VmSpec) shell =
        parse_template("", "<ONEDOCK_COMMAND>sh -c 'a  b; $X `c`' \"d\\\"e\"</ONEDOCK_COMMAND>"
                           "<ONEDOCK_ENTRYPOINT>[]</ONEDOCK_ENTRYPOINT><DOCKERRUN>x</DOCKERRUN>");
    assert_words(shell->process.command, "sh|-c|a  b; $X `c`|d\"e");
    assert_words(shell->process.entrypoint, "");
    assert_note(shell, "DOCKERRUN is not honoured");
    g_autoptr(VmSpec) json =
        parse_template("<ONEDOCK_COMMAND>never</ONEDOCK_COMMAND>",
                       "<ONEDOCK_COMMAND>[\"a b\", \"\", \"c\\nd\"]</ONEDOCK_COMMAND>");
    assert_words(json->process.command, "a b||c\nd");
    g_autoptr(VmSpec) run = parse_template("<DOCKERRUN>from template</DOCKERRUN>", "");
    assert_words(run->process.command, "from|template");
    g_autoptr(VmSpec) none = parse_template("", "");
    g_assert_null(none->process.command);
    g_assert_null(none->process.entrypoint);
    g_assert_true(none->process.terminal);
}

static void test_environment(void)
{
    static const struct {
        const char *value, *words;
    } rows[] = {
        {"B=2,A=1", "A=1|B=2"},
        {" B=2 , A=x=y ,,", "A=x=y|B=2"},
        {"A=1,A=2", "A=2"},
        {"A=", "A="},
        {"{\"B\": \"x,y\", \"A\": 1, \"C\": false, \"D\": 1.5}", "A=1|B=x,y|C=false|D=1.5"},
        {"[\"B=x,y\", \"A=\"]", "A=|B=x,y"},
        {"{}", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *user = g_strdup_printf("<ONEDOCK_ENV>%s</ONEDOCK_ENV>", rows[i].value);
        g_autoptr(VmSpec) spec = parse_template("", user);
        assert_words(spec->process.environment, rows[i].words);
    }
}

static void test_attributes(void)
{
    g_autoptr(VmSpec) spec = parse_template(
        "<ONEDOCK_INIT>no</ONEDOCK_INIT><ONEDOCK><INIT>yes</INIT><USER>one</USER></ONEDOCK>",
        "<ONEDOCK><USER>two</USER><WORKDIR>/</WORKDIR></ONEDOCK>"
        "<ONEDOCK_STOP_SIGNAL>15</ONEDOCK_STOP_SIGNAL><ONEDOCK_STOP_TIMEOUT>0</"
        "ONEDOCK_STOP_TIMEOUT>"
        "<ONEDOCK_SWAP>1</ONEDOCK_SWAP><ONEDOCK_TMPFS>/a:size=1m,ro,/b</ONEDOCK_TMPFS>"
        "<ONEDOCK_DEVICES>/dev/fuse</ONEDOCK_DEVICES><ONEDOCK_TERMINAL>0</ONEDOCK_TERMINAL>");
    g_assert_false(spec->process.init); /* the scalar form wins, wherever it stands */
    g_assert_cmpstr(spec->process.user, ==, "two");
    g_assert_cmpstr(spec->process.working_dir, ==, "/");
    g_assert_cmpstr(spec->process.stop_signal, ==, "15");
    g_assert_cmpint(spec->process.stop_timeout, ==, 0);
    g_assert_cmpint(spec->limits.swap, ==, 1048576);
    g_assert_false(spec->process.terminal);
    assert_words(spec->tmpfs, "/a:size=1m,ro|/b");
    const VmDevice *device = spec->devices->pdata[0];
    g_assert_cmpstr(device->guest_path, ==, "/dev/fuse");
    g_assert_cmpstr(device->access, ==, "rwm");
}

static void test_signals(void)
{
    static const char *const rows[][2] = {{"TERM", "SIGTERM"},       {"sigint", "SIGINT"},
                                          {"RTMIN", "SIGRTMIN"},     {"SIGRTMIN+3", "SIGRTMIN+3"},
                                          {"rtmax-2", "SIGRTMAX-2"}, {"9", "9"}};
    static const char *const bad[] = {"0", "65", "TERMINATE", "SIG", "RTMIN-1", "RTMIN+99", "-9"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *user =
            g_strdup_printf("<ONEDOCK_STOP_SIGNAL>%s</ONEDOCK_STOP_SIGNAL>", rows[i][0]);
        g_autoptr(VmSpec) spec = parse_template("", user);
        g_assert_cmpstr(spec->process.stop_signal, ==, rows[i][1]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree gchar *user =
            g_strdup_printf("<ONEDOCK_STOP_SIGNAL>%s</ONEDOCK_STOP_SIGNAL>", bad[i]);
        refuse_template("", user, "no signal");
    }
}

static void test_bad_attributes(void)
{
    static const struct {
        const char *name, *value, *words;
    } rows[] = {
        {"COMMAND", "sh -c 'open", "ONEDOCK_COMMAND: a quotation"},
        {"COMMAND", "[1]", "entry 1"},
        {"COMMAND", "[\"a\"", "malformed JSON"},
        {"COMMAND", "[\"a\\u0000b\"]", "malformed JSON"},
        {"COMMAND", "[]", "no words"},
        {"COMMAND", "[\"\\u0007\"]", "control"},
        {"ENV", "PLAIN", "entry 1"},
        {"ENV", "A=1,=2", "entry 2"},
        {"ENV", "1A=1", "valid name"},
        {"ENV", "{\"A\": null}", "value of A"},
        {"ENV", "{\"A\": [1]}", "value of A"},
        {"ENV", "{\"A\": \"hunter2\"", "malformed JSON"},
        {"ENV", "{\"A=B;\": \"x\"}", "valid name"},
        {"TERMINAL", "maybe", "neither YES nor NO"},
        {"INIT", "2", "neither YES nor NO"},
        {"PRIVILEGED", "on", "neither YES nor NO"},
        {"STOP_TIMEOUT", "-1", "ONEDOCK_STOP_TIMEOUT"},
        {"STOP_TIMEOUT", "86401", "seconds"},
        {"PIDS_LIMIT", "0", "processes"},
        {"SWAP", "lots", "megabytes"},
        {"USER", "a b", "blanks"},
        {"WORKDIR", "srv", "absolute path"},
        {"WORKDIR", "/srv/../etc", "absolute path"},
        {"TMPFS", "run", "absolute path"},
        {"TMPFS", "/", "absolute path"},
        {"TMPFS", "/run:size=64m,bind", "no option"},
        {"TMPFS", "/run:size=", "no option"},
        {"TMPFS", "/run:dev", "no option"},
        {"TMPFS", "/run,/run:ro", "twice"},
        {"CAP_ADD", "NET-ADMIN", "no capability"},
        {"DEVICES", "fuse", "absolute path"},
        {"DEVICES", "/dev/fuse:/dev/x:rx", "no access"},
        {"DEVICES", "/dev/fuse:/dev/x:", "no access"},
        {"DEVICES", "/dev//fuse", "absolute path"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *scalar = g_strdup_printf("<ONEDOCK_%s>%s</ONEDOCK_%s>", rows[i].name,
                                                   rows[i].value, rows[i].name);
        g_autofree gchar *vector = g_strdup_printf("<ONEDOCK><%s>%s</%s></ONEDOCK>", rows[i].name,
                                                   rows[i].value, rows[i].name);
        g_autofree gchar *label = g_strconcat("ONEDOCK/", rows[i].name, NULL);
        refuse_template("", scalar, rows[i].words);
        refuse_template("", vector, label);
    }
}

static void test_sizes_of_attributes(void)
{
    g_autoptr(GString) value = g_string_new("<ONEDOCK_ENV>");
    for (int i = 0; i < 1025; i++)
        g_string_append_printf(value, "V%d=1,", i);
    g_string_append(value, "</ONEDOCK_ENV>");
    refuse_template("", value->str, "more than 1024");
    g_autofree gchar *blanks = g_strnfill(300000, 'x');
    g_autofree gchar *command =
        g_strconcat("<ONEDOCK_COMMAND>", blanks, "</ONEDOCK_COMMAND>", NULL);
    refuse_template("", command, "longer than");
    g_autofree gchar *dockerrun = g_strconcat("<DOCKERRUN>", blanks, "</DOCKERRUN>", NULL);
    refuse_template("", dockerrun, "longer than");
}

/* Whatever else a sentence tells, it tells no secret. */
static void test_secrets(void)
{
    g_autoptr(VmSpec) spec =
        parse_template("<GRAPHICS><TYPE>VNC</TYPE><PASSWD>hunter2</PASSWD></GRAPHICS>"
                       "<CONTEXT><ROOT_PASSWORD>hunter2</ROOT_PASSWORD><PASSWORD>hunter2</PASSWORD>"
                       "<START_SCRIPT>echo hunter2</START_SCRIPT><TOKEN>YES</TOKEN></CONTEXT>"
                       "<RAW><TYPE>onedock</TYPE><DATA>-e P=hunter2</DATA></RAW>",
                       "<ONEDOCK_PASSWORD>hunter2</ONEDOCK_PASSWORD>");
    for (guint i = 0; i < spec->not_honoured->len; i++)
        g_assert_null(strstr(spec->not_honoured->pdata[i], "hunter2"));
    assert_note(spec, "GRAPHICS (TYPE VNC)");
    assert_note(spec, "RAW (TYPE onedock)");
    assert_note(spec, "ONEDOCK_PASSWORD");
    g_autoptr(json_t) shown = vm_spec_to_shown_json(spec);
    g_autofree char *text = json_dumps(shown, 0);
    g_assert_null(strstr(text, "hunter2"));
    g_assert_nonnull(strstr(text, "ROOT_PASSWORD"));
    static const char *const env[] = {"hunter2", "{\"A\": \"hunter2\"", "A=1,hunter2 x",
                                      "[\"hunter2\"]"};
    for (gsize i = 0; i < G_N_ELEMENTS(env); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *user = g_strdup_printf("<ONEDOCK_ENV>%s</ONEDOCK_ENV>", env[i]);
        g_autofree gchar *xml = vm_xml("", user);
        g_assert_null(spec_from_opennebula(xml, strlen(xml), &options, &error));
        g_assert_null(strstr(error->message, "hunter2"));
    }
}

static void test_unknown_is_told(void)
{
    g_autoptr(VmSpec) spec =
        parse_template("<SPACESHIP>x</SPACESHIP><WATCHDOG><ACTION>reset</ACTION></WATCHDOG>"
                       "<SCHED_RANK>x</SCHED_RANK><VCPU_MAX>4</VCPU_MAX><MEMORY_MAX>64</MEMORY_MAX>"
                       "<NIC><NIC_ID>0</NIC_ID><BRIDGE>b</BRIDGE><WINGS>2</WINGS></NIC>"
                       "<DISK><DISK_ID>0</DISK_ID><CACHE>none</CACHE></DISK>",
                       "<ANYTHING>goes</ANYTHING>");
    static const char *const sentences[] = {
        "NIC 0: WINGS is not honoured", "disk 0: CACHE is not honoured",
        "SPACESHIP is not honoured", "WATCHDOG is not honoured", "VCPU_MAX is not honoured"};
    for (gsize i = 0; i < G_N_ELEMENTS(sentences); i++)
        assert_note(spec, sentences[i]);
    g_assert_cmpuint(spec->not_honoured->len, ==, G_N_ELEMENTS(sentences));
}

static void test_many_notes(void)
{
    g_autoptr(GString) template = g_string_new(NULL);
    for (int i = 0; i < 1000; i++)
        g_string_append_printf(template, "<WISH%d>x</WISH%d>", i, i);
    g_autoptr(VmSpec) spec = parse_template(template->str, "");
    g_assert_cmpuint(spec->not_honoured->len, ==, 201);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func("/spec_opennebula/" name, func)
    ADD("golden", test_golden);
    ADD("network-message", test_network_message);
    ADD("split-template", test_split_template);
    ADD("malformed", test_malformed);
    ADD("doctype", test_doctype);
    ADD("size", test_size);
    ADD("depth", test_depth);
    ADD("encoding", test_encoding);
    ADD("id", test_id);
    ADD("limits", test_limits);
    ADD("bad-limits", test_bad_limits);
    ADD("image", test_image);
    ADD("bad-image", test_bad_image);
    ADD("root-size", test_root_size);
    ADD("names", test_names);
    ADD("nic-addresses", test_nic_addresses);
    ADD("bad-nic", test_bad_nic);
    ADD("routes", test_routes);
    ADD("two-default-routes", test_two_default_routes);
    ADD("ip6-mode", test_ip6_mode);
    ADD("mtu", test_mtu);
    ADD("bandwidth", test_bandwidth);
    ADD("bandwidth-alone", test_bandwidth_alone);
    ADD("rules", test_rules);
    ADD("bad-rules", test_bad_rules);
    ADD("rules-alone", test_rules_alone);
    ADD("matching", test_matching);
    ADD("guest-names", test_guest_names);
    ADD("aliases", test_aliases);
    ADD("alias-routes", test_alias_routes);
    ADD("same-mac", test_same_mac);
    ADD("many-nics", test_many_nics);
    ADD("dns", test_dns);
    ADD("bridge-types", test_bridge_types);
    ADD("commands", test_commands);
    ADD("environment", test_environment);
    ADD("attributes", test_attributes);
    ADD("signals", test_signals);
    ADD("bad-attributes", test_bad_attributes);
    ADD("sizes-of-attributes", test_sizes_of_attributes);
    ADD("secrets", test_secrets);
    ADD("unknown-is-told", test_unknown_is_told);
    ADD("many-notes", test_many_notes);
#undef ADD
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/* What is told to ovs-vsctl, what is made of its answers, and one that does not behave. */
#include "driver/error.h"
#include "driver/ovs.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static VmNic *make_nic(void)
{
    VmNic *nic = vm_nic_new();
    nic->host_name = g_strdup("one-1-0");
    nic->bridge = g_strdup("ovsbr0");
    nic->has_mac = vm_mac_parse("02:00:0a:00:00:02", nic->mac);
    return nic;
}

static void expect_words(gboolean fresh, const char *expected)
{
    g_autoptr(VmNic) nic = make_nic();
    g_auto(GStrv) words = ovs_plug_words("one-1", nic, fresh);
    g_autofree gchar *line = g_strjoinv(" ", words);
    g_assert_cmpstr(line, ==, expected);
}

#define INTERFACE                                                                                  \
    "-- set Interface one-1-0 external_ids:attached-mac=\"02:00:0a:00:00:02\" "                    \
    "external_ids:iface-id=\"one-1-0\" external_ids:vm-id=\"one-1\" "                              \
    "external_ids:iface-status=active"

static void test_plug_words(void)
{
    expect_words(TRUE, "add-port ovsbr0 one-1-0 -- set Port one-1-0 external_ids:vmdock=\"one-1\" "
                       "qos=@none -- --id=@none create QoS type=linux-noop "
                       "external_ids:vmdock=\"one-1\" external_ids:port=\"one-1-0\" " INTERFACE);
    expect_words(FALSE, "--may-exist add-port ovsbr0 one-1-0 -- set Port one-1-0 "
                        "external_ids:vmdock=\"one-1\" " INTERFACE);
}

static void test_plug_vlan(void)
{
    g_autoptr(VmNic) nic = make_nic();
    static const struct {
        VmVlan vlan;
        const char *words;
    } rows[] = {
        {{.tag = 7}, "tag=7 trunks=[] vlan_mode=access external_ids:vmdock-vlan=\"yes\""},
        {{.trunks = (gchar *)"3,42"},
         "tag=[] trunks=3,42 vlan_mode=trunk external_ids:vmdock-vlan=\"yes\""},
        {{.tag = 3, .trunks = (gchar *)"3,42"},
         "tag=3 trunks=3,42 vlan_mode=native-untagged external_ids:vmdock-vlan=\"yes\""},
        {{.tag = 3, .trunks = (gchar *)"3,42", .native_tagged = TRUE},
         "tag=3 trunks=3,42 vlan_mode=native-tagged external_ids:vmdock-vlan=\"yes\""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        vm_vlan_clear(&nic->vlan);
        vm_vlan_copy(&nic->vlan, &rows[i].vlan);
        g_auto(GStrv) words = ovs_plug_words("one-1", nic, FALSE);
        g_autofree gchar *line = g_strjoinv(" ", words);
        g_assert_nonnull(strstr(line, rows[i].words));
    }
}

/* What a network's description may put there stays one value. */
static void test_plug_quotes(void)
{
    g_autoptr(VmNic) nic = make_nic();
    nic->has_mac = FALSE;
    g_free(nic->host_name);
    nic->host_name = g_strdup("a\"b\\c,d=e");
    g_auto(GStrv) words = ovs_plug_words("one-1", nic, FALSE);
    g_assert_true(
        g_strv_contains((const gchar *const *)words, "external_ids:iface-id=\"a\\\"b\\\\c,d=e\""));
    g_assert_false(g_strv_contains((const gchar *const *)words, "external_ids:attached-mac="));
}

static void test_parse(void)
{
    static const char text[] =
        "{\"data\":[[\"one-9-0\",[\"map\",[[\"a\",\"b\"],[\"vmdock\",\"one-9\"]]]],"
        "[\"eth0\",[\"map\",[]]]],\"headings\":[\"name\",\"external_ids\"]}\n"
        "{\"data\":[[[\"uuid\",\"6ea5\"],[\"map\",[[\"port\",\"one-9-0\"],[\"vmdock\",\"one-9\"]]]]"
        ","
        "[[\"uuid\",\"7fb6\"],[\"map\",[[\"port\",\"one-8-1\"],[\"vmdock\",\"one-8\"]]]],"
        "[[\"uuid\",\"8ac7\"],[\"map\",[[\"vmdock\",\"one-8\"]]]]],\"headings\":[]}\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ports = ovs_parse_ports(text, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(ports->len, ==, 2);
    const OvsPort *port = ports->pdata[0], *left = ports->pdata[1];
    g_assert_cmpstr(port->name, ==, "one-9-0");
    g_assert_cmpstr(port->owner, ==, "one-9");
    g_assert_true(port->there);
    g_assert_cmpuint(port->qos->len, ==, 1);
    g_assert_cmpstr(port->qos->pdata[0], ==, "6ea5");
    g_assert_cmpstr(left->name, ==, "one-8-1");
    g_assert_false(left->there);
    g_assert_cmpuint(left->qos->len, ==, 1);
}

static void test_parse_nothing(void)
{
    g_autoptr(GPtrArray) ports = ovs_parse_ports("\n", NULL);
    g_assert_cmpuint(ports->len, ==, 0);
    static const char *const garbage[] = {"x", "[]", "{}", "{\"data\":7}", "{\"data\":[]} x"};
    for (gsize i = 0; i < G_N_ELEMENTS(garbage); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(ovs_parse_ports(garbage[i], &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
    }
}

static void test_complaint(void)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"ovs-vsctl: no bridge named br9\n", "no bridge named br9"},
        {"2026-01-01T00:00:00Z|00001|jsonrpc|WARN|x\novs-vsctl: two.\novs-vsctl: three\n", "two"},
        {"ovs-vsctl: Error detected while setting up 'p'.  See ovs-vswitchd log for details.\n",
         "Error detected while setting up 'p'. See ovs-vswitchd log for details"},
        {"Segmentation fault\n", "Segmentation fault"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *line = ovs_complaint(rows[i][0]);
        g_assert_cmpstr(line, ==, rows[i][1]);
    }
}

/* ---- a program that takes its place ---------------------------------------------------------- */

typedef struct {
    Config config;
    gchar *folder, *program;
} Place;

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->folder = g_dir_make_tmp("ovs-XXXXXX", NULL);
    place->program = g_build_filename(place->folder, "ovs-vsctl", NULL);
    place->config =
        (Config){.ovs_vsctl = place->program, .ovs_socket = place->folder, .ovs_timeout_ms = 2000};
}

static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_unlink(place->program);
    g_rmdir(place->folder);
    g_free(place->program);
    g_free(place->folder);
}

static void behave(const Place *place, const char *script)
{
    g_autofree gchar *text = g_strconcat("#!/bin/sh\n", script, "\n", NULL);
    g_assert_true(g_file_set_contents(place->program, text, -1, NULL));
    g_assert_cmpint(g_chmod(place->program, 0755), ==, 0);
}

static void expect_failure(const Place *place, const char *bridge, gint code, const char *sentence)
{
    g_autoptr(GError) error = NULL;
    gboolean userspace;
    g_assert_false(ovs_bridge_find(&place->config, bridge, &userspace, &error));
    g_assert_error(error, VMDOCK_ERROR, code);
    g_assert_nonnull(strstr(error->message, sentence));
}

static void test_bridge(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *script;
        gboolean userspace;
    } rows[] = {
        {"printf 'br1\\nnetdev\\n'", TRUE},
        {"printf 'br1\\n\"\"\\n'", FALSE},
        {"printf 'br1\\nsystem\\n'", FALSE},
        /* a VLAN's bridge: the one below it is asked */
        {"case $* in *br1*) printf 'br0\\n' ;; *) printf 'br0\\nnetdev\\n' ;; esac", TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        gboolean userspace = !rows[i].userspace;
        behave(place, rows[i].script);
        g_assert_true(ovs_bridge_find(&place->config, "br1", &userspace, &error));
        g_assert_no_error(error);
        g_assert_cmpint(userspace, ==, rows[i].userspace);
    }
}

static void test_bridge_fails(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    expect_failure(place, "br1", VMDOCK_ERROR_UNSUPPORTED, "cannot run");
    behave(place, "echo 'ovs-vsctl: no bridge named br1' >&2; exit 1");
    expect_failure(place, "br1", VMDOCK_ERROR_NO_BRIDGE, "Open vSwitch has no bridge br1");
    behave(place, "exit 1");
    expect_failure(place, "br1", VMDOCK_ERROR_NETWORK, "failed without a word");
    behave(place, "kill -ALRM $$");
    expect_failure(place, "br1", VMDOCK_ERROR_NETWORK, "did not answer within 2000 ms");
    behave(place, "yes");
    expect_failure(place, "br1", VMDOCK_ERROR_IO, "says more than");
    expect_failure(place, "--", VMDOCK_ERROR_NO_BRIDGE, "-- is no name");
    /* bridges that stand on each other */
    behave(place, "case $* in *br1*) echo br2 ;; *) echo br1 ;; esac");
    expect_failure(place, "br1", VMDOCK_ERROR_NETWORK, "cannot be made out");
}

static void test_silence(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->config.ovs_timeout_ms = 200;
    behave(place, "exec sleep 60");
    gint64 before = g_get_monotonic_time();
    expect_failure(place, "br1", VMDOCK_ERROR_NETWORK, "did not answer within 200 ms");
    g_assert_cmpint(g_get_monotonic_time() - before, <, 10 * G_TIME_SPAN_SECOND);
}

/* It says so and ends well; the port is not set up all the same. */
static void test_not_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = make_nic();
    g_autoptr(GError) error = NULL;
    behave(place, "case $* in *add-port*) echo \"ovs-vsctl: Error detected while setting up 'x'.\" "
                  ">&2 ;; *) echo '{\"data\":[]}' ;; esac");
    g_assert_false(ovs_plug(&place->config, "one-1", nic, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
    g_assert_cmpstr(error->message, ==, "Open vSwitch: Error detected while setting up 'x'");
}

static void test_foreign(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = make_nic();
    static const char *const owners[] = {"[]", "[[\\\"vmdock\\\",\\\"one-11\\\"]]"};
    for (gsize i = 0; i < G_N_ELEMENTS(owners); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *script =
            g_strdup_printf("case $* in *add-port*|*del-port*) : >\"$0.touched\" ;; *) echo "
                            "\"{\\\"data\\\":[[\\\"one-1-0\\\",[\\\"map\\\",%s]]]}\" ;; esac",
                            owners[i]);
        behave(place, script);
        g_assert_false(ovs_plug(&place->config, "one-1", nic, &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
        g_assert_nonnull(strstr(error->message, "another port of this name"));
        g_autofree gchar *touched = g_strconcat(place->program, ".touched", NULL);
        g_assert_false(g_file_test(touched, G_FILE_TEST_EXISTS));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ovs/plug-words", test_plug_words);
    g_test_add_func("/ovs/plug-vlan", test_plug_vlan);
    g_test_add_func("/ovs/plug-quotes", test_plug_quotes);
    g_test_add_func("/ovs/parse", test_parse);
    g_test_add_func("/ovs/parse-nothing", test_parse_nothing);
    g_test_add_func("/ovs/complaint", test_complaint);
#define ADD(name, func) g_test_add("/ovs/" name, Place, NULL, set_up, func, tear_down)
    ADD("bridge", test_bridge);
    ADD("bridge-fails", test_bridge_fails);
    ADD("silence", test_silence);
    ADD("not-set-up", test_not_set_up);
    ADD("foreign", test_foreign);
    return g_test_run();
}

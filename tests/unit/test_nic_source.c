// SPDX-License-Identifier: Apache-2.0
/* NICs of one VM in one subnet: rules, tables and ARP, as iproute2 sees them. */
#include "driver/autoptr.h"
#include "driver/nic.h"
#include "driver/nic_source.h"
#include "tests/unit/netns.h"

/* A host with the bridge br0 and one VM without NICs. */
typedef struct {
    Config config;
    NicHost host;
    Sandbox *sandbox;
    GPtrArray *nics;
} Place;

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    netns_run("ip link add br0 type bridge");
    netns_run("ip link set br0 up");
    place->config = netns_config();
    place->host = (NicHost){netlink_open(&error), &place->config};
    place->sandbox = sandbox_ensure(&place->config, "one-1", &error);
    g_assert_no_error(error);
    place->nics = g_ptr_array_new_with_free_func((GDestroyNotify)vm_nic_free);
}

static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_ptr_array_unref(place->nics);
    sandbox_free(place->sandbox);
    g_assert_true(sandbox_remove(&place->config, "one-1", NULL));
    netlink_free(place->host.netlink);
    netns_run("ip link del br0");
}

/* ADDRESSES and GATEWAYS between blanks. */
static VmNic *add_nic(Place *place, guint id, const char *addresses, const char *gateways)
{
    g_autoptr(GError) error = NULL;
    VmNic *nic = vm_nic_new();
    g_ptr_array_add(place->nics, nic);
    nic->id = id;
    nic->host_name = g_strdup_printf("one-1-%u", id);
    nic->guest_name = g_strdup_printf("eth%u", id);
    nic->bridge = g_strdup("br0");
    g_auto(GStrv) texts = g_strsplit(addresses, " ", -1);
    for (guint i = 0; texts[i]; i++) {
        VmAddress address = netns_address(texts[i]);
        g_array_append_val(nic->addresses, address);
    }
    g_auto(GStrv) hops = g_strsplit(gateways, " ", -1);
    for (guint i = 0; hops[i]; i++) {
        VmRoute route = {.gateway = netns_address(hops[i]), .metric = 2000 + id};
        route.destination = netns_address(route.gateway.family == AF_INET ? "0.0.0.0/0" : "::/0");
        g_array_append_val(nic->routes, route);
    }
    gboolean created;
    g_assert_true(nic_ensure(&place->host, place->sandbox, nic, &created, &error));
    g_assert_no_error(error);
    return nic;
}

static void settle(Place *place)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(nic_sources_settle(place->sandbox, place->nics, &error));
    g_assert_no_error(error);
}

static void expect_rules(const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    static const char *const families[] = {"-4", "-6"};
    for (gsize family = 0; family < G_N_ELEMENTS(families); family++) {
        g_autoptr(json_t) rules = netns_ip("%s -n one-1 rule show", families[family]);
        gsize i;
        json_t *rule;
        json_array_foreach (rules, i, rule)
            if (json_number(rule, "priority") == 10042)
                g_string_append_printf(text, "%s>%s ", json_text(rule, "src"),
                                       json_text(rule, "table"));
    }
    g_assert_cmpstr(g_strchomp(text->str), ==, expected);
}

static void expect_way(const char *from, const char *to, const char *device)
{
    g_autoptr(json_t) route = netns_ip("-n one-1 route get %s from %s", to, from);
    g_assert_cmpstr(json_text(json_array_get(route, 0), "dev"), ==, device);
}

static void expect_arp_ignore(const char *link, const char *value)
{
    g_autofree gchar *text =
        netns_output("ip netns exec one-1 cat /proc/sys/net/ipv4/conf/%s/arp_ignore", link);
    g_assert_cmpstr(g_strchomp(text), ==, value);
}

static void test_apart(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place, 0, "10.0.0.2/24 fd00::2/64", "10.0.0.1 fd00::1");
    add_nic(place, 1, "10.0.1.2/24 fd01::2/64", "10.0.1.1 fd01::1");
    settle(place);
    expect_rules("");
    expect_arp_ignore("eth0", "0");
    expect_arp_ignore("eth1", "0");
}

static void test_shared(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place, 0, "10.0.0.2/24 fd00::2/64", "10.0.0.1 fd00::1");
    add_nic(place, 1, "10.0.0.3/24 10.0.0.4/24 10.9.9.9/30 fd00::3/64", "10.0.0.1 fd00::1");
    settle(place);
    settle(place);
    expect_rules("10.0.0.3>1001 10.0.0.4>1001 10.9.9.9>1001 fd00::3>1001");
    expect_way("10.0.0.3", "10.0.0.1", "eth1");
    expect_way("10.0.0.4", "192.0.2.1", "eth1");
    expect_way("fd00::3", "fd00::1", "eth1");
    expect_way("fd00::3", "2001:db8::1", "eth1");
    expect_way("10.0.0.2", "10.0.0.1", "eth0");
    expect_way("fd00::2", "2001:db8::1", "eth0");
    expect_arp_ignore("eth0", "1");
    expect_arp_ignore("eth1", "1");
}

/* Other addresses, and the guest's own rules; a subnet within another one. */
static void test_change(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place, 0, "10.0.0.2/16", "10.0.0.1");
    VmNic *nic = add_nic(place, 7, "10.0.1.3/24", "10.0.1.1");
    netns_run("ip -n one-1 rule add from 10.0.1.3 priority 77 table 88");
    settle(place);
    expect_rules("10.0.1.3>1007");
    g_array_index(nic->addresses, VmAddress, 0) = netns_address("10.0.1.5/24");
    gboolean created;
    g_assert_true(nic_ensure(&place->host, place->sandbox, nic, &created, NULL));
    settle(place);
    expect_rules("10.0.1.5>1007");
    expect_way("10.0.1.5", "10.0.1.1", "eth7");
    g_ptr_array_remove_index(place->nics, 0);
    settle(place);
    expect_rules("");
    g_autofree gchar *own = netns_output("ip -n one-1 rule show priority 77");
    g_assert_cmpstr(g_strchomp(own), !=, "");
}

static void test_ip6_off(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place, 0, "fd00::2/64 10.0.0.2/24", "");
    VmNic *nic = add_nic(place, 1, "10.0.0.3/24 fd00::3/64", "");
    nic->ip6_mode = VM_IP6_OFF;
    gboolean created;
    g_assert_true(nic_ensure(&place->host, place->sandbox, nic, &created, NULL));
    settle(place);
    expect_rules("10.0.0.3>1001");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
#define ADD(name) g_test_add("/nic_source/" #name, Place, NULL, set_up, test_##name, tear_down)
    ADD(apart);
    ADD(shared);
    ADD(change);
    ADD(ip6_off);
#undef ADD
    return g_test_run();
}

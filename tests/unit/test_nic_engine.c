// SPDX-License-Identifier: Apache-2.0
/*
 * What is done in a sandbox for NICs that the engine plugs in. `ip` plays the engine: as libnetwork
 * does, it counts the names of its links from eth0 on, and fails where one is taken.
 */
#include "driver/autoptr.h"
#include "driver/engine_docker_parse.h"
#include "driver/error.h"
#include "driver/network.h"
#include "driver/nic_engine.h"
#include "tests/unit/netns.h"

#include <string.h>

#define MAC_BRIDGE "02:00:0a:00:00:02"
#define MAC_FIRST  "02:00:0a:05:00:07"
#define MAC_SECOND "02:00:0a:06:00:07"

/* A host with the bridge br0 (10.0.0.1), and one VM that is to have a NIC there, NIC 0. */
typedef struct {
    Config config;
    Host host;
    VmSpec *spec;
    Sandbox *sandbox;
} Place;

static VmNic *add_nic(VmSpec *spec, const char *mac, const char *network, const char *address)
{
    VmNic *nic = vm_nic_new();
    nic->id = spec->nics->len;
    nic->host_name = g_strdup_printf("one-1-%u", nic->id);
    nic->guest_name = g_strdup_printf("eth%u", nic->id);
    nic->engine_network = g_strdup(network);
    nic->bridge = network ? NULL : g_strdup("br0");
    nic->has_mac = vm_mac_parse(mac, nic->mac);
    if (address) {
        VmAddress parsed = netns_address(address);
        g_array_append_val(nic->addresses, parsed);
    }
    g_ptr_array_add(spec->nics, nic);
    return nic;
}

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    netns_run("ip link add br0 type bridge");
    netns_run("ip link set br0 up");
    netns_run("ip addr add 10.0.0.1/24 dev br0");
    place->config = netns_config();
    place->host = (Host){.config = &place->config};
    place->spec = vm_spec_new();
    place->spec->deploy_id = g_strdup("one-1");
    VmNic *nic = add_nic(place->spec, MAC_BRIDGE, NULL, "10.0.0.2/24");
    VmRoute route = {.destination = {.family = AF_INET}, .gateway = netns_address("10.0.0.1/32")};
    g_array_append_val(nic->routes, route);
    VmAddress ip6 = netns_address("fd00::2/64");
    g_array_append_val(nic->addresses, ip6);
}

static void up(Place *place)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Undo) undo = undo_new();
    vm_nics_part_routes(place->spec->nics);
    place->sandbox = network_up(&place->host, place->spec, undo, &error);
    g_assert_no_error(error);
    undo_commit(undo);
}

static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_clear_pointer(&place->sandbox, sandbox_free);
    g_assert_true(network_down(&place->host, "one-1", NULL));
    netns_try("ip link del far0");
    netns_try("ip link del far1");
    netns_try("ip link del far2");
    netns_run("ip link del br0");
    vm_spec_free(place->spec);
    netlink_free(place->host.netlink);
}

/* As libnetwork plugs in its endpoint NUMBER: the name it counts, the address, and a default route.
 */
static void plug_in(guint number, const char *mac, const char *address, const char *gateway)
{
    netns_run("ip link add far%u type veth peer name veth%u address %s", number, number, mac);
    netns_run("ip link set far%u up", number);
    netns_run("ip link set veth%u netns one-1", number);
    netns_run("ip -n one-1 link set veth%u name eth%u", number, number);
    netns_run("ip -n one-1 addr add %s dev eth%u", address, number);
    netns_run("ip -n one-1 link set eth%u up", number);
    if (gateway)
        netns_run("ip -n one-1 route add default via %s", gateway);
}

static void park(Place *place)
{
    g_autoptr(GError) error = NULL;
    nic_engine_park(&place->host, place->sandbox, place->spec, &error);
    g_assert_no_error(error);
    /* Its hook does that. */
    netns_run("ip netns exec one-1 sysctl -q -w net.ipv6.conf.all.disable_ipv6=1");
}

/* As vmdock-plug does it. */
static void place_all(Place *place)
{
    g_autoptr(GError) error = NULL;
    nic_engine_place(&place->host, place->sandbox, place->spec, &error);
    g_assert_no_error(error);
    network_restore(&place->host, place->spec, &error);
    g_assert_no_error(error);
}

/* By its flag: what it carries the kernel notes in its own time. */
static gboolean is_up(const json_t *link)
{
    gsize i;
    const json_t *flag;
    json_array_foreach (json_object_get(link, "flags"), i, flag)
        if (strcmp(json_string_value(flag), "UP") == 0)
            return TRUE;
    return FALSE;
}

static void assert_link(const char *name, const char *mac, const char *addresses, gboolean engine)
{
    g_autoptr(json_t) link = netns_link("one-1", name);
    g_assert_nonnull(link);
    g_assert_cmpstr(json_text(link, "address"), ==, mac);
    g_assert_cmpstr(json_text(link, "ifalias"), ==, engine ? NIC_ENGINE_ALIAS : NULL);
    g_assert_true(is_up(link));
    g_autofree gchar *there = netns_addresses("one-1", name);
    g_assert_cmpstr(there, ==, addresses);
}

static guint links_in_sandbox(void)
{
    g_autoptr(json_t) links = netns_ip("-n one-1 link show");
    return (guint)json_array_size(links);
}

/* The engine counts from eth0 on, the VM's NICs are in the cloud's order. */
static void test_order(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place->spec, MAC_FIRST, "zeta", NULL);
    add_nic(place->spec, MAC_SECOND, "alpha", NULL);
    up(place);
    assert_link("eth0", MAC_BRIDGE, "10.0.0.2/24 fd00::2/64", FALSE);
    park(place);
    g_assert_cmpuint(links_in_sandbox(), ==, 2);
    plug_in(0, MAC_SECOND, "10.6.0.7/24", "10.6.0.1");
    plug_in(1, MAC_FIRST, "10.5.0.7/24", NULL);
    place_all(place);
    assert_link("eth0", MAC_BRIDGE, "10.0.0.2/24 fd00::2/64", FALSE);
    assert_link("eth1", MAC_FIRST, "10.5.0.7/24", TRUE);
    assert_link("eth2", MAC_SECOND, "10.6.0.7/24", TRUE);
    g_autofree gchar *own = netns_routes("one-1", "eth0");
    g_autofree gchar *engine = netns_routes("one-1", "eth2");
    g_assert_cmpstr(own, ==, "default via 10.0.0.1 metric 1");
    g_assert_cmpstr(engine, ==, "");
    netns_run("ping -c 1 -W 2 -q 10.0.0.2");
    /* Once more changes nothing, and neither does the cloud's next word. */
    place_all(place);
    assert_link("eth1", MAC_FIRST, "10.5.0.7/24", TRUE);
    assert_link("eth2", MAC_SECOND, "10.6.0.7/24", TRUE);
}

/* Where the cloud gives no default route the engine's is the VM's; and what nobody asked for has a
 * name that no NIC has. */
static void test_engine_alone(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_ptr_array_set_size(place->spec->nics, 0);
    VmNic *nic = add_nic(place->spec, MAC_FIRST, "multi", NULL);
    VmRoute route = {.destination = netns_address("10.9.0.0/16"),
                     .gateway = netns_address("10.5.0.9/32")};
    g_array_append_val(nic->routes, route);
    nic->mtu = 1400;
    up(place);
    park(place);
    plug_in(0, MAC_FIRST, "10.5.0.7/24", NULL);
    plug_in(1, "02:42:ac:12:00:03", "172.18.0.3/16", "172.18.0.1");
    place_all(place);
    assert_link("eth0", MAC_FIRST, "10.5.0.7/24", TRUE);
    assert_link("gwbridge", "02:42:ac:12:00:03", "172.18.0.3/16", TRUE);
    g_autofree gchar *routes = netns_routes("one-1", "eth0");
    g_autofree gchar *out = netns_routes("one-1", "gwbridge");
    g_assert_cmpstr(routes, ==, "10.9.0.0/16 via 10.5.0.9");
    g_assert_cmpstr(out, ==, "default via 172.18.0.1");
    g_autoptr(json_t) link = netns_link("one-1", "eth0");
    g_assert_cmpint(json_number(link, "mtu"), ==, 1400);
}

/* A MAC that the engine chose itself: then the address tells, or what is left. */
static void test_other_macs(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place->spec, MAC_FIRST, "zeta", "10.5.0.7/24");
    add_nic(place->spec, MAC_SECOND, "alpha", NULL);
    up(place);
    park(place);
    plug_in(0, "02:42:0a:05:00:07", "10.5.0.7/24", NULL);
    plug_in(1, "02:42:0a:06:00:07", "10.6.0.7/24", NULL);
    place_all(place);
    assert_link("eth1", "02:42:0a:05:00:07", "10.5.0.7/24", TRUE);
    assert_link("eth2", "02:42:0a:06:00:07", "10.6.0.7/24", TRUE);
}

/* Parked, whatever the engine looks for by its name is its own or gone; and all comes back. */
static void test_park(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    add_nic(place->spec, MAC_FIRST, "multi", NULL);
    up(place);
    g_autoptr(json_t) before = netns_link(NULL, "one-1-0");
    park(place);
    plug_in(0, MAC_FIRST, "10.5.0.7/24", NULL);
    place_all(place);
    park(place);
    g_assert_null(netns_link("one-1", "eth0"));
    g_assert_null(netns_link("one-1", "eth1"));
    g_assert_null(netns_link(NULL, "far0"));
    g_autoptr(json_t) parked = netns_link("one-1", "vmdock0");
    g_assert_false(is_up(parked));
    g_autoptr(GError) error = NULL;
    network_restore(&place->host, place->spec, &error);
    g_assert_no_error(error);
    assert_link("eth0", MAC_BRIDGE, "10.0.0.2/24 fd00::2/64", FALSE);
    g_autoptr(json_t) after = netns_link(NULL, "one-1-0");
    g_assert_cmpint(json_number(after, "ifindex"), ==, json_number(before, "ifindex"));
}

/* While the VM runs: the engine may take any name, and takes none of ours away. */
static void test_open(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    add_nic(place->spec, MAC_FIRST, "multi", "10.5.0.7/24");
    up(place);
    park(place);
    plug_in(0, MAC_FIRST, "10.5.0.7/24", NULL);
    place_all(place);
    g_assert_true(nic_engine_open(place->sandbox, &error));
    g_assert_null(netns_link("one-1", "eth0"));
    g_assert_null(netns_link("one-1", "eth1"));
    netns_run("ping -c 1 -W 2 -q 10.0.0.2");
    add_nic(place->spec, MAC_SECOND, "more", NULL);
    plug_in(1, MAC_SECOND, "10.6.0.7/24", NULL);
    place_all(place);
    assert_link("eth0", MAC_BRIDGE, "10.0.0.2/24 fd00::2/64", FALSE);
    assert_link("eth1", MAC_FIRST, "10.5.0.7/24", TRUE);
    assert_link("eth2", MAC_SECOND, "10.6.0.7/24", TRUE);
    /* An action that is killed in between leaves it to the next one. */
    g_autoptr(json_t) before = netns_link(NULL, "one-1-0");
    g_assert_true(nic_engine_open(place->sandbox, &error));
    g_assert_true(network_restore(&place->host, place->spec, &error));
    assert_link("eth0", MAC_BRIDGE, "10.0.0.2/24 fd00::2/64", FALSE);
    assert_link("eth1", MAC_FIRST, "10.5.0.7/24", TRUE);
    g_autoptr(json_t) after = netns_link(NULL, "one-1-0");
    g_assert_cmpint(json_number(after, "ifindex"), ==, json_number(before, "ifindex"));
    /* A link that the engine did not find by its name goes by its address, and no other one. */
    g_assert_true(nic_engine_open(place->sandbox, &error));
    const EngineEndpoint endpoint = {.given = {netns_address("10.5.0.7/24")}};
    const EngineEndpoint own = {.given = {netns_address("10.0.0.2/24")}};
    g_assert_true(nic_engine_unplug(place->sandbox, &endpoint, &error));
    g_assert_true(nic_engine_unplug(place->sandbox, &own, &error));
    g_ptr_array_remove_index(place->spec->nics, 1);
    place_all(place);
    g_assert_null(netns_link("one-1", "eth1"));
    assert_link("eth0", MAC_BRIDGE, "10.0.0.2/24 fd00::2/64", FALSE);
    assert_link("eth2", MAC_SECOND, "10.6.0.7/24", TRUE);
    g_assert_cmpuint(links_in_sandbox(), ==, 3);
}

/* What the engine says no to, in words of the VM. */
static void test_explain(void)
{
    static const struct {
        const char *said, *meant;
        VmdockError code;
    } rows[] = {
        /* Of other things: the engine's own words stay. */
        {"exec: \"x\": executable file not found in $PATH", "cannot start the container: exec*",
         VMDOCK_ERROR_ENGINE_REFUSED},
        {"the name \"/one-1\" is already in use by container", "cannot start the container: *",
         VMDOCK_ERROR_ENGINE_REFUSED},
        {"network multi not found", "NIC 1: the engine has no network multi;*",
         VMDOCK_ERROR_NO_BRIDGE},
        {"Could not attach to network multi: rpc error: code = PermissionDenied desc = network "
         "multi not manually attachable",
         "NIC 1: the engine's network multi is a swarm's that takes no containers;*",
         VMDOCK_ERROR_NO_BRIDGE},
        {"Address already in use", "NIC 1: somebody else has its address on the engine's network *",
         VMDOCK_ERROR_DUPLICATE},
        {"Invalid address 10.9.9.9: It does not belong to any of this network's subnets",
         "NIC 1: its address is outside the subnets of the engine's network multi",
         VMDOCK_ERROR_SPEC},
        {"port is busy", "cannot start the container: port is busy", VMDOCK_ERROR_ENGINE_REFUSED},
    };
    g_autoptr(VmSpec) spec = vm_spec_new();
    add_nic(spec, MAC_BRIDGE, NULL, "10.0.0.2/24");
    add_nic(spec, MAC_FIRST, "multi", "10.9.9.9/32");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_set_error(&error, VMDOCK_ERROR, (gint)docker_error_code(404, rows[i].said),
                    "cannot start the container: %s", rows[i].said);
        nic_engine_explain(spec, &error);
        g_assert_error(error, VMDOCK_ERROR, (gint)rows[i].code);
        g_assert_true(g_pattern_match_simple(rows[i].meant, error->message));
        g_clear_error(&error);
    }
}

/* A name is not taken for a part of another one's. */
static void test_explain_which(void)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    add_nic(spec, MAC_BRIDGE, "net", NULL);
    add_nic(spec, MAC_FIRST, "net.b", NULL);
    GError *error = NULL;
    g_set_error_literal(&error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE, "network net.b not found");
    nic_engine_explain(spec, &error);
    g_assert_true(g_str_has_prefix(error->message, "NIC 1: the engine has no network net.b;"));
    g_clear_error(&error);
    g_set_error_literal(&error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE, "network net not found");
    nic_engine_explain(spec, &error);
    g_assert_true(g_str_has_prefix(error->message, "NIC 0: the engine has no network net;"));
    g_clear_error(&error);
}

/* What the engine has given stays the VM's; what is asked for is not overruled. */
static void test_addresses(void)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    spec->deploy_id = g_strdup("one-1");
    spec->cloud = g_strdup("opennebula");
    spec->cloud_id = g_strdup("1");
    spec->name = g_strdup("vm");
    spec->hostname = g_strdup("vm");
    VmNic *nic = add_nic(spec, MAC_BRIDGE, "multi", "10.5.0.7/32");
    const VmAddress same = netns_address("10.5.0.7/24"), other = netns_address("10.5.0.8/24");
    const VmAddress ip6 = netns_address("fd05::7/64"), later = netns_address("fd05::8/64");
    vm_nic_learn_address(nic, &other);
    vm_nic_learn_address(nic, &same);
    g_assert_cmpuint(nic->addresses->len, ==, 1);
    g_assert_cmpuint(g_array_index(nic->addresses, VmAddress, 0).prefix, ==, 24);
    g_assert_true(vm_address_same(&g_array_index(nic->addresses, VmAddress, 0), &same));
    g_assert_null(nic->learned);
    vm_nic_learn_address(nic, &ip6);
    g_assert_true(vm_nic_learned_address(nic, AF_INET6));
    g_assert_false(vm_nic_learned_address(nic, AF_INET));
    g_autoptr(VmSpec) again = vm_spec_new();
    VmNic *next = add_nic(again, MAC_BRIDGE, "multi", NULL);
    vm_nics_keep_addresses(again->nics, spec->nics);
    g_assert_cmpuint(next->addresses->len, ==, 1);
    vm_nic_learn_address(next, &later);
    g_assert_true(vm_address_same(&g_array_index(next->addresses, VmAddress, 0), &later));
    /* What gives way is what nobody asked for. */
    g_autoptr(VmSpec) modest = nic_engine_without_learned(spec);
    g_assert_nonnull(modest);
    const VmNic *rest = vm_nics_find(modest->nics, 0);
    g_assert_cmpuint(rest->addresses->len, ==, 1);
    g_assert_true(vm_address_same(&g_array_index(rest->addresses, VmAddress, 0), &same));
    g_assert_null(nic_engine_without_learned(modest));
    g_autoptr(VmSpec) elsewhere = vm_spec_new();
    VmNic *moved = add_nic(elsewhere, MAC_BRIDGE, "another", NULL);
    vm_nics_keep_addresses(elsewhere->nics, spec->nics);
    g_assert_cmpuint(moved->addresses->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nic-engine/explain", test_explain);
    g_test_add_func("/nic-engine/explain/which", test_explain_which);
    g_test_add_func("/nic-engine/addresses", test_addresses);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
#define ADD(name, test) g_test_add("/nic-engine/" name, Place, NULL, set_up, test, tear_down)
    ADD("order", test_order);
    ADD("engine-alone", test_engine_alone);
    ADD("other-macs", test_other_macs);
    ADD("park", test_park);
    ADD("open", test_open);
    return g_test_run();
}

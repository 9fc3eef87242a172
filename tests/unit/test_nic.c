// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/log.h"
#include "driver/nic.h"
#include "tests/unit/netns.h"

#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* A host with the bridge br0 (10.0.0.1, fd00::1) and one VM. */
typedef struct {
    Config config;
    NicHost host;
    Sandbox *sandbox;
} Place;

static Sandbox *ensure_sandbox(const Config *config, const char *deploy_id)
{
    g_autoptr(GError) error = NULL;
    Sandbox *sandbox = sandbox_ensure(config, deploy_id, &error);
    g_assert_no_error(error);
    return sandbox;
}

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    netns_run("ip link add br0 type bridge");
    netns_run("ip link set br0 up");
    netns_run("ip addr add 10.0.0.1/24 dev br0");
    netns_run("ip addr add fd00::1/64 dev br0 nodad");
    place->config = netns_config();
    place->host = (NicHost){netlink_open(NULL), &place->config};
    place->sandbox = ensure_sandbox(&place->config, "one-1");
}

static guint count_links(void)
{
    g_autoptr(json_t) links = netns_ip("link show");
    return (guint)json_array_size(links);
}

/* Whatever a test did, nothing but lo is left when its sandbox and bridge are gone. */
static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_clear_pointer(&place->sandbox, sandbox_free);
    g_assert_true(sandbox_remove(&place->config, "one-1", NULL));
    g_assert_true(sandbox_remove(&place->config, "one-2", NULL));
    netns_run("ip link del br0");
    for (guint i = 0; i < 500 && count_links() > 1; i++)
        g_usleep(10 * G_TIME_SPAN_MILLISECOND); /* the kernel ends a namespace in its own time */
    g_assert_cmpuint(count_links(), ==, 1);
    netlink_free(place->host.netlink);
}

static VmNic *make_nic(guint id, const char *host_name, const char *mac)
{
    VmNic *nic = vm_nic_new();
    nic->id = id;
    nic->host_name = g_strdup(host_name);
    nic->guest_name = g_strdup_printf("eth%u", id);
    nic->bridge = g_strdup("br0");
    nic->has_mac = mac && vm_mac_parse(mac, nic->mac);
    return nic;
}

static void add_address(VmNic *nic, const char *text)
{
    VmAddress address = netns_address(text);
    g_array_append_val(nic->addresses, address);
}

static void add_route(VmNic *nic, const char *destination, const char *gateway, guint metric)
{
    VmRoute route = {.destination = netns_address(destination), .metric = metric};
    if (gateway)
        route.gateway = netns_address(gateway);
    g_array_append_val(nic->routes, route);
}

/* eth0 of one-1: two stacks, each with its default route. */
static VmNic *dual_nic(void)
{
    VmNic *nic = make_nic(0, "one-1-0", "02:00:0a:00:00:02");
    add_address(nic, "10.0.0.2/24");
    add_address(nic, "fd00::2/64");
    add_route(nic, "0.0.0.0/0", "10.0.0.1", 0);
    add_route(nic, "::/0", "fd00::1", 0);
    return nic;
}

static gboolean ensure(Place *place, Sandbox *sandbox, const VmNic *nic)
{
    g_autoptr(GError) error = NULL;
    gboolean created = FALSE;
    g_assert_true(nic_ensure(&place->host, sandbox, nic, &created, &error));
    g_assert_no_error(error);
    return created;
}

static void expect_refused(Place *place, const VmNic *nic, VmdockError code, const char *sentence)
{
    g_autoptr(GError) error = NULL;
    gboolean created = TRUE;
    g_assert_false(nic_ensure(&place->host, place->sandbox, nic, &created, &error));
    g_assert_error(error, VMDOCK_ERROR, (gint)code);
    g_assert_cmpstr(error->message, ==, sentence);
    g_assert_false(created);
}

static void expect_link(const char *netns, const char *name, const char *key, const char *value)
{
    g_autoptr(json_t) link = netns_link(netns, name);
    g_assert_nonnull(link);
    g_assert_cmpstr(json_text(link, key), ==, value);
}

static void expect_mtu(const char *netns, const char *name, gint64 mtu)
{
    g_autoptr(json_t) link = netns_link(netns, name);
    g_assert_cmpint(json_number(link, "mtu"), ==, mtu);
}

static void expect_dual(void)
{
    g_autofree gchar *addresses = netns_addresses("one-1", "eth0");
    g_autofree gchar *routes = netns_routes("one-1", "eth0");
    g_assert_cmpstr(addresses, ==, "10.0.0.2/24 fd00::2/64");
    g_assert_cmpstr(routes, ==, "default via 10.0.0.1; default via fd00::1 metric 1024");
}

static void expect_sysctl(const char *netns, const char *name, const char *value)
{
    g_autofree gchar *text = netns ? netns_output("ip netns exec %s cat /proc/sys/%s", netns, name)
                                   : netns_output("cat /proc/sys/%s", name);
    g_assert_cmpstr(g_strchomp(text), ==, value);
}

static void test_new(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    g_assert_true(ensure(place, place->sandbox, nic));
    expect_dual();
    expect_link(NULL, "one-1-0", "master", "br0");
    expect_link(NULL, "one-1-0", "ifalias", "vmdock:one-1");
    expect_link(NULL, "one-1-0", "address", "fe:00:0a:00:00:02");
    expect_link(NULL, "one-1-0", "operstate", "UP");
    expect_link("one-1", "eth0", "operstate", "UP");
    expect_link("one-1", "eth0", "address", "02:00:0a:00:00:02");
    expect_mtu("one-1", "eth0", 1500);
    expect_sysctl("one-1", "net/ipv6/conf/eth0/accept_ra", "0");
    expect_sysctl("one-1", "net/ipv6/conf/eth0/autoconf", "0");
    expect_sysctl(NULL, "net/ipv6/conf/one-1-0/disable_ipv6", "1");
    g_autofree gchar *host_addresses = netns_output("ip addr show dev one-1-0");
    g_assert_null(strstr(host_addresses, "inet"));
    g_autofree gchar *guest = netns_output("ip -n one-1 -6 addr show dev eth0");
    g_assert_nonnull(strstr(guest, "scope link"));
    g_assert_null(strstr(guest, "tentative"));
    netns_run("ip netns exec one-1 ping -c 1 -W 2 10.0.0.1");
    netns_run("ip netns exec one-1 ping -c 1 -W 2 fd00::1");
}

static void test_ping(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(Sandbox) other = ensure_sandbox(&place->config, "one-2");
    g_autoptr(VmNic) mine = dual_nic();
    g_autoptr(VmNic) theirs = make_nic(0, "one-2-0", "02:00:0a:00:00:03");
    add_address(theirs, "10.0.0.3/24");
    add_address(theirs, "fd00::3/64");
    ensure(place, place->sandbox, mine);
    ensure(place, other, theirs);
    netns_run("ip netns exec one-1 ping -c 1 -W 2 10.0.0.3");
    netns_run("ip netns exec one-2 ping -c 1 -W 2 10.0.0.2");
    netns_run("ip netns exec one-1 ping -c 1 -W 2 fd00::3");
    netns_run("ip netns exec one-2 ping -c 1 -W 2 fd00::2");
    g_assert_true(nic_remove(&place->host, "one-2", theirs, NULL));
    g_assert_false(netns_try("ip netns exec one-1 ping -c 1 -W 1 10.0.0.3"));
}

static void keep_changes(G_GNUC_UNUSED LogLevel level, const char *line, gpointer data)
{
    if (!g_regex_match_simple("^netlink (look for|list) ", line, 0, 0))
        g_ptr_array_add(data, g_strdup(line));
}

/* What is right is only read. */
static void test_again(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    add_address(nic, "10.0.0.77/24");
    add_address(nic, "10.1.0.1/16");
    add_address(nic, "10.0.0.78/24");
    add_route(nic, "172.16.0.0/12", NULL, 0);
    ensure(place, place->sandbox, nic);
    g_autoptr(GPtrArray) changes = g_ptr_array_new_with_free_func(g_free);
    log_set_sink(keep_changes, LOG_TRACE, changes);
    gboolean created = ensure(place, place->sandbox, nic);
    log_set_sink(NULL, LOG_WARN, NULL);
    g_assert_false(created);
    g_assert_cmpuint(changes->len, ==, 0);
}

static void test_change(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    netns_run("ip link add br1 mtu 1450 type bridge");
    netns_run("ip link set br1 up");
    g_autoptr(VmNic) old = dual_nic();
    ensure(place, place->sandbox, old);
    g_autoptr(json_t) before = netns_link(NULL, "one-1-0");
    g_autoptr(VmNic) new = make_nic(0, "one-1-0", "02:00:0a:00:00:09");
    g_free(new->bridge);
    new->bridge = g_strdup("br1");
    new->mtu = 1400;
    add_address(new, "10.5.0.9/16");
    add_address(new, "fd05::9/64");
    add_address(new, "10.0.0.2/24");
    add_route(new, "10.6.0.0/16", "10.5.0.1", 3);
    add_route(new, "::/0", "fd05::1", 0);
    g_assert_false(ensure(place, place->sandbox, new));
    g_autoptr(json_t) after = netns_link(NULL, "one-1-0");
    g_assert_cmpint(json_number(before, "ifindex"), ==, json_number(after, "ifindex"));
    g_autofree gchar *addresses = netns_addresses("one-1", "eth0");
    g_autofree gchar *routes = netns_routes("one-1", "eth0");
    g_assert_cmpstr(addresses, ==, "10.0.0.2/24 10.5.0.9/16 fd05::9/64");
    g_assert_cmpstr(routes, ==,
                    "10.6.0.0/16 via 10.5.0.1 metric 3; default via fd05::1 metric 1024");
    expect_link(NULL, "one-1-0", "master", "br1");
    expect_link("one-1", "eth0", "address", "02:00:0a:00:00:09");
    expect_mtu("one-1", "eth0", 1400);
    g_autofree gchar *guest = netns_output("ip -n one-1 -6 addr show dev eth0 scope link");
    g_assert_nonnull(strstr(guest, "fe80::aff:fe00:9/64"));
    g_assert_null(strstr(guest, "tentative"));

    g_assert_false(ensure(place, place->sandbox, old));
    expect_dual();
    expect_link(NULL, "one-1-0", "master", "br0");
    expect_link("one-1", "eth0", "address", "02:00:0a:00:00:02");
    netns_run("ip link del br1");
}

/* What somebody did to the pair meanwhile is put right. */
static void test_mend(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    ensure(place, place->sandbox, nic);
    netns_run("ip link set one-1-0 nomaster down alias \"\"");
    netns_run("ip -n one-1 link set eth0 down");
    netns_run("ip -n one-1 addr add 192.0.2.1/24 dev eth0");
    g_assert_false(ensure(place, place->sandbox, nic));
    expect_dual();
    expect_link(NULL, "one-1-0", "master", "br0");
    expect_link(NULL, "one-1-0", "ifalias", "vmdock:one-1");
    netns_run("ip netns exec one-1 ping -c 1 -W 2 10.0.0.1");
}

/* The NIC's own address stays the one that the guest speaks from. */
static void test_first_address(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) one = make_nic(0, "one-1-0", NULL);
    add_address(one, "10.0.0.2/24");
    add_address(one, "10.0.0.3/24");
    add_route(one, "0.0.0.0/0", "10.0.0.1", 0);
    g_autoptr(VmNic) two = make_nic(0, "one-1-0", NULL);
    add_address(two, "10.0.0.3/24");
    add_address(two, "10.0.0.2/24");
    add_route(two, "0.0.0.0/0", "10.0.0.1", 0);
    const VmNic *nics[] = {one, two, one};
    static const char *const sources[] = {"10.0.0.2", "10.0.0.3", "10.0.0.2"};
    for (gsize i = 0; i < G_N_ELEMENTS(nics); i++) {
        ensure(place, place->sandbox, nics[i]);
        g_autoptr(json_t) route = netns_ip("-n one-1 route get 10.0.0.1");
        g_assert_cmpstr(json_text(json_array_get(route, 0), "prefsrc"), ==, sources[i]);
        g_autofree gchar *addresses = netns_addresses("one-1", "eth0");
        g_autofree gchar *routes = netns_routes("one-1", "eth0");
        g_assert_cmpstr(addresses, ==, "10.0.0.2/24 10.0.0.3/24");
        g_assert_cmpstr(routes, ==, "default via 10.0.0.1");
    }
}

static void test_bridge(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    g_free(nic->bridge);
    nic->bridge = g_strdup("br9");
    expect_refused(place, nic, VMDOCK_ERROR_NO_BRIDGE,
                   "NIC 0 (one-1-0): bridge br9 is not there; make it on this host or mend the "
                   "network's BRIDGE in the cloud");
    netns_run("ip link add br9 type veth peer name br10");
    expect_refused(place, nic, VMDOCK_ERROR_NO_BRIDGE,
                   "NIC 0 (one-1-0): br9 is not a bridge but a link of kind \"veth\"");
    netns_run("ip link del br9");
    nic->bridge_type = g_strdup("openvswitch_dpdk");
    expect_refused(place, nic, VMDOCK_ERROR_UNSUPPORTED,
                   "NIC 0 (one-1-0): bridge br9 is of type \"openvswitch_dpdk\"; this version of "
                   "vmdock plugs NICs into bridges of the types \"linux\" and \"openvswitch\" "
                   "only");
    g_assert_null(netns_link(NULL, "one-1-0"));
    g_assert_null(netns_link("one-1", "eth0"));
}

static void test_foreign(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    netns_run("ip link add one-1-0 type bridge");
    expect_refused(place, nic, VMDOCK_ERROR_NETWORK,
                   "NIC 0 (one-1-0): the host has another link of this name (kind \"bridge\", "
                   "alias \"\"), and it is not this VM's to replace");
    g_assert_true(nic_remove(&place->host, "one-1", nic, NULL));
    expect_link(NULL, "one-1-0", "ifname", "one-1-0");
    netns_run("ip link del one-1-0");

    netns_run("ip link add one-1-0 type veth peer name x");
    netns_run("ip link set one-1-0 alias vmdock:one-11");
    expect_refused(place, nic, VMDOCK_ERROR_NETWORK,
                   "NIC 0 (one-1-0): the host has another link of this name (kind \"veth\", alias "
                   "\"vmdock:one-11\"), and it is not this VM's to replace");
    g_assert_true(nic_remove(&place->host, "one-1", nic, NULL));
    expect_link(NULL, "one-1-0", "ifname", "one-1-0");
    netns_run("ip link del one-1-0");
}

/* Ends of other pairs under the names of this one. */
static void test_leftover(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    netns_run("ip link add one-1-0 type veth peer name x");
    netns_run("ip link set one-1-0 alias vmdock:one-1");
    netns_run("ip -n one-1 link add eth0 type veth peer name y");
    g_assert_true(ensure(place, place->sandbox, nic));
    expect_dual();
    netns_run("ip netns exec one-1 ping -c 1 -W 2 10.0.0.1");
    g_assert_null(netns_link(NULL, "x"));
    g_assert_null(netns_link("one-1", "y"));
}

static void test_long_name(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = make_nic(0, "one-1234567-890", "02:00:0a:00:00:02");
    g_free(nic->guest_name);
    nic->guest_name = g_strdup("eth0.123456789a");
    add_address(nic, "10.0.0.2/24");
    ensure(place, place->sandbox, nic);
    g_assert_false(ensure(place, place->sandbox, nic));
    expect_link("one-1", "eth0.123456789a", "operstate", "UP");
    expect_sysctl("one-1", "net/ipv6/conf/eth0.123456789a/accept_ra", "0");
    netns_run("ip netns exec one-1 ping -c 1 -W 2 10.0.0.1");
    g_assert_true(nic_remove(&place->host, "one-1", nic, NULL));
    g_assert_null(netns_link(NULL, "one-1234567-890"));
}

static void test_remove(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    ensure(place, place->sandbox, nic);
    g_autoptr(GError) error = NULL;
    g_assert_true(nic_remove(&place->host, "one-1", nic, &error));
    g_assert_null(netns_link(NULL, "one-1-0"));
    g_assert_null(netns_link("one-1", "eth0"));
    g_assert_true(nic_remove(&place->host, "one-1", nic, &error));
    g_assert_no_error(error);
}

/* Only the VM's own NICs go, never what the engine or the guest has in the same namespace. */
static void test_remove_others(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) stays = dual_nic();
    g_autoptr(VmNic) goes = make_nic(1, "one-1-1", "02:00:0a:00:00:33");
    ensure(place, place->sandbox, stays);
    ensure(place, place->sandbox, goes);
    netns_run("ip link add veth123 type veth peer name eth7 netns one-1");
    netns_run("ip -n one-1 link add inner type veth peer name inner2");
    g_autoptr(GPtrArray) nics = g_ptr_array_new();
    g_ptr_array_add(nics, stays);
    g_autoptr(GError) error = NULL;
    g_assert_true(nic_remove_others(&place->host, place->sandbox, nics, &error));
    g_assert_no_error(error);
    expect_link("one-1", "eth0", "ifname", "eth0");
    expect_link("one-1", "eth7", "ifname", "eth7");
    expect_link("one-1", "inner", "ifname", "inner");
    g_assert_null(netns_link("one-1", "eth1"));
    g_assert_null(netns_link(NULL, "one-1-1"));
}

/* Nothing is left of a NIC that the kernel would not have whole. */
static void test_bad_route(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    add_route(nic, "10.7.0.0/16", "192.0.2.1", 0);
    expect_refused(place, nic, VMDOCK_ERROR_NETWORK,
                   "NIC 0 (one-1-0): cannot add the route 10.7.0.0/16 via 192.0.2.1: Nexthop has "
                   "invalid gateway");
    g_assert_null(netns_link(NULL, "one-1-0"));
    g_assert_null(netns_link("one-1", "eth0"));
    /* But what was there before stays. */
    g_autoptr(VmNic) good = dual_nic();
    ensure(place, place->sandbox, good);
    expect_refused(place, nic, VMDOCK_ERROR_NETWORK,
                   "NIC 0 (one-1-0): cannot add the route 10.7.0.0/16 via 192.0.2.1: Nexthop has "
                   "invalid gateway");
    expect_dual();
}

/* Two networks, each with its gateway: the first NIC's default route is the one in use. */
static void test_two_nics(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) one = dual_nic();
    g_autoptr(VmNic) two = make_nic(1, "one-1-1", NULL);
    add_address(two, "10.2.0.2/24");
    add_route(two, "0.0.0.0/0", "10.2.0.1", 101);
    g_autoptr(VmNic) three = make_nic(2, "one-1-2", NULL);
    add_address(three, "10.3.0.2/24");
    add_route(three, "0.0.0.0/0", "10.3.0.1", 0); /* the same metric as the first */
    ensure(place, place->sandbox, one);
    ensure(place, place->sandbox, two);
    ensure(place, place->sandbox, three);
    g_autofree gchar *routes = netns_routes("one-1", "eth1");
    g_assert_cmpstr(routes, ==, "default via 10.2.0.1 metric 101");
    g_autoptr(json_t) route = netns_ip("-n one-1 route get 192.0.2.1");
    g_assert_cmpstr(json_text(json_array_get(route, 0), "dev"), ==, "eth0");
}

static void test_mtu(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    netns_run("ip link add br1 type bridge");
    netns_run("ip link add u0 mtu 1450 type veth peer name u1");
    netns_run("ip link set u0 up master br1");
    expect_mtu(NULL, "br1", 1450);
    g_autoptr(VmNic) nic = dual_nic();
    g_free(nic->bridge);
    nic->bridge = g_strdup("br1");
    ensure(place, place->sandbox, nic);
    expect_mtu("one-1", "eth0", 1450);
    expect_mtu(NULL, "one-1-0", 1450);
    /* One VM's small MTU is not the bridge's. */
    nic->mtu = 1300;
    ensure(place, place->sandbox, nic);
    expect_mtu("one-1", "eth0", 1300);
    expect_mtu(NULL, "one-1-0", 1450);
    expect_mtu(NULL, "br1", 1450);
    netns_run("ip link del u0");
    netns_run("ip link del br1");
}

static void test_ip6_modes(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmNic) nic = dual_nic();
    nic->ip6_mode = VM_IP6_OFF;
    ensure(place, place->sandbox, nic);
    expect_sysctl("one-1", "net/ipv6/conf/eth0/disable_ipv6", "1");
    g_autofree gchar *ip4_only = netns_addresses("one-1", "eth0");
    g_assert_cmpstr(ip4_only, ==, "10.0.0.2/24");
    g_assert_false(ensure(place, place->sandbox, nic));

    nic->ip6_mode = VM_IP6_ROUTERS;
    ensure(place, place->sandbox, nic);
    expect_sysctl("one-1", "net/ipv6/conf/eth0/accept_ra", "2");
    expect_sysctl("one-1", "net/ipv6/conf/eth0/autoconf", "0");
    expect_dual();

    nic->ip6_mode = VM_IP6_AUTO;
    ensure(place, place->sandbox, nic);
    expect_sysctl("one-1", "net/ipv6/conf/eth0/accept_ra", "2");
    expect_sysctl("one-1", "net/ipv6/conf/eth0/autoconf", "1");
    /* What a router taught the guest is not ours to take. */
    netns_run("ip -n one-1 addr add fd77::1/64 dev eth0 valid_lft 100 preferred_lft 100");
    netns_run("ip -n one-1 route add fd78::/64 via fe80::1 dev eth0 proto ra");
    ensure(place, place->sandbox, nic);
    g_autofree gchar *learned = netns_addresses("one-1", "eth0");
    g_assert_cmpstr(learned, ==, "10.0.0.2/24 fd00::2/64 fd77::1/64");
    g_autofree gchar *routes = netns_output("ip -n one-1 -6 route show dev eth0");
    g_assert_nonnull(strstr(routes, "fd78::/64"));

    nic->ip6_mode = VM_IP6_STATIC;
    ensure(place, place->sandbox, nic);
    expect_sysctl("one-1", "net/ipv6/conf/eth0/accept_ra", "0");
    expect_sysctl("one-1", "net/ipv6/conf/eth0/disable_ipv6", "0");
}

/* A bridge takes 1023 ports. */
static void test_full(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    for (guint i = 0; i < 512; i++)
        g_string_append_printf(lines,
                               "link add a%u type veth peer name b%u\nlink set a%u master br0\n"
                               "link set b%u master br0\n",
                               i, i, i, i);
    g_assert_true(g_file_set_contents("/run/batch", lines->str, -1, NULL));
    netns_try("ip -batch /run/batch");
    g_autoptr(VmNic) nic = dual_nic();
    expect_refused(place, nic, VMDOCK_ERROR_NETWORK,
                   "NIC 0 (one-1-0): cannot make the veth pair one-1-0 and eth0: the bridge has no "
                   "port left (Exchange full)");
    g_string_truncate(lines, 0);
    for (guint i = 0; i < 512; i++)
        g_string_append_printf(lines, "link del a%u\n", i);
    g_assert_true(g_file_set_contents("/run/batch", lines->str, -1, NULL));
    netns_run("ip -batch /run/batch");
}

static int listen_on(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    g_assert_cmpint(fd, >=, 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(name)};
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    return fd;
}

/* Waits for a frame that begins with HEAD (of HEAD_SIZE bytes); FALSE when none comes. */
static gboolean hear(int fd, const guint8 *head, gsize head_size, guint8 *frame, gssize *size)
{
    gint64 deadline = g_get_monotonic_time() + 2 * G_TIME_SPAN_SECOND;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (g_get_monotonic_time() < deadline) {
        if (poll(&wait, 1, 100) <= 0)
            continue;
        *size = recv(fd, frame, 2048, 0);
        if (*size >= (gssize)head_size && memcmp(frame, head, head_size) == 0)
            return TRUE;
    }
    return FALSE;
}

static guint16 sum_words(const guint8 *bytes, gsize size, guint32 sum)
{
    for (gsize i = 0; i + 1 < size; i += 2)
        sum += (guint32)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (guint16)sum;
}

/* 10.0.0.2 at 02:00:0a:00:00:02, as `arping -U` says it. */
static const guint8 expected_arp[42] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0, 10, 0, 0, 2, 8, 6, /* Ethernet */
    0,    1,    8,    0,    6,    4,    0,  1,                    /* request */
    2,    0,    10,   0,    0,    2,    10, 0, 0,  2,             /* sender */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 0, 0,  2,             /* target */
};
static const guint8 expected_na[86] = {
    0x33, 0x33, 0, 0, 0,    1,  2,  0,   10, 0, 0, 2, 0x86, 0xdd,       /* Ethernet */
    0x60, 0,    0, 0, 0,    32, 58, 255,                                /* IPv6, hop limit 255 */
    0xfd, 0,    0, 0, 0,    0,  0,  0,   0,  0, 0, 0, 0,    0,    0, 2, /* from fd00::2 */
    0xff, 2,    0, 0, 0,    0,  0,  0,   0,  0, 0, 0, 0,    0,    0, 1, /* to ff02::1 */
    136,  0,    0, 0, 0x20, 0,  0,  0,                                  /* NA, override */
    0xfd, 0,    0, 0, 0,    0,  0,  0,   0,  0, 0, 0, 0,    0,    0, 2, /* target */
    2,    1,    2, 0, 10,   0,  0,  2,                                  /* its MAC */
};

static void expect_announced(int fd)
{
    guint8 frame[2048];
    gssize size = 0;
    /* The target's MAC says nothing in a request. */
    g_assert_true(hear(fd, expected_arp, 32, frame, &size));
    g_assert_cmpmem(frame + 38, 4, expected_arp + 38, 4);
    g_assert_true(hear(fd, expected_na, 56, frame, &size));
    g_assert_cmpint(size, ==, sizeof expected_na);
    /* Pseudo header (addresses, length, next header) and message add up to all ones. */
    g_assert_cmphex(sum_words(frame + 22, 64, 32 + 58), ==, 0xffff);
    frame[56] = frame[57] = 0;
    g_assert_cmpmem(frame + 54, 32, expected_na + 54, 32);
}

static void wait_forwarding(const char *name)
{
    for (guint i = 0; i < 200; i++) {
        g_autofree gchar *text = netns_output("bridge link show dev %s", name);
        if (strstr(text, "state forwarding"))
            return;
        g_usleep(10 * G_TIME_SPAN_MILLISECOND);
    }
    g_assert_not_reached();
}

static void expect_neighbour(const char *address, const char *mac)
{
    g_autoptr(json_t) neighbours = netns_ip("-n one-2 neigh show %s", address);
    g_assert_cmpstr(json_text(json_array_get(neighbours, 0), "lladdr"), ==, mac);
}

static void test_announce(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(Sandbox) other = ensure_sandbox(&place->config, "one-2");
    g_autoptr(VmNic) theirs = make_nic(0, "one-2-0", "02:00:0a:00:00:03");
    add_address(theirs, "10.0.0.3/24");
    add_address(theirs, "fd00::3/64");
    ensure(place, other, theirs);
    g_autoptr(VmNic) nic = dual_nic();
    ensure(place, place->sandbox, nic);
    wait_forwarding("one-1-0");
    wait_forwarding("one-2-0");
    /* A neighbour that knows the addresses at another MAC, as after a migration. */
    netns_run("ip -n one-2 neigh replace 10.0.0.2 lladdr 02:aa:aa:aa:aa:aa nud stale dev eth0");
    netns_run("ip -n one-2 neigh replace fd00::2 lladdr 02:aa:aa:aa:aa:aa nud stale dev eth0");
    autofd int listener = listen_on("br0");
    g_autoptr(GError) error = NULL;
    g_assert_true(nic_announce(place->sandbox, nic, &error));
    g_assert_no_error(error);
    expect_announced(listener);
    expect_neighbour("10.0.0.2", "02:00:0a:00:00:02");
    expect_neighbour("fd00::2", "02:00:0a:00:00:02");
    g_autoptr(VmNic) none = make_nic(5, "one-1-5", NULL);
    g_assert_false(nic_announce(place->sandbox, none, &error));
    g_assert_cmpstr(error->message, ==, "NIC 5 (one-1-5): eth5 is not in the sandbox");
}

static void add(const char *path, void (*test)(Place *, gconstpointer))
{
    g_test_add(path, Place, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
    add("/nic/new", test_new);
    add("/nic/ping", test_ping);
    add("/nic/again", test_again);
    add("/nic/change", test_change);
    add("/nic/mend", test_mend);
    add("/nic/first-address", test_first_address);
    add("/nic/bridge", test_bridge);
    add("/nic/foreign", test_foreign);
    add("/nic/leftover", test_leftover);
    add("/nic/long-name", test_long_name);
    add("/nic/remove", test_remove);
    add("/nic/remove-others", test_remove_others);
    add("/nic/bad-route", test_bad_route);
    add("/nic/two-nics", test_two_nics);
    add("/nic/mtu", test_mtu);
    add("/nic/ip6-modes", test_ip6_modes);
    add("/nic/announce", test_announce);
    add("/nic/full", test_full);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/log.h"
#include "driver/netlink.h"
#include "tests/unit/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>

static const char long_name[] = "one-1234567-890"; /* 15 bytes */

static Netlink *open_netlink(void)
{
    g_autoptr(GError) error = NULL;
    Netlink *netlink = netlink_open(&error);
    g_assert_no_error(error);
    return netlink;
}

static NetlinkLink get(Netlink *netlink, const char *name)
{
    g_autoptr(GError) error = NULL;
    NetlinkLink link = {0};
    gboolean found = FALSE;
    g_assert_true(netlink_link_get(netlink, name, &link, &found, &error));
    g_assert_no_error(error);
    g_assert_true(found);
    return link;
}

static void test_get(void)
{
    netns_run("ip link add %s mtu 1450 address 02:00:00:00:00:07 type bridge", long_name);
    netns_run("ip link set %s up alias vmdock:one-42", long_name);
    g_autoptr(Netlink) netlink = open_netlink();
    g_autoptr(json_t) oracle = netns_link(NULL, long_name);
    NetlinkLink link = get(netlink, long_name);
    g_autofree gchar *mac = vm_mac_format(link.mac);
    g_assert_cmpstr(link.name, ==, long_name);
    g_assert_cmpstr(link.kind, ==, "bridge");
    g_assert_cmpstr(link.alias, ==, "vmdock:one-42");
    g_assert_cmpint(link.index, ==, json_number(oracle, "ifindex"));
    g_assert_cmpuint(link.mtu, ==, 1450);
    g_assert_cmpstr(mac, ==, "02:00:00:00:00:07");
    g_assert_true(link.up);
    g_assert_cmpint(link.master, ==, 0);

    gboolean found = TRUE;
    g_assert_true(netlink_link_get(netlink, "no-such-link", &link, &found, NULL));
    g_assert_false(found);
    netns_run("ip link del %s", long_name);
}

static void count_link(const NetlinkLink *link, gpointer data)
{
    g_hash_table_insert(data, g_strdup(link->name), g_memdup2(link, sizeof *link));
}

static guint64 namespace_number(void)
{
    g_autoptr(Netlink) netlink = open_netlink();
    guint64 number = 0;
    g_assert_true(netlink_namespace(netlink, &number));
    return number;
}

/* A thread can be in a namespace of its own. */
static gpointer number_elsewhere(gpointer number)
{
    g_assert_no_errno(unshare(CLONE_NEWNET));
    *(guint64 *)number = namespace_number();
    return NULL;
}

static void test_namespace(void)
{
    guint64 here = namespace_number(), there = 0;
    g_thread_join(g_thread_new("elsewhere", number_elsewhere, &there));
    g_assert_cmpuint(namespace_number(), ==, here);
    g_assert_cmpuint(there, !=, here);
}

/* The counters alone are those of the listing. */
static void assert_counters_of(Netlink *netlink, GHashTable *links)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) counters = netlink_counters(netlink, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(counters->len, ==, g_hash_table_size(links));
    g_autoptr(GHashTable) by_index = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (guint i = 0; i < counters->len; i++) {
        NetlinkCounters *one = &g_array_index(counters, NetlinkCounters, i);
        g_hash_table_insert(by_index, GINT_TO_POINTER(one->index), one);
    }
    GHashTableIter iter;
    gpointer listed;
    g_hash_table_iter_init(&iter, links);
    while (g_hash_table_iter_next(&iter, NULL, &listed)) {
        const NetlinkLink *link = listed;
        const NetlinkCounters *one = g_hash_table_lookup(by_index, GINT_TO_POINTER(link->index));
        g_assert_nonnull(one);
        g_assert_cmpuint(one->rx_bytes, ==, link->rx_bytes);
        g_assert_cmpuint(one->tx_bytes, ==, link->tx_bytes);
    }
}

/* More links than fit one answer, and counters that a ping has moved. */
static void test_each(void)
{
    enum { PAIRS = 150 };
    g_autoptr(GString) batch = g_string_new(NULL);
    for (guint i = 0; i < PAIRS; i++)
        g_string_append_printf(batch, "link add a%u type veth peer name b%u\n", i, i);
    g_assert_true(g_file_set_contents("/run/batch", batch->str, -1, NULL));
    netns_run("ip -batch /run/batch");
    netns_run("ping -c 3 -i 0.01 127.0.0.1");
    g_autoptr(Netlink) netlink = open_netlink();
    g_autoptr(GHashTable) links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GError) error = NULL;
    gint64 began = g_get_monotonic_time();
    g_assert_true(netlink_link_each(netlink, count_link, links, &error));
    g_test_message("%u links in %.2f ms", g_hash_table_size(links),
                   (double)(g_get_monotonic_time() - began) / 1000);
    g_assert_no_error(error);
    g_autoptr(json_t) oracle = netns_ip("-s link show");
    g_assert_cmpuint(g_hash_table_size(links), ==, json_array_size(oracle));
    size_t i;
    json_t *expected;
    json_array_foreach (oracle, i, expected) {
        const NetlinkLink *link = g_hash_table_lookup(links, json_text(expected, "ifname"));
        const json_t *counters = json_object_get(expected, "stats64");
        g_assert_nonnull(link);
        g_assert_cmpint(link->index, ==, json_number(expected, "ifindex"));
        g_assert_cmpint((gint64)link->rx_bytes, ==,
                        json_number(json_object_get(counters, "rx"), "bytes"));
        g_assert_cmpint((gint64)link->tx_packets, ==,
                        json_number(json_object_get(counters, "tx"), "packets"));
    }
    const NetlinkLink *lo = g_hash_table_lookup(links, "lo");
    g_assert_cmpuint(lo->rx_packets, >=, 6);
    assert_counters_of(netlink, links);
    g_string_truncate(batch, 0);
    for (guint n = 0; n < PAIRS; n++)
        g_string_append_printf(batch, "link del a%u\n", n);
    g_assert_true(g_file_set_contents("/run/batch", batch->str, -1, NULL));
    netns_run("ip -batch /run/batch");
}

static void change_link(Netlink *netlink)
{
    NetlinkLink link = get(netlink, long_name);
    g_assert_true(netlink_link_set_alias(netlink, link.index, "vmdock:one-1", NULL));
    g_assert_true(netlink_link_set_mtu(netlink, link.index, 1600, NULL));
    g_assert_true(netlink_link_set_master(netlink, link.index, 0, NULL));
    g_assert_true(netlink_link_down(netlink, link.index, NULL));
    link = get(netlink, long_name);
    g_assert_cmpstr(link.alias, ==, "vmdock:one-1");
    g_assert_cmpuint(link.mtu, ==, 1600);
    g_assert_cmpint(link.master, ==, 0);
    g_assert_false(link.up);
}

static void test_veth(void)
{
    netns_run("ip netns add guest");
    netns_run("ip link add br0 type bridge");
    netns_run("ip link set br0 up");
    g_autoptr(Netlink) netlink = open_netlink();
    autofd int netns = open("/run/netns/guest", O_RDONLY | O_CLOEXEC);
    const guint8 guest_mac[6] = {2, 0, 10, 0, 0, 2}, host_mac[6] = {0xfe, 0, 10, 0, 0, 2};
    NetlinkVeth veth = {.host_name = long_name,
                        .guest_name = "eth0",
                        .peer_netns = netns,
                        .host_mac = host_mac,
                        .guest_mac = guest_mac,
                        .host_mtu = 1500,
                        .guest_mtu = 1400,
                        .master = get(netlink, "br0").index};
    g_autoptr(GError) error = NULL;
    g_assert_true(netlink_veth_add(netlink, &veth, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) host = netns_link(NULL, long_name);
    g_autoptr(json_t) guest = netns_link("guest", "eth0");
    g_assert_cmpstr(json_text(host, "master"), ==, "br0");
    g_assert_cmpstr(json_text(host, "address"), ==, "fe:00:0a:00:00:02");
    g_assert_cmpint(json_number(host, "mtu"), ==, 1500);
    g_assert_cmpstr(json_text(guest, "address"), ==, "02:00:0a:00:00:02");
    g_assert_cmpint(json_number(guest, "mtu"), ==, 1400);
    g_assert_cmpint(json_number(guest, "link_index"), ==, json_number(host, "ifindex"));
    NetlinkLink link = get(netlink, long_name);
    g_assert_true(link.up);
    g_assert_cmpstr(link.kind, ==, "veth");
    g_assert_cmpint(link.peer_index, ==, json_number(guest, "ifindex"));
    g_assert_cmpint(link.master, ==, veth.master);

    g_assert_false(netlink_veth_add(netlink, &veth, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
    g_assert_nonnull(strstr(error->message, "File exists"));

    change_link(netlink);

    g_assert_true(netlink_link_delete(netlink, long_name, NULL));
    g_assert_null(netns_link(NULL, long_name));
    g_assert_null(netns_link("guest", "eth0"));
    g_assert_true(netlink_link_delete(netlink, long_name, NULL));
    netns_run("ip link del br0");
    netns_run("ip netns del guest");
}

static void add_address(Netlink *netlink, gint index, const char *text)
{
    g_autoptr(GError) error = NULL;
    VmAddress address = netns_address(text);
    g_assert_true(netlink_address_add(netlink, index, &address, &error));
    g_assert_no_error(error);
}

static void test_addresses(void)
{
    netns_run("ip link add d0 type veth peer name d1");
    netns_run("ip link set d0 up");
    netns_run("ip link set d1 up");
    g_autoptr(Netlink) netlink = open_netlink();
    gint index = get(netlink, "d0").index;
    add_address(netlink, index, "10.0.3.2/22");
    add_address(netlink, index, "10.1.0.2/31");
    add_address(netlink, index, "fd00::2/64");
    g_autoptr(json_t) oracle = netns_ip("addr show dev d0");
    json_t *entries = json_object_get(json_array_get(oracle, 0), "addr_info");
    g_assert_cmpstr(json_text(json_array_get(entries, 0), "broadcast"), ==, "10.0.3.255");
    g_assert_null(json_text(json_array_get(entries, 1), "broadcast"));
    g_assert_true(json_is_true(json_object_get(json_array_get(entries, 2), "nodad")));
    g_assert_false(json_is_true(json_object_get(json_array_get(entries, 2), "tentative")));
    g_autofree gchar *before = netns_addresses(NULL, "d0");
    g_assert_cmpstr(before, ==, "10.0.3.2/22 10.1.0.2/31 fd00::2/64");

    /* What is there already is fine. */
    add_address(netlink, index, "fd00::2/64");
    add_address(netlink, index, "10.0.3.2/22");

    /* Another link's addresses, link-local ones and learned ones are not listed. */
    netns_run("ip addr add fd00::77/64 dev d0 valid_lft 100 preferred_lft 100");
    g_autoptr(GArray) list = netlink_address_list(netlink, index, NULL);
    g_assert_cmpuint(list->len, ==, 3);
    for (guint i = 0; i < list->len; i++) {
        g_autofree gchar *text = vm_address_format(&g_array_index(list, VmAddress, i));
        g_assert_nonnull(strstr(before, text));
    }
    VmAddress gone = netns_address("10.1.0.2/31"), gone6 = netns_address("fd00::2/64");
    g_assert_true(netlink_address_delete(netlink, index, &gone, NULL));
    g_assert_true(netlink_address_delete(netlink, index, &gone, NULL));
    g_assert_true(netlink_address_delete(netlink, index, &gone6, NULL));
    g_autofree gchar *after = netns_addresses(NULL, "d0");
    g_assert_cmpstr(after, ==, "10.0.3.2/22 fd00::77/64");
    netns_run("ip link del d0");
}

static VmRoute route(const char *destination, const char *gateway, guint metric)
{
    VmRoute result = {.destination = netns_address(destination), .metric = metric};
    if (gateway)
        result.gateway = netns_address(gateway);
    return result;
}

static void test_routes(void)
{
    netns_run("ip link add d0 type veth peer name d1");
    netns_run("ip link set d0 up");
    netns_run("ip link set d1 up");
    netns_run("ip addr add 10.0.0.2/24 dev d0");
    netns_run("ip addr add fd00::2/64 dev d0 nodad");
    g_autoptr(Netlink) netlink = open_netlink();
    gint index = get(netlink, "d0").index;
    VmRoute routes[] = {
        route("10.9.0.0/16", "10.0.0.9", 0), route("172.16.0.0/12", NULL, 7),
        route("0.0.0.0/0", "10.0.0.1", 0),   route("::/0", "fd00::1", 0),
        route("fd99::/48", "fd00::9", 33),
    };
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(routes); i++)
        g_assert_true(netlink_route_add(netlink, index, NETLINK_TABLE_MAIN, &routes[i], &error));
    g_assert_no_error(error);
    g_autofree gchar *all = netns_routes(NULL, "d0");
    g_assert_cmpstr(all, ==,
                    "10.9.0.0/16 via 10.0.0.9; 172.16.0.0/12 metric 7; default via 10.0.0.1; "
                    "default via fd00::1 metric 1024; fd99::/48 via fd00::9 metric 33");
    /* The first one stands. */
    VmRoute second = route("0.0.0.0/0", "10.0.0.3", 0);
    g_assert_true(netlink_route_add(netlink, index, NETLINK_TABLE_MAIN, &second, &error));
    g_autoptr(GArray) list = netlink_route_list(netlink, index, NETLINK_TABLE_MAIN, &error);
    g_assert_cmpuint(list->len, ==, G_N_ELEMENTS(routes));
    g_assert_true(netlink_route_flush(netlink, index, NETLINK_TABLE_MAIN, &error));
    g_assert_no_error(error);
    g_autofree gchar *none = netns_routes(NULL, "d0");
    g_assert_cmpstr(none, ==, "");
    g_autofree gchar *kernel = netns_output("ip route show dev d0");
    g_assert_nonnull(strstr(kernel, "10.0.0.0/24"));
    netns_run("ip link del d0");
}

/* In a namespace that never had a route there is no table to look into. */
static void test_routes_none(void)
{
    netns_run("ip link add d0 type veth peer name d1");
    g_autoptr(Netlink) netlink = open_netlink();
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) list =
        netlink_route_list(netlink, get(netlink, "d0").index, NETLINK_TABLE_MAIN, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(list->len, ==, 0);
    netns_run("ip link del d0");
}

static void test_sentence(void)
{
    netns_run("ip link add d0 type veth peer name d1");
    netns_run("ip link set d0 up");
    netns_run("ip link set d1 up");
    g_autoptr(Netlink) netlink = open_netlink();
    g_autoptr(GError) error = NULL;
    VmRoute bad = route("0.0.0.0/0", "192.0.2.1", 0);
    g_assert_false(
        netlink_route_add(netlink, get(netlink, "d0").index, NETLINK_TABLE_MAIN, &bad, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
    g_assert_cmpstr(error->message, ==,
                    "cannot add the route 0.0.0.0/0 via 192.0.2.1: Nexthop has invalid gateway");
    netns_run("ip link del d0");
}

/* All of a batch reaches the kernel, and the one that failed is named. */
static void test_batch(void)
{
    netns_run("ip link add d0 type veth peer name d1");
    g_autoptr(Netlink) netlink = open_netlink();
    gint index = get(netlink, "d0").index;
    VmAddress address = netns_address("10.0.0.2/24");
    VmRoute bad = route("10.8.0.0/16", "192.0.2.1", 0), good = route("0.0.0.0/0", "10.0.0.1", 0);
    netlink_batch_begin(netlink);
    g_assert_true(netlink_address_add(netlink, index, &address, NULL));
    g_assert_true(netlink_link_up(netlink, index, NULL));
    g_assert_true(netlink_route_add(netlink, index, NETLINK_TABLE_MAIN, &bad, NULL));
    g_assert_true(netlink_route_add(netlink, index, NETLINK_TABLE_MAIN, &good, NULL));
    g_autofree gchar *before = netns_addresses(NULL, "d0");
    g_assert_cmpstr(before, ==, "");
    g_autoptr(GError) error = NULL;
    g_assert_false(netlink_batch_send(netlink, &error));
    g_assert_nonnull(strstr(error->message, "10.8.0.0/16 via 192.0.2.1"));
    g_autofree gchar *addresses = netns_addresses(NULL, "d0");
    g_autofree gchar *routes = netns_routes(NULL, "d0");
    g_assert_cmpstr(addresses, ==, "10.0.0.2/24");
    g_assert_cmpstr(routes, ==, "default via 10.0.0.1");
    /* An empty one is fine, and the next request goes out at once. */
    netlink_batch_begin(netlink);
    g_assert_true(netlink_batch_send(netlink, NULL));
    g_assert_true(netlink_link_down(netlink, index, NULL));
    g_assert_false(get(netlink, "d0").up);
    netns_run("ip link del d0");
}

static void keep_line(LogLevel level, const char *line, gpointer data)
{
    if (level == LOG_TRACE)
        g_ptr_array_add(data, g_strdup(line));
}

static void test_trace(void)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    log_set_sink(keep_line, LOG_TRACE, lines);
    g_autoptr(Netlink) netlink = open_netlink();
    get(netlink, "lo");
    g_assert_false(netlink_link_up(netlink, 999999, NULL));
    log_set_sink(NULL, LOG_WARN, NULL);
    g_assert_cmpuint(lines->len, ==, 2);
    g_assert_true(g_regex_match_simple("^netlink look for the link lo -> ok in [0-9.]+ ms$",
                                       lines->pdata[0], 0, 0));
    g_assert_true(g_regex_match_simple(
        "^netlink bring link 999999 up -> No such device in [0-9.]+ ms$", lines->pdata[1], 0, 0));
}

/* Somebody else in the namespace answers before the kernel does. */
static void test_forged(void)
{
    g_autoptr(Netlink) netlink = open_netlink(); /* the process's first: its port is the pid */
    autofd int forger = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr header;
        struct nlmsgerr body;
    } forged = {.header = {.nlmsg_len = sizeof forged, .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 1},
                .body = {.error = -EPERM}};
    struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = (guint32)getpid()};
    g_assert_cmpint(sendto(forger, &forged, sizeof forged, 0, (struct sockaddr *)&to, sizeof to),
                    ==, sizeof forged);
    g_assert_cmpint(get(netlink, "lo").index, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
    g_test_add_func("/netlink/forged", test_forged);
    g_test_add_func("/netlink/routes-none", test_routes_none);
    g_test_add_func("/netlink/get", test_get);
    g_test_add_func("/netlink/namespace", test_namespace);
    g_test_add_func("/netlink/each", test_each);
    g_test_add_func("/netlink/veth", test_veth);
    g_test_add_func("/netlink/addresses", test_addresses);
    g_test_add_func("/netlink/routes", test_routes);
    g_test_add_func("/netlink/sentence", test_sentence);
    g_test_add_func("/netlink/batch", test_batch);
    g_test_add_func("/netlink/trace", test_trace);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/* The bandwidth of a NIC: what is asked of the kernel, and what tc says is there then. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/nic.h"
#include "driver/nic_qos.h"
#include "tests/unit/netns.h"

#include <string.h>

static const guint64 MB = 1000000;

static NetlinkShape shape_of(gint64 average, gint64 peak, gint64 burst)
{
    const VmBandwidth bandwidth = {average, peak, burst};
    NetlinkShape shape;
    g_assert_true(nic_qos_shape(&bandwidth, 1500, &shape));
    return shape;
}

static void test_shape_none(void)
{
    NetlinkShape shape;
    g_assert_false(nic_qos_shape(&(VmBandwidth){0}, 1500, &shape));
    g_assert_false(nic_qos_shape(&(VmBandwidth){.burst = 4096}, 1500, &shape));
}

static void test_shape_average(void)
{
    NetlinkShape shape = shape_of(MB, 0, 0);
    g_assert_cmpuint(shape.rate, ==, MB);
    g_assert_cmpuint(shape.peak, ==, 0);
    g_assert_cmpuint(shape.burst, ==, 32 * 1024);
    g_assert_cmpuint(shape.queue, ==, MB / 5);
    shape = shape_of(100 * MB, 0, 0);
    g_assert_cmpuint(shape.burst, ==, MB);
    shape = shape_of(1000, 0, 0);
    g_assert_cmpuint(shape.queue, ==, 128 * 1024);
}

static void test_shape_peak(void)
{
    NetlinkShape shape = shape_of(MB, 4 * MB, 500000);
    g_assert_cmpuint(shape.rate, ==, MB);
    g_assert_cmpuint(shape.peak, ==, 4 * MB);
    g_assert_cmpuint(shape.burst, ==, 500000);
    g_assert_cmpuint(shape.peak_burst, ==, 4000);
    shape = shape_of(MB, 5 * MB, 0);
    g_assert_cmpuint(shape.peak_burst, ==, 5000);
    /* the peak is the limit */
    shape = shape_of(0, 3 * MB, 0);
    g_assert_cmpuint(shape.rate, ==, 3 * MB);
    g_assert_cmpuint(shape.peak, ==, 0);
    shape = shape_of(5 * MB, 3 * MB, 0);
    g_assert_cmpuint(shape.rate, ==, 3 * MB);
    g_assert_cmpuint(shape.peak, ==, 0);
}

/* A bucket holds the rate's 1 ms and two packets, however small it was asked for. */
static void test_shape_least(void)
{
    g_assert_cmpuint(shape_of(MB, 0, 1024).burst, ==, 2 * 1518);
    g_assert_cmpuint(shape_of(100 * MB, 0, 1024).burst, ==, 100000);
    NetlinkShape shape;
    g_assert_true(nic_qos_shape(&(VmBandwidth){.average = MB, .burst = 1}, 65535, &shape));
    g_assert_cmpuint(shape.burst, ==, 2 * 65553);
    g_assert_cmpuint(shape.queue, ==, MB / 5);
}

/* The largest that a parser lets through. */
static void test_shape_most(void)
{
    NetlinkShape shape = shape_of(100000 * MB, 100000 * MB + 1, G_GINT64_CONSTANT(1) << 30);
    g_assert_cmpuint(shape.rate, ==, 100000 * MB);
    g_assert_cmpuint(shape.peak, ==, 100000 * MB + 1);
    g_assert_cmpuint(shape.burst, ==, 1U << 30);
    g_assert_cmpuint(shape.queue, ==, G_MAXINT32);
}

/* A host with the bridge br0 and one VM. */
typedef struct {
    Config config;
    NicHost host;
    Sandbox *sandbox;
    VmNic *nic;
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
    place->nic = vm_nic_new();
    place->nic->host_name = g_strdup("one-1-0");
    place->nic->guest_name = g_strdup("eth0");
    place->nic->bridge = g_strdup("br0");
}

/* Nothing but the bridge and lo is left when the NIC is gone. */
static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(nic_remove(&place->host, "one-1", place->nic, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) links = netns_ip("link show");
    g_assert_cmpuint(json_array_size(links), ==, 2);
    g_assert_true(sandbox_remove(&place->config, "one-1", NULL));
    sandbox_free(place->sandbox);
    netlink_free(place->host.netlink);
    vm_nic_free(place->nic);
    netns_run("ip link del br0");
}

static void ensure(Place *place)
{
    g_autoptr(GError) error = NULL;
    gboolean created;
    g_assert_true(nic_ensure(&place->host, place->sandbox, place->nic, &created, &error));
    g_assert_no_error(error);
}

/* What `tc -j qdisc` tells of the qdisc KIND of a link; NULL when it has none. */
static json_t *qdisc(const char *link, const char *kind)
{
    g_autofree gchar *text = netns_output("tc -j qdisc show dev %s", link);
    g_autoptr(json_t) list = json_loads(text, 0, NULL);
    gsize index;
    json_t *entry;
    json_array_foreach (list, index, entry)
        if (g_strcmp0(json_text(entry, "kind"), kind) == 0)
            return json_incref(entry);
    return NULL;
}

static void expect_rate(const char *link, guint64 rate, guint64 burst, const char *peak)
{
    g_autoptr(json_t) tbf = qdisc(link, "tbf");
    g_assert_nonnull(tbf);
    const json_t *options = json_object_get(tbf, "options");
    g_assert_cmpint(json_number(options, "rate"), ==, (gint64)rate);
    /* the kernel keeps a bucket as a time, in ticks of 64 ns */
    gint64 shown = json_number(options, "burst"), most = (gint64)MAX(burst / 100, 16);
    g_assert_cmpint(ABS(shown - (gint64)burst), <=, most);
    /* tc tells the peak as text alone */
    g_autofree gchar *text = netns_output("tc qdisc show dev %s", link);
    g_autofree gchar *word = g_strdup_printf(" peakrate %s ", peak);
    g_assert_true(peak ? strstr(text, word) != NULL : strstr(text, "peakrate") == NULL);
}

static void expect_no_limits(void)
{
    g_assert_null(qdisc("one-1-0", "tbf"));
    g_assert_null(qdisc("one-1-0", "ingress"));
    g_assert_null(netns_link(NULL, "qone-1-0"));
}

static void expect_redirected(void)
{
    g_autofree gchar *filters = netns_output("tc filter show dev one-1-0 ingress");
    const char *first = strstr(filters, "mirred (Egress Redirect to device qone-1-0)");
    g_assert_nonnull(first);
    g_assert_null(strstr(first + 1, "mirred"));
}

static void test_both(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->nic->inbound = (VmBandwidth){.average = 1000000, .peak = 2000000, .burst = 300000};
    place->nic->outbound = (VmBandwidth){.average = 500000};
    ensure(place);
    expect_rate("one-1-0", 1000000, 300000, "16Mbit");
    expect_rate("qone-1-0", 500000, 32768, NULL);
    expect_redirected();
    g_autoptr(json_t) ifb = netns_link(NULL, "qone-1-0");
    g_assert_cmpstr(json_text(ifb, "ifalias"), ==, "vmdock:one-1");
    g_autofree gchar *disabled = netns_output("cat /proc/sys/net/ipv6/conf/qone-1-0/disable_ipv6");
    g_assert_cmpstr(disabled, ==, "1\n");
    /* once more, and with other values */
    ensure(place);
    expect_redirected();
    place->nic->inbound = (VmBandwidth){.average = 3000000};
    place->nic->outbound = (VmBandwidth){.average = 700000, .peak = 900000, .burst = 65536};
    ensure(place);
    expect_rate("one-1-0", 3000000, 32768, NULL);
    expect_rate("qone-1-0", 700000, 65536, "7200Kbit");
    expect_redirected();
}

static void test_none(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    ensure(place);
    expect_no_limits();
    place->nic->inbound.average = place->nic->outbound.average = 1000000;
    ensure(place);
    expect_redirected();
    place->nic->inbound = place->nic->outbound = (VmBandwidth){0};
    ensure(place);
    expect_no_limits();
}

static void test_one_direction(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->nic->outbound.average = 1000000;
    ensure(place);
    g_assert_null(qdisc("one-1-0", "tbf"));
    expect_redirected();
    place->nic->inbound.average = 1000000;
    place->nic->outbound.average = 0;
    ensure(place);
    expect_rate("one-1-0", 1000000, 32768, NULL);
    g_assert_null(qdisc("one-1-0", "ingress"));
    g_assert_null(netns_link(NULL, "qone-1-0"));
}

/* More than 32 bits of bytes per second. */
static void test_fast(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->nic->inbound = (VmBandwidth){.average = 6000 * (gint64)MB, .peak = 8000 * (gint64)MB};
    ensure(place);
    expect_rate("one-1-0", 6000 * MB, 60 * MB, "64Gbit");
}

/* What was deleted behind our back, and what a killed run left. */
static void test_mend(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->nic->inbound.average = place->nic->outbound.average = 1000000;
    ensure(place);
    netns_run("tc qdisc del dev one-1-0 ingress");
    netns_run("tc qdisc del dev one-1-0 root");
    ensure(place);
    expect_rate("one-1-0", 1000000, 32768, NULL);
    expect_redirected();
    netns_run("ip link del qone-1-0");
    ensure(place);
    expect_redirected();
    netns_run("ip link del one-1-0");
    ensure(place);
    expect_rate("qone-1-0", 1000000, 32768, NULL);
    expect_redirected();
}

static void test_foreign(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    netns_run("ip link add qone-1-0 type ifb");
    ensure(place);
    g_autoptr(GError) error = NULL;
    gboolean created;
    place->nic->outbound.average = 1000000;
    g_assert_false(nic_ensure(&place->host, place->sandbox, place->nic, &created, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
    g_assert_cmpstr(error->message, ==,
                    "NIC 0 (one-1-0): its bandwidth: the host has another link named qone-1-0 "
                    "(kind \"ifb\", alias \"\"), the name that the link which limits this NIC must "
                    "have");
    g_assert_true(nic_remove(&place->host, "one-1", place->nic, NULL));
    g_autoptr(json_t) there = netns_link(NULL, "qone-1-0");
    g_assert_nonnull(there);
    /* a pair that was made for it goes again */
    g_assert_false(nic_ensure(&place->host, place->sandbox, place->nic, &created, NULL));
    g_assert_null(netns_link(NULL, "one-1-0"));
    netns_run("ip link del qone-1-0");
}

/* A host end with the longest name there is, and a NIC that another one takes the place of. */
static void test_long_name(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_free(place->nic->host_name);
    place->nic->host_name = g_strdup("one-1234567-890");
    place->nic->outbound.average = 1000000;
    ensure(place);
    g_autoptr(json_t) ifbs = netns_ip("link show type ifb");
    g_assert_cmpuint(json_array_size(ifbs), ==, 1);
    const char *name = json_text(json_array_get(ifbs, 0), "ifname");
    g_assert_cmpuint(strlen(name), ==, VM_IFNAME_MAX);
    expect_rate(name, 1000000, 32768, NULL);
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_assert_true(nic_remove_others(&place->host, place->sandbox, none, NULL));
    g_autoptr(json_t) left = netns_ip("link show type ifb");
    g_assert_cmpuint(json_array_size(left), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
    g_test_add_func("/nic_qos/shape/none", test_shape_none);
    g_test_add_func("/nic_qos/shape/average", test_shape_average);
    g_test_add_func("/nic_qos/shape/peak", test_shape_peak);
    g_test_add_func("/nic_qos/shape/least", test_shape_least);
    g_test_add_func("/nic_qos/shape/most", test_shape_most);
#define ADD(name) g_test_add("/nic_qos/" #name, Place, NULL, set_up, test_##name, tear_down)
    ADD(both);
    ADD(none);
    ADD(one_direction);
    ADD(fast);
    ADD(mend);
    ADD(foreign);
    ADD(long_name);
#undef ADD
    return g_test_run();
}

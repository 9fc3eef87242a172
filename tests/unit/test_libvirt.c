// SPDX-License-Identifier: Apache-2.0
/* Networks of libvirt: their XML, the choice of an address, what a NIC takes, and what is said. */
#include "driver/error.h"
#include "driver/libvirt_network.h"
#include "driver/nic_libvirt.h"

#include <string.h>

#define NAT                                                                                        \
    "<network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>"                    \
    "<route address='10.8.0.0' prefix='16' gateway='192.168.122.6' metric='2'/>"                   \
    "<route family='ipv6' address='fd13::' prefix='64' gateway='fd12::2'/>"                        \
    "<mtu size='9000'/><domain name='lan'/>"                                                       \
    "<portgroup name='plain' default='yes'/><portgroup name='slow'><bandwidth>"                    \
    "<inbound average='1000' peak='2000' burst='64'/></bandwidth></portgroup>"                     \
    "<portgroup name='tagged'><vlan><tag id='7'/></vlan></portgroup>"                              \
    "<dns><host ip='192.168.122.4'><hostname>printer</hostname></host></dns>"                      \
    "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>"                                   \
    "<range start='192.168.122.2' end='192.168.122.6'/>"                                           \
    "<host mac='52:54:00:00:00:02' name='web' ip='192.168.122.2'/></dhcp></ip>"                    \
    "<ip family='ipv6' address='fd12::1' prefix='64'/></network>"

static LibvirtNetwork *parse(const char *xml, const char *portgroup)
{
    g_autoptr(GError) error = NULL;
    LibvirtNetwork *network = libvirt_network_parse(xml, portgroup, &error);
    g_assert_no_error(error);
    return network;
}

static void test_nat(void)
{
    g_autoptr(LibvirtNetwork) network = parse(NAT, "slow");
    const LibvirtAnswer *gives = network->gives;
    g_assert_cmpstr(gives->bridge, ==, "virbr0");
    g_assert_cmpuint(gives->mtu, ==, 9000);
    g_assert_cmpstr(gives->domain, ==, "lan");
    g_assert_true(gives->leads_on && gives->dns && !gives->openvswitch);
    g_assert_cmpint(gives->inbound.average, ==, 1000000);
    g_assert_cmpint(gives->inbound.burst, ==, 65536);
    g_assert_cmpint(gives->outbound.average, ==, 0);
    g_assert_cmpuint(gives->subnets->len, ==, 2);
    g_autofree gchar *subnet = vm_address_format(&network->subnet);
    g_assert_cmpstr(subnet, ==, "192.168.122.1/24");
    g_assert_cmpuint(network->hosts->len, ==, 1);
    g_assert_cmpuint(network->named->len, ==, 1);
    g_autoptr(LibvirtNetwork) plain = parse(NAT, NULL);
    g_assert_cmpint(plain->gives->inbound.average, ==, 0);
}

static void test_kinds(void)
{
    static const struct {
        const char *xml;
        gboolean leads_on, openvswitch;
        guint vlan;
        const char *trunks;
    } rows[] = {
        {"<network><bridge name='b'/><ip address='10.0.0.1' prefix='24'/></network>", FALSE, FALSE,
         0, NULL},
        {"<network><forward/><bridge name='b'/></network>", TRUE, FALSE, 0, NULL},
        {"<network><forward mode='open'/><bridge name='b'/></network>", TRUE, FALSE, 0, NULL},
        {"<network><forward mode='bridge'/><bridge name='b'/></network>", FALSE, FALSE, 0, NULL},
        {"<network><forward mode='bridge'/><bridge name='b'/><virtualport type='openvswitch'/>"
         "<vlan><tag id='3'/></vlan><portgroup name='p' default='yes'><vlan><tag id='4'/></vlan>"
         "</portgroup></network>",
         FALSE, TRUE, 4, NULL},
        {"<network><forward mode='bridge'/><bridge name='b'/><virtualport type='openvswitch'/>"
         "<vlan><tag id='3'/></vlan><portgroup name='p' default='yes'><vlan trunk='yes'>"
         "<tag id='42'/><tag id='7' nativeMode='untagged'/></vlan></portgroup></network>",
         FALSE, TRUE, 7, "7,42"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(LibvirtNetwork) network = parse(rows[i].xml, NULL);
        g_assert_cmpint(network->gives->leads_on, ==, rows[i].leads_on);
        g_assert_cmpint(network->gives->openvswitch, ==, rows[i].openvswitch);
        g_assert_cmpuint(network->gives->vlan.tag, ==, rows[i].vlan);
        g_assert_cmpstr(network->gives->vlan.trunks, ==, rows[i].trunks);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *xml, *portgroup, *why;
        VmdockError code;
    } rows[] = {
        {"<network><name>n</name><forward mode='private'/></network>", NULL, "forward mode",
         VMDOCK_ERROR_UNSUPPORTED},
        {"<network><name>n</name><forward mode='bridge'/></network>", NULL, "no bridge",
         VMDOCK_ERROR_UNSUPPORTED},
        {NAT, "tagged", "only a bridge of Open vSwitch", VMDOCK_ERROR_UNSUPPORTED},
        {NAT, "fast", "no portgroup \"fast\"", VMDOCK_ERROR_NETWORK},
        {"<network><name>n</name><forward mode='bridge'/><bridge name='b'/><virtualport "
         "type='openvswitch'/><vlan><tag id='4095'/></vlan></network>",
         NULL, "network n has a VLAN whose number is none", VMDOCK_ERROR_UNSUPPORTED},
        {"<domain/>", NULL, "no XML of one", VMDOCK_ERROR_NETWORK},
        {"", NULL, "no XML of one", VMDOCK_ERROR_NETWORK},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(libvirt_network_parse(rows[i].xml, rows[i].portgroup, &error));
        g_assert_error(error, VMDOCK_ERROR, (gint)rows[i].code);
        g_assert_nonnull(strstr(error->message, rows[i].why));
    }
}

/* What MAC gets that asks for ASKED and wishes for WISH: "192.168.122.3/24", or the error. */
static gchar *choose(const char *xml, const char *mac, const char *asked, const char *wish)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LibvirtNetwork) network = parse(xml, NULL);
    g_autoptr(GPtrArray) views = g_ptr_array_new();
    g_autoptr(GPtrArray) leases = libvirt_hosts_new();
    g_autoptr(LibvirtRequest) request = libvirt_request_new(LIBVIRT_RESERVE, NULL);
    LibvirtHost *lease = g_new0(LibvirtHost, 1);
    VmAddress address = {0};
    g_ptr_array_add(views, network);
    g_ptr_array_add(leases, lease);
    lease->has_mac = vm_mac_parse("52:54:00:00:00:99", lease->mac);
    g_assert_true(vm_address_parse("192.168.122.3", &lease->address));
    request->has_mac = vm_mac_parse(mac, request->mac);
    g_assert_true(!asked || vm_address_parse(asked, &request->address));
    g_assert_true(!wish || vm_address_parse(wish, &request->wish));
    if (!libvirt_choose(views, leases, request, &address, &error))
        return g_strdup(error->message);
    return address.family ? vm_address_format(&address) : g_strdup("none");
}

static void test_choose(void)
{
    static const char *const fresh = "52:54:00:00:00:01", *const web = "52:54:00:00:00:02",
                             *const leased = "52:54:00:00:00:99";
    static const char *const narrow =
        "<network><name>n</name><forward/><bridge name='b'/><ip address='192.168.122.1' "
        "prefix='24'>"
        "<dhcp><range start='192.168.122.3' end='192.168.122.3'/></dhcp></ip></network>";
    static const char *const silent =
        "<network><name>n</name><bridge name='b'/><ip address='192.168.122.1' prefix='24'/>"
        "</network>";
    static const char *const bare =
        "<network><name>n</name><forward mode='bridge'/><bridge name='b'/></network>";
    static const struct {
        const char *xml, *mac, *asked, *wish, *gets;
    } rows[] = {
        /* .2 is reserved, .3 leased, .4 has a name. */
        {NAT, fresh, NULL, NULL, "192.168.122.5/24"},
        {NAT, fresh, NULL, "192.168.122.6/24", "192.168.122.6/24"},
        {NAT, fresh, NULL, "192.168.122.3/24", "192.168.122.5/24"},
        {NAT, fresh, NULL, "10.0.0.1/24", "192.168.122.5/24"},
        {NAT, web, NULL, "192.168.122.6/24", "192.168.122.2/24"},
        {NAT, leased, NULL, NULL, "192.168.122.3/24"},
        {NAT, fresh, "192.168.122.200", NULL, "192.168.122.200/24"},
        {NAT, web, "192.168.122.2", NULL, "192.168.122.2/24"},
        {NAT, fresh, "192.168.122.2", NULL,
         "192.168.122.2 on network default is reserved for another machine"},
        {NAT, fresh, "192.168.122.3", NULL,
         "192.168.122.3 on network default is leased to another machine"},
        {NAT, fresh, "192.168.122.1", NULL,
         "192.168.122.1 on network default is libvirt's own there"},
        {NAT, fresh, "192.168.123.2", NULL,
         "192.168.123.2 is no address of a host on network default, which is 192.168.122.1/24"},
        {NAT, fresh, "192.168.122.255", NULL,
         "192.168.122.255 is no address of a host on network default, which is 192.168.122.1/24"},
        {NAT, fresh, "192.168.122.0", NULL,
         "192.168.122.0 is no address of a host on network default, which is 192.168.122.1/24"},
        {narrow, fresh, NULL, NULL, "network n has no free address in its DHCP range"},
        {narrow, leased, NULL, NULL, "192.168.122.3/24"},
        {silent, fresh, NULL, NULL, "none"},
        {silent, fresh, "192.168.122.9", NULL, "192.168.122.9/24"},
        {bare, fresh, NULL, "10.0.0.2/24", "none"},
        {bare, fresh, "10.0.0.2/24", NULL, "10.0.0.2/24"},
        {bare, fresh, "10.0.0.2", NULL,
         "network n has no subnet of libvirt's: give 10.0.0.2 with its prefix length"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *gets = choose(rows[i].xml, rows[i].mac, rows[i].asked, rows[i].wish);
        g_assert_cmpstr(gets, ==, rows[i].gets);
    }
}

static void test_names(void)
{
    static const char *const names[] = {"1st", "web", "run-web", NULL};
    g_autoptr(LibvirtNetwork) network = parse(NAT, NULL);
    g_autoptr(GPtrArray) views = g_ptr_array_new();
    g_autoptr(LibvirtRequest) request = libvirt_request_new(LIBVIRT_RESERVE, NULL);
    g_ptr_array_add(views, network);
    request->names = g_strdupv((gchar **)names);
    vm_mac_parse("52:54:00:00:00:02", request->mac);
    g_assert_cmpstr(libvirt_choose_name(views, request), ==, "web");
    vm_mac_parse("52:54:00:00:00:03", request->mac);
    g_assert_cmpstr(libvirt_choose_name(views, request), ==, "run-web");
}

static VmSpec *spec_with(const char *address, VmNic **nic)
{
    VmSpec *spec = vm_spec_new();
    VmAddress given;
    *nic = vm_nic_new();
    g_ptr_array_add(spec->nics, *nic);
    (*nic)->libvirt_network = g_strdup("default");
    if (address && vm_address_parse(address, &given))
        g_array_append_val((*nic)->addresses, given);
    return spec;
}

static gchar *address_at(const VmNic *nic, guint index)
{
    return vm_address_format(&g_array_index(nic->addresses, VmAddress, index));
}

static void test_apply(void)
{
    VmNic *nic;
    g_autoptr(LibvirtNetwork) network = parse(NAT, "slow");
    g_autoptr(VmSpec) spec = spec_with("fd12::9", &nic);
    vm_address_parse("192.168.122.5/24", &network->gives->address);
    nic_libvirt_apply(spec, nic, network->gives, TRUE);
    g_autofree gchar *first = address_at(nic, 0), *second = address_at(nic, 1);
    g_autofree gchar *learned = g_strjoinv(" ", nic->learned);
    g_autofree gchar *servers = g_strjoinv(" ", spec->dns);
    g_assert_cmpstr(first, ==, "192.168.122.5/24");
    g_assert_cmpstr(second, ==, "fd12::9/64");
    g_assert_cmpstr(nic->bridge, ==, "virbr0");
    g_assert_cmpstr(nic->bridge_type, ==, "linux");
    g_assert_cmpuint(nic->mtu, ==, 9000);
    g_assert_cmpuint(nic->routes->len, ==, 2);
    const VmRoute *beyond = &g_array_index(nic->routes, VmRoute, 0);
    g_autofree gchar *to = vm_address_format(&beyond->destination);
    g_autofree gchar *via = vm_address_text(&beyond->gateway);
    g_autofree gchar *gateway = vm_address_text(&g_array_index(nic->routes, VmRoute, 1).gateway);
    g_assert_cmpstr(to, ==, "10.8.0.0/16");
    g_assert_cmpstr(via, ==, "192.168.122.6");
    g_assert_cmpuint(beyond->metric, ==, 2);
    g_assert_cmpstr(gateway, ==, "192.168.122.1");
    g_assert_cmpint(nic->inbound.peak, ==, 2000000);
    g_assert_cmpstr(servers, ==, "192.168.122.1 fd12::1");
    g_assert_cmpstr(spec->search[0], ==, "lan");
    g_assert_cmpstr(learned, ==, "address routes mtu dns search inbound");
}

/* Who is the gateway itself has no route by way of it; search domains that are asked for stand;
 * what a VLAN's port is told is the network's, unless it is asked for. */
static void test_apply_some(void)
{
    VmNic *nic, *asks;
    g_autoptr(LibvirtNetwork) network = parse(NAT, NULL);
    g_autoptr(VmSpec) spec = spec_with("192.168.122.6/24", &nic);
    g_autoptr(VmSpec) other = spec_with(NULL, &asks);
    static const char *const search[] = {"corp.example", NULL};
    spec->search = g_strdupv((gchar **)search);
    network->gives->vlan = (VmVlan){.tag = 7};
    asks->vlan = (VmVlan){.tag = 9};
    nic_libvirt_apply(spec, nic, network->gives, TRUE);
    nic_libvirt_apply(other, asks, network->gives, TRUE);
    g_autofree gchar *learned = g_strjoinv(" ", nic->learned);
    g_autofree gchar *searched = g_strjoinv(" ", spec->search);
    g_assert_cmpuint(nic->routes->len, ==, 1);
    g_assert_cmpstr(searched, ==, "corp.example");
    g_assert_cmpstr(learned, ==, "routes mtu dns vlan");
    g_assert_cmpuint(nic->vlan.tag, ==, 7);
    g_assert_cmpuint(asks->vlan.tag, ==, 9);
}

/* What the description says stands. */
static void test_apply_given(void)
{
    VmNic *nic;
    g_autoptr(LibvirtNetwork) network = parse(NAT, "slow");
    g_autoptr(VmSpec) spec = spec_with("192.168.122.7", &nic);
    VmRoute route = {.destination = {.family = AF_INET}};
    g_array_append_val(nic->routes, route);
    nic->mtu = 1400;
    nic->inbound.average = 1;
    vm_address_parse("192.168.122.7/24", &network->gives->address);
    nic_libvirt_apply(spec, nic, network->gives, FALSE);
    g_autofree gchar *first = address_at(nic, 0);
    g_assert_cmpstr(first, ==, "192.168.122.7/24");
    g_assert_cmpuint(nic->addresses->len, ==, 1);
    g_assert_cmpuint(nic->routes->len, ==, 1);
    g_assert_cmpuint(nic->mtu, ==, 1400);
    g_assert_cmpint(nic->inbound.peak, ==, 0);
    g_assert_null(spec->dns);
    g_assert_cmpuint(g_strv_length(nic->learned), ==, 0);
}

static void test_words(void)
{
    static const char *const names[] = {"web", "run-web", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(LibvirtRequest) request = libvirt_request_new(LIBVIRT_RESERVE, NULL);
    request->uri = g_strdup("network:///system");
    request->timeout_ms = 1000;
    request->network = g_strdup("a \"b\"");
    request->names = g_strdupv((gchar **)names);
    request->has_mac = vm_mac_parse("52:54:00:00:00:02", request->mac);
    vm_address_parse("10.0.0.2/24", &request->wish);
    g_autofree gchar *text = libvirt_request_text(request);
    g_autoptr(LibvirtRequest) again = libvirt_request_parse(text, &error);
    g_assert_no_error(error);
    g_autofree gchar *same = libvirt_request_text(again);
    g_assert_cmpstr(text, ==, same);
    g_autoptr(LibvirtNetwork) network = parse(NAT, "slow");
    vm_address_parse("192.168.122.5/24", &network->gives->address);
    g_autofree gchar *answer = libvirt_answer_text(network->gives);
    g_autoptr(LibvirtAnswer) heard = libvirt_answer_parse(answer, &error);
    g_assert_no_error(error);
    g_autofree gchar *answered = libvirt_answer_text(heard);
    g_assert_cmpstr(answer, ==, answered);
}

static void test_garbled(void)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{",
        "{\"mtu\": -1}",
        "{\"mtu\": \"9\"}",
        "{\"vlan\": {\"tag\": 4095}}",
        "{\"vlan\": {\"tag\": 0, \"trunks\": \"3, 4\"}}",
        "{\"vlan\": 7}",
        "{\"routes\": [{}]}",
        "{\"routes\": {}}",
        "{\"subnets\": [1]}",
        "{\"subnets\": \"10.0.0.1\"}",
        "{\"address\": \"x\"}",
        "{\"bridge\": 1}",
        "{\"inbound\": {\"average\": 1.5}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(libvirt_answer_parse(rows[i], &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
        g_assert_null(libvirt_request_parse(rows[i], NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvirt/nat", test_nat);
    g_test_add_func("/libvirt/kinds", test_kinds);
    g_test_add_func("/libvirt/refused", test_refused);
    g_test_add_func("/libvirt/choose", test_choose);
    g_test_add_func("/libvirt/names", test_names);
    g_test_add_func("/libvirt/apply", test_apply);
    g_test_add_func("/libvirt/apply-some", test_apply_some);
    g_test_add_func("/libvirt/apply-given", test_apply_given);
    g_test_add_func("/libvirt/words", test_words);
    g_test_add_func("/libvirt/garbled", test_garbled);
    return g_test_run();
}

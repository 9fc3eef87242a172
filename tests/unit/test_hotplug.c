// SPDX-License-Identifier: Apache-2.0
/* The network of a running VM brought to another description, without an engine. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/hotplug.h"
#include "driver/network.h"
#include "driver/state.h"
#include "tests/unit/netns.h"

#include <string.h>

/* A host with the bridge br0 and the VM one-1, which has eth0 and eth1. */
typedef struct {
    Config config;
    Host host;
    VmSpec *spec;
} Place;

static VmNic *add_nic(VmSpec *spec, guint id, const char *guest_name, const char *address)
{
    VmNic *nic = vm_nic_new();
    nic->id = id;
    nic->host_name = g_strdup_printf("one-1-%u", id);
    nic->guest_name = g_strdup(guest_name);
    nic->bridge = g_strdup("br0");
    VmAddress parsed = netns_address(address);
    g_array_append_val(nic->addresses, parsed);
    g_ptr_array_add(spec->nics, nic);
    return nic;
}

static VmSpec *new_spec(void)
{
    VmSpec *spec = vm_spec_new();
    spec->deploy_id = g_strdup("one-1");
    spec->cloud = g_strdup("opennebula");
    spec->cloud_id = g_strdup("1");
    spec->name = g_strdup("one");
    spec->hostname = g_strdup("one");
    return spec;
}

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Undo) undo = undo_new();
    netns_run("ip link add br0 type bridge");
    netns_run("ip link set br0 up");
    place->config = netns_config();
    place->host = (Host){.config = &place->config};
    place->spec = new_spec();
    add_nic(place->spec, 0, "eth0", "10.0.0.2/24");
    add_nic(place->spec, 1, "eth1", "10.1.0.2/24");
    g_autoptr(Sandbox) sandbox = network_up(&place->host, place->spec, undo, &error);
    g_assert_no_error(error);
    undo_commit(undo);
    g_assert_true(state_save(&place->config, place->spec, NULL));
}

static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_assert_true(network_down(&place->host, "one-1", NULL));
    g_assert_true(state_remove(&place->config, "one-1", NULL));
    netlink_free(place->host.netlink);
    vm_spec_free(place->spec);
    netns_run("ip link del br0");
}

static void refresh(Place *place, VmSpec *spec)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(vm_refresh_network(&place->host, spec, &error));
    g_assert_no_error(error);
}

static void expect_addresses(const char *link, const char *expected)
{
    g_autofree gchar *addresses = netns_addresses("one-1", link);
    g_assert_cmpstr(addresses, ==, expected);
}

/* An alias comes and goes. */
static void test_alias(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(VmSpec) with = new_spec();
    VmNic *nic = add_nic(with, 0, "eth0", "10.0.0.2/24");
    VmAddress alias = netns_address("10.2.0.9/24"), alias6 = netns_address("fd00::9/64");
    g_array_append_val(nic->addresses, alias);
    g_array_append_val(nic->addresses, alias6);
    add_nic(with, 1, "eth1", "10.1.0.2/24");
    refresh(place, with);
    expect_addresses("eth0", "10.0.0.2/24 10.2.0.9/24 fd00::9/64");
    refresh(place, place->spec);
    expect_addresses("eth0", "10.0.0.2/24");
}

/* NIC 1 keeps its name in the guest, and NIC 2 takes what is free, whatever they are called now. */
static void test_names(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(json_t) before = netns_link(NULL, "one-1-1");
    g_autoptr(VmSpec) new = new_spec();
    VmNic *nic = add_nic(new, 1, "eth0", "10.1.0.2/24");
    nic->outbound.average = 1000000;
    add_nic(new, 2, "eth1", "10.3.0.2/24");
    refresh(place, new);
    g_autoptr(json_t) after = netns_link(NULL, "one-1-1");
    g_assert_cmpint(json_number(before, "ifindex"), ==, json_number(after, "ifindex"));
    g_assert_cmpint(json_number(after, "ifindex"), >, 0);
    g_assert_null(netns_link(NULL, "one-1-0"));
    expect_addresses("eth1", "10.1.0.2/24");
    expect_addresses("eth0", "10.3.0.2/24");
    g_autoptr(json_t) ifb = netns_link(NULL, "qone-1-1");
    g_assert_nonnull(ifb);
    /* What is saved of it is what is there: the next one starts from that. */
    g_assert_cmpstr(nic->guest_name, ==, "eth1");
    g_assert_true(state_save(&place->config, new, NULL));
    g_autoptr(VmSpec) again = new_spec();
    add_nic(again, 1, "eth0", "10.1.0.2/24");
    refresh(place, again);
    g_autoptr(json_t) still = netns_link(NULL, "one-1-1");
    g_assert_cmpint(json_number(before, "ifindex"), ==, json_number(still, "ifindex"));
    g_assert_true(state_save(&place->config, place->spec, NULL));
}

/* What fails is taken back to what the saved spec says. */
static void test_failure(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) new = new_spec();
    add_nic(new, 1, "eth1", "10.1.0.9/24");
    VmNic *bad = add_nic(new, 2, "eth2", "10.3.0.2/24");
    g_free(bad->bridge);
    bad->bridge = g_strdup("nobridge");
    g_assert_false(vm_refresh_network(&place->host, new, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE);
    expect_addresses("eth0", "10.0.0.2/24");
    expect_addresses("eth1", "10.1.0.2/24");
    g_assert_null(netns_link(NULL, "one-1-2"));
}

static void test_stopped(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(network_down(&place->host, "one-1", NULL));
    g_assert_false(vm_refresh_network(&place->host, place->spec, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE);
    g_assert_cmpstr(error->message, ==, "it does not run: it has no network namespace");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
#define ADD(name) g_test_add("/hotplug/" #name, Place, NULL, set_up, test_##name, tear_down)
    ADD(alias);
    ADD(names);
    ADD(failure);
    ADD(stopped);
#undef ADD
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/* Bridges, and what the packet filter does to traffic between VMs on one of them. */
#include "doctor_facts.h"
#include "doctor_forward.h"
#include "monitor_host.h"
#include "nic_filter_rules.h"

#include <string.h>

enum { NEARLY_FULL = BRIDGE_PORTS_MAX * 9 / 10 };

/*
 * OpenNebula's network driver makes this very chain when the first security group is used, and puts
 * each NIC's rules before its ACCEPT: a chain made by hand opens no way around them.
 */
#define CHAIN_MEND                                                                                 \
    "vmdock-setup forward makes the chain that OpenNebula's security groups use, whose rules "     \
    "come before its ACCEPT: %1$s -N opennebula; "                                                 \
    "%1$s -A FORWARD -m physdev --physdev-is-bridged -j opennebula; "                              \
    "%1$s -A opennebula -j ACCEPT"

/* docker0, br-<12 hex digits> and docker_gwbridge are the engine's: no VM is plugged there. */
static gboolean is_engines(const char *name)
{
    return g_str_equal(name, "docker0") || g_str_equal(name, "docker_gwbridge") ||
           (g_str_has_prefix(name, "br-") && strlen(name) == 15 &&
            strspn(name + 3, "0123456789abcdef") == 12);
}

static void judge_ports(const DoctorBridge *bridge, GPtrArray *findings)
{
    const char *const id = "network.bridge-ports", *const title = "bridge ports";
    const char *const mend = "use a second bridge (a network of its own) for further VMs";
    if (bridge->ports >= BRIDGE_PORTS_MAX)
        doctor_say(findings, DOCTOR_WARN, id, title, mend,
                   "%s is full: the kernel gives a bridge %d ports", bridge->name,
                   BRIDGE_PORTS_MAX);
    else if (bridge->ports > NEARLY_FULL)
        doctor_say(findings, DOCTOR_NOTE, id, title, mend, "%s has %u of %d ports in use",
                   bridge->name, bridge->ports, BRIDGE_PORTS_MAX);
}

static void judge_stp(const DoctorBridge *bridge, GPtrArray *findings)
{
    if (bridge->stp < 0)
        doctor_say(findings, DOCTOR_NOTE, "network.stp", "spanning tree",
                   "look with: ip -d link show type bridge",
                   "whether %s runs STP cannot be looked at: /sys shows another network namespace",
                   bridge->name);
    if (bridge->stp <= 0)
        return;
    g_autofree gchar *mend = g_strdup_printf(
        "where no loop is possible: ip link set %s type bridge stp_state 0 forward_delay 0",
        bridge->name);
    doctor_say(findings, DOCTOR_WARN, "network.stp", "spanning tree", mend,
               "%s runs STP: a VM's first packets are lost for %u s", bridge->name,
               2 * bridge->forward_delay_ms / 1000);
}

static void judge_bridges(const DoctorFacts *facts, GPtrArray *findings)
{
    if (facts->links_trouble) {
        doctor_say(findings, DOCTOR_NOTE, "network.bridges", "bridges", "run doctor as root",
                   "cannot be looked at: %s", facts->links_trouble);
        return;
    }
    guint before = findings->len, own = 0, fullest = 0;
    for (guint i = 0; i < facts->bridges->len; i++) {
        const DoctorBridge *bridge = g_ptr_array_index(facts->bridges, i);
        if (is_engines(bridge->name))
            continue;
        own++;
        fullest = MAX(fullest, bridge->ports);
        judge_ports(bridge, findings);
        judge_stp(bridge, findings);
    }
    if (own == 0)
        doctor_say(findings, DOCTOR_NOTE, "network.bridges", "bridges",
                   "nothing to do where the cloud makes them; by hand: ip link add br0 type bridge",
                   "there is none yet beside the engine's own");
    else if (findings->len == before)
        doctor_say(findings, DOCTOR_OK, "network.bridges", "bridges", NULL,
                   "%u beside the engine's own, the fullest with %u of %d ports in use", own,
                   fullest, BRIDGE_PORTS_MAX);
}

/* The names of bridges that get VERDICT; of one that is still to be made when there is none. */
static gchar *bridges_with(const DoctorFacts *facts, const char *rules, ForwardVerdict verdict)
{
    g_autoptr(GString) names = g_string_new(NULL);
    guint own = 0;
    for (guint i = 0; facts->bridges && i < facts->bridges->len; i++) {
        const DoctorBridge *bridge = g_ptr_array_index(facts->bridges, i);
        if (is_engines(bridge->name))
            continue;
        own++;
        if (forward_verdict(rules, bridge->name) == verdict)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", bridge->name);
    }
    if (own == 0 && forward_verdict(rules, "a-new-bridge") == verdict)
        g_string_append(names, "any new bridge");
    return g_string_free(g_steal_pointer(&names), FALSE);
}

typedef struct {
    const char *id, *title, *program, *sysctl;
} Family;

static void judge_rules(const DoctorFacts *facts, const Family *family, const char *rules,
                        GPtrArray *findings)
{
    g_autofree gchar *dropped = bridges_with(facts, rules, FORWARD_DROPS);
    g_autofree gchar *unsure = bridges_with(facts, rules, FORWARD_UNSURE);
    g_autofree gchar *mend = g_strdup_printf(CHAIN_MEND, family->program);
    if (*dropped)
        doctor_say(findings, DOCTOR_FAIL, family->id, family->title, mend,
                   "%s = 1 and the FORWARD chain drops: VM-to-VM traffic dies on %s",
                   family->sysctl, dropped);
    else if (*unsure)
        doctor_say(findings, DOCTOR_NOTE, family->id, family->title, mend,
                   "the FORWARD chain drops, and only some rules accept traffic on %s", unsure);
    else
        doctor_say(findings, DOCTOR_OK, family->id, family->title, NULL,
                   "the FORWARD chain lets traffic between VMs pass");
}

static void judge_forward(const DoctorFacts *facts, gsize i, GPtrArray *findings)
{
    static const Family families[] = {
        {"network.forward4", "IPv4 between VMs", "iptables", "net.bridge.bridge-nf-call-iptables"},
        {"network.forward6", "IPv6 between VMs", "ip6tables",
         "net.bridge.bridge-nf-call-ip6tables"}};
    const Family *family = &families[i];
    g_autofree gchar *mend =
        g_strdup_printf("only if networks use security groups: load the module "
                        "br_netfilter and set %s = 1",
                        family->sysctl);
    if (facts->bridge_nf[i] != 1)
        doctor_say(findings, DOCTOR_NOTE, family->id, family->title, mend,
                   "bridged traffic passes no %s rules, and OpenNebula's security groups do "
                   "nothing",
                   family->program);
    else if (!facts->rules[i].text)
        doctor_say(findings, DOCTOR_NOTE, family->id, family->title,
                   "run doctor as root with iptables installed",
                   "the FORWARD chain cannot be looked at: %s", facts->rules[i].unknown);
    else
        judge_rules(facts, family, facts->rules[i].text, findings);
}

static void judge_nft(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "network.nftables", *const title = "nftables between VMs";
    g_autoptr(json_t) ruleset = facts->nft.text ? json_loads(facts->nft.text, 0, NULL) : NULL;
    if (!ruleset) {
        doctor_say(findings, DOCTOR_NOTE, id, title, "run doctor as root with nft installed",
                   "chains of nftables' own cannot be looked at: %s",
                   facts->nft.text ? "nft printed no JSON" : facts->nft.unknown);
        return;
    }
    gboolean routed = facts->bridge_nf[0] == 1 || facts->bridge_nf[1] == 1;
    g_autoptr(GPtrArray) chains = forward_nft_drops(ruleset, routed);
    for (guint i = 0; i < chains->len; i++) {
        const char *chain = g_ptr_array_index(chains, i);
        g_autofree gchar *mend = g_strdup_printf(
            "unless its rules do so already, let traffic within the VMs' bridges pass there: "
            "nft add rule %s iifname BRIDGE oifname BRIDGE accept",
            chain);
        doctor_say(findings, DOCTOR_WARN, id, title, mend,
                   "the chain %s drops by policy, and traffic between VMs passes through it",
                   chain);
    }
    if (chains->len == 0)
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "no forward chain of nftables' own drops by policy");
}

static gint compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The VMs of WANTED that have not all of it in FOUND: "one-7, one-9"; "" when there is none. */
static gchar *unfiltered(GHashTable *wanted, GHashTable *found)
{
    g_autoptr(GPtrArray) vms = g_ptr_array_new();
    GHashTableIter iter;
    gpointer element, vm;
    g_hash_table_iter_init(&iter, wanted);
    while (g_hash_table_iter_next(&iter, &element, &vm))
        if (!g_hash_table_contains(found, element) &&
            !g_ptr_array_find_with_equal_func(vms, vm, g_str_equal, NULL))
            g_ptr_array_add(vms, vm);
    g_ptr_array_sort(vms, compare_texts);
    g_ptr_array_add(vms, NULL);
    return g_strjoinv(", ", (gchar **)vms->pdata);
}

static void judge_filter(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "network.filter", *const title = "vmdock's own filter";
    gboolean there = FALSE;
    if (!facts->filter_wanted || g_hash_table_size(facts->filter_wanted) == 0)
        return;
    g_autoptr(GHashTable) found =
        facts->nft.text ? nic_filter_listed(facts->nft.text, &there) : NULL;
    if (!found) {
        doctor_say(findings, DOCTOR_NOTE, id, title, "run doctor as root with nft installed",
                   "VMs are to be filtered, and whether they are cannot be looked at");
        return;
    }
    g_autofree gchar *vms = unfiltered(facts->filter_wanted, found);
    if (*vms)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "vmdock filter --all, and what empties the packet filter must call it",
                   "rules are missing, so that these VMs are not filtered as they are to be: %s",
                   vms);
    else if (facts->filter_marks && (facts->bridge_nf[0] != 1 || facts->bridge_nf[1] != 1))
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "set net.bridge.bridge-nf-call-iptables and -ip6tables to 1, or use a kernel "
                   "with nf_conntrack_bridge",
                   "bridged packets are not shown to the rules of IP: where security groups are "
                   "filtered no answer reaches its VM");
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "every VM that is to be filtered has its rules");
}

static void judge_ovs(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "network.openvswitch", *const title = "Open vSwitch";
    if (facts->ovs_vms == 0 && !facts->ovs_serves)
        return;
    if (facts->ovs.text)
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "version %s answers; VMs with NICs on it: %u",
                   *facts->ovs.text ? facts->ovs.text : "unknown", facts->ovs_vms);
    else
        doctor_say(findings, facts->ovs_vms > 0 ? DOCTOR_FAIL : DOCTOR_WARN, id, title,
                   "install openvswitch-switch, start it, and look at [openvswitch] in vmdock.conf",
                   "VMs with NICs on it: %u; it cannot be asked: %s", facts->ovs_vms,
                   facts->ovs.unknown);
}

static void judge_libvirt(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "network.libvirt", *const title = "libvirt";
    if (facts->libvirt.text)
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "libvirt %s answers; VMs with NICs on its networks: %u", facts->libvirt.text,
                   facts->libvirt_vms);
    else if (facts->libvirt.unknown)
        doctor_say(findings, facts->libvirt_vms > 0 ? DOCTOR_FAIL : DOCTOR_WARN, id, title,
                   "install libvirt's daemon and vmdock-libvirt, start it, and look at [libvirt] "
                   "in vmdock.conf",
                   "VMs with NICs on its networks: %u; it cannot be asked: %s", facts->libvirt_vms,
                   facts->libvirt.unknown);
}

/* A swarm's network is not there on a worker until a container is on it. */
static void judge_engine_networks(const DoctorFacts *facts, GPtrArray *findings)
{
    for (guint i = 0; facts->no_networks && i < facts->no_networks->len; i++) {
        const char *name = g_ptr_array_index(facts->no_networks, i);
        doctor_say(findings, DOCTOR_NOTE, "network.engine", "networks of the engine",
                   "docker network create; a swarm's network is fine, a worker knows it when a VM "
                   "is on it",
                   "[policy] engine_networks names %s, which the engine does not know", name);
    }
}

void doctor_judge_network(const DoctorFacts *facts, GPtrArray *findings)
{
    judge_bridges(facts, findings);
    judge_forward(facts, 0, findings);
    judge_forward(facts, 1, findings);
    judge_nft(facts, findings);
    judge_filter(facts, findings);
    judge_ovs(facts, findings);
    judge_libvirt(facts, findings);
    judge_engine_networks(facts, findings);
}

// SPDX-License-Identifier: Apache-2.0
/* The rules of vmdock's own filter: what they are, and that nftables takes them as they are meant.
 */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/nic_filter.h"
#include "driver/nic_filter_rules.h"
#include "driver/spec_opennebula.h"
#include "tests/unit/golden.h"
#include "tests/unit/netns.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const OpennebulaOptions options = {.max_size = 4194304, .terminal = TRUE};

static VmSpec *spec_of(const char *name)
{
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    g_autofree gchar *file = g_strdup_printf("opennebula/%s.xml", name);
    g_autofree gchar *path = golden_data(file);
    g_autofree gchar *xml = golden_read(path, &length);
    VmSpec *spec = spec_from_opennebula(xml, length, &options, &error);
    g_assert_no_error(error);
    return spec;
}

/* ---- pure ------------------------------------------------------------------------------------ */

static json_t *commands_of(const VmSpec *spec, VmFilter filter, const char *const *gone,
                           NicFilterTracking tracking)
{
    g_autoptr(json_t) rules = nic_filter_rules(spec->nics, filter, gone, tracking);
    return json_incref(json_object_get(rules, "nftables"));
}

static void test_golden(void)
{
    static const char *const gone[] = {"one-311-9", NULL};
    static const struct {
        const char *input, *golden;
        VmFilter filter;
        const char *const *gone;
        NicFilterTracking tracking;
    } cases[] = {
        {"one-nic", "one-nic.filter-spoofing", VM_FILTER_SPOOFING, NULL, NIC_FILTER_CONNTRACK},
        {"security-groups", "security-groups.filter-full", VM_FILTER_FULL, gone,
         NIC_FILTER_CONNTRACK},
        {"security-groups", "security-groups.filter-full-mark", VM_FILTER_FULL, NULL,
         NIC_FILTER_MARK},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(VmSpec) spec = spec_of(cases[i].input);
        g_autofree gchar *file = g_strdup_printf("golden/%s.json", cases[i].golden);
        g_autofree gchar *path = golden_data(file);
        g_assert_true(nic_filter_check(spec->nics, NULL));
        golden_compare_lines(path,
                             commands_of(spec, cases[i].filter, cases[i].gone, cases[i].tracking));
    }
}

static void refuse(const VmSpec *spec, VmdockError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(nic_filter_check(spec->nics, &error));
    g_assert_error(error, VMDOCK_ERROR, (gint)code);
    if (!strstr(error->message, words))
        g_error("\"%s\" has no \"%s\" in it", error->message, words);
}

static void rename_host_end(VmNic *nic, const char *name)
{
    g_free(nic->host_name);
    nic->host_name = g_strdup(name);
}

static void test_refused(void)
{
    static const char *const names[] = {"one-*", "@one", "a\"b", "a\\b", "é"};
    g_autoptr(VmSpec) spec = spec_of("one-nic");
    VmNic *nic = spec->nics->pdata[0];
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        rename_host_end(nic, names[i]);
        refuse(spec, VMDOCK_ERROR_SPEC, "name");
    }
    rename_host_end(nic, "tap0.5_x-1");
    g_assert_true(nic_filter_check(spec->nics, NULL));
    nic->has_mac = FALSE;
    refuse(spec, VMDOCK_ERROR_SPEC, "MAC");
    nic->has_mac = TRUE;
    g_free(nic->bridge_type);
    nic->bridge_type = g_strdup("openvswitch");
    refuse(spec, VMDOCK_ERROR_UNSUPPORTED, "cannot filter");
}

static void test_whichever_asks_for_more(void)
{
    static const struct {
        const char *host;
        VmFilter template, result;
    } cases[] = {
        {"off", VM_FILTER_OFF, VM_FILTER_OFF},
        {"off", VM_FILTER_FULL, VM_FILTER_FULL},
        {"spoofing", VM_FILTER_OFF, VM_FILTER_SPOOFING},
        {"full", VM_FILTER_SPOOFING, VM_FILTER_FULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Config config = {.network_filter = (gchar *)cases[i].host};
        const VmSpec spec = {.filter = cases[i].template};
        g_assert_cmpint(nic_filter_of(&config, &spec), ==, cases[i].result);
    }
}

/* Without groups of the cloud's there is nothing to track, and no word of connections. */
static void test_no_groups(void)
{
    g_autoptr(VmSpec) spec = spec_of("one-nic");
    vm_nic_set_rules(spec->nics->pdata[0], NULL);
    g_assert_false(nic_filter_tracks(spec->nics, VM_FILTER_FULL));
    g_autoptr(json_t) commands = commands_of(spec, VM_FILTER_FULL, NULL, NIC_FILTER_MARK);
    char *text = json_dumps(commands, 0);
    g_assert_null(strstr(text, "\"ct\""));
    g_assert_null(strstr(text, "inet"));
    free(text);
}

static void test_listing(void)
{
    gboolean there = TRUE;
    g_assert_null(nic_filter_listed("nonsense", &there));
    g_autoptr(GHashTable) none = nic_filter_listed("{\"nftables\": [{\"metainfo\": {}}]}", &there);
    g_assert_cmpuint(g_hash_table_size(none), ==, 0);
    g_assert_false(there);
    g_autoptr(GHashTable) some = nic_filter_listed(
        "{\"nftables\": [{\"table\": {\"family\": \"bridge\", \"name\": \"vmdock\"}},"
        "{\"map\": {\"family\": \"bridge\", \"table\": \"vmdock\", \"name\": \"spoofing\","
        "\"elem\": [[\"a\", {\"goto\": {\"target\": \"a-spoofing\"}}], [7, 8], 9]}},"
        "{\"map\": {\"family\": \"bridge\", \"table\": \"other\", \"name\": \"spoofing\","
        "\"elem\": [[\"b\", null]]}},"
        "{\"map\": {\"family\": \"bridge\", \"table\": \"vmdock\", \"elem\": [[\"c\", null]]}}]}",
        &there);
    g_assert_true(there);
    g_assert_cmpuint(g_hash_table_size(some), ==, 1);
    g_assert_true(g_hash_table_contains(some, "spoofing a"));
    g_assert_cmpstr(nic_filter_port("spoofing a"), ==, "a");
}

/* ---- with nftables ----------------------------------------------------------------------------
 */

static GHashTable *in_kernel(gboolean *there)
{
    g_autofree gchar *listing = netns_output("nft -j list ruleset");
    GHashTable *elements = nic_filter_listed(listing, there);
    g_assert_nonnull(elements);
    return elements;
}

/* What the kernel has is what SPEC asks for, and nothing else. */
static void expect_elements(const VmSpec *spec, VmFilter filter)
{
    gboolean there;
    g_autoptr(GHashTable) expected = nic_filter_elements(spec->nics, filter);
    g_autoptr(GHashTable) found = in_kernel(&there);
    GHashTableIter iter;
    gpointer element;
    g_hash_table_iter_init(&iter, expected);
    while (g_hash_table_iter_next(&iter, &element, NULL))
        if (!g_hash_table_contains(found, element))
            g_error("not there: %s", (const char *)element);
    g_assert_cmpuint(g_hash_table_size(found), ==, g_hash_table_size(expected));
}

static void apply(const Config *config, const VmSpec *spec)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(nic_filter_apply(config, spec, &error));
    g_assert_no_error(error);
}

static gchar *listed(void)
{
    return netns_output("nft -s list ruleset");
}

static void test_applied(void)
{
    Config config = netns_config();
    g_autoptr(VmSpec) spec = spec_of("security-groups");
    apply(&config, spec);
    expect_elements(spec, VM_FILTER_FULL);
    g_autofree gchar *once = listed();
    apply(&config, spec);
    g_autofree gchar *twice = listed();
    g_assert_cmpstr(once, ==, twice);
    /* A NIC fewer, and less of the others. */
    spec->filter = VM_FILTER_SPOOFING;
    g_ptr_array_remove_index(spec->nics, 1);
    apply(&config, spec);
    expect_elements(spec, VM_FILTER_SPOOFING);
    g_assert_true(nic_filter_keep(&config, spec->deploy_id, NULL, NULL));
    g_assert_null(nic_filter_ports(&config, spec->deploy_id));
    g_autoptr(VmSpec) none = vm_spec_new();
    expect_elements(none, VM_FILTER_OFF);
    g_autofree gchar *chains = netns_output("nft list chains bridge");
    g_assert_null(strstr(chains, "one-311"));
}

static void test_beside_others(void)
{
    Config config = netns_config();
    netns_run("nft add table bridge opennebula");
    netns_run("nft add table bridge vmdockish");
    g_autoptr(VmSpec) one = spec_of("one-nic"), other = spec_of("security-groups");
    one->filter = VM_FILTER_SPOOFING;
    apply(&config, one);
    apply(&config, other);
    g_assert_true(nic_filter_keep(&config, other->deploy_id, NULL, NULL));
    expect_elements(one, VM_FILTER_SPOOFING);
    g_assert_true(nic_filter_keep(&config, one->deploy_id, NULL, NULL));
    g_autofree gchar *tables = netns_output("nft list tables");
    g_assert_nonnull(strstr(tables, "bridge opennebula"));
    g_assert_nonnull(strstr(tables, "bridge vmdockish"));
}

static void test_strays(void)
{
    Config config = netns_config();
    g_autoptr(VmSpec) one = spec_of("one-nic"), other = spec_of("security-groups");
    one->filter = VM_FILTER_SPOOFING;
    apply(&config, one);
    apply(&config, other);
    g_autoptr(GHashTable) links = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) none = nic_filter_strays(&config, links, TRUE, NULL);
    g_assert_cmpuint(none->len, ==, 0);
    /* The run folder is wiped: of what nobody knows any more, a port that is there keeps its rules.
     */
    netns_run("rm -rf /run/vmdock");
    g_hash_table_add(links, (gpointer)((const VmNic *)one->nics->pdata[0])->host_name);
    g_autoptr(GPtrArray) strays = nic_filter_strays(&config, links, FALSE, NULL);
    g_assert_cmpuint(strays->len, ==, other->nics->len);
    g_autoptr(GPtrArray) gone = nic_filter_strays(&config, links, TRUE, NULL);
    g_assert_cmpuint(gone->len, ==, other->nics->len);
    expect_elements(one, VM_FILTER_SPOOFING);
    g_hash_table_remove_all(links);
    g_autoptr(GPtrArray) last = nic_filter_strays(&config, links, TRUE, NULL);
    g_assert_cmpuint(last->len, ==, one->nics->len);
    gboolean there = TRUE;
    g_autoptr(GHashTable) left = in_kernel(&there);
    g_assert_false(there);
}

/* A transaction that fails, and a program that is not there, change nothing, notes included. */
static void test_failure(void)
{
    Config config = netns_config();
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_of("one-nic");
    spec->filter = VM_FILTER_SPOOFING;
    config.network_nft = (gchar *)"/nonexistent/nft";
    g_assert_false(nic_filter_apply(&config, spec, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, "/nonexistent/nft"));
    g_assert_null(nic_filter_ports(&config, spec->deploy_id));
    g_clear_error(&error);
    config.network_nft = (gchar *)"/usr/sbin/nft";
    /* Somebody has a table of our name whose map is another. */
    netns_run("nft add table bridge vmdock");
    netns_run("nft add map bridge vmdock spoofing { type ipv4_addr : verdict ; }");
    g_assert_false(nic_filter_apply(&config, spec, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED);
    g_assert_null(strchr(error->message, '\n'));
    g_assert_null(nic_filter_ports(&config, spec->deploy_id));
    netns_run("nft delete table bridge vmdock");
    g_clear_error(&error);
    /* One that does not end: what it may have done stays noted. */
    config.network_nft_ms = 200;
    g_assert_true(g_file_set_contents("/run/slow", "#!/bin/sh\nexec sleep 60\n", -1, NULL));
    netns_run("chmod 755 /run/slow");
    config.network_nft = (gchar *)"/run/slow";
    g_assert_false(nic_filter_apply(&config, spec, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK);
    g_auto(GStrv) ports = nic_filter_ports(&config, spec->deploy_id);
    g_assert_nonnull(ports);
    config.network_nft = (gchar *)"/usr/sbin/nft";
    config.network_nft_ms = 10000;
    g_assert_true(nic_filter_keep(&config, spec->deploy_id, NULL, NULL));
}

static gboolean apply_to(const Config *config, const char *name, guint number, gboolean filtered)
{
    g_autoptr(VmSpec) spec = spec_of(name);
    g_autofree gchar *host_name = g_strdup_printf("one-%u-0", number);
    g_free(spec->deploy_id);
    spec->deploy_id = g_strdup_printf("one-%u", number);
    rename_host_end(spec->nics->pdata[0], host_name);
    spec->filter = filtered ? VM_FILTER_FULL : VM_FILTER_OFF;
    return nic_filter_apply(config, spec, NULL);
}

/* Processes of their own, as actions are. Each VM has one NIC. */
static void run_apart(const Config *config, const char *name, guint count, gboolean filtered)
{
    pid_t pids[64];
    g_assert_cmpuint(count, <=, G_N_ELEMENTS(pids));
    for (guint i = 0; i < count; i++) {
        pids[i] = fork();
        g_assert_cmpint(pids[i], >=, 0);
        if (pids[i] == 0)
            _exit(apply_to(config, name, i, filtered) ? 0 : 1);
    }
    for (guint i = 0; i < count; i++) {
        int status = 0;
        g_assert_cmpint(waitpid(pids[i], &status, 0), ==, pids[i]);
        g_assert_cmpint(status, ==, 0);
    }
}

/* Nobody loses another's rules, and nobody's stay. */
static void test_many_at_once(void)
{
    enum { MANY = 50 };
    Config config = netns_config();
    gboolean there;
    run_apart(&config, "one-nic", MANY, TRUE);
    g_autoptr(GHashTable) all = in_kernel(&there);
    g_assert_cmpuint(g_hash_table_size(all), ==, 3 * MANY);
    run_apart(&config, "one-nic", MANY, FALSE);
    g_autoptr(GHashTable) none = in_kernel(&there);
    g_assert_cmpuint(g_hash_table_size(none), ==, 0);
    g_autoptr(GPtrArray) owners = nic_filter_owners(&config);
    g_assert_cmpuint(owners->len, ==, 0);
}

/* Off is off: no program, no file. */
static void test_off(void)
{
    Config config = netns_config();
    config.network_nft = (gchar *)"/nonexistent/nft";
    g_autoptr(VmSpec) spec = spec_of("one-nic");
    netns_run("rm -rf /run/vmdock");
    apply(&config, spec);
    g_assert_true(nic_filter_keep(&config, spec->deploy_id, NULL, NULL));
    g_assert_false(g_file_test("/run/vmdock", G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nic_filter/golden", test_golden);
    g_test_add_func("/nic_filter/refused", test_refused);
    g_test_add_func("/nic_filter/whichever", test_whichever_asks_for_more);
    g_test_add_func("/nic_filter/no_groups", test_no_groups);
    g_test_add_func("/nic_filter/listing", test_listing);
    if (netns_enter()) {
        g_test_add_func("/nic_filter/applied", test_applied);
        g_test_add_func("/nic_filter/beside_others", test_beside_others);
        g_test_add_func("/nic_filter/strays", test_strays);
        g_test_add_func("/nic_filter/failure", test_failure);
        g_test_add_func("/nic_filter/many_at_once", test_many_at_once);
        g_test_add_func("/nic_filter/off", test_off);
    }
    return g_test_run();
}

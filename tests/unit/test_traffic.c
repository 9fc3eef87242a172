// SPDX-License-Identifier: Apache-2.0
/* Whose a link is, and when links must be listed to know it. */
#include "driver/nic.h"
#include "driver/traffic.h"

#include <string.h>

#define PLACE "0b1a-boot 7"

enum { SETTLED_US = 60 * G_USEC_PER_SEC, NOW = 1000 * G_USEC_PER_SEC };

typedef struct {
    LinkOwners *before, *owners;
    GHashTable *traffic;
    GArray *counters;
} Links;

static void set_up(Links *links, gconstpointer data)
{
    (void)data;
    links->before = link_owners_new(PLACE);
    links->owners = link_owners_new(PLACE);
    links->traffic = traffic_new();
    links->counters = g_array_new(FALSE, TRUE, sizeof(NetlinkCounters));
}

static void tear_down(Links *links, gconstpointer data)
{
    (void)data;
    link_owners_free(links->before);
    link_owners_free(links->owners);
    g_hash_table_unref(links->traffic);
    g_array_unref(links->counters);
}

static void count(Links *links, gint index, guint64 rx_bytes, guint64 tx_bytes)
{
    NetlinkCounters one = {index, rx_bytes, tx_bytes};
    g_array_append_val(links->counters, one);
}

/* A link as the listing of NOW tells it; its counters stand in the next reading of counters too. */
static void learn(Links *links, gint index, const char *kind, const char *alias, guint64 rx_bytes,
                  guint64 tx_bytes, gint64 now_us)
{
    NetlinkLink link = {.index = index, .rx_bytes = rx_bytes, .tx_bytes = tx_bytes};
    g_strlcpy(link.kind, kind, sizeof link.kind);
    g_strlcpy(link.alias, alias, sizeof link.alias);
    link_owners_learn(links->owners, links->before, &link, now_us, links->traffic);
    count(links, index, rx_bytes, tx_bytes);
}

/* The listing is what was known before, now. */
static void turn(Links *links)
{
    link_owners_free(links->before);
    links->before = g_steal_pointer(&links->owners);
    links->owners = link_owners_new(PLACE);
    g_hash_table_remove_all(links->traffic);
}

static gboolean sum(Links *links, gint64 now_us)
{
    return link_owners_sum(links->before, links->counters, now_us, links->traffic);
}

static void assert_traffic(const Links *links, const char *deploy_id, guint64 rx, guint64 tx)
{
    const Traffic *traffic = g_hash_table_lookup(links->traffic, deploy_id);
    g_assert_nonnull(traffic);
    g_assert_cmpuint(traffic->rx, ==, rx);
    g_assert_cmpuint(traffic->tx, ==, tx);
}

static void list_all(Links *links, gint64 now_us)
{
    learn(links, 1, "", "", 1000, 1000, now_us);
    learn(links, 2, "bridge", "one-1", 1000, 1000, now_us);
    learn(links, 5, "veth", NIC_ALIAS_PREFIX "one-1", 10, 200, now_us); /* two NICs of one VM */
    learn(links, 6, "veth", NIC_ALIAS_PREFIX "one-1", 1, 2, now_us);
    learn(links, 7, "veth", NIC_ALIAS_PREFIX "one-2", 3, 4, now_us);
    learn(links, 8, "veth", NIC_ALIAS_PREFIX "one-11", 9, 9, now_us);
    learn(links, 9, "ifb", NIC_ALIAS_PREFIX "one-1", 1000, 1000, now_us);
    learn(links, 10, "veth", NIC_ALIAS_PREFIX "no id", 1000, 1000, now_us);
}

static void assert_all(const Links *links)
{
    /* What the host's end sent. */
    assert_traffic(links, "one-1", 202, 11);
    assert_traffic(links, "one-2", 4, 3);
    assert_traffic(links, "one-11", 9, 9);
    g_assert_cmpuint(g_hash_table_size(links->traffic), ==, 3);
}

static void test_listing(Links *links, gconstpointer data)
{
    (void)data;
    list_all(links, NOW);
    assert_all(links);
}

/* The counters alone give the same, once nobody's links are surely nobody's. */
static void test_counters(Links *links, gconstpointer data)
{
    (void)data;
    list_all(links, NOW);
    turn(links);
    g_assert_false(sum(links, NOW + SETTLED_US - 1));
    g_assert_cmpuint(g_hash_table_size(links->traffic), ==, 0);
    g_assert_true(sum(links, NOW + SETTLED_US));
    assert_all(links);
}

/* Listed again in the meantime, they are nobody's since the first time. */
static void test_listed_again(Links *links, gconstpointer data)
{
    (void)data;
    list_all(links, NOW);
    turn(links);
    g_array_set_size(links->counters, 0);
    list_all(links, NOW + SETTLED_US / 2);
    turn(links);
    g_assert_true(sum(links, NOW + SETTLED_US));
    assert_all(links);
}

/* A NIC is nobody's for the moment between its making and its alias. */
static void test_alias_comes_late(Links *links, gconstpointer data)
{
    (void)data;
    learn(links, 5, "veth", "", 0, 0, NOW);
    turn(links);
    g_assert_false(sum(links, NOW + 1));
    g_array_set_size(links->counters, 0);
    learn(links, 5, "veth", NIC_ALIAS_PREFIX "one-1", 1, 2, NOW + 1);
    turn(links);
    g_assert_true(sum(links, NOW + 2));
    assert_traffic(links, "one-1", 2, 1);
}

/* Of another kind than a NIC, it never becomes one. */
static void test_what_is_no_nic(Links *links, gconstpointer data)
{
    (void)data;
    learn(links, 1, "", "", 7, 7, NOW);
    learn(links, 4, "bridge", "", 9, 9, NOW);
    turn(links);
    g_assert_true(sum(links, NOW));
    g_assert_cmpuint(g_hash_table_size(links->traffic), ==, 0);
}

static void test_other_links(Links *links, gconstpointer data)
{
    (void)data;
    learn(links, 5, "veth", NIC_ALIAS_PREFIX "one-1", 1, 2, NOW);
    learn(links, 6, "veth", NIC_ALIAS_PREFIX "one-2", 1, 2, NOW);
    turn(links);
    g_assert_true(sum(links, NOW));
    count(links, 7, 0, 0); /* one more */
    g_assert_false(sum(links, NOW));
    g_array_set_size(links->counters, 1); /* one less */
    g_assert_false(sum(links, NOW));
    count(links, 7, 0, 0); /* another one */
    g_assert_false(sum(links, NOW));
}

static void reread(Links *links, const char *text, gssize length)
{
    link_owners_free(links->before);
    links->before = link_owners_new(PLACE);
    link_owners_parse(links->before, text, length < 0 ? strlen(text) : (gsize)length);
}

static void test_file(Links *links, gconstpointer data)
{
    (void)data;
    list_all(links, NOW);
    g_autofree gchar *text = link_owners_format(links->owners);
    turn(links);
    reread(links, text, -1);
    g_autofree gchar *again = link_owners_format(links->before);
    g_assert_cmpstr(again, ==, text);
    g_assert_true(sum(links, NOW + SETTLED_US));
    assert_all(links);
}

static void test_other_place(Links *links, gconstpointer data)
{
    (void)data;
    g_autoptr(LinkOwners) other = link_owners_new("0b1a-boot 8");
    learn(links, 5, "veth", NIC_ALIAS_PREFIX "one-1", 1, 2, NOW);
    turn(links);
    g_autofree gchar *text = link_owners_format(links->before);
    link_owners_parse(other, text, strlen(text));
    g_assert_false(link_owners_sum(other, links->counters, NOW, links->traffic));
}

static void test_damage(Links *links, gconstpointer data)
{
    (void)data;
    static const char *const damaged[] = {
        "",
        "5 0 one-1\n",
        "vmdock-links 1 " PLACE "\n",
        "vmdock-links 1 " PLACE "\n0 0 one-1\n",
        "vmdock-links 1 " PLACE "\n4294967301 0 one-1\n",
        "vmdock-links 1 " PLACE "\n5 0 ../one-1\n",
        "vmdock-links 1 " PLACE "\n5 -1 one-1\n",
        "vmdock-links 1 " PLACE "\n5 one-1\n",
        "vmdock-links 1 " PLACE "\n5 0 one-1 x\n",
        "vmdock-links 2 " PLACE "\n5 0 one-1\n",
    };
    count(links, 5, 1, 2);
    for (gsize i = 0; i < G_N_ELEMENTS(damaged); i++) {
        reread(links, damaged[i], -1);
        g_assert_false(sum(links, NOW));
    }
    reread(links, "vmdock-links 1 " PLACE "\n5 0 one-1", -1);
    g_assert_true(sum(links, NOW));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add("/traffic/" name, Links, NULL, set_up, test, tear_down)
    ADD("listing", test_listing);
    ADD("counters", test_counters);
    ADD("listed-again", test_listed_again);
    ADD("alias-comes-late", test_alias_comes_late);
    ADD("what-is-no-nic", test_what_is_no_nic);
    ADD("other-links", test_other_links);
    ADD("file", test_file);
    ADD("other-place", test_other_place);
    ADD("damage", test_damage);
#undef ADD
    return g_test_run();
}

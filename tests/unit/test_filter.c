// SPDX-License-Identifier: Apache-2.0
/* What of a packet filter's rules is a VM's; the rules are those of OpenNebula 7.4's security
 * groups. */
#include "driver/filter.h"

static const char rules[] =
    "-P INPUT ACCEPT\n"
    "-P FORWARD DROP\n"
    "-N one-26-0-i\n"
    "-N one-26-0-o\n"
    "-N one-261-0-i\n"
    "-N one-26-0-x\n"
    "-N one-26\n"
    "-N opennebula\n"
    "-A INPUT -m physdev --physdev-in one-26-0 -j one-26-0-o\n"
    "-A FORWARD -m physdev --physdev-is-bridged -j opennebula\n"
    "-A one-26-0-i -m state --state RELATED,ESTABLISHED -j RETURN\n"
    "-A one-26-0-i -j DROP\n"
    "-A one-26-0-o -m set ! --match-set one-26-0-ip-spoofing src -j DROP\n"
    "-A opennebula -m physdev --physdev-out one-261-0 --physdev-is-bridged -j one-261-0-i\n"
    "-A opennebula -m physdev --physdev-out one-26-0 --physdev-is-bridged -j one-26-0-i\n"
    "-A opennebula -m comment --comment \"x -j one-26-0-i\" -j ACCEPT\n"
    "-A opennebula -j ACCEPT\n";

static void test_removal(void)
{
    g_autofree gchar *text = filter_removal(rules, "one-26");
    g_assert_cmpstr(
        text, ==,
        "*filter\n"
        "-D INPUT -m physdev --physdev-in one-26-0 -j one-26-0-o\n"
        "-D opennebula -m physdev --physdev-out one-26-0 --physdev-is-bridged -j one-26-0-i\n"
        "-F one-26-0-i\n"
        "-F one-26-0-o\n"
        "-X one-26-0-i\n"
        "-X one-26-0-o\n"
        "COMMIT\n");
}

static void test_nothing_to_remove(void)
{
    g_assert_null(filter_removal(rules, "one-2"));
    g_assert_null(filter_removal(rules, "one-6"));
    g_assert_null(filter_removal("", "one-26"));
}

static void test_sets(void)
{
    g_auto(GStrv) sets =
        filter_sets("one-26-0-ip-spoofing\none-261-0-ip-spoofing\none-26-1-100-i-nr-inet\n"
                    "one-26-x\nother\n",
                    "one-26");
    g_autofree gchar *text = g_strjoinv(" ", sets);
    g_assert_cmpstr(text, ==, "one-26-0-ip-spoofing one-26-1-100-i-nr-inet");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/filter/removal", test_removal);
    g_test_add_func("/filter/nothing", test_nothing_to_remove);
    g_test_add_func("/filter/sets", test_sets);
    return g_test_run();
}

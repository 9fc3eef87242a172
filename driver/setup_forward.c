// SPDX-License-Identifier: Apache-2.0
#include "setup_forward.h"

#include "autoptr.h"
#include "doctor_forward.h"
#include "setup_run.h"

#include <string.h>

#define CHAIN "opennebula"

/*
 * One transaction: there is no moment at which the chain is there and nothing leads to it, which
 * OpenNebula would take for a host whose security groups are in force. It fails as a whole when
 * OpenNebula has been quicker.
 */
static const char rules_to_add[] = "*filter\n"
                                   "-N " CHAIN "\n"
                                   "-A " CHAIN " -j ACCEPT\n"
                                   "-A FORWARD -m physdev --physdev-is-bridged -j " CHAIN "\n"
                                   "COMMIT\n";

static const struct {
    const char *program, *restore, *sysctl;
} families[FORWARD_FAMILIES] = {
    {"iptables", "iptables-restore", "net/bridge/bridge-nf-call-iptables"},
    {"ip6tables", "ip6tables-restore", "net/bridge/bridge-nf-call-ip6tables"},
};

static gboolean has_chain(const char *rules)
{
    g_auto(GStrv) lines = g_strsplit(rules, "\n", -1);
    return g_strv_contains((const gchar *const *)lines, "-N " CHAIN);
}

ForwardNeed setup_forward_need(int bridge_nf, const char *rules)
{
    if (bridge_nf != 1)
        return FORWARD_NOT_FILTERED;
    /* The name of a bridge that no rule knows. */
    if (forward_verdict(rules, "a-new-bridge") == FORWARD_ACCEPTS)
        return FORWARD_PASSES;
    return has_chain(rules) ? FORWARD_HAS_CHAIN : FORWARD_NEEDS_CHAIN;
}

static int bridge_nf(const char *name)
{
    g_autofree gchar *path = g_build_filename("/proc/sys", name, NULL);
    g_autofree gchar *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? (int)g_ascii_strtoll(text, NULL, 10) : -1;
}

static gboolean look(gsize i, ForwardNeed *need, GError **error)
{
    const char *const list[] = {families[i].program, "-w", "5", "-S", NULL};
    int nf = bridge_nf(families[i].sysctl);
    g_autofree gchar *rules = nf == 1 ? setup_run(list, 0, error) : g_strdup("");
    if (!rules)
        return FALSE;
    *need = setup_forward_need(nf, rules);
    return TRUE;
}

static gboolean add_chain(gsize i, GError **error)
{
    autofd int fd = setup_text_fd(rules_to_add, error);
    if (fd < 0)
        return FALSE;
    g_autofree gchar *path = g_strdup_printf("/proc/self/fd/%d", fd);
    const char *const restore[] = {families[i].restore, "--noflush", "-w", "5", path, NULL};
    g_autofree gchar *said = setup_run(restore, 0, error);
    return said != NULL;
}

gboolean setup_forward(gboolean dry_run, ForwardState states[FORWARD_FAMILIES], GError **error)
{
    for (gsize i = 0; i < FORWARD_FAMILIES; i++) {
        states[i].program = families[i].program;
        if (!look(i, &states[i].need, error))
            return FALSE;
        if (states[i].need == FORWARD_NEEDS_CHAIN && !dry_run && !add_chain(i, error)) {
            g_prefix_error(error, "the chain " CHAIN " cannot be made: ");
            return FALSE;
        }
    }
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
#include "filter.h"

#include "autoptr.h"
#include "log.h"
#include "setup_run.h"

#include <string.h>

/* Behind "one-7-" of "one-7-0-i"; NULL when NAME is none of the VM's. */
static const char *after_nic(const char *name, const char *deploy_id)
{
    gsize length = strlen(deploy_id);
    if (strncmp(name, deploy_id, length) != 0 || name[length] != '-')
        return NULL;
    const char *nic = name + length + 1;
    gsize digits = strspn(nic, "0123456789");
    return digits > 0 && nic[digits] == '-' ? nic + digits + 1 : NULL;
}

static gboolean is_chain(const char *name, const char *deploy_id)
{
    const char *direction = after_nic(name, deploy_id);
    return direction && (strcmp(direction, "i") == 0 || strcmp(direction, "o") == 0);
}

/* Where a rule leads to: the word behind its -j. */
static const char *target_of(const char *rule)
{
    const char *jump = g_strrstr(rule, " -j ");
    return jump ? jump + strlen(" -j ") : "";
}

gchar *filter_removal(const char *rules, const char *deploy_id)
{
    g_auto(GStrv) lines = g_strsplit(rules, "\n", -1);
    g_autoptr(GString) leading = g_string_new(NULL);
    g_autoptr(GString) flushed = g_string_new(NULL);
    g_autoptr(GString) removed = g_string_new(NULL);
    for (gsize i = 0; lines[i]; i++) {
        const char *line = lines[i];
        if (g_str_has_prefix(line, "-N ") && is_chain(line + 3, deploy_id)) {
            g_string_append_printf(flushed, "-F %s\n", line + 3);
            g_string_append_printf(removed, "-X %s\n", line + 3);
        } else if (g_str_has_prefix(line, "-A ") && is_chain(target_of(line), deploy_id)) {
            g_string_append_printf(leading, "-D %s\n", line + 3);
        }
    }
    if (removed->len == 0)
        return NULL;
    return g_strconcat("*filter\n", leading->str, flushed->str, removed->str, "COMMIT\n", NULL);
}

GStrv filter_sets(const char *names, const char *deploy_id)
{
    g_auto(GStrv) lines = g_strsplit(names, "\n", -1);
    g_autoptr(GStrvBuilder) sets = g_strv_builder_new();
    for (gsize i = 0; lines[i]; i++)
        if (after_nic(lines[i], deploy_id))
            g_strv_builder_add(sets, lines[i]);
    return g_strv_builder_end(sets);
}

static void complain(const char *deploy_id, const GError *failure)
{
    log_warn("VM %s: the rules of its NICs stay in the packet filter: %s", deploy_id,
             failure->message);
}

static void clear_rules(const char *program, const char *restore, const char *deploy_id)
{
    const char *const list[] = {program, "-w", "5", "-S", NULL};
    g_autofree gchar *rules = setup_run(list, 0, NULL);
    g_autofree gchar *text = rules ? filter_removal(rules, deploy_id) : NULL;
    if (!text)
        return;
    g_autoptr(GError) failure = NULL;
    autofd int fd = setup_text_fd(text, &failure);
    g_autofree gchar *path = g_strdup_printf("/proc/self/fd/%d", fd);
    const char *const apply[] = {restore, "--noflush", "-w", "5", path, NULL};
    g_autofree gchar *said = fd < 0 ? NULL : setup_run(apply, 0, &failure);
    if (!said)
        complain(deploy_id, failure);
}

static void clear_sets(const char *deploy_id)
{
    static const char *const list[] = {"ipset", "list", "-n", NULL};
    g_autofree gchar *names = setup_run(list, 0, NULL);
    g_auto(GStrv) sets = filter_sets(names ? names : "", deploy_id);
    for (gsize i = 0; sets[i]; i++) {
        g_autoptr(GError) failure = NULL;
        const char *const destroy[] = {"ipset", "destroy", sets[i], NULL};
        g_autofree gchar *said = setup_run(destroy, 0, &failure);
        if (!said)
            complain(deploy_id, failure);
    }
}

void filter_clear(const char *deploy_id)
{
    if (!g_str_has_prefix(deploy_id, "one-"))
        return;
    clear_rules("iptables", "iptables-restore", deploy_id);
    clear_rules("ip6tables", "ip6tables-restore", deploy_id);
    clear_sets(deploy_id);
}

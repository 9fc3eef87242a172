// SPDX-License-Identifier: Apache-2.0
#include "filter.h"

#include "log.h"
#include "program.h"

#include <string.h>
#include <sys/wait.h>

enum { MAX_WORDS = 400, LOCKED = 4 /* how iptables ends that did not get its lock */ };

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

/* What ARGV prints, or NULL with ERROR in its own words; UNSUPPORTED when it is not installed, or
 * says no: the kernel may have no such thing. */
static gchar *run(const Config *config, const char *const *argv, const char *input, GError **error)
{
    g_autofree gchar *out = NULL;
    g_autofree gchar *said = NULL;
    int status = 0;
    if (!program_run(argv, input, config->opennebula_filter_ms, VMDOCK_ERROR_IO, &out, &said,
                     &status, error))
        return NULL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return g_steal_pointer(&out);
    g_autofree gchar *words = vmdock_one_line(said, MAX_WORDS);
    gboolean late = WIFEXITED(status) && WEXITSTATUS(status) == LOCKED;
    g_set_error(error, VMDOCK_ERROR, late ? VMDOCK_ERROR_IO : VMDOCK_ERROR_UNSUPPORTED, "%s: %s",
                argv[0], *words ? words : "it failed");
    return NULL;
}

/* What a look at the filter prints; NULL on a host that has none, or with a line in the log. */
static gchar *look(const Config *config, const char *deploy_id, const char *const *argv)
{
    g_autoptr(GError) failure = NULL;
    gchar *out = run(config, argv, NULL, &failure);
    if (failure && !vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED))
        complain(deploy_id, failure);
    return out;
}

static void change(const Config *config, const char *deploy_id, const char *const *argv,
                   const char *input)
{
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *out = run(config, argv, input, &failure);
    if (!out)
        complain(deploy_id, failure);
}

static void clear_rules(const Config *config, const char *deploy_id, const char *program,
                        const char *restore)
{
    /* Others hold its lock for a moment: it is waited for as long as there is time. */
    g_autofree gchar *seconds =
        g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)config->opennebula_filter_ms / 1000);
    const char *const list[] = {program, "-w", seconds, "-S", NULL};
    const char *const apply[] = {restore, "--noflush", "-w", seconds, NULL};
    g_autofree gchar *rules = look(config, deploy_id, list);
    g_autofree gchar *text = rules ? filter_removal(rules, deploy_id) : NULL;
    if (text)
        change(config, deploy_id, apply, text);
}

static void clear_sets(const Config *config, const char *deploy_id)
{
    static const char *const list[] = {"ipset", "list", "-n", NULL};
    g_autofree gchar *names = look(config, deploy_id, list);
    g_auto(GStrv) sets = filter_sets(names ? names : "", deploy_id);
    for (gsize i = 0; sets[i]; i++) {
        const char *const destroy[] = {"ipset", "destroy", sets[i], NULL};
        change(config, deploy_id, destroy, NULL);
    }
}

void filter_clear(const Config *config, const char *deploy_id)
{
    if (!g_str_has_prefix(deploy_id, "one-"))
        return;
    clear_rules(config, deploy_id, "iptables", "iptables-restore");
    clear_rules(config, deploy_id, "ip6tables", "ip6tables-restore");
    clear_sets(config, deploy_id);
}

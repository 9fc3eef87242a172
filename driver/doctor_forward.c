// SPDX-License-Identifier: Apache-2.0
#include "doctor_forward.h"

#include <string.h>

/* The kernel takes no loop of chains, but chains that call others twice grow without bound. */
enum { MAX_DEPTH = 32, MAX_STEPS = 100000 };

typedef enum { MATCH_NO, MATCH_MAYBE, MATCH_YES } Match;
typedef enum { FATE_NONE, FATE_ACCEPT, FATE_DROP, FATE_RETURN } Fate;

typedef struct {
    const char *bridge;
    GHashTable *chains; /* name -> GPtrArray of GStrv: the words of each rule after "-A name" */
    gboolean policy_drops;
    gboolean maybe_accepted;
    guint steps; /* rules looked at so far */
} Table;

static void free_rule(gpointer rule)
{
    g_strfreev(rule);
}

static GPtrArray *chain_of(Table *table, const char *name)
{
    GPtrArray *rules = g_hash_table_lookup(table->chains, name);
    if (!rules) {
        rules = g_ptr_array_new_with_free_func(free_rule);
        g_hash_table_insert(table->chains, g_strdup(name), rules);
    }
    return rules;
}

static void take_line(Table *table, const char *line)
{
    g_auto(GStrv) words = NULL;
    gint count = 0;
    if (!g_shell_parse_argv(line, &count, &words, NULL) || count < 2)
        return;
    if (g_str_equal(words[0], "-P") && g_str_equal(words[1], "FORWARD"))
        table->policy_drops = count > 2 && g_str_equal(words[2], "DROP");
    else if (g_str_equal(words[0], "-A"))
        g_ptr_array_add(chain_of(table, words[1]), g_strdupv(words + 2));
}

/* iptables' own wildcard: "one-+". PORT is a name, or the beginning that all such names share. */
static gboolean interface_matches(const char *pattern, const char *name)
{
    gsize length = strlen(pattern);
    if (length > 0 && pattern[length - 1] == '+')
        return strncmp(pattern, name, length - 1) == 0;
    return g_str_equal(pattern, name);
}

static Match yes_if(gboolean condition)
{
    return condition ? MATCH_YES : MATCH_NO;
}

/* One condition of a rule: OPTION with its VALUE ("" if none). */
static Match match_option(const Table *table, const char *option, const char *value)
{
    if (g_str_equal(option, "-m") || g_str_equal(option, "--comment"))
        return MATCH_YES;
    if (g_str_equal(option, "-i") || g_str_equal(option, "-o"))
        return yes_if(interface_matches(value, table->bridge));
    if (g_str_has_prefix(option, "--physdev-is-"))
        return MATCH_YES;
    /* The ports are of VMs in general: a rule that names one VM's port is about another one. */
    if (g_str_equal(option, "--physdev-in") || g_str_equal(option, "--physdev-out"))
        return yes_if(strchr(value, '+') && interface_matches(value, "one-"));
    if (g_str_equal(option, "--ctstate") || g_str_equal(option, "--state"))
        return yes_if(strstr(value, "NEW") != NULL);
    return MATCH_MAYBE;
}

static Match negate(Match match)
{
    return match == MATCH_MAYBE ? MATCH_MAYBE : yes_if(match == MATCH_NO);
}

/* *target is the word after -j or -g, NULL if the rule only counts. */
static Match match_rule(const Table *table, const GStrv words, const char **target)
{
    Match all = MATCH_YES;
    *target = NULL;
    for (gsize i = 0; words[i]; i++) {
        gboolean negated = g_str_equal(words[i], "!");
        const char *option = negated && words[i + 1] ? words[++i] : words[i];
        const char *value = words[i + 1] ? words[i + 1] : "";
        if (g_str_equal(option, "-j") || g_str_equal(option, "-g")) {
            *target = value;
            return all;
        }
        Match match = match_option(table, option, value);
        all = MIN(all, negated ? negate(match) : match);
        while (words[i + 1] && words[i + 1][0] != '-' && !g_str_equal(words[i + 1], "!"))
            i++;
    }
    return all;
}

static Fate walk(Table *table, const char *chain, guint depth);

static Fate fate_of(Table *table, const char *target, guint depth)
{
    if (g_str_equal(target, "ACCEPT"))
        return FATE_ACCEPT;
    if (g_str_equal(target, "DROP") || g_str_equal(target, "REJECT"))
        return FATE_DROP;
    if (g_str_equal(target, "RETURN"))
        return FATE_RETURN;
    if (depth >= MAX_DEPTH || !g_hash_table_contains(table->chains, target))
        return FATE_NONE;
    Fate fate = walk(table, target, depth + 1);
    return fate == FATE_RETURN ? FATE_NONE : fate;
}

static Fate walk(Table *table, const char *chain, guint depth)
{
    const GPtrArray *rules = g_hash_table_lookup(table->chains, chain);
    for (guint i = 0; rules && i < rules->len; i++) {
        const char *target;
        if (table->steps++ >= MAX_STEPS) {
            table->maybe_accepted = TRUE;
            return FATE_NONE;
        }
        Match match = match_rule(table, g_ptr_array_index(rules, i), &target);
        if (match == MATCH_NO || !target)
            continue;
        Fate fate = fate_of(table, target, depth);
        if (fate == FATE_ACCEPT && match == MATCH_MAYBE)
            table->maybe_accepted = TRUE;
        if (fate != FATE_NONE && match == MATCH_YES)
            return fate;
    }
    return FATE_NONE;
}

ForwardVerdict forward_verdict(const char *rules, const char *bridge)
{
    g_autoptr(GHashTable) chains =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    Table table = {.bridge = bridge, .chains = chains};
    g_auto(GStrv) lines = g_strsplit(rules, "\n", -1);
    for (gsize i = 0; lines[i]; i++)
        take_line(&table, lines[i]);
    Fate fate = walk(&table, "FORWARD", 0);
    if (fate == FATE_ACCEPT || (fate != FATE_DROP && !table.policy_drops))
        return FORWARD_ACCEPTS;
    return table.maybe_accepted ? FORWARD_UNSURE : FORWARD_DROPS;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

GPtrArray *forward_nft_drops(const json_t *ruleset, gboolean routed)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    gsize i;
    json_t *entry;
    json_array_foreach (json_object_get(ruleset, "nftables"), i, entry) {
        const json_t *chain = json_object_get(entry, "chain");
        const char *family = text_of(chain, "family");
        if (!g_str_equal(text_of(chain, "hook"), "forward") ||
            !g_str_equal(text_of(chain, "policy"), "drop"))
            continue;
        gboolean iptables =
            g_str_has_prefix(family, "ip") && g_str_equal(text_of(chain, "name"), "FORWARD");
        if (iptables || (!routed && !g_str_equal(family, "bridge")))
            continue;
        g_ptr_array_add(names, g_strdup_printf("%s %s %s", family, text_of(chain, "table"),
                                               text_of(chain, "name")));
    }
    return names;
}

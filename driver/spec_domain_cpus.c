// SPDX-License-Identifier: Apache-2.0
#include "spec_domain_private.h"

#include <string.h>

enum { MAX_CPUS = 4096 };

struct CpuSet {
    gboolean has[MAX_CPUS];
};

CpuSet *cpu_set_new(void)
{
    return g_new0(CpuSet, 1);
}

void cpu_set_free(CpuSet *set)
{
    g_free(set);
}

/* "3", "1-4", and "^3" of what stands before. */
static gboolean add_part(const char *part, CpuSet *set)
{
    gboolean take_out = *part == '^';
    g_auto(GStrv) ends = g_strsplit(part + take_out, "-", 2);
    guint64 first, last;
    if (!ends[0] || (take_out && ends[1]) ||
        !g_ascii_string_to_unsigned(ends[0], 10, 0, MAX_CPUS - 1, &first, NULL))
        return FALSE;
    last = first;
    if (ends[1] && !g_ascii_string_to_unsigned(ends[1], 10, first, MAX_CPUS - 1, &last, NULL))
        return FALSE;
    for (guint64 cpu = first; cpu <= last; cpu++)
        set->has[cpu] = !take_out;
    return TRUE;
}

static gboolean is_empty(const CpuSet *set)
{
    for (guint i = 0; i < MAX_CPUS; i++)
        if (set->has[i])
            return FALSE;
    return TRUE;
}

gboolean cpu_set_parse(const char *label, const char *text, CpuSet *set, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    gboolean good = TRUE;
    for (char **part = parts; *part && good; part++)
        good = add_part(g_strstrip(*part), set);
    if (good && !is_empty(set))
        return TRUE;
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(error, "%s: \"%s\" is no set of CPUs", label, shown);
}

void cpu_set_add(CpuSet *set, const CpuSet *more)
{
    for (guint i = 0; i < MAX_CPUS; i++)
        set->has[i] = set->has[i] || more->has[i];
}

gchar *cpu_set_text(const CpuSet *set)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < MAX_CPUS; i++) {
        guint first = i;
        if (!set->has[i])
            continue;
        while (i + 1 < MAX_CPUS && set->has[i + 1])
            i++;
        g_string_append_printf(text, "%s%u", text->len > 0 ? "," : "", first);
        if (i > first)
            g_string_append_printf(text, "-%u", i);
    }
    return g_string_free(text, FALSE);
}

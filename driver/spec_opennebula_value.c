// SPDX-License-Identifier: Apache-2.0
#include "spec_opennebula_private.h"

#include <string.h>

/* Text of a program's argument or variable may have lines and tabs; nothing else may. */
static gboolean has_control(const char *text, const char *allowed)
{
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p) && !strchr(allowed, *p))
            return TRUE;
    return FALSE;
}

gboolean one_check_text(const char *label, const char *text, const char *allowed, GError **error)
{
    return !has_control(text, allowed) || spec_fail(error, "%s has control characters", label);
}

gboolean one_flag(const char *label, const char *value, gboolean *flag, GError **error)
{
    static const char *const words[] = {"NO", "YES", "FALSE", "TRUE", "0", "1"};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(value, words[i]) == 0) {
            *flag = i % 2 == 1;
            return TRUE;
        }
    }
    g_autofree gchar *shown = one_shown(value);
    return spec_fail(error, "%s: \"%s\" is neither YES nor NO", label, shown);
}

/* The parts between commas, blanks around them taken off, empty ones left out. */
GStrv one_commas(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (char **part = parts; *part; part++)
        if (*g_strstrip(*part))
            g_strv_builder_add(builder, *part);
    return g_strv_builder_end(builder);
}

gboolean one_check_count(const char *label, const GStrv list, guint most, GError **error)
{
    return g_strv_length(list) <= most ||
           spec_fail(error, "%s has more than %u entries", label, most);
}

/* Absolute, and already in the form that the kernel would make of it. */
static gboolean path_valid(const char *path)
{
    g_autofree gchar *plain = g_canonicalize_filename(path, "/");
    return *path == '/' && strcmp(plain, path) == 0 && path[1] != '\0' && !has_control(path, "");
}

gboolean one_check_path(const char *label, const char *path, GError **error)
{
    if (path_valid(path))
        return TRUE;
    g_autofree gchar *shown = one_shown(path);
    return spec_fail(error, "%s: \"%s\" is no plain absolute path", label, shown);
}

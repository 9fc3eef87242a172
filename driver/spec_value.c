// SPDX-License-Identifier: Apache-2.0
#include "spec_value.h"

#include "error.h"
#include "image_ref.h"

#include <string.h>

enum {
    MAX_SHOWN = 80,      /* bytes of foreign text in a sentence */
    MAX_LISTED = 12,     /* words in a list */
    MAX_SENTENCES = 200, /* of what is not honoured */
    MAX_SENTENCE = 400,  /* bytes of one */
};

/* Images that hold other VMs' disks carry such names; a template must not reach them. */
#define RESERVED_SPACE "vmdock/"

/* Text of a program's argument or variable may have lines and tabs; nothing else may. */
static gboolean has_control(const char *text, const char *allowed)
{
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p) && !strchr(allowed, *p))
            return TRUE;
    return FALSE;
}

gboolean spec_check_text(const char *label, const char *text, const char *allowed, GError **error)
{
    return !has_control(text, allowed) || spec_fail(error, "%s has control characters", label);
}

gboolean spec_flag(const char *label, const char *value, gboolean *flag, GError **error)
{
    static const char *const words[] = {"NO", "YES", "FALSE", "TRUE", "0", "1"};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(value, words[i]) == 0) {
            *flag = i % 2 == 1;
            return TRUE;
        }
    }
    g_autofree gchar *shown = spec_shown(value);
    return spec_fail(error, "%s: \"%s\" is neither YES nor NO", label, shown);
}

/* The parts between commas, blanks around them taken off, empty ones left out. */
GStrv spec_commas(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (char **part = parts; *part; part++)
        if (*g_strstrip(*part))
            g_strv_builder_add(builder, *part);
    return g_strv_builder_end(builder);
}

gboolean spec_check_count(const char *label, const GStrv list, guint most, GError **error)
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

gboolean spec_check_path(const char *label, const char *path, GError **error)
{
    if (path_valid(path))
        return TRUE;
    g_autofree gchar *shown = spec_shown(path);
    return spec_fail(error, "%s: \"%s\" is no plain absolute path", label, shown);
}

gchar *spec_shown(const char *text)
{
    return vmdock_one_line(text, MAX_SHOWN);
}

gboolean spec_set_image(VmSpec *spec, const char *label, const char *text, GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(text, error);
    if (!ref) {
        g_prefix_error(error, "%s: ", label);
        return FALSE;
    }
    g_autofree gchar *name = image_ref_name(ref);
    if (g_str_has_prefix(name, RESERVED_SPACE)) {
        g_autofree gchar *shown = spec_shown(name);
        return spec_fail(error, "%s: names like \"%s\" are for vmdock's own use", label, shown);
    }
    g_free(spec->image);
    spec->image = g_steal_pointer(&name);
    return TRUE;
}

gboolean spec_number(const char *what, const char *text, const char *unit, guint64 smallest,
                     guint64 largest, guint64 *number, GError **error)
{
    if (g_ascii_string_to_unsigned(text, 10, smallest, largest, number, NULL))
        return TRUE;
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(
        error, "%s: \"%s\" is no number of %s within %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT,
        what, shown, unit, smallest, largest);
}

gchar *spec_join(const GPtrArray *words)
{
    GString *text = g_string_new(NULL);
    guint shown = words->len > MAX_LISTED + 1 ? MAX_LISTED : words->len;
    for (guint i = 0; i < shown; i++) {
        if (i > 0)
            g_string_append(text, i + 1 == words->len ? " and " : ", ");
        g_autofree gchar *word = spec_shown(words->pdata[i]);
        g_string_append(text, word);
    }
    if (shown < words->len)
        g_string_append_printf(text, " and %u more", words->len - shown);
    return g_string_free(text, FALSE);
}

const char *spec_are(const GPtrArray *words)
{
    return words->len == 1 ? "is" : "are";
}

void spec_note_va(VmSpec *spec, const char *format, va_list args)
{
    GPtrArray *notes = spec->not_honoured;
    g_autofree gchar *text = g_strdup_vprintf(format, args);
    g_autofree gchar *sentence = vmdock_one_line(text, MAX_SENTENCE);
    if (notes->len > MAX_SENTENCES ||
        g_ptr_array_find_with_equal_func(notes, sentence, g_str_equal, NULL))
        return;
    if (notes->len == MAX_SENTENCES)
        g_ptr_array_add(notes, g_strdup("more is asked for and not honoured than is told here"));
    else
        g_ptr_array_add(notes, g_steal_pointer(&sentence));
}

void spec_note(VmSpec *spec, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    spec_note_va(spec, format, args);
    va_end(args);
}

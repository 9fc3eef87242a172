// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include "interrupt.h"

#include <errno.h>

GQuark vmdock_error_quark(void)
{
    return g_quark_from_static_string("vmdock-error");
}

static const struct {
    const char *name;
    int status;
    const char *text;
} rows[] = {
#define X(code, status, text) {#code, status, text},
    VMDOCK_ERROR_TABLE(X)
#undef X
};

G_STATIC_ASSERT(G_N_ELEMENTS(rows) == VMDOCK_ERROR_LAST);

gboolean vmdock_error_row(guint code, const char **name, int *status, const char **text)
{
    if (code >= VMDOCK_ERROR_LAST)
        return FALSE;
    *name = rows[code].name;
    *status = rows[code].status;
    *text = rows[code].text;
    return TRUE;
}

int vmdock_error_status(const GError *error)
{
    guint code = VMDOCK_ERROR_INTERNAL;
    if (error->domain == VMDOCK_ERROR && error->code >= 0 && error->code < VMDOCK_ERROR_LAST)
        code = (guint)error->code;
    if (code == VMDOCK_ERROR_INTERRUPTED)
        return rows[code].status + interrupt_signal();
    return rows[code].status;
}

gboolean vmdock_error_is(const GError *error, VmdockError code)
{
    return g_error_matches(error, VMDOCK_ERROR, (gint)code);
}

static VmdockError code_for_errno(VmdockError code, int err)
{
    return err == ENOSPC || err == EDQUOT ? VMDOCK_ERROR_NO_SPACE : code;
}

void vmdock_error_errno(GError **error, VmdockError code, int err, const char *what, ...)
{
    va_list args;
    va_start(args, what);
    g_autofree gchar *noun = g_strdup_vprintf(what, args);
    va_end(args);
    g_set_error(error, VMDOCK_ERROR, (gint)code_for_errno(code, err), "%s: %s", noun,
                g_strerror(err));
}

void vmdock_error_adopt(GError **error, VmdockError code)
{
    if (!error || !*error || (*error)->domain != G_FILE_ERROR)
        return;
    if ((*error)->code == G_FILE_ERROR_NOSPC)
        code = VMDOCK_ERROR_NO_SPACE;
    (*error)->domain = VMDOCK_ERROR;
    (*error)->code = (gint)code;
}

static gunichar shown_as(gunichar c)
{
    if (c > ' ' && c < 0x7F)
        return c;
    if (c == 0xFFFD)
        return '?';
    gboolean hidden = g_unichar_iscntrl(c) || g_unichar_isspace(c) || !g_unichar_isdefined(c) ||
                      g_unichar_type(c) == G_UNICODE_FORMAT;
    return hidden ? ' ' : c;
}

/* Most texts are a line already: printable ASCII with single blanks between the words. */
static gboolean is_one_line(const char *text, gsize max)
{
    char before = ' ';
    gsize length = 0;
    for (; text[length]; before = text[length++])
        if (text[length] < ' ' || text[length] >= 0x7F || (text[length] == ' ' && before == ' '))
            return FALSE;
    return (length == 0 || before != ' ') && length + 5 <= max;
}

gchar *vmdock_one_line(const char *text, gsize max)
{
    if (text && is_one_line(text, max))
        return g_strdup(text);
    g_autofree gchar *valid = g_utf8_make_valid(text ? text : "", -1);
    GString *line = g_string_new(NULL);
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = shown_as(g_utf8_get_char(p));
        if (c == ' ' && (line->len == 0 || line->str[line->len - 1] == ' '))
            continue;
        if (line->len + 6 > max)
            break;
        g_string_append_unichar(line, c);
    }
    while (line->len > 0 && line->str[line->len - 1] == ' ')
        g_string_truncate(line, line->len - 1);
    return g_string_free(line, FALSE);
}

// SPDX-License-Identifier: Apache-2.0
#include "setup_sunstone.h"

#include "error.h"

#include <string.h>

#define BLANK           " \t"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

typedef struct {
    const char *key, *value;
} Pair;

/* As Sunstone's own modules have them; __HOST__ is where the page came from. */
static const Pair pairs[] = {
    {"name", SUNSTONE_MODULE},
    {"entry", "__HOST__/fireedge/modules/" SUNSTONE_FILE},
};

/* ---- lines ---- */

typedef struct {
    const char *begin, *end; /* without what ends the line */
    const char *next;        /* NULL: none has been read yet */
    guint number;
} Line;

static gboolean next_line(const char *text, Line *line)
{
    line->begin = line->next ? line->next : text;
    if (!line->next && g_str_has_prefix(text, BYTE_ORDER_MARK))
        line->begin += strlen(BYTE_ORDER_MARK);
    line->end = line->begin + strcspn(line->begin, "\n");
    line->next = line->end + (*line->end == '\n');
    if (*line->end == '\n' && line->end > line->begin && line->end[-1] == '\r')
        line->end--;
    line->number++;
    return *line->begin != '\0';
}

static const char *skip_blank(const char *at, const char *end)
{
    while (at < end && strchr(BLANK, *at))
        at++;
    return at;
}

/* Whether nothing is left behind a word that ends AT, or a comment. */
static gboolean says_nothing(const char *at, const char *end)
{
    const char *more = skip_blank(at, end);
    return more == end || (*more == '#' && more > at);
}

static gboolean refuse(const Line *line, const char *what, GError **error)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "line %u: %s", line->number, what);
    return FALSE;
}

/* ---- names and values ---- */

typedef struct {
    const char *begin, *end;
} Span;

static gboolean span_is(const Span *span, const char *word)
{
    gsize length = strlen(word);
    return (gsize)(span->end - span->begin) == length && memcmp(span->begin, word, length) == 0;
}

/* A string in quotes at *AT that needs no unquoting; *AT is set behind it. */
static gboolean read_quoted(const char **at, const char *end, Span *span)
{
    const char quote = **at;
    span->begin = *at + 1;
    span->end = memchr(span->begin, quote, (gsize)(end - span->begin));
    if (!span->end || memchr(span->begin, '\\', (gsize)(span->end - span->begin)))
        return FALSE;
    *at = span->end + 1;
    return *at == end || **at != quote;
}

static gboolean is_of_name(char c)
{
    return g_ascii_isalnum(c) || (c != '\0' && strchr("_-./ ", c));
}

static gboolean read_plain_name(const char **at, const char *end, Span *name)
{
    name->begin = *at;
    while (*at < end && is_of_name(**at))
        (*at)++;
    name->end = *at;
    while (name->end > name->begin && name->end[-1] == ' ')
        name->end--;
    return name->end > name->begin && (g_ascii_isalnum(*name->begin) || *name->begin == '_');
}

/* NAME and a colon at AT; *rest is what follows. */
static gboolean read_name(const char *at, const char *end, Span *name, const char **rest)
{
    gboolean quoted = at < end && strchr("\"'", *at);
    if (quoted ? !read_quoted(&at, end, name) : !read_plain_name(&at, end, name))
        return FALSE;
    at = skip_blank(at, end);
    if (at == end || *at != ':')
        return FALSE;
    *rest = at + 1;
    return *rest == end || strchr(BLANK, **rest);
}

/* A word or a string, with nothing behind it. */
static gboolean read_value(const char *at, const char *end, Span *value)
{
    at = skip_blank(at, end);
    if (at < end && strchr("\"'", *at))
        return read_quoted(&at, end, value) && says_nothing(at, end);
    value->begin = at;
    while (at < end && !strchr(BLANK "\"'", *at))
        at++;
    value->end = at;
    return value->end > value->begin && !strchr("#&*!|>%@`{}[],-?", *value->begin) &&
           says_nothing(at, end);
}

/* "{ … }" that ends on its line, with no other and no strings within. */
static gboolean is_braced(const char *at, const char *end)
{
    at = skip_blank(at, end);
    if (at == end || *at != '{')
        return FALSE;
    do
        at++;
    while (at < end && !strchr("{}[]\"'#", *at));
    return at < end && *at == '}' && says_nothing(at + 1, end);
}

/* ---- the list ---- */

typedef struct {
    gboolean marked;                    /* "---" has been read */
    guint modules;                      /* how many there are so far */
    gboolean found, inside;             /* the driver's is there; the line is of it */
    const char *begin, *end;            /* all its lines */
    gsize indent;                       /* of its settings, 0: it has none */
    Span settings[G_N_ELEMENTS(pairs)]; /* begin NULL: not there */
} List;

static gboolean take_name(List *list, const Line *line, GError **error)
{
    Span name;
    const char *rest = NULL;
    if (!read_name(line->begin, line->end, &name, &rest) ||
        !(says_nothing(rest, line->end) || is_braced(rest, line->end)))
        return refuse(line, "this is neither the name of a module nor indented", error);
    list->modules++;
    list->inside = span_is(&name, SUNSTONE_MODULE);
    if (!list->inside)
        return TRUE;
    if (list->found)
        return refuse(line, SUNSTONE_MODULE " is named once more", error);
    if (!says_nothing(rest, line->end))
        return refuse(line, SUNSTONE_MODULE " is in braces", error);
    list->found = TRUE;
    list->begin = line->begin;
    list->end = line->next;
    return TRUE;
}

/* A line below the driver's name; settings that it does not know stay. */
static gboolean take_setting(List *list, const Line *line, GError **error)
{
    const char *word = skip_blank(line->begin, line->end);
    gsize indent = (gsize)(word - line->begin);
    Span name, value;
    const char *rest = NULL;
    gboolean good = (list->indent == 0 || list->indent == indent) &&
                    read_name(word, line->end, &name, &rest) && read_value(rest, line->end, &value);
    for (gsize i = 0; good && i < G_N_ELEMENTS(pairs); i++)
        if (span_is(&name, pairs[i].key)) {
            good = !list->settings[i].begin;
            list->settings[i] = value;
        }
    if (!good)
        return refuse(line, "this is no plain setting of " SUNSTONE_MODULE, error);
    list->indent = indent;
    list->end = line->next;
    return TRUE;
}

static gboolean take_line(List *list, const Line *line, GError **error)
{
    const char *word = skip_blank(line->begin, line->end);
    const Span whole = {line->begin, line->end};
    if (memchr(line->begin, '\r', (gsize)(line->end - line->begin)))
        return refuse(line, "a carriage return does not end it", error);
    if (word == line->end || *word == '#')
        return TRUE;
    if (memchr(line->begin, '\t', (gsize)(word - line->begin)))
        return refuse(line, "it is indented by a tab", error);
    if (span_is(&whole, "---") && !list->marked && list->modules == 0) {
        list->marked = TRUE;
        return TRUE;
    }
    if (word == line->begin)
        return take_name(list, line, error);
    if (list->modules == 0)
        return refuse(line, "this is indented and belongs to no module", error);
    return !list->inside || take_setting(list, line, error);
}

static gboolean read_list(const char *text, List *list, GError **error)
{
    *list = (List){.modules = 0};
    for (Line line = {.number = 0}; next_line(text, &line);)
        if (!take_line(list, &line, error))
            return FALSE;
    return TRUE;
}

/* ---- putting in ---- */

/* What ends the lines of TEXT. */
static const char *line_end(const char *text)
{
    const char *first = strchr(text, '\n');
    return first && first > text && first[-1] == '\r' ? "\r\n" : "\n";
}

/* LINES at AT; a last line without an end leaves that to the new last one, so that taking them out
 * brings the text of before back. */
static void put_lines(GString *text, gsize at, const GString *lines, const char *end)
{
    gboolean ended = at == 0 || text->str[at - 1] == '\n';
    g_autoptr(GString) more = g_string_new(ended ? "" : end);
    g_string_append_len(more, lines->str,
                        (gssize)(lines->len - (ended ? 0 : MIN(lines->len, strlen(end)))));
    if (lines->len > 0)
        g_string_insert_len(text, (gssize)at, more->str, (gssize)more->len);
}

static void compare(const Span *value, const Pair *pair, GPtrArray *notes)
{
    if (span_is(value, pair->value))
        return;
    g_ptr_array_add(notes, g_strdup_printf("Sunstone's module " SUNSTONE_MODULE
                                           " has %s: %.*s, where vmdock needs %s",
                                           pair->key, (int)(value->end - value->begin),
                                           value->begin, pair->value));
}

gchar *setup_sunstone_apply(const char *text, GPtrArray *notes, GError **error)
{
    List list;
    if (!read_list(text, &list, error))
        return NULL;
    if (list.modules == 0) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "it names no module at all");
        return NULL;
    }
    const char *end = line_end(text);
    g_autoptr(GString) lines = g_string_new(NULL);
    if (!list.found)
        g_string_append_printf(lines, SUNSTONE_MODULE ":%s", end);
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++)
        if (list.settings[i].begin)
            compare(&list.settings[i], &pairs[i], notes);
        else
            g_string_append_printf(lines, "%*s%s: %s%s", list.indent ? (int)list.indent : 2, "",
                                   pairs[i].key, pairs[i].value, end);
    g_autoptr(GString) now = g_string_new(text);
    put_lines(now, list.found ? (gsize)(list.end - text) : now->len, lines, end);
    return g_string_free(g_steal_pointer(&now), FALSE);
}

/* ---- taking out ---- */

gchar *setup_sunstone_revert(const char *text, GError **error)
{
    List list;
    if (!read_list(text, &list, error))
        return NULL;
    g_autoptr(GString) now = g_string_new(text);
    if (!list.found)
        return g_string_free(g_steal_pointer(&now), FALSE);
    gsize begin = (gsize)(list.begin - text), end = (gsize)(list.end - text);
    if (text[end - 1] != '\n' && begin > 0 && text[begin - 1] == '\n') {
        begin--;
        begin -= begin > 0 && text[begin - 1] == '\r';
    }
    g_string_erase(now, (gssize)begin, (gssize)(end - begin));
    return g_string_free(g_steal_pointer(&now), FALSE);
}

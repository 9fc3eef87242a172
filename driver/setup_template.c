// SPDX-License-Identifier: Apache-2.0
#include "setup_template.h"

#include "error.h"

#include <string.h>

/* What stands in the text from BEGIN up to END. */
typedef struct {
    gsize begin, end;
} Span;

typedef struct {
    Span key, value; /* VALUE without its quotes */
    gsize end;       /* behind the value's last byte or quote */
} Pair;

typedef struct {
    Span name;
    gsize end;     /* behind the value's last byte, quote or bracket */
    GArray *pairs; /* Pair; NULL for a single value */
    Span value;    /* of a single one, without its quotes */
} Attribute;

typedef struct {
    const char *text;
    gsize at;
} Reader;

static void clear_attribute(gpointer data)
{
    Attribute *attribute = data;
    g_clear_pointer(&attribute->pairs, g_array_unref);
}

/* ---- reading ---- */

static gboolean cannot_read(const Reader *reader, const char *what, GError **error)
{
    guint line = 1;
    for (gsize i = 0; i < reader->at; i++)
        line += reader->text[i] == '\n';
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "line %u: %s", line, what);
    return FALSE;
}

static void skip_blanks(Reader *reader)
{
    reader->at += strspn(reader->text + reader->at, " \t\r");
}

static void skip_space_and_comments(Reader *reader)
{
    for (;;) {
        reader->at += strspn(reader->text + reader->at, " \t\r\n");
        if (reader->text[reader->at] != '#')
            return;
        reader->at += strcspn(reader->text + reader->at, "\n");
    }
}

static gboolean take(Reader *reader, char c)
{
    if (reader->text[reader->at] != c)
        return FALSE;
    reader->at++;
    return TRUE;
}

static gboolean read_name(Reader *reader, Span *name, GError **error)
{
    name->begin = reader->at;
    while (g_ascii_isalnum(reader->text[reader->at]) || reader->text[reader->at] == '_')
        reader->at++;
    name->end = reader->at;
    return name->end > name->begin || cannot_read(reader, "a name is expected", error);
}

/* A string in quotes, in which \" is a quote, or a word; what is left out is an empty one. */
static gboolean read_value(Reader *reader, Span *value, GError **error)
{
    const char *text = reader->text;
    if (!take(reader, '"')) {
        value->begin = reader->at;
        reader->at += strcspn(text + reader->at, "=# \t\r\n,[]");
        value->end = reader->at;
        return TRUE;
    }
    value->begin = reader->at;
    for (; text[reader->at] != '"'; reader->at++) {
        if (text[reader->at] == '\0')
            return cannot_read(reader, "the string is never closed", error);
        if (text[reader->at] == '\\' && text[reader->at + 1] == '"')
            reader->at++;
    }
    value->end = reader->at++;
    return TRUE;
}

static gboolean read_equals(Reader *reader, GError **error)
{
    skip_blanks(reader);
    if (!take(reader, '='))
        return cannot_read(reader, "\"=\" is expected", error);
    skip_blanks(reader);
    return TRUE;
}

static gboolean read_pairs(Reader *reader, GArray *pairs, GError **error)
{
    for (;;) {
        Pair pair;
        skip_space_and_comments(reader);
        if (take(reader, ']'))
            return TRUE;
        if (!read_name(reader, &pair.key, error) || !read_equals(reader, error) ||
            !read_value(reader, &pair.value, error))
            return FALSE;
        pair.end = reader->at;
        g_array_append_val(pairs, pair);
        skip_space_and_comments(reader);
        if (!take(reader, ',') && reader->text[reader->at] != ']')
            return cannot_read(reader, "\",\" or \"]\" is expected", error);
    }
}

static gboolean read_attribute(Reader *reader, Attribute *attribute, GError **error)
{
    if (!read_name(reader, &attribute->name, error) || !read_equals(reader, error))
        return FALSE;
    if (take(reader, '[')) {
        attribute->pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
        if (!read_pairs(reader, attribute->pairs, error))
            return FALSE;
    } else if (!read_value(reader, &attribute->value, error)) {
        return FALSE;
    }
    attribute->end = reader->at;
    return TRUE;
}

/* Attribute, in the order of the file. */
static GArray *read_all(const char *text, GError **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(Attribute));
    g_array_set_clear_func(all, clear_attribute);
    Reader reader = {.text = text};
    for (;;) {
        skip_space_and_comments(&reader);
        if (text[reader.at] == '\0')
            return g_steal_pointer(&all);
        g_array_set_size(all, all->len + 1);
        if (!read_attribute(&reader, &g_array_index(all, Attribute, all->len - 1), error))
            return NULL;
    }
}

static gboolean span_is(const char *text, Span span, const char *word)
{
    gsize length = span.end - span.begin;
    return length == strlen(word) && strncmp(text + span.begin, word, length) == 0;
}

static gboolean span_is_name(const char *text, Span span, const char *name)
{
    gsize length = span.end - span.begin;
    return length == strlen(name) && g_ascii_strncasecmp(text + span.begin, name, length) == 0;
}

static const Pair *find_pair(const char *text, const Attribute *attribute, const char *key)
{
    for (guint i = 0; attribute->pairs && i < attribute->pairs->len; i++) {
        const Pair *pair = &g_array_index(attribute->pairs, Pair, i);
        if (span_is_name(text, pair->key, key))
            return pair;
    }
    return NULL;
}

static gboolean is_drivers(const char *text, const Attribute *attribute, const char *name,
                           const char *driver)
{
    const Pair *pair = find_pair(text, attribute, "NAME");
    return span_is_name(text, attribute->name, name) && pair && span_is(text, pair->value, driver);
}

static gboolean is_single(const char *text, const Attribute *attribute, const char *name,
                          const char *value)
{
    return span_is_name(text, attribute->name, name) && !attribute->pairs &&
           span_is(text, attribute->value, value);
}

/* The first vector of DRIVER, NULL if there is none. */
static const Attribute *find_vector(const char *text, const GArray *all, const char *name,
                                    const char *driver)
{
    for (guint i = 0; i < all->len; i++)
        if (is_drivers(text, &g_array_index(all, Attribute, i), name, driver))
            return &g_array_index(all, Attribute, i);
    return NULL;
}

int template_has_vector(const char *text, const char *attribute, const char *driver, GError **error)
{
    g_autoptr(GArray) all = read_all(text, error);
    return all ? find_vector(text, all, attribute, driver) != NULL : -1;
}

int template_has_single(const char *text, const char *attribute, const char *value, GError **error)
{
    g_autoptr(GArray) all = read_all(text, error);
    for (guint i = 0; all && i < all->len; i++)
        if (is_single(text, &g_array_index(all, Attribute, i), attribute, value))
            return TRUE;
    return all ? FALSE : -1;
}

/* ---- lines ---- */

static gsize line_begin(const char *text, gsize at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

/* Whether the line that ends before AT (the begin of a line) is LINE; *begin is where it begins. */
static gboolean line_above_is(const char *text, gsize at, const char *line, gsize *begin)
{
    if (at == 0)
        return FALSE;
    gsize above = line_begin(text, at - 1);
    Span span = {above, at - 1};
    if (!span_is(text, span, line))
        return FALSE;
    *begin = above;
    return TRUE;
}

/* The lines of SPAN; what else stands on them stays. */
static Span lines_of(const char *text, Span span)
{
    gsize begin = line_begin(text, span.begin);
    gsize end = span.end + strspn(text + span.end, " \t\r");
    gboolean alone = strspn(text + begin, " \t\r") == span.begin - begin &&
                     (text[end] == '\n' || text[end] == '\0');
    if (!alone)
        return span;
    return (Span){begin, text[end] == '\n' ? end + 1 : end};
}

/* Removes whole lines; those at the end of a file without a last line break take the one above. */
static void erase_lines(GString *text, Span span)
{
    if (span.end == text->len && span.begin > 0 && text->str[text->len - 1] != '\n' &&
        text->str[span.begin - 1] == '\n')
        span.begin--;
    g_string_erase(text, (gssize)span.begin, (gssize)(span.end - span.begin));
}

static Span span_of(const Attribute *attribute)
{
    return (Span){attribute->name.begin, attribute->end};
}

/* ---- putting in ---- */

/* A line that only rules off, "#-----": what it closes stays above it. */
static gboolean is_rule(const char *line)
{
    gsize length = strcspn(line, "\n");
    return line[0] == '#' && length > 1 && strspn(line + 1, "-*#=") == length - 1;
}

/* Behind the line on which the last attribute NAME ends, and a rule below it; the end without one.
 */
static gsize place_behind(const char *text, const GArray *all, const char *name, gboolean past_rule)
{
    gsize at = strlen(text);
    for (guint i = 0; i < all->len; i++) {
        const Attribute *attribute = &g_array_index(all, Attribute, i);
        if (!span_is_name(text, attribute->name, name))
            continue;
        const char *line = strchr(text + attribute->end, '\n');
        at = line ? (gsize)(line + 1 - text) : strlen(text);
        if (past_rule && line && is_rule(line + 1)) {
            line = strchr(line + 1, '\n');
            at = line ? (gsize)(line + 1 - text) : strlen(text);
        }
    }
    return at;
}

/* LINES end in a line break; where the file's last line has none, neither has what follows it. */
static void insert_lines(GString *text, gsize at, const char *lines)
{
    g_autoptr(GString) piece = g_string_new(lines);
    if (at > 0 && text->str[at - 1] != '\n') {
        g_string_prepend_c(piece, '\n');
        g_string_truncate(piece, piece->len - 1);
    }
    g_string_insert_len(text, (gssize)at, piece->str, (gssize)piece->len);
}

static gchar *vector_lines(const char *attribute, const TemplatePair *pairs, gsize count,
                           const char *comment)
{
    GString *lines = g_string_new(NULL);
    int width = 0;
    for (gsize i = 0; i < count; i++)
        width = MAX(width, (int)strlen(pairs[i].key));
    g_string_append_printf(lines, "\n%s\n%s = [\n", comment, attribute);
    for (gsize i = 0; i < count; i++)
        g_string_append_printf(lines, "    %-*s = \"%s\"%s\n", width, pairs[i].key, pairs[i].value,
                               i + 1 < count ? "," : "");
    g_string_append(lines, "]\n");
    return g_string_free(lines, FALSE);
}

/* A pair with the same value; NULL when there is none. */
static const Pair *find_same(const char *text, const Attribute *attribute, const TemplatePair *like)
{
    const Pair *pair = find_pair(text, attribute, like->key);
    return pair && span_is_name(text, pair->value, like->value) ? pair : NULL;
}

static void note_differences(const char *text, const Attribute *attribute, const char *name,
                             const TemplateVector *vector, GPtrArray *notes)
{
    const TemplatePair *pairs = vector->pairs;
    for (gsize i = 0; i < vector->count; i++)
        if (!find_same(text, attribute, &pairs[i]))
            g_ptr_array_add(notes,
                            g_strdup_printf("%s %s is there already and stays as it is, without "
                                            "%s = \"%s\"",
                                            name, pairs[0].value, pairs[i].key, pairs[i].value));
    for (gsize i = 0; i < vector->gone_count; i++)
        if (find_same(text, attribute, &vector->gone[i]))
            g_ptr_array_add(notes,
                            g_strdup_printf("%s %s is there already and stays as it is, with "
                                            "%s = \"%s\", which is better taken out",
                                            name, pairs[0].value, vector->gone[i].key,
                                            vector->gone[i].value));
}

/* Whether it was put in here: COMMENT stands above it. */
static gboolean is_put_in(const char *text, const Attribute *attribute, const char *comment)
{
    gsize begin = lines_of(text, span_of(attribute)).begin;
    return line_above_is(text, begin, comment, &begin);
}

/* The comma behind AT; FALSE behind the last pair, which needs none. */
static gboolean find_comma(const char *text, gsize at, gsize *comma)
{
    Reader reader = {text, at};
    skip_space_and_comments(&reader);
    *comma = reader.at;
    return text[reader.at] == ',';
}

static void erase_pair(GString *text, const GArray *pairs, guint number)
{
    const Pair *pair = &g_array_index(pairs, Pair, number);
    Span span = {pair->key.begin, pair->end};
    gsize comma;
    if (find_comma(text->str, pair->end, &comma)) {
        if (strspn(text->str + pair->end, " \t\r") == comma - pair->end)
            span.end = comma + 1;
        else
            g_string_erase(text, (gssize)comma, 1);
    } else if (number > 0 &&
               find_comma(text->str, g_array_index(pairs, Pair, number - 1).end, &comma)) {
        g_string_erase(text, (gssize)comma, 1);
        span = (Span){span.begin - 1, span.end - 1};
    }
    erase_lines(text, lines_of(text->str, span));
}

/* One step, after which everything has another place; FALSE when there is nothing to do. */
static gboolean renew_once(GString *text, const Attribute *there, const TemplateVector *vector)
{
    const GArray *pairs = there->pairs;
    for (gsize i = 0; i < vector->gone_count; i++) {
        const Pair *pair = find_same(text->str, there, &vector->gone[i]);
        if (pair) {
            erase_pair(text, pairs, (guint)(pair - &g_array_index(pairs, Pair, 0)));
            return TRUE;
        }
    }
    for (gsize i = 0; i < vector->count; i++) {
        if (find_pair(text->str, there, vector->pairs[i].key))
            continue;
        g_autofree gchar *more =
            g_strdup_printf(",\n    %s = \"%s\"", vector->pairs[i].key, vector->pairs[i].value);
        g_string_insert(text, (gssize)g_array_index(pairs, Pair, pairs->len - 1).end, more);
        return TRUE;
    }
    return FALSE;
}

gboolean template_add_vector(GString *text, const char *attribute, const TemplateVector *vector,
                             const char *comment, GPtrArray *notes, GError **error)
{
    const TemplatePair *pairs = vector->pairs;
    gsize count = vector->count;
    g_autoptr(GArray) all = read_all(text->str, error);
    if (!all)
        return FALSE;
    const Attribute *there = find_vector(text->str, all, attribute, pairs[0].value);
    if (there) {
        if (is_put_in(text->str, there, comment) && renew_once(text, there, vector))
            return template_add_vector(text, attribute, vector, comment, notes, error);
        note_differences(text->str, there, attribute, vector, notes);
        return TRUE;
    }
    g_autofree gchar *lines = vector_lines(attribute, pairs, count, comment);
    insert_lines(text, place_behind(text->str, all, attribute, TRUE), lines);
    return TRUE;
}

gboolean template_add_single(GString *text, const char *attribute, const char *value,
                             GError **error)
{
    int there = template_has_single(text->str, attribute, value, error);
    if (there != 0)
        return there > 0;
    g_autoptr(GArray) all = read_all(text->str, error);
    if (!all)
        return FALSE;
    g_autofree gchar *line = g_strdup_printf("%-23s = \"%s\"\n", attribute, value);
    insert_lines(text, place_behind(text->str, all, attribute, FALSE), line);
    return TRUE;
}

/* ---- taking out ---- */

gboolean template_remove_vector(GString *text, const char *attribute, const char *driver,
                                const char *comment, GError **error)
{
    for (;;) {
        g_autoptr(GArray) all = read_all(text->str, error);
        if (!all)
            return FALSE;
        const Attribute *there = find_vector(text->str, all, attribute, driver);
        if (!there)
            return TRUE;
        Span span = lines_of(text->str, span_of(there));
        if (line_above_is(text->str, span.begin, comment, &span.begin))
            line_above_is(text->str, span.begin, "", &span.begin);
        erase_lines(text, span);
    }
}

gboolean template_remove_single(GString *text, const char *attribute, const char *value,
                                GError **error)
{
    g_autoptr(GArray) all = read_all(text->str, error);
    if (!all)
        return FALSE;
    for (guint i = all->len; i > 0; i--) {
        const Attribute *there = &g_array_index(all, Attribute, i - 1);
        if (is_single(text->str, there, attribute, value))
            erase_lines(text, lines_of(text->str, span_of(there)));
    }
    return TRUE;
}

/* ---- lists ---- */

/* The next word of ARGUMENTS from *AT on; FALSE at the end. */
static gboolean next_word(const char *text, Span arguments, gsize *at, Span *word)
{
    while (*at < arguments.end && g_ascii_isspace(text[*at]))
        (*at)++;
    word->begin = *at;
    while (*at < arguments.end && !g_ascii_isspace(text[*at]))
        (*at)++;
    word->end = *at;
    return word->end > word->begin;
}

static gboolean starts_with(const char *text, Span word, const char *with)
{
    gsize length = strlen(with);
    return word.end - word.begin > length && strncmp(text + word.begin, with, length) == 0;
}

/* "-d LIST", "-dLIST", "--tm-types LIST" or "--tm-types=LIST". */
static gboolean find_list(const char *text, Span arguments, const char *letter, const char *name,
                          Span *list)
{
    g_autofree gchar *with_equals = g_strconcat(name, "=", NULL);
    gsize at = arguments.begin;
    for (Span word; next_word(text, arguments, &at, &word);) {
        if (span_is(text, word, letter) || span_is(text, word, name))
            return next_word(text, arguments, &at, list);
        const char *front = starts_with(text, word, with_equals) ? with_equals
                            : starts_with(text, word, letter)    ? letter
                                                                 : NULL;
        if (front) {
            *list = (Span){word.begin + strlen(front), word.end};
            return TRUE;
        }
    }
    return FALSE;
}

typedef enum { LIST_BROKEN = -1, LIST_NONE, LIST_FOUND } ListFound;

static ListFound list_of(const char *text, const char *attribute, const char *letter,
                         const char *name, Span *list, GError **error)
{
    g_autoptr(GArray) all = read_all(text, error);
    if (!all)
        return LIST_BROKEN;
    for (guint i = 0; i < all->len; i++) {
        const Attribute *there = &g_array_index(all, Attribute, i);
        const Pair *pair = find_pair(text, there, "ARGUMENTS");
        if (span_is_name(text, there->name, attribute) && pair)
            return find_list(text, pair->value, letter, name, list) ? LIST_FOUND : LIST_NONE;
    }
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "there is no %s with ARGUMENTS",
                attribute);
    return LIST_BROKEN;
}

/* Of LIST, the element WORD. */
static gboolean find_element(const char *text, Span list, const char *word, Span *element)
{
    for (element->begin = list.begin; element->begin < list.end;) {
        gsize length = strcspn(text + element->begin, ",");
        element->end = MIN(element->begin + length, list.end);
        if (span_is(text, *element, word))
            return TRUE;
        element->begin = element->end + 1;
    }
    return FALSE;
}

int template_has_word(const char *text, const char *attribute, const char *letter, const char *name,
                      const char *word, GError **error)
{
    Span list, element;
    ListFound found = list_of(text, attribute, letter, name, &list, error);
    return found == LIST_FOUND ? find_element(text, list, word, &element) : (int)found;
}

gboolean template_add_word(GString *text, const char *attribute, const char *letter,
                           const char *name, const char *word, GError **error)
{
    Span list, element;
    ListFound found = list_of(text->str, attribute, letter, name, &list, error);
    if (found != LIST_FOUND || find_element(text->str, list, word, &element))
        return found != LIST_BROKEN;
    g_autofree gchar *more = g_strconcat(",", word, NULL);
    g_string_insert(text, (gssize)list.end, more);
    return TRUE;
}

gboolean template_remove_word(GString *text, const char *attribute, const char *letter,
                              const char *name, const char *word, GError **error)
{
    Span list, element;
    ListFound found = list_of(text->str, attribute, letter, name, &list, error);
    if (found != LIST_FOUND || !find_element(text->str, list, word, &element))
        return found != LIST_BROKEN;
    if (element.begin > list.begin)
        element.begin--;
    else if (element.end < list.end)
        element.end++;
    else
        return TRUE;
    g_string_erase(text, (gssize)element.begin, (gssize)(element.end - element.begin));
    return TRUE;
}

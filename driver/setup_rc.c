// SPDX-License-Identifier: Apache-2.0
#include "setup_rc.h"

#include "error.h"

#include <string.h>

#define AFTER_VALUE " \t\r\n#;"

typedef enum { LIST_BROKEN = -1, LIST_NONE, LIST_FOUND } Found;

typedef struct {
    gsize line, begin, end, line_end; /* the list is [begin, end), without its quotes */
    char quote;                       /* '\0' without */
} Assignment;

/* The value that begins at AT; FALSE when it is more than one string or word. */
static gboolean read_value(const char *text, gsize at, Assignment *list)
{
    list->quote = text[at] == '"' || text[at] == '\'' ? text[at] : '\0';
    list->begin = at + (list->quote != '\0');
    const char *odd = list->quote ? "\\" : "\\\"'$`";
    const char ends[] = {list->quote, '\0'};
    list->end = list->begin + strcspn(text + list->begin, list->quote ? ends : AFTER_VALUE);
    gsize after = list->end;
    if (list->quote && text[after++] != list->quote)
        return FALSE;
    if (text[after] != '\0' && !strchr(AFTER_VALUE, text[after]))
        return FALSE;
    list->line_end = after + strcspn(text + after, "\n");
    list->line_end += text[list->line_end] == '\n';
    return list->begin + strcspn(text + list->begin, odd) >= list->end;
}

/* The last one counts, as it does for the shell. */
static Found find_assignment(const char *text, const char *name, Assignment *list, GError **error)
{
    Found found = LIST_NONE;
    gsize length = strlen(name);
    for (gsize line = 0, next; text[line]; line = next) {
        next = line + strcspn(text + line, "\n");
        next += text[next] == '\n';
        gsize at = line + strspn(text + line, " \t");
        if (strncmp(text + at, name, length) != 0 || text[at + length] != '=')
            continue;
        list->line = line;
        if (!read_value(text, at + length + 1, list)) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "%s is no plain list of words",
                        name);
            return LIST_BROKEN;
        }
        next = list->line_end;
        found = LIST_FOUND;
    }
    return found;
}

static gboolean find_word(const char *text, const Assignment *list, const char *word, gsize *at)
{
    gsize length = strlen(word);
    for (gsize begin = list->begin; begin < list->end;) {
        gsize end = begin + strcspn(text + begin, " \t\r\n");
        end = MIN(end, list->end);
        if (end - begin == length && strncmp(text + begin, word, length) == 0) {
            *at = begin;
            return TRUE;
        }
        begin = end + 1;
    }
    return FALSE;
}

int rc_has_list(const char *text, const char *name, GError **error)
{
    Assignment list;
    return find_assignment(text, name, &list, error);
}

int rc_has_word(const char *text, const char *name, const char *word, GError **error)
{
    Assignment list;
    gsize at;
    Found found = find_assignment(text, name, &list, error);
    return found == LIST_FOUND ? find_word(text, &list, word, &at) : (int)found;
}

static void append_assignment(GString *text, const char *name, const char *word)
{
    gboolean ended = text->len == 0 || text->str[text->len - 1] == '\n';
    g_string_append_printf(text, "%s%s=\"%s\"%s", ended ? "" : "\n", name, word, ended ? "\n" : "");
}

gboolean rc_add_word(GString *text, const char *name, const char *word, GError **error)
{
    Assignment list;
    gsize at;
    Found found = find_assignment(text->str, name, &list, error);
    if (found == LIST_BROKEN)
        return FALSE;
    if (found == LIST_NONE) {
        append_assignment(text, name, word);
        return TRUE;
    }
    if (find_word(text->str, &list, word, &at))
        return TRUE;
    const char *blank = list.end > list.begin ? " " : "";
    const char *quote = list.quote ? "" : "\"";
    g_autofree gchar *more = g_strconcat(blank, word, quote, NULL);
    g_string_insert(text, (gssize)list.end, more);
    g_string_insert(text, (gssize)list.begin, quote);
    return TRUE;
}

gboolean rc_remove_word(GString *text, const char *name, const char *word, gboolean keep_list,
                        GError **error)
{
    Assignment list;
    gsize at;
    Found found = find_assignment(text->str, name, &list, error);
    if (found != LIST_FOUND || !find_word(text->str, &list, word, &at))
        return found != LIST_BROKEN;
    gsize end = at + strlen(word);
    if (at > list.begin) {
        at--;
    } else if (end < list.end) {
        end++;
    } else if (!keep_list) {
        at = list.line;
        end = list.line_end;
        if (text->str[end - 1] != '\n' && at > 0)
            at--;
    }
    g_string_erase(text, (gssize)at, (gssize)(end - at));
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
#include "setup_engine.h"

#include "autoptr.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

#define RUNTIMES     "runtimes"
#define LIVE_RESTORE "live-restore"
#define BLANKS       " \t\r\n"

/* A member of an object in the text: from its name's quote to the end of its value. */
typedef struct {
    gsize begin, name_end; /* the name with its quotes */
    gsize value, end;
} Member;

/* ---- reading: of text that jansson has taken, so that only its shape is looked for ---- */

static json_t *parse(const char *text, GError **error)
{
    json_error_t why;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(root))
        return root;
    json_decref(root);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "line %d: %s", root ? 1 : why.line,
                root ? "no JSON object" : why.text);
    return NULL;
}

static gsize skip_blanks(const char *text, gsize at)
{
    return at + strspn(text + at, BLANKS);
}

static gsize string_end(const char *text, gsize at)
{
    for (at++; text[at] != '"'; at++)
        at += text[at] == '\\';
    return at + 1;
}

/* Behind the value that begins at AT. */
static gsize value_end(const char *text, gsize at)
{
    guint depth = 0;
    for (;;) {
        char c = text[at];
        if (c == '"') {
            at = string_end(text, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            depth--;
            at++;
        } else {
            at += depth > 0 ? 1 : strcspn(text + at, BLANKS ",]}");
        }
        if (depth == 0)
            return at;
    }
}

/* The members of the object whose brace stands at OPEN; Member. */
static GArray *members_of(const char *text, gsize open)
{
    GArray *members = g_array_new(FALSE, FALSE, sizeof(Member));
    for (gsize at = skip_blanks(text, open + 1); text[at] == '"';) {
        Member member = {.begin = at, .name_end = string_end(text, at)};
        member.value = skip_blanks(text, skip_blanks(text, member.name_end) + 1);
        member.end = value_end(text, member.value);
        g_array_append_val(members, member);
        at = skip_blanks(text, member.end);
        at = skip_blanks(text, at + (text[at] == ','));
    }
    return members;
}

/* Names are compared as JSON has them: "\u0072untimes" is "runtimes". */
static gboolean is_named(const char *text, const Member *member, const char *name)
{
    g_autoptr(json_t) string =
        json_loadb(text + member->begin, member->name_end - member->begin, JSON_DECODE_ANY, NULL);
    return g_strcmp0(json_string_value(string), name) == 0;
}

/* Its place among MEMBERS, -1 if it is not there. */
static int find_member(const char *text, const GArray *members, const char *name)
{
    for (guint i = 0; i < members->len; i++)
        if (is_named(text, &g_array_index(members, Member, i), name))
            return (int)i;
    return -1;
}

/* The member NAME of the object at OPEN; FALSE if it is not there. */
static gboolean look_up(const char *text, gsize open, const char *name, Member *member)
{
    g_autoptr(GArray) members = members_of(text, open);
    int at = find_member(text, members, name);
    if (at < 0)
        return FALSE;
    *member = g_array_index(members, Member, at);
    return TRUE;
}

static gsize root_of(const char *text)
{
    return skip_blanks(text, 0);
}

/* ---- editing ---- */

static void replace(GString *text, gsize begin, gsize end, const char *with)
{
    g_string_erase(text, (gssize)begin, (gssize)(end - begin));
    g_string_insert(text, (gssize)begin, with);
}

/* Indented by two more than the line of the brace. */
static void fill_empty(GString *text, gsize open, const char *member)
{
    gsize line = open;
    while (line > 0 && text->str[line - 1] != '\n')
        line--;
    gsize width = strspn(text->str + line, " \t");
    width = MIN(width, open - line);
    g_autofree gchar *indent = g_strndup(text->str + line, width);
    g_autofree gchar *lines = g_strdup_printf("\n%s  %s\n%s", indent, member, indent);
    replace(text, open + 1, skip_blanks(text->str, open + 1), lines);
}

/* Adds a member at the end of the object at OPEN, with the layout of the one before it. */
static void add_member(GString *text, gsize open, const char *name, const char *value)
{
    g_autofree gchar *member = g_strdup_printf("\"%s\": %s", name, value);
    g_autoptr(GArray) members = members_of(text->str, open);
    if (members->len == 0) {
        fill_empty(text, open, member);
        return;
    }
    const Member *last = &g_array_index(members, Member, members->len - 1);
    gsize blanks = last->begin;
    while (blanks > 0 && strchr(BLANKS, text->str[blanks - 1]))
        blanks--;
    g_autofree gchar *space = g_strndup(text->str + blanks, last->begin - blanks);
    g_autofree gchar *more = g_strdup_printf(",%s%s", space, member);
    g_string_insert(text, (gssize)last->end, more);
}

/* Takes the member NAME out of the object at OPEN; TRUE when the object is empty then. */
static gboolean remove_member(GString *text, gsize open, const char *name)
{
    g_autoptr(GArray) members = members_of(text->str, open);
    int at = find_member(text->str, members, name);
    if (at < 0)
        return members->len == 0;
    guint i = (guint)at;
    gsize begin = g_array_index(members, Member, i).begin;
    gsize end = g_array_index(members, Member, i).end;
    if (members->len == 1) {
        begin = open + 1;
        end = skip_blanks(text->str, end);
    } else if (i + 1 == members->len) {
        begin = g_array_index(members, Member, i - 1).end;
    } else {
        end = g_array_index(members, Member, i + 1).begin;
    }
    replace(text, begin, end, "");
    return members->len == 1;
}

/* ---- what is wanted ---- */

static gchar *runtime_value(const char *path)
{
    g_autoptr(json_t) runtime = json_pack("{s:s}", "path", path);
    char *text = json_dumps(runtime, 0);
    gchar *value = g_strdup(text);
    free(text);
    return value;
}

static const json_t *runtime_of(const json_t *root, const char *name)
{
    return json_object_get(json_object_get(root, RUNTIMES), name);
}

/* The path is what counts; arguments of the runtime would be in its way. */
static gboolean has_runtime(const json_t *root, const SetupEngine *want)
{
    const json_t *runtime = runtime_of(root, want->runtime_name);
    const char *path = json_string_value(json_object_get(runtime, "path"));
    return g_strcmp0(path, want->runtime_path) == 0 && !json_object_get(runtime, "runtimeArgs");
}

static gboolean check_runtimes(const json_t *root, GError **error)
{
    const json_t *runtimes = json_object_get(root, RUNTIMES);
    if (!runtimes || json_is_object(runtimes))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "\"" RUNTIMES "\" is no object");
    return FALSE;
}

static void set_member(GString *text, gsize open, const char *name, const char *value)
{
    Member member;
    if (look_up(text->str, open, name, &member))
        replace(text, member.value, member.end, value);
    else
        add_member(text, open, name, value);
}

static void set_runtime(GString *text, const SetupEngine *want)
{
    Member runtimes;
    g_autofree gchar *value = runtime_value(want->runtime_path);
    g_autofree gchar *only = g_strdup_printf("{\"%s\": %s}", want->runtime_name, value);
    if (look_up(text->str, root_of(text->str), RUNTIMES, &runtimes))
        set_member(text, runtimes.value, want->runtime_name, value);
    else
        add_member(text, root_of(text->str), RUNTIMES, only);
}

static gboolean is_blank(const char *text)
{
    return !text || text[strspn(text, BLANKS)] == '\0';
}

gchar *setup_engine_apply(const char *text, const SetupEngine *want, GError **error)
{
    g_autoptr(GString) now = g_string_new(is_blank(text) ? "{}\n" : text);
    g_autoptr(json_t) root = parse(now->str, error);
    if (!root || !check_runtimes(root, error))
        return NULL;
    if (!has_runtime(root, want))
        set_runtime(now, want);
    if (want->live_restore && !json_is_true(json_object_get(root, LIVE_RESTORE)))
        set_member(now, root_of(now->str), LIVE_RESTORE, "true");
    return g_string_free(g_steal_pointer(&now), FALSE);
}

/* ---- taking out ---- */

/* The text of the runtime's value in BEFORE, NULL if it had none. */
static gchar *runtime_text(const char *before, const char *name)
{
    Member runtimes, runtime;
    if (!look_up(before, root_of(before), RUNTIMES, &runtimes) ||
        !look_up(before, runtimes.value, name, &runtime))
        return NULL;
    return g_strndup(before + runtime.value, runtime.end - runtime.value);
}

static void revert_runtime(GString *text, const SetupEngine *want, const json_t *had,
                           const char *before)
{
    Member runtimes, runtime;
    if (!look_up(text->str, root_of(text->str), RUNTIMES, &runtimes) ||
        !look_up(text->str, runtimes.value, want->runtime_name, &runtime))
        return;
    if (before && runtime_of(had, want->runtime_name)) {
        g_autofree gchar *value = runtime_text(before, want->runtime_name);
        set_member(text, runtimes.value, want->runtime_name, value);
    } else if (remove_member(text, runtimes.value, want->runtime_name) &&
               !json_object_get(had, RUNTIMES)) {
        remove_member(text, root_of(text->str), RUNTIMES);
    }
}

static void revert_live_restore(GString *text, const json_t *had)
{
    g_autoptr(GArray) members = members_of(text->str, root_of(text->str));
    int at = find_member(text->str, members, LIVE_RESTORE);
    const json_t *value = json_object_get(had, LIVE_RESTORE);
    if (at < 0 || json_is_true(value))
        return;
    if (value)
        set_member(text, root_of(text->str), LIVE_RESTORE, "false");
    else if (had || members->len == 1)
        remove_member(text, root_of(text->str), LIVE_RESTORE);
}

static gboolean same(const char *text, const json_t *other)
{
    g_autoptr(json_t) root = json_loads(text, 0, NULL);
    return json_equal(root, other);
}

gchar *setup_engine_revert(const char *text, const SetupEngine *want, const char *before,
                           GError **error)
{
    g_autoptr(GString) now = g_string_new(text);
    if (is_blank(text))
        return g_string_free(g_steal_pointer(&now), FALSE);
    g_autoptr(json_t) root = parse(now->str, error);
    if (!root || !check_runtimes(root, error))
        return NULL;
    g_autoptr(json_t) had = before ? json_loads(before, 0, NULL) : NULL;
    revert_runtime(now, want, had, before);
    revert_live_restore(now, had);
    g_autoptr(json_t) left = json_loads(now->str, 0, NULL);
    if (before && (same(now->str, had) || (is_blank(before) && json_object_size(left) == 0)))
        return g_strdup(before);
    if (!before && json_object_size(left) == 0)
        return NULL;
    return g_string_free(g_steal_pointer(&now), FALSE);
}

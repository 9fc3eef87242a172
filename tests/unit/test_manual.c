// SPDX-License-Identifier: Apache-2.0
/* The manual pages name every exit status, setting, action and attribute, each as the code has it.
 */
#include "driver/config.h"
#include "driver/error.h"
#include "driver/spec_attribute.h"
#include "shim/nova.h"
#include "shim/one.h"

#include <string.h>

static const char *data_folder(void)
{
    const char *data = g_getenv("VMDOCK_TEST_DATA");
    return data ? data : "tests/data";
}

/* The page as it is installed: its places filled in. */
static gchar *page_text(const char *name)
{
    static const char *const places[][2] = {{"@sysconfdir@/vmdock", VMDOCK_SYSCONFDIR},
                                            {"@localstatedir@/lib/vmdock", VMDOCK_STATEDIR},
                                            {"@runstatedir@/vmdock", VMDOCK_RUNDIR}};
    g_autofree gchar *path = g_build_filename(data_folder(), "..", "..", "doc", name, NULL);
    g_autofree gchar *text = NULL;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    GString *filled = g_string_new(text);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        g_string_replace(filled, places[i][0], places[i][1], 0);
    return g_string_free(filled, FALSE);
}

/* What stands in TEXT between the line BEGIN and the next line that begins with END. */
static gchar *part(const char *text, const char *begin, const char *end)
{
    g_autofree gchar *line = g_strconcat("\n", begin, "\n", NULL);
    const char *from = strstr(text, line);
    if (!from)
        g_error("no line \"%s\"", begin);
    from += strlen(line);
    g_autofree gchar *stop = g_strconcat("\n", end, NULL);
    const char *to = strstr(from - 1, stop);
    return to ? g_strndup(from, (gsize)(to - from + 1)) : g_strdup(from);
}

static guint count(const char *text, const char *word)
{
    guint n = 0;
    for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
        n++;
    return n;
}

static void test_statuses(void)
{
    g_autofree gchar *page = page_text("vmdock.1.in");
    g_autofree gchar *section = part(page, ".Sh EXIT STATUS", ".Sh ");
    const char *name, *text;
    int status;
    guint rows = 0;
    for (; vmdock_error_row(rows, &name, &status, &text); rows++) {
        g_autofree gchar *entry = g_strdup_printf("\n.It %d\n%s\n", status, text);
        if (!strstr(section, entry))
            g_error("vmdock.1 does not say that %d is \"%s\"", status, text);
        g_assert_cmpint(status, !=, 42);
    }
    g_assert_cmpuint(rows, ==, VMDOCK_ERROR_LAST);
    g_assert_cmpuint(count(section, "\n.It "), ==, rows);
}

/* The entry of KEY in its group ends with its default, and names its range. */
static void check_key(const char *page, const char *group, const char *key, const char *value,
                      const char *range)
{
    g_autofree gchar *heading = g_strdup_printf(".Ss [%s]", group);
    g_autofree gchar *section = part(page, heading, ".El");
    g_autofree gchar *item = g_strdup_printf(".It Ic %s", key);
    g_autofree gchar *entry = part(section, item, ".It ");
    g_autofree gchar *end =
        value ? g_strdup_printf("\nDefault:\n.Li %s .\n", value) : g_strdup("\nDefault: none.\n");
    if (!strstr(entry, end))
        g_error("[%s] %s does not say \"%s\"", group, key, end);
    if (range && !strstr(entry, range))
        g_error("[%s] %s does not say \"%s\"", group, key, range);
}

static void check_number(const char *page, const char *group, const char *key, guint64 value,
                         guint64 smallest, guint64 largest)
{
    g_autofree gchar *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
    g_autofree gchar *range =
        g_strdup_printf(" %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, smallest, largest);
    check_key(page, group, key, text, range);
}

static void test_settings(void)
{
    g_autofree gchar *page = page_text("vmdock.conf.5.in");
    guint rows = 0;
#define STR(field, group, key, value) check_key(page, group, key, value, NULL), rows++;
#define NUM(field, group, key, value, smallest, largest)                                           \
    check_number(page, group, key, value, smallest, largest), rows++;
#define BOOL(field, group, key, value)                                                             \
    check_key(page, group, key, value ? "true" : "false", NULL), rows++;
#define LIST(field, group, key) check_key(page, group, key, NULL, NULL), rows++;
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
    g_assert_cmpuint(count(page, "\n.It Ic "), ==, rows);
}

static void test_actions(void)
{
    static const char *const names[] = {
#define X(name, function) name,
        ONE_ACTIONS(X)
#undef X
    };
    g_autofree gchar *page = page_text("vmdock-one.8");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree gchar *item = g_strdup_printf("\n.It Cm %s", names[i]);
        const char *at = strstr(page, item);
        if (!at || !strchr(" \n", at[strlen(item)]))
            g_error("vmdock-one(8) does not say what %s does", names[i]);
    }
    g_assert_cmpuint(count(page, "\n.It Cm "), ==, G_N_ELEMENTS(names));
}

static gboolean is_attribute(const char *name)
{
    const char *known;
    for (gsize row = 0; (known = spec_attribute_name(row)); row++)
        if (g_str_equal(known, name))
            return TRUE;
    return FALSE;
}

/* Attributes of a disk, which vmdock-template(5) writes with DISK/ before them, and variables of
 * the context are no attributes of the VM. */
static void test_attributes(void)
{
    static const char begin[] = "\n.It Li ONEDOCK_";
    g_autofree gchar *page = page_text("vmdock-template.5");
    const char *name;
    for (gsize row = 0; (name = spec_attribute_name(row)); row++) {
        g_autofree gchar *item = g_strconcat(begin, name, "\n", NULL);
        if (!strstr(page, item))
            g_error("vmdock-template(5) does not say what ONEDOCK_%s does", name);
    }
    for (const char *at = page; (at = strstr(at, begin));) {
        at += strlen(begin);
        g_autofree gchar *word = g_strndup(at, strcspn(at, " \n"));
        if (!is_attribute(word) && !g_str_has_prefix(at, "ENV_ Ns Ar NAME\n"))
            g_error("vmdock-template(5) tells of ONEDOCK_%s, which is none", word);
    }
}

/* How many words like `this` the first column of TABLE has; with a WORD, how often that one. */
static guint count_in_rows(const char *table, const char *word)
{
    g_autofree gchar *quoted = g_strdup_printf("`%s`", word ? word : "[a-z_]+");
    g_autoptr(GRegex) regex = g_regex_new(quoted, 0, 0, NULL);
    g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
    guint n = 0;
    for (gchar **line = lines; *line; line++) {
        g_auto(GStrv) cells = g_strsplit(*line, "|", 3);
        g_autoptr(GMatchInfo) match = NULL;
        if (g_strv_length(cells) < 3)
            continue;
        for (g_regex_match(regex, cells[1], 0, &match); g_match_info_matches(match);
             g_match_info_next(match, NULL))
            n++;
    }
    return n;
}

static void test_nova_methods(void)
{
    static const char *const names[] = {
#define X(name, function, archive) name,
        NOVA_METHODS(X)
#undef X
    };
    g_autofree gchar *page = page_text("nova-protocol.md");
    g_autofree gchar *section = part(page, "## Methods", "## ");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (count_in_rows(section, names[i]) != 1)
            g_error("nova-protocol.md does not say what %s does", names[i]);
    g_assert_cmpuint(count_in_rows(section, NULL), ==, G_N_ELEMENTS(names));
}

static void test_nova_kinds(void)
{
    g_autofree gchar *page = page_text("nova-protocol.md");
    g_autofree gchar *section = part(page, "## Form", "## ");
    const char *kinds = strstr(section, "\nKIND is one of ");
    g_assert_nonnull(kinds);
    g_autofree gchar *list = g_strndup(kinds, strcspn(kinds, "."));
    const char *name, *text;
    int status;
    guint rows = 0, doctors = 0;
    for (; vmdock_error_row(rows, &name, &status, &text); rows++) {
        g_autofree gchar *quoted = g_strdup_printf("`%s`", name);
        if (g_str_has_prefix(text, "vmdock doctor"))
            doctors++;
        else if (!strstr(list, quoted))
            g_error("nova-protocol.md does not name %s", name);
    }
    g_assert_cmpuint(count(list, "`"), ==, 2 * (rows - doctors));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manual/statuses", test_statuses);
    g_test_add_func("/manual/settings", test_settings);
    g_test_add_func("/manual/actions", test_actions);
    g_test_add_func("/manual/attributes", test_attributes);
    g_test_add_func("/manual/nova-methods", test_nova_methods);
    g_test_add_func("/manual/nova-kinds", test_nova_kinds);
    return g_test_run();
}

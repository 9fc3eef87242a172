// SPDX-License-Identifier: Apache-2.0
#include "shim/table.h"

#include <string.h>

static const TableColumn columns[] = {
    {.header = "ID"},
    {.header = "NAME", .flexible = TRUE},
    {.header = "CPU", .right = TRUE},
    {.header = "STATE"},
};

static Table *example(void)
{
    Table *table = table_new(columns, G_N_ELEMENTS(columns));
    table_cell(table, TABLE_PLAIN, "one-7");
    table_cell(table, TABLE_PLAIN, "a web server of some length");
    table_cell(table, TABLE_PLAIN, "5.0");
    table_cell(table, TABLE_GREEN, "running");
    table_cell(table, TABLE_PLAIN, "one-42");
    table_cell(table, TABLE_PLAIN, "db");
    table_cell(table, TABLE_PLAIN, "120.5");
    table_cell(table, TABLE_RED, "dead");
    return table;
}

static guint widest_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint widest = 0;
    for (guint i = 0; lines[i]; i++)
        widest = MAX(widest, table_text_width(lines[i]));
    return widest;
}

static void test_alignment(void)
{
    g_autoptr(Table) table = example();
    g_autofree gchar *text = table_format(table, 0, FALSE);
    g_assert_cmpstr(text, ==,
                    "ID      NAME                           CPU  STATE\n"
                    "one-7   a web server of some length    5.0  running\n"
                    "one-42  db                           120.5  dead\n");
    /* A terminal that is wide enough changes nothing. */
    g_autofree gchar *wide = table_format(table, widest_line(text), FALSE);
    g_assert_cmpstr(wide, ==, text);
}

static void test_flexible(void)
{
    g_autoptr(Table) table = example();
    g_autofree gchar *text = table_format(table, 36, FALSE);
    g_assert_cmpstr(text, ==,
                    "ID      NAME            CPU  STATE\n"
                    "one-7   a web serve…    5.0  running\n"
                    "one-42  db            120.5  dead\n");
}

/* A number that is cut is another number: on a narrow terminal columns go as a whole. */
static void test_optional(void)
{
    static const TableColumn four[] = {
        {.header = "NAME", .flexible = TRUE},
        {.header = "READ", .right = TRUE, .optional = TRUE},
        {.header = "WRITTEN", .right = TRUE, .optional = TRUE},
        {.header = "PIDS", .right = TRUE},
    };
    static const struct {
        guint width;
        const char *text;
    } rows[] = {
        {37, "NAME              READ  WRITTEN  PIDS\na web server  12.3 MiB  4.5 KiB     2\n"},
        {33, "NAME          READ  WRITTEN  PIDS\na web s…  12.3 MiB  4.5 KiB     2\n"},
        {32, "NAME              READ  PIDS\na web server  12.3 MiB     2\n"},
        {20, "NAME          PIDS\na web server     2\n"},
        {14, "NAME      PIDS\na web s…     2\n"},
        {6, "N…  P…\na…   2\n"},
    };
    g_autoptr(Table) table = table_new(four, G_N_ELEMENTS(four));
    table_cell(table, TABLE_PLAIN, "a web server");
    table_cell(table, TABLE_PLAIN, "12.3 MiB");
    table_cell(table, TABLE_PLAIN, "4.5 KiB");
    table_cell(table, TABLE_PLAIN, "2");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *text = table_format(table, rows[i].width, FALSE);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

/* Any terminal that can hold two characters of each column. */
static void test_fits(void)
{
    g_autoptr(Table) table = example();
    for (guint width = 14; width < 60; width++) {
        g_autofree gchar *text = table_format(table, width, FALSE);
        g_assert_cmpuint(widest_line(text), <=, width);
        g_assert_true(g_utf8_validate(text, -1, NULL));
    }
    g_autofree gchar *tiny = table_format(table, 1, FALSE);
    g_assert_cmpuint(widest_line(tiny), ==, 14);
}

static void test_colour(void)
{
    g_autoptr(Table) table = example();
    g_autofree gchar *plain = table_format(table, 0, FALSE);
    g_autofree gchar *coloured = table_format(table, 0, TRUE);
    g_assert_null(strchr(plain, '\033'));
    g_assert_nonnull(strstr(coloured, "5.0  \033[32mrunning\033[0m\n"));
    g_assert_nonnull(strstr(coloured, "120.5  \033[31mdead\033[0m\n"));
    g_auto(GStrv) parts = g_regex_split_simple("\033\\[[0-9]+m", coloured, 0, 0);
    g_autofree gchar *stripped = g_strjoinv(NULL, parts);
    g_assert_cmpstr(stripped, ==, plain);
}

static void test_wide_characters(void)
{
    static const TableColumn two[] = {{.header = "NAME"}, {.header = "X"}};
    g_autoptr(Table) table = table_new(two, 2);
    table_cell(table, TABLE_PLAIN, "日本語"); /* six columns */
    table_cell(table, TABLE_PLAIN, "1");
    table_cell(table, TABLE_PLAIN,
               "e\xcc\x81"
               "a"); /* a combining accent: two columns */
    table_cell(table, TABLE_PLAIN, "2");
    g_autofree gchar *text = table_format(table, 0, FALSE);
    g_assert_cmpstr(text, ==,
                    "NAME    X\n日本語  1\ne\xcc\x81"
                    "a      2\n");
    /* Half a wide character is left out, and its column stays blank. */
    g_autofree gchar *cut = table_format(table, 7, FALSE);
    g_assert_cmpstr(cut, ==,
                    "NAME  X\n日…   1\ne\xcc\x81"
                    "a    2\n");
}

/* Names come from a cloud's users: no escape sequence of theirs reaches the terminal. */
static void test_hostile_text(void)
{
    static const TableColumn one[] = {{.header = "NAME"}};
    g_autoptr(Table) table = table_new(one, 1);
    table_cell(table, TABLE_PLAIN, "a\033[2Jb\nc\td\x7f\xff");
    table_cell(table, TABLE_PLAIN, "\xe2\x80\xaetxt.exe"); /* right-to-left override */
    table_cell(table, TABLE_PLAIN, NULL);
    g_autofree gchar *text = table_format(table, 0, TRUE);
    g_assert_cmpstr(text, ==, "NAME\na [2Jb c d ?\ntxt.exe\n\n");
}

static void test_rows(void)
{
    g_autoptr(Table) empty = table_new(columns, G_N_ELEMENTS(columns));
    g_autofree gchar *header = table_format(empty, 0, TRUE);
    g_assert_cmpstr(header, ==, "ID  NAME  CPU  STATE\n");
    table_cell(empty, TABLE_PLAIN, "one-7"); /* a row that is not full */
    g_autofree gchar *text = table_format(empty, 0, FALSE);
    g_assert_cmpstr(text, ==, "ID     NAME  CPU  STATE\none-7\n");
}

static void test_bytes(void)
{
    static const struct {
        guint64 bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {12897485, "12.3 MiB"},
        {1048575, "1.0 MiB"}, /* never "1024.0 KiB" */
        {G_GUINT64_CONSTANT(1) << 40, "1.0 TiB"},
        {G_MAXUINT64, "16.0 EiB"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *text = table_bytes(rows[i].bytes);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

static void test_duration(void)
{
    static const struct {
        gint64 seconds;
        const char *text;
    } rows[] = {
        {-1, "-"},
        {0, "0 s"},
        {59, "59 s"},
        {60, "1 min"},
        {200, "3 min 20 s"},
        {3600, "1 h"},
        {15120, "4 h 12 min"},
        {3659, "1 h"},
        {86400, "1 d"},
        {3 * 86400 + 4 * 3600 + 59 * 60, "3 d 4 h"},
        {G_MAXINT64, "106751991167300 d 15 h"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *text = table_duration(rows[i].seconds);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/table/alignment", test_alignment);
    g_test_add_func("/table/flexible", test_flexible);
    g_test_add_func("/table/optional", test_optional);
    g_test_add_func("/table/fits", test_fits);
    g_test_add_func("/table/colour", test_colour);
    g_test_add_func("/table/wide-characters", test_wide_characters);
    g_test_add_func("/table/hostile-text", test_hostile_text);
    g_test_add_func("/table/rows", test_rows);
    g_test_add_func("/table/bytes", test_bytes);
    g_test_add_func("/table/duration", test_duration);
    return g_test_run();
}

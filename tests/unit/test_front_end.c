// SPDX-License-Identifier: Apache-2.0
/* How each version of OpenNebula's front end is told of a failure. */
#include "shim/opennebula.h"

static void test_versions(void)
{
    static const struct {
        const char *version;
        FrontEnd front_end;
    } rows[] = {
        {"7.4.0\n", FRONT_END_PREFIXED}, {"7.0", FRONT_END_PREFIXED},
        {"10.1", FRONT_END_PREFIXED},    {"6.10.0", FRONT_END_ALL},
        {"6.2.0\n", FRONT_END_ALL},      {"6.0.3", FRONT_END_MARKED},
        {"5.12.0.4", FRONT_END_MARKED},  {"4.14.2", FRONT_END_MARKED},
        {"", FRONT_END_PREFIXED},        {"nonsense", FRONT_END_PREFIXED},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(front_end_from_version(rows[i].version), ==, rows[i].front_end);
}

static void test_missing_version_file(void)
{
    g_assert_cmpint(front_end_detect("/nonexistent"), ==, FRONT_END_PREFIXED);
}

/* What the front end of 7.x makes of stderr: the lines without a prefix, joined. */
static gchar *read_by_7(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *message = g_string_new(NULL);
    for (gsize i = 0; lines[i]; i++)
        if (!g_regex_match_simple("^(ERROR|INFO|WARN|DEBUG): ", lines[i], 0, 0))
            g_string_append(message, lines[i]);
    return g_string_free(message, FALSE);
}

static gchar *read_by_5(const char *text)
{
    g_auto(GStrv) around = g_strsplit(text, "ERROR MESSAGE --8<------\n", 2);
    g_assert_nonnull(around[1]);
    g_auto(GStrv) message = g_strsplit(around[1], "\nERROR MESSAGE ------>8--", 2);
    g_assert_nonnull(message[1]);
    return g_strdup(message[0]);
}

static void test_sentence(void)
{
    static const struct {
        const char *sentence, *shown;
    } rows[] = {
        {"bridge br9 is not there", "bridge br9 is not there"},
        {"two\nlines\x1b[0m", "two lines [0m"},
        {"ERROR: x", "vmdock: ERROR: x"},
        {"INFO:x", "vmdock: INFO:x"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *seven = front_end_error(FRONT_END_PREFIXED, rows[i].sentence);
        g_autofree gchar *shown_by_7 = read_by_7(seven);
        /* "ExitCode: 1" of the front end's own follows without so much as a blank. */
        g_autofree gchar *shown_with_stop = g_strconcat(rows[i].shown, ".", NULL);
        g_assert_cmpstr(shown_by_7, ==, shown_with_stop);
        g_autofree gchar *six = front_end_error(FRONT_END_ALL, rows[i].sentence);
        g_assert_cmpstr(g_strchomp(six), ==, rows[i].shown);
        g_autofree gchar *five = front_end_error(FRONT_END_MARKED, rows[i].sentence);
        g_autofree gchar *shown_by_5 = read_by_5(five);
        g_assert_cmpstr(shown_by_5, ==, rows[i].shown);
    }
}

static void test_one_stop(void)
{
    g_autofree gchar *text = front_end_error(FRONT_END_PREFIXED, "it ends so.");
    g_assert_cmpstr(text, ==, "it ends so.\n");
}

static void test_log_line_is_no_message(void)
{
    g_autofree gchar *log = front_end_log("WARN", "GRAPHICS is not honoured");
    g_autofree gchar *shown = read_by_7(log);
    g_assert_cmpstr(shown, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/front-end/versions", test_versions);
    g_test_add_func("/front-end/no-version-file", test_missing_version_file);
    g_test_add_func("/front-end/sentence", test_sentence);
    g_test_add_func("/front-end/stop", test_one_stop);
    g_test_add_func("/front-end/log", test_log_line_is_no_message);
    return g_test_run();
}

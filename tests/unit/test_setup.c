// SPDX-License-Identifier: Apache-2.0
/* The editors of vmdock-setup: what they put in, what they leave alone, and that all comes out
 * again. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/setup_dockerd.h"
#include "driver/setup_engine.h"
#include "driver/setup_forward.h"
#include "driver/setup_opennebula.h"
#include "driver/setup_rc.h"
#include "driver/setup_remotes.h"
#include "driver/setup_sunstone.h"
#include "driver/setup_template.h"

#include <string.h>

/* ---- OpenNebula's files ---- */

static gchar *data_text(const char *name, const char *suffix)
{
    const char *data = g_getenv("VMDOCK_TEST_DATA");
    g_autofree gchar *file = g_strconcat(name, suffix, NULL);
    g_autofree gchar *path = g_build_filename(data ? data : "tests/data", "setup", file, NULL);
    gchar *text = NULL;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

static gchar *applied(SetupConf conf, const char *text, guint notes_wanted)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    gchar *now = setup_opennebula_apply(conf, text, notes, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(notes->len, ==, notes_wanted);
    return now;
}

static gchar *reverted(SetupConf conf, const char *text, const char *before)
{
    g_autoptr(GError) error = NULL;
    gchar *now = setup_opennebula_revert(conf, text, before, &error);
    g_assert_no_error(error);
    return now;
}

/* With VMDOCK_GOLDEN_UPDATE set the file is written instead. */
static void assert_golden(const char *name, const char *text)
{
    if (g_getenv("VMDOCK_GOLDEN_UPDATE")) {
        g_autofree gchar *file = g_strconcat(name, ".after", NULL);
        g_autofree gchar *path =
            g_build_filename(g_getenv("VMDOCK_TEST_DATA"), "setup", file, NULL);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    }
    g_autofree gchar *golden = data_text(name, ".after");
    g_assert_cmpstr(text, ==, golden);
}

typedef struct {
    SetupConf conf;
    const char *name;
    guint notes;      /* how many differences the file has to what would be written */
    gboolean foreign; /* it has entries of this driver that somebody else wrote */
} Case;

static const Case cases[] = {
    {SETUP_ONED, "oned-7.conf", 0, FALSE},
    {SETUP_ONED, "oned-5.conf", 0, FALSE},
    {SETUP_ONED, "oned-onedock.conf", 20, TRUE},
    {SETUP_MONITORD, "monitord.conf", 0, FALSE},
    {SETUP_VMM_EXECRC, "vmm_execrc", 0, FALSE},
    {SETUP_VMM_EXECRC, "vmm_execrc-none", 0, FALSE},
    {SETUP_VMM_EXECRC, "vmm_execrc-empty", 0, FALSE},
};

static void test_case(gconstpointer data)
{
    const Case *c = data;
    g_autofree gchar *before = data_text(c->name, "");
    g_autofree gchar *after = applied(c->conf, before, c->notes);
    assert_golden(c->name, after);
    g_autofree gchar *twice = applied(c->conf, after, c->notes);
    g_assert_cmpstr(twice, ==, after);
    g_autofree gchar *out = reverted(c->conf, after, before);
    g_assert_cmpstr(out, ==, before);
    g_autofree gchar *nothing = reverted(c->conf, before, before);
    g_assert_cmpstr(nothing, ==, before);
    g_autofree gchar *blind = reverted(c->conf, after, NULL);
    if (c->foreign)
        g_assert_null(strstr(blind, "onedock\""));
    else if (!strstr(c->name, "empty"))
        g_assert_cmpstr(blind, ==, before);
}

/* What the operator has changed since stays, and nothing of the driver does. */
static void test_edited_since(void)
{
    g_autofree gchar *before = data_text("oned-7.conf", "");
    g_autofree gchar *after = applied(SETUP_ONED, before, 0);
    g_autoptr(GString) edited = g_string_new(after);
    g_string_replace(edited, "-r 0 -p onedock", "-t 30 -p onedock", 1);
    g_string_replace(edited, "DEBUG_LEVEL = 3", "DEBUG_LEVEL = 5", 1);
    g_string_replace(edited, "local,onedock\"", "onedock,local,mine\"", 1);
    g_string_replace(edited, "# The driver onedock of vmdock", "# My words", 1);
    g_string_append(edited, "\nMINE = \"yes\"\n");
    g_autofree gchar *out = reverted(SETUP_ONED, edited->str, before);
    g_assert_null(strstr(out, "onedock\"\n]"));
    g_assert_null(strstr(out, "DOCKERRUN"));
    g_assert_nonnull(strstr(out, "DEBUG_LEVEL = 5"));
    g_assert_nonnull(strstr(out, "shared,qcow2,ssh,local,mine\""));
    g_assert_nonnull(strstr(out, "MINE = \"yes\""));
    g_assert_nonnull(strstr(out, "#VM_MAD = [ NAME=\"onedock\""));
    g_autofree gchar *again = applied(SETUP_ONED, out, 0);
    g_assert_nonnull(strstr(again, "local,mine,onedock\""));
}

/* An older version wrote DRIVER into TM_MAD_CONF and knew less; what the operator wrote stays. */
static void test_older_version(void)
{
    static const struct {
        const char *now, *older;
        gboolean same; /* also to the byte */
    } rows[] = {
        {"    ALLOW_ORPHANS       = ",
         "    DRIVER              = \"raw\",\n    ALLOW_ORPHANS       = ", TRUE},
        {"    NAME                = \"onedock\",\n    LN_TARGET ",
         "    DRIVER = \"raw\", # all of them\n    NAME                = \"onedock\",\n    "
         "LN_TARGET ",
         FALSE},
        {"\"FILE\"\n]\n\n", "\"FILE\",\n    DRIVER = \"raw\"\n]\n\n", TRUE},
        {"\"FILE\"\n]\n\n", "\"FILE\", DRIVER = \"raw\"]\n\n", FALSE},
    };
    g_autofree gchar *before = data_text("oned-7.conf", "");
    g_autofree gchar *after = applied(SETUP_ONED, before, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) older = g_string_new(after);
        char *place = strstr(older->str, "TM_MAD_CONF = [\n    NAME                = \"onedock\"");
        g_assert_nonnull(place);
        g_autoptr(GString) vector = g_string_new(place);
        g_assert_cmpuint(g_string_replace(vector, rows[i].now, rows[i].older, 1), ==, 1);
        g_string_truncate(older, (gsize)(place - older->str));
        g_string_append(older, vector->str);
        g_autofree gchar *now = applied(SETUP_ONED, older->str, 0);
        if (rows[i].same)
            g_assert_cmpstr(now, ==, after);
        g_assert_null(strstr(strstr(now, "# The driver onedock of vmdock"), "\"raw\""));
        g_assert_null(strstr(now, ",\n]"));
        g_autofree gchar *again = applied(SETUP_ONED, now, 0);
        g_assert_cmpstr(again, ==, now);
        g_autofree gchar *out = reverted(SETUP_ONED, now, before);
        if (rows[i].same)
            g_assert_cmpstr(out, ==, before);
    }
    g_autoptr(GString) first = g_string_new(before);
    g_string_append(first, "\n# The driver onedock of vmdock: containers as virtual machines. By "
                           "vmdock-setup(8).\nTM_MAD_CONF = [\n    NAME          = \"onedock\",\n"
                           "    LN_TARGET     = \"NONE\",\n    CLONE_TARGET  = \"SYSTEM\",\n"
                           "    SHARED        = \"YES\",\n    DRIVER        = \"raw\",\n"
                           "    ALLOW_ORPHANS = \"YES\",\n    DS_MIGRATE    = \"YES\"\n]\n");
    g_autofree gchar *renewed = applied(SETUP_ONED, first->str, 0);
    g_assert_null(strstr(strstr(renewed, "LN_TARGET     ="), "\"raw\""));
    g_assert_nonnull(strstr(renewed, "    DS_MIGRATE    = \"YES\",\n    TM_MAD_SYSTEM = \"ssh,"));
    g_assert_nonnull(strstr(renewed, "    DISK_TYPE_QCOW2 = \"FILE\"\n]\n"));
    g_autofree gchar *gone = reverted(SETUP_ONED, renewed, before);
    g_assert_cmpstr(gone, ==, before);
    g_autoptr(GString) less = g_string_new(after);
    g_assert_cmpuint(g_string_replace(less, "    LIVE_RESIZE       = \"yes\",\n", "", 1), ==, 1);
    g_assert_cmpuint(g_string_replace(less, "\"-t 15 -r 0 -p onedock\"", "\"-p onedock\"", 1), ==,
                     1);
    g_autofree gchar *now = applied(SETUP_ONED, less->str, 1);
    g_assert_nonnull(strstr(now, "LIVE_RESIZE = \"yes\"\n]"));
    g_assert_nonnull(strstr(now, "\"-p onedock\""));
    /* Not under the line that says whose it is. */
    g_autoptr(GString) foreign = g_string_new(after);
    g_string_replace(foreign, "# The driver onedock of vmdock", "# My words", 0);
    g_string_replace(
        foreign, "    ALLOW_ORPHANS       = ", "    DRIVER = \"raw\", ALLOW_ORPHANS       = ", 1);
    g_autofree gchar *untouched = applied(SETUP_ONED, foreign->str, 1);
    g_assert_cmpstr(untouched, ==, foreign->str);
}

static void test_unreadable(void)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"A = \"x\"\nB = \"never\nclosed\n", "line 4: the string is never closed"},
        {"A = [ B = \"x\" C = \"y\" ]\n", "line 1: \",\" or \"]\" is expected"},
        {"A = [ B = \"x\",\n", "line 2: a name is expected"},
        {"A \"x\"\n", "line 1: \"=\" is expected"},
        {"A = \"x\"\n\n]\n", "line 3: a name is expected"},
        {"PORT = 1\n", "there is no TM_MAD with ARGUMENTS"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        g_autofree gchar *now = setup_opennebula_apply(SETUP_ONED, rows[i].text, notes, &error);
        g_assert_null(now);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
        g_assert_cmpstr(error->message, ==, rows[i].sentence);
    }
}

static void test_last_of_list_stays(void)
{
    g_autoptr(GString) text = g_string_new("TM_MAD = [ ARGUMENTS = \"-d onedock\" ]\n");
    g_assert_true(template_remove_word(text, "TM_MAD", "-d", "--tm-types", "onedock", NULL));
    g_assert_cmpstr(text->str, ==, "TM_MAD = [ ARGUMENTS = \"-d onedock\" ]\n");
}

static void test_rc_forms(void)
{
    static const struct {
        const char *text, *with;
    } rows[] = {
        {"L=one\n", "L=\"one w\"\n"},
        {"L=\n", "L=\"w\"\n"},
        {"L='one two' # c\n", "L='one two w' # c\n"},
        {"L=a\nL=b", "L=a\nL=\"b w\""},
        {"XL=a\n", "XL=a\nL=\"w\"\n"},
        {"L=\"www ww w\"\n", "L=\"www ww w\"\n"},
        {"", "L=\"w\"\n"},
        {"L=\"a\n b\"\nM=1\n", "L=\"a\n b w\"\nM=1\n"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) text = g_string_new(rows[i].text);
        g_assert_true(rc_add_word(text, "L", "w", NULL));
        g_assert_cmpstr(text->str, ==, rows[i].with);
        g_assert_cmpint(rc_has_word(text->str, "L", "w", NULL), ==, TRUE);
        g_assert_true(rc_remove_word(text, "L", "w", FALSE, NULL));
        g_assert_cmpint(rc_has_word(text->str, "L", "w", NULL), ==, FALSE);
    }
    static const char *const odd[] = {"L=\"a\nb", "L=a\"b\"", "L=\"a\"b\n", "L=\"a\\\"\"",
                                      "L=$X\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(odd); i++) {
        g_autoptr(GString) text = g_string_new(odd[i]);
        g_autoptr(GError) error = NULL;
        g_assert_false(rc_add_word(text, "L", "w", &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
        g_assert_cmpstr(text->str, ==, odd[i]);
    }
}

/* ---- the engine's file ---- */

#define PATH    "/usr/libexec/vmdock/vmdock-runtime"
#define RUNTIME "{\"path\": \"" PATH "\"}"

typedef struct {
    const char *before; /* NULL: no file */
    gboolean live_restore;
    const char *after;
} EngineCase;

static const EngineCase engine_cases[] = {
    {NULL, FALSE, "{\n  \"runtimes\": {\"vmdock\": " RUNTIME "}\n}\n"},
    {NULL, TRUE, "{\n  \"runtimes\": {\"vmdock\": " RUNTIME "},\n  \"live-restore\": true\n}\n"},
    {"", FALSE, "{\n  \"runtimes\": {\"vmdock\": " RUNTIME "}\n}\n"},
    {"{}", FALSE, "{\n  \"runtimes\": {\"vmdock\": " RUNTIME "}\n}"},
    {"{ \n }\n", FALSE, "{\n  \"runtimes\": {\"vmdock\": " RUNTIME "}\n}\n"},
    {"{\"debug\":true}", FALSE, "{\"debug\":true,\"runtimes\": {\"vmdock\": " RUNTIME "}}"},
    {"{\n\t\"mtu\": 1450,\n\t\"dns\": [\"a}\", \"\\\"b\"]\n}\n", TRUE,
     "{\n\t\"mtu\": 1450,\n\t\"dns\": [\"a}\", \"\\\"b\"],\n\t\"runtimes\": {\"vmdock\": " RUNTIME
     "},\n\t\"live-restore\": true\n}\n"},
    {"{\n  \"runtimes\": {\n    \"nvidia\": {\"path\": \"/n\", \"runtimeArgs\": []}\n  },\n"
     "  \"z\": 1\n}\n",
     FALSE,
     "{\n  \"runtimes\": {\n    \"nvidia\": {\"path\": \"/n\", \"runtimeArgs\": []},\n"
     "    \"vmdock\": " RUNTIME "\n  },\n  \"z\": 1\n}\n"},
    {"{\n  \"runtimes\": {}\n}\n", FALSE,
     "{\n  \"runtimes\": {\n    \"vmdock\": " RUNTIME "\n  }\n}\n"},
    {"{\"runtimes\": {\"vmdock\": {\"path\": \"/old\", \"x\": 1}}, \"live-restore\": false}", TRUE,
     "{\"runtimes\": {\"vmdock\": " RUNTIME "}, \"live-restore\": true}"},
    {"{\"r\\u0075ntimes\": {\"vmdock\": " RUNTIME "}, \"live-restore\": true}", TRUE,
     "{\"r\\u0075ntimes\": {\"vmdock\": " RUNTIME "}, \"live-restore\": true}"},
};

static void test_engine_cases(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(engine_cases); i++) {
        const EngineCase *c = &engine_cases[i];
        const SetupEngine want = {"vmdock", PATH, c->live_restore};
        g_autoptr(GError) error = NULL;
        g_autofree gchar *after = setup_engine_apply(c->before, &want, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(after, ==, c->after);
        g_autofree gchar *twice = setup_engine_apply(after, &want, &error);
        g_assert_cmpstr(twice, ==, after);
        g_autofree gchar *out = setup_engine_revert(after, &want, c->before, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(out, ==, c->before);
    }
}

static gchar *engine_reverted(const char *text, const char *before)
{
    const SetupEngine want = {"vmdock", PATH, FALSE};
    g_autoptr(GError) error = NULL;
    gchar *out = setup_engine_revert(text, &want, before, &error);
    g_assert_no_error(error);
    return out;
}

static void test_engine_edited_since(void)
{
    static const char text[] = "{\n  \"runtimes\": {\"vmdock\": " RUNTIME ", \"kata\": {}},\n"
                               "  \"live-restore\": true,\n  \"mtu\": 1400\n}\n";
    g_autofree gchar *out = engine_reverted(text, "{\"debug\": true}");
    g_assert_cmpstr(out, ==, "{\n  \"runtimes\": {\"kata\": {}},\n  \"mtu\": 1400\n}\n");
    /* who wrote live-restore cannot be told: VMs depend on it */
    g_autofree gchar *blind = engine_reverted(text, NULL);
    g_assert_cmpstr(blind, ==,
                    "{\n  \"runtimes\": {\"kata\": {}},\n  \"live-restore\": true,\n"
                    "  \"mtu\": 1400\n}\n");
    g_autofree gchar *gone = engine_reverted("{\"a\": 1}", "{\"runtimes\": {\"vmdock\": {}}}");
    g_assert_cmpstr(gone, ==, "{\"a\": 1}");
}

static void test_engine_unreadable(void)
{
    static const char *const rows[] = {
        "[]",   "{\"a\": 1,}", "{\"a\": 1, \"a\": 2}", "{\"runtimes\": []}", "# no JSON\n{}",
        "{} {}"};
    const SetupEngine want = {"vmdock", PATH, FALSE};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *now = setup_engine_apply(rows[i], &want, &error);
        g_assert_null(now);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
    }
}

static void test_dockerd_words(void)
{
    static const char words[] = "/usr/sbin/dockerd\0-H\0fd://\0--config-file\0/a/b.json\0";
    static const char more[] = "dockerd\0--config-file=/c\0--add-runtime\0x=/x";
    g_auto(Dockerd) dockerd = {0};
    setup_dockerd_parse(&dockerd, words, sizeof words - 1);
    g_assert_cmpstr(dockerd.config_file, ==, "/a/b.json");
    g_assert_false(dockerd.has_runtimes);
    setup_dockerd_parse(&dockerd, more, sizeof more - 1);
    g_assert_cmpstr(dockerd.config_file, ==, "/c");
    g_assert_true(dockerd.has_runtimes);
}

/* ---- the packet filter ---- */

static void test_forward(void)
{
    static const char drop[] = "-P INPUT ACCEPT\n-P FORWARD DROP\n-N DOCKER-USER\n"
                               "-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\n";
    g_autofree gchar *mended =
        g_strconcat(drop,
                    "-N opennebula\n-A FORWARD -m physdev --physdev-is-bridged -j opennebula\n"
                    "-A opennebula -j ACCEPT\n",
                    NULL);
    g_autofree gchar *closed = g_strconcat(drop, "-N opennebula\n", NULL);
    g_assert_cmpint(setup_forward_need(-1, ""), ==, FORWARD_NOT_FILTERED);
    g_assert_cmpint(setup_forward_need(0, drop), ==, FORWARD_NOT_FILTERED);
    g_assert_cmpint(setup_forward_need(1, "-P FORWARD ACCEPT\n"), ==, FORWARD_PASSES);
    g_assert_cmpint(setup_forward_need(1, drop), ==, FORWARD_NEEDS_CHAIN);
    g_assert_cmpint(setup_forward_need(1, mended), ==, FORWARD_PASSES);
    g_assert_cmpint(setup_forward_need(1, closed), ==, FORWARD_HAS_CHAIN);
}

/* ---- remotes ---- */

static void test_table_lines(void)
{
    static const struct {
        const char *line;
        int words; /* -1: no row */
    } rows[] = {
        {"", 0},
        {"  # a comment", 0},
        {"folder im/a.d/x # why", 2},
        {"link im/a.d/x im/b.d/x", 3},
        {"need im/a.d/x im/b.d/x\tim/c.d/x\r", 4},
        {"folder", -1},
        {"folder a b", -1},
        {"link a", -1},
        {"copy a b", -1},
        {"folder /etc", -1},
        {"folder a/../b", -1},
        {"link a//b c", -1},
        {"link a ../c", -1},
        {"folder ./a", -1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) row = setup_remotes_line(rows[i].line, &error);
        g_assert_cmpint(row ? (int)g_strv_length(row) : -1, ==, rows[i].words);
        if (!row)
            g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
    }
    g_autofree gchar *deep = setup_remotes_target("im/a-probes.d/host/beacon/x", "im/b/x");
    g_assert_cmpstr(deep, ==, "../../../../im/b/x");
    g_autofree gchar *flat = setup_remotes_target("x", "im/b/x");
    g_assert_cmpstr(flat, ==, "im/b/x");
}

/* ---- Sunstone's list of modules ---- */

#define ENTRY "entry: __HOST__/fireedge/modules/OnedockModule/remoteEntry.js"
#define OURS  "OnedockModule:\n  name: OnedockModule\n  " ENTRY "\n"

static gchar *with_module(const char *text, guint notes_wanted)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    gchar *now = setup_sunstone_apply(text, notes, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(notes->len, ==, notes_wanted);
    return now;
}

static gchar *without_module(const char *text)
{
    g_autoptr(GError) error = NULL;
    gchar *now = setup_sunstone_revert(text, &error);
    g_assert_no_error(error);
    return now;
}

/* What is put in is at the end, and comes out to the byte. */
static void test_sunstone_forms(void)
{
    static const struct {
        const char *text, *more;
    } rows[] = {
        {"A:\n  name: A\n", OURS},
        {"A:\n  name: A\n\n# the end\n", OURS},
        {"A:\n  name: A", "\nOnedockModule:\n  name: OnedockModule\n  " ENTRY},
        {"A:\n  name: A\n# the end", "\nOnedockModule:\n  name: OnedockModule\n  " ENTRY},
        {"A:\r\n  name: A\r\n", "OnedockModule:\r\n  name: OnedockModule\r\n  " ENTRY "\r\n"},
        {"A:\r\n  name: A", "\r\nOnedockModule:\r\n  name: OnedockModule\r\n  " ENTRY},
        {"\xef\xbb\xbf# a list\n---\n\"A b\" : # one\n  x:\n    - y\n  # z\n'B':\n", OURS},
        {"A: { name: A, entry: x } # one\n", OURS},
        {"OnedockModules:\n  name: OnedockModule\n", OURS},
        {"#OnedockModule:\n#  name: OnedockModule\nA:\n", OURS},
        {"A:\n OnedockModule:\n  name: OnedockModule\n", OURS},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *after = with_module(rows[i].text, 0);
        g_autofree gchar *wanted = g_strconcat(rows[i].text, rows[i].more, NULL);
        g_assert_cmpstr(after, ==, wanted);
        g_autofree gchar *twice = with_module(after, 0);
        g_assert_cmpstr(twice, ==, after);
        g_autofree gchar *out = without_module(after);
        g_assert_cmpstr(out, ==, rows[i].text);
        g_autofree gchar *nothing = without_module(out);
        g_assert_cmpstr(nothing, ==, out);
    }
}

/* One that somebody else wrote, or that was edited since: what is not there comes, what is stays.
 */
static void test_sunstone_there(void)
{
    static const struct {
        const char *before, *after, *without;
        guint notes;
    } rows[] = {
        {"A:\n" OURS "B:\n", "A:\n" OURS "B:\n", "A:\nB:\n", 0},
        {OURS, OURS, "", 0},
        {"'OnedockModule' : # mine\n\n    \"name\": \"OnedockModule\" # n\n# c\n    " ENTRY
         "\n\n# B's\nB:\n",
         NULL, "\n# B's\nB:\n", 0},
        {"OnedockModule:\nB:\n", OURS "B:\n", "B:\n", 0},
        {"A:\nOnedockModule:", "A:\nOnedockModule:\n  name: OnedockModule\n  " ENTRY, "A:", 0},
        {"A:\r\nOnedockModule:\r\n    name: 'OnedockModule'\r\n# B's\r\nB:\r\n",
         "A:\r\nOnedockModule:\r\n    name: 'OnedockModule'\r\n    " ENTRY "\r\n# B's\r\nB:\r\n",
         "A:\r\n# B's\r\nB:\r\n", 0},
        {"OnedockModule:\n  name: Other\n  entry: http://x/y.js\n  scope: z\nB:\n", NULL, "B:\n",
         2},
        {"OnedockModule:\n  entry: http://x/y.js\nB:\n",
         "OnedockModule:\n  entry: http://x/y.js\n  name: OnedockModule\nB:\n", "B:\n", 1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *wanted = rows[i].after ? rows[i].after : rows[i].before;
        g_autofree gchar *after = with_module(rows[i].before, rows[i].notes);
        g_assert_cmpstr(after, ==, wanted);
        g_autofree gchar *out = without_module(after);
        g_assert_cmpstr(out, ==, rows[i].without);
        g_autofree gchar *at_once = without_module(rows[i].before);
        g_assert_cmpstr(at_once, ==, rows[i].without);
    }
}

static void test_sunstone_unreadable(void)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"", "it names no module at all"},
        {"# nothing\n---\n", "it names no module at all"},
        {"{\"A\": {}}\n", "line 1: this is neither the name of a module nor indented"},
        {"A:\n- b\n", "line 2: this is neither the name of a module nor indented"},
        {"A:\n...\n", "line 2: this is neither the name of a module nor indented"},
        {"A:\n---\nB:\n", "line 2: this is neither the name of a module nor indented"},
        {"---\n---\nA:\n", "line 2: this is neither the name of a module nor indented"},
        {"A: {\nb: c\n}\n", "line 1: this is neither the name of a module nor indented"},
        {"A: {b: '}\n", "line 1: this is neither the name of a module nor indented"},
        {"A: b\n", "line 1: this is neither the name of a module nor indented"},
        {"A:b\n", "line 1: this is neither the name of a module nor indented"},
        {"\"A\\x42\":\n", "line 1: this is neither the name of a module nor indented"},
        {"? OnedockModule\n: b\n", "line 1: this is neither the name of a module nor indented"},
        {"&a OnedockModule:\n", "line 1: this is neither the name of a module nor indented"},
        {"  A:\n", "line 1: this is indented and belongs to no module"},
        {"A:\n\tb: c\n", "line 2: it is indented by a tab"},
        {"A:\r  b: c\n", "line 1: a carriage return does not end it"},
        {OURS "A:\n" OURS, "line 5: OnedockModule is named once more"},
        {"OnedockModule: { name: OnedockModule }\n", "line 1: OnedockModule is in braces"},
        {"OnedockModule:\n  name:\n    OnedockModule\n",
         "line 2: this is no plain setting of OnedockModule"},
        {"OnedockModule:\n  name: a b\n", "line 2: this is no plain setting of OnedockModule"},
        {"OnedockModule:\n  name: \"a\n", "line 2: this is no plain setting of OnedockModule"},
        {"OnedockModule:\n  name: a\n  name: b\n",
         "line 3: this is no plain setting of OnedockModule"},
        {"OnedockModule:\n  name: a\n    " ENTRY "\n",
         "line 3: this is no plain setting of OnedockModule"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        g_autofree gchar *now = setup_sunstone_apply(rows[i].text, notes, &error);
        g_assert_null(now);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
        g_assert_cmpstr(error->message, ==, rows[i].sentence);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree gchar *name = g_strconcat("/setup/opennebula/", cases[i].name, NULL);
        g_test_add_data_func(name, &cases[i], test_case);
    }
    g_test_add_func("/setup/opennebula/edited-since", test_edited_since);
    g_test_add_func("/setup/opennebula/older-version", test_older_version);
    g_test_add_func("/setup/opennebula/unreadable", test_unreadable);
    g_test_add_func("/setup/opennebula/last-of-list", test_last_of_list_stays);
    g_test_add_func("/setup/opennebula/rc-forms", test_rc_forms);
    g_test_add_func("/setup/engine/cases", test_engine_cases);
    g_test_add_func("/setup/engine/edited-since", test_engine_edited_since);
    g_test_add_func("/setup/engine/unreadable", test_engine_unreadable);
    g_test_add_func("/setup/engine/command-line", test_dockerd_words);
    g_test_add_func("/setup/forward", test_forward);
    g_test_add_func("/setup/remotes/table", test_table_lines);
    g_test_add_func("/setup/sunstone/forms", test_sunstone_forms);
    g_test_add_func("/setup/sunstone/there", test_sunstone_there);
    g_test_add_func("/setup/sunstone/unreadable", test_sunstone_unreadable);
    return g_test_run();
}

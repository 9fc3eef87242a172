// SPDX-License-Identifier: Apache-2.0
/* The arguments of OpenNebula's transfer actions. */
#include "driver/error.h"
#include "shim/tm_args.h"

#include <string.h>

static void test_places(void)
{
    static const struct {
        const char *text, *host, *path, *folder, *parent;
        gint disk;
    } rows[] = {
        {"onenode1:/var/lib/one//datastores/102/1/disk.0", "onenode1",
         "/var/lib/one/datastores/102/1/disk.0", "/var/lib/one/datastores/102/1",
         "/var/lib/one/datastores/102", 0},
        {"node-1.example:/var/lib/one//datastores/102/1/", "node-1.example",
         "/var/lib/one/datastores/102/1", "/var/lib/one/datastores/102/1",
         "/var/lib/one/datastores/102", -1},
        {"10.0.0.7:/d/0/1/disk.17", "10.0.0.7", "/d/0/1/disk.17", "/d/0/1", "/d/0", 17},
        {"n:/with blank/1/1", "n", "/with blank/1/1", "/with blank/1/1", "/with blank/1", -1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TmPlace) place = tm_place_parse(rows[i].text, "1", &error);
        g_assert_no_error(error);
        g_assert_cmpstr(place->host, ==, rows[i].host);
        g_assert_cmpstr(place->path, ==, rows[i].path);
        g_assert_cmpstr(place->folder, ==, rows[i].folder);
        g_assert_cmpstr(place->parent, ==, rows[i].parent);
        g_assert_cmpint(place->disk, ==, rows[i].disk);
    }
}

static void test_no_places(void)
{
    static const char *const texts[] = {
        "",
        "/var/lib/one/datastores/102/1",
        "n:",
        "n:/",
        "n:relative/102/1",
        "n:/102/1/../1",
        "n:/102/2",
        "n:/102/2/disk.0",
        "n:/102/1/disk.x",
        "n:/102/1/disk.",
        "n:/102/1/disk.-1",
        "n:/102/1/disk.99999999999",
        "n:/102/1/disk.0/more",
        "n:/notanumber/1",
        "n:/1",
        "-oProxyCommand=id:/102/1",
        "n;id:/102/1",
        "n$(id):/102/1",
        "user@n:/102/1",
        "n:/102\n/1",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TmPlace) place = tm_place_parse(texts[i], "1", &error);
        if (place)
            g_error("taken: %s", texts[i]);
        g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_USAGE));
        g_assert_null(strchr(error->message, '\n'));
    }
    static const char *const numbers[] = {
        "", "x", "-1", "1;id", "1 ", "../1", "99999999999999999999"};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree gchar *text = g_strconcat("n:/102/", numbers[i], NULL);
        g_autoptr(TmPlace) place = tm_place_parse(text, numbers[i], NULL);
        g_assert_null(place);
    }
}

static void test_same_place(void)
{
    g_autoptr(TmPlace) a = tm_place_parse("Node1:/d//102/1", "1", NULL);
    g_autoptr(TmPlace) b = tm_place_parse("node1:/d/102/1/", "1", NULL);
    g_autoptr(TmPlace) c = tm_place_parse("node2:/d/102/1", "1", NULL);
    g_autoptr(TmPlace) d = tm_place_parse("node1:/d/103/1", "1", NULL);
    g_assert_true(tm_place_same(a, b));
    g_assert_false(tm_place_same(a, c));
    g_assert_false(tm_place_same(a, d));
}

static void test_sources(void)
{
    static const struct {
        const char *text;
        TmSourceKind kind;
        const char *result; /* NULL = refused */
    } rows[] = {
        {"docker://ubuntu:latest", TM_REFERENCE, "docker://ubuntu:latest"},
        {"docker://reg.example:5000/a/b@sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         TM_REFERENCE,
         "docker://reg.example:5000/a/b@sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"docker-archive:/var/lib/one//datastores/104/x.tar", TM_ARCHIVE,
         "/var/lib/one/datastores/104/x.tar"},
        {"vm:/var/lib/one/datastores/104/3455fc", TM_FILE, "/var/lib/one/datastores/104/3455fc"},
        {"/var/lib/one/datastores/104/3455fc", TM_FILE, "/var/lib/one/datastores/104/3455fc"},
        {"docker://Upper:x", TM_REFERENCE, NULL},
        {"docker://", TM_REFERENCE, NULL},
        {"docker-archive:x.tar", TM_ARCHIVE, NULL},
        {"docker-archive:/etc/passwd", TM_ARCHIVE, NULL},
        {"docker-archive:/d/104/../../etc/passwd", TM_ARCHIVE, NULL},
        {"vm:/d/105/x", TM_FILE, NULL},
        {"vm:relative", TM_FILE, NULL},
        {"-o:/d/104/x", TM_FILE, NULL},
        {"", TM_FILE, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TmSource) source = tm_source_parse(rows[i].text, "104", &error);
        g_assert_cmpstr(source ? source->text : NULL, ==, rows[i].result);
        g_assert_true((source == NULL) == (error != NULL));
        if (source)
            g_assert_cmpint(source->kind, ==, rows[i].kind);
    }
}

static void test_context_files(void)
{
    static const struct {
        const char *text, *path, *name;
    } rows[] = {
        {"/var/lib/one/vms/1/context.sh", "/var/lib/one/vms/1/context.sh", "context.sh"},
        {"/d/104/abc:'init.sh'", "/d/104/abc", "init.sh"},
        {"/d/104/abc:init.sh", "/d/104/abc", "init.sh"},
        {"/d/104/abc:'it is'", "/d/104/abc", "it is"},
        {"/d/104/abc:'../x'", NULL, NULL},
        {"/d/104/abc:'..'", NULL, NULL},
        {"/d/104/abc:''", NULL, NULL},
        {"/d/../abc", NULL, NULL},
        {"http://example/x", NULL, NULL},
        {"relative", NULL, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TmContextFile) file = tm_context_file_parse(rows[i].text, &error);
        g_assert_cmpstr(file ? file->path : NULL, ==, rows[i].path);
        g_assert_cmpstr(file ? file->name : NULL, ==, rows[i].name);
        g_assert_true((file == NULL) == (error != NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tm-args/places", test_places);
    g_test_add_func("/tm-args/no-places", test_no_places);
    g_test_add_func("/tm-args/same-place", test_same_place);
    g_test_add_func("/tm-args/sources", test_sources);
    g_test_add_func("/tm-args/context-files", test_context_files);
    return g_test_run();
}

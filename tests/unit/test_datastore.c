// SPDX-License-Identifier: Apache-2.0
/* The pure parts of the datastore actions, and the working folder. */
#include "driver/autoptr.h"
#include "driver/datastore_source.h"
#include "driver/datastore_work.h"
#include "driver/error.h"
#include "driver/image_empty.h"
#include "driver/image_manifest.h"
#include "driver/opennebula_datastore.h"
#include "driver/skopeo.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

enum { MAX_XML = 4194304 };

#define HEX64    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST   "sha256:" HEX64
#define BASE     "/var/lib/one/datastores/104"
#define OWN_NAME "5-0123456789ab"

/* ---- messages ------------------------------------------------------------------------------- */

static DatastoreMessage *parse(const char *xml, GError **error)
{
    return datastore_message_parse(xml, strlen(xml), MAX_XML, error);
}

#define MESSAGE(image, datastore, template)                                                        \
    "<DS_DRIVER_ACTION_DATA><IMAGE>" image "</IMAGE><DATASTORE><ID>104</ID>" datastore             \
    "<TEMPLATE>" template "</TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>"
#define BASE_XML "<BASE_PATH><![CDATA[/var/lib/one//datastores/104]]></BASE_PATH>"

static const char whole[] =
    MESSAGE("<ID>5</ID><PERSISTENT>1</PERSISTENT><PATH><![CDATA[docker://nginx?a=1&b=2]]></PATH>"
            "<SOURCE><![CDATA[]]></SOURCE><FORMAT>save_as</FORMAT><SIZE>64</SIZE>"
            "<TARGET_SNAPSHOT>1</TARGET_SNAPSHOT><SNAPSHOTS><NEXT_SNAPSHOT>2</NEXT_SNAPSHOT>"
            "<SNAPSHOT><ID>0</ID></SNAPSHOT><SNAPSHOT><ID>1</ID></SNAPSHOT></SNAPSHOTS>",
            BASE_XML,
            "<REGISTRY>reg.example:5000</REGISTRY><REGISTRY_INSECURE>YES a:1</REGISTRY_INSECURE>"
            "<SAFE_DIRS>/var/tmp /srv/images</SAFE_DIRS><RESTRICTED_DIRS>/</RESTRICTED_DIRS>");

static void check_whole(const DatastoreMessage *message)
{
    g_assert_cmpstr(message->id, ==, "104");
    g_assert_cmpstr(message->base_path, ==, BASE);
    g_assert_cmpstr(message->registry, ==, "reg.example:5000");
    g_assert_cmpuint(g_strv_length(message->insecure), ==, 2);
    g_assert_cmpuint(g_strv_length(message->safe), ==, 2);
    g_assert_cmpstr(message->restricted[0], ==, "/");
    g_assert_cmpstr(message->image_id, ==, "5");
    g_assert_cmpstr(message->path, ==, "docker://nginx?a=1&b=2");
    g_assert_null(message->source);
    g_assert_cmpstr(message->format, ==, "save_as");
    g_assert_cmpuint(message->size_mb, ==, 64);
    g_assert_true(message->persistent);
    g_assert_cmpint(message->snapshot, ==, 1);
    g_assert_cmpuint(message->snapshots->len, ==, 2);
    g_assert_cmpuint(g_array_index(message->snapshots, guint64, 1), ==, 1);
}

static void test_message(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DatastoreMessage) plain = parse(whole, &error);
    g_assert_no_error(error);
    check_whole(plain);
    g_autofree gchar *base64 = g_base64_encode((const guchar *)whole, strlen(whole));
    g_autofree gchar *line = g_strconcat(base64, "\n", NULL);
    g_autoptr(DatastoreMessage) encoded = parse(line, &error);
    g_assert_no_error(error);
    check_whole(encoded);
    g_autoptr(DatastoreMessage) small = parse(MESSAGE("", BASE_XML, ""), &error);
    g_assert_no_error(error);
    g_assert_null(small->image_id);
    g_assert_null(small->registry);
    g_assert_cmpint(small->snapshot, ==, -1);
    g_assert_false(small->persistent);
    g_assert_null(small->safe[0]);
}

static void test_message_refused(void)
{
    static const char *const rows[][2] = {
        {"", "the XML is empty"},
        {"bm8=", "cannot be read"},
        {"<VM/>", "is of \"VM\""},
        {"<DS_DRIVER_ACTION_DATA/>", "no DATASTORE"},
        {MESSAGE("", "", ""), "DATASTORE has no BASE_PATH"},
        {MESSAGE("", "<BASE_PATH>datastores/1</BASE_PATH>", ""), "is not the absolute path"},
        {MESSAGE("", "<BASE_PATH>/a/../etc</BASE_PATH>", ""), "is not the absolute path"},
        {MESSAGE("", "<BASE_PATH>/a:b</BASE_PATH>", ""), "is not the absolute path"},
        {MESSAGE("", "<BASE_PATH>//</BASE_PATH>", ""), "is not the absolute path"},
        {MESSAGE("<ID>../5</ID>", BASE_XML, ""), "IMAGE/ID: \"../5\" is no id"},
        {MESSAGE("<SIZE>-1</SIZE>", BASE_XML, ""), "IMAGE/SIZE: \"-1\""},
        {MESSAGE("<TARGET_SNAPSHOT>x</TARGET_SNAPSHOT>", BASE_XML, ""), "TARGET_SNAPSHOT: \"x\""},
        {MESSAGE("<SNAPSHOTS><S><ID>9999999999</ID></S></SNAPSHOTS>", BASE_XML, ""), "SNAPSHOT/ID"},
        {"<!DOCTYPE a [<!ENTITY e 'x'>]><DS_DRIVER_ACTION_DATA/>", "DOCTYPE"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(DatastoreMessage) message = parse(rows[i][0], &error);
        if (message)
            g_error("row %" G_GSIZE_FORMAT " is taken", i);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        if (!strstr(error->message, rows[i][1]))
            g_error("\"%s\" does not say \"%s\"", error->message, rows[i][1]);
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(datastore_message_parse(whole, strlen(whole), 100, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

/* What the front end's onedatastore shows is a datastore alone. */
static void test_datastore_alone(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DatastoreMessage) message =
        parse("<DATASTORE><ID>104</ID>" BASE_XML
              "<TEMPLATE><REGISTRY>reg.example:5000</REGISTRY></TEMPLATE></DATASTORE>",
              &error);
    g_assert_no_error(error);
    g_assert_cmpstr(message->id, ==, "104");
    g_assert_cmpstr(message->registry, ==, "reg.example:5000");
    g_assert_null(message->image_id);
    g_assert_null(parse("<DATASTORE><ID>104</ID></DATASTORE>", &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

/* Whatever the front end was recorded to send is understood. */
static void test_records(void)
{
    const char *records = g_getenv("VMDOCK_RECORDS");
    g_autofree gchar *folder = g_build_filename(records, "opennebula", "xml", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint seen = 0;
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree gchar *path = g_build_filename(folder, name, NULL);
        g_autofree gchar *text = NULL;
        g_autoptr(GError) error = NULL;
        gsize length = 0;
        if (!g_str_has_prefix(name, "ds-"))
            continue;
        g_assert_true(g_file_get_contents(path, &text, &length, NULL));
        g_autoptr(DatastoreMessage) message =
            datastore_message_parse(text, length, MAX_XML, &error);
        g_assert_no_error(error);
        g_assert_true(g_str_has_prefix(message->base_path, "/var/lib/one/datastores/10"));
        g_assert_cmpstr(message->safe[0], ==, "/var/tmp");
        if (g_str_has_prefix(name, "ds-cp-"))
            g_assert_true(message->image_id && message->path && !message->source);
        if (g_str_has_prefix(name, "ds-rm-"))
            g_assert_true(message->image_id && message->source);
        seen++;
    }
    g_assert_cmpuint(seen, >=, 10);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void test_sources(void)
{
    static const struct {
        const char *text;
        DatastoreSourceKind kind;
        const char *place;
    } rows[] = {
        {"docker://library/nginx:latest?size=2048&filesystem=ext4&format=raw",
         DATASTORE_SOURCE_REFERENCE, "nginx:latest"},
        {"ubuntu:14.04", DATASTORE_SOURCE_REFERENCE, "ubuntu:14.04"},
        {"/root/docker://ubuntu:14.04", DATASTORE_SOURCE_REFERENCE, "ubuntu:14.04"},
        {"reg:5000/a@" DIGEST, DATASTORE_SOURCE_REFERENCE, "reg:5000/a@" DIGEST},
        {"/var/tmp/a b:c.tar", DATASTORE_SOURCE_FILE, "/var/tmp/a b:c.tar"},
        {"https://server/x.tar?y", DATASTORE_SOURCE_URL, "https://server/x.tar?y"},
        {"HTTP://server/x.tar", DATASTORE_SOURCE_URL, "HTTP://server/x.tar"},
        {"docker-archive:" BASE "/" OWN_NAME, DATASTORE_SOURCE_ARCHIVE, BASE "/" OWN_NAME},
    };
    static const char *const wrong[] = {"ftp://x/y", "docker-archive:x", "",         "Nginx",
                                        "a\nb",      "/var/tmp/a\033[m", "docker://"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(DatastoreSource) source = datastore_source_parse(rows[i].text, &error);
        g_assert_no_error(error);
        g_assert_cmpint(source->kind, ==, rows[i].kind);
        g_assert_cmpstr(source->place, ==, rows[i].place);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(datastore_source_parse(wrong[i], &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
    }
}

static void assert_reference(const char *text, const char *tag, const char *digest,
                             const char *wanted)
{
    g_autoptr(ImageRef) ref = image_ref_parse(text, NULL);
    g_autofree gchar *reference = datastore_reference(ref, tag, digest);
    g_assert_cmpstr(reference, ==, wanted);
}

static void test_references(void)
{
    assert_reference("nginx", NULL, NULL, "docker://docker.io/library/nginx:latest");
    assert_reference("nginx:1@" DIGEST, NULL, NULL, "docker://docker.io/library/nginx@" DIGEST);
    assert_reference("reg:5/a:1", NULL, DIGEST, "docker://reg:5/a@" DIGEST);
    assert_reference("reg:5/a@" DIGEST, "snap-1", NULL, "docker://reg:5/a:snap-1");
}

static void test_own_names(void)
{
    g_autofree gchar *name = datastore_name_new("42");
    g_autofree gchar *other = datastore_name_new("42");
    g_assert_cmpstr(name, !=, other);
    g_assert_true(datastore_name_is_own(name, "42"));
    g_assert_true(datastore_name_is_own(name, NULL));
    g_assert_false(datastore_name_is_own(name, "4"));
    g_assert_false(datastore_name_is_own(name, "2"));
    static const char *const foreign[] = {"5",
                                          "-0123456789ab",
                                          "5-0123456789a",
                                          "5-0123456789abc",
                                          "5-0123456789aB",
                                          "5_0123456789ab",
                                          ""};
    for (gsize i = 0; i < G_N_ELEMENTS(foreign); i++)
        g_assert_false(datastore_name_is_own(foreign[i], NULL));
    g_assert_true(datastore_file_is_own(BASE "/" OWN_NAME, BASE, "5"));
    g_assert_false(datastore_file_is_own(BASE "/" OWN_NAME, BASE, "6"));
    g_assert_false(datastore_file_is_own(BASE "/x/" OWN_NAME, BASE, "5"));
    g_assert_false(datastore_file_is_own("/var/lib/one/datastores/105/" OWN_NAME, BASE, "5"));
    g_assert_true(datastore_file_is_image("/var/lib/one/datastores/105/" OWN_NAME, BASE));
    g_assert_false(datastore_file_is_image("/var/lib/one/datastores/x/" OWN_NAME, BASE));
    g_assert_false(datastore_file_is_image("/etc/1/" OWN_NAME, BASE));
    g_assert_false(datastore_file_is_image(BASE "/../../../../../etc/passwd", BASE));
}

static gboolean is_own(const char *reference, const char *registry)
{
    g_autoptr(ImageRef) ref = image_ref_parse(reference, NULL);
    return datastore_repository_is_own(ref, registry, "5");
}

static void test_repositories(void)
{
    static const char *const wrong[] = {"registry", "docker://reg:5000", "reg:5000/Team", "reg:",
                                        "",         "reg:5000@" DIGEST,  "reg:5000/a?b"};
    g_autoptr(ImageRef) ref = datastore_repository("reg:5000/team", OWN_NAME, NULL);
    g_assert_cmpstr(ref->registry, ==, "reg:5000");
    g_assert_cmpstr(ref->repository, ==, "team/vmdock/" OWN_NAME);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(datastore_repository(wrong[i], OWN_NAME, &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
    }
    g_assert_true(is_own("docker://reg:5000/vmdock/" OWN_NAME ":latest", "reg:5000"));
    g_assert_true(is_own("docker://reg:5000/t/vmdock/" OWN_NAME "@" DIGEST, "reg:5000/t"));
    g_assert_false(is_own("docker://reg:5000/vmdock/" OWN_NAME, "reg:5000/t"));
    g_assert_false(is_own("docker://reg:5001/vmdock/" OWN_NAME, "reg:5000"));
    g_assert_false(is_own("docker://reg:5000/vmdock/6-0123456789ab", "reg:5000"));
    g_assert_false(is_own("docker://reg:5000/other/" OWN_NAME, "reg:5000"));
    g_assert_false(is_own("docker://reg:5000/vmdock/" OWN_NAME, NULL));
}

static void test_insecure(void)
{
    static const struct {
        const char *words, *registry;
        gboolean insecure;
    } rows[] = {
        {"", "127.0.0.1:5000", TRUE},      {"", "127.9.9.9", TRUE},
        {"", "localhost:5000", TRUE},      {"", "[::1]:5000", TRUE},
        {"", "127.evil.example", FALSE},   {"", "localhost.example:5000", FALSE},
        {"", "reg.example:5000", FALSE},   {"YES", "reg.example:5000", TRUE},
        {"yes", "reg.example:5000", TRUE}, {"YES", "reg.example:5001", FALSE},
        {"YES", "docker.io", FALSE},       {"NO", "reg.example:5000", FALSE},
        {"a:1 b:2", "b:2", TRUE},          {"a:1 b:2", "reg.example:5000", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) words = g_strsplit(rows[i].words, " ", -1);
        DatastoreMessage message = {.registry = (gchar *)"reg.example:5000/team",
                                    .insecure = words};
        if (datastore_is_insecure(&message, rows[i].registry) != rows[i].insecure)
            g_error("%s with \"%s\"", rows[i].registry, rows[i].words);
    }
}

static void test_allowed(void)
{
    static const char *const none[] = {NULL}, *const root[] = {"//", NULL};
    static const char *const safe[] = {"relative", "/var/tmp/", NULL};
    static const char *const own[] = {"/var/lib/one", NULL};
    g_assert_true(datastore_path_allowed("/var/tmp/x", safe, root, own));
    g_assert_true(datastore_path_allowed("/var/tmp", safe, root, own));
    g_assert_false(datastore_path_allowed("/var/tmpx/x", safe, root, own));
    g_assert_false(datastore_path_allowed("/etc/passwd", safe, root, own));
    g_assert_true(datastore_path_allowed("/srv/x", none, none, own));
    g_assert_false(datastore_path_allowed("/var/lib/one/.one/one_auth", none, none, own));
    g_assert_true(datastore_path_allowed("/var/lib/oneself", none, none, own));
}

static void test_megabytes(void)
{
    g_assert_cmpuint(datastore_megabytes(0), ==, 1);
    g_assert_cmpuint(datastore_megabytes(1048576), ==, 1);
    g_assert_cmpuint(datastore_megabytes(1048577), ==, 2);
    g_assert_cmpuint(datastore_megabytes(G_MAXUINT64), ==, G_MAXUINT64 / 1048576 + 1);
}

/* ---- manifests, archives, complaints -------------------------------------------------------- */

static gboolean manifest(const char *text, guint64 *bytes, gchar **digest, GError **error)
{
    return image_manifest_parse(text, strlen(text), "arm64", bytes, digest, error);
}

static void test_manifests(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *digest = NULL;
    guint64 bytes = 0;
    g_assert_true(manifest("{\"config\":{\"size\":10},\"layers\":[{\"size\":5},{\"size\":7}]}",
                           &bytes, &digest, &error));
    g_assert_cmpuint(bytes, ==, 22);
    g_assert_null(digest);
    static const char list[] =
        "{\"manifests\":[{\"digest\":\"sha256:x\",\"platform\":{\"os\":\"linux\",\"architecture\":"
        "\"arm64\"}},{\"digest\":\"" DIGEST
        "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}";
    g_assert_true(manifest(list, &bytes, &digest, &error));
    g_assert_cmpstr(digest, ==, DIGEST);
    g_autofree gchar *other = NULL;
    g_assert_true(image_manifest_parse(list, strlen(list), "amd64", &bytes, &other, &error));
    g_assert_cmpstr(other, ==, DIGEST);
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"layers\":[]}",
        "{\"config\":{\"size\":1},\"layers\":[{\"size\":-1}]}",
        "{\"config\":{\"size\":1},\"layers\":[{\"size\":9223372036854775807}]}",
        "{\"config\":{\"size\":1},\"layers\":[7]}",
        "{\"manifests\":[]}",
        "{\"manifests\":[{\"digest\":\"" DIGEST "\",\"platform\":{\"os\":\"windows\","
        "\"architecture\":\"amd64\"}}]}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) failure = NULL;
        g_autofree gchar *none = NULL;
        g_assert_false(manifest(wrong[i], &bytes, &none, &failure));
        g_assert_error(failure, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY);
        g_assert_null(none);
    }
    g_autofree gchar *hash = image_manifest_digest("abc", 3);
    g_assert_cmpstr(hash, ==,
                    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* The sum of a header with blanks in its own place is what it says. */
static void check_header(const guint8 *header)
{
    guint sum = 0;
    for (gsize i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    g_assert_cmpuint(g_ascii_strtoull((const char *)header + 148, NULL, 8), ==, sum);
    g_assert_cmpmem(header + 257, 6, "ustar", 6);
}

static void test_empty_image(void)
{
    g_autoptr(GByteArray) archive = image_empty_archive("amd64");
    g_autoptr(GByteArray) again = image_empty_archive("amd64");
    g_assert_cmpmem(archive->data, archive->len, again->data, again->len);
    g_assert_cmpuint(archive->len % 512, ==, 0);
    const guint8 *end = archive->data + archive->len, *at = archive->data;
    guint files = 0;
    for (; at < end && *at; files++) {
        check_header(at);
        guint64 size = g_ascii_strtoull((const char *)at + 124, NULL, 8);
        if (strcmp((const char *)at, "manifest.json") == 0) {
            g_autoptr(json_t) list = json_loadb((const char *)at + 512, size, 0, NULL);
            g_assert_cmpuint(json_array_size(list), ==, 1);
        }
        at += 512 + (size + 511) / 512 * 512;
    }
    g_assert_cmpuint(files, ==, 3);
    g_assert_cmpuint(end - at, ==, 1024);
}

static void test_complaints(void)
{
    static const struct {
        const char *text;
        VmdockError code;
        const char *sentence;
    } rows[] = {
        {"time=\"x\" level=fatal msg=\"Error parsing image name \\\"docker://r/a:1\\\": reading "
         "manifest 1 in r/a: manifest unknown: manifest unknown\"\n",
         VMDOCK_ERROR_NO_IMAGE, "image A: reading manifest 1 in r/a: manifest unknown"},
        {"time=\"x\" level=warning msg=\"hm\"\ntime=\"x\" level=fatal msg=\"initializing source "
         "docker://r:1/a:1: pinging container registry r:1: Get \\\"http://r:1/v2/\\\": connection "
         "refused\"",
         VMDOCK_ERROR_REGISTRY,
         "image A: pinging container registry r:1: Get \"http://r:1/v2/\": connection refused"},
        {"level=fatal msg=\" (dest: write /x: no space left on device): writing blob: write /x: no "
         "space left on device\"",
         VMDOCK_ERROR_NO_SPACE, "image A: writing blob: write /x: no space left on device"},
        {"level=fatal msg=\"trying to reuse blob sha256:1 at destination: checking: "
         "unauthorized\"",
         VMDOCK_ERROR_REGISTRY, "image A: checking: unauthorized"},
        {"level=fatal msg=\"piano: no\"", VMDOCK_ERROR_REGISTRY, "image A: piano: no"},
        {"level=fatal msg=\"determining manifest MIME type for docker-archive:/d/a:x/y:1: Tag "
         "\\\"x/y:1\\\" not found\"",
         VMDOCK_ERROR_NO_IMAGE, "image A: Tag \"x/y:1\" not found"},
        {"level=fatal msg=short", VMDOCK_ERROR_REGISTRY, "image A: short"},
        {"panic: x\n\ngoroutine 1\n", VMDOCK_ERROR_REGISTRY, "image A: goroutine 1"},
        {"level=fatal msg=\"a\\nb\\", VMDOCK_ERROR_REGISTRY, "image A: a b\\"},
        {"", VMDOCK_ERROR_REGISTRY, "image A: skopeo failed without a word"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        skopeo_complaint(rows[i].text, "A", &error);
        g_assert_cmpstr(error->message, ==, rows[i].sentence);
        g_assert_error(error, VMDOCK_ERROR, (int)rows[i].code);
    }
}

/* ---- the working folder --------------------------------------------------------------------- */

static void test_work(void)
{
    g_autofree gchar *folder = g_dir_make_tmp("vmdock-datastore-XXXXXX", NULL);
    g_autofree gchar *base = g_build_filename(folder, "a", "104", NULL);
    g_autofree gchar *dead = g_build_filename(base, ".vmdock-dead00", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(DatastoreWork) first = datastore_work_new(base, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_mkdir(dead, 0700), ==, 0);
    g_autoptr(DatastoreWork) second = datastore_work_new(base, &error);
    g_assert_no_error(error);
    g_assert_false(g_file_test(dead, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(first->folder, G_FILE_TEST_IS_DIR));
    g_clear_pointer(&first, datastore_work_free);
    g_clear_pointer(&second, datastore_work_free);
    g_assert_cmpint(g_rmdir(base), ==, 0);
    g_autofree gchar *parent = g_build_filename(folder, "a", NULL);
    g_assert_cmpint(g_rmdir(parent), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static int file_with(const char *path, const void *bytes, gsize length)
{
    g_assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static void test_take(void)
{
    /* "hello\n", gzip -n */
    static const guint8 packed[] = {0x1f, 0x8b, 8,    0,    0,    0,    0,    0,    0,
                                    3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0,
                                    0x20, 0x30, 0x3a, 0x36, 6,    0,    0,    0};
    g_autofree gchar *folder = g_dir_make_tmp("vmdock-datastore-XXXXXX", NULL);
    g_autofree gchar *from = g_build_filename(folder, "from", NULL);
    g_autofree gchar *to = g_build_filename(folder, "to", NULL);
    const struct {
        const void *bytes;
        gsize length;
        const char *fault;
    } rows[] = {
        {"hello\n", 6, NULL},
        {packed, sizeof packed, NULL},
        {packed, sizeof packed - 9, "cannot unpack F: it is cut off"},
        {"\x1f\x8bjunkjunkjunkjunk", 18, "cannot unpack F: "},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        autofd int fd = file_with(from, rows[i].bytes, rows[i].length);
        gboolean fine = datastore_work_take(fd, "F", to, &error);
        g_assert_cmpint(fine, ==, rows[i].fault == NULL);
        if (rows[i].fault) {
            g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
            g_assert_true(g_str_has_prefix(error->message, rows[i].fault));
        } else {
            g_autofree gchar *text = NULL;
            g_assert_true(g_file_get_contents(to, &text, NULL, NULL));
            g_assert_cmpstr(text, ==, "hello\n");
        }
        g_assert_cmpint(g_unlink(to), ==, 0);
    }
    g_unlink(from);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/datastore/message", test_message);
    g_test_add_func("/datastore/message/refused", test_message_refused);
    g_test_add_func("/datastore/message/alone", test_datastore_alone);
    /* No skip where there are none: for ./check a skip is a failure. */
    if (g_getenv("VMDOCK_RECORDS"))
        g_test_add_func("/datastore/message/records", test_records);
    g_test_add_func("/datastore/sources", test_sources);
    g_test_add_func("/datastore/references", test_references);
    g_test_add_func("/datastore/own-names", test_own_names);
    g_test_add_func("/datastore/repositories", test_repositories);
    g_test_add_func("/datastore/insecure", test_insecure);
    g_test_add_func("/datastore/allowed", test_allowed);
    g_test_add_func("/datastore/megabytes", test_megabytes);
    g_test_add_func("/datastore/manifests", test_manifests);
    g_test_add_func("/datastore/empty-image", test_empty_image);
    g_test_add_func("/datastore/complaints", test_complaints);
    g_test_add_func("/datastore/work", test_work);
    g_test_add_func("/datastore/take", test_take);
    return g_test_run();
}

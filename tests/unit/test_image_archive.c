// SPDX-License-Identifier: Apache-2.0
/* Image archives: renamed on their way, and their manifest. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/image_archive.h"
#include "driver/image_oci.h"
#include "driver/iso.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE                                                                                        \
    "{\"Config\":\"" ID ".json\",\"RepoTags\":[\"ubuntu:latest\"],\"Layers\":[\"a/layer.tar\"]}"
#define TWO                                                                                        \
    "{\"Config\":\"blobs/sha256/" ID "\",\"RepoTags\":[\"vmdock/"                                  \
    "one-7:disk.0-now\"],\"Layers\":[]}"
#define NONE "{\"Config\":\"x.json\",\"RepoTags\":null,\"Layers\":[]}"

static void test_manifest_rename(void)
{
    static const struct {
        const char *text;
        ImageArchiveNames names;
        const char *result; /* NULL = refused */
    } rows[] = {
        {"[" ONE "]",
         {.name = "v:1"},
         "[{\"Config\":\"" ID ".json\",\"RepoTags\":[\"v:1\"],\"Layers\":[\"a/layer.tar\"]}]"},
        {"[" NONE "]",
         {.name = "v:1"},
         "[{\"Config\":\"x.json\",\"RepoTags\":[\"v:1\"],\"Layers\":[]}]"},
        {"[" ONE "," TWO "]", {.name = "v:1"}, NULL},
        {"[" ONE "," TWO "]",
         {.name = "v:1", .pick = "vmdock/one-7:disk.0-now"},
         "[{\"Config\":\"blobs/sha256/" ID "\",\"RepoTags\":[\"v:1\"],\"Layers\":[]}]"},
        {"[" ONE "," TWO "]", {.name = "v:1", .pick = "other:1"}, NULL},
        {"[" ONE "," TWO "," NONE "]", {.prefix = "vmdock/one-7:disk.0-"}, "[" TWO "]"},
        {"[" ONE "]", {.prefix = "vmdock/one-7:disk.0-"}, NULL},
        {"[]", {.name = "v:1"}, NULL},
        {"{}", {.name = "v:1"}, NULL},
        {"[1]", {.name = "v:1"}, NULL},
        {"nonsense", {.name = "v:1"}, NULL},
        {"", {.name = "v:1"}, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *result =
            image_manifest_rename(rows[i].text, strlen(rows[i].text), &rows[i].names, &error);
        g_assert_cmpstr(result, ==, rows[i].result);
        VmdockError code = g_strcmp0(rows[i].names.pick, "other:1") == 0 ? VMDOCK_ERROR_NO_IMAGE
                                                                         : VMDOCK_ERROR_SPEC;
        if (!result)
            g_assert_error(error, VMDOCK_ERROR, (gint)code);
    }
}

static void assert_id(const char *text, const char *id)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *found = image_manifest_id(text, strlen(text), &error);
    g_assert_cmpstr(found, ==, id);
    g_assert_true((found == NULL) == (error != NULL));
}

static void test_manifest_id(void)
{
    assert_id("[" ONE "]", "sha256:" ID);
    assert_id("[" TWO "]", "sha256:" ID);
    assert_id("[" NONE "]", NULL);
    assert_id("[" ONE "," TWO "]", NULL);
    assert_id("[{}]", NULL);
}

static int scratch(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* A tar of NAME, text, NAME, text… ending in NULL, on a descriptor at its start. */
static int tar_of(const char *const *files, gboolean compressed)
{
    int fd = scratch();
    struct archive *writer = archive_write_new();
    archive_write_set_format_gnutar(writer);
    if (compressed)
        archive_write_add_filter_gzip(writer);
    g_assert_cmpint(archive_write_open_fd(writer, fd), ==, ARCHIVE_OK);
    for (; *files; files += 2) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, files[0]);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)strlen(files[1]));
        archive_write_header(writer, entry);
        archive_write_data(writer, files[1], strlen(files[1]));
        archive_entry_free(entry);
    }
    archive_write_free(writer);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* "name=text name=text" of the tar FD. */
static gchar *listing(int fd)
{
    GString *text = g_string_new(NULL);
    struct archive *reader = archive_read_new();
    struct archive_entry *entry;
    char bytes[4096];
    lseek(fd, 0, SEEK_SET);
    archive_read_support_format_all(reader);
    g_assert_cmpint(archive_read_open_fd(reader, fd, 10240), ==, ARCHIVE_OK);
    while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
        if (archive_entry_filetype(entry) != AE_IFREG)
            continue;
        la_ssize_t n = archive_read_data(reader, bytes, sizeof bytes);
        g_string_append_printf(text, "%s%s=%.*s", text->len ? " " : "",
                               archive_entry_pathname(entry), (int)n, bytes);
    }
    archive_read_free(reader);
    return g_string_free(text, FALSE);
}

static const ImageArchiveNames names = {.name = "v:1"};
#define MANIFEST "[{\"Config\":\"c.json\",\"RepoTags\":[\"ubuntu:latest\"],\"Layers\":[]}]"

static void test_rename(void)
{
    static const char *const files[] = {
        "a/layer.tar", "LAYER", "./manifest.json", MANIFEST, "repositories", "{}",
        "index.json",  "{}",    "oci-layout",      "{}",     "c.json",       "CONFIG",
        NULL};
    for (int compressed = 0; compressed < 2; compressed++) {
        g_autoptr(GError) error = NULL;
        gboolean out_failed = TRUE;
        autofd int in = tar_of(files, compressed);
        autofd int out = scratch();
        g_assert_true(image_archive_rename(in, out, &names, 1000, &out_failed, &error));
        g_assert_no_error(error);
        g_assert_false(out_failed);
        g_autofree gchar *text = listing(out);
        g_assert_cmpstr(text, ==,
                        "a/layer.tar=LAYER ./manifest.json=[{\"Config\":\"c.json\",\"RepoTags\":"
                        "[\"v:1\"],\"Layers\":[]}] c.json=CONFIG");
    }
}

static void assert_refused(int in, int out, gboolean out_fails, VmdockError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    gboolean out_failed = FALSE;
    g_assert_false(image_archive_rename(in, out, &names, 200, &out_failed, &error));
    if (!vmdock_error_is(error, code) || !strstr(error->message, words))
        g_error("%s", error->message);
    g_assert_cmpint(out_failed, ==, out_fails);
}

static void test_broken_archives(void)
{
    static const char *const without[] = {"a", "b", NULL};
    static const char *const bad[] = {"manifest.json", "nonsense", NULL};
    static const char *const good[] = {"a", "LAYER", "manifest.json", MANIFEST, NULL};
    autofd int out = scratch();
    autofd int none = tar_of(without, FALSE);
    assert_refused(none, out, FALSE, VMDOCK_ERROR_SPEC, "neither manifest.json nor");
    autofd int nonsense = tar_of(bad, FALSE);
    assert_refused(nonsense, out, FALSE, VMDOCK_ERROR_SPEC, "names no image");
    autofd int empty = scratch();
    assert_refused(empty, out, FALSE, VMDOCK_ERROR_SPEC, "docker save");
    autofd int cut = tar_of(good, FALSE);
    g_assert_cmpint(ftruncate(cut, 700), ==, 0);
    assert_refused(cut, out, FALSE, VMDOCK_ERROR_SPEC, "docker save");
    autofd int whole = tar_of(good, FALSE);
    autofd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_refused(whole, full, TRUE, VMDOCK_ERROR_NO_SPACE, "No space left");
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    autofd int silent = ends[0];
    autofd int writer = ends[1];
    assert_refused(silent, out, FALSE, VMDOCK_ERROR_IO, "stood still for 0.2 s");
}

static void test_archive_id(void)
{
    static const char *const files[] = {"a/layer.tar", "LAYER", "manifest.json", "[" ONE "]", NULL};
    for (int compressed = 0; compressed < 2; compressed++) {
        g_autoptr(GError) error = NULL;
        autofd int fd = tar_of(files, compressed);
        g_autofree gchar *id = image_archive_id(fd, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(id, ==, "sha256:" ID);
    }
    g_autoptr(GError) error = NULL;
    autofd int empty = scratch();
    g_assert_null(image_archive_id(empty, &error));
    g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_SPEC));
}

/* What a reader of ISO 9660 finds: files and folders under the names that they were given. */
static void test_iso(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *folder = g_dir_make_tmp("vmdock-test-XXXXXX", &error);
    g_autofree gchar *file = g_build_filename(folder, "source", NULL);
    g_assert_true(g_file_set_contents(file, "content", -1, &error));
    autofd int fd = scratch();
    {
        g_autoptr(IsoImage) iso = iso_new(fd, "CONTEXT", &error);
        g_assert_true(iso_add(iso, file, "context.sh", &error));
        g_assert_true(iso_add(iso, folder, "below", &error));
        g_assert_false(iso_add(iso, "/nonexistent/x", "x", &error));
        g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_IO));
        g_clear_error(&error);
        g_assert_true(iso_finish(iso, &error));
    }
    g_autofree gchar *text = listing(fd);
    g_assert_nonnull(strstr(text, "context.sh=content"));
    g_assert_nonnull(strstr(text, "below/source=content"));
    char volume[8] = "";
    g_assert_cmpint(pread(fd, volume, 7, 16 * 2048 + 40), ==, 7);
    g_assert_cmpstr(volume, ==, "CONTEXT");
    autofd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_autoptr(IsoImage) iso = iso_new(full, "CONTEXT", &error);
    g_assert_false(iso_add(iso, file, "x", &error) && iso_finish(iso, &error));
    g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_NO_SPACE));
    g_remove(file);
    g_rmdir(folder);
}

/* ---- OCI's layout ---- */

#define OTHER      "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LAYER      "2123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG     "3123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BLOB(id)   "blobs/sha256/" id
#define POINTS(id) "{\"digest\":\"sha256:" id "\"}"
#define POINTS_ON(id, os, arch)                                                                    \
    "{\"digest\":\"sha256:" id "\",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}" \
    "}"
#define INDEX_OF(list)              "{\"manifests\":[" list "]}"
#define MANIFEST_OF(config, layers) "{\"config\":" config ",\"layers\":[" layers "]}"
#define GOOD                        MANIFEST_OF(POINTS(CONFIG), POINTS(LAYER))
#define MADE                                                                                       \
    "[{\"Config\":\"" BLOB(CONFIG) "\",\"RepoTags\":null,\"Layers\":[\"" BLOB(LAYER) "\"]}]"

static void test_oci(void)
{
    static const struct {
        const char *index, *id, *other; /* index.json, and the blobs ID and OTHER; NULL = none */
        const char *words;              /* of the refusal; NULL = it is taken */
    } rows[] = {
        {INDEX_OF(POINTS(ID)), GOOD, NULL, NULL},
        {INDEX_OF(POINTS(ID) "," POINTS(ID)), GOOD, NULL, NULL},
        {INDEX_OF(POINTS_ON(ID, "linux", "amd64") "," POINTS_ON(OTHER, "linux", "arm64")), GOOD,
         NULL, NULL},
        {INDEX_OF(POINTS(OTHER)), GOOD,
         INDEX_OF(POINTS_ON(ID, "linux", "amd64") "," POINTS_ON(LAYER, "unknown", "unknown")),
         NULL},
        {INDEX_OF(POINTS_ON(ID, "linux", "arm64")), GOOD, NULL, "no image for linux/amd64"},
        {INDEX_OF(POINTS(ID) "," POINTS(OTHER)), GOOD, GOOD, "holds 2 images"},
        {INDEX_OF(""), GOOD, NULL, "no image for"},
        {INDEX_OF(POINTS(ID)), NULL, NULL, "does not hold a manifest"},
        {INDEX_OF(POINTS(ID)), "{", NULL, "does not hold a manifest"},
        {INDEX_OF(POINTS(ID)), INDEX_OF(POINTS(ID)), NULL, "too many indexes"},
        {INDEX_OF("{\"digest\":\"sha256:../../../etc/shadow\"}"), GOOD, NULL, "no sha256 digest"},
        {INDEX_OF("7"), GOOD, NULL, "no sha256 digest"},
        {INDEX_OF(POINTS(ID)), MANIFEST_OF("{\"digest\":\"md5:1\"}", ""), NULL, "no sha256 digest"},
        {INDEX_OF(POINTS(ID)), MANIFEST_OF(POINTS(CONFIG), "{}"), NULL, "no sha256 digest"},
        {"{}", NULL, NULL, "no sha256 digest"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ImageOci) oci = image_oci_new();
        g_assert_false(image_oci_has_index(oci));
        image_oci_take(oci, "index.json", rows[i].index, strlen(rows[i].index));
        g_assert_true(image_oci_has_index(oci));
        if (rows[i].id)
            image_oci_take(oci, BLOB(ID), rows[i].id, strlen(rows[i].id));
        if (rows[i].other)
            image_oci_take(oci, BLOB(OTHER), rows[i].other, strlen(rows[i].other));
        g_autofree gchar *text = image_oci_manifest(oci, "amd64", &error);
        g_assert_cmpstr(text, ==, rows[i].words ? NULL : MADE);
        if (!rows[i].words)
            continue;
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        g_assert_nonnull(strstr(error->message, rows[i].words));
    }
}

static void test_oci_wants(void)
{
    g_autoptr(ImageOci) oci = image_oci_new();
    g_assert_true(image_oci_wants(oci, "index.json", 10));
    g_assert_true(image_oci_wants(oci, BLOB(ID), IMAGE_OCI_TEXT_MAX));
    g_assert_false(image_oci_wants(oci, BLOB(ID), IMAGE_OCI_TEXT_MAX + 1));
    g_assert_false(image_oci_wants(oci, "index.json", 0));
    g_assert_false(image_oci_wants(oci, "oci-layout", 10));
    g_autofree gchar *text = g_strnfill(IMAGE_OCI_TEXT_MAX, ' ');
    image_oci_take(oci, BLOB(ID), text, IMAGE_OCI_TEXT_MAX); /* no object */
    *text = '{';
    for (guint i = 0; image_oci_wants(oci, "index.json", 10); i++) {
        g_assert_cmpuint(i, <, 100);
        image_oci_take(oci, BLOB(ID), text, IMAGE_OCI_TEXT_MAX);
    }
}

/* On its way it gets what it lacks; names that it brings are gone. */
static void test_oci_archive(void)
{
    static const char *const files[] = {
        "oci-layout", "{}",         BLOB(LAYER),          "a layer",    "./" BLOB(ID),
        GOOD,         BLOB(CONFIG), "{\"os\":\"linux\"}", "index.json", INDEX_OF(POINTS(ID)),
        NULL};
    gboolean out_failed = FALSE;
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        autofd int in = tar_of(files, i == 1), out = scratch();
        g_assert_true(image_archive_rename(in, out, &names, 1000, &out_failed, &error));
        g_assert_no_error(error);
        g_autofree gchar *text = listing(out);
        g_assert_nonnull(strstr(
            text, "manifest.json=[{\"Config\":\"" BLOB(
                      CONFIG) "\",\"RepoTags\":[\"v:1\"],\"Layers\":[\"" BLOB(LAYER) "\"]}]"));
        g_assert_nonnull(strstr(text, BLOB(LAYER) "=a layer"));
        g_assert_nonnull(strstr(text, BLOB(CONFIG) "={\"os\":\"linux\"}"));
        g_assert_null(strstr(text, "index.json"));
        g_assert_null(strstr(text, "oci-layout"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/image-archive/manifest-rename", test_manifest_rename);
    g_test_add_func("/image-archive/manifest-id", test_manifest_id);
    g_test_add_func("/image-archive/rename", test_rename);
    g_test_add_func("/image-archive/broken", test_broken_archives);
    g_test_add_func("/image-archive/id", test_archive_id);
    g_test_add_func("/image-archive/iso", test_iso);
    g_test_add_func("/image-archive/oci", test_oci);
    g_test_add_func("/image-archive/oci-wants", test_oci_wants);
    g_test_add_func("/image-archive/oci-archive", test_oci_archive);
    return g_test_run();
}

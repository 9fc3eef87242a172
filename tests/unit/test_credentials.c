// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/credentials.h"
#include "driver/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static gchar *folder, *path;

/* The JSON in a header's value, whose alphabet must be that of URLs. */
static json_t *decoded(gchar *header)
{
    g_autofree gchar *text = header;
    g_assert_null(strpbrk(text, "+/\r\n "));
    g_strdelimit(text, "-", '+');
    g_strdelimit(text, "_", '/');
    gsize length = 0;
    g_autofree guchar *json = g_base64_decode(text, &length);
    return json_loadb((const char *)json, length, 0, NULL);
}

static void assert_header(const char *text, const char *registry, const char *wanted)
{
    g_autoptr(GError) error = NULL;
    gchar *header = credentials_parse(text, strlen(text), registry, &error);
    g_assert_no_error(error);
    if (!wanted) {
        g_assert_null(header);
        return;
    }
    g_assert_nonnull(header);
    g_autoptr(json_t) found = decoded(header);
    g_autoptr(json_t) expected = json_loads(wanted, 0, NULL);
    g_assert_nonnull(expected);
    g_autofree char *shown = json_dumps(found, JSON_COMPACT);
    if (!json_equal(found, expected))
        g_error("%s: %s, not %s", registry, shown, wanted);
}

static void test_forms(void)
{
    /* bGFiOnM6ZWNyZXQ= is "lab:s:ecret" */
    static const char text[] =
        "{\"auths\":{"
        "\"https://index.docker.io/v1/\":{\"auth\":\"bGFiOnM6ZWNyZXQ=\"},"
        "\"reg.example:5000\":{\"username\":\"u\",\"password\":\"p\"},"
        "\"http://Other.Example/v2/\":{\"auth\":\"\",\"identitytoken\":\"tok\"},"
        "\"both.example\":{\"auth\":\"bGFiOnM6ZWNyZXQ=\",\"password\":\"newer\",\"email\":\"e\"},"
        "\"bearer.example\":{\"registrytoken\":\"reg\"},"
        "\"127.0.0.1:5001\":{\"username\":\">>>?x?\",\"password\":\"~~~\xc3\xbf\xc3\xbf\"}"
        "},\"HttpHeaders\":{\"User-Agent\":\"x\"},\"credsStore\":\"desktop\"}";
    assert_header(text, "docker.io",
                  "{\"username\":\"lab\",\"password\":\"s:ecret\","
                  "\"serveraddress\":\"https://index.docker.io/v1/\"}");
    assert_header(text, "reg.example:5000",
                  "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"reg.example:5000\"}");
    assert_header(text, "other.example",
                  "{\"identitytoken\":\"tok\",\"serveraddress\":\"other.example\"}");
    assert_header(
        text, "both.example",
        "{\"username\":\"lab\",\"password\":\"newer\",\"serveraddress\":\"both.example\"}");
    assert_header(text, "bearer.example",
                  "{\"registrytoken\":\"reg\",\"serveraddress\":\"bearer.example\"}");
    assert_header(text, "127.0.0.1:5001",
                  "{\"username\":\">>>?x?\",\"password\":\"~~~\xc3\xbf\xc3\xbf\","
                  "\"serveraddress\":\"127.0.0.1:5001\"}");
}

/* Credentials of one registry never go to another. */
static void test_no_entry(void)
{
    static const char text[] = "{\"auths\":{\"reg.example:5000\":{\"auth\":\"bGFiOnM6ZWNyZXQ=\"}}}";
    static const char *const others[] = {"reg.example",  "reg.example:5001",
                                         "docker.io",    "sub.reg.example:5000",
                                         "example:5000", "reg.example:5000.evil"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        assert_header(text, others[i], NULL);
    assert_header("{}", "reg.example", NULL);
    assert_header("{\"auths\":null}", "reg.example", NULL);
    assert_header("{\"auths\":[1]}", "reg.example", NULL);
    assert_header("{\"auths\":{\"\":{}}}", "reg.example", NULL);
}

/* A sentence without a word of what the file holds. */
static void test_malformed(void)
{
    static const char *const texts[] = {
        "",
        "secret",
        "[\"secret\"]",
        "\"secret\"",
        "{\"auths\":{\"r\":{\"auth\":\"secret",
        "{\"auths\":{\"r\":{}}}",
        "{\"auths\":{\"r\":\"secret\"}}",
        "{\"auths\":{\"r\":null}}",
        "{\"auths\":{\"r\":{\"auth\":\"c2VjcmV0\"}}}",         /* "secret": no colon */
        "{\"auths\":{\"r\":{\"auth\":\"OnNlY3JldA==\"}}}",     /* ":secret": no user */
        "{\"auths\":{\"r\":{\"auth\":\"!!!secret!!!\"}}}",     /* no base64 */
        "{\"auths\":{\"r\":{\"auth\":\"dTr//v8=\"}}}",         /* a password that is not UTF-8 */
        "{\"auths\":{\"r\":{\"username\":\"secret\"}}}",       /* no password */
        "{\"auths\":{\"r\":{\"username\":7,\"password\":8}}}", /* no strings */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(credentials_parse(texts[i], strlen(texts[i]), "r", &error));
        if (!vmdock_error_is(error, VMDOCK_ERROR_CONFIG))
            g_error("%s: %s", texts[i], error ? error->message : "no error");
        g_assert_null(strstr(error->message, "secret"));
        g_test_message("%s", error->message);
    }
}

static void write_file(const char *text, int mode)
{
    g_autoptr(GError) error = NULL;
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void assert_refused(VmdockError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(credentials_header(path, "r", &error));
    if (!vmdock_error_is(error, code) || !strstr(error->message, words))
        g_error("%s", error ? error->message : "no error");
    g_assert_nonnull(strstr(error->message, path));
}

static void test_file(void)
{
    static const char text[] = "{\"auths\":{\"r\":{\"username\":\"u\",\"password\":\"p\"}}}";
    g_autoptr(GError) error = NULL;
    g_assert_null(credentials_header(path, "r", &error)); /* not there */
    g_assert_no_error(error);
    write_file(text, 0600);
    g_autofree gchar *header = credentials_header(path, "r", &error);
    g_assert_no_error(error);
    g_assert_nonnull(header);
    g_autofree gchar *none = credentials_header(path, "other", &error);
    g_assert_no_error(error);
    g_assert_null(none);
    write_file(text, 0604);
    assert_refused(VMDOCK_ERROR_CONFIG, "chmod 600");
    write_file(text, 0640);
    assert_refused(VMDOCK_ERROR_CONFIG, "chmod 600");
    write_file("", 0600);
    assert_refused(VMDOCK_ERROR_CONFIG, "line 1");
    g_autofree gchar *large = g_strnfill(1024 * 1024 + 1, ' ');
    write_file(large, 0600);
    assert_refused(VMDOCK_ERROR_CONFIG, "larger than 1 MiB");
    g_assert_cmpint(g_unlink(path), ==, 0);
}

static void test_foreign_owner(void)
{
    if (geteuid() != 0) {
        g_test_skip("only root can give a file away");
        return;
    }
    write_file("{}", 0600);
    g_assert_cmpint(chown(path, 65534, 0), ==, 0);
    assert_refused(VMDOCK_ERROR_CONFIG, "must belong to root");
    g_assert_cmpint(g_unlink(path), ==, 0);
}

static void test_not_a_file(void)
{
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    assert_refused(VMDOCK_ERROR_CONFIG, "no regular file"); /* and does not hang */
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    assert_refused(VMDOCK_ERROR_CONFIG, "no regular file");
    g_assert_cmpint(g_rmdir(path), ==, 0);
    g_assert_cmpint(symlink(path, path), ==, 0);
    assert_refused(VMDOCK_ERROR_IO, g_strerror(ELOOP));
    g_assert_cmpint(g_unlink(path), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("vmdock-credentials-XXXXXX", NULL);
    path = g_build_filename(folder, "registry.json", NULL);
    g_test_add_func("/credentials/forms", test_forms);
    g_test_add_func("/credentials/no-entry", test_no_entry);
    g_test_add_func("/credentials/malformed", test_malformed);
    g_test_add_func("/credentials/file", test_file);
    g_test_add_func("/credentials/foreign-owner", test_foreign_owner);
    g_test_add_func("/credentials/not-a-file", test_not_a_file);
    int status = g_test_run();
    g_rmdir(folder);
    g_clear_pointer(&path, g_free);
    g_clear_pointer(&folder, g_free);
    return status;
}

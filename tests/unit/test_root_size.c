// SPDX-License-Identifier: Apache-2.0
/* SIZE of disk 0: what a storage is told, and what becomes of an engine that refuses it. */
#include "driver/error.h"
#include "driver/file.h"
#include "driver/log.h"
#include "driver/root_size.h"
#include "tests/lib/fake_engine.h"

#include <string.h>

enum { MB = 1 << 20 };

#define ID                   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body
#define BTRFS                                                                                      \
    ANSWER("200 OK", "{\"Driver\":\"btrfs\",\"DockerRootDir\":\"/"                                 \
                     "nonexistent\",\"DriverStatus\":[[\"Build Version\",\"Btrfs v6\"]]}")
#define VFS     ANSWER("200 OK", "{\"Driver\":\"vfs\",\"DriverStatus\":null}")
#define IMAGE   ANSWER("200 OK", "{\"Id\":\"sha256:1\",\"Size\":10485760}")
#define CREATED ANSWER("201 Created", "{\"Id\":\"" ID "\"}")
#define REFUSED ANSWER("500 Error", "{\"message\":\"Failed to limit qgroup\"}")
#define GONE    ANSWER("404 Not Found", "{\"message\":\"No such image: x\"}")

typedef struct {
    FakeEngine *fake;
    Config config;
    Engine *engine;
    VmSpec *spec;
    json_t *body;
    GString *log;
    GError *error;
} Bench;

static void keep_line(LogLevel level G_GNUC_UNUSED, const char *line, gpointer data)
{
    g_string_append_printf(data, "%s\n", line);
}

static void set_up(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    bench->fake = fake_engine_new();
    bench->config = (Config){.engine_socket = (gchar *)fake_engine_socket(bench->fake),
                             .engine_kind = (gchar *)"docker",
                             .engine_credentials = (gchar *)"/nonexistent/registry.json",
                             .engine_max_answer = MB,
                             .run_dir = g_dir_make_tmp("root-size-XXXXXX", NULL),
                             .engine_connect_ms = 2000,
                             .engine_request_ms = 5000,
                             .engine_create_ms = 5000};
    bench->engine = engine_open(&bench->config, &bench->error);
    g_assert_no_error(bench->error);
    bench->spec = vm_spec_new();
    bench->spec->deploy_id = g_strdup("one-7");
    bench->spec->root_size = 64 * MB;
    bench->body = json_pack("{s:{}}", "HostConfig");
    bench->log = g_string_new(NULL);
    log_set_sink(keep_line, LOG_WARN, bench->log);
}

static void tear_down(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    log_set_sink(NULL, LOG_WARN, NULL);
    engine_free(bench->engine);
    fake_engine_free(bench->fake);
    vm_spec_free(bench->spec);
    json_decref(bench->body);
    g_string_free(bench->log, TRUE);
    file_remove_tree(bench->config.run_dir, NULL);
    g_free(bench->config.run_dir);
    g_clear_error(&bench->error);
}

/* ANSWERS, in their order, ending in NULL; the last request is returned. */
static gchar *create(Bench *bench, const char *const *answers, gchar **id)
{
    for (; *answers; answers++)
        fake_engine_answer(bench->fake, &(FakeAnswer){.bytes = *answers, .end = FAKE_CLOSE});
    g_autoptr(RootSize) size = root_size_ask(&bench->config, bench->spec);
    *id = root_size_create(size, bench->engine, "one-7", "sha256:1", bench->body, &bench->error);
    return fake_engine_last(bench->fake);
}

static void test_told(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    g_autofree gchar *last = create(bench, (const char *const[]){BTRFS, IMAGE, CREATED, NULL}, &id);
    g_assert_no_error(bench->error);
    g_assert_cmpstr(id, ==, ID);
    g_assert_nonnull(strstr(last, "\"StorageOpt\":{\"size\":\"67108864\"}"));
    g_assert_cmpstr(bench->log->str, ==, "");
    /* for the probes, which ask no engine */
    g_autofree gchar *kept = g_build_filename(bench->config.run_dir, "monitor", "btrfs", NULL);
    g_autofree gchar *folder = file_read(kept, 100, NULL, NULL);
    g_assert_cmpstr(folder, ==, "/nonexistent");
}

static void test_refused(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    g_autofree gchar *last =
        create(bench, (const char *const[]){BTRFS, IMAGE, REFUSED, CREATED, NULL}, &id);
    g_assert_no_error(bench->error);
    g_assert_cmpstr(id, ==, ID);
    g_assert_null(strstr(last, "StorageOpt"));
    g_assert_nonnull(strstr(bench->log->str, "VM one-7: SIZE of disk 0 (64 MB) is not honoured: "));
    g_assert_nonnull(strstr(bench->log->str, "Failed to limit qgroup"));
}

/* What is refused for another reason is refused again, and its reason told. */
static void test_refused_twice(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    g_free(create(bench, (const char *const[]){BTRFS, IMAGE, REFUSED, REFUSED, NULL}, &id));
    g_assert_null(id);
    g_assert_error(bench->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_REFUSED);
    g_assert_cmpstr(bench->log->str, ==, "");
}

static void test_no_image(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    g_free(create(bench, (const char *const[]){BTRFS, IMAGE, GONE, NULL}, &id));
    g_assert_null(id);
    g_assert_error(bench->error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST "), ==, 1);
}

static void test_cannot(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    g_autofree gchar *last = create(bench, (const char *const[]){VFS, CREATED, NULL}, &id);
    g_assert_cmpstr(id, ==, ID);
    g_assert_null(strstr(last, "StorageOpt"));
    g_assert_nonnull(strstr(bench->log->str, "the engine's storage (vfs on an unknown file system) "
                                             "cannot hold a root to a size"));
}

static void test_silent(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    g_free(create(bench, (const char *const[]){REFUSED, CREATED, NULL}, &id));
    g_assert_cmpstr(id, ==, ID);
    g_assert_nonnull(strstr(bench->log->str, "the engine does not tell its storage: "));
}

static void test_unasked(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *id = NULL;
    bench->spec->root_size = 0;
    g_autofree gchar *last = create(bench, (const char *const[]){CREATED, NULL}, &id);
    g_assert_cmpstr(id, ==, ID);
    g_assert_null(strstr(last, "StorageOpt"));
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /v"), ==, 0);
}

static void test_limit(void)
{
    const gint64 mb = MB;
    g_assert_cmpint(root_size_limit("btrfs", 64 * mb, 10 * mb), ==, 64 * mb);
    g_assert_cmpint(root_size_limit("overlay2", 64 * mb, 10 * mb), ==, 54 * mb);
    g_assert_cmpint(root_size_limit("zfs", 64 * mb, 10 * mb), ==, 54 * mb);
    /* To a storage 0 would mean "no limit". */
    g_assert_cmpint(root_size_limit("overlay2", 64 * mb, 64 * mb), ==, 16 * mb);
    g_assert_cmpint(root_size_limit("overlay2", 64 * mb, 90 * mb), ==, 16 * mb);
    g_assert_cmpint(root_size_limit("btrfs", 64 * mb, 90 * mb), ==, 106 * mb);
}

#define ADD(name, func) g_test_add("/root-size/" name, Bench, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/root-size/limit", test_limit);
    ADD("told", test_told);
    ADD("refused", test_refused);
    ADD("refused-twice", test_refused_twice);
    ADD("no-image", test_no_image);
    ADD("cannot", test_cannot);
    ADD("silent", test_silent);
    ADD("unasked", test_unasked);
    return g_test_run();
}

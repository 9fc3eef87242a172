// SPDX-License-Identifier: Apache-2.0
/*
 * The engine client against a live engine. Environment:
 *   VMDOCK_TEST_SOCKET         the engine's socket; without it every test is skipped
 *   VMDOCK_TEST_REGISTRY       an open registry, "127.0.0.1:5000", as the engine reaches it
 *   VMDOCK_TEST_AUTH_REGISTRY  one that wants user "lab" and password "secret"
 * Makes its images from busybox, and removes what it made.
 */
#include "driver/autoptr.h"
#include "driver/engine.h"
#include "driver/engine_http.h"
#include "driver/error.h"
#include "driver/interrupt.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>

#define IMAGE      "vmdock-live:1"
#define LABEL      "vmdock.live"
#define CONTAINER  "vmdock-live"
#define LAYER_SIZE (4 * 1024 * 1024)

static gchar *folder;
static Config *config;
static Engine *engine;

/* "stream 1: …" and "stream 2: …" apart, and when the first bytes came. */
typedef struct {
    GString *streams[3];
    guint chunks;
} Seen;

static void seen_clear(Seen *seen)
{
    for (guint i = 1; i < 3; i++)
        if (seen->streams[i])
            g_string_free(seen->streams[i], TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Seen, seen_clear)

#define SEEN_INIT                                                                                  \
    {                                                                                              \
        .streams = { NULL, g_string_new(NULL), g_string_new(NULL) }                                \
    }

static gboolean see(int stream, const char *bytes, gsize length, gpointer data,
                    GError **error G_GNUC_UNUSED)
{
    Seen *seen = data;
    g_assert_true(stream == 1 || stream == 2);
    g_string_append_len(seen->streams[stream], bytes, (gssize)length);
    seen->chunks++;
    return TRUE;
}

static double seconds_since(gint64 start)
{
    return (double)(g_get_monotonic_time() - start) / G_TIME_SPAN_SECOND;
}

static void assert_code(const GError *error, VmdockError code)
{
    if (!vmdock_error_is(error, code))
        g_error("code %d wanted, got: %s", (int)code, error ? error->message : "no error");
    g_test_message("%s", error->message);
}

static json_t *shell_body(const char *script, gboolean terminal)
{
    return json_pack("{s:s, s:[s,s,s], s:b, s:{s:s, s:s}, s:{s:s, s:{s:s}}}", "Image", IMAGE, "Cmd",
                     "sh", "-c", script, "Tty", terminal, "Labels", LABEL, "yes",
                     "vmdock.live.empty", "", "HostConfig", "NetworkMode", "none", "RestartPolicy",
                     "Name", "no");
}

static gchar *create(const char *script, gboolean terminal)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body = shell_body(script, terminal);
    g_assert_true(engine_remove(engine, CONTAINER, &error));
    gchar *id = engine_create(engine, CONTAINER, body, &error);
    g_assert_no_error(error);
    return id;
}

static gchar *create_and_start(const char *script, gboolean terminal)
{
    g_autoptr(GError) error = NULL;
    gchar *id = create(script, terminal);
    engine_start(engine, id, &error);
    g_assert_no_error(error);
    return id;
}

static EngineContainer *inspect(const char *id)
{
    g_autoptr(GError) error = NULL;
    EngineContainer *container = engine_inspect(engine, id, &error);
    g_assert_no_error(error);
    return container;
}

static void assert_state(const char *id, EngineState state)
{
    g_autoptr(EngineContainer) container = inspect(id);
    g_assert_nonnull(container);
    g_assert_cmpint(container->state, ==, state);
}

static void test_version(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(EngineVersion) version = engine_version(engine, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(version->kind, ==, "docker");
    g_assert_true(g_str_has_prefix(version->api_version, "1."));
    g_assert_true(g_ascii_isdigit(version->version[0]));
    g_autoptr(json_t) info = engine_info(engine, &error);
    g_assert_no_error(error);
    g_assert_true(json_is_object(json_object_get(info, "Runtimes")));
    g_test_message("%s, API %s", version->version, version->api_version);
}

static void test_life(void)
{
    g_autoptr(GError) error = NULL;
    gboolean ended = TRUE;
    gint status = -1;
    g_autofree gchar *id =
        create_and_start("trap 'exit 3' TERM; while :; do sleep 0.1; done", FALSE);
    g_assert_cmpuint(strlen(id), ==, 64);
    assert_state(id, ENGINE_RUNNING);
    g_assert_true(engine_start(engine, id, &error)); /* runs already */
    gint64 start = g_get_monotonic_time();
    g_assert_true(engine_watch(engine, id, 50, &ended, &status, &error));
    g_assert_false(ended);
    g_assert_cmpfloat(seconds_since(start), <, 0.5);
    g_assert_true(engine_stop(engine, id, 20, &error));
    g_assert_cmpfloat(seconds_since(start), <, 10);
    g_autoptr(EngineContainer) container = inspect(id);
    g_assert_cmpint(container->state, ==, ENGINE_EXITED);
    g_assert_cmpint(container->exit_code, ==, 3);
    g_assert_true(engine_stop(engine, id, 1, &error)); /* stopped already */
    g_assert_true(engine_kill(engine, id, &error));
    g_assert_true(engine_remove(engine, id, &error));
    g_assert_true(engine_remove(engine, id, &error));
    g_assert_null(engine_inspect(engine, id, &error));
    g_assert_no_error(error);
}

/* The stop signal is ignored, so the time-out ends it. */
static void test_stop_kills(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = create_and_start("trap '' TERM; while :; do sleep 0.1; done", FALSE);
    gint64 start = g_get_monotonic_time();
    g_assert_true(engine_stop(engine, id, 1, &error));
    g_assert_cmpfloat(seconds_since(start), >=, 0.9);
    g_assert_cmpfloat(seconds_since(start), <, 8);
    g_autoptr(EngineContainer) container = inspect(id);
    g_assert_cmpint(container->exit_code, ==, 137);
}

static void test_watch(void)
{
    g_autoptr(GError) error = NULL;
    gboolean ended = FALSE;
    gint status = -1;
    g_autofree gchar *id = create_and_start("sleep 0.4; exit 7", FALSE);
    gint64 start = g_get_monotonic_time();
    g_assert_true(engine_watch(engine, id, 20000, &ended, &status, &error));
    g_assert_true(ended);
    g_assert_cmpint(status, ==, 7);
    g_assert_cmpfloat(seconds_since(start), <, 5);
    g_assert_true(engine_watch(engine, id, 1000, &ended, &status, &error)); /* long over */
    g_assert_true(ended);
    g_assert_false(engine_watch(engine, "vmdock-nobody", 100, &ended, &status, &error));
    assert_code(error, VMDOCK_ERROR_ENGINE_REFUSED);
    g_assert_nonnull(strstr(error->message, "No such container"));
}

static void test_kill_and_pause(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = create_and_start("trap '' TERM; while :; do sleep 0.1; done", FALSE);
    g_assert_true(engine_pause(engine, id, &error));
    assert_state(id, ENGINE_PAUSED);
    g_assert_true(engine_unpause(engine, id, &error));
    assert_state(id, ENGINE_RUNNING);
    g_assert_true(engine_pause(engine, id, &error));
    g_assert_true(engine_kill(engine, id, &error)); /* of a paused one */
    g_assert_no_error(error);
    g_autoptr(EngineContainer) container = inspect(id);
    g_assert_cmpint(container->state, ==, ENGINE_EXITED);
    g_assert_cmpint(container->exit_code, ==, 137);
    g_assert_false(engine_pause(engine, id, &error));
    assert_code(error, VMDOCK_ERROR_ENGINE_REFUSED);
    g_assert_nonnull(strstr(error->message, "is not running"));
}

static void test_inspect(void)
{
    g_autoptr(GError) error = NULL;
    gint64 before = g_get_real_time();
    g_autofree gchar *id = create_and_start("sleep 1000", TRUE);
    g_autoptr(EngineContainer) container = inspect(CONTAINER);
    g_assert_cmpstr(container->id, ==, id);
    g_assert_cmpstr(container->name, ==, CONTAINER);
    g_assert_cmpstr(container->image, ==, IMAGE);
    g_assert_true(g_str_has_prefix(container->image_id, "sha256:"));
    g_assert_cmpstr(container->runtime, ==, "runc");
    g_assert_cmpstr(g_hash_table_lookup(container->labels, LABEL), ==, "yes");
    g_assert_cmpstr(g_hash_table_lookup(container->labels, "vmdock.live.empty"), ==, "");
    g_assert_true(container->terminal);
    g_assert_cmpint(container->pid, >, 0);
    g_assert_cmpint(container->started, >=, before - G_TIME_SPAN_SECOND);
    g_assert_cmpint(container->started, <=, g_get_real_time() + G_TIME_SPAN_SECOND);
    g_assert_cmpint(container->finished, ==, 0);
    g_assert_cmpint(container->created, >=, before / G_TIME_SPAN_SECOND - 1);
    g_assert_null(engine_inspect(engine, "vmdock-nobody", &error));
    g_assert_no_error(error);
}

static void test_list(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = create("sleep 1000", FALSE);
    g_autoptr(GPtrArray) none = engine_list(engine, "vmdock.live.nobody", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(none->len, ==, 0);
    g_autoptr(GPtrArray) list = engine_list(engine, LABEL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(list->len, ==, 1);
    const EngineContainer *container = g_ptr_array_index(list, 0);
    g_assert_cmpstr(container->id, ==, id);
    g_assert_cmpstr(container->name, ==, CONTAINER);
    g_assert_cmpint(container->state, ==, ENGINE_CREATED);
    g_assert_cmpstr(g_hash_table_lookup(container->labels, LABEL), ==, "yes");
    g_assert_cmpint(container->created, >, 1600000000);
}

static void test_update(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = create_and_start("sleep 1000", FALSE);
    g_autoptr(json_t) body = json_pack("{s:i}", "CpuShares", 512);
    g_assert_true(engine_update(engine, id, body, &error));
    g_assert_no_error(error);
    g_autoptr(json_t) wrong = json_pack("{s:i}", "Memory", 1);
    g_assert_false(engine_update(engine, id, wrong, &error));
    assert_code(error, VMDOCK_ERROR_ENGINE_REFUSED);
}

static void test_refusals(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = create("sleep 1", FALSE);
    g_autoptr(json_t) body = shell_body("sleep 1", FALSE);
    g_assert_null(engine_create(engine, CONTAINER, body, &error));
    assert_code(error, VMDOCK_ERROR_STATE);
    g_assert_nonnull(strstr(error->message, "is already in use by container"));
    g_clear_error(&error);
    json_object_set_new(body, "Image", json_string("vmdock-live-nowhere:1"));
    g_assert_null(engine_create(engine, "vmdock-live-2", body, &error));
    assert_code(error, VMDOCK_ERROR_NO_IMAGE);
    g_clear_error(&error);
    g_assert_true(engine_remove(engine, id, &error));
    g_autoptr(json_t) missing = json_pack("{s:s, s:[s], s:{s:s}}", "Image", IMAGE, "Cmd",
                                          "/nowhere", "HostConfig", "NetworkMode", "none");
    g_autofree gchar *other = engine_create(engine, CONTAINER, missing, &error);
    g_assert_no_error(error);
    g_assert_false(engine_start(engine, other, &error));
    assert_code(error, VMDOCK_ERROR_ENGINE_REFUSED);
    g_assert_nonnull(strstr(error->message, "/nowhere: no such file or directory"));
    g_autoptr(EngineContainer) container = inspect(other);
    g_assert_cmpint(container->state, ==, ENGINE_CREATED);
    g_assert_nonnull(strstr(container->start_error, "/nowhere"));
}

#define PRINTS "echo one; echo two; echo three; echo wrong >&2"

static void assert_logs(const char *id, gboolean terminal, guint tail, gboolean follow,
                        const char *out, const char *err)
{
    g_autoptr(GError) error = NULL;
    g_auto(Seen) seen = SEEN_INIT;
    engine_logs(engine, id, terminal, tail, follow, see, &seen, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(seen.streams[1]->str, ==, out);
    g_assert_cmpstr(seen.streams[2]->str, ==, err);
}

static void test_logs(void)
{
    g_autofree gchar *framed = create_and_start(PRINTS "; sleep 0.5; echo last", FALSE);
    assert_logs(framed, FALSE, 0, TRUE, "one\ntwo\nthree\nlast\n", "wrong\n"); /* until it ends */
    assert_logs(framed, FALSE, 0, FALSE, "one\ntwo\nthree\nlast\n", "wrong\n");
    assert_logs(framed, FALSE, 1, FALSE, "last\n", "");
    g_autofree gchar *raw = create_and_start(PRINTS "; sleep 0.5; echo last", TRUE);
    assert_logs(raw, TRUE, 0, TRUE, "one\r\ntwo\r\nthree\r\nwrong\r\nlast\r\n", "");
    assert_logs(raw, TRUE, 2, FALSE, "wrong\r\nlast\r\n", "");
}

/* More than one frame, and frames that do not fit a read. */
static void test_large_output(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Seen) seen = SEEN_INIT;
    gint status = -1;
    const char *argv[] = {"sh", "-c", "yes 0123456789abcde | dd bs=1000 count=3000 iflag=fullblock",
                          NULL};
    g_autofree gchar *id = create_and_start("sleep 1000", FALSE);
    g_assert_true(engine_exec(engine, id, argv, see, &seen, &status, &error));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpuint(seen.streams[1]->len, ==, 3000000);
    for (gsize i = 0; i + 16 <= seen.streams[1]->len; i += 16)
        g_assert_cmpint(memcmp(seen.streams[1]->str + i, "0123456789abcde\n", 16), ==, 0);
}

static void test_exec(void)
{
    static const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 5", NULL};
    static const char *const missing[] = {"/nowhere", NULL};
    static const char *const closes[] = {"sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 9", NULL};
    g_autoptr(GError) error = NULL;
    g_auto(Seen) seen = SEEN_INIT;
    gint status = -1;
    g_autofree gchar *id = create_and_start("sleep 1000", FALSE);
    g_assert_true(engine_exec(engine, id, argv, see, &seen, &status, &error));
    g_assert_cmpint(status, ==, 5);
    g_assert_cmpstr(seen.streams[1]->str, ==, "out\n");
    g_assert_cmpstr(seen.streams[2]->str, ==, "err\n");
    g_assert_true(engine_exec(engine, id, closes, see, &seen, &status, &error));
    g_assert_cmpint(status, ==, 9);
    g_assert_true(engine_exec(engine, id, missing, see, &seen, &status, &error));
    g_assert_true(status == 126 || status == 127);
    g_assert_nonnull(strstr(seen.streams[1]->str, "no such file or directory"));
    g_assert_true(engine_kill(engine, id, &error));
    g_assert_false(engine_exec(engine, id, argv, see, &seen, &status, &error));
    assert_code(error, VMDOCK_ERROR_ENGINE_REFUSED);
}

static gboolean refuse(int stream G_GNUC_UNUSED, const char *bytes G_GNUC_UNUSED,
                       gsize length G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED, GError **error)
{
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "closed");
    return FALSE;
}

/* The caller's output is gone: its error is the verb's, and the engine is fit for the next verb. */
static void test_output_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = create_and_start("yes", FALSE);
    g_assert_false(engine_logs(engine, id, FALSE, 0, TRUE, refuse, NULL, &error));
    assert_code(error, VMDOCK_ERROR_IO);
    assert_state(id, ENGINE_RUNNING);
}

static void raise_term(int signal_number G_GNUC_UNUSED)
{
    interrupt_raise(SIGTERM);
}

/* In a process of its own, because a wish to stop is never taken back. */
static int follow_and_be_interrupted(const char *id)
{
    g_autoptr(GError) error = NULL;
    g_auto(Seen) seen = SEEN_INIT;
    struct itimerval soon = {.it_value = {.tv_usec = 200000}};
    g_autoptr(Engine) own = engine_open(config, &error);
    struct sigaction action = {.sa_handler = raise_term};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    gint64 start = g_get_monotonic_time();
    gboolean done = engine_logs(own, id, FALSE, 0, TRUE, see, &seen, &error);
    return done || !vmdock_error_is(error, VMDOCK_ERROR_INTERRUPTED) || seconds_since(start) > 1;
}

static void test_interrupt(void)
{
    g_autofree gchar *id = create_and_start("sleep 1000", FALSE);
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(follow_and_be_interrupted(id));
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

static void test_image_names(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(engine_image_id(engine, "vmdock/live-42:disk.0", &error));
    g_assert_no_error(error);
    g_autofree gchar *id = engine_image_id(engine, IMAGE, &error);
    g_assert_true(g_str_has_prefix(id, "sha256:"));
    g_assert_true(engine_tag(engine, IMAGE, "vmdock/live-42", "disk.0", &error));
    g_assert_true(engine_tag(engine, IMAGE, "vmdock/live-42", "disk.0", &error));
    g_autoptr(GPtrArray) names = engine_image_names(engine, "vmdock/live-", &error);
    g_assert_cmpuint(names->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(names, 0), ==, "vmdock/live-42:disk.0");
    g_assert_true(engine_untag(engine, "vmdock/live-42:disk.0", &error));
    g_assert_true(engine_untag(engine, "vmdock/live-42:disk.0", &error));
    g_autofree gchar *still = engine_image_id(engine, IMAGE, &error);
    g_assert_cmpstr(still, ==, id);
    g_assert_no_error(error);
    g_assert_false(engine_tag(engine, "vmdock-live-nowhere:1", "vmdock/live-42", "disk.0", &error));
    assert_code(error, VMDOCK_ERROR_NO_IMAGE);
}

/* A POST that the client has no verb for. */
static gchar *raw_post(const char *path, const char *type, const char *body, gsize length,
                       const char *auth)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(EngineHttp) http =
        engine_http_open(config->engine_socket, 2000, 64 * 1024 * 1024, &error);
    g_auto(HttpAnswer) answer = {0};
    HttpRequest request = {.method = "POST",
                           .path = path,
                           .type = type,
                           .body = body,
                           .length = length,
                           .registry_auth = auth};
    engine_http_send(http, &request, &answer, &error);
    g_assert_no_error(error);
    if (answer.status >= 300)
        g_error("POST %s: %u %s", path, answer.status, answer.body->str);
    return g_string_free(g_steal_pointer(&answer.body), FALSE);
}

static void run_shell(const char *script)
{
    g_autoptr(GError) error = NULL;
    const char *argv[] = {"sh", "-ec", script, "sh", folder, NULL};
    int status = 0;
    g_spawn_sync(NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                 &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

/* An image of busybox and SIZE random bytes, without any registry. */
static void import(const char *repository, const char *tag)
{
    g_autofree gchar *path = g_build_filename(folder, "image.tar", NULL);
    g_autofree gchar *text = NULL;
    gsize length = 0;
    run_shell("mkdir -p \"$1/root/bin\"; cd \"$1/root\"; cp \"$(command -v busybox)\" bin/busybox;"
              "for a in sh sleep yes dd echo; do ln -sf busybox bin/$a; done;"
              "head -c 4194304 /dev/urandom > ballast; tar -cf ../image.tar .");
    g_assert_true(g_file_get_contents(path, &text, &length, NULL));
    g_autofree gchar *url =
        g_strdup_printf("/images/create?fromSrc=-&repo=%s&tag=%s", repository, tag);
    g_autofree gchar *answer = raw_post(url, "application/x-tar", text, length, NULL);
    g_assert_nonnull(strstr(answer, "sha256:"));
}

/* Puts a new image into a registry and leaves none of it in the engine; its digest. */
static gchar *publish(const char *repository, const char *auth)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *reference = g_strconcat(repository, ":1", NULL);
    import(repository, "1");
    g_autofree gchar *path = g_strdup_printf("/images/%s/push?tag=1", repository);
    g_autofree gchar *answer = raw_post(path, NULL, NULL, 0, auth);
    g_assert_true(engine_untag(engine, reference, &error));
    g_assert_null(engine_image_id(engine, reference, &error));
    const char *digest = strstr(answer, "digest: sha256:");
    if (!digest)
        g_error("push: %s", answer);
    return g_strndup(digest + strlen("digest: "), strlen("sha256:") + 64);
}

static void note(const EnginePullProgress *progress, gpointer data)
{
    EnginePullProgress *last = data;
    g_assert_cmpuint(progress->layers_done, <=, progress->layers);
    g_assert_cmpuint(progress->current, <=, progress->total);
    g_assert_cmpfloat(progress->seconds, >=, last->seconds);
    *last = *progress;
}

static const char *registry_or_skip(const char *variable)
{
    const char *registry = g_getenv(variable);
    if (!registry)
        g_test_skip("no registry is given");
    return registry;
}

static void test_pull(void)
{
    const char *registry = registry_or_skip("VMDOCK_TEST_REGISTRY");
    if (!registry)
        return;
    g_autoptr(GError) error = NULL;
    EnginePullProgress last = {0};
    g_autofree gchar *repository = g_strconcat(registry, "/vmdock-live", NULL);
    g_autofree gchar *digest = publish(repository, "e30=");
    g_autofree gchar *tagged = g_strconcat(repository, ":1", NULL);
    g_autofree gchar *pinned = g_strconcat(repository, "@", digest, NULL);
    g_assert_true(engine_pull(engine, pinned, note, &last, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(last.layers, ==, 1);
    g_assert_cmpuint(last.layers_done, ==, 1);
    g_assert_cmpuint(last.total, >=, LAYER_SIZE);
    g_assert_cmpuint(last.current, ==, last.total);
    g_autofree gchar *by_digest = engine_image_id(engine, pinned, &error);
    g_assert_null(engine_image_id(engine, tagged, &error));
    g_assert_true(engine_pull(engine, tagged, NULL, NULL, &error)); /* and without a listener */
    g_autofree gchar *by_tag = engine_image_id(engine, tagged, &error);
    g_assert_cmpstr(by_tag, ==, by_digest);
    g_assert_true(engine_untag(engine, tagged, &error));
    g_assert_true(engine_untag(engine, pinned, &error));
    g_assert_no_error(error);
}

static void assert_pull_fails(const char *registry, const char *rest, VmdockError code)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *reference = g_strconcat(registry, rest, NULL);
    g_assert_false(engine_pull(engine, reference, NULL, NULL, &error));
    assert_code(error, code);
}

static void test_pull_fails(void)
{
    const char *registry = registry_or_skip("VMDOCK_TEST_REGISTRY");
    if (!registry)
        return;
    assert_pull_fails(registry, "/vmdock-live-nowhere:1", VMDOCK_ERROR_NO_IMAGE);
    assert_pull_fails(registry, "/vmdock-live:nowhen", VMDOCK_ERROR_NO_IMAGE);
    assert_pull_fails(registry,
                      "/vmdock-live@sha256:"
                      "0000000000000000000000000000000000000000000000000000000000000000",
                      VMDOCK_ERROR_NO_IMAGE);
    assert_pull_fails("127.0.0.1:1", "/vmdock-live:1", VMDOCK_ERROR_REGISTRY);
    assert_pull_fails("registry.invalid", "/vmdock-live:1", VMDOCK_ERROR_REGISTRY);
    assert_pull_fails("", "UPPER", VMDOCK_ERROR_SPEC);
}

static void write_credentials(const char *registry, const char *user_and_password)
{
    g_autofree gchar *auth =
        g_base64_encode((const guchar *)user_and_password, strlen(user_and_password));
    g_autofree gchar *text =
        g_strdup_printf("{\"auths\": {\"%s\": {\"auth\": \"%s\"}}}", registry, auth);
    g_assert_true(g_file_set_contents_full(config->engine_credentials, text, -1,
                                           G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void test_credentials(void)
{
    const char *registry = registry_or_skip("VMDOCK_TEST_AUTH_REGISTRY");
    if (!registry)
        return;
    g_autoptr(GError) error = NULL;
    g_autofree gchar *repository = g_strconcat(registry, "/vmdock-live", NULL);
    g_autofree gchar *reference = g_strconcat(repository, ":1", NULL);
    const char json[] = "{\"username\":\"lab\",\"password\":\"secret\"}";
    g_autofree gchar *auth = g_base64_encode((const guchar *)json, strlen(json));
    g_autofree gchar *digest = publish(repository, auth);
    g_assert_nonnull(digest);
    assert_pull_fails(registry, "/vmdock-live:1", VMDOCK_ERROR_REGISTRY); /* without any */
    write_credentials(registry, "lab:wrong");
    assert_pull_fails(registry, "/vmdock-live:1", VMDOCK_ERROR_REGISTRY);
    write_credentials(registry, "lab:secret");
    g_assert_true(engine_pull(engine, reference, NULL, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(engine_untag(engine, reference, &error));
    g_assert_cmpint(g_chmod(config->engine_credentials, 0644), ==, 0);
    assert_pull_fails(registry, "/vmdock-live:1", VMDOCK_ERROR_CONFIG);
    g_assert_cmpint(g_unlink(config->engine_credentials), ==, 0);
}

static gpointer list_often(gpointer unused G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Engine) own = engine_open(config, &error);
    for (guint i = 0; i < 50 && !error; i++) {
        g_autoptr(GPtrArray) list = engine_list(own, LABEL, &error);
        g_autofree gchar *id = error ? NULL : engine_image_id(own, IMAGE, &error);
    }
    g_assert_no_error(error);
    return NULL;
}

static void test_threads(void)
{
    g_autofree gchar *id = create("sleep 1", FALSE);
    GThread *first = g_thread_new("first", list_often, NULL);
    GThread *second = g_thread_new("second", list_often, NULL);
    g_thread_join(first);
    g_thread_join(second);
}

static void open_engine(const char *socket_path)
{
    g_autoptr(GError) error = NULL;
    folder = g_dir_make_tmp("vmdock-live-XXXXXX", NULL);
    g_autofree gchar *path = g_build_filename(folder, "vmdock.conf", NULL);
    g_autofree gchar *text = g_strdup_printf(
        "[engine]\nsocket = %s\ncredentials = %s/registry.json\n", socket_path, folder);
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    config = config_load(path, &error);
    g_assert_no_error(error);
    engine = engine_open(config, &error);
    g_assert_no_error(error);
    import("vmdock-live", "1");
}

static void close_engine(void)
{
    g_autoptr(GError) error = NULL;
    engine_remove(engine, CONTAINER, &error);
    g_assert_no_error(error);
    engine_untag(engine, IMAGE, &error);
    g_assert_no_error(error);
    run_shell("rm -rf \"$1\"");
    g_clear_pointer(&engine, engine_free);
    g_clear_pointer(&config, config_free);
    g_clear_pointer(&folder, g_free);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const char *socket_path = g_getenv("VMDOCK_TEST_SOCKET");
    if (!socket_path) {
        g_print("1..0 # SKIP VMDOCK_TEST_SOCKET names no engine\n");
        return 0;
    }
    open_engine(socket_path);
    g_test_add_func("/engine-live/version", test_version);
    g_test_add_func("/engine-live/life", test_life);
    g_test_add_func("/engine-live/stop-kills", test_stop_kills);
    g_test_add_func("/engine-live/watch", test_watch);
    g_test_add_func("/engine-live/kill-and-pause", test_kill_and_pause);
    g_test_add_func("/engine-live/inspect", test_inspect);
    g_test_add_func("/engine-live/list", test_list);
    g_test_add_func("/engine-live/update", test_update);
    g_test_add_func("/engine-live/refusals", test_refusals);
    g_test_add_func("/engine-live/logs", test_logs);
    g_test_add_func("/engine-live/large-output", test_large_output);
    g_test_add_func("/engine-live/exec", test_exec);
    g_test_add_func("/engine-live/output-refused", test_output_refused);
    g_test_add_func("/engine-live/interrupt", test_interrupt);
    g_test_add_func("/engine-live/image-names", test_image_names);
    g_test_add_func("/engine-live/pull", test_pull);
    g_test_add_func("/engine-live/pull-fails", test_pull_fails);
    g_test_add_func("/engine-live/credentials", test_credentials);
    g_test_add_func("/engine-live/threads", test_threads);
    int status = g_test_run();
    close_engine();
    return status;
}

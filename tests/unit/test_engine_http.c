// SPDX-License-Identifier: Apache-2.0
/* The engine client against an engine that stalls, breaks off, lies and floods. */
#include "driver/autoptr.h"
#include "driver/engine.h"
#include "driver/engine_docker.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "tests/lib/fake_engine.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* With a length, and so that the connection is kept. */
#define WITH_LENGTH(status, length, body)                                                          \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length             \
    "\r\n\r\n" body
#define CHUNKED               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CLOSING(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body
#define TEXT                  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BLANKS                "                                                                "
#define TO_END                "HTTP/1.1 200 OK\r\n\r\n"
#define LIST                  WITH_LENGTH("200 OK", "2", "[]")
#define NO_SUCH               WITH_LENGTH("404 Not Found", "34", "{\"message\":\"No such container: x\"}")

typedef struct {
    FakeEngine *fake;
    Config config;
    Engine *engine;
    gint64 start;
    GError *error;
} Bench;

/* What should succeed has time enough on the busiest machine. */
static void be_patient(Bench *bench)
{
    bench->config.engine_connect_ms = 300;
    bench->config.engine_request_ms = 20000;
    bench->config.engine_create_ms = 20000;
    bench->config.engine_pull_ms = 20000;
    bench->config.engine_commit_ms = 20000;
    bench->config.engine_pull_stall_ms = 20000;
    bench->config.engine_poll_ms = 20000;
}

static void be_impatient(Bench *bench)
{
    bench->config.engine_request_ms = 400;
    bench->config.engine_create_ms = 500;
    bench->config.engine_pull_ms = 1500;
    bench->config.engine_pull_stall_ms = 300;
    bench->config.engine_poll_ms = 200;
    bench->start = g_get_monotonic_time();
}

static void set_up(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    bench->fake = fake_engine_new();
    bench->config = (Config){
        .engine_socket = (gchar *)fake_engine_socket(bench->fake),
        .engine_kind = (gchar *)"docker",
        .engine_credentials = (gchar *)"/nonexistent/registry.json",
        .engine_max_answer = 1024 * 1024,
    };
    be_patient(bench);
    bench->engine = engine_open(&bench->config, &bench->error);
    g_assert_no_error(bench->error);
    bench->start = g_get_monotonic_time();
}

static void tear_down(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    engine_free(bench->engine);
    fake_engine_free(bench->fake);
    g_clear_error(&bench->error);
}

static void answer_with(Bench *bench, const char *bytes, FakeEnd end)
{
    fake_engine_answer(bench->fake, &(FakeAnswer){.bytes = bytes, .end = end});
}

static double seconds(const Bench *bench)
{
    return (double)(g_get_monotonic_time() - bench->start) / G_TIME_SPAN_SECOND;
}

/* Fails with CODE, and leaves the engine fit for the next verb. */
static void assert_failed(Bench *bench, gboolean done, VmdockError code, const char *words)
{
    g_assert_false(done);
    if (!vmdock_error_is(bench->error, code))
        g_error("code %d wanted, got: %s", (int)code,
                bench->error ? bench->error->message : "no error");
    if (words && !strstr(bench->error->message, words))
        g_error("\"%s\" is not in: %s", words, bench->error->message);
    g_assert_null(strchr(bench->error->message, '\n'));
    g_clear_error(&bench->error);
}

static gboolean list(Bench *bench)
{
    g_autoptr(GPtrArray) containers = engine_list(bench->engine, "vmdock.vm", &bench->error);
    g_assert_true((containers == NULL) == (bench->error != NULL));
    return containers != NULL;
}

/* A verb that negotiates first. */
static gboolean inspect(Bench *bench)
{
    g_autoptr(EngineContainer) container = engine_inspect(bench->engine, ID, &bench->error);
    g_assert_null(container);
    return bench->error == NULL;
}

static void assert_recovers(Bench *bench)
{
    be_patient(bench);
    answer_with(bench, LIST, FAKE_KEEP);
    g_assert_true(list(bench));
}

static void test_no_engine(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_clear_pointer(&bench->engine, engine_free);
    bench->config.engine_socket = (gchar *)"/nonexistent/engine.sock";
    bench->engine = engine_open(&bench->config, &bench->error);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_DOWN,
                  "cannot connect to the container engine at /nonexistent/engine.sock: "
                  "No such file or directory");
    g_clear_pointer(&bench->engine, engine_free);
    g_autofree gchar *path = g_strnfill(200, 'x');
    bench->config.engine_socket = path;
    g_assert_null(engine_open(&bench->config, &bench->error));
    assert_failed(bench, FALSE, VMDOCK_ERROR_CONFIG, "too long");
    bench->config.engine_socket = (gchar *)fake_engine_socket(bench->fake);
    bench->config.engine_kind = (gchar *)"rkt";
    g_assert_null(engine_open(&bench->config, &bench->error));
    assert_failed(bench, FALSE, VMDOCK_ERROR_CONFIG, "rkt");
}

/* A socket whose owner died, then one whose owner does not take connections. */
static void test_nobody_listens(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *folder = g_dir_make_tmp("fake-engine-XXXXXX", NULL);
    g_autofree gchar *path = g_build_filename(folder, "socket", NULL);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_clear_pointer(&bench->engine, engine_free);
    bench->config.engine_socket = path;
    bench->engine = engine_open(&bench->config, &bench->error);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_DOWN, "Connection refused");
    g_assert_cmpint(listen(fd, 0), ==, 0);
    be_impatient(bench);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, NULL);
    autofd int filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    while (connect(filler, (struct sockaddr *)&address, sizeof address) == 0) {
        autofd int taken = steal_fd(&filler);
        filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        steal_fd(&taken); /* stays in the queue until the process ends */
    }
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_TIMEOUT,
                  "took no connection within 0.3 s");
    g_assert_cmpfloat(seconds(bench), <, 6);
    g_unlink(path);
    g_rmdir(folder);
}

static void test_stalls(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char *const beginnings[] = {
        "H",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\"",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n[{\"Id\"",
        CHUNKED "2\r\n[",
        CHUNKED "2\r\n[]\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    assert_recovers(bench);
    for (gsize i = 0; i < G_N_ELEMENTS(beginnings); i++) {
        be_impatient(bench);
        answer_with(bench, beginnings[i], FAKE_STALL);
        assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_TIMEOUT,
                      "did not answer within 0.2 s");
        g_assert_cmpfloat(seconds(bench), >=, 0.2);
        g_assert_cmpfloat(seconds(bench), <, 1.8);
    }
    assert_recovers(bench);
}

/* The ping is part of the verb's time. */
static void test_ping_stalls(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    be_impatient(bench);
    fake_engine_ping(bench->fake, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    assert_failed(bench, inspect(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, NULL);
    g_assert_cmpfloat(seconds(bench), <, 1.8);
}

/* A byte now and then: no silence, but the verb's time ends. */
static void test_drips(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    assert_recovers(bench);
    be_impatient(bench);
    fake_engine_answer(bench->fake,
                       &(FakeAnswer){.bytes = LIST, .pause_us = 20000, .end = FAKE_CLOSE});
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, NULL);
    g_assert_cmpfloat(seconds(bench), <, 1.8);
    assert_recovers(bench);
}

/* Cut off after each of its bytes, a complete answer is an error every time. */
static void test_closes_early(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char *const whole[] = {
        WITH_LENGTH("200 OK", "4", "[  ]"),
        CHUNKED "2\r\n[ \r\n1\r\n]\r\n0\r\n\r", /* libcurl does not miss a last line feed */
    };
    for (gsize k = 0; k < G_N_ELEMENTS(whole); k++)
        for (gsize n = 1; n < strlen(whole[k]); n++) {
            fake_engine_answer(bench->fake,
                               &(FakeAnswer){.bytes = whole[k], .length = n, .end = FAKE_CLOSE});
            g_assert_false(list(bench));
            g_assert_cmpint(bench->error->code, ==, VMDOCK_ERROR_ENGINE_GARBLED);
            g_clear_error(&bench->error);
        }
    answer_with(bench, "", FAKE_CLOSE);
    g_clear_pointer(&bench->engine, engine_free); /* a new connection: nothing is sent twice */
    bench->engine = engine_open(&bench->config, NULL);
    guint before = fake_engine_requests(bench->fake, "GET /v");
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_GARBLED, NULL);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /v"), ==, before + 1);
    assert_recovers(bench);
}

static void test_garbage(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char *const answers[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "[]",
        "\x16\x03\x01\x02\x01\xff\xfe",
        "HTTP/9.9 200 OK\r\n\r\n[]",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\nxx",
        WITH_LENGTH("200 OK", "1", "[]"),
        WITH_LENGTH("200 OK", "9", "[]"),
        WITH_LENGTH("200 OK", "7", "not Jso"),
        WITH_LENGTH("200 OK", "0", ""),
        WITH_LENGTH("200 OK", "2", "{}"),
        WITH_LENGTH("200 OK", "4", "[42]"),
        WITH_LENGTH("200 OK", "11", "[{\"Id\":\"x\"}]"),
        CHUNKED "zz\r\n[]\r\n0\r\n\r\n",
        CHUNKED "ffffffffffffffffffff\r\n[]",
        CHUNKED "1\r\n[]\r\n0\r\n\r\n",
        TO_END "[",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n[]",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        answer_with(bench, answers[i], FAKE_CLOSE);
        g_assert_false(list(bench));
        if (bench->error->code != VMDOCK_ERROR_ENGINE_GARBLED)
            g_error("answer %" G_GSIZE_FORMAT ": %s", i, bench->error->message);
        g_test_message("%s", bench->error->message);
        g_clear_error(&bench->error);
    }
    assert_recovers(bench);
}

/* A listing is read as it comes, an inspection is gathered first. */
static void test_floods(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const struct {
        const char *bytes, *for_ever, *words;
    } floods[] = {
        {WITH_LENGTH("200 OK", "1073741824", "["), BLANKS, "larger than 1048576 bytes"},
        {TO_END, BLANKS, "larger than 1048576 bytes"},
        {CHUNKED, "40\r\n" BLANKS "\r\n", "larger than 1048576 bytes"},
        {WITH_LENGTH("500 Oops", "1073741824", ""), BLANKS, "larger than 1048576 bytes"},
        {"HTTP/1.1 200 OK\r\n", "X-Padding: 0123456789012345678901234567890123456789\r\n", NULL},
        {"HTTP/1.1 200 OK\r\nX-Padding: ", BLANKS, NULL},
        {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(floods); i++) {
        const FakeAnswer flood = {
            .bytes = floods[i].bytes, .for_ever = floods[i].for_ever, .end = FAKE_CLOSE};
        fake_engine_answer(bench->fake, &flood);
        assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_GARBLED, floods[i].words);
        fake_engine_answer(bench->fake, &flood);
        assert_failed(bench, inspect(bench), VMDOCK_ERROR_ENGINE_GARBLED, floods[i].words);
    }
    assert_recovers(bench);
}

static void test_refusals(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    answer_with(bench, WITH_LENGTH("500 Oops", "15", "{\"message\":\"x\"}"), FAKE_KEEP);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_REFUSED, "x");
    answer_with(bench,
                CLOSING("500 Oops", "{\"message\":\"the daemon\\nis in a \\u001b[31mmood\"}"),
                FAKE_CLOSE);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_REFUSED, "the daemon is in a [31mmood");
    answer_with(bench, WITH_LENGTH("500 Oops", "0", ""), FAKE_KEEP);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_REFUSED, "HTTP status 500");
    answer_with(bench, CLOSING("503 Busy", "<b>no</b>\r\n<br"), FAKE_CLOSE);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_REFUSED, "<b>no</b> <br");
    answer_with(bench, CLOSING("500 Oops", "{\"message\":\"write /x: no space left on device\"}"),
                FAKE_CLOSE);
    assert_failed(bench, engine_start(bench->engine, ID, &bench->error), VMDOCK_ERROR_NO_SPACE,
                  "cannot start the container: write /x: no space left on device");
    assert_recovers(bench);
}

static void test_redirect(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    answer_with(bench,
                "HTTP/1.1 301 Moved\r\nLocation: http://localhost/v1.41/elsewhere\r\n"
                "Content-Length: 0\r\n\r\n",
                FAKE_KEEP);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_GARBLED,
                  "redirect or an upgrade (HTTP status 301)");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /v1.41/elsewhere"), ==, 0);
    assert_recovers(bench);
}

static void test_keeps_connection(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    for (guint i = 0; i < 5; i++) {
        assert_recovers(bench);
        answer_with(bench, NO_SUCH, FAKE_KEEP);
        g_assert_true(inspect(bench));
    }
    g_assert_cmpuint(fake_engine_connections(bench->fake), ==, 1);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /_ping"), ==, 1);
}

/* Closed while it was idle, it is replaced without a word, for a POST too. */
static void test_idle_close(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    answer_with(bench, LIST, FAKE_CLOSE);
    g_assert_true(list(bench));
    g_usleep(50000);
    answer_with(bench, "HTTP/1.1 204 No Content\r\n\r\n", FAKE_CLOSE);
    g_assert_true(engine_start(bench->engine, ID, &bench->error));
    g_usleep(50000);
    assert_recovers(bench);
    g_assert_cmpuint(fake_engine_connections(bench->fake), ==, 3);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST"), ==, 1);
}

/* Closed without an answer once the request was read: a GET is sent once more, a POST never. */
static void test_lost_answer(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    assert_recovers(bench);
    fake_engine_answer(bench->fake, &(FakeAnswer){.bytes = "\0", .length = 0, .end = FAKE_CLOSE});
    answer_with(bench, LIST, FAKE_KEEP);
    g_assert_true(list(bench));
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /v"), ==, 3);

    answer_with(bench, "", FAKE_CLOSE);
    answer_with(bench, "", FAKE_CLOSE);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_GARBLED, NULL);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /v"), ==, 5);

    assert_recovers(bench);
    answer_with(bench, "", FAKE_CLOSE);
    assert_failed(bench, engine_start(bench->engine, ID, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, "closed the connection without an answer");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST"), ==, 1);

    assert_recovers(bench);
    answer_with(bench, "", FAKE_CLOSE);
    g_autoptr(json_t) body = json_pack("{s:s}", "Image", "x");
    g_assert_null(engine_create(bench->engine, "one-1", body, &bench->error));
    assert_failed(bench, FALSE, VMDOCK_ERROR_ENGINE_GARBLED, "closed the connection");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST"), ==, 2);
    assert_recovers(bench);
}

/* A first process that was hung up on before its start is made anew, once. */
static void test_ended_unstarted(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char *const ended[] = {
        CLOSING("500 Oops",
                "{\"message\":\"OCI runtime start failed: cannot start a container that "
                "has stopped: unknown\"}"),
        CLOSING("500 Oops", "{\"message\":\"OCI runtime start failed: container `4f` is not "
                            "running\"}"),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ended); i++) {
        guint before = fake_engine_requests(bench->fake, "POST");
        answer_with(bench, ended[i], FAKE_CLOSE);
        answer_with(bench, "HTTP/1.1 204 No Content\r\n\r\n", FAKE_KEEP);
        g_assert_true(engine_start(bench->engine, ID, &bench->error));
        g_assert_no_error(bench->error);
        g_assert_cmpuint(fake_engine_requests(bench->fake, "POST"), ==, before + 2);
    }
    answer_with(bench, ended[0], FAKE_CLOSE);
    answer_with(bench, ended[0], FAKE_CLOSE);
    assert_failed(bench, engine_start(bench->engine, ID, &bench->error),
                  VMDOCK_ERROR_ENGINE_REFUSED, "cannot start a container that has stopped");
    answer_with(bench, CLOSING("500 Oops", "{\"message\":\"exec: \\\"x\\\": not found\"}"),
                FAKE_CLOSE);
    guint before = fake_engine_requests(bench->fake, "POST");
    assert_failed(bench, engine_start(bench->engine, ID, &bench->error),
                  VMDOCK_ERROR_ENGINE_REFUSED, "not found");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST"), ==, before + 1);
    assert_recovers(bench);
}

/* The answer that comes after the time-out must not be the answer to the next question. */
static void test_late_answer(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    assert_recovers(bench);
    be_impatient(bench);
    fake_engine_answer(bench->fake, &(FakeAnswer){.bytes = WITH_LENGTH("200 OK", "6", "[\"old\"]"),
                                                  .pause_us = 10000});
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, NULL);
    assert_recovers(bench);
    g_assert_cmpuint(fake_engine_connections(bench->fake), ==, 2);
}

static void test_watch(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    gboolean ended = TRUE;
    gint status = -1;
    assert_recovers(bench);
    bench->start = g_get_monotonic_time();
    answer_with(bench, CHUNKED, FAKE_STALL);
    g_assert_true(engine_watch(bench->engine, ID, 80, &ended, &status, &bench->error));
    g_assert_false(ended);
    g_assert_cmpfloat(seconds(bench), >=, 0.08);
    g_assert_cmpfloat(seconds(bench), <, 0.9);
    answer_with(bench, CHUNKED "10\r\n{\"StatusCode\":3}\r\n0\r\n\r\n", FAKE_KEEP);
    g_assert_true(engine_watch(bench->engine, ID, 5000, &ended, &status, &bench->error));
    g_assert_true(ended);
    g_assert_cmpint(status, ==, 3);
    answer_with(bench, CHUNKED "0\r\n\r\n", FAKE_KEEP);
    assert_failed(bench, engine_watch(bench->engine, ID, 20000, &ended, &status, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, "cannot watch the container");
    g_assert_false(ended);
    answer_with(bench, CHUNKED, FAKE_CLOSE);
    assert_failed(bench, engine_watch(bench->engine, ID, 20000, &ended, &status, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, NULL);
}

/* Each verb has its own time. */
static void test_times(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    assert_recovers(bench);
    be_impatient(bench);
    answer_with(bench, "H", FAKE_STALL);
    assert_failed(bench, engine_start(bench->engine, ID, &bench->error),
                  VMDOCK_ERROR_ENGINE_TIMEOUT, "within 0.5 s");
    answer_with(bench, "H", FAKE_STALL);
    assert_failed(bench, engine_pause(bench->engine, ID, &bench->error),
                  VMDOCK_ERROR_ENGINE_TIMEOUT, "within 0.4 s");
    bench->start = g_get_monotonic_time();
    answer_with(bench, "H", FAKE_STALL);
    assert_failed(bench, engine_stop(bench->engine, ID, 1, &bench->error),
                  VMDOCK_ERROR_ENGINE_TIMEOUT, "within 1.4 s");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST /v1.41/containers/" ID "/stop?t=1 "),
                     ==, 1);
    answer_with(bench, WITH_LENGTH("200 OK", "9", "{\"Id\":"), FAKE_STALL);
    assert_failed(bench, engine_kill(bench->engine, ID, &bench->error), VMDOCK_ERROR_ENGINE_TIMEOUT,
                  "within 0.4 s");
    g_assert_cmpfloat(seconds(bench), <, 7.5);
}

/* What the header says is fine, is fine. */
static void test_fine(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
#define GONE    CLOSING("404 Not Found", "{\"message\":\"No such container: abc\"}")
#define STOPPED CLOSING("409 Conflict", "{\"message\":\"Container x is not running\"}")
#define GOING                                                                                      \
    CLOSING("409 Conflict", "{\"message\":\"removal of container x is already in progress\"}")
#define NOT_MODIFIED "HTTP/1.1 304 Not Modified\r\n\r\n"
    answer_with(bench, NOT_MODIFIED, FAKE_KEEP);
    g_assert_true(engine_start(bench->engine, ID, &bench->error));
    answer_with(bench, NOT_MODIFIED, FAKE_KEEP);
    g_assert_true(engine_stop(bench->engine, ID, 1, &bench->error));
    answer_with(bench, STOPPED, FAKE_CLOSE);
    g_assert_true(engine_kill(bench->engine, ID, &bench->error));
    answer_with(bench, GONE, FAKE_CLOSE);
    g_assert_true(engine_remove(bench->engine, ID, &bench->error));
    answer_with(bench, GOING, FAKE_CLOSE);
    answer_with(bench, GONE, FAKE_CLOSE);
    g_assert_true(engine_remove(bench->engine, ID, &bench->error));
    g_assert_cmpuint(
        fake_engine_requests(bench->fake, "POST /v1.41/containers/" ID "/wait?condition=removed"),
        ==, 1);
    answer_with(bench, GONE, FAKE_CLOSE);
    g_assert_null(engine_inspect(bench->engine, ID, &bench->error));
    answer_with(bench, GONE, FAKE_CLOSE);
    g_assert_true(engine_untag(bench->engine, "x:1", &bench->error));
    answer_with(bench, GONE, FAKE_CLOSE);
    g_assert_null(engine_image_id(bench->engine, "x:1", &bench->error));
    g_assert_no_error(bench->error);
    answer_with(bench, GONE, FAKE_CLOSE);
    assert_failed(bench, engine_stop(bench->engine, ID, 1, &bench->error),
                  VMDOCK_ERROR_ENGINE_REFUSED, "No such container");
}

static void reopen(Bench *bench)
{
    g_clear_pointer(&bench->engine, engine_free);
    bench->engine = engine_open(&bench->config, &bench->error);
    g_assert_no_error(bench->error);
}

static void ping_as(Bench *bench, const char *version)
{
    g_autofree gchar *ping =
        g_strdup_printf("HTTP/1.1 200 OK\r\n%s%s\r\nContent-Length: 2\r\n\r\nOK",
                        version ? "aPI-vERSION:  " : "X: ", version ? version : "y");
    fake_engine_ping(bench->fake, g_intern_string(ping));
    reopen(bench);
}

static void assert_last(Bench *bench, const char *beginning)
{
    g_autofree gchar *last = fake_engine_last(bench->fake);
    if (!g_str_has_prefix(last, beginning))
        g_error("\"%s\" wanted, got: %s", beginning, last);
}

static void test_negotiation(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const struct {
        const char *theirs, *spoken;
    } versions[] = {{"1.41", "GET /v1.41/"}, {"1.45", "GET /v1.45/"},  {"1.51", "GET /v1.51/"},
                    {"1.52", "GET /v1.51/"}, {"1.999", "GET /v1.51/"}, {"2.0", "GET /v1.51/"}};
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
        ping_as(bench, versions[i].theirs);
        answer_with(bench, NO_SUCH, FAKE_KEEP);
        g_assert_true(inspect(bench));
        assert_last(bench, versions[i].spoken);
    }
    ping_as(bench, "1.40");
    assert_failed(bench, inspect(bench), VMDOCK_ERROR_UNSUPPORTED,
                  "speaks API version 1.40 at most, and vmdock needs 1.41");
    ping_as(bench, NULL);
    assert_failed(bench, inspect(bench), VMDOCK_ERROR_ENGINE_GARBLED, "API version");
    ping_as(bench, "1.x");
    assert_failed(bench, inspect(bench), VMDOCK_ERROR_ENGINE_GARBLED, "API version");
    ping_as(bench, "1.70");
    answer_with(bench,
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
                "client version 1.51 is too old. Minimum supported API version is 1.60, please "
                "upgrade your client to a newer version",
                FAKE_CLOSE);
    assert_failed(bench, inspect(bench), VMDOCK_ERROR_UNSUPPORTED,
                  "client version 1.51 is too old. Minimum supported API version is 1.60");
}

/* A listing is asked for at once, and what the engine speaks is learned from its answer. */
static void test_list_negotiates(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
#define OLD(version)                                                                               \
    "HTTP/1.1 400 Bad Request\r\n" version "Content-Length: 77\r\n\r\n"                            \
    "client version 1.41 is too old. Minimum supported API version is 1.44, please"
    fake_engine_ping(bench->fake, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    answer_with(bench, "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\n\r\n[]",
                FAKE_KEEP);
    g_assert_true(list(bench));
    assert_last(bench, "GET /v1.41/containers/json?");
    answer_with(bench, NO_SUCH, FAKE_KEEP);
    g_assert_true(inspect(bench));
    assert_last(bench, "GET /v1.45/");

    reopen(bench);
    answer_with(bench, OLD("Api-Version: 1.52\r\n"), FAKE_KEEP);
    assert_recovers(bench);
    assert_last(bench, "GET /v1.51/containers/json?");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /_ping"), ==, 0);

    ping_as(bench, "1.46");
    answer_with(bench, OLD(""), FAKE_KEEP);
    assert_recovers(bench);
    assert_last(bench, "GET /v1.46/containers/json?");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /_ping"), ==, 1);
}

static void test_list_refused(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    ping_as(bench, "1.40");
    answer_with(bench,
                WITH_LENGTH("400 Bad Request", "83",
                            "{\"message\":\"client version 1.41 is too new. "
                            "Maximum supported API version is 1.40\"}"),
                FAKE_KEEP);
    assert_failed(bench, list(bench), VMDOCK_ERROR_UNSUPPORTED,
                  "speaks API version 1.40 at most, and vmdock needs 1.41");
    ping_as(bench, "1.41");
    answer_with(bench, WITH_LENGTH("400 Bad Request", "24", "{\"message\":\"bad filter\"}"),
                FAKE_KEEP);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_REFUSED, "bad filter");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "GET /v1.41/containers/json"), ==, 2);
}

static void test_ping_refused(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    fake_engine_ping(bench->fake, WITH_LENGTH("500 Oops", "24", "{\"message\":\"starting up\"}"));
    assert_failed(bench, inspect(bench), VMDOCK_ERROR_ENGINE_REFUSED, "starting up");
    fake_engine_ping(bench->fake,
                     "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK");
    answer_with(bench, NO_SUCH, FAKE_KEEP);
    g_assert_true(inspect(bench)); /* it is asked again */
}

static void test_request(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *large = g_strnfill(2 * 1024 * 1024, 'x');
    g_autoptr(json_t) body = json_pack("{s:s}", "Image", large);
    answer_with(bench, WITH_LENGTH("201 Created", "73", "{\"Id\":\"" ID "\"}\n"), FAKE_KEEP);
    g_autofree gchar *id = engine_create(bench->engine, "one-1", body, &bench->error);
    g_assert_no_error(bench->error);
    g_assert_cmpstr(id, ==, ID);
    g_autofree gchar *create = fake_engine_last(bench->fake);
    g_assert_true(
        g_str_has_prefix(create, "POST /v1.41/containers/create?name=one-1 HTTP/1.1\r\n"));
    g_assert_nonnull(strstr(create, "\r\nContent-Type: application/json\r\n"));
    g_assert_nonnull(strstr(create, "\r\nHost: localhost\r\n"));
    g_assert_null(strstr(create, "Expect"));
    g_assert_true(g_str_has_suffix(create, "xxx\"}"));
    assert_recovers(bench);
    g_autofree gchar *last = fake_engine_last(bench->fake);
    g_assert_true(g_str_has_prefix(last, "GET /v1.41/containers/json?all=1&filters="
                                         "%7B%22label%22:%5B%22vmdock.vm%22%5D%7D HTTP/1.1\r\n"));
    g_assert_null(engine_inspect(bench->engine, "../x?y#z", &bench->error));
    g_clear_error(&bench->error);
    g_autofree gchar *hostile = fake_engine_last(bench->fake);
    g_assert_true(g_str_has_prefix(hostile, "GET /v1.41/containers/..%2Fx%3Fy%23z/json HTTP"));
}

static guint open_sockets(const Bench *bench)
{
    guint found = 0;
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_un peer = {0};
        socklen_t length = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0 || peer.sun_family != AF_UNIX ||
            strcmp(peer.sun_path, fake_engine_socket(bench->fake)) != 0)
            continue;
        found++;
        g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    return found;
}

/* No child inherits the way to the engine, and it is closed with the engine. */
static void test_descriptors(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_assert_cmpuint(open_sockets(bench), ==, 0);
    assert_recovers(bench);
    g_assert_cmpuint(open_sockets(bench), ==, 1);
    be_impatient(bench);
    answer_with(bench, "H", FAKE_STALL);
    assert_failed(bench, list(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, NULL);
    g_assert_cmpuint(open_sockets(bench), ==, 0);
    assert_recovers(bench);
    g_clear_pointer(&bench->engine, engine_free);
    g_assert_cmpuint(open_sockets(bench), ==, 0);
}

#define IMAGE_ID "sha256:" ID

/* What the VM alone was told is there without its value: the engine adds what it does not find. */
static void test_commit_body(void)
{
    static const char image[] =
        "{\"Env\":[\"PATH=/bin\",\"A=image\"],\"Cmd\":[\"first\"],"
        "\"Entrypoint\":null,\"Labels\":{\"own\":\"1\"},\"StopSignal\":\"INT\"}";
    static const char container[] =
        "{\"Env\":[\"PATH=/bin\",\"A=vm\",\"SECRET=hidden\",\"EMPTY\"],\"Cmd\":[\"other\"],"
        "\"Labels\":{\"own\":\"1\",\"vmdock.vm\":\"one-1\"}}";
    g_autoptr(json_t) of_image = json_loads(image, 0, NULL);
    g_autoptr(json_t) of_container = json_loads(container, 0, NULL);
    g_autoptr(json_t) body = docker_commit_body(of_image, of_container);
    g_autofree char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    g_assert_cmpstr(text, ==,
                    "{\"Cmd\":[\"first\"],\"Entrypoint\":[],\"Env\":[\"PATH=/bin\",\"A=image\","
                    "\"SECRET=\",\"EMPTY=\"],\"Labels\":{\"own\":\"1\",\"vmdock.vm\":\"\"},"
                    "\"StopSignal\":\"INT\"}");
    g_autoptr(json_t) of_nothing = docker_commit_body(NULL, NULL);
    g_autofree char *nothing = json_dumps(of_nothing, JSON_COMPACT | JSON_SORT_KEYS);
    g_assert_cmpstr(nothing, ==, "{\"Entrypoint\":[],\"Env\":[],\"Labels\":{}}");
}

static void answer_nothing_to_clear(Bench *bench)
{
    answer_with(bench, CLOSING("404 Not Found", "{}"), FAKE_CLOSE);
    answer_with(bench, CLOSING("404 Not Found", "{}"), FAKE_CLOSE);
}

static void answer_commit_up_to_second(Bench *bench)
{
    answer_with(bench, CLOSING("200 OK", "{\"Image\":\"" IMAGE_ID "\",\"Config\":{}}"), FAKE_CLOSE);
    answer_with(bench, CLOSING("200 OK", "{\"Config\":{}}"), FAKE_CLOSE);
    answer_nothing_to_clear(bench);
    answer_with(bench, CLOSING("201 Created", "{\"Id\":\"sha256:first\"}"), FAKE_CLOSE);
    answer_with(bench, CLOSING("201 Created", "{\"Id\":\"" ID "\"}"), FAKE_CLOSE);
}

/* Before the first image is made, and after the second. */
static void assert_cleared_twice(Bench *bench)
{
    g_assert_cmpuint(
        fake_engine_requests(bench->fake, "DELETE /v1.41/containers/vmdock-one-1-making"), ==, 2);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "DELETE /v1.41/images/vmdock/one-1:making "),
                     ==, 2);
}

static void test_commit(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    answer_commit_up_to_second(bench);
    answer_with(bench, CLOSING("201 Created", "{\"Id\":\"sha256:second\"}"), FAKE_CLOSE);
    answer_with(bench, CLOSING("204 No Content", ""), FAKE_CLOSE);
    answer_with(bench, CLOSING("200 OK", "[]"), FAKE_CLOSE);
    g_autofree gchar *id =
        engine_commit(bench->engine, "c1", "vmdock/one-1", "disk.0-now", TRUE, &bench->error);
    g_assert_no_error(bench->error);
    g_assert_cmpstr(id, ==, "sha256:second");
    g_assert_cmpuint(fake_engine_requests(bench->fake,
                                          "POST /v1.41/commit?container=c1&pause=true&repo="
                                          "vmdock/one-1&tag=making "),
                     ==, 1);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST /v1.41/commit?container=" ID
                                                       "&pause=false&repo=vmdock/one-1&tag="
                                                       "disk.0-now "),
                     ==, 1);
    assert_cleared_twice(bench);
}

/* The first image and the blank container go when the second image cannot be made. */
static void test_commit_fails(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    answer_commit_up_to_second(bench);
    answer_with(bench, CLOSING("500 x", "{\"message\":\"no space left on device\"}"), FAKE_CLOSE);
    answer_with(bench, CLOSING("204 No Content", ""), FAKE_CLOSE);
    answer_with(bench, CLOSING("200 OK", "[]"), FAKE_CLOSE);
    g_autofree gchar *id =
        engine_commit(bench->engine, "c1", "vmdock/one-1", "disk.0-now", TRUE, &bench->error);
    assert_failed(bench, id != NULL, VMDOCK_ERROR_NO_SPACE, "cannot make an image");
    assert_cleared_twice(bench);
    answer_with(bench, CLOSING("404 Not Found", "{\"message\":\"No such container: c1\"}"),
                FAKE_CLOSE);
    g_assert_null(engine_commit(bench->engine, "c1", "r", "t", FALSE, &bench->error));
    assert_failed(bench, FALSE, VMDOCK_ERROR_ENGINE_REFUSED, "No such container");
}

static gboolean push(Bench *bench, gchar **digest)
{
    return engine_push(bench->engine, "reg.example:5000/team/app:2", NULL, NULL, digest,
                       &bench->error);
}

static void test_push(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *digest = NULL;
    answer_with(bench,
                TO_END
                "{\"status\":\"Pushed\",\"id\":\"a\"}\r\n"
                "{\"progressDetail\":{},\"aux\":{\"Tag\":\"2\",\"Digest\":\"sha256:d\"}}\r\n",
                FAKE_CLOSE);
    g_assert_true(push(bench, &digest));
    g_assert_cmpstr(digest, ==, "sha256:d");
    g_assert_cmpuint(fake_engine_requests(
                         bench->fake, "POST /v1.41/images/reg.example:5000/team/app/push?tag=2 "),
                     ==, 1);
    g_autofree gchar *request = fake_engine_last(bench->fake);
    g_assert_nonnull(strstr(request, "X-Registry-Auth: e30="));
    answer_with(bench, TO_END "{\"error\":\"denied: requested access\"}\r\n", FAKE_CLOSE);
    assert_failed(bench, push(bench, NULL), VMDOCK_ERROR_REGISTRY, "denied");
    be_impatient(bench);
    answer_with(bench, TO_END "{\"status\":\"x\"}\r\n", FAKE_STALL);
    assert_failed(bench, push(bench, NULL), VMDOCK_ERROR_ENGINE_TIMEOUT, "silent for 0.3 s");
    g_assert_false(
        engine_push(bench->engine, "reg/app@" IMAGE_ID, NULL, NULL, NULL, &bench->error));
    assert_failed(bench, FALSE, VMDOCK_ERROR_SPEC, "not a digest");
}

static gboolean save(Bench *bench, int fd)
{
    static const char *const wanted[] = {"vmdock/one-1:disk.0-now", "vmdock/one-1:disk.0-snap.1",
                                         NULL};
    return engine_save(bench->engine, wanted, fd, NULL, NULL, &bench->error);
}

static void test_save(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    autofd int fd = memfd_create("saved", MFD_CLOEXEC);
    char text[16] = "";
    answer_with(bench, TO_END "TAR", FAKE_CLOSE);
    g_assert_true(save(bench, fd));
    g_assert_cmpint(pread(fd, text, sizeof text - 1, 0), ==, 3);
    g_assert_cmpstr(text, ==, "TAR");
    g_assert_cmpuint(fake_engine_requests(bench->fake,
                                          "GET /v1.41/images/get?names=vmdock/one-1:disk.0-now"
                                          "&names=vmdock/one-1:disk.0-snap.1 "),
                     ==, 1);
    answer_with(bench, CLOSING("404 Not Found", "{\"message\":\"No such image: x\"}"), FAKE_CLOSE);
    assert_failed(bench, save(bench, fd), VMDOCK_ERROR_NO_IMAGE, "No such image");
    autofd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    answer_with(bench, TO_END "TAR", FAKE_CLOSE);
    assert_failed(bench, save(bench, full), VMDOCK_ERROR_NO_SPACE, "No space left");
    be_impatient(bench);
    answer_with(bench, TO_END "T", FAKE_STALL);
    assert_failed(bench, save(bench, fd), VMDOCK_ERROR_ENGINE_TIMEOUT, "silent for 0.3 s");
    assert_recovers(bench);
}

static gboolean load(Bench *bench, int fd)
{
    return engine_load(bench->engine, fd, NULL, NULL, &bench->error);
}

static void test_load(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    autofd int fd = memfd_create("tar", MFD_CLOEXEC);
    g_assert_cmpint(write(fd, "THE TAR", 7), ==, 7);
    lseek(fd, 0, SEEK_SET);
    answer_with(bench, CLOSING("200 OK", "{\"stream\":\"Loaded image: x\\n\"}"), FAKE_CLOSE);
    g_assert_true(load(bench, fd));
    g_assert_no_error(bench->error);
    g_autofree gchar *request = fake_engine_last(bench->fake);
    g_assert_nonnull(strstr(request, "POST /v1.41/images/load?quiet=1 "));
    g_assert_nonnull(strstr(request, "Transfer-Encoding: chunked"));
    g_assert_nonnull(strstr(request, "application/x-tar"));
    answer_with(bench, CLOSING("200 OK", "{\"error\":\"unexpected EOF\"}"), FAKE_CLOSE);
    assert_failed(bench, load(bench, fd), VMDOCK_ERROR_REGISTRY, "unexpected EOF");
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    autofd int silent = ends[0];
    autofd int writer = ends[1];
    be_impatient(bench);
    assert_failed(bench, load(bench, silent), VMDOCK_ERROR_IO, "stood still for 0.3 s");
    assert_recovers(bench);
}

static gboolean pull(Bench *bench)
{
    return engine_pull(bench->engine, "reg.example:5000/team/app:2", NULL, NULL, &bench->error);
}

static void test_pull(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    answer_with(bench, TO_END "{\"status\":\"Pulling from x\",\"id\":\"2\"}\r\n", FAKE_CLOSE);
    answer_with(bench, WITH_LENGTH("200 OK", "17", "{\"Id\":\"sha256:1\"}"), FAKE_KEEP);
    g_assert_true(pull(bench));
    g_assert_cmpuint(fake_engine_requests(bench->fake,
                                          "POST /v1.41/images/create?"
                                          "fromImage=reg.example:5000/team/app&tag=2 "),
                     ==, 1);
    g_assert_cmpuint(
        fake_engine_requests(bench->fake, "GET /v1.41/images/reg.example:5000/team/app:2/json "),
        ==, 1);
    answer_with(bench, TO_END "{\"status\":\"ok\"}\r\n", FAKE_CLOSE);
    answer_with(bench, WITH_LENGTH("404 Not Found", "2", "{}"), FAKE_KEEP);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_GARBLED, "does not have the image");
    answer_with(bench,
                TO_END "{\"status\":\"x\"}\r\n{\"errorDetail\":{\"message\":\"manifest unknown\"},"
                       "\"error\":\"manifest unknown\"}\r\n",
                FAKE_STALL);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_NO_IMAGE, "manifest unknown");
    answer_with(bench, TO_END "{\"error\":\"write: no space left on device\"}", FAKE_CLOSE);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_NO_SPACE, NULL);
    answer_with(bench, TO_END "{\"status\":\r\n", FAKE_CLOSE);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_GARBLED, NULL);
    fake_engine_answer(bench->fake,
                       &(FakeAnswer){.bytes = TO_END "{\"", .for_ever = TEXT TEXT TEXT TEXT});
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_GARBLED, "without end");
    answer_with(bench, CHUNKED "f\r\n{\"status\":\"x\"}\r\n", FAKE_CLOSE);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_GARBLED, NULL);
}

/* Silence ends a pull, before the answer and in it; a pull that goes on for ever ends too. */
static void test_pull_times(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    assert_recovers(bench);
    be_impatient(bench);
    answer_with(bench, "H", FAKE_STALL);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, "within 0.3 s");
    answer_with(bench, TO_END "{\"status\":\"x\"}\r\n", FAKE_STALL);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, "silent for 0.3 s");
    g_assert_cmpfloat(seconds(bench), <, 3.6);
    fake_engine_answer(
        bench->fake,
        &(FakeAnswer){.bytes = TO_END, .for_ever = "{\"status\":\"x\"}\r\n", .round_us = 20000});
    bench->start = g_get_monotonic_time();
    assert_failed(bench, pull(bench), VMDOCK_ERROR_ENGINE_TIMEOUT, "within 1.5 s");
    g_assert_cmpfloat(seconds(bench), <, 6);
}

static void keep_line(LogLevel level G_GNUC_UNUSED, const char *line, gpointer data)
{
    g_string_append(data, line);
    g_string_append_c(data, '\n');
}

/* Credentials go to the engine, and into no line of the trace. */
static void test_credentials(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree gchar *folder = g_dir_make_tmp("fake-engine-XXXXXX", NULL);
    g_autofree gchar *path = g_build_filename(folder, "registry.json", NULL);
    g_autoptr(GString) lines = g_string_new(NULL);
    const char *text = "{\"auths\":{\"reg.example:5000\":{\"username\":\"u\",\"password\":\"p\"}}}";
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    bench->config.engine_credentials = path;
    log_set_sink(keep_line, LOG_TRACE, lines);
    answer_with(bench, TO_END "{\"error\":\"denied\"}", FAKE_CLOSE);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_REGISTRY, "denied");
    log_set_sink(NULL, LOG_TRACE, NULL);
    g_autofree gchar *request = fake_engine_last(bench->fake);
    g_autofree gchar *json =
        g_strdup("{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"reg.example:5000\"}");
    g_autofree gchar *auth = g_base64_encode((const guchar *)json, strlen(json));
    g_autofree gchar *header = g_strdup_printf("\r\nX-Registry-Auth: %s\r\n", auth);
    g_assert_nonnull(strstr(request, header));
    g_assert_null(strstr(lines->str, auth));
    g_assert_nonnull(strstr(lines->str, "engine GET /_ping -> 200, 2 bytes in "));
    g_assert_nonnull(strstr(lines->str, "engine POST /v1.41/images/create?fromImage="));
    bench->config.engine_credentials = (gchar *)"/nonexistent";
    answer_with(bench, TO_END "{\"error\":\"denied\"}", FAKE_CLOSE);
    assert_failed(bench, pull(bench), VMDOCK_ERROR_REGISTRY, "denied");
    g_autofree gchar *bare = fake_engine_last(bench->fake); /* the next request carries none */
    g_assert_null(strstr(bare, "X-Registry-Auth"));
    g_unlink(path);
    g_rmdir(folder);
}

/* "1:what came;2:then;": in how many pieces is a matter of time. */
static gboolean gather(int stream, const char *bytes, gsize length, gpointer data,
                       GError **error G_GNUC_UNUSED)
{
    GString *seen = data;
    g_autofree gchar *mark = g_strdup_printf("%d:", stream);
    const char *last = seen->len > 0 ? g_strrstr_len(seen->str, (gssize)seen->len - 1, ";") : NULL;
    if (seen->len > 0 && g_str_has_prefix(last ? last + 1 : seen->str, mark))
        g_string_truncate(seen, seen->len - 1);
    else
        g_string_append(seen, mark);
    g_string_append_printf(seen, "%.*s;", (int)length, bytes);
    return TRUE;
}

static void test_logs(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char frames[] = TO_END "\1\0\0\0\0\0\0\2ab\2\0\0\0\0\0\0\1c";
    static const char huge[] = TO_END "\1\0\0\0\377\377\377\377ab";
    g_autoptr(GString) seen = g_string_new(NULL);
    fake_engine_answer(bench->fake, &(FakeAnswer){.bytes = frames,
                                                  .length = sizeof frames - 1,
                                                  .pause_us = 2000,
                                                  .end = FAKE_CLOSE});
    g_assert_true(engine_logs(bench->engine, ID, FALSE, 3, FALSE, gather, seen, &bench->error));
    g_assert_cmpstr(seen->str, ==, "1:ab;2:c;");
    g_autofree gchar *last = fake_engine_last(bench->fake);
    g_assert_true(g_str_has_prefix(last, "GET /v1.41/containers/" ID
                                         "/logs?stdout=1&stderr=1&follow=0&tail=3 "));
    fake_engine_answer(
        bench->fake,
        &(FakeAnswer){.bytes = frames, .length = sizeof frames - 2, .end = FAKE_CLOSE});
    assert_failed(bench,
                  engine_logs(bench->engine, ID, FALSE, 0, FALSE, gather, seen, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, "inside a frame");
    fake_engine_answer(bench->fake,
                       &(FakeAnswer){.bytes = huge, .length = sizeof huge - 1, .end = FAKE_CLOSE});
    assert_failed(bench,
                  engine_logs(bench->engine, ID, FALSE, 0, TRUE, gather, seen, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, "inside a frame");
    answer_with(bench, TO_END "plain text where frames should be", FAKE_CLOSE);
    assert_failed(bench,
                  engine_logs(bench->engine, ID, FALSE, 0, FALSE, gather, seen, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, "frames");
    be_impatient(bench);
    answer_with(bench, TO_END "from a terminal", FAKE_STALL);
    assert_failed(bench,
                  engine_logs(bench->engine, ID, TRUE, 0, FALSE, gather, seen, &bench->error),
                  VMDOCK_ERROR_ENGINE_TIMEOUT, "silent");
    answer_with(bench, "H", FAKE_STALL);
    assert_failed(bench, engine_logs(bench->engine, ID, TRUE, 0, TRUE, gather, seen, &bench->error),
                  VMDOCK_ERROR_ENGINE_TIMEOUT, NULL);
}

/* Two requests and the output between them; an argument that JSON cannot hold is never left out. */
static void test_exec(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char frames[] = TO_END "\1\0\0\0\0\0\0\2ab";
    static const char *const argv[] = {"sh", "-c", "echo", NULL};
    static const char *const wrong[] = {"rm", "\xff", "/x", NULL};
    g_autoptr(GString) seen = g_string_new(NULL);
    gint status = -1;
    answer_with(bench, CLOSING("201 Created", "{\"Id\":\"" ID "\"}"), FAKE_CLOSE);
    fake_engine_answer(
        bench->fake,
        &(FakeAnswer){.bytes = frames, .length = sizeof frames - 1, .end = FAKE_CLOSE});
    answer_with(bench, WITH_LENGTH("200 OK", "30", "{\"Running\":true,\"ExitCode\":null}"),
                FAKE_CLOSE);
    assert_failed(bench, engine_exec(bench->engine, ID, argv, gather, seen, &status, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, NULL); /* that length cuts it */
    g_assert_cmpstr(seen->str, ==, "1:ab;");
    answer_with(bench, CLOSING("201 Created", "{\"Id\":\"" ID "\"}"), FAKE_CLOSE);
    answer_with(bench, TO_END, FAKE_CLOSE);
    answer_with(bench, CLOSING("200 OK", "{\"Running\":true,\"ExitCode\":null}"), FAKE_CLOSE);
    answer_with(bench, CLOSING("200 OK", "{\"Running\":false,\"ExitCode\":4}"), FAKE_CLOSE);
    g_assert_true(engine_exec(bench->engine, ID, argv, gather, seen, &status, &bench->error));
    g_assert_cmpint(status, ==, 4);
    guint before = fake_engine_requests(bench->fake, "POST");
    assert_failed(bench,
                  engine_exec(bench->engine, ID, wrong, gather, seen, &status, &bench->error),
                  VMDOCK_ERROR_USAGE, "not UTF-8");
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST"), ==, before);
}

typedef struct {
    GString *seen;
    const char *input;
    gchar *exec_id;
    gint pid;
    guint starts;
} Told;

static gboolean note_start(const char *exec_id, gint pid, gpointer data,
                           GError **error G_GNUC_UNUSED)
{
    Told *told = data;
    g_free(told->exec_id);
    told->exec_id = g_strdup(exec_id);
    told->pid = pid;
    told->starts++;
    return TRUE;
}

static gboolean note_output(int stream, const char *bytes, gsize length, gpointer data,
                            GError **error)
{
    return gather(stream, bytes, length, ((Told *)data)->seen, error);
}

/* A command whose connection is ANSWER, and of which STATE is told whenever somebody asks. */
static gboolean run_command(Bench *bench, const FakeAnswer *answer, const char *state, Told *told,
                            gint *status)
{
    static const char *const argv[] = {"/bin/sh", "-c", "true", NULL};
    EngineCommand command = {.argv = argv,
                             .input = told->input,
                             .input_length = told->input ? strlen(told->input) : 0,
                             .started = note_start,
                             .output = note_output,
                             .data = told};
    answer_with(bench, CLOSING("201 Created", "{\"Id\":\"" ID "\"}"), FAKE_CLOSE);
    fake_engine_answer(bench->fake, answer);
    for (guint i = 0; i < 200; i++)
        answer_with(bench, state, FAKE_CLOSE);
    gboolean done = engine_run(bench->engine, ID, &command, status, &bench->error);
    g_clear_pointer(&told->exec_id, g_free);
    return done;
}

#define UPGRADED "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

static void test_run(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char frames[] = UPGRADED "\1\0\0\0\0\0\0\2ab\2\0\0\0\0\0\0\1c";
    Told told = {.seen = g_string_new(NULL), .input = "typed"};
    gint status = -1;
    FakeAnswer answer = {.bytes = frames, .length = sizeof frames - 1, .end = FAKE_CLOSE};
    g_assert_true(run_command(bench, &answer,
                              CLOSING("200 OK", "{\"Running\":false,\"ExitCode\":4,\"Pid\":77}"),
                              &told, &status));
    g_assert_no_error(bench->error);
    g_assert_cmpint(status, ==, 4);
    g_assert_cmpuint(told.starts, ==, 1);
    g_assert_cmpint(told.pid, ==, 77);
    g_assert_cmpstr(told.seen->str, ==, "1:ab;2:c;");
    g_string_free(told.seen, TRUE);
}

/* The engine says on the command's own output why there is none. */
static void test_run_unstarted(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char frames[] = UPGRADED "\1\0\0\0\0\0\0\7no such";
    Told told = {.seen = g_string_new(NULL), .input = "typed"};
    gint status = -1;
    FakeAnswer answer = {.bytes = frames, .length = sizeof frames - 1, .end = FAKE_CLOSE};
    assert_failed(bench,
                  run_command(bench, &answer,
                              CLOSING("200 OK", "{\"Running\":false,\"ExitCode\":126,\"Pid\":0}"),
                              &told, &status),
                  VMDOCK_ERROR_ENGINE_REFUSED, "cannot start /bin/sh: no such");
    g_assert_cmpuint(told.starts, ==, 0);
    g_string_free(told.seen, TRUE);
}

static void run_fails(Bench *bench, const char *bytes, FakeEnd end, VmdockError code,
                      const char *words)
{
    Told told = {.seen = g_string_new(NULL), .input = end == FAKE_STALL ? NULL : "typed"};
    gint status = -1;
    assert_failed(bench,
                  run_command(bench, &(FakeAnswer){.bytes = bytes, .end = end},
                              CLOSING("200 OK", "{\"Running\":true,\"ExitCode\":null,\"Pid\":0}"),
                              &told, &status),
                  code, words);
    g_assert_cmpuint(told.starts, ==, 0);
    g_string_free(told.seen, TRUE);
}

static void test_run_refused(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    run_fails(bench, CLOSING("409 Conflict", "{\"message\":\"it is paused\"}"), FAKE_CLOSE,
              VMDOCK_ERROR_ENGINE_REFUSED, "it is paused");
}

static void test_run_closed(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    run_fails(bench, "HTTP/1.1 101", FAKE_CLOSE, VMDOCK_ERROR_ENGINE_GARBLED, "before it answered");
}

static void test_run_garbage(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    run_fails(bench, "SSH-2.0\r\n\r\n", FAKE_CLOSE, VMDOCK_ERROR_ENGINE_GARBLED, "not HTTP");
}

static void test_run_flood(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    Told told = {.seen = g_string_new(NULL), .input = "typed"};
    gint status = -1;
    FakeAnswer answer = {.bytes = "HTTP/1.1 101 ", .for_ever = "x: 0123456789\r\n"};
    assert_failed(bench, run_command(bench, &answer, LIST, &told, &status),
                  VMDOCK_ERROR_ENGINE_GARBLED, NULL);
    g_string_free(told.seen, TRUE);
}

static void test_run_stalled(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    be_impatient(bench);
    run_fails(bench, UPGRADED, FAKE_STALL, VMDOCK_ERROR_ENGINE_TIMEOUT, "did not start");
    g_assert_cmpfloat(seconds(bench), <, 5);
}

/* Between the answer's head and the process there is a moment in which the engine knows neither. */
static void test_run_not_begun(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    static const char not_begun[] =
        CLOSING("200 OK", "{\"Running\":false,\"ExitCode\":null,\"Pid\":0}");
    Told told = {.seen = g_string_new(NULL)};
    gint status = -1;
    be_impatient(bench);
    assert_failed(bench,
                  run_command(bench, &(FakeAnswer){.bytes = UPGRADED, .end = FAKE_STALL}, not_begun,
                              &told, &status),
                  VMDOCK_ERROR_ENGINE_TIMEOUT, "did not start");
    g_string_free(told.seen, TRUE);
}

/* What has ended was begun, and the engine knows how it ended. */
static void test_run_without_status(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    Told told = {.seen = g_string_new(NULL)};
    gint status = -1;
    assert_failed(bench,
                  run_command(bench, &(FakeAnswer){.bytes = UPGRADED, .end = FAKE_CLOSE},
                              CLOSING("200 OK", "{\"Running\":false,\"ExitCode\":null,\"Pid\":0}"),
                              &told, &status),
                  VMDOCK_ERROR_ENGINE_GARBLED, "no exit status");
    g_string_free(told.seen, TRUE);
}

/* Somebody who types what stands in a pipe, and leaves at "q". */
typedef struct {
    GString *seen;
    int input;
    guint asked;
} Person;

static gboolean person_types(GString *bytes, gpointer data G_GNUC_UNUSED)
{
    char *quit = strchr(bytes->str, 'q');
    if (quit)
        g_string_truncate(bytes, (gsize)(quit - bytes->str));
    return quit == NULL;
}

static gboolean person_resizes(guint *rows, guint *columns, gpointer data)
{
    Person *person = data;
    *rows = 25;
    *columns = 81;
    return person->asked++ == 0;
}

static gboolean person_sees(int stream, const char *bytes, gsize length, gpointer data,
                            GError **error)
{
    return gather(stream, bytes, length, ((Person *)data)->seen, error);
}

static gboolean attach_person(Bench *bench, Person *person, const char *types, gboolean *left)
{
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    g_assert_cmpint(write(ends[1], types, strlen(types)), ==, (gssize)strlen(types));
    person->seen = g_string_new(NULL);
    EngineSession session = {.input = ends[0],
                             .typed = person_types,
                             .resized = person_resizes,
                             .detach_keys = "ctrl-]",
                             .output = person_sees,
                             .data = person};
    gboolean done = engine_attach(bench->engine, ID, &session, left, &bench->error);
    close(ends[0]);
    close(ends[1]);
    return done;
}

/* A terminal's bytes come without frames. */
static void test_attach(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    Person person = {0};
    gboolean left = TRUE;
    answer_with(bench, CLOSING("200 OK", ""), FAKE_CLOSE);
    answer_with(bench, UPGRADED "hello", FAKE_CLOSE);
    g_assert_true(attach_person(bench, &person, "ls", &left));
    g_assert_no_error(bench->error);
    g_assert_false(left);
    g_assert_cmpstr(person.seen->str, ==, "1:hello;");
    g_assert_cmpuint(
        fake_engine_requests(bench->fake, "POST /v1.41/containers/" ID "/resize?h=26&w=81"), ==, 1);
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST /v1.41/containers/" ID
                                                       "/attach?stream=1&stdin=1&stdout=1&"
                                                       "stderr=1&detachKeys=ctrl-%5D "),
                     ==, 1);
    g_string_free(person.seen, TRUE);
}

/* Who leaves waits for no answer. */
static void test_attach_leave(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    Person person = {0};
    gboolean left = FALSE;
    answer_with(bench, CLOSING("200 OK", ""), FAKE_CLOSE);
    answer_with(bench, UPGRADED, FAKE_STALL);
    g_assert_true(attach_person(bench, &person, "lsq", &left));
    g_assert_true(left);
    g_string_free(person.seen, TRUE);
}

static void test_attach_refused(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    Person person = {0};
    gboolean left = FALSE;
    answer_with(bench, CLOSING("200 OK", ""), FAKE_CLOSE);
    answer_with(bench, CLOSING("409 Conflict", "{\"message\":\"it is paused\"}"), FAKE_CLOSE);
    assert_failed(bench, attach_person(bench, &person, "ls", &left), VMDOCK_ERROR_ENGINE_REFUSED,
                  "it is paused");
    g_assert_false(left);
    g_string_free(person.seen, TRUE);
}

static void test_run_pid(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    gint pid = -1;
    answer_with(bench, CLOSING("200 OK", "{\"Running\":true,\"ExitCode\":null,\"Pid\":9}"),
                FAKE_CLOSE);
    g_assert_true(engine_run_pid(bench->engine, ID, &pid, &bench->error));
    g_assert_cmpint(pid, ==, 9);
    answer_with(bench, CLOSING("200 OK", "{\"Running\":false,\"ExitCode\":0,\"Pid\":9}"),
                FAKE_CLOSE);
    g_assert_true(engine_run_pid(bench->engine, ID, &pid, &bench->error));
    g_assert_cmpint(pid, ==, 0);
    pid = -1;
    answer_with(bench, CLOSING("404 Not Found", "{\"message\":\"No such exec instance\"}"),
                FAKE_CLOSE);
    g_assert_true(engine_run_pid(bench->engine, ID, &pid, &bench->error));
    g_assert_cmpint(pid, ==, 0);
    answer_with(bench, CLOSING("200 OK", "[]"), FAKE_CLOSE);
    assert_failed(bench, engine_run_pid(bench->engine, ID, &pid, &bench->error),
                  VMDOCK_ERROR_ENGINE_GARBLED, NULL);
}

static void raise_term(int signal_number G_GNUC_UNUSED)
{
    interrupt_raise(SIGTERM);
}

static void be_interrupted(Bench *bench)
{
    struct itimerval soon = {.it_value = {.tv_usec = 100000}};
    struct sigaction action = {.sa_handler = raise_term};
    gboolean ended = FALSE;
    gint status = 0;
    answer_with(bench, CHUNKED, FAKE_STALL);
    answer_with(bench, "HTTP/1.1 204 No Content\r\n\r\n", FAKE_KEEP);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    bench->start = g_get_monotonic_time();
    assert_failed(bench, engine_watch(bench->engine, ID, 60000, &ended, &status, &bench->error),
                  VMDOCK_ERROR_INTERRUPTED, "interrupted by signal 15");
    g_assert_cmpfloat(seconds(bench), <, 1.8);
    assert_failed(bench, engine_pause(bench->engine, ID, &bench->error), VMDOCK_ERROR_INTERRUPTED,
                  NULL); /* nothing more is begun */
    g_assert_cmpuint(fake_engine_requests(bench->fake, "POST /v1.41/containers/" ID "/pause"), ==,
                     0);
    interrupt_hold(); /* but an undo goes on */
    g_assert_true(engine_unpause(bench->engine, ID, &bench->error));
}

/* In a process of its own, because a wish to stop is never taken back. */
static void test_interrupt(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    if (g_getenv("FAKE_ENGINE_INTERRUPT")) {
        be_interrupted(bench);
        return;
    }
    g_autofree gchar *self = g_file_read_link("/proc/self/exe", NULL);
    const char *argv[] = {self, "-q", "-p", "/engine-http/interrupt", NULL};
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "FAKE_ENGINE_INTERRUPT", "1", TRUE);
    int status = -1;
    g_spawn_sync(NULL, (gchar **)argv, environment, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                 NULL, &status, &bench->error);
    g_assert_no_error(bench->error);
    g_assert_cmpint(status, ==, 0);
}

static gpointer list_often(gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Engine) engine = engine_open(data, &error);
    for (guint i = 0; i < 100 && !error; i++) {
        gboolean ended = FALSE;
        gint status = 0;
        engine_watch(engine, ID, 1000, &ended, &status, &error);
        g_assert_true(ended);
        g_assert_cmpint(status, ==, 5);
    }
    g_assert_no_error(error);
    return NULL;
}

static void test_threads(Bench *bench, gconstpointer unused G_GNUC_UNUSED)
{
    for (guint i = 0; i < 200; i++)
        answer_with(bench, WITH_LENGTH("200 OK", "16", "{\"StatusCode\":5}"), FAKE_KEEP);
    GThread *first = g_thread_new("first", list_often, &bench->config);
    GThread *second = g_thread_new("second", list_often, &bench->config);
    g_thread_join(first);
    g_thread_join(second);
    g_assert_cmpuint(fake_engine_connections(bench->fake), ==, 2);
}

int main(int argc, char **argv)
{
    /* No proxy has a say in a unix socket. */
    g_setenv("http_proxy", "http://127.0.0.1:1", TRUE);
    g_setenv("ALL_PROXY", "http://127.0.0.1:1", TRUE);
    g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add("/engine-http/" name, Bench, NULL, set_up, test, tear_down)
    ADD("no-engine", test_no_engine);
    ADD("nobody-listens", test_nobody_listens);
    ADD("stalls", test_stalls);
    ADD("ping-stalls", test_ping_stalls);
    ADD("drips", test_drips);
    ADD("closes-early", test_closes_early);
    ADD("garbage", test_garbage);
    ADD("floods", test_floods);
    ADD("refusals", test_refusals);
    ADD("redirect", test_redirect);
    ADD("keeps-connection", test_keeps_connection);
    ADD("idle-close", test_idle_close);
    ADD("lost-answer", test_lost_answer);
    ADD("ended-unstarted", test_ended_unstarted);
    ADD("late-answer", test_late_answer);
    ADD("watch", test_watch);
    ADD("times", test_times);
    ADD("fine", test_fine);
    ADD("negotiation", test_negotiation);
    ADD("list-negotiates", test_list_negotiates);
    ADD("list-refused", test_list_refused);
    ADD("ping-refused", test_ping_refused);
    ADD("request", test_request);
    ADD("descriptors", test_descriptors);
    g_test_add_func("/engine-http/commit-body", test_commit_body);
    ADD("commit", test_commit);
    ADD("commit-fails", test_commit_fails);
    ADD("push", test_push);
    ADD("save", test_save);
    ADD("load", test_load);
    ADD("pull", test_pull);
    ADD("pull-times", test_pull_times);
    ADD("credentials", test_credentials);
    ADD("logs", test_logs);
    ADD("exec", test_exec);
    ADD("run", test_run);
    ADD("run-unstarted", test_run_unstarted);
    ADD("run-refused", test_run_refused);
    ADD("run-closed", test_run_closed);
    ADD("run-garbage", test_run_garbage);
    ADD("run-flood", test_run_flood);
    ADD("run-stalled", test_run_stalled);
    ADD("run-not-begun", test_run_not_begun);
    ADD("run-without-status", test_run_without_status);
    ADD("attach", test_attach);
    ADD("attach-leave", test_attach_leave);
    ADD("attach-refused", test_attach_refused);
    ADD("run-pid", test_run_pid);
    ADD("interrupt", test_interrupt);
    ADD("threads", test_threads);
    return g_test_run();
}

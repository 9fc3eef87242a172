// SPDX-License-Identifier: Apache-2.0
/* What Docker Engine 20.10, 26.1 and 28.5 answered (tests/data/engine/record), and hostile answers.
 */
#include "driver/autoptr.h"
#include "driver/engine_docker.h"
#include "driver/engine_docker_parse.h"
#include "driver/engine_docker_stream.h"
#include "driver/log.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const versions[] = {"20.10", "26.1", "28.5"};

typedef struct {
    gchar *text;
    gsize length;
} Recorded;

static void recorded_clear(Recorded *recorded)
{
    g_free(recorded->text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Recorded, recorded_clear)

static Recorded recorded(const char *version, const char *name)
{
    const char *data = g_getenv("VMDOCK_TEST_DATA");
    g_autofree gchar *path =
        g_build_filename(data ? data : "tests/data", "engine", version, name, NULL);
    g_autoptr(GError) error = NULL;
    Recorded answer = {0};
    g_file_get_contents(path, &answer.text, &answer.length, &error);
    g_assert_no_error(error);
    return answer;
}

static void assert_code(GError **error, VmdockError code)
{
    if (!vmdock_error_is(*error, code))
        g_error("code %d wanted, got: %s", (int)code, *error ? (*error)->message : "no error");
    g_clear_error(error);
}

static void test_api(void)
{
    static const char *const wrong[] = {"",     "1",     "1.",      ".41",  "1.41.2", "v1.41",
                                        "1.-1", "1. 41", "1.99999", "1.4x", "+1.41"};
    guint major = 0, minor = 0;
    g_assert_true(docker_parse_api("1.41", &major, &minor));
    g_assert_cmpuint(major, ==, 1);
    g_assert_cmpuint(minor, ==, 41);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(docker_parse_api(wrong[i], &major, &minor));
}

/* The header that each recorded engine sent decides what is spoken with it. */
static void test_negotiate(void)
{
    static const char *const spoken[] = {"1.41", "1.45", "1.51"};
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(Recorded) headers = recorded(versions[i], "ping.headers");
        const char *line = strstr(headers.text, "Api-Version: ");
        g_assert_nonnull(line);
        g_autofree gchar *theirs = g_strndup(line + 13, strcspn(line + 13, "\r\n"));
        g_autofree gchar *ours = docker_negotiate(theirs, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(ours, ==, spoken[i]);
    }
}

static void test_time(void)
{
    static const struct {
        const char *text;
        gint64 us;
    } times[] = {
        {"0001-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"2024-05-01T12:34:56Z", G_GINT64_CONSTANT(1714566896000000)},
        {"2024-05-01T12:34:56.5Z", G_GINT64_CONSTANT(1714566896500000)},
        {"2024-05-01T12:34:56.123456789Z", G_GINT64_CONSTANT(1714566896123456)},
        {"2024-05-01T14:34:56.123456789+02:00", G_GINT64_CONSTANT(1714566896123456)},
        {"2024-05-01T07:04:56-05:30", G_GINT64_CONSTANT(1714566896000000)},
        {"2024-02-29T23:59:59.999999999Z", G_GINT64_CONSTANT(1709251199999999)},
    };
    static const char *const wrong[] = {"",
                                        "x",
                                        "2024-05-01",
                                        "2024-13-01T00:00:00Z",
                                        "2024-05-01T25:00:00Z",
                                        "2024-05-01T12:34:56"};
    static const char *const zones[] = {"UTC", "America/New_York", "Asia/Kathmandu"};
    for (gsize z = 0; z < G_N_ELEMENTS(zones); z++) {
        g_setenv("TZ", zones[z], TRUE);
        tzset();
        for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
            gint64 us = -1;
            g_assert_true(docker_parse_time(times[i].text, &us));
            g_assert_cmpint(us, ==, times[i].us);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
            gint64 us = -1;
            g_assert_false(docker_parse_time(wrong[i], &us));
        }
    }
}

static GPtrArray *read_list(const char *text, gsize length, gsize step, GError **error)
{
    g_autoptr(DockerList) reader = docker_list_new();
    for (gsize at = 0; at < length; at += step)
        if (!docker_list_feed(reader, text + at, MIN(step, length - at), error))
            return NULL;
    return docker_list_end(reader, error);
}

static void assert_listed(GPtrArray *list, const char *name, EngineState state)
{
    for (guint i = 0; i < list->len; i++) {
        const EngineContainer *container = g_ptr_array_index(list, i);
        if (strcmp(container->name, name) != 0)
            continue;
        g_assert_cmpint(container->state, ==, state);
        g_assert_cmpuint(strlen(container->id), ==, 64);
        g_assert_cmpstr(g_hash_table_lookup(container->labels, "vmdock.vm"), ==, name);
        g_assert_cmpint(container->created, >, 1700000000);
        g_assert_cmpint(container->exit_code, ==, state == ENGINE_EXITED ? 3 : 0);
        g_assert_null(container->runtime);
        return;
    }
    g_error("no container %s", name);
}

static void test_list(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(Recorded) answer = recorded(versions[i], "list.json");
        g_autoptr(GPtrArray) list = read_list(answer.text, answer.length, 1000, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(list->len, ==, 3);
        assert_listed(list, "one-1", ENGINE_EXITED);
        assert_listed(list, "one-2", ENGINE_RUNNING);
        assert_listed(list, "one-3", ENGINE_CREATED);
        g_auto(Recorded) nothing = recorded(versions[i], "list-empty.json");
        g_autoptr(GPtrArray) none = read_list(nothing.text, nothing.length, 1000, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(none->len, ==, 0);
    }
}

static EngineContainer *inspected(const char *version, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_auto(Recorded) answer = recorded(version, name);
    EngineContainer *container = docker_parse_inspect(answer.text, answer.length, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(container->id), ==, 64);
    g_assert_cmpstr(container->runtime, ==, "runc");
    g_assert_cmpstr(container->cgroup_parent, ==, "/vmdock");
    g_assert_cmpstr(container->image, ==, "recorded:1");
    g_assert_true(g_str_has_prefix(container->image_id, "sha256:"));
    g_assert_cmpstr(g_hash_table_lookup(container->labels, "vmdock.vm"), ==, container->name);
    g_assert_cmpint(container->created, >, 1700000000);
    g_assert_false(container->oom_killed);
    g_assert_cmpuint(container->restarts, ==, 0);
    g_assert_true(g_str_has_prefix(container->layer, "/var/lib/docker/overlay2/"));
    g_assert_true(g_str_has_suffix(container->layer, "/diff"));
    return container;
}

static void check_inspected(const char *version)
{
    g_autoptr(EngineContainer) created = inspected(version, "inspect-created.json");
    g_assert_cmpstr(created->name, ==, "one-1");
    g_assert_cmpint(created->state, ==, ENGINE_CREATED);
    g_assert_cmpint(created->started, ==, 0);
    g_assert_cmpint(created->finished, ==, 0);
    g_assert_null(created->start_error);
    g_autoptr(EngineContainer) exited = inspected(version, "inspect-exited.json");
    g_assert_cmpint(exited->state, ==, ENGINE_EXITED);
    g_assert_cmpint(exited->exit_code, ==, 3);
    g_assert_cmpint(exited->started, >, G_GINT64_CONSTANT(1700000000000000));
    /* The engine notes the start of what dies at once a moment after its end. */
    g_assert_cmpint(exited->finished, >, exited->started - G_TIME_SPAN_SECOND);
    g_assert_false(exited->terminal);
    g_autoptr(EngineContainer) running = inspected(version, "inspect-running.json");
    g_assert_cmpint(running->state, ==, ENGINE_RUNNING);
    g_assert_cmpint(running->pid, >, 1);
    g_assert_cmpint(running->finished, ==, 0);
    g_assert_true(running->terminal);
    g_autoptr(EngineContainer) paused = inspected(version, "inspect-paused.json");
    g_assert_cmpint(paused->state, ==, ENGINE_PAUSED);
    g_autoptr(EngineContainer) failed = inspected(version, "inspect-start-failed.json");
    g_assert_cmpint(failed->state, ==, ENGINE_CREATED);
    g_assert_nonnull(strstr(failed->start_error, "/nowhere: no such file or directory"));
}

static void test_inspect(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++)
        check_inspected(versions[i]);
}

static void check_small_answers(const char *version)
{
    g_autoptr(GError) error = NULL;
    gint status = -1;
    DockerExec command;
    g_auto(Recorded) created = recorded(version, "create.json");
    g_autofree gchar *id = docker_parse_created(created.text, created.length, &error);
    g_assert_cmpuint(strlen(id), ==, 64);
    g_auto(Recorded) wait = recorded(version, "wait.json");
    g_assert_true(docker_parse_wait(wait.text, wait.length, &status, &error));
    g_assert_cmpint(status, ==, 3);
    g_auto(Recorded) exec = recorded(version, "exec-create.json");
    g_autofree gchar *exec_id = docker_parse_created(exec.text, exec.length, &error);
    g_assert_cmpuint(strlen(exec_id), ==, 64);
    g_auto(Recorded) ended = recorded(version, "exec-inspect.json");
    g_assert_true(docker_parse_exec(ended.text, ended.length, &command, &error));
    g_assert_true(!command.running && command.ended);
    g_assert_cmpint(command.exit_code, ==, 5);
    g_auto(Recorded) image = recorded(version, "image.json");
    g_autofree gchar *image_id = docker_parse_image_id(image.text, image.length, &error);
    g_assert_true(g_str_has_prefix(image_id, "sha256:"));
    gint64 image_size = 0;
    g_assert_true(docker_parse_image_size(image.text, image.length, &image_size, &error));
    g_assert_cmpint(image_size, >, 1000);
    g_auto(GStrv) layers = docker_parse_image_layers(image.text, image.length, &error);
    g_assert_cmpuint(g_strv_length(layers), ==, 1);
    g_assert_true(g_str_has_prefix(layers[0], "sha256:"));
    g_auto(Recorded) images = recorded(version, "images.json");
    g_autoptr(GPtrArray) names =
        docker_parse_image_names(images.text, images.length, "recorded:", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(names->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(names, 0), ==, "recorded:1");
    g_autoptr(GPtrArray) others =
        docker_parse_image_names(images.text, images.length, "vmdock/", &error);
    g_assert_cmpuint(others->len, ==, 0);
}

static void test_small_answers(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++)
        check_small_answers(versions[i]);
}

static void keep_line(LogLevel level, const char *line, gpointer data)
{
    g_assert_cmpint(level, ==, LOG_WARN);
    g_string_append(data, line);
}

static void test_warnings(void)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    g_auto(Recorded) update = recorded("28.5", "update.json");
    log_set_sink(keep_line, LOG_WARN, lines);
    docker_log_warnings(update.text, update.length);
    log_set_sink(NULL, LOG_WARN, NULL);
    g_assert_cmpstr(lines->str, ==,
                    "the container engine warns: IPv4 forwarding is disabled. Networking will not "
                    "work.");
}

/* Each recorded refusal: a part of the engine's words, and the kind of failure they are. */
static void test_refusals(void)
{
    static const struct {
        const char *name, *words;
        guint status;
        VmdockError code, in_pull;
    } rows[] = {
        {"create-conflict.json", "is already in use by container", 409, VMDOCK_ERROR_STATE,
         VMDOCK_ERROR_STATE},
        {"create-no-image.json", "No such image: nowhere:1", 404, VMDOCK_ERROR_NO_IMAGE,
         VMDOCK_ERROR_NO_IMAGE},
        {"start-failed.json", "OCI runtime create failed", 400, VMDOCK_ERROR_ENGINE_REFUSED,
         VMDOCK_ERROR_ENGINE_REFUSED},
        {"kill-not-running.json", "is not running", 409, VMDOCK_ERROR_ENGINE_REFUSED,
         VMDOCK_ERROR_ENGINE_REFUSED},
        {"pause-again.json", "is already paused", 409, VMDOCK_ERROR_ENGINE_REFUSED,
         VMDOCK_ERROR_ENGINE_REFUSED},
        {"no-container.json", "No such container: nowhere", 404, VMDOCK_ERROR_ENGINE_REFUSED,
         VMDOCK_ERROR_ENGINE_REFUSED},
        {"no-image.json", "No such image: nowhere:1", 404, VMDOCK_ERROR_NO_IMAGE,
         VMDOCK_ERROR_NO_IMAGE},
        {"pull-no-image.json", "manifest unknown", 404, VMDOCK_ERROR_ENGINE_REFUSED,
         VMDOCK_ERROR_NO_IMAGE},
        {"pull-unreachable.json", "connection refused", 500, VMDOCK_ERROR_ENGINE_REFUSED,
         VMDOCK_ERROR_REGISTRY},
        {"api-too-new.json", "client version 1.99 is too new", 400, VMDOCK_ERROR_UNSUPPORTED,
         VMDOCK_ERROR_UNSUPPORTED},
    };
    for (gsize v = 0; v < G_N_ELEMENTS(versions); v++)
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
            g_auto(Recorded) answer = recorded(versions[v], rows[i].name);
            g_autofree gchar *message =
                docker_parse_message(rows[i].status, answer.text, answer.length);
            g_assert_nonnull(strstr(message, rows[i].words));
            g_assert_null(strchr(message, '{'));
            if (strcmp(rows[i].name, "start-failed.json") != 0)
                g_assert_cmpint(docker_pull_error_code(rows[i].status, message), ==,
                                rows[i].in_pull);
            g_assert_cmpint(docker_error_code(rows[i].status, message), ==, rows[i].code);
        }
}

/* What registries and Docker's own hub are known to say. */
static void test_pull_codes(void)
{
    static const struct {
        const char *message;
        VmdockError code;
    } rows[] = {
        {"pull access denied for x, repository does not exist or may require 'docker login': "
         "denied: "
         "requested access to the resource is denied",
         VMDOCK_ERROR_NO_IMAGE},
        {"manifest for x:1 not found: manifest unknown: manifest unknown", VMDOCK_ERROR_NO_IMAGE},
        {"no matching manifest for linux/amd64 in the manifest list entries",
         VMDOCK_ERROR_NO_IMAGE},
        {"unauthorized: authentication required", VMDOCK_ERROR_REGISTRY},
        {"Head \"http://127.0.0.1:5001/v2/t/manifests/1\": no basic auth credentials",
         VMDOCK_ERROR_REGISTRY},
        {"denied: requested access to the resource is denied", VMDOCK_ERROR_REGISTRY},
        {"Get \"https://r/v2/\": dial tcp: lookup r: no such host", VMDOCK_ERROR_REGISTRY},
        {"Get \"https://r/v2/\": net/http: request canceled while waiting for connection "
         "(Client.Timeout exceeded while awaiting headers)",
         VMDOCK_ERROR_REGISTRY},
        {"Get \"https://r/v2/\": net/http: TLS handshake timeout", VMDOCK_ERROR_REGISTRY},
        {"Get \"https://r/v2/\": x509: certificate signed by unknown authority",
         VMDOCK_ERROR_REGISTRY},
        {"Get \"https://r/v2/\": http: server gave HTTP response to HTTPS client",
         VMDOCK_ERROR_REGISTRY},
        {"toomanyrequests: You have reached your pull rate limit", VMDOCK_ERROR_REGISTRY},
        {"failed to register layer: write /x: no space left on device", VMDOCK_ERROR_NO_SPACE},
        {"write /x: disk quota exceeded", VMDOCK_ERROR_NO_SPACE},
        {"filesystem layer verification failed for digest sha256:1", VMDOCK_ERROR_ENGINE_REFUSED},
        {"", VMDOCK_ERROR_ENGINE_REFUSED},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (docker_pull_error_code(500, rows[i].message) != rows[i].code)
            g_error("%s -> %d", rows[i].message, docker_pull_error_code(500, rows[i].message));
}

static void test_messages(void)
{
    g_autofree gchar *plain = docker_parse_message(404, "404 page not found\n", 19);
    g_assert_cmpstr(plain, ==, "404 page not found");
    g_autofree gchar *empty = docker_parse_message(500, "", 0);
    g_assert_cmpstr(empty, ==, "HTTP status 500 without a message");
    g_autofree gchar *other = docker_parse_message(500, "{\"message\":42}", 14);
    g_assert_cmpstr(other, ==, "HTTP status 500 without a message");
    g_autofree gchar *many = g_strnfill(100000, 'x');
    g_autofree gchar *cut = docker_parse_message(500, many, 100000);
    g_assert_cmpuint(strlen(cut), <=, 1000);
}

static GPtrArray *parse_list(const char *text, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GPtrArray) list = read_list(text, strlen(text), MAX(strlen(text), 1), &failure);
    /* In pieces of any size it is the same. */
    for (gsize step = 1; step < 8; step++) {
        g_autoptr(GPtrArray) pieces = read_list(text, strlen(text), step, NULL);
        g_assert_true((pieces == NULL) == (list == NULL));
        g_assert_true(!list || pieces->len == list->len);
    }
    if (failure)
        g_propagate_error(error, failure);
    return g_steal_pointer(&list);
}

/* Labels come from images that anybody made: none may make a listing unreadable. */
static void test_hostile_labels(void)
{
    static const char text[] =
        "[{\"Id\":\"" ID "\",\"Names\":[\"/other/alias\",\"/one-1\"],\"State\":\"running\","
        "\"Created\":1,\"Labels\":{\"a\\u0000b\":\"x\\u0000y\",\"c\\\\u0000\":\"d\\\\\\u0000\","
        "\"vmdock.vm\\u0000\":\"one-2\",\"vmdock.vm\":\"one-1\",\"number\":7,\"null\":null}}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = parse_list(text, &error);
    g_assert_no_error(error);
    const EngineContainer *container = g_ptr_array_index(list, 0);
    g_assert_cmpstr(container->name, ==, "one-1");
    g_assert_cmpstr(g_hash_table_lookup(container->labels, "vmdock.vm"), ==, "one-1");
    g_assert_cmpstr(g_hash_table_lookup(container->labels, "a\xef\xbf\xbd"
                                                           "b"),
                    ==, "x\xef\xbf\xbdy");
    g_assert_cmpstr(g_hash_table_lookup(container->labels, "c\\u0000"), ==, "d\\\xef\xbf\xbd");
    g_assert_cmpuint(g_hash_table_size(container->labels), ==, 4);
}

/* What stands elsewhere in a container's object is not taken for what is asked for. */
static void test_list_strangers(void)
{
    static const char text[] =
        "[{\"Names\":[[\"/one-2\"],{\"Names\":\"/one-3\"},null,\"/one-1\",\"/one-4\"],"
        "\"HostConfig\":{\"Id\":\"x\",\"State\":\"dead\",\"Labels\":{\"vmdock.vm\":\"one-5\"},"
        "\"Names\":[\"/one-6\"],\"a\":{\"b\":[{\"Image\":\"no\"}]}},\"Created\":1.5,"
        "\"Labels\":{\"deep\":{\"vmdock.vm\":\"one-7\"},\"list\":[\"x\"],\"vmdock.vm\":\"one-1\"},"
        "\"Ports\":[{\"IP\":\"::\",\"PrivatePort\":80}],\"Image\":\"im\\u00e4ge\","
        "\"Status\":\"Exited (137) 3 minutes ago\",\"State\":\"exited\",\"Id\":\"" ID "\"},"
        "{\"Id\":\"" ID "\",\"State\":\"running\",\"Names\":{\"/one-8\":\"/one-9\"},"
        "\"Labels\":[\"vmdock.vm\"],\"Created\":7,\"Status\":\"Up\"}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = parse_list(text, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(list->len, ==, 2);
    const EngineContainer *first = g_ptr_array_index(list, 0);
    g_assert_cmpstr(first->id, ==, ID);
    g_assert_cmpstr(first->name, ==, "one-1");
    g_assert_cmpstr(first->image, ==, "im\xc3\xa4ge");
    g_assert_cmpint(first->state, ==, ENGINE_EXITED);
    g_assert_cmpint(first->exit_code, ==, 137);
    g_assert_cmpint(first->created, ==, 0);
    g_assert_cmpuint(g_hash_table_size(first->labels), ==, 1);
    g_assert_cmpstr(g_hash_table_lookup(first->labels, "vmdock.vm"), ==, "one-1");
    const EngineContainer *second = g_ptr_array_index(list, 1);
    g_assert_cmpstr(second->name, ==, "");
    g_assert_null(second->image);
    g_assert_cmpint(second->exit_code, ==, 0);
    g_assert_cmpint(second->created, ==, 7);
    g_assert_cmpuint(g_hash_table_size(second->labels), ==, 0);
}

/* All text that is handed on is valid UTF-8. */
static void test_list_not_utf8(void)
{
    static const char text[] =
        "[{\"Id\":\"" ID "\",\"State\":\"running\",\"Names\":[\"/one\xc0\x80\"],"
        "\"Labels\":{\"a\xed\xa0\x80\":\"\\ud800b\"}}]";
    g_autoptr(GPtrArray) list = parse_list(text, NULL);
    const EngineContainer *container = list ? g_ptr_array_index(list, 0) : NULL;
    GHashTableIter labels;
    gpointer key, value;
    g_assert_true(!container || g_utf8_validate(container->name, -1, NULL));
    if (container)
        g_hash_table_iter_init(&labels, container->labels);
    while (container && g_hash_table_iter_next(&labels, &key, &value))
        g_assert_true(g_utf8_validate(key, -1, NULL) && g_utf8_validate(value, -1, NULL));
    g_autoptr(GError) error = NULL;
    g_assert_null(parse_list("[{\"Id\":\"\xff\"}]", &error));
    g_assert_nonnull(strstr(error->message, "the container engine's answer is not JSON: "));
    g_assert_null(strchr(error->message, '\n'));
}

/* One that is being removed is listed without a name, and may have no labels. */
static void test_nameless(void)
{
    static const char text[] = "[{\"Id\":\"" ID "\",\"Names\":null,\"State\":\"removing\","
                               "\"Created\":1,\"Labels\":null}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = parse_list(text, &error);
    g_assert_no_error(error);
    const EngineContainer *container = g_ptr_array_index(list, 0);
    g_assert_cmpstr(container->name, ==, "");
    g_assert_cmpint(container->state, ==, ENGINE_DEAD);
    g_assert_cmpuint(g_hash_table_size(container->labels), ==, 0);
}

static void test_garbled(void)
{
    static const char *const lists[] = {
        "",
        "x",
        "{}",
        "null",
        "[null]",
        "[{}]",
        "[[]]",
        "[{\"Id\":\"\",\"State\":\"running\"}]",
        "[{\"Id\":\"" ID "\"}]",
        "[{\"Id\":\"" ID "\",\"State\":\"asleep\"}]",
        "[{\"Id\":\"" ID "0\",\"State\":\"running\"}]",
        "[{\"Id\":\"../../../../etc/0000000000000000000000000000000000000000000000000\","
        "\"State\":\"running\"}]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"}",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"}]]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"},7]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"},7.5]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"},\"x\"]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"},true]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\",\"Created\":99999999999999999999}]",
        "[{\"Id\":{\"Id\":\"" ID "\"},\"State\":\"running\"}]",
        "[{\"Id\":[\"" ID "\"],\"State\":\"running\"}]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"},{\"State\":\"running\"}]",
        "[{\"Id\":\"" ID "\",\"State\":\"running\"},{\"Id\":\"" ID "\"}]",
        "\"x\"",
        "7",
        "[{\"Id\":\"" ID "\",\"State\":\"running\",\"x\\",
    };
    g_autoptr(GError) error = NULL;
    gint status = 0;
    DockerExec exec;
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_assert_null(parse_list(lists[i], &error));
        assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    }
    g_assert_null(docker_parse_inspect("[]", 2, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    static const char late[] = "{\"Id\":\"" ID "\",\"State\":{\"Status\":\"running\","
                               "\"StartedAt\":\"yesterday\"}}";
    g_assert_null(docker_parse_inspect(late, strlen(late), &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_assert_false(docker_parse_wait("{\"StatusCode\":\"3\"}", 18, &status, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_assert_false(docker_parse_exec("{}", 2, &exec, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_assert_null(docker_parse_image_id("{\"Id\":\"\"}", 9, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    gint64 bytes;
    g_assert_false(docker_parse_image_size("{\"Size\":-1}", 11, &bytes, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    const char *no_digest = "{\"RootFS\":{\"Layers\":[\"sha256:1\",7]}}";
    g_assert_null(docker_parse_image_layers(no_digest, strlen(no_digest), &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_assert_null(docker_parse_image_names("{}", 2, "", &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_assert_null(docker_parse_created("{\"Id\":7}", 8, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
}

static gboolean gather(int stream, const char *bytes, gsize length, gpointer data,
                       GError **error G_GNUC_UNUSED)
{
    g_string_append_len(((GString **)data)[stream], bytes, (gssize)length);
    return TRUE;
}

/* The recorded frames, cut into pieces of each size. */
static void test_frames(void)
{
    for (gsize v = 0; v < G_N_ELEMENTS(versions); v++) {
        g_auto(Recorded) answer = recorded(versions[v], "logs.frames");
        for (gsize step = 1; step <= answer.length; step++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(GString) out = g_string_new(NULL);
            g_autoptr(GString) err = g_string_new(NULL);
            GString *streams[] = {NULL, out, err};
            DockerFrames frames = {0};
            for (gsize at = 0; at < answer.length; at += step)
                g_assert_true(docker_frames_feed(&frames, answer.text + at,
                                                 MIN(step, answer.length - at), gather, streams,
                                                 &error));
            g_assert_true(docker_frames_end(&frames, &error));
            g_assert_cmpstr(out->str, ==, "out\n");
            g_assert_cmpstr(err->str, ==, "err\n");
        }
    }
}

static void assert_frames_fail(const char *bytes, gsize length, VmdockError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    GString *streams[] = {NULL, out, out};
    DockerFrames frames = {0};
    g_assert_false(docker_frames_feed(&frames, bytes, length, gather, streams, &error) &&
                   docker_frames_end(&frames, &error));
    g_assert_nonnull(strstr(error->message, words));
    assert_code(&error, code);
}

static void test_bad_frames(void)
{
    static const char fault[] = "\3\0\0\0\0\0\0\6no way";
    static const char full[] = "\3\0\0\0\0\0\0\27no space left on device";
    static const char nothing[] = "\3\0\0\0\0\0\0\0";
    assert_frames_fail("\4\0\0\0\0\0\0\1x", 9, VMDOCK_ERROR_ENGINE_GARBLED, "frames");
    assert_frames_fail("\1\0\0\1\0\0\0\1x", 9, VMDOCK_ERROR_ENGINE_GARBLED, "frames");
    assert_frames_fail("\1\0\0\0\377\377\377\377x", 9, VMDOCK_ERROR_ENGINE_GARBLED,
                       "inside a frame");
    assert_frames_fail("\1\0\0", 3, VMDOCK_ERROR_ENGINE_GARBLED, "inside a frame");
    assert_frames_fail(fault, sizeof fault - 1, VMDOCK_ERROR_ENGINE_REFUSED, "no way");
    assert_frames_fail(full, sizeof full - 1, VMDOCK_ERROR_NO_SPACE, "no space left");
    assert_frames_fail(nothing, sizeof nothing - 1, VMDOCK_ERROR_ENGINE_REFUSED,
                       "broke the output");
    g_autoptr(GString) large = g_string_new_len("\3\0\0\0\0\0\47\20", 8); /* 10000 bytes */
    for (guint i = 0; i < 10000; i++)
        g_string_append_c(large, 'x');
    assert_frames_fail(large->str, large->len, VMDOCK_ERROR_ENGINE_REFUSED, "xxx");
}

typedef struct {
    EnginePullProgress last;
    guint calls;
} Told;

static void note(const EnginePullProgress *progress, gpointer data)
{
    Told *told = data;
    told->last = *progress;
    told->calls++;
}

static void test_pull(void)
{
    for (gsize v = 0; v < G_N_ELEMENTS(versions); v++) {
        g_auto(Recorded) answer = recorded(versions[v], "pull.json");
        for (gsize step = 1; step < 200; step += 13) {
            g_autoptr(GError) error = NULL;
            Told told = {0};
            g_autoptr(DockerPull) pull = docker_pull_new(note, &told);
            for (gsize at = 0; at < answer.length; at += step)
                g_assert_true(docker_pull_feed(pull, answer.text + at,
                                               MIN(step, answer.length - at), &error));
            g_assert_true(docker_pull_end(pull, &error));
            g_assert_cmpuint(told.last.layers, ==, 1);
            g_assert_cmpuint(told.last.layers_done, ==, 1);
            g_assert_cmpuint(told.last.total, >, 4194304);
            g_assert_cmpuint(told.last.current, ==, told.last.total);
            g_assert_cmpuint(told.calls, <=, 3);
        }
        g_autoptr(GError) error = NULL;
        g_auto(Recorded) again = recorded(versions[v], "pull-again.json");
        g_autoptr(DockerPull) pull = docker_pull_new(NULL, NULL);
        g_assert_true(docker_pull_feed(pull, again.text, again.length, &error));
        g_assert_true(docker_pull_end(pull, &error));
    }
}

/* A push reports as a pull does, and tells the digest; a load tells names only. */
static void test_push_and_load(void)
{
    g_autoptr(GError) error = NULL;
    static const char *const files[] = {"push.json", "push-again.json"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_auto(Recorded) answer = recorded("20.10", files[i]);
        Told told = {0};
        g_autoptr(DockerPull) push = docker_pull_new(note, &told);
        g_assert_null(docker_pull_digest(push));
        g_assert_true(docker_pull_feed(push, answer.text, answer.length, &error));
        g_assert_true(docker_pull_end(push, &error));
        g_assert_true(g_str_has_prefix(docker_pull_digest(push), "sha256:"));
        g_assert_cmpuint(told.last.layers, ==, 1);
        g_assert_cmpuint(told.last.layers_done, ==, 1);
    }
    g_auto(Recorded) loaded = recorded("20.10", "load.json");
    g_autoptr(DockerPull) load = docker_pull_new(NULL, NULL);
    g_assert_true(docker_pull_feed(load, loaded.text, loaded.length, &error));
    g_assert_true(docker_pull_end(load, &error));
}

/* ---- events ---- */

static gboolean keep_event(const EngineEvent *event, gpointer data, GError **error G_GNUC_UNUSED)
{
    g_string_append_printf(data, "%s %s %s %s %d;", event->name, event->action,
                           event->cloud ? event->cloud : "-", event->host ? event->host : "-",
                           event->exit_code);
    return TRUE;
}

static void test_events(void)
{
    static const char text[] =
        "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"a\",\"Attributes\":{"
        "\"name\":\"nova-1\",\"exitCode\":\"137\",\"vmdock.cloud\":\"nova\",\"vmdock.host\":\"h\"}}"
        ","
        "\"timeNano\":1700000000000000000}\n\n"
        "{\"Type\":\"network\",\"Action\":\"destroy\",\"Actor\":{\"ID\":\"b\"}}\n"
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"c\",\"Attributes\":{"
        "\"name\":\"one-2\"}}}\n"
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"c\"}}\n";
    /* In pieces of every size, as they may arrive. */
    for (gsize step = 1; step < sizeof text; step++) {
        g_autoptr(GString) seen = g_string_new(NULL);
        g_autoptr(DockerEvents) events = docker_events_new(keep_event, seen);
        g_autoptr(GError) error = NULL;
        for (gsize at = 0; at < strlen(text); at += step)
            docker_events_feed(events, text + at, MIN(step, strlen(text) - at), &error);
        g_assert_no_error(error);
        g_assert_cmpstr(seen->str, ==, "nova-1 die nova h 137;one-2 start - - 0;");
    }
}

static void test_bad_events(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);
    g_autoptr(DockerEvents) events = docker_events_new(keep_event, seen);
    g_autoptr(GError) error = NULL;
    g_assert_false(docker_events_feed(events, "<html>\n", 7, &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_autoptr(DockerEvents) endless = docker_events_new(keep_event, seen);
    g_autofree gchar *blanks = g_strnfill(2 * 1024 * 1024, ' ');
    g_assert_false(docker_events_feed(endless, blanks, strlen(blanks), &error));
    assert_code(&error, VMDOCK_ERROR_ENGINE_GARBLED);
    g_assert_cmpstr(seen->str, ==, "");
}

static void assert_pull_fails(const char *text, VmdockError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DockerPull) pull = docker_pull_new(NULL, NULL);
    g_assert_false(docker_pull_feed(pull, text, strlen(text), &error) &&
                   docker_pull_end(pull, &error));
    g_assert_nonnull(strstr(error->message, words));
    g_assert_null(strchr(error->message, '\n'));
    assert_code(&error, code);
}

static void test_pull_fails(void)
{
    assert_pull_fails("{\"status\":\"x\"}\r\n{\"errorDetail\":{\"message\":\"manifest\\nunknown: "
                      "manifest unknown\"},\"error\":\"y\"}",
                      VMDOCK_ERROR_NO_IMAGE, "manifest unknown: manifest unknown");
    assert_pull_fails("{\"error\":\"unexpected EOF\"}\n", VMDOCK_ERROR_REGISTRY, "unexpected EOF");
    assert_pull_fails("{\"error\":\"\"}\n", VMDOCK_ERROR_ENGINE_REFUSED, "without a message");
    assert_pull_fails("{\"status\":", VMDOCK_ERROR_ENGINE_GARBLED, "not JSON");
    assert_pull_fails("hello\n", VMDOCK_ERROR_ENGINE_GARBLED, "not JSON");
    g_auto(Recorded) unreachable = recorded("20.10", "push-unreachable.json");
    assert_pull_fails(unreachable.text, VMDOCK_ERROR_REGISTRY, "connection refused");
    g_auto(Recorded) nonsense = recorded("20.10", "load-nonsense.json");
    assert_pull_fails(nonsense.text, VMDOCK_ERROR_REGISTRY, "unexpected EOF");
    g_autofree gchar *endless = g_strnfill(3 * 1024 * 1024, ' ');
    assert_pull_fails(endless, VMDOCK_ERROR_ENGINE_GARBLED, "without end");
}

/* Layers of several kinds at once, and numbers that cannot be. */
static void test_pull_layers(void)
{
    static const char text[] =
        "{\"status\":\"Pulling from x\",\"id\":\"1\"}\n\n"
        "{\"status\":\"Already exists\",\"id\":\"a\"}\n"
        "{\"status\":\"Pulling fs layer\",\"id\":\"b\"}\n"
        "{\"status\":\"Downloading\",\"id\":\"b\",\"progressDetail\":{\"current\":10,\"total\":40}}"
        "\n"
        "{\"status\":\"Downloading\",\"id\":\"c\",\"progressDetail\":{\"current\":-5,\"total\":-1}}"
        "\n"
        "{\"status\":\"Downloading\",\"id\":\"d\",\"progressDetail\":{\"current\":9,\"total\":3}}\n"
        "{\"status\":\"Extracting\",\"id\":\"d\",\"progressDetail\":{\"current\":1,\"total\":900}}"
        "\n"
        "{\"status\":7,\"id\":[]}\n[]\n";
    g_autoptr(GError) error = NULL;
    Told told = {0};
    g_autoptr(DockerPull) pull = docker_pull_new(note, &told);
    g_assert_true(docker_pull_feed(pull, text, strlen(text), &error));
    g_assert_true(docker_pull_end(pull, &error));
    g_assert_cmpuint(told.last.layers, ==, 4);
    g_assert_cmpuint(told.last.layers_done, ==, 1);
    g_assert_cmpuint(told.last.current, ==, 19);
    g_assert_cmpuint(told.last.total, ==, 49);
}

/* What the engine tells of the networks that a container is on. */
static void test_endpoints(void)
{
    static const char text[] =
        "{\"Id\": \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
        "\"Created\": \"2026-01-01T00:00:00Z\", \"State\": {\"Status\": \"running\"},"
        "\"HostConfig\": {\"NetworkMode\": \"multi\"},"
        "\"NetworkSettings\": {\"Networks\": {\"multi\": {\"IPAMConfig\": {\"IPv4Address\": "
        "\"10.5.0.7\"}, \"NetworkID\": \"cafe\", \"IPAddress\": \"10.5.0.7\", \"IPPrefixLen\": "
        "24, \"GlobalIPv6Address\": \"fd05::7\", \"GlobalIPv6PrefixLen\": 64, \"MacAddress\": "
        "\"02:42:0a:05:00:07\"}, \"off\": {\"IPAMConfig\": null, \"IPAddress\": \"\", "
        "\"IPPrefixLen\": 0, \"MacAddress\": \"\"}, \"odd\": {\"IPAMConfig\": {\"IPv4Address\": "
        "\"fd05::7\"}, \"IPAddress\": \"10.5.0.300\", \"MacAddress\": 7}}}}";
    g_autoptr(GError) error = NULL;
    g_autoptr(EngineContainer) container = docker_parse_inspect(text, strlen(text), &error);
    g_assert_no_error(error);
    g_assert_cmpstr(container->network_mode, ==, "multi");
    g_assert_cmpuint(container->endpoints->len, ==, 3);
    const EngineEndpoint *multi = engine_endpoint(container, "multi");
    g_autofree gchar *asked = vm_address_format(&multi->asked[0]);
    g_autofree gchar *ip4 = vm_address_format(&multi->given[0]);
    g_autofree gchar *ip6 = vm_address_format(&multi->given[1]);
    g_assert_cmpstr(asked, ==, "10.5.0.7/32");
    g_assert_cmpstr(ip4, ==, "10.5.0.7/24");
    g_assert_cmpstr(ip6, ==, "fd05::7/64");
    g_assert_cmpint(multi->asked[1].family, ==, 0);
    g_assert_true(multi->has_mac);
    g_assert_cmpuint(multi->mac[5], ==, 7);
    static const char *const others[] = {"off", "odd"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        const EngineEndpoint *other = engine_endpoint(container, others[i]);
        g_assert_nonnull(other);
        g_assert_false(other->has_mac);
        for (guint j = 0; j < 2; j++) {
            g_assert_cmpint(other->asked[j].family, ==, 0);
            g_assert_cmpint(other->given[j].family, ==, 0);
        }
    }
    g_assert_null(engine_endpoint(container, "mult"));
}

/* Before API 1.44 a container is made for one network, and a MAC is the container's. */
static void test_create_body(void)
{
    g_autoptr(json_t) body =
        json_pack("{s:s, s:{s:s}, s:{s:{s:{s:s}, s:{s:s}}}}", "Image", "x", "HostConfig",
                  "NetworkMode", "multi", "NetworkingConfig", "EndpointsConfig", "alpha",
                  "MacAddress", "02:00:00:00:00:06", "multi", "MacAddress", "02:00:00:00:00:07");
    g_autoptr(json_t) old = docker_create_body(body, "1.43");
    g_autoptr(json_t) new = docker_create_body(body, "1.44");
    g_autoptr(json_t) right =
        json_pack("{s:{s:{s:s}}}", "EndpointsConfig", "multi", "MacAddress", "02:00:00:00:00:07");
    g_assert_cmpstr(json_string_value(json_object_get(old, "MacAddress")), ==, "02:00:00:00:00:07");
    g_assert_true(json_equal(json_object_get(old, "NetworkingConfig"), right));
    g_assert_true(json_equal(new, body));
    g_autoptr(json_t) plain = json_pack("{s:s}", "Image", "x");
    g_autoptr(json_t) same = docker_create_body(plain, "1.41");
    g_assert_true(json_equal(same, plain));
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine-parse/api", test_api);
    g_test_add_func("/engine-parse/negotiate", test_negotiate);
    g_test_add_func("/engine-parse/time", test_time);
    g_test_add_func("/engine-parse/list", test_list);
    g_test_add_func("/engine-parse/inspect", test_inspect);
    g_test_add_func("/engine-parse/small-answers", test_small_answers);
    g_test_add_func("/engine-parse/warnings", test_warnings);
    g_test_add_func("/engine-parse/refusals", test_refusals);
    g_test_add_func("/engine-parse/pull-codes", test_pull_codes);
    g_test_add_func("/engine-parse/messages", test_messages);
    g_test_add_func("/engine-parse/hostile-labels", test_hostile_labels);
    g_test_add_func("/engine-parse/nameless", test_nameless);
    g_test_add_func("/engine-parse/list-strangers", test_list_strangers);
    g_test_add_func("/engine-parse/list-not-utf8", test_list_not_utf8);
    g_test_add_func("/engine-parse/garbled", test_garbled);
    g_test_add_func("/engine-parse/frames", test_frames);
    g_test_add_func("/engine-parse/bad-frames", test_bad_frames);
    g_test_add_func("/engine-parse/events", test_events);
    g_test_add_func("/engine-parse/bad-events", test_bad_events);
    g_test_add_func("/engine-parse/pull", test_pull);
    g_test_add_func("/engine-parse/push-and-load", test_push_and_load);
    g_test_add_func("/engine-parse/pull-fails", test_pull_fails);
    g_test_add_func("/engine-parse/pull-layers", test_pull_layers);
    g_test_add_func("/engine-parse/endpoints", test_endpoints);
    g_test_add_func("/engine-parse/create-body", test_create_body);
    return g_test_run();
}

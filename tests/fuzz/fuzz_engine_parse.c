// SPDX-License-Identifier: Apache-2.0
/* Everything that reads an engine's answer, on the same bytes, whole and in pieces. */
#include "driver/autoptr.h"
#include "driver/engine_docker_parse.h"
#include "driver/engine_docker_stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean count(int stream, const char *bytes, gsize length, gpointer data,
                      GError **error G_GNUC_UNUSED)
{
    gsize *seen = data;
    if (stream < 1 || stream > 2 || !bytes)
        abort();
    *seen += length;
    return TRUE;
}

static void note(const EnginePullProgress *progress, gpointer data G_GNUC_UNUSED)
{
    if (progress->layers_done > progress->layers)
        abort();
}

/* NULL if it cannot be read. */
static GPtrArray *read_list(const char *text, gsize size, gsize step)
{
    g_autoptr(DockerList) reader = docker_list_new();
    for (gsize at = 0; at < size; at += step)
        if (!docker_list_feed(reader, text + at, MIN(step, size - at), NULL))
            return NULL;
    return docker_list_end(reader, NULL);
}

static void read_containers(const char *text, gsize size)
{
    g_autoptr(EngineContainer) container = docker_parse_inspect(text, size, NULL);
    g_autoptr(GPtrArray) list = read_list(text, size, MAX(size, 1));
    g_autoptr(GPtrArray) pieces = read_list(text, size, 5);
    if ((list == NULL) != (pieces == NULL) || (list && list->len != pieces->len))
        abort();
    if (container && (strlen(container->id) != 64 || !container->name || !container->labels))
        abort();
    for (guint i = 0; container && i < container->endpoints->len; i++) {
        const EngineEndpoint *endpoint = container->endpoints->pdata[i];
        if (!endpoint->network || endpoint->given[0].prefix > 32 || endpoint->given[1].prefix > 128)
            abort();
    }
    for (guint i = 0; list && i < list->len; i++) {
        const EngineContainer *listed = g_ptr_array_index(list, i);
        if (strlen(listed->id) != 64 || !listed->name || !listed->labels ||
            !g_utf8_validate(listed->name, -1, NULL) ||
            (listed->image && !g_utf8_validate(listed->image, -1, NULL)))
            abort();
    }
}

static void read_small_answers(const char *text, gsize size)
{
    gint status = 0;
    DockerExec exec;
    g_autofree gchar *created = docker_parse_created(text, size, NULL);
    g_autofree gchar *image = docker_parse_image_id(text, size, NULL);
    g_auto(GStrv) layers = docker_parse_image_layers(text, size, NULL);
    g_autoptr(GPtrArray) names = docker_parse_image_names(text, size, "vmdock/", NULL);
    g_autofree gchar *message = docker_parse_message(500, text, size);
    g_autofree gchar *version = g_strndup(text, size);
    g_autofree gchar *api = docker_negotiate(version, NULL);
    gint64 us = 0, bytes = 0;
    if (docker_parse_image_size(text, size, &bytes, NULL) && bytes < 0)
        abort();
    docker_parse_time(version, &us);
    docker_parse_wait(text, size, &status, NULL);
    docker_parse_exec(text, size, &exec, NULL);
    docker_pull_error_code(500, message);
    for (guint i = 0; names && i < names->len; i++)
        if (!g_str_has_prefix(g_ptr_array_index(names, i), "vmdock/"))
            abort();
    if ((created && strlen(created) != 64) || (image && !*image) ||
        (api && !g_str_has_prefix(api, "1.")))
        abort();
    if (strchr(message, '\n') || strlen(message) > 1000)
        abort();
}

/* The same bytes in pieces must give the same. */
static gsize read_frames(const char *text, gsize size, gsize step, gboolean *whole)
{
    gsize seen = 0;
    DockerFrames frames = {0};
    *whole = TRUE;
    for (gsize at = 0; *whole && at < size; at += step)
        *whole = docker_frames_feed(&frames, text + at, MIN(step, size - at), count, &seen, NULL);
    *whole = *whole && docker_frames_end(&frames, NULL);
    return seen;
}

static gboolean read_pull(const char *text, gsize size, gsize step)
{
    g_autoptr(DockerPull) pull = docker_pull_new(note, NULL);
    gboolean done = TRUE;
    for (gsize at = 0; done && at < size; at += step)
        done = docker_pull_feed(pull, text + at, MIN(step, size - at), NULL);
    return done && docker_pull_end(pull, NULL);
}

static gboolean count_event(const EngineEvent *event, gpointer data, GError **error G_GNUC_UNUSED)
{
    guint *seen = data;
    if (!event->name || !event->action || !event->id)
        abort();
    engine_event_word(event);
    (*seen)++;
    return TRUE;
}

static guint read_events(const char *text, gsize size, gsize step, gboolean *whole)
{
    guint seen = 0;
    g_autoptr(DockerEvents) events = docker_events_new(count_event, &seen);
    *whole = TRUE;
    for (gsize at = 0; *whole && at < size; at += step)
        *whole = docker_events_feed(events, text + at, MIN(step, size - at), NULL);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    gboolean whole = FALSE, pieces = FALSE;
    read_containers(text, size);
    read_small_answers(text, size);
    if (read_frames(text, size, MAX(size, 1), &whole) != read_frames(text, size, 3, &pieces) ||
        whole != pieces)
        abort();
    if (read_events(text, size, MAX(size, 1), &whole) != read_events(text, size, 5, &pieces) ||
        whole != pieces)
        abort();
    if (read_pull(text, size, MAX(size, 1)) != read_pull(text, size, 7))
        abort();
    return 0;
}

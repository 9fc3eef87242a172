// SPDX-License-Identifier: Apache-2.0
/* The engine's stream of events: one JSON object after the other. */
#include "engine_docker.h"

#include "autoptr.h"
#include "engine_body.h"
#include "engine_docker_parse.h"

#include <string.h>

enum { MAX_EVENT = 1024 * 1024 };

struct DockerEvents {
    EngineEventFunc event;
    gpointer data;
    GString *line; /* what came after the last line break */
};

DockerEvents *docker_events_new(EngineEventFunc event, gpointer data)
{
    DockerEvents *events = g_new0(DockerEvents, 1);
    events->event = event;
    events->data = data;
    events->line = g_string_new(NULL);
    return events;
}

void docker_events_free(DockerEvents *events)
{
    if (!events)
        return;
    g_string_free(events->line, TRUE);
    g_free(events);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static gint exit_code(const json_t *attributes)
{
    const char *code = text(attributes, "exitCode");
    return code ? (gint)CLAMP(g_ascii_strtoll(code, NULL, 10), G_MININT, G_MAXINT) : 0;
}

/* An event of something else than a container, or one that has no name, is passed over. */
static gboolean take(DockerEvents *events, const char *bytes, gsize length, GError **error)
{
    g_autoptr(json_t) root = docker_json(bytes, length, error);
    if (!root)
        return FALSE;
    const json_t *actor = json_object_get(root, "Actor");
    const json_t *attributes = json_object_get(actor, "Attributes");
    const EngineEvent event = {
        .action = text(root, "Action"),
        .id = text(actor, "ID"),
        .name = text(attributes, "name"),
        .cloud = text(attributes, ENGINE_LABEL_CLOUD),
        .host = text(attributes, ENGINE_LABEL_HOST),
        .exit_code = exit_code(attributes),
        .time_us = json_integer_value(json_object_get(root, "timeNano")) / 1000,
    };
    if (g_strcmp0(text(root, "Type"), "container") != 0 || !event.action || !event.id ||
        !event.name)
        return TRUE;
    return events->event(&event, events->data, error);
}

gboolean docker_events_feed(DockerEvents *events, const char *bytes, gsize length, GError **error)
{
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        gsize n = end ? (gsize)(end - bytes) : length;
        if (events->line->len + n > MAX_EVENT) {
            g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                                "an event of the container engine has no end");
            return FALSE;
        }
        g_string_append_len(events->line, bytes, (gssize)n);
        if (!end)
            return TRUE;
        gboolean blank = events->line->len == 0;
        if (!blank && !take(events, events->line->str, events->line->len, error))
            return FALSE;
        g_string_truncate(events->line, 0);
        bytes += n + 1;
        length -= n + 1;
    }
    return TRUE;
}

static gboolean sink(const char *bytes, gsize length, gpointer data, GError **error)
{
    return docker_events_feed(data, bytes, length, error);
}

static gchar *events_path(const char *label, gint64 since)
{
    g_autoptr(json_t) filters =
        json_pack("{s:[s], s:[s], s:[s,s,s,s,s]}", "type", "container", "label", label, "event",
                  "die", "start", "pause", "unpause", "destroy");
    g_autofree char *filter = json_dumps(filters, JSON_COMPACT);
    g_autofree gchar *first = g_strdup_printf("/events?since=%" G_GINT64_FORMAT "&filters=", since);
    return docker_path(first, filter, NULL);
}

gboolean docker_events(Engine *engine, const char *label, gint64 since, EngineEventFunc event,
                       gpointer data, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = events_path(label, since);
    g_autoptr(DockerEvents) events = docker_events_new(event, data);
    DockerCall call = {.method = "GET",
                       .path = path,
                       .begin_ms = docker->config->engine_request_ms,
                       .sink = sink,
                       .data = events};
    g_auto(HttpAnswer) answer = {0};
    if (docker_ask(docker, &call, &answer, error))
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_DOWN,
                            "the container engine has ended its events");
    return FALSE;
}

// SPDX-License-Identifier: Apache-2.0
#include "engine_docker_stream.h"

#include "autoptr.h"
#include "engine_docker_parse.h"

#include <string.h>

enum {
    STREAM_STDIN,
    STREAM_STDOUT,
    STREAM_STDERR,
    STREAM_FAULT,
    MAX_LINE = 1024 * 1024,
    MAX_LAYERS = 4096,
    MAX_DIGEST = 200,
    PROGRESS_US = 100 * 1000,
};

static gboolean garbled(GError **error, const char *what)
{
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED, what);
    return FALSE;
}

static guint32 frame_length(const DockerFrames *frames)
{
    guint32 length;
    memcpy(&length, frames->header + 4, sizeof length);
    return GUINT32_FROM_BE(length);
}

static void keep_fault(DockerFrames *frames, const char *bytes, gsize length)
{
    gsize room = sizeof frames->fault - 1 - frames->fault_bytes;
    length = MIN(length, room);
    memcpy(frames->fault + frames->fault_bytes, bytes, length);
    frames->fault_bytes += (guint)length;
}

static gboolean raise_fault(const DockerFrames *frames, GError **error)
{
    g_autofree gchar *words = vmdock_one_line(frames->fault, sizeof frames->fault);
    g_set_error(error, VMDOCK_ERROR, (gint)docker_error_code(0, words),
                "the container engine broke the output off: %s", words);
    return FALSE;
}

static gboolean is_header(const DockerFrames *frames)
{
    const guint8 *h = frames->header;
    return h[0] <= STREAM_FAULT && h[1] == 0 && h[2] == 0 && h[3] == 0;
}

/* Takes header bytes; how many. */
static gsize take_header(DockerFrames *frames, const char *bytes, gsize length)
{
    gsize n = MIN(length, sizeof frames->header - frames->have);
    memcpy(frames->header + frames->have, bytes, n);
    frames->have += (guint)n;
    if (frames->have == sizeof frames->header)
        frames->left = frame_length(frames);
    return n;
}

static gboolean give(DockerFrames *frames, const char *bytes, gsize length, EngineOutputFunc output,
                     gpointer data, GError **error)
{
    guint8 stream = frames->header[0];
    if (stream == STREAM_FAULT)
        keep_fault(frames, bytes, length);
    else if (!output(stream == STREAM_STDERR ? 2 : 1, bytes, length, data, error))
        return FALSE;
    frames->left -= (guint32)length;
    return TRUE;
}

gboolean docker_frames_feed(DockerFrames *frames, const char *bytes, gsize length,
                            EngineOutputFunc output, gpointer data, GError **error)
{
    while (length > 0) {
        gsize n;
        if (frames->have < sizeof frames->header) {
            n = take_header(frames, bytes, length);
            if (frames->have == sizeof frames->header && !is_header(frames))
                return garbled(error, "the container's output does not come in frames");
        } else {
            n = MIN(length, frames->left);
            if (!give(frames, bytes, n, output, data, error))
                return FALSE;
        }
        bytes += n;
        length -= n;
        if (frames->have == sizeof frames->header && frames->left == 0) {
            if (frames->header[0] == STREAM_FAULT)
                return raise_fault(frames, error);
            frames->have = 0;
        }
    }
    return TRUE;
}

gboolean docker_frames_end(const DockerFrames *frames, GError **error)
{
    return frames->have == 0 || garbled(error, "the container's output broke off inside a frame");
}

typedef struct {
    guint64 current, total;
    gboolean done;
} Layer;

struct DockerPull {
    EnginePullFunc progress;
    gpointer data;
    GString *line;      /* what came after the last line break */
    GHashTable *layers; /* id -> Layer */
    gint64 began, told;
    gchar *digest; /* what a push told */
};

DockerPull *docker_pull_new(EnginePullFunc progress, gpointer data)
{
    DockerPull *pull = g_new0(DockerPull, 1);
    pull->progress = progress;
    pull->data = data;
    pull->line = g_string_new(NULL);
    pull->layers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    pull->began = g_get_monotonic_time();
    return pull;
}

void docker_pull_free(DockerPull *pull)
{
    if (!pull)
        return;
    g_string_free(pull->line, TRUE);
    g_hash_table_unref(pull->layers);
    g_free(pull->digest);
    g_free(pull);
}

static void tell(DockerPull *pull)
{
    EnginePullProgress now = {.layers = g_hash_table_size(pull->layers)};
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, pull->layers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Layer *layer = value;
        now.current += layer->current;
        now.total += layer->total;
        now.layers_done += layer->done ? 1 : 0;
    }
    pull->told = g_get_monotonic_time();
    now.seconds = (double)(pull->told - pull->began) / G_TIME_SPAN_SECOND;
    pull->progress(&now, pull->data);
}

static Layer *layer_of(DockerPull *pull, const char *id)
{
    Layer *layer = g_hash_table_lookup(pull->layers, id);
    if (!layer && g_hash_table_size(pull->layers) < MAX_LAYERS) {
        layer = g_new0(Layer, 1);
        g_hash_table_insert(pull->layers, g_strdup(id), layer);
    }
    return layer;
}

static guint64 bytes_at(const json_t *detail, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(detail, key));
    return value > 0 ? (guint64)value : 0;
}

static void note_layer(Layer *layer, const char *status, const json_t *detail)
{
    if (strcmp(status, "Downloading") == 0 || strcmp(status, "Pushing") == 0) {
        layer->current = bytes_at(detail, "current");
        layer->total = MAX(bytes_at(detail, "total"), layer->current);
    } else if (strcmp(status, "Verifying Checksum") == 0 ||
               strcmp(status, "Download complete") == 0) {
        layer->current = layer->total;
    } else if (strcmp(status, "Pull complete") == 0 || strcmp(status, "Already exists") == 0 ||
               strcmp(status, "Pushed") == 0 || strcmp(status, "Layer already exists") == 0) {
        layer->current = layer->total;
        layer->done = TRUE;
    }
}

static void note_progress(DockerPull *pull, const json_t *message)
{
    const char *status = json_string_value(json_object_get(message, "status"));
    const char *id = json_string_value(json_object_get(message, "id"));
    /* "Pulling from NAME" has the tag as its id. */
    if (!status || !id || g_str_has_prefix(status, "Pulling from"))
        return;
    Layer *layer = layer_of(pull, id);
    if (layer)
        note_layer(layer, status, json_object_get(message, "progressDetail"));
    if (pull->progress && g_get_monotonic_time() - pull->told >= PROGRESS_US)
        tell(pull);
}

static void note_digest(DockerPull *pull, const json_t *aux)
{
    const char *digest = json_string_value(json_object_get(aux, "Digest"));
    if (!digest)
        return;
    g_free(pull->digest);
    pull->digest = vmdock_one_line(digest, MAX_DIGEST);
}

const char *docker_pull_digest(const DockerPull *pull)
{
    return pull->digest;
}

static gboolean take_line(DockerPull *pull, const char *line, gsize length, GError **error)
{
    while (length > 0 && g_ascii_isspace(line[length - 1]))
        length--;
    if (length == 0)
        return TRUE;
    g_autoptr(json_t) message = docker_json(line, length, error);
    if (!message)
        return FALSE;
    const char *fault =
        json_string_value(json_object_get(json_object_get(message, "errorDetail"), "message"));
    if (!fault)
        fault = json_string_value(json_object_get(message, "error"));
    if (!fault) {
        note_digest(pull, json_object_get(message, "aux"));
        note_progress(pull, message);
        return TRUE;
    }
    g_autofree gchar *words = vmdock_one_line(fault, 1000);
    g_set_error_literal(error, VMDOCK_ERROR, (gint)docker_pull_error_code(0, words),
                        *words ? words : "the transfer failed without a message");
    return FALSE;
}

gboolean docker_pull_feed(DockerPull *pull, const char *bytes, gsize length, GError **error)
{
    const char *end = bytes + length, *stop;
    while (bytes < end && (stop = memchr(bytes, '\n', (gsize)(end - bytes)))) {
        g_string_append_len(pull->line, bytes, stop - bytes);
        if (!take_line(pull, pull->line->str, pull->line->len, error))
            return FALSE;
        g_string_truncate(pull->line, 0);
        bytes = stop + 1;
    }
    g_string_append_len(pull->line, bytes, end - bytes);
    if (pull->line->len > MAX_LINE)
        return garbled(error,
                       "the container engine's report of the transfer has a line without end");
    return TRUE;
}

gboolean docker_pull_end(DockerPull *pull, GError **error)
{
    if (!take_line(pull, pull->line->str, pull->line->len, error))
        return FALSE;
    g_string_truncate(pull->line, 0);
    if (pull->progress && g_hash_table_size(pull->layers) > 0)
        tell(pull);
    return TRUE;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The Docker Engine's streams, read piece by piece as they arrive: a container's output and the
 * progress of a pull. Pure; nothing is kept of a stream but what its next bytes need.
 */
#pragma once

#include "engine.h"

/* The framing of output without a terminal: header of 8 bytes (stream, 0, 0, 0, length), bytes. */
typedef struct {
    guint8 header[8];
    guint have;      /* bytes of the header so far */
    guint32 left;    /* bytes of the frame still to come */
    char fault[512]; /* the engine's own failure, sent as a stream */
    guint fault_bytes;
} DockerFrames;

gboolean docker_frames_feed(DockerFrames *frames, const char *bytes, gsize length,
                            EngineOutputFunc output, gpointer data, GError **error);
/* The stream has ended: was the last frame whole? */
gboolean docker_frames_end(const DockerFrames *frames, GError **error);

/* A pull's stream of JSON lines. */
typedef struct DockerPull DockerPull;
DockerPull *docker_pull_new(EnginePullFunc progress, gpointer data);
void docker_pull_free(DockerPull *pull);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DockerPull, docker_pull_free)
/* Errors: those of a pull that the stream reports, ENGINE_GARBLED. */
gboolean docker_pull_feed(DockerPull *pull, const char *bytes, gsize length, GError **error);
gboolean docker_pull_end(DockerPull *pull, GError **error);
/* A push reports in the same form; the digest that it told, NULL if none yet. */
const char *docker_pull_digest(const DockerPull *pull);

/* The stream of events, JSON lines; engine_docker_event.c. */
typedef struct DockerEvents DockerEvents;
DockerEvents *docker_events_new(EngineEventFunc event, gpointer data);
void docker_events_free(DockerEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DockerEvents, docker_events_free)
/* Errors: those of the function, ENGINE_GARBLED. */
gboolean docker_events_feed(DockerEvents *events, const char *bytes, gsize length, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * A connection that the engine hands over to a container or a command: one request, the answer's
 * head, and from then on raw bytes both ways. Private to engine_docker*.c.
 *
 * Errors: ENGINE_DOWN, ENGINE_TIMEOUT, ENGINE_GARBLED, INTERRUPTED, and what the engine says.
 */
#pragma once

#include "engine_docker.h"

typedef struct {
    int fd;         /* nonblocking; -1 = not open */
    GString *early; /* what came behind the answer's head */
} DockerHijack;

void docker_hijack_clear(DockerHijack *hijack);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DockerHijack, docker_hijack_clear)

/*
 * POSTs BODY to PATH, behind the version, and takes the connection over; the answer must have come
 * by DEADLINE, in monotonic microseconds. The API version has been negotiated before.
 */
gboolean docker_hijack(DockerEngine *docker, const char *path, const char *body, gint64 deadline,
                       DockerHijack *hijack, GError **error);

/* Sets ENGINE_GARBLED: the connection broke off. Always FALSE. */
gboolean docker_hijack_broken(GError **error, const char *what);

// SPDX-License-Identifier: Apache-2.0
/*
 * Files of web servers: http and https, also where they redirect to, and nothing else.
 * Errors: REGISTRY with the server's status or libcurl's words, NO_SPACE, IO, INTERRUPTED.
 */
#pragma once

#include "config.h"

/* Writes what URL holds to the descriptor FD. */
gboolean download_to(const Config *config, const char *url, int fd, GError **error);
/* How many bytes that will be, from the head of the answer alone. */
gboolean download_size(const Config *config, const char *url, guint64 *bytes, GError **error);

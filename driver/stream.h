// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes that pass through: pipes and files read and written piece by piece, with an eye on the
 * caller's wish to stop and on silence. Errors: INTERRUPTED, IO, NO_SPACE; ENGINE_TIMEOUT is not
 * among them: who is silent here is the other end of a pipe.
 */
#pragma once

#include <glib.h>

/* The next bytes of FD, at most ROOM; 0 at its end, -1 with ERROR. WHAT names the stream in the
 * sentence; STALL_MS is the longest silence, 0 = any. */
gssize stream_read(int fd, char *bytes, gsize room, guint64 stall_ms, const char *what,
                   GError **error);
/* All of BYTES to FD. */
gboolean stream_write(int fd, const char *bytes, gsize length, guint64 stall_ms, const char *what,
                      GError **error);

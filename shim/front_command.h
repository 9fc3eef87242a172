// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that vmdock-front runs, on the front end and, over ssh, on nodes. Every word of a
 * command reaches the far side as it is: it is quoted once for the far shell, and nothing is ever
 * put together from text.
 *
 * What they print on stderr with a log's prefix goes to the log; the rest is the sentence of the
 * error. The error's code is that of vmdock-one where it was vmdock-one that failed.
 */
#pragma once

#include "front.h"

/* COMMAND (ending in NULL) for HOST: as it is where HOST is this front end or NULL, else over ssh.
 */
GStrv front_on_host(const Front *front, const char *host, const char *const *command);
/* TRUE if HOST is the front end itself, or NULL. */
gboolean front_is_here(const Front *front, const char *host);

/*
 * A pipeline: COMMANDS (GStrv), the first one's stdin IN (-1 = nothing), the last one's stdout OUT
 * (-1 = nowhere). All must succeed within TIMEOUT_MS; when one fails, or the caller is to stop, the
 * others are ended. WHERE stands in front of the sentence, NULL = nothing does.
 * Errors: INTERRUPTED, IO, and what vmdock-one reports.
 */
gboolean front_pipe(const Front *front, const GStrv *commands, guint count, int in, int out,
                    guint64 timeout_ms, const char *where, GError **error);

/* What a command on HOST prints, at most 4 MiB; NULL with ERROR. */
gchar *front_ask(const Front *front, const char *host, const char *const *command,
                 guint64 timeout_ms, GError **error);
/* A short command on HOST, its output thrown away. */
gboolean front_do(const Front *front, const char *host, const char *const *command, GError **error);
/* A long one, with IN and OUT: whatever carries an image. */
gboolean front_carry(const Front *front, const char *host, const char *const *command, int in,
                     int out, GError **error);

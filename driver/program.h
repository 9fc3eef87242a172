// SPDX-License-Identifier: Apache-2.0
/* Programs of the host that are run for their effect or their answer. */
#pragma once

#include "error.h"

/*
 * Runs ARGV (NULL last, the program searched in the system's folders) in an environment of its own,
 * at most TIMEOUT_MS, with INPUT on its stdin (NULL: nothing), and gives what it printed, whatever
 * its end. Once begun it is waited for, signal or not: what it does it does all the same, and must
 * be known to be taken back. *status is waitpid()'s.
 *
 * Errors: UNSUPPORTED when it cannot be started; LATE when it did not end in time; IO when what it
 * says cannot be read or is longer than 16 MiB. A status that is not 0 is none.
 */
gboolean program_run(const char *const *argv, const char *input, guint64 timeout_ms,
                     VmdockError late, gchar **out, gchar **words, int *status, GError **error);

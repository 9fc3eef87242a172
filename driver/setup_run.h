// SPDX-License-Identifier: Apache-2.0
/* Programs of the host that the installation uses: diff, iptables, systemctl. Errors: IO. */
#pragma once

#include <glib.h>

/*
 * Runs ARGV (searched in PATH) to its end and returns what it printed. A status above MOST is an
 * error in the program's own words.
 */
gchar *setup_run(const char *const *argv, int most, GError **error);

/* A descriptor by which a program run so reads TEXT, as /proc/self/fd/N; -1 with error. */
int setup_text_fd(const char *text, GError **error);

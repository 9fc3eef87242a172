// SPDX-License-Identifier: Apache-2.0
/*
 * The list of modules that a browser loads for Sunstone (fireedge/sunstone/remotes-config.yaml),
 * with the driver's module in it or without. Pure.
 *
 * The file is YAML, read here as far as such a list goes:
 *
 *   NAME:                 at the beginning of a line; all that belongs to it is indented
 *     name: NAME
 *     entry: URL
 *
 * with comments, blank lines, "{ … }" behind a name, and lines that end in LF or CRLF. Sunstone
 * shows no page at all when it cannot read the list or an entry, and so anything else is an error
 * (CONFIG, with the line) and not guessed at.
 *
 * Contract: FireEdge of OpenNebula 7.0 to 7.4.
 */
#pragma once

#include <glib.h>

#define SUNSTONE_MODULE "OnedockModule"
/* Below the folder that FireEdge serves as /fireedge/modules. */
#define SUNSTONE_FILE   SUNSTONE_MODULE "/remoteEntry.js"

/*
 * TEXT with the module at its end. An entry of this name that is there already gets what it lacks;
 * where it says something else it stays, and a sentence in NOTES (gchar*) names that.
 */
gchar *setup_sunstone_apply(const char *text, GPtrArray *notes, GError **error);

/* TEXT without it, whoever wrote it: the list must not name a file that is gone. */
gchar *setup_sunstone_revert(const char *text, GError **error);

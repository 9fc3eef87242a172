// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine's configuration (daemon.json) must say for a node: the runtime, and on request
 * live-restore. The text is edited in place: other members, their order and layout stay. Pure.
 *
 * Contract: Docker Engine 20.10 to 29, whose reload (SIGHUP) takes both settings.
 * Errors: CONFIG, when TEXT is no JSON object, has a name twice or "runtimes" is no object.
 */
#pragma once

#include <glib.h>

typedef struct {
    const char *runtime_name; /* "vmdock" */
    const char *runtime_path; /* absolute */
    gboolean live_restore;    /* also set "live-restore" */
} SetupEngine;

/* TEXT (NULL: there is no file) with what is missing put in. */
gchar *setup_engine_apply(const char *text, const SetupEngine *want, GError **error);

/*
 * TEXT without it; NULL without error when nothing is left of a file that was not there BEFORE. A
 * runtime of this name in BEFORE comes back as it was. live-restore goes only when BEFORE shows
 * that it was not there, or when it is all that is left.
 */
gchar *setup_engine_revert(const char *text, const SetupEngine *want, const char *before,
                           GError **error);

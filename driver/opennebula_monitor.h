// SPDX-License-Identifier: Apache-2.0
/*
 * The message that every monitoring probe gets on stdin: MONITOR_CONFIGURATION, the front end's
 * monitord.conf as XML. Pure.
 */
#pragma once

#include <glib.h>

/* What the front end asks for where its configuration does not say. */
enum { OPENNEBULA_SYNC_DEFAULT_S = 180 };

/* PROBES_PERIOD/SYNC_STATE_VM, in seconds; the default for any other text. */
guint64 opennebula_sync_period(const char *xml, gsize length, gsize max_size);

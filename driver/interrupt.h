// SPDX-License-Identifier: Apache-2.0
/*
 * The wish of the caller to stop: SIGINT, SIGTERM, SIGHUP (a dropped ssh connection).
 *
 * The programs install handlers that call interrupt_raise(); everything that may wait (engine
 * requests, locks, timers) and every step of an action asks interrupt_check() and unwinds with
 * VMDOCK_ERROR_INTERRUPTED. While an action is being undone the wish is held back, so that a
 * second Ctrl-C cannot leave half an undo behind; each engine request of the undo still has its
 * own time-out.
 */
#pragma once

#include <glib.h>

/* Async-signal-safe; the first signal wins. */
void interrupt_raise(int signal_number);

/* The signal that was raised, 0 if none. */
int interrupt_signal(void);

/* True if the caller should stop now: a signal was raised and nothing holds it back. */
gboolean interrupt_pending(void);

/* FALSE and VMDOCK_ERROR_INTERRUPTED when pending. */
gboolean interrupt_check(GError **error);

/* Holds the wish back until the matching interrupt_allow(); nests. */
void interrupt_hold(void);
void interrupt_allow(void);

/*
 * Between these two the wish is heard only MS after it was made: for a request that its receiver
 * carries out whether it is waited for or not, so that what it made is known and can be undone.
 */
void interrupt_patience_begin(guint ms);
void interrupt_patience_end(void);

/* Installs the handlers for INT, TERM and HUP, and ignores PIPE: called once by each program. */
void interrupt_install(void);

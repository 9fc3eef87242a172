// SPDX-License-Identifier: Apache-2.0
/* Processes of the host, known beyond doubt: a number alone may be another one's by now. */
#pragma once

#include <glib.h>

/* When a process was started, in clock ticks since boot: no other process has both that and the
 * number. 0 when there is no such process. */
guint64 process_start(gint pid);
/*
 * Ends, by SIGKILL, every process of the session that PID leads and of the container whose cgroup
 * has CONTAINER_ID in its name: a command and what it started, but for what has begun a session of
 * its own. Fine if there is none. Errors: INTERNAL.
 */
gboolean process_kill_session(gint pid, const char *container_id, GError **error);
/* The same of all sessions. */
gboolean process_kill_all(const char *container_id, GError **error);
/*
 * Waits until the child PID ends, at most until UNTIL on the monotonic clock, and leaves its status
 * in *status. One that does not end is killed. A child that not even that ends, since a storage
 * behind it hangs, is left behind. Errors: IO, INTERRUPTED.
 */
gboolean process_await(gint pid, gint64 until, int *status, GError **error);
/*
 * Waits at most MS for the process PID, which is nobody's child, to end; one that is not there has
 * ended. GIVEN_UP, where it is not NULL, is set by another thread that waits no longer. Errors:
 * INTERNAL, INTERRUPTED.
 */
gboolean process_watch(gint pid, guint ms, const gint *given_up, gboolean *ended, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * What an action has done so far, and how to take it back. A step that has happened pushes its
 * undo; freeing the list runs them in reverse, unless undo_commit() was called before. So every
 * early return of an action, by whatever error, leaves the host as it was.
 */
#pragma once

#include <glib.h>

typedef struct Undo Undo;
/* Takes one step back. A failure is logged, and the older steps are still taken back. */
typedef gboolean (*UndoFunc)(gpointer data, GError **error);

Undo *undo_new(void);
/* WHAT names the step for the log ("the sandbox"). DESTROY, which may be NULL, frees DATA when the
 * step is taken back or committed. */
void undo_push(Undo *undo, const char *what, UndoFunc func, gpointer data, GDestroyNotify destroy);
/* The action has succeeded: nothing is taken back any more. */
void undo_commit(Undo *undo);
/* Runs what was not committed; the caller's wish to stop is held back meanwhile. */
void undo_free(Undo *undo);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Undo, undo_free)

// SPDX-License-Identifier: Apache-2.0
/*
 * Editing of a list of words in a file of shell assignments: NAME="a b c". Pure. What the shell
 * would have to work out (a backslash, a value in several pieces, a string that is never closed) is
 * an error (CONFIG).
 */
#pragma once

#include <glib.h>

/* Whether there is an assignment of NAME; whether the last one has WORD. -1 with error. */
int rc_has_list(const char *text, const char *name, GError **error);
int rc_has_word(const char *text, const char *name, const char *word, GError **error);
/* Adds WORD at the end of the list; without an assignment of NAME one is put at the end. */
gboolean rc_add_word(GString *text, const char *name, const char *word, GError **error);
/* Takes WORD out of the list; an assignment of nothing else goes as a whole unless KEEP_LIST. */
gboolean rc_remove_word(GString *text, const char *name, const char *word, gboolean keep_list,
                        GError **error);

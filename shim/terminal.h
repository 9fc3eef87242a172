// SPDX-License-Identifier: Apache-2.0
/*
 * The terminal of whoever sits in front of vmdock, lent to a program in a VM: raw while it is lent,
 * and as it was whenever vmdock ends or is stopped, by whatever signal can be caught.
 */
#pragma once

#include "detach.h"

#include "driver/engine.h"

typedef struct {
    Detach *detach;
    guint rows, columns; /* as told last */
} Terminal;

/*
 * Lends the terminal on stdin until terminal_return(); DETACH is the way out of it. One at a time.
 * Errors: USAGE when stdin is no terminal, IO.
 */
gboolean terminal_lend(Terminal *terminal, Detach *detach, GError **error);
/* Gives it back; fine when it is not lent. */
void terminal_return(void);

/* For an EngineSession, whose data begins with a Terminal. */
gboolean terminal_typed(GString *bytes, gpointer data);
gboolean terminal_resized(guint *rows, guint *columns, gpointer data);

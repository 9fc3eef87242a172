// SPDX-License-Identifier: Apache-2.0
/*
 * The keys by which somebody leaves a terminal in a VM: a sequence such as "ctrl-]" or
 * "ctrl-p,ctrl-q", in Docker's own form. Pure.
 */
#pragma once

#include <glib.h>

#define DETACH_DEFAULT "ctrl-]"

typedef struct {
    gchar *text;   /* as the engine takes it */
    GString *keys; /* the bytes of the sequence */
    gsize seen;    /* how many of them have just been typed */
} Detach;

/* TEXT: keys between commas, each one character or ctrl- with one of a-z @ [ \ ] ^ _. Errors:
 * USAGE. */
Detach *detach_new(const char *text, GError **error);
void detach_free(Detach *detach);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Detach, detach_free)

/*
 * BYTES have been typed: leaves in them what is for the VM. A sequence that has begun is held back
 * until it is known to be none. FALSE when it is whole; what was typed behind it is dropped.
 */
gboolean detach_filter(Detach *detach, GString *bytes);

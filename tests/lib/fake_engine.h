// SPDX-License-Identifier: Apache-2.0
/*
 * A container engine that misbehaves on request: an HTTP server on a unix socket in a folder of its
 * own, whose every answer a test writes. GET /_ping it answers by itself.
 */
#pragma once

#include <glib.h>

typedef struct FakeEngine FakeEngine;

typedef enum {
    FAKE_KEEP,  /* go on with the connection's next request */
    FAKE_CLOSE, /* close the connection */
    FAKE_STALL, /* send nothing more, and close when the client does */
} FakeEnd;

typedef struct {
    const char *bytes;    /* sent as they are, header and all */
    gsize length;         /* how many of them; 0 = all up to the NUL */
    guint pause_us;       /* between one byte and the next */
    const char *for_ever; /* then sent again and again until the client closes */
    guint round_us;       /* between one time and the next */
    FakeEnd end;
} FakeAnswer;

FakeEngine *fake_engine_new(void);
void fake_engine_free(FakeEngine *fake);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeEngine, fake_engine_free)

const char *fake_engine_socket(const FakeEngine *fake);

/* The answer to the next request that has none yet; its texts must outlive the fake. A request
 * beyond the last answer gets status 200 and "{}". */
void fake_engine_answer(FakeEngine *fake, const FakeAnswer *answer);
/* What /_ping answers from now on: the whole answer. */
void fake_engine_ping(FakeEngine *fake, const char *bytes);

/* How many requests began with PREFIX ("POST /v1.41/containers"), and how many connections came. */
guint fake_engine_requests(FakeEngine *fake, const char *prefix);
guint fake_engine_connections(FakeEngine *fake);
/* The header and body of the last request but /_ping. */
gchar *fake_engine_last(FakeEngine *fake);

// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1 over the container engine's unix socket: one request at a time on a connection that is
 * kept. Knows nothing of containers.
 *
 * Errors: ENGINE_DOWN (cannot connect), ENGINE_TIMEOUT, ENGINE_GARBLED (closed early, not HTTP, a
 * redirect, larger than the cap), INTERRUPTED, or what a sink set. An HTTP status of 400 and above
 * is an answer, not an error. After any error the connection is closed and the next request opens
 * one.
 */
#pragma once

#include <glib.h>

typedef struct EngineHttp EngineHttp;

/* Takes the next bytes of an answer's body; FALSE with ERROR set ends the request. */
typedef gboolean (*HttpSink)(const char *bytes, gsize length, gpointer data, GError **error);
/* Gives the next bytes of a request's body, at most ROOM; 0 at its end, -1 with ERROR set ends the
 * request. It may wait, with a time-out of its own. */
typedef gssize (*HttpSource)(char *bytes, gsize room, gpointer data, GError **error);

typedef struct {
    const char *method; /* GET, HEAD, POST, PUT or DELETE */
    const char *path;   /* with its query, escaped */
    const char *type;   /* media type of the body; NULL = no body */
    const char *body;
    gsize length;
    HttpSource source;         /* gives the body of a POST instead, in chunks; NULL = BODY */
    const char *registry_auth; /* value of X-Registry-Auth, or NULL */
    gint64 started;            /* when the caller's verb began, in monotonic microseconds */
    gint64 deadline;           /* by when all of it is over; 0 = none */
    gint64 begin;              /* by when the answer's status line has come; 0 = none */
    guint64 stall_ms; /* longest silence in an answer that has begun, and longest time in which the
                       * engine takes nothing of a SOURCE's bytes; 0 = any */
    HttpSink sink;    /* gets the body of a 2xx answer; NULL = it is gathered */
    gboolean capped;  /* SINK gets no more than would be gathered */
    gpointer data;    /* for SINK and SOURCE */
} HttpRequest;

typedef struct {
    guint status;
    GString *body;      /* what no sink took */
    gchar *api_version; /* the header Api-Version, or NULL */
} HttpAnswer;

void http_answer_clear(HttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpAnswer, http_answer_clear)

/* No I/O yet. Errors: CONFIG (a path longer than a socket's can be), INTERNAL. */
EngineHttp *engine_http_open(const char *socket_path, guint64 connect_ms, gsize max_answer,
                             GError **error);
void engine_http_free(EngineHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EngineHttp, engine_http_free)

/*
 * Sends REQUEST and fills ANSWER, which the caller has zeroed. A connection that the engine closed
 * while it was idle is replaced; a request that may have reached the engine is sent a second time
 * only when it is a GET.
 */
gboolean engine_http_send(EngineHttp *http, const HttpRequest *request, HttpAnswer *answer,
                          GError **error);

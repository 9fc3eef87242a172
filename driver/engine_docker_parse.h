// SPDX-License-Identifier: Apache-2.0
/*
 * What the Docker Engine answers, read. Pure: bytes in, values out. The bytes are foreign: a
 * container's labels and output, an image's configuration and a registry's messages are in them.
 */
#pragma once

#include "engine.h"
#include "error.h"

/* Set ENGINE_GARBLED: the answer is JSON that does not fit, and returns FALSE; or it is none. */
gboolean docker_garbled(GError **error, const char *what);
void docker_not_json(GError **error, const char *why);

/* A JSON document; NULL with ENGINE_GARBLED. */
json_t *docker_json(const char *text, gsize length, GError **error);

/* "1.41" -> 1, 41. */
gboolean docker_parse_api(const char *text, guint *major, guint *minor);

/* The versions that vmdock speaks: 1.41 to 1.51. */
enum { DOCKER_API_MAJOR = 1, DOCKER_API_OLDEST = 41, DOCKER_API_NEWEST = 51 };

/* The version to speak with an engine that speaks up to THEIRS. Errors: ENGINE_GARBLED,
 * UNSUPPORTED. */
gchar *docker_negotiate(const char *theirs, GError **error);

/* "2024-05-01T12:34:56.123456789Z" -> microseconds since the epoch; 0 for year 1, "never". */
gboolean docker_parse_time(const char *text, gint64 *us);

/* An id of 64 hexadecimal digits; NULL is none. */
gboolean docker_check_id(const char *id, GError **error);
/* "running", …; NULL is none. */
gboolean docker_parse_state(const char *text, EngineState *state, GError **error);

EngineContainer *docker_parse_inspect(const char *text, gsize length, GError **error);

/* The list of containers, piece by piece as it arrives. Errors: ENGINE_GARBLED, after which it is
 * only freed. */
typedef struct DockerList DockerList;
DockerList *docker_list_new(void);
void docker_list_free(DockerList *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DockerList, docker_list_free)
gboolean docker_list_feed(DockerList *reader, const char *bytes, gsize length, GError **error);
/* It has ended: EngineContainer*. */
GPtrArray *docker_list_end(DockerList *reader, GError **error);

/* The id of a container or exec instance just created; its warnings go to the log. */
gchar *docker_parse_created(const char *text, gsize length, GError **error);
gboolean docker_parse_wait(const char *text, gsize length, gint *exit_code, GError **error);

/* A command in a container. One that has neither begun nor ended is still being started. */
typedef struct {
    gboolean running, ended;
    gint pid; /* on the host, 0 of what never ran */
    gint exit_code;
} DockerExec;
gboolean docker_parse_exec(const char *text, gsize length, DockerExec *exec, GError **error);

gchar *docker_parse_image_id(const char *text, gsize length, GError **error);
gboolean docker_parse_image_size(const char *text, gsize length, gint64 *bytes, GError **error);
/* The digests of an image's layers, the lowest first. */
GStrv docker_parse_image_layers(const char *text, gsize length, GError **error);
GPtrArray *docker_parse_image_names(const char *text, gsize length, const char *prefix,
                                    GError **error);
void docker_log_warnings(const char *text, gsize length);

/* What an answer of status 400 and above says, on one line. */
gchar *docker_parse_message(guint status, const char *text, gsize length);
/* Which kind of failure STATUS and MESSAGE are. */
VmdockError docker_error_code(guint status, const char *message);
/* Whether a start failed since the container's first process had ended before it was started. */
gboolean docker_ended_unstarted(const char *message);
/* The error code of a pull, where the registry speaks through the engine. */
VmdockError docker_pull_error_code(guint status, const char *message);

// SPDX-License-Identifier: Apache-2.0
/*
 * The Docker Engine back end's own parts: how a call is made, and the verbs that stand in files of
 * their own. Private to engine_docker*.c.
 */
#pragma once

#include "engine_backend.h"
#include "engine_http.h"

typedef struct {
    Engine base;
    const Config *config;
    EngineHttp *http;
    gchar *api; /* negotiated, NULL before the first call */
} DockerEngine;

typedef struct {
    const char *method;
    const char *path;   /* behind the version, escaped: docker_path() */
    const json_t *body; /* NULL = none */
    guint64 timeout_ms; /* of the whole call; 0 = none */
    guint64 begin_ms;   /* until the answer begins; 0 = none */
    guint64 stall_ms;   /* longest silence in the answer; 0 = any */
    const char *registry_auth;
    HttpSink sink;
    gpointer data;
} DockerCall;

/* FIRST, NAME escaped for a path, REST. */
gchar *docker_path(const char *first, const char *name, const char *rest);

/* Negotiates the API version when that has not been done, and makes CALL. An HTTP status of 400 and
 * above is an answer. */
gboolean docker_call(DockerEngine *docker, const DockerCall *call, HttpAnswer *answer,
                     GError **error);

/* TRUE if ANSWER is a success; else ERROR is what the engine says. */
gboolean docker_accept(const HttpAnswer *answer, GError **error);

/* docker_call() and docker_accept(). */
gboolean docker_ask(DockerEngine *docker, const DockerCall *call, HttpAnswer *answer,
                    GError **error);

/* engine_docker_output.c */
gboolean docker_logs(Engine *engine, const char *id, gboolean terminal, guint tail, gboolean follow,
                     EngineOutputFunc output, gpointer data, GError **error);
gboolean docker_exec(Engine *engine, const char *id, const char *const *argv,
                     EngineOutputFunc output, gpointer data, gint *exit_code, GError **error);

/* engine_docker_image.c */
gchar *docker_image_id(Engine *engine, const char *reference, GError **error);
gboolean docker_pull(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     GError **error);
gboolean docker_tag(Engine *engine, const char *image, const char *repository, const char *tag,
                    GError **error);
gboolean docker_untag(Engine *engine, const char *reference, GError **error);
GPtrArray *docker_image_names(Engine *engine, const char *prefix, GError **error);

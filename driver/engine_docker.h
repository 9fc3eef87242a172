// SPDX-License-Identifier: Apache-2.0
/*
 * The Docker Engine back end's own parts: how a call is made, and the verbs that stand in files of
 * their own. Private to engine_docker*.c.
 */
#pragma once

#include "engine_backend.h"
#include "engine_docker_parse.h"
#include "engine_docker_stream.h"
#include "engine_http.h"

typedef struct {
    Engine base;
    const Config *config;
    EngineHttp *http;
    gchar *api; /* negotiated, NULL before the first call */
} DockerEngine;

typedef struct {
    const char *method;
    const char *path;      /* behind the version, escaped: docker_path() */
    const json_t *body;    /* NULL = none */
    const GByteArray *tar; /* the body instead: an archive */
    gboolean any_version;  /* a GET whose answer is the same in every API version */
    guint64 timeout_ms;    /* of the whole call; 0 = none */
    guint64 begin_ms;      /* until the answer begins; 0 = none */
    guint64 stall_ms;      /* longest silence in the answer; 0 = any */
    const char *registry_auth;
    HttpSink sink;
    gboolean capped;   /* HttpRequest's */
    HttpSource source; /* gives the body instead: a tar */
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

/* For who speaks without docker_call(): the API version is known when this returns TRUE. */
gboolean docker_negotiated(DockerEngine *docker, GError **error);

/* docker_call() and docker_accept(). */
gboolean docker_ask(DockerEngine *docker, const DockerCall *call, HttpAnswer *answer,
                    GError **error);

/* engine_docker_output.c */
gboolean docker_logs(Engine *engine, const char *id, gboolean terminal, guint tail, gboolean follow,
                     EngineOutputFunc output, gpointer data, GError **error);
gboolean docker_exec(Engine *engine, const char *id, const char *const *argv,
                     EngineOutputFunc output, gpointer data, gint *exit_code, GError **error);
/* What a command in a container is to have. */
typedef struct {
    const char *const *argv;
    const char *user;        /* "" = the container's */
    const char *detach_keys; /* NULL = the engine's own; of a terminal alone */
    gboolean input;          /* a stdin */
    gboolean terminal;
} DockerExecWish;
/* An exec instance of the container, which runs nothing yet. */
gchar *docker_exec_create(DockerEngine *docker, const char *id, const DockerExecWish *wish,
                          GError **error);
/* Waits until the engine has noted the end of what has been started; exec->pid is 0
 * when it never ran. */
gboolean docker_exec_exit(DockerEngine *docker, const char *exec_id, DockerExec *exec,
                          GError **error);
gboolean docker_exec_inspect(DockerEngine *docker, const char *exec_id, DockerExec *exec,
                             GError **error);

/* engine_docker_network.c */
/*
 * BODY as an engine of the API version API takes it. Before 1.44 that is one network, whose MAC is
 * the container's; on the others it is put by engine_connect(), which takes a MAC of none. Pure.
 */
json_t *docker_create_body(const json_t *body, const char *api);
gboolean docker_connect(Engine *engine, const char *id, const char *network, const json_t *body,
                        GError **error);
gboolean docker_disconnect(Engine *engine, const char *id, const char *network, GError **error);
gboolean docker_has_network(Engine *engine, const char *network, gboolean *there, GError **error);

/* engine_docker_event.c */
gboolean docker_events(Engine *engine, const char *label, gint64 since, EngineEventFunc event,
                       gpointer data, GError **error);

/* engine_docker_run.c */
gboolean docker_run(Engine *engine, const char *id, const EngineCommand *command, gint *exit_code,
                    GError **error);
gboolean docker_run_pid(Engine *engine, const char *exec_id, gint *pid, GError **error);

/* engine_docker_session.c */
gboolean docker_attach(Engine *engine, const char *id, const EngineSession *wants, gboolean *left,
                       GError **error);
gboolean docker_exec_session(Engine *engine, const char *id, const char *const *argv,
                             const EngineSession *wants, gboolean *left, gint *exit_code,
                             GError **error);

/* engine_docker_output.c */
gboolean docker_exec_root(Engine *engine, const char *id, const char *const *argv,
                          guint64 timeout_ms, EngineOutputFunc output, gpointer data,
                          gint *exit_code, GError **error);

/* engine_docker_file.c */
gboolean docker_get_file(Engine *engine, const char *id, const char *path, gsize max,
                         EngineFile **file, GError **error);
gboolean docker_has_file(Engine *engine, const char *id, const char *path, gboolean *there,
                         GError **error);
gboolean docker_put_files(Engine *engine, const char *id, const char *folder, const GByteArray *tar,
                          GError **error);

/* engine_docker_image.c */
gchar *docker_image_id(Engine *engine, const char *reference, GError **error);
gboolean docker_image_size(Engine *engine, const char *id, gint64 *bytes, GError **error);
GStrv docker_image_layers(Engine *engine, const char *reference, GError **error);
gboolean docker_pull(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     GError **error);
gboolean docker_tag(Engine *engine, const char *image, const char *repository, const char *tag,
                    GError **error);
gboolean docker_untag(Engine *engine, const char *reference, GError **error);
GPtrArray *docker_image_names(Engine *engine, const char *prefix, GError **error);
/* As docker_path(), for references: what a slash in them means, the engine knows. */
gchar *docker_image_path(const char *first, const char *name, const char *rest);
/*
 * A POST that makes the engine speak with REGISTRY, and whose answer is a report: with the
 * registry's credentials, else NO_AUTH (NULL = no header), and the errors and time-outs of a pull.
 */
gboolean docker_with_registry(DockerEngine *docker, const char *registry, const char *path,
                              const char *no_auth, DockerPull *report, GError **error);

/* engine_docker_transfer.c */
gchar *docker_commit(Engine *engine, const char *id, const char *repository, const char *tag,
                     gboolean pause, GError **error);
gboolean docker_commit_clear(Engine *engine, const char *repository, GError **error);
/*
 * The body of a commit: the configuration of the container's image, so that the VM's command,
 * environment and labels do not get into the image that is made. The engine adds whatever the
 * container has and the body lacks, so what the VM alone has is there without its value. Pure.
 */
json_t *docker_commit_body(const json_t *image, const json_t *container);
gboolean docker_push(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     gchar **digest, GError **error);
gboolean docker_save(Engine *engine, const char *const *names, int fd, EnginePullFunc progress,
                     gpointer data, GError **error);
gboolean docker_load(Engine *engine, int fd, EnginePullFunc progress, gpointer data,
                     GError **error);

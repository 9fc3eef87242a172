// SPDX-License-Identifier: Apache-2.0
/*
 * What a kind of container engine must be able to do: engine.h's verbs, of the same meaning.
 * Private to engine.c and the back ends.
 */
#pragma once

#include "engine.h"

typedef struct {
    const char *kind; /* the configuration's engine.kind */
    Engine *(*open)(const Config *config, GError **error);
    void (*free)(Engine *engine);
    EngineVersion *(*version)(Engine *engine, GError **error);
    json_t *(*info)(Engine *engine, GError **error);
    gchar *(*create)(Engine *engine, const char *name, const json_t *body, GError **error);
    gboolean (*start)(Engine *engine, const char *id, GError **error);
    gboolean (*stop)(Engine *engine, const char *id, gint timeout_s, GError **error);
    gboolean (*kill)(Engine *engine, const char *id, GError **error);
    gboolean (*pause)(Engine *engine, const char *id, GError **error);
    gboolean (*unpause)(Engine *engine, const char *id, GError **error);
    gboolean (*rename)(Engine *engine, const char *id, const char *name, GError **error);
    gboolean (*remove)(Engine *engine, const char *id, GError **error);
    gboolean (*watch)(Engine *engine, const char *id, guint ms, gboolean *ended, gint *exit_code,
                      GError **error);
    EngineContainer *(*inspect)(Engine *engine, const char *name_or_id, GError **error);
    GPtrArray *(*list)(Engine *engine, const char *label, GError **error);
    gboolean (*connect)(Engine *engine, const char *id, const char *network, const json_t *body,
                        GError **error);
    gboolean (*disconnect)(Engine *engine, const char *id, const char *network, GError **error);
    gboolean (*has_network)(Engine *engine, const char *network, gboolean *there, GError **error);
    gboolean (*update)(Engine *engine, const char *id, const json_t *body, GError **error);
    gboolean (*logs)(Engine *engine, const char *id, gboolean terminal, guint tail, gboolean follow,
                     EngineOutputFunc output, gpointer data, GError **error);
    gboolean (*events)(Engine *engine, const char *label, gint64 since, EngineEventFunc event,
                       gpointer data, GError **error);
    gboolean (*exec)(Engine *engine, const char *id, const char *const *argv,
                     EngineOutputFunc output, gpointer data, gint *exit_code, GError **error);
    gboolean (*run)(Engine *engine, const char *id, const EngineCommand *command, gint *exit_code,
                    GError **error);
    gboolean (*run_pid)(Engine *engine, const char *exec_id, gint *pid, GError **error);
    gboolean (*attach)(Engine *engine, const char *id, const EngineSession *session, gboolean *left,
                       GError **error);
    gboolean (*exec_session)(Engine *engine, const char *id, const char *const *argv,
                             const EngineSession *session, gboolean *left, gint *exit_code,
                             GError **error);
    gboolean (*exec_root)(Engine *engine, const char *id, const char *const *argv,
                          guint64 timeout_ms, EngineOutputFunc output, gpointer data,
                          gint *exit_code, GError **error);
    gboolean (*get_file)(Engine *engine, const char *id, const char *path, gsize max,
                         EngineFile **file, GError **error);
    gboolean (*has_file)(Engine *engine, const char *id, const char *path, gboolean *there,
                         GError **error);
    gboolean (*put_files)(Engine *engine, const char *id, const char *folder, const GByteArray *tar,
                          GError **error);
    gchar *(*image_id)(Engine *engine, const char *reference, GError **error);
    gboolean (*image_size)(Engine *engine, const char *id, gint64 *bytes, GError **error);
    GStrv (*image_layers)(Engine *engine, const char *reference, GError **error);
    gboolean (*pull)(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     GError **error);
    gboolean (*tag)(Engine *engine, const char *image, const char *repository, const char *tag,
                    GError **error);
    gboolean (*untag)(Engine *engine, const char *reference, GError **error);
    GPtrArray *(*image_names)(Engine *engine, const char *prefix, GError **error);
    gchar *(*commit)(Engine *engine, const char *id, const char *repository, const char *tag,
                     gboolean pause, GError **error);
    gboolean (*commit_clear)(Engine *engine, const char *repository, GError **error);
    gboolean (*push)(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     gchar **digest, GError **error);
    gboolean (*save)(Engine *engine, const char *const *names, int fd, EnginePullFunc progress,
                     gpointer data, GError **error);
    gboolean (*load)(Engine *engine, int fd, EnginePullFunc progress, gpointer data,
                     GError **error);
} EngineBackend;

/* The first member of each back end's own struct. */
struct Engine {
    const EngineBackend *backend;
    guint patience_ms; /* how long a request that changes something is waited for after a signal */
    guint commit_ms;   /* the same for a commit */
};

extern const EngineBackend engine_docker;

// SPDX-License-Identifier: Apache-2.0
/*
 * The container engine, by its verbs. Callers see neither HTTP nor which engine it is: a back end
 * is a vtable (engine_docker.c for the Docker Engine API 1.41 … 1.51).
 *
 * Errors: ENGINE_DOWN (no socket, refused), ENGINE_TIMEOUT, ENGINE_GARBLED (closed early, not HTTP,
 * not JSON, larger than the cap), ENGINE_REFUSED (its own message, verbatim on one line), NO_IMAGE,
 * REGISTRY, NO_SPACE (the engine's message says so), UNSUPPORTED (its API is too old or too new),
 * INTERRUPTED; CONFIG for the engine's settings and the registry credentials, SPEC for a reference
 * that is none. A conflict (a name that is taken, a container in the wrong state) is
 * ENGINE_REFUSED: what it means for the VM is the caller's to find out. An Engine serves one
 * thread; a second thread opens its own.
 */
#pragma once

#include "config.h"
#include "spec.h"

#include <jansson.h>

typedef struct Engine Engine;

typedef enum {
    ENGINE_CREATED,
    ENGINE_RUNNING,
    ENGINE_PAUSED,
    ENGINE_RESTARTING,
    ENGINE_EXITED,
    ENGINE_DEAD, /* removal began and did not end */
} EngineState;

/* One of the engine's networks that a container is on, or will be with its next start. */
typedef struct {
    gchar *network; /* its name, as the container was given it */
    /* Of IPv4 and of IPv6; family 0 = none. */
    VmAddress asked[2];
    VmAddress given[2]; /* while it is plugged in */
    gboolean has_mac;   /* the same */
    guint8 mac[6];
} EngineEndpoint;

typedef struct {
    gchar *id;   /* 64 hex digits */
    gchar *name; /* without the leading slash */
    EngineState state;
    GHashTable *labels; /* gchar* -> gchar* */
    gint64 created;     /* seconds since the epoch */
    gchar *image;       /* the reference it was created from */
    gint exit_code;     /* of its last end; a listing tells it of one that is EXITED */
    /* The rest comes from engine_inspect() only; a listing leaves it unset. */
    gchar *runtime;       /* HostConfig.Runtime */
    gchar *cgroup_parent; /* HostConfig.CgroupParent */
    gchar *image_id;
    gint64 started;  /* microseconds since the epoch, 0 = never */
    gint64 finished; /* of its last end, 0 = never; of what dies at once maybe before started */
    gboolean oom_killed;
    gchar *start_error; /* the engine's word on why the last start failed; NULL if none */
    gint pid;
    gboolean terminal;
    gchar *hostname; /* the one it was created with */
    guint restarts;
    gchar *layer; /* the folder of its writable layer; NULL if the storage driver has none */
    /* The network of its creation, and the EngineEndpoints that it has now. */
    gchar *network_mode;
    GPtrArray *endpoints;
} EngineContainer;

/* The endpoint on the network of that name; NULL if there is none. Belongs to the container. */
const EngineEndpoint *engine_endpoint(const EngineContainer *container, const char *network);

void engine_container_free(EngineContainer *container);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EngineContainer, engine_container_free)

typedef struct {
    gchar *version;     /* "20.10.24+dfsg1" */
    gchar *api_version; /* negotiated: "1.41" */
    gchar *kind;        /* "docker" */
} EngineVersion;
void engine_version_free(EngineVersion *version);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EngineVersion, engine_version_free)

/* How far a pull is; called at most some times a second, from the thread that pulls. */
typedef struct {
    guint64 current; /* bytes fetched of the layers seen so far */
    guint64 total;
    guint layers_done, layers;
    double seconds; /* since the pull began */
} EnginePullProgress;
typedef void (*EnginePullFunc)(const EnginePullProgress *progress, gpointer data);

/* One chunk of a container's output; STREAM is 1 (stdout, or the terminal) or 2 (stderr). */
typedef gboolean (*EngineOutputFunc)(int stream, const char *bytes, gsize length, gpointer data,
                                     GError **error);

/* No I/O yet: the first verb connects and negotiates the API version. CONFIG must outlive the
 * engine. Errors: CONFIG, INTERNAL. */
Engine *engine_open(const Config *config, GError **error);
void engine_free(Engine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Engine, engine_free)

EngineVersion *engine_version(Engine *engine, GError **error);

/* The engine's own settings as it tells them (/info); slow: not for what every VM waits for. */
json_t *engine_info(Engine *engine, GError **error);

/* BODY as engine_body() made it. Returns the container's id; STATE when another one has the name.
 */
gchar *engine_create(Engine *engine, const char *name, const json_t *body, GError **error);
gboolean engine_start(Engine *engine, const char *id, GError **error);

/* Sends the container's own stop signal, waits TIMEOUT_S, then kills; fine if it is not running. */
gboolean engine_stop(Engine *engine, const char *id, gint timeout_s, GError **error);
/* SIGKILL and wait until it is gone; fine if it is not running. */
gboolean engine_kill(Engine *engine, const char *id, GError **error);
gboolean engine_pause(Engine *engine, const char *id, GError **error);
gboolean engine_unpause(Engine *engine, const char *id, GError **error);
/* Gives a container another name, running or not; ENGINE_REFUSED when the name is taken. */
gboolean engine_rename(Engine *engine, const char *id, const char *name, GError **error);
/* Removes a container that may run, and its writable layer; fine if it is not there. */
gboolean engine_remove(Engine *engine, const char *id, GError **error);

/*
 * Waits until the container ends or MS have passed. *ended tells which; *exit_code is set when it
 * ended. A time-out of the watch is no error.
 */
gboolean engine_watch(Engine *engine, const char *id, guint ms, gboolean *ended, gint *exit_code,
                      GError **error);

/* NULL without error when there is no such container. */
EngineContainer *engine_inspect(Engine *engine, const char *name_or_id, GError **error);

/* All containers (running or not) that carry LABEL, or all there are when it is NULL;
 * EngineContainer*. */
GPtrArray *engine_list(Engine *engine, const char *label, GError **error);

/*
 * Puts a container on a network, at once if it runs, else with its next start; BODY as
 * engine_endpoint_body() made it. Errors, beside those above: NO_BRIDGE when there is no such
 * network, or none that a container may join.
 */
gboolean engine_connect(Engine *engine, const char *id, const char *network, const json_t *body,
                        GError **error);
/* Takes it off; fine if it is not on it, or there is none of them. */
gboolean engine_disconnect(Engine *engine, const char *id, const char *network, GError **error);
/* Whether the engine knows a network of that name. A swarm's, a worker knows from the first
 * container on. */
gboolean engine_has_network(Engine *engine, const char *network, gboolean *there, GError **error);

/* Changes a container's limits; BODY as engine_update_body() made it. */
gboolean engine_update(Engine *engine, const char *id, const json_t *body, GError **error);

/*
 * The output so far, the last TAIL lines (0 = all), then what follows until the container ends when
 * FOLLOW. Both framings (terminal: raw; none: 8-byte headers) arrive as chunks.
 */
gboolean engine_logs(Engine *engine, const char *id, gboolean terminal, guint tail, gboolean follow,
                     EngineOutputFunc output, gpointer data, GError **error);

/* What happened to a container, as the engine tells it. */
typedef struct {
    const char *action; /* "die", "start", "pause", "unpause", "destroy" */
    const char *id;
    const char *name;
    const char *cloud, *host; /* of its labels; NULL where it has none */
    gint exit_code;           /* of a "die" */
    gint64 time_us;           /* since the epoch */
} EngineEvent;
/* What it is for a VM: "stopped", "started", "paused", "resumed", "removed"; NULL for others. */
const char *engine_event_word(const EngineEvent *event);
typedef gboolean (*EngineEventFunc)(const EngineEvent *event, gpointer data, GError **error);

/*
 * Those events of the containers that carry LABEL, from SINCE (seconds since the epoch) on, as they
 * happen. Ends with an error only: EVENT's, INTERRUPTED, or what ended the engine's stream.
 */
gboolean engine_events(Engine *engine, const char *label, gint64 since, EngineEventFunc event,
                       gpointer data, GError **error);

/* Runs ARGV in the container, its output to OUTPUT, and waits; *exit_code is its status. */
gboolean engine_exec(Engine *engine, const char *id, const char *const *argv,
                     EngineOutputFunc output, gpointer data, gint *exit_code, GError **error);

/* A command that is run in a container. */
typedef struct {
    const char *const *argv;
    const char *input; /* what it reads on its stdin, which ends then; NULL = it has no stdin */
    gsize input_length;
    /* Called once, when it runs: the engine's id of it, and its process on the host. */
    gboolean (*started)(const char *exec_id, gint pid, gpointer data, GError **error);
    EngineOutputFunc output;
    gpointer data; /* of both */
} EngineCommand;

/*
 * As engine_exec(), and a command that cannot be started (no such program) is an error:
 * ENGINE_REFUSED with the engine's word on it.
 */
gboolean engine_run(Engine *engine, const char *id, const EngineCommand *command, gint *exit_code,
                    GError **error);
/* *pid is the command's process on the host, 0 when it has ended or nobody knows it any more. */
gboolean engine_run_pid(Engine *engine, const char *exec_id, gint *pid, GError **error);

/* Somebody, at a terminal or not, who talks with what runs in a container. */
typedef struct {
    int input; /* what they say, read when there is something until it ends; -1 = nothing */
    /* Takes out of BYTES, which have just been read, what is not meant for the container; FALSE
     * when they leave. NULL = all of it is meant. */
    gboolean (*typed)(GString *bytes, gpointer data);
    /* TRUE when the terminal's size is another than at the last call; NULL = there is no terminal.
     * Asked often, and at once after a signal. */
    gboolean (*resized)(guint *rows, guint *columns, gpointer data);
    const char *detach_keys; /* those that TYPED looks for, in the engine's own form: it would take
                                others for its own */
    EngineOutputFunc output;
    gpointer data; /* of all three */
} EngineSession;

/*
 * Talks with the container's first process, which goes on when they leave (*left) or an error ends
 * it here; what it said before is not told. Ends when the container does.
 */
gboolean engine_attach(Engine *engine, const char *id, const EngineSession *session, gboolean *left,
                       GError **error);
/* Runs ARGV in the container and talks with it until it ends; *exit_code is its status then. */
gboolean engine_exec_session(Engine *engine, const char *id, const char *const *argv,
                             const EngineSession *session, gboolean *left, gint *exit_code,
                             GError **error);
/*
 * engine_exec() as root and for at most TIMEOUT_MS: what runs longer is killed with all that it
 * started in its session, and is an error (ENGINE_TIMEOUT).
 */
gboolean engine_exec_root(Engine *engine, const char *id, const char *const *argv,
                          guint64 timeout_ms, EngineOutputFunc output, gpointer data,
                          gint *exit_code, GError **error);

/* A file in a container's file system, running or not. */
typedef struct {
    gchar *content; /* LENGTH bytes and a NUL */
    gsize length;
    guint mode, uid, gid;
} EngineFile;
void engine_file_free(EngineFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EngineFile, engine_file_free)

/*
 * The file at PATH, whose folders are resolved inside the container's root and nowhere else; *file
 * is NULL when there is none, or what is there is no regular file. More than MAX bytes are an
 * error (ENGINE_GARBLED).
 */
gboolean engine_get_file(Engine *engine, const char *id, const char *path, gsize max,
                         EngineFile **file, GError **error);
/* Whether anything is at PATH. */
gboolean engine_has_file(Engine *engine, const char *id, const char *path, gboolean *there,
                         GError **error);
/*
 * Unpacks the archive TAR (tar.h) in FOLDER, in the container's root and nowhere else: a file
 * replaces the file or link that stood in its place; a folder in a file's or link's place is
 * refused. NO_VM when FOLDER is not there.
 */
gboolean engine_put_files(Engine *engine, const char *id, const char *folder, const GByteArray *tar,
                          GError **error);

/* The id of an image by reference, NULL without error when the engine does not have it. */
gchar *engine_image_id(Engine *engine, const char *reference, GError **error);
/* The digests of its layers, the lowest first; likewise. */
GStrv engine_image_layers(Engine *engine, const char *reference, GError **error);
/* How many bytes an image takes that the engine has, all its layers together. */
gboolean engine_image_size(Engine *engine, const char *id, gint64 *bytes, GError **error);
/* Fetches an image; PROGRESS may be NULL. Errors: NO_IMAGE, REGISTRY, NO_SPACE, …; after an
 * interrupt or a stall the request is dropped, which makes the engine drop the pull. */
gboolean engine_pull(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     GError **error);

/* Gives IMAGE the further name REPOSITORY:TAG. */
gboolean engine_tag(Engine *engine, const char *image, const char *repository, const char *tag,
                    GError **error);
/* Takes the name away (the image goes only when it was the last); fine if it is not there. */
gboolean engine_untag(Engine *engine, const char *reference, GError **error);
/* All image names that begin with PREFIX ("vmdock/"); gchar*. */
GPtrArray *engine_image_names(Engine *engine, const char *prefix, GError **error);

/*
 * Makes an image of the container's files, REPOSITORY:TAG, and returns its id. PAUSE freezes a
 * container that runs meanwhile. The image is configured as the one that the container was made
 * from: the environment and the labels that the cloud gave the VM, secrets among them, stay out; of
 * its command, only the image's history tells.
 */
gchar *engine_commit(Engine *engine, const char *id, const char *repository, const char *tag,
                     gboolean pause, GError **error);
/* While one is made its first half has this tag in REPOSITORY, and a container is made of that. */
#define ENGINE_COMMIT_TAG "making"
/* Takes away what a commit to REPOSITORY that broke off has left; fine if that is nothing. */
gboolean engine_commit_clear(Engine *engine, const char *repository, GError **error);
/*
 * Sends the image of the name REFERENCE to the registry in that name. PROGRESS and DIGEST ("sha256:
 * …", NULL where the registry told none) may be NULL. Errors and time-outs as engine_pull().
 */
gboolean engine_push(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     gchar **digest, GError **error);
/*
 * The images of NAMES, ending in NULL, as one tar to FD, and back from FD. The engine takes every
 * name that stands in such a tar: one from elsewhere passes image_archive_rename() first. Of the
 * progress, only the bytes so far are known. Errors: those above, and IO for FD.
 */
gboolean engine_save(Engine *engine, const char *const *names, int fd, EnginePullFunc progress,
                     gpointer data, GError **error);
gboolean engine_load(Engine *engine, int fd, EnginePullFunc progress, gpointer data,
                     GError **error);

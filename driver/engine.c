// SPDX-License-Identifier: Apache-2.0
#include "engine_backend.h"
#include "error.h"
#include "interrupt.h"

#include <string.h>

static const EngineBackend *const backends[] = {&engine_docker};

void engine_container_free(EngineContainer *container)
{
    if (!container)
        return;
    g_free(container->id);
    g_free(container->name);
    g_clear_pointer(&container->labels, g_hash_table_unref);
    g_free(container->runtime);
    g_free(container->cgroup_parent);
    g_free(container->image);
    g_free(container->image_id);
    g_free(container->start_error);
    g_free(container->layer);
    g_free(container->hostname);
    g_free(container->network_mode);
    g_clear_pointer(&container->endpoints, g_ptr_array_unref);
    g_free(container);
}

const EngineEndpoint *engine_endpoint(const EngineContainer *container, const char *network)
{
    for (guint i = 0; container->endpoints && i < container->endpoints->len; i++) {
        const EngineEndpoint *endpoint = container->endpoints->pdata[i];
        if (strcmp(endpoint->network, network) == 0)
            return endpoint;
    }
    return NULL;
}

void engine_version_free(EngineVersion *version)
{
    if (!version)
        return;
    g_free(version->version);
    g_free(version->api_version);
    g_free(version->kind);
    g_free(version);
}

static Engine *opened(Engine *engine, const Config *config)
{
    if (engine)
        engine->patience_ms = (guint)config->engine_request_ms;
    if (engine)
        engine->commit_ms = (guint)config->engine_commit_ms;
    return engine;
}

Engine *engine_open(const Config *config, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(backends); i++)
        if (strcmp(config->engine_kind, backends[i]->kind) == 0)
            return opened(backends[i]->open(config, error), config);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                "[engine] kind is \"%s\", which this version of vmdock does not know",
                config->engine_kind);
    return NULL;
}

void engine_free(Engine *engine)
{
    if (engine)
        engine->backend->free(engine);
}

/*
 * A request that changes something is carried out whether it is waited for or not. So after a
 * signal none is begun, and one that is under way is waited for, for as long as an ordinary request
 * may take: what it made can be undone then.
 */
static gboolean begin_change(const Engine *engine, GError **error)
{
    if (!interrupt_check(error))
        return FALSE;
    interrupt_patience_begin(engine->patience_ms);
    return TRUE;
}

static gboolean end_change(gboolean done)
{
    interrupt_patience_end();
    return done;
}

/* Puts the verb in front of what went wrong with it. */
static gboolean told(gboolean done, const char *verb, GError **error)
{
    if (!done)
        g_prefix_error(error, "cannot %s the container: ", verb);
    return done;
}

EngineVersion *engine_version(Engine *engine, GError **error)
{
    return engine->backend->version(engine, error);
}

json_t *engine_info(Engine *engine, GError **error)
{
    return engine->backend->info(engine, error);
}

gchar *engine_create(Engine *engine, const char *name, const json_t *body, GError **error)
{
    if (!begin_change(engine, error))
        return NULL;
    gchar *id = engine->backend->create(engine, name, body, error);
    end_change(id != NULL);
    told(id != NULL, "create", error);
    return id;
}

gboolean engine_start(Engine *engine, const char *id, GError **error)
{
    return told(begin_change(engine, error) &&
                    end_change(engine->backend->start(engine, id, error)),
                "start", error);
}

gboolean engine_stop(Engine *engine, const char *id, gint timeout_s, GError **error)
{
    if (!interrupt_check(error))
        return told(FALSE, "stop", error);
    /* Once the stop signal is sent the container ends: a stop that has begun is seen through. */
    interrupt_patience_begin(engine->patience_ms + (guint)MAX(timeout_s, 0) * 1000);
    return told(end_change(engine->backend->stop(engine, id, timeout_s, error)), "stop", error);
}

gboolean engine_kill(Engine *engine, const char *id, GError **error)
{
    return told(begin_change(engine, error) && end_change(engine->backend->kill(engine, id, error)),
                "kill", error);
}

gboolean engine_pause(Engine *engine, const char *id, GError **error)
{
    return told(begin_change(engine, error) &&
                    end_change(engine->backend->pause(engine, id, error)),
                "pause", error);
}

gboolean engine_unpause(Engine *engine, const char *id, GError **error)
{
    return told(begin_change(engine, error) &&
                    end_change(engine->backend->unpause(engine, id, error)),
                "resume", error);
}

gboolean engine_rename(Engine *engine, const char *id, const char *name, GError **error)
{
    return told(begin_change(engine, error) &&
                    end_change(engine->backend->rename(engine, id, name, error)),
                "rename", error);
}

gboolean engine_remove(Engine *engine, const char *id, GError **error)
{
    return told(begin_change(engine, error) &&
                    end_change(engine->backend->remove(engine, id, error)),
                "remove", error);
}

gboolean engine_watch(Engine *engine, const char *id, guint ms, gboolean *ended, gint *exit_code,
                      GError **error)
{
    return told(engine->backend->watch(engine, id, ms, ended, exit_code, error), "watch", error);
}

EngineContainer *engine_inspect(Engine *engine, const char *name_or_id, GError **error)
{
    return engine->backend->inspect(engine, name_or_id, error);
}

GPtrArray *engine_list(Engine *engine, const char *label, GError **error)
{
    return engine->backend->list(engine, label, error);
}

gboolean engine_connect(Engine *engine, const char *id, const char *network, const json_t *body,
                        GError **error)
{
    if (begin_change(engine, error) &&
        end_change(engine->backend->connect(engine, id, network, body, error)))
        return TRUE;
    g_prefix_error(error, "cannot put the container on the engine's network %s: ", network);
    return FALSE;
}

gboolean engine_disconnect(Engine *engine, const char *id, const char *network, GError **error)
{
    if (begin_change(engine, error) &&
        end_change(engine->backend->disconnect(engine, id, network, error)))
        return TRUE;
    g_prefix_error(error, "cannot take the container off the engine's network %s: ", network);
    return FALSE;
}

gboolean engine_has_network(Engine *engine, const char *network, gboolean *there, GError **error)
{
    return engine->backend->has_network(engine, network, there, error);
}

gboolean engine_update(Engine *engine, const char *id, const json_t *body, GError **error)
{
    return begin_change(engine, error) &&
           end_change(engine->backend->update(engine, id, body, error));
}

gboolean engine_logs(Engine *engine, const char *id, gboolean terminal, guint tail, gboolean follow,
                     EngineOutputFunc output, gpointer data, GError **error)
{
    return engine->backend->logs(engine, id, terminal, tail, follow, output, data, error);
}

gboolean engine_events(Engine *engine, const char *label, gint64 since, EngineEventFunc event,
                       gpointer data, GError **error)
{
    return engine->backend->events(engine, label, since, event, data, error);
}

gboolean engine_exec(Engine *engine, const char *id, const char *const *argv,
                     EngineOutputFunc output, gpointer data, gint *exit_code, GError **error)
{
    return engine->backend->exec(engine, id, argv, output, data, exit_code, error);
}

gboolean engine_run(Engine *engine, const char *id, const EngineCommand *command, gint *exit_code,
                    GError **error)
{
    return engine->backend->run(engine, id, command, exit_code, error);
}

gboolean engine_run_pid(Engine *engine, const char *exec_id, gint *pid, GError **error)
{
    return engine->backend->run_pid(engine, exec_id, pid, error);
}

gboolean engine_attach(Engine *engine, const char *id, const EngineSession *session, gboolean *left,
                       GError **error)
{
    *left = FALSE;
    return engine->backend->attach(engine, id, session, left, error);
}

gboolean engine_exec_session(Engine *engine, const char *id, const char *const *argv,
                             const EngineSession *session, gboolean *left, gint *exit_code,
                             GError **error)
{
    *left = FALSE;
    return engine->backend->exec_session(engine, id, argv, session, left, exit_code, error);
}

gboolean engine_exec_root(Engine *engine, const char *id, const char *const *argv,
                          guint64 timeout_ms, EngineOutputFunc output, gpointer data,
                          gint *exit_code, GError **error)
{
    return engine->backend->exec_root(engine, id, argv, timeout_ms, output, data, exit_code, error);
}

void engine_file_free(EngineFile *file)
{
    if (!file)
        return;
    g_free(file->content);
    g_free(file);
}

gboolean engine_get_file(Engine *engine, const char *id, const char *path, gsize max,
                         EngineFile **file, GError **error)
{
    *file = NULL;
    return engine->backend->get_file(engine, id, path, max, file, error);
}

gboolean engine_has_file(Engine *engine, const char *id, const char *path, gboolean *there,
                         GError **error)
{
    return engine->backend->has_file(engine, id, path, there, error);
}

gboolean engine_put_files(Engine *engine, const char *id, const char *folder, const GByteArray *tar,
                          GError **error)
{
    return begin_change(engine, error) &&
           end_change(engine->backend->put_files(engine, id, folder, tar, error));
}

gchar *engine_image_id(Engine *engine, const char *reference, GError **error)
{
    return engine->backend->image_id(engine, reference, error);
}

gboolean engine_image_size(Engine *engine, const char *id, gint64 *bytes, GError **error)
{
    return engine->backend->image_size(engine, id, bytes, error);
}

GStrv engine_image_layers(Engine *engine, const char *reference, GError **error)
{
    return engine->backend->image_layers(engine, reference, error);
}

gboolean engine_pull(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     GError **error)
{
    return engine->backend->pull(engine, reference, progress, data, error);
}

gchar *engine_commit(Engine *engine, const char *id, const char *repository, const char *tag,
                     gboolean pause, GError **error)
{
    gchar *image = NULL;
    if (interrupt_check(error)) {
        interrupt_patience_begin(engine->commit_ms);
        image = engine->backend->commit(engine, id, repository, tag, pause, error);
        interrupt_patience_end();
    }
    if (!image)
        g_prefix_error(error, "cannot make an image of the container: ");
    return image;
}

gboolean engine_commit_clear(Engine *engine, const char *repository, GError **error)
{
    return begin_change(engine, error) &&
           end_change(engine->backend->commit_clear(engine, repository, error));
}

gboolean engine_tag(Engine *engine, const char *image, const char *repository, const char *tag,
                    GError **error)
{
    return begin_change(engine, error) &&
           end_change(engine->backend->tag(engine, image, repository, tag, error));
}

gboolean engine_untag(Engine *engine, const char *reference, GError **error)
{
    return begin_change(engine, error) &&
           end_change(engine->backend->untag(engine, reference, error));
}

GPtrArray *engine_image_names(Engine *engine, const char *prefix, GError **error)
{
    return engine->backend->image_names(engine, prefix, error);
}

gboolean engine_push(Engine *engine, const char *reference, EnginePullFunc progress, gpointer data,
                     gchar **digest, GError **error)
{
    return engine->backend->push(engine, reference, progress, data, digest, error);
}

gboolean engine_save(Engine *engine, const char *const *names, int fd, EnginePullFunc progress,
                     gpointer data, GError **error)
{
    return engine->backend->save(engine, names, fd, progress, data, error);
}

gboolean engine_load(Engine *engine, int fd, EnginePullFunc progress, gpointer data, GError **error)
{
    return engine->backend->load(engine, fd, progress, data, error);
}

const char *engine_event_word(const EngineEvent *event)
{
    static const struct {
        const char *action, *word;
    } words[] = {{"die", "stopped"},
                 {"start", "started"},
                 {"pause", "paused"},
                 {"unpause", "resumed"},
                 {"destroy", "removed"}};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(words[i].action, event->action) == 0)
            return words[i].word;
    return NULL;
}

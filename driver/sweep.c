// SPDX-License-Identifier: Apache-2.0
/* sweep: gc on a probe's terms. It comes by itself every minute, so it takes nothing that it has
 * not seen lie there for a while: <run>/monitor/orphans says since when, JSON. */
#include "actions.h"

#include "autoptr.h"
#include "file.h"
#include "gc.h"
#include "log.h"
#include "samples.h"

#include <stdlib.h>

enum { ORPHANS_MAX = 1024 * 1024 };

typedef struct {
    gint64 now_s, after_s;
    json_t *before; /* deploy id -> since when, on the clock of the samples */
    json_t *still;  /* the same, after this run */
} Orphans;

/* What goes now is not remembered; what could not go is found anew. */
static gboolean is_due(const char *deploy_id, gpointer data)
{
    Orphans *orphans = data;
    const json_t *found = json_object_get(orphans->before, deploy_id);
    gint64 since_s = json_is_integer(found) ? json_integer_value(found) : orphans->now_s;
    /* A clock that went backwards is another boot's. */
    since_s = MIN(since_s, orphans->now_s);
    if (orphans->now_s - since_s >= orphans->after_s)
        return TRUE;
    json_object_set_new(orphans->still, deploy_id, json_integer(since_s));
    return FALSE;
}

static json_t *load(const char *path)
{
    gsize length = 0;
    g_autofree gchar *text = file_read(path, ORPHANS_MAX, &length, NULL);
    json_t *json = text ? json_loadb(text, length, 0, NULL) : NULL;
    return json ? json : json_object();
}

static gboolean save(const Config *config, const char *path, const json_t *orphans, GError **error)
{
    if (json_object_size(orphans) == 0)
        return file_remove(path, error);
    g_autofree gchar *folder = g_build_filename(config->run_dir, "monitor", NULL);
    char *text = json_dumps(orphans, JSON_COMPACT);
    gboolean saved =
        file_make_folder(folder, 0700, error) && file_replace(path, text, -1, 0600, error);
    free(text);
    return saved;
}

GPtrArray *vm_sweep(Host *host, GError **error)
{
    g_autofree gchar *path = g_build_filename(host->config->run_dir, "monitor", "orphans", NULL);
    g_autoptr(json_t) before = load(path);
    g_autoptr(json_t) still = json_object();
    Orphans orphans = {sample_clock() / G_USEC_PER_SEC, (gint64)host->config->sweep_after_s, before,
                       still};
    g_autoptr(GPtrArray) found = gc_run(host, FALSE, is_due, &orphans, error);
    if (!found)
        return NULL;
    g_autoptr(GError) failure = NULL;
    if (!save(host->config, path, still, &failure))
        log_warn("what was found lying about is forgotten: %s", failure->message);
    return g_steal_pointer(&found);
}

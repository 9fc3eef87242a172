// SPDX-License-Identifier: Apache-2.0
#include "usage_cache.h"

#include "autoptr.h"
#include "file.h"
#include "spec.h"

#include <stdlib.h>

enum { CACHE_MAX = 16 * 1024 * 1024 };

struct UsageCache {
    GHashTable *entries; /* deploy id -> Usage */
};

static void usage_free(gpointer data)
{
    Usage *usage = data;
    g_free(usage->container_id);
    g_free(usage->layer);
    g_clear_pointer(&usage->walk, layer_walk_free);
    g_free(usage);
}

static gchar *cache_path(const Config *config)
{
    return g_build_filename(config->run_dir, "monitor", "usage", NULL);
}

/* JSON knows no unsigned 64-bit number; an inode's bits are kept. */
static gboolean read_usage(Usage *usage, json_t *json)
{
    const char *id = NULL;
    json_int_t start_id = 0, restarts = 0, tried = 0, bytes = -1;
    json_t *layer = NULL, *walk = NULL;
    if (json_unpack(json, "{s:s, s:I, s:I, s:o, s:I, s?I, s?o}", "container", &id, "start",
                    &start_id, "restarts", &restarts, "layer", &layer, "tried_us", &tried, "bytes",
                    &bytes, "walk", &walk) < 0 ||
        restarts < 0 || restarts > G_MAXUINT || tried < 0)
        return FALSE;
    usage->container_id = g_strdup(id);
    usage->start_id = (guint64)start_id;
    usage->restarts = (guint)restarts;
    usage->layer = g_strdup(json_string_value(layer));
    usage->tried_us = tried;
    usage->measured = bytes >= 0;
    usage->layer_bytes = (guint64)MAX(bytes, 0);
    usage->walk = walk ? layer_walk_from_json(walk) : NULL;
    return TRUE;
}

static json_t *usage_to_json(const Usage *usage)
{
    json_t *json =
        json_pack("{s:s, s:I, s:I, s:s?, s:I}", "container", usage->container_id, "start",
                  (json_int_t)usage->start_id, "restarts", (json_int_t)usage->restarts, "layer",
                  usage->layer, "tried_us", (json_int_t)usage->tried_us);
    if (json && usage->measured)
        json_object_set_new(json, "bytes", json_integer((json_int_t)usage->layer_bytes));
    if (json && usage->walk)
        json_object_set_new(json, "walk", layer_walk_to_json(usage->walk));
    return json;
}

void usage_cache_parse(UsageCache *cache, const char *text, gsize length)
{
    g_autoptr(json_t) root = json_loadb(text, length, 0, NULL);
    const char *deploy_id;
    json_t *json;
    json_object_foreach (root, deploy_id, json) {
        Usage *usage = g_new0(Usage, 1);
        if (vm_id_valid(deploy_id) && read_usage(usage, json))
            g_hash_table_replace(cache->entries, g_strdup(deploy_id), usage);
        else
            usage_free(usage);
    }
}

gchar *usage_cache_format(const UsageCache *cache)
{
    g_autoptr(json_t) root = json_object();
    GHashTableIter iter;
    gpointer deploy_id, usage;
    g_hash_table_iter_init(&iter, cache->entries);
    while (g_hash_table_iter_next(&iter, &deploy_id, &usage))
        if (((const Usage *)usage)->asked)
            json_object_set_new(root, deploy_id, usage_to_json(usage));
    char *dumped = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    gchar *text = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    return text;
}

UsageCache *usage_cache_load(const Config *config)
{
    UsageCache *cache = g_new0(UsageCache, 1);
    cache->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, usage_free);
    g_autofree gchar *path = cache_path(config);
    gsize length = 0;
    g_autofree gchar *text = file_read(path, CACHE_MAX, &length, NULL);
    if (text)
        usage_cache_parse(cache, text, length);
    return cache;
}

void usage_cache_free(UsageCache *cache)
{
    g_hash_table_unref(cache->entries);
    g_free(cache);
}

Usage *usage_cache_get(UsageCache *cache, const char *deploy_id, const char *container_id)
{
    Usage *usage = g_hash_table_lookup(cache->entries, deploy_id);
    if (!usage || g_strcmp0(usage->container_id, container_id) != 0) {
        usage = g_new0(Usage, 1);
        usage->container_id = g_strdup(container_id);
        g_hash_table_replace(cache->entries, g_strdup(deploy_id), usage);
    }
    usage->asked = TRUE;
    return usage;
}

void usage_note_start(Usage *usage, guint64 start_id)
{
    if (usage->start_id != 0 && usage->start_id != start_id)
        usage->restarts++;
    usage->start_id = start_id;
}

gboolean usage_cache_save(const UsageCache *cache, const Config *config, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->run_dir, "monitor", NULL);
    g_autofree gchar *path = cache_path(config);
    g_autofree gchar *text = usage_cache_format(cache);
    return file_make_folder(folder, 0700, error) && file_replace(path, text, -1, 0600, error);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * What the probe vm/monitor remembers of each VM between two runs: <run>/monitor/usage, JSON. A
 * cache: one that cannot be read is an empty one, and a reboot may take it.
 * Errors: IO, NO_SPACE.
 */
#pragma once

#include "config.h"
#include "layer_size.h"

typedef struct {
    gchar *container_id;
    guint64 start_id;    /* Sample.start_id of its last run; 0 = it was not seen running */
    guint restarts;      /* how often another run was seen */
    gchar *layer;        /* the writable layer's folder; "" = it has none, NULL = not asked yet */
    gint64 tried_us;     /* sample_clock(): when its layer was last worked on; 0 = never */
    gboolean measured;   /* layer_bytes is known */
    guint64 layer_bytes; /* of the last walk that came to its end */
    LayerWalk *walk;     /* the one that did not; NULL */
    gboolean asked;      /* the VM is still there */
} Usage;

typedef struct UsageCache UsageCache;

UsageCache *usage_cache_load(const Config *config);
void usage_cache_free(UsageCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsageCache, usage_cache_free)
/* The VM's entry, a new one when there is none of this container. Belongs to the cache. */
Usage *usage_cache_get(UsageCache *cache, const char *deploy_id, const char *container_id);
/* Counts a run that had not been seen. */
void usage_note_start(Usage *usage, guint64 start_id);
/* Entries that were not asked for since the cache was loaded are left out. */
gboolean usage_cache_save(const UsageCache *cache, const Config *config, GError **error);

/* The file's form, pure; what is not of it is left out. */
void usage_cache_parse(UsageCache *cache, const char *text, gsize length);
gchar *usage_cache_format(const UsageCache *cache);

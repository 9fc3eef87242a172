// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include "error.h"
#include "file.h"
#include "spec.h"

#include <string.h>

#define FIRST_LINE "vmdock-samples 1"

enum { STORE_MAX = 4 * 1024 * 1024, FIELDS = 6 };

typedef struct {
    gint64 time_us;
    guint64 cpu_ns;
} Point;

typedef struct {
    guint64 start_id;
    Point older, newer;
    gboolean asked; /* of this VM a sample was taken now: it is still there */
} Entry;

struct SampleStore {
    gchar *folder;
    gint64 window_us;
    GHashTable *entries; /* deploy id -> Entry */
    gboolean changed;
};

static gboolean parse_field(const char *text, guint64 max, guint64 *value)
{
    return g_ascii_string_to_unsigned(text, 10, 0, max, value, NULL);
}

static gboolean parse_point(const char *time_us, const char *cpu_ns, Point *point)
{
    guint64 time;
    if (!parse_field(time_us, G_MAXINT64, &time))
        return FALSE;
    point->time_us = (gint64)time;
    return parse_field(cpu_ns, G_MAXUINT64, &point->cpu_ns);
}

static void parse_line(SampleStore *store, const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", FIELDS + 1);
    Entry entry = {0};
    if (g_strv_length(fields) != FIELDS || !vm_id_valid(fields[0]) ||
        !parse_field(fields[1], G_MAXUINT64, &entry.start_id) ||
        !parse_point(fields[2], fields[3], &entry.older) ||
        !parse_point(fields[4], fields[5], &entry.newer) ||
        entry.older.time_us > entry.newer.time_us || entry.older.cpu_ns > entry.newer.cpu_ns)
        return;
    g_hash_table_replace(store->entries, g_strdup(fields[0]), g_memdup2(&entry, sizeof entry));
}

void sample_store_parse(SampleStore *store, const char *text, gsize length)
{
    g_autofree gchar *copy = g_strndup(text, length);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    if (!lines[0] || strcmp(lines[0], FIRST_LINE) != 0)
        return;
    for (guint i = 1; lines[i]; i++)
        parse_line(store, lines[i]);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

gchar *sample_store_format(const SampleStore *store)
{
    GString *text = g_string_new(FIRST_LINE "\n");
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(store->entries), compare_names);
    for (const GList *name = names; name; name = name->next) {
        const Entry *entry = g_hash_table_lookup(store->entries, name->data);
        g_string_append_printf(text,
                               "%s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT
                               " %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
                               (const char *)name->data, entry->start_id, entry->older.time_us,
                               entry->older.cpu_ns, entry->newer.time_us, entry->newer.cpu_ns);
    }
    return g_string_free(text, FALSE);
}

static gchar *store_path(const SampleStore *store)
{
    return g_build_filename(store->folder, "samples", NULL);
}

SampleStore *sample_store_load(const Config *config)
{
    SampleStore *store = g_new0(SampleStore, 1);
    store->folder = g_strdup(config->run_dir);
    store->window_us = (gint64)config->sample_window_ms * 1000;
    store->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autofree gchar *path = store_path(store);
    gsize length;
    g_autofree gchar *text = file_read(path, STORE_MAX, &length, NULL);
    if (text)
        sample_store_parse(store, text, length);
    return store;
}

void sample_store_free(SampleStore *store)
{
    g_hash_table_unref(store->entries);
    g_free(store->folder);
    g_free(store);
}

gboolean sample_store_knows(const SampleStore *store, const char *deploy_id, guint64 start_id)
{
    const Entry *entry = g_hash_table_lookup(store->entries, deploy_id);
    return entry && entry->start_id == start_id;
}

static double percent(const Point *from, const Point *to)
{
    gint64 us = to->time_us - from->time_us;
    if (us <= 0 || to->cpu_ns < from->cpu_ns)
        return 0;
    return (double)(to->cpu_ns - from->cpu_ns) / 10.0 / (double)us;
}

/* The start of the container is its first sample, with no CPU used. */
static double begin(SampleStore *store, const char *deploy_id, const Sample *now)
{
    Entry *entry = g_new0(Entry, 1);
    entry->start_id = now->start_id;
    entry->newer = (Point){now->time_us, now->cpu_ns};
    entry->older = entry->newer;
    if (now->started_us > 0 && now->started_us < now->time_us)
        entry->older = (Point){now->started_us, 0};
    entry->asked = TRUE;
    store->changed = TRUE;
    g_hash_table_replace(store->entries, g_strdup(deploy_id), entry);
    return percent(&entry->older, &entry->newer);
}

double sample_store_cpu(SampleStore *store, const char *deploy_id, const Sample *now)
{
    Entry *entry = g_hash_table_lookup(store->entries, deploy_id);
    Point point = {now->time_us, now->cpu_ns};
    if (!entry || entry->start_id != now->start_id || point.time_us < entry->newer.time_us ||
        point.cpu_ns < entry->newer.cpu_ns)
        return begin(store, deploy_id, now);
    entry->asked = TRUE;
    if (point.time_us - entry->newer.time_us < store->window_us)
        return percent(&entry->older, &point);
    entry->older = entry->newer;
    entry->newer = point;
    store->changed = TRUE;
    return percent(&entry->older, &point);
}

static gboolean is_gone(gpointer name, gpointer entry, gpointer data)
{
    (void)name;
    (void)data;
    return !((const Entry *)entry)->asked;
}

gboolean sample_store_save(SampleStore *store, gboolean complete, GError **error)
{
    if (complete && g_hash_table_foreach_remove(store->entries, is_gone, NULL) > 0)
        store->changed = TRUE;
    if (!store->changed)
        return TRUE;
    g_autofree gchar *path = store_path(store);
    g_autofree gchar *text = sample_store_format(store);
    if (!file_make_folder(store->folder, 0755, error) || !file_replace(path, text, -1, 0600, error))
        return FALSE;
    store->changed = FALSE;
    return TRUE;
}

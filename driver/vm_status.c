// SPDX-License-Identifier: Apache-2.0
#include "vm_status.h"

#include "autoptr.h"
#include "file.h"
#include "spec_opennebula.h"

#include <stdlib.h>
#include <string.h>

enum { STORE_MAX = 4 * 1024 * 1024 };

typedef struct {
    VmStatus status; /* as told last */
    gint64 told_s;
    gboolean again; /* it is to be told a second time */
    guint missing;  /* runs in a row without a container */
    gboolean oom_killed;
    /* Of this run: */
    gboolean present;
    gboolean held;
    gboolean tell;
} Entry;

struct StatusStore {
    gchar *host_id;
    gint64 since_s;  /* wall clock: nothing older is remembered; 0 = begins now */
    gint64 synced_s; /* 0 = never */
    GHashTable *entries;
};

static const char *const names[] = {"RUNNING", "SUSPENDED", "POWEROFF"};

const char *vm_status_name(VmStatus status)
{
    return names[status];
}

gboolean vm_status_of(EngineState state, VmStatus *status)
{
    switch (state) {
    case ENGINE_RUNNING:
    case ENGINE_RESTARTING:
        *status = VM_STATUS_RUNNING;
        return TRUE;
    case ENGINE_PAUSED:
        *status = VM_STATUS_SUSPENDED;
        return TRUE;
    case ENGINE_EXITED:
        *status = VM_STATUS_POWEROFF;
        return TRUE;
    case ENGINE_CREATED:
    case ENGINE_DEAD:
        break;
    }
    return FALSE;
}

/* ---- the file ---- */

static StatusStore *store_new(const char *host_id)
{
    StatusStore *store = g_new0(StatusStore, 1);
    store->host_id = g_strdup(host_id);
    store->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return store;
}

void status_store_free(StatusStore *store)
{
    g_hash_table_unref(store->entries);
    g_free(store->host_id);
    g_free(store);
}

static gboolean read_status(const char *name, VmStatus *status)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(names[i], name) == 0) {
            *status = (VmStatus)i;
            return TRUE;
        }
    return FALSE;
}

static gboolean read_entry(Entry *entry, json_t *json)
{
    const char *status = NULL;
    json_int_t told = 0;
    int missing = 0;
    if (json_unpack(json, "{s:s, s:I, s:b, s:i, s:b}", "status", &status, "told_s", &told, "again",
                    &entry->again, "missing", &missing, "oom_killed", &entry->oom_killed) < 0 ||
        missing < 0 || !read_status(status, &entry->status))
        return FALSE;
    entry->told_s = told;
    entry->missing = (guint)missing;
    return TRUE;
}

StatusStore *status_store_parse(const char *text, gsize length, const char *host_id)
{
    StatusStore *store = store_new(host_id);
    g_autoptr(json_t) root = json_loadb(text, length, 0, NULL);
    const char *host = NULL, *deploy_id;
    json_int_t since = 0, synced = 0;
    json_t *vms = NULL, *json;
    if (json_unpack(root, "{s:s, s:I, s:I, s:o}", "host", &host, "since_s", &since, "synced_s",
                    &synced, "vms", &vms) < 0 ||
        (host_id && strcmp(host, host_id) != 0))
        return store;
    store->since_s = since;
    store->synced_s = synced;
    json_object_foreach (vms, deploy_id, json) {
        Entry entry = {0};
        if (opennebula_number(deploy_id) && read_entry(&entry, json))
            g_hash_table_replace(store->entries, g_strdup(deploy_id),
                                 g_memdup2(&entry, sizeof entry));
    }
    return store;
}

gchar *status_store_format(const StatusStore *store)
{
    json_t *vms = json_object();
    GHashTableIter iter;
    gpointer deploy_id, value;
    g_hash_table_iter_init(&iter, store->entries);
    while (g_hash_table_iter_next(&iter, &deploy_id, &value)) {
        const Entry *entry = value;
        json_object_set_new(vms, deploy_id,
                            json_pack("{s:s, s:I, s:b, s:i, s:b}", "status", names[entry->status],
                                      "told_s", (json_int_t)entry->told_s, "again", entry->again,
                                      "missing", (int)entry->missing, "oom_killed",
                                      entry->oom_killed));
    }
    g_autoptr(json_t) root =
        json_pack("{s:s, s:I, s:I, s:o}", "host", store->host_id ? store->host_id : "", "since_s",
                  (json_int_t)store->since_s, "synced_s", (json_int_t)store->synced_s, "vms", vms);
    char *dumped = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    gchar *text = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    return text;
}

static gchar *store_path(const Config *config)
{
    return g_build_filename(config->run_dir, "monitor", "status", NULL);
}

StatusStore *status_store_load(const Config *config, const char *host_id)
{
    g_autofree gchar *path = store_path(config);
    gsize length = 0;
    g_autofree gchar *text = file_read(path, STORE_MAX, &length, NULL);
    return text ? status_store_parse(text, length, host_id) : store_new(host_id);
}

gboolean status_store_save(const StatusStore *store, const Config *config, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->run_dir, "monitor", NULL);
    g_autofree gchar *path = store_path(config);
    g_autofree gchar *text = status_store_format(store);
    return file_make_folder(folder, 0700, error) && file_replace(path, text, -1, 0600, error);
}

gboolean status_store_oom_killed(const StatusStore *store, const char *deploy_id)
{
    const Entry *entry = g_hash_table_lookup(store->entries, deploy_id);
    return entry && entry->status == VM_STATUS_POWEROFF && entry->oom_killed;
}

/* ---- a run ---- */

typedef struct {
    StatusStore *store;
    const StatusTimes *times;
    StatusLookFunc look;
    gpointer data;
    gboolean unsure; /* a VM that the front end may know of cannot be told */
} Run;

static void take(Run *run, const char *deploy_id, Entry *entry, const StatusLook *look)
{
    gboolean fresh = !entry;
    if (fresh) {
        entry = g_new0(Entry, 1);
        g_hash_table_insert(run->store->entries, g_strdup(deploy_id), entry);
    }
    entry->present = TRUE;
    entry->missing = 0;
    if (!fresh && entry->status == look->status)
        return;
    entry->status = look->status;
    entry->oom_killed = look->oom_killed;
    entry->told_s = run->times->now_s;
    entry->again = TRUE;
    entry->tell = TRUE;
}

static void see(Run *run, const EngineContainer *vm)
{
    Entry *entry = g_hash_table_lookup(run->store->entries, vm->name);
    StatusLook look = {0};
    if (!opennebula_number(vm->name) || !vm_status_of(vm->state, &look.status))
        return;
    if (entry && entry->status == look.status) {
        entry->present = TRUE;
        entry->missing = 0;
        return;
    }
    switch (run->look(vm->name, vm, &look, run->data)) {
    case STATUS_IS:
        take(run, vm->name, entry, &look);
        break;
    case STATUS_HELD:
        if (entry)
            entry->present = entry->held = TRUE;
        else if (vm->created <= run->store->since_s)
            run->unsure = TRUE;
        break;
    case STATUS_GONE:
        break;
    }
}

/* No container was listed. TRUE when the VM can be forgotten: its end is told, or was before. */
static gboolean miss(Run *run, const char *deploy_id, Entry *entry, GString *text)
{
    StatusLook look = {0};
    switch (run->look(deploy_id, NULL, &look, run->data)) {
    case STATUS_IS:
        take(run, deploy_id, entry, &look);
        return FALSE;
    case STATUS_HELD:
        return FALSE;
    case STATUS_GONE:
        break;
    }
    if (++entry->missing < STATUS_MISSING_RUNS)
        return FALSE;
    if (entry->status != VM_STATUS_POWEROFF)
        g_string_append_printf(text, "VM = [ ID=\"%s\", DEPLOY_ID=\"%s\", STATE=\"%s\" ]\n",
                               opennebula_number(deploy_id), deploy_id,
                               vm_status_name(VM_STATUS_POWEROFF));
    return TRUE;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strverscmp(a, b);
}

static void tell(const Run *run, const char *deploy_id, Entry *entry, gboolean sync, GString *text)
{
    gint64 age_s = run->times->now_s - entry->told_s;
    /* A clock that went backwards is another boot's. */
    gboolean due = entry->again && entry->present && !entry->held &&
                   (age_s < 0 || (guint64)age_s >= run->times->repeat_s);
    if (due)
        entry->again = FALSE;
    if (entry->tell || due || sync)
        g_string_append_printf(text, "VM = [ ID=\"%s\", DEPLOY_ID=\"%s\", STATE=\"%s\" ]\n",
                               opennebula_number(deploy_id), deploy_id,
                               vm_status_name(entry->status));
    entry->present = entry->held = entry->tell = FALSE;
}

static gboolean sync_is_due(const Run *run)
{
    const StatusStore *store = run->store;
    gint64 age_s = run->times->now_s - store->synced_s;
    return !run->unsure &&
           (store->synced_s == 0 || age_s < 0 || (guint64)age_s >= run->times->sync_s);
}

gchar *status_store_report(StatusStore *store, const GPtrArray *vms, const StatusTimes *times,
                           StatusLookFunc look, gpointer data)
{
    Run run = {.store = store, .times = times, .look = look, .data = data};
    if (store->since_s == 0)
        store->since_s = times->wall_s;
    for (guint i = 0; i < vms->len; i++)
        see(&run, vms->pdata[i]);
    gboolean sync = sync_is_due(&run);
    GString *text = g_string_new(NULL);
    if (sync) {
        store->synced_s = times->now_s;
        g_string_append_printf(text, "SYNC_STATE=yes\nMISSING_STATE=%s\n",
                               vm_status_name(VM_STATUS_POWEROFF));
    }
    g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(store->entries), compare_names);
    for (const GList *id = ids; id; id = id->next) {
        Entry *entry = g_hash_table_lookup(store->entries, id->data);
        if (!entry->present && miss(&run, id->data, entry, text))
            g_hash_table_remove(store->entries, id->data);
        else
            tell(&run, id->data, entry, sync, text);
    }
    return g_string_free(text, FALSE);
}

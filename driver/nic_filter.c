// SPDX-License-Identifier: Apache-2.0
#include "nic_filter.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "nic_filter_rules.h"
#include "program.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

enum { MAX_WORDS = 400, MAX_FILE = 65536, FOLDER_MODE = 0700, FILE_MODE = 0600 };

/* Beside the files of VMs; no deploy id begins so. */
#define LOCK     ".lock"
#define TRACKING ".tracking"

VmFilter nic_filter_of(const Config *config, const VmSpec *spec)
{
    VmFilter host = VM_FILTER_OFF;
    vm_filter_parse(config->network_filter, &host);
    return MAX(host, spec->filter);
}

/* ---- the files ------------------------------------------------------------------------------- */

static gchar *path_of(const Config *config, const char *name)
{
    return g_build_filename(config->run_dir, "filter", name, NULL);
}

GStrv nic_filter_ports(const Config *config, const char *deploy_id)
{
    g_autofree gchar *path = path_of(config, deploy_id);
    g_autofree gchar *text = file_read(path, MAX_FILE, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    g_autoptr(GStrvBuilder) ports = g_strv_builder_new();
    for (gsize i = 0; lines[i]; i++)
        if (*lines[i])
            g_strv_builder_add(ports, lines[i]);
    return text ? g_strv_builder_end(ports) : NULL;
}

static gboolean note_ports(const Config *config, const char *deploy_id, GStrv ports, GError **error)
{
    g_autofree gchar *path = path_of(config, deploy_id);
    if (!ports || !ports[0])
        return file_remove(path, error);
    g_autofree gchar *text = g_strjoinv("\n", ports);
    return file_replace(path, text, -1, FILE_MODE, error);
}

GPtrArray *nic_filter_owners(const Config *config)
{
    GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
    g_autofree gchar *path = path_of(config, NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (vm_id_valid(name))
            g_ptr_array_add(ids, g_strdup(name));
    return ids;
}

/* Held by all who change rules, or by the one who looks for what nobody has. */
static int lock(const Config *config, gboolean alone, GError **error)
{
    g_autofree gchar *folder = path_of(config, NULL);
    g_autofree gchar *path = path_of(config, LOCK);
    if (!file_make_folder(folder, FOLDER_MODE, error))
        return -1;
    return (alone ? file_lock : file_lock_shared)(path, (guint)config->lock_wait_ms,
                                                  "the packet filter", error);
}

/* ---- nft ------------------------------------------------------------------------------------- */

/* What it prints; NULL with its words in *said, or with another error where it could not be had. It
 * speaks English, whatever the caller's language. */
static gchar *run_nft(const Config *config, const char *const *argv, const char *input,
                      gchar **said, GError **error)
{
    g_autofree gchar *out = NULL;
    int status = 0;
    if (!program_run(argv, input, config->network_nft_ms, VMDOCK_ERROR_NETWORK, &out, said, &status,
                     error))
        return NULL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return g_steal_pointer(&out);
    g_autofree gchar *words = vmdock_one_line(*said, MAX_WORDS);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "%s: %s", argv[0],
                *words ? words : "it failed");
    return NULL;
}

static gboolean apply_json(const Config *config, json_t *rules, gchar **said, GError **error)
{
    const char *const argv[] = {config->network_nft, "-j", "-f", "-", NULL};
    char *text = json_dumps(rules, JSON_COMPACT);
    g_autofree gchar *out = run_nft(config, argv, text, said, error);
    free(text);
    json_decref(rules);
    return out != NULL;
}

/* What the table holds; nothing where there is none. */
static GHashTable *list(const Config *config, gboolean *there, GError **error)
{
    const char *const argv[] = {config->network_nft, "-j", "list", "table", "bridge",
                                NIC_FILTER_TABLE,    NULL};
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *said = NULL;
    g_autofree gchar *out = run_nft(config, argv, NULL, &said, &failure);
    if (!out && said && strstr(said, strerrordesc_np(ENOENT)))
        out = g_strdup("{}");
    GHashTable *elements = out ? nic_filter_listed(out, there) : NULL;
    if (!out)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (!elements)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s printed no JSON", argv[0]);
    return elements;
}

/* ---- how connections are followed ------------------------------------------------------------ */

static gboolean shows_bridged(const char *family, GError **error)
{
    g_autofree gchar *path = g_strdup_printf("/proc/sys/net/bridge/bridge-nf-call-%s", family);
    g_autofree gchar *text = file_read(path, MAX_WORDS, NULL, NULL);
    if (text && *text == '1')
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                "security groups need the kernel to follow connections through bridges: it has no "
                "nf_conntrack_bridge, and net.bridge.bridge-nf-call-%s (br_netfilter), which "
                "would do, is not 1",
                family);
    return FALSE;
}

/* What the kernel said holds until the host boots again. */
gboolean nic_filter_marks(const Config *config)
{
    g_autofree gchar *path = path_of(config, TRACKING);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean apply_marked(const Config *config, const GPtrArray *nics, VmFilter filter,
                             const char *const *gone, GError **error)
{
    g_autofree gchar *said = NULL;
    return shows_bridged("iptables", error) && shows_bridged("ip6tables", error) &&
           apply_json(config, nic_filter_rules(nics, filter, gone, NIC_FILTER_MARK), &said, error);
}

/*
 * A kernel without nf_conntrack_bridge refuses the word "ct" in a bridge's table as a protocol
 * error, once it has tried to load the module. That is the one way to ask.
 */
static gboolean apply(const Config *config, const GPtrArray *nics, VmFilter filter,
                      const char *const *gone, GError **error)
{
    g_autofree gchar *said = NULL;
    g_autoptr(GError) failure = NULL;
    gboolean tracks = nic_filter_tracks(nics, filter);
    if (tracks && nic_filter_marks(config))
        return apply_marked(config, nics, filter, gone, error);
    if (apply_json(config, nic_filter_rules(nics, filter, gone, NIC_FILTER_CONNTRACK), &said,
                   &failure))
        return TRUE;
    if (!tracks || !said || !strstr(said, strerrordesc_np(EPROTO))) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    g_autofree gchar *path = path_of(config, TRACKING);
    return file_replace(path, "mark\n", -1, FILE_MODE, error) &&
           apply_marked(config, nics, filter, gone, error);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* Those of WHAT that are not in OF. */
static GStrv without(GStrv what, const char *const *of)
{
    g_autoptr(GStrvBuilder) rest = g_strv_builder_new();
    for (gsize i = 0; what && what[i]; i++)
        if (!of || !g_strv_contains(of, what[i]))
            g_strv_builder_add(rest, what[i]);
    return g_strv_builder_end(rest);
}

static GStrv joined(const char *const *a, const char *const *b)
{
    g_autoptr(GStrvBuilder) both = g_strv_builder_new();
    g_strv_builder_addv(both, (const char **)a);
    g_strv_builder_addv(both, (const char **)b);
    return g_strv_builder_end(both);
}

/* Of nft that was not heard to the end it is not known what it did: then all that may have rules
 * stays noted. */
static void note_failure(const Config *config, const char *deploy_id, GStrv before,
                         const GError *failure)
{
    if (vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED))
        note_ports(config, deploy_id, before, NULL);
}

/* From the rules of the ports BEFORE to those of NICS, which are the ports AFTER. */
static gboolean change(const Config *config, const char *deploy_id, GStrv before,
                       const GPtrArray *nics, GStrv after, VmFilter filter, GError **error)
{
    const char *const *kept = (const char *const *)after;
    g_auto(GStrv) gone = without(before, kept);
    g_auto(GStrv) either = joined(kept, (const char *const *)gone);
    g_autoptr(GError) failure = NULL;
    autofd int held = lock(config, FALSE, error);
    if (held < 0 || !note_ports(config, deploy_id, either, error))
        return FALSE;
    if (apply(config, nics, filter, (const char *const *)gone, &failure))
        return note_ports(config, deploy_id, after, error);
    note_failure(config, deploy_id, before, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static GStrv names_of(const GPtrArray *nics)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    for (guint i = 0; i < nics->len; i++)
        g_strv_builder_add(names, ((const VmNic *)nics->pdata[i])->host_name);
    return g_strv_builder_end(names);
}

gboolean nic_filter_apply(const Config *config, const VmSpec *spec, GError **error)
{
    VmFilter filter = nic_filter_of(config, spec);
    g_auto(GStrv) before = nic_filter_ports(config, spec->deploy_id);
    g_autoptr(GPtrArray) nics = vm_nics_own(spec->nics);
    if (filter == VM_FILTER_OFF || nics->len == 0)
        return nic_filter_keep(config, spec->deploy_id, NULL, error);
    g_auto(GStrv) after = names_of(nics);
    if (!nic_filter_check(nics, error))
        return FALSE;
    if (change(config, spec->deploy_id, before, nics, after, filter, error))
        return TRUE;
    g_prefix_error(error, "its NICs cannot be filtered: ");
    return FALSE;
}

gboolean nic_filter_keep(const Config *config, const char *deploy_id, const char *const *ports,
                         GError **error)
{
    g_auto(GStrv) before = nic_filter_ports(config, deploy_id);
    g_auto(GStrv) gone = without(before, ports);
    g_auto(GStrv) after = without(before, (const char *const *)gone);
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    if (!gone[0])
        return TRUE;
    if (change(config, deploy_id, before, none, after, VM_FILTER_OFF, error))
        return TRUE;
    g_prefix_error(error, "the rules of its NICs stay in the packet filter: ");
    return FALSE;
}

/* ---- what nobody has ------------------------------------------------------------------------- */

static void add_noted(const Config *config, GHashTable *ports)
{
    g_autoptr(GPtrArray) ids = nic_filter_owners(config);
    for (guint i = 0; i < ids->len; i++) {
        g_auto(GStrv) its = nic_filter_ports(config, ids->pdata[i]);
        for (gsize j = 0; its && its[j]; j++)
            g_hash_table_add(ports, g_strdup(its[j]));
    }
}

static gboolean is_named(const GPtrArray *names, const char *name)
{
    return g_ptr_array_find_with_equal_func((GPtrArray *)names, name, g_str_equal, NULL);
}

/* The ports of ELEMENTS that are not in EITHER. */
static GPtrArray *strays_of(GHashTable *elements, GHashTable *ports, GHashTable *noted)
{
    GPtrArray *strays = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer element;
    g_hash_table_iter_init(&iter, elements);
    while (g_hash_table_iter_next(&iter, &element, NULL)) {
        const char *port = nic_filter_port(element);
        if (!g_hash_table_contains(ports, port) && !g_hash_table_contains(noted, port) &&
            !is_named(strays, port))
            g_ptr_array_add(strays, g_strdup(port));
    }
    return strays;
}

static gboolean remove_strays(const Config *config, GHashTable *elements, GHashTable *noted,
                              GPtrArray *strays, GError **error)
{
    g_autofree gchar *said = NULL;
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    guint left = 0;
    GHashTableIter iter;
    gpointer element;
    g_hash_table_iter_init(&iter, elements);
    while (g_hash_table_iter_next(&iter, &element, NULL))
        left += !is_named(strays, nic_filter_port(element));
    if (left == 0 && g_hash_table_size(noted) == 0)
        return apply_json(config, nic_filter_no_rules(), &said, error);
    for (guint i = 0; i < strays->len; i++)
        g_strv_builder_add(names, strays->pdata[i]);
    g_auto(GStrv) gone = g_strv_builder_end(names);
    return strays->len == 0 || apply(config, none, VM_FILTER_OFF, (const char *const *)gone, error);
}

GPtrArray *nic_filter_strays(const Config *config, GHashTable *ports, gboolean remove,
                             GError **error)
{
    gboolean there = FALSE;
    autofd int held = lock(config, TRUE, error);
    g_autoptr(GHashTable) elements = held < 0 ? NULL : list(config, &there, error);
    if (!elements)
        return NULL;
    g_autoptr(GHashTable) noted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    add_noted(config, noted);
    g_autoptr(GPtrArray) strays = strays_of(elements, ports, noted);
    if (remove && there && !remove_strays(config, elements, noted, strays, error))
        return NULL;
    return g_steal_pointer(&strays);
}

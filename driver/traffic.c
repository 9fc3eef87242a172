// SPDX-License-Identifier: Apache-2.0
#include "traffic.h"

#include "error.h"
#include "file.h"
#include "log.h"
#include "nic.h"
#include "nic_engine.h"
#include "samples.h"
#include "sysctl.h"

#include <string.h>

#define FIRST_WORDS "vmdock-links 1 "
#define NOBODY      "-"

enum { FILE_MAX = 4 * 1024 * 1024, FIELDS = 3, SETTLED_S = 60 };

typedef struct {
    gchar *deploy_id; /* NULL: no VM's */
    gint64 since_us;  /* seen like this first; 0: it stays what it is */
} Owner;

struct LinkOwners {
    gchar *first_line;
    GHashTable *by_index; /* ifindex -> Owner */
};

static void owner_free(gpointer data)
{
    Owner *owner = data;
    g_free(owner->deploy_id);
    g_free(owner);
}

LinkOwners *link_owners_new(const char *place)
{
    LinkOwners *owners = g_new0(LinkOwners, 1);
    owners->first_line = g_strconcat(FIRST_WORDS, place, NULL);
    owners->by_index = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, owner_free);
    return owners;
}

void link_owners_free(LinkOwners *owners)
{
    g_free(owners->first_line);
    g_hash_table_unref(owners->by_index);
    g_free(owners);
}

static const Owner *owner_of(const LinkOwners *owners, gint index)
{
    return g_hash_table_lookup(owners->by_index, GINT_TO_POINTER(index));
}

static void add_owner(LinkOwners *owners, gint index, const char *deploy_id, gint64 since_us)
{
    Owner *owner = g_new0(Owner, 1);
    owner->deploy_id = g_strdup(deploy_id);
    owner->since_us = since_us;
    g_hash_table_replace(owners->by_index, GINT_TO_POINTER(index), owner);
}

/* ---- the file ----------------------------------------------------------------------------------
 */

static void parse_line(LinkOwners *owners, const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", FIELDS + 1);
    guint64 index, since_us;
    if (g_strv_length(fields) != FIELDS ||
        !g_ascii_string_to_unsigned(fields[0], 10, 1, G_MAXINT, &index, NULL) ||
        !g_ascii_string_to_unsigned(fields[1], 10, 0, G_MAXINT64, &since_us, NULL))
        return;
    gboolean nobody = strcmp(fields[2], NOBODY) == 0;
    if (nobody || vm_id_valid(fields[2]))
        add_owner(owners, (gint)index, nobody ? NULL : fields[2], (gint64)since_us);
}

void link_owners_parse(LinkOwners *owners, const char *text, gsize length)
{
    g_autofree gchar *copy = g_strndup(text, length);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    if (!lines[0] || strcmp(lines[0], owners->first_line) != 0)
        return;
    for (guint i = 1; lines[i]; i++)
        parse_line(owners, lines[i]);
}

static gint compare_indexes(gconstpointer a, gconstpointer b)
{
    gint left = GPOINTER_TO_INT(a), right = GPOINTER_TO_INT(b);
    return (left > right) - (left < right);
}

gchar *link_owners_format(const LinkOwners *owners)
{
    GString *text = g_string_new(owners->first_line);
    g_string_append_c(text, '\n');
    g_autoptr(GList) list = g_list_sort(g_hash_table_get_keys(owners->by_index), compare_indexes);
    for (const GList *index = list; index; index = index->next) {
        const Owner *owner = owner_of(owners, GPOINTER_TO_INT(index->data));
        g_string_append_printf(text, "%d %" G_GINT64_FORMAT " %s\n", GPOINTER_TO_INT(index->data),
                               owner->since_us, owner->deploy_id ? owner->deploy_id : NOBODY);
    }
    return g_string_free(text, FALSE);
}

/* ---- what they have carried --------------------------------------------------------------------
 */

GHashTable *traffic_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void add_traffic(GHashTable *traffic, const char *deploy_id, guint64 rx_bytes,
                        guint64 tx_bytes)
{
    Traffic *sum = g_hash_table_lookup(traffic, deploy_id);
    if (!sum) {
        sum = g_new0(Traffic, 1);
        g_hash_table_insert(traffic, g_strdup(deploy_id), sum);
    }
    sum->rx += tx_bytes;
    sum->tx += rx_bytes;
}

/* The link that limits what a NIC sends has the alias too, and counts the same packets. */
static const char *deploy_id_of(const NetlinkLink *link)
{
    const char *deploy_id = link->alias + strlen(NIC_ALIAS_PREFIX);
    gboolean is_nic = g_str_has_prefix(link->alias, NIC_ALIAS_PREFIX) &&
                      strcmp(link->kind, "ifb") != 0 && vm_id_valid(deploy_id);
    return is_nic ? deploy_id : NULL;
}

/* A NIC is nobody's link for the moment in which it is made. */
static gboolean may_become_nic(const NetlinkLink *link)
{
    return strcmp(link->kind, "veth") == 0;
}

void link_owners_learn(LinkOwners *owners, const LinkOwners *before, const NetlinkLink *link,
                       gint64 now_us, GHashTable *traffic)
{
    const char *deploy_id = deploy_id_of(link);
    const Owner *known = owner_of(before, link->index);
    gboolean same = known && g_strcmp0(known->deploy_id, deploy_id) == 0;
    gint64 since_us = same ? known->since_us : may_become_nic(link) ? now_us : 0;
    add_owner(owners, link->index, deploy_id, since_us);
    if (deploy_id)
        add_traffic(traffic, deploy_id, link->rx_bytes, link->tx_bytes);
}

static gboolean is_settled(const Owner *owner, gint64 now_us)
{
    return owner->deploy_id || now_us - owner->since_us >= SETTLED_S * G_TIME_SPAN_SECOND;
}

static gboolean knows_all(const LinkOwners *owners, const GArray *counters, gint64 now_us)
{
    for (guint i = 0; i < counters->len; i++) {
        const Owner *owner = owner_of(owners, g_array_index(counters, NetlinkCounters, i).index);
        if (!owner || !is_settled(owner, now_us))
            return FALSE;
    }
    return counters->len == g_hash_table_size(owners->by_index);
}

gboolean link_owners_sum(const LinkOwners *owners, const GArray *counters, gint64 now_us,
                         GHashTable *traffic)
{
    if (!knows_all(owners, counters, now_us))
        return FALSE;
    for (guint i = 0; i < counters->len; i++) {
        const NetlinkCounters *one = &g_array_index(counters, NetlinkCounters, i);
        const Owner *owner = owner_of(owners, one->index);
        if (owner->deploy_id)
            add_traffic(traffic, owner->deploy_id, one->rx_bytes, one->tx_bytes);
    }
    return TRUE;
}

/* ---- the action --------------------------------------------------------------------------------
 */

typedef struct {
    const LinkOwners *before;
    LinkOwners *owners;
    GHashTable *traffic;
    gint64 now_us;
} Listing;

static void take_link(const NetlinkLink *link, gpointer data)
{
    const Listing *listing = data;
    link_owners_learn(listing->owners, listing->before, link, listing->now_us, listing->traffic);
}

static gchar *owners_path(const Config *config)
{
    return g_build_filename(config->run_dir, "links", NULL);
}

static LinkOwners *load_owners(const Config *config, const char *place)
{
    LinkOwners *owners = link_owners_new(place);
    g_autofree gchar *path = owners_path(config);
    gsize length;
    g_autofree gchar *text = file_read(path, FILE_MAX, &length, NULL);
    if (text)
        link_owners_parse(owners, text, length);
    return owners;
}

static void save_owners(const Config *config, const Listing *listing)
{
    g_autofree gchar *before = link_owners_format(listing->before);
    g_autofree gchar *text = link_owners_format(listing->owners);
    g_autofree gchar *path = owners_path(config);
    g_autoptr(GError) failure = NULL;
    if (strcmp(before, text) != 0 && (!file_make_folder(config->run_dir, 0755, &failure) ||
                                      !file_replace(path, text, -1, 0600, &failure)))
        log_warn("the links will be listed anew each time: %s", failure->message);
}

/* Indexes begin anew with each boot, and in each namespace. */
static gchar *place_of(Netlink *netlink)
{
    guint64 cookie;
    g_autofree gchar *boot = sysctl_boot_id(NULL);
    return boot && netlink_namespace(netlink, &cookie)
               ? g_strdup_printf("%s %" G_GUINT64_FORMAT, boot, cookie)
               : NULL;
}

typedef struct {
    GHashTable *traffic;
    const char *deploy_id;
} EngineSum;

/* It is seen from within, so received is received. */
static void add_engine_link(const NetlinkLink *link, gpointer data)
{
    const EngineSum *sum = data;
    if (strcmp(link->alias, NIC_ENGINE_ALIAS) == 0)
        add_traffic(sum->traffic, sum->deploy_id, link->tx_bytes, link->rx_bytes);
}

void traffic_add_engine(const Config *config, GHashTable *traffic)
{
    g_autoptr(GPtrArray) ids = nic_engine_owners(config);
    for (guint i = 0; i < ids->len; i++) {
        EngineSum sum = {traffic, g_ptr_array_index(ids, i)};
        g_autoptr(Sandbox) sandbox = sandbox_open(config, sum.deploy_id, NULL);
        if (sandbox)
            netlink_link_each(sandbox->netlink, add_engine_link, &sum, NULL);
    }
}

GHashTable *traffic_read(const Config *config, Netlink *netlink, GError **error)
{
    g_autoptr(GHashTable) traffic = traffic_new();
    g_autofree gchar *place = place_of(netlink);
    g_autoptr(LinkOwners) before = place ? load_owners(config, place) : link_owners_new("");
    g_autoptr(LinkOwners) owners = link_owners_new(place ? place : "");
    g_autoptr(GArray) counters = place ? netlink_counters(netlink, error) : NULL;
    if (place && !counters)
        return NULL;
    Listing listing = {before, owners, traffic, sample_clock()};
    if (counters && link_owners_sum(before, counters, listing.now_us, traffic))
        return g_steal_pointer(&traffic);
    if (!netlink_link_each(netlink, take_link, &listing, error))
        return NULL;
    if (place)
        save_owners(config, &listing);
    return g_steal_pointer(&traffic);
}

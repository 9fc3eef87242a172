// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "nic.h"
#include "nic_engine.h"
#include "nic_filter.h"
#include "nic_probe.h"
#include "nic_source.h"
#include "ovs.h"
#include "state.h"

#include <string.h>

typedef struct {
    Host *host;
    const VmSpec *spec;
    const VmNic *nic;
} NicStep;

/* Its netlink is open. */
static NicHost nic_host(const Host *host)
{
    return (NicHost){host->netlink, host->config};
}

static gboolean undo_nic(gpointer data, GError **error)
{
    const NicStep *step = data;
    NicHost place = nic_host(step->host);
    return nic_remove(&place, step->spec->deploy_id, step->nic, error);
}

static gboolean undo_sandbox(gpointer data, GError **error)
{
    const NicStep *step = data;
    return sandbox_remove(step->host->config, step->spec->deploy_id, error) &&
           nic_engine_unnote(step->host->config, step->spec->deploy_id, error);
}

static void push(Undo *undo, const char *what, UndoFunc func, Host *host, const VmSpec *spec,
                 const VmNic *nic)
{
    NicStep *step = g_new(NicStep, 1);
    *step = (NicStep){host, spec, nic};
    undo_push(undo, what, func, step, g_free);
}

/* ---- the packet filter ----------------------------------------------------------------------- */

typedef struct {
    const Config *config;
    gchar *deploy_id;
    GStrv ports; /* that may have had rules before */
} FilterStep;

static void filter_step_free(gpointer data)
{
    FilterStep *step = data;
    g_free(step->deploy_id);
    g_strfreev(step->ports);
    g_free(step);
}

static gboolean undo_filter(gpointer data, GError **error)
{
    const FilterStep *step = data;
    return nic_filter_keep(step->config, step->deploy_id, (const char *const *)step->ports, error);
}

/* Before a NIC is there: no packet of it goes by unseen. What other rules said of ports that had
 * some is brought back by whoever brings back the spec. */
static gboolean filter(Host *host, const VmSpec *spec, Undo *undo, GError **error)
{
    if (nic_filter_of(host->config, spec) != VM_FILTER_OFF && vm_nics_any_engine(spec->nics))
        log_warn("VM %s: what passes through its NICs on the engine's networks is not filtered",
                 spec->deploy_id);
    if (nic_filter_of(host->config, spec) != VM_FILTER_OFF) {
        FilterStep *step = g_new(FilterStep, 1);
        *step = (FilterStep){host->config, g_strdup(spec->deploy_id),
                             nic_filter_ports(host->config, spec->deploy_id)};
        undo_push(undo, "the rules of its NICs", undo_filter, step, filter_step_free);
    }
    return nic_filter_apply(host->config, spec, error);
}

/* The VM goes on, or goes, whatever becomes of rules that nobody needs: gc looks for them. */
static void unfilter(Host *host, const char *deploy_id, const char *const *ports)
{
    g_autoptr(GError) failure = NULL;
    if (!nic_filter_keep(host->config, deploy_id, ports, &failure))
        log_warn("VM %s: %s", deploy_id, failure->message);
}

void network_unfilter_others(Host *host, const VmSpec *spec)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < spec->nics->len; i++)
        g_ptr_array_add(names, ((const VmNic *)g_ptr_array_index(spec->nics, i))->host_name);
    g_ptr_array_add(names, NULL);
    unfilter(host, spec->deploy_id, (const char *const *)names->pdata);
}

/* ---- NICs ------------------------------------------------------------------------------------ */

/* NIC, which is of SPEC, is brought to what AS says; the engine's are its own to plug in. */
static gboolean plug_as(Host *host, const VmSpec *spec, const VmNic *nic, const VmNic *as,
                        Sandbox *sandbox, Undo *undo, GError **error)
{
    gboolean created = FALSE;
    NicHost place = nic_host(host);
    if (as->engine_network)
        return TRUE;
    if (!nic_ensure(&place, sandbox, as, &created, error))
        return FALSE;
    if (created)
        push(undo, "a NIC", undo_nic, host, spec, nic);
    return TRUE;
}

static gboolean plug(Host *host, const VmSpec *spec, const VmNic *nic, Sandbox *sandbox, Undo *undo,
                     GError **error)
{
    return plug_as(host, spec, nic, nic, sandbox, undo, error);
}

/* To ask from, before it has an address. */
static gboolean plug_bare(Host *host, const VmSpec *spec, const VmNic *nic, Sandbox *sandbox,
                          Undo *undo, GError **error)
{
    g_autoptr(VmNic) bare = vm_nic_copy(nic);
    g_array_set_size(bare->addresses, 0);
    g_array_set_size(bare->routes, 0);
    return plug_as(host, spec, nic, bare, sandbox, undo, error);
}

static gboolean add_to_probe(NicProbe *probe, Host *host, const VmSpec *spec, const VmNic *nic,
                             Sandbox *sandbox, Undo *undo, GError **error)
{
    gboolean ready = FALSE;
    g_autoptr(GArray) news = nic_probe_news(sandbox, nic, &ready, error);
    if (!news || news->len == 0)
        return news != NULL;
    return (ready || plug_bare(host, spec, nic, sandbox, undo, error)) &&
           nic_probe_add(probe, nic, news, error);
}

/* Of NIC, or, for NULL, of all NICs at one time. */
static gboolean look_for_duplicates(Host *host, const VmSpec *spec, const VmNic *nic,
                                    Sandbox *sandbox, Undo *undo, GError **error)
{
    guint ms = nic_probe_ms(host->config, spec);
    if (ms == 0)
        return TRUE;
    g_autoptr(NicProbe) probe = nic_probe_new(sandbox, spec, error);
    if (!probe)
        return FALSE;
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *each = g_ptr_array_index(spec->nics, i);
        if (!each->engine_network && (!nic || each == nic) &&
            (!interrupt_check(error) ||
             !add_to_probe(probe, host, spec, each, sandbox, undo, error)))
            return FALSE;
    }
    return nic_probe_run(probe, ms, error);
}

gboolean network_plug(Host *host, const VmSpec *spec, const VmNic *nic, Sandbox *sandbox,
                      Undo *undo, GError **error)
{
    return host_netlink(host, error) && filter(host, spec, undo, error) &&
           look_for_duplicates(host, spec, nic, sandbox, undo, error) &&
           plug(host, spec, nic, sandbox, undo, error) &&
           nic_sources_settle(sandbox, spec->nics, error);
}

static Sandbox *bring_up(Host *host, const VmSpec *spec, gboolean probe, Undo *undo, GError **error)
{
    if (!host_netlink(host, error))
        return NULL;
    NicHost place = nic_host(host);
    g_autoptr(Sandbox) sandbox = sandbox_ensure(host->config, spec->deploy_id, error);
    if (!sandbox)
        return NULL;
    if (sandbox->created)
        push(undo, "the sandbox", undo_sandbox, host, spec, NULL);
    else if (!nic_engine_mend(host, sandbox, spec, error) ||
             !nic_remove_others(&place, sandbox, spec->nics, error))
        return NULL;
    if (!filter(host, spec, undo, error) ||
        (probe && !look_for_duplicates(host, spec, NULL, sandbox, undo, error)))
        return NULL;
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (!interrupt_check(error) || !plug(host, spec, nic, sandbox, undo, error))
            return NULL;
    }
    /* A new sandbox with a single NIC has no rules, and needs none. */
    if ((!sandbox->created || spec->nics->len > 1) &&
        !nic_sources_settle(sandbox, spec->nics, error))
        return NULL;
    return g_steal_pointer(&sandbox);
}

Sandbox *network_up(Host *host, const VmSpec *spec, Undo *undo, GError **error)
{
    return bring_up(host, spec, TRUE, undo, error);
}

gboolean network_restore(Host *host, const VmSpec *spec, GError **error)
{
    g_autoptr(Undo) undo = undo_new();
    g_autoptr(Sandbox) sandbox = bring_up(host, spec, FALSE, undo, error);
    undo_commit(undo);
    return sandbox != NULL;
}

gboolean network_trim(Host *host, const VmSpec *spec, GError **error)
{
    GError *failure = NULL;
    if (!host_netlink(host, error))
        return FALSE;
    NicHost place = nic_host(host);
    g_autoptr(Sandbox) sandbox = sandbox_open(host->config, spec->deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (sandbox && !nic_remove_others(&place, sandbox, spec->nics, error))
        return FALSE;
    network_unfilter_others(host, spec);
    return TRUE;
}

void network_announce_nic(Sandbox *sandbox, const VmNic *nic)
{
    g_autoptr(GError) error = NULL;
    if (!nic->link_down && !nic->engine_network && !nic_announce(sandbox, nic, &error))
        log_warn("VM %s: the neighbours were not told of its addresses: %s", sandbox->deploy_id,
                 error->message);
}

void network_announce(Sandbox *sandbox, const VmSpec *spec)
{
    for (guint i = 0; i < spec->nics->len; i++)
        network_announce_nic(sandbox, g_ptr_array_index(spec->nics, i));
}

static void collect_owned(const NetlinkLink *link, gpointer data)
{
    GHashTable *names = data;
    if (g_str_has_prefix(link->alias, NIC_ALIAS_PREFIX))
        g_hash_table_insert(names, g_strdup(link->name),
                            g_strdup(link->alias + strlen(NIC_ALIAS_PREFIX)));
}

GHashTable *network_host_ends(Host *host, GError **error)
{
    Netlink *netlink = host_netlink(host, error);
    if (!netlink)
        return NULL;
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!netlink_link_each(netlink, collect_owned, names, error))
        return NULL;
    return g_steal_pointer(&names);
}

/* Of a VM whose spec is not known it may be so. */
static gboolean may_have_ports(const VmSpec *spec)
{
    for (guint i = 0; spec && i < spec->nics->len; i++) {
        const NicPort *port = nic_port(g_ptr_array_index(spec->nics, i), NULL);
        if (port && port->owns_ingress)
            return TRUE;
    }
    return !spec;
}

void network_clear_ports(Host *host, const VmSpec *spec)
{
    if (may_have_ports(spec))
        nic_port_unplug(host->config, spec->deploy_id, NULL);
}

static void unplug_all(Host *host, const char *deploy_id)
{
    g_autoptr(VmSpec) spec = state_load(host->config, deploy_id, NULL);
    if (may_have_ports(spec))
        nic_port_unplug(host->config, deploy_id, NULL);
}

gboolean network_down(Host *host, const char *deploy_id, GError **error)
{
    unplug_all(host, deploy_id);
    g_autoptr(GHashTable) links = network_host_ends(host, error);
    if (!links)
        return FALSE;
    GHashTableIter iter;
    gpointer name, owner;
    g_hash_table_iter_init(&iter, links);
    while (g_hash_table_iter_next(&iter, &name, &owner))
        if (g_strcmp0(owner, deploy_id) == 0 && !netlink_link_delete(host->netlink, name, error))
            return FALSE;
    unfilter(host, deploy_id, NULL);
    return sandbox_remove(host->config, deploy_id, error) &&
           nic_engine_unnote(host->config, deploy_id, error);
}

GHashTable *network_owners(Host *host, GError **error)
{
    g_autoptr(GHashTable) links = network_host_ends(host, error);
    if (!links)
        return NULL;
    GHashTable *owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer owner;
    g_hash_table_iter_init(&iter, links);
    while (g_hash_table_iter_next(&iter, NULL, &owner))
        g_hash_table_add(owners, g_strdup(owner));
    return owners;
}

static GPtrArray *strays(Host *host, GError **error)
{
    if (!host_netlink(host, error))
        return NULL;
    NicHost place = nic_host(host);
    return nic_port_strays(&place, error);
}

GHashTable *network_strays(Host *host, GError **error)
{
    g_autoptr(GPtrArray) ports = strays(host, error);
    if (!ports)
        return NULL;
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < ports->len; i++) {
        const OvsPort *port = g_ptr_array_index(ports, i);
        g_hash_table_insert(names, g_strdup(port->name), g_strdup(port->owner));
    }
    return names;
}

gboolean network_clear_strays(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GPtrArray) ports = strays(host, error);
    for (guint i = ports ? ports->len : 0; i-- > 0;)
        if (strcmp(((const OvsPort *)g_ptr_array_index(ports, i))->owner, deploy_id) != 0)
            g_ptr_array_remove_index(ports, i);
    return ports && ovs_remove(host->config, ports, error);
}

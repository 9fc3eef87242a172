// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "nic.h"
#include "nic_source.h"

#include <string.h>

typedef struct {
    Host *host;
    const VmSpec *spec;
    const VmNic *nic;
} NicStep;

static gboolean undo_nic(gpointer data, GError **error)
{
    const NicStep *step = data;
    return nic_remove(step->host->netlink, step->spec->deploy_id, step->nic, error);
}

static gboolean undo_sandbox(gpointer data, GError **error)
{
    const NicStep *step = data;
    return sandbox_remove(step->host->config, step->spec->deploy_id, error);
}

static void push(Undo *undo, const char *what, UndoFunc func, Host *host, const VmSpec *spec,
                 const VmNic *nic)
{
    NicStep *step = g_new(NicStep, 1);
    *step = (NicStep){host, spec, nic};
    undo_push(undo, what, func, step, g_free);
}

static gboolean plug(Host *host, const VmSpec *spec, const VmNic *nic, Sandbox *sandbox, Undo *undo,
                     GError **error)
{
    gboolean created = FALSE;
    if (!nic_ensure(host->netlink, sandbox, nic, &created, error))
        return FALSE;
    if (created)
        push(undo, "a NIC", undo_nic, host, spec, nic);
    return TRUE;
}

gboolean network_plug(Host *host, const VmSpec *spec, const VmNic *nic, Sandbox *sandbox,
                      Undo *undo, GError **error)
{
    return host_netlink(host, error) && plug(host, spec, nic, sandbox, undo, error) &&
           nic_sources_settle(sandbox, spec->nics, error);
}

Sandbox *network_up(Host *host, const VmSpec *spec, Undo *undo, GError **error)
{
    Netlink *netlink = host_netlink(host, error);
    if (!netlink)
        return NULL;
    g_autoptr(Sandbox) sandbox = sandbox_ensure(host->config, spec->deploy_id, error);
    if (!sandbox)
        return NULL;
    if (sandbox->created)
        push(undo, "the sandbox", undo_sandbox, host, spec, NULL);
    else if (!nic_remove_others(netlink, sandbox, spec->nics, error))
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

gboolean network_restore(Host *host, const VmSpec *spec, GError **error)
{
    g_autoptr(Undo) undo = undo_new();
    g_autoptr(Sandbox) sandbox = network_up(host, spec, undo, error);
    undo_commit(undo);
    return sandbox != NULL;
}

void network_announce_nic(Sandbox *sandbox, const VmNic *nic)
{
    g_autoptr(GError) error = NULL;
    if (!nic_announce(sandbox, nic, &error))
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

/* Host end -> deploy id, of everything that vmdock made. */
static GHashTable *owned_links(Host *host, GError **error)
{
    Netlink *netlink = host_netlink(host, error);
    if (!netlink)
        return NULL;
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!netlink_link_each(netlink, collect_owned, names, error))
        return NULL;
    return g_steal_pointer(&names);
}

gboolean network_down(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GHashTable) links = owned_links(host, error);
    if (!links)
        return FALSE;
    GHashTableIter iter;
    gpointer name, owner;
    g_hash_table_iter_init(&iter, links);
    while (g_hash_table_iter_next(&iter, &name, &owner))
        if (g_strcmp0(owner, deploy_id) == 0 && !netlink_link_delete(host->netlink, name, error))
            return FALSE;
    return sandbox_remove(host->config, deploy_id, error);
}

GHashTable *network_owners(Host *host, GError **error)
{
    g_autoptr(GHashTable) links = owned_links(host, error);
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

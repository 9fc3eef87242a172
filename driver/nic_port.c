// SPDX-License-Identifier: Apache-2.0
/* The kinds of bridge that a host end can be a port of. */
#include "error.h"
#include "log.h"
#include "nic.h"
#include "ovs.h"

#include <string.h>

enum { DEFAULT_MTU = 1500 };

/* ---- the kernel's own bridges ---------------------------------------------------------------- */

static gboolean linux_find(const NicHost *host, const char *bridge, NicBridge *it, GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(host->netlink, bridge, &link, &found, error))
        return FALSE;
    if (!found) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE,
                    "bridge %s is not there; make it on this host or mend the network's BRIDGE in "
                    "the cloud",
                    bridge);
        return FALSE;
    }
    if (strcmp(link.kind, "bridge") != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE,
                    "%s is not a bridge but a link of kind \"%s\"", bridge,
                    *link.kind ? link.kind : "device");
        return FALSE;
    }
    if (!link.up)
        log_warn("bridge %s is down: nothing passes until it is brought up (ip link set %s up)",
                 bridge, bridge);
    *it = (NicBridge){.master = link.index, .mtu = link.mtu};
    return TRUE;
}

/* The host end as it is now. */
static gboolean find_end(const NicHost *host, const VmNic *nic, NetlinkLink *end, GError **error)
{
    gboolean found = FALSE;
    if (!netlink_link_get(host->netlink, nic->host_name, end, &found, error))
        return FALSE;
    if (!found)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "the link %s is not there",
                    nic->host_name);
    return found;
}

/* A NIC that changes its kind of bridge may still be a port of Open vSwitch. */
static gboolean linux_plug(const NicHost *host, const char *deploy_id, const VmNic *nic,
                           GError **error)
{
    NetlinkLink end = {0};
    NicBridge bridge = {0};
    if (!linux_find(host, nic->bridge, &bridge, error) || !find_end(host, nic, &end, error))
        return FALSE;
    if (end.master == bridge.master)
        return TRUE;
    nic_port_unplug(host->config, deploy_id, nic->host_name);
    return netlink_link_set_master(host->netlink, end.index, bridge.master, error);
}

/* ---- Open vSwitch ---------------------------------------------------------------------------- */

/* The bridge's own link, where there is one, has the MTU of its ports. */
static gboolean ovs_find(const NicHost *host, const char *bridge, NicBridge *it, GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE, userspace = FALSE;
    if (!ovs_bridge_find(host->config, bridge, &userspace, error) ||
        !netlink_link_get(host->netlink, bridge, &link, &found, error))
        return FALSE;
    *it = (NicBridge){.mtu = found ? link.mtu : DEFAULT_MTU, .userspace = userspace};
    return TRUE;
}

typedef struct {
    gint index;
    gboolean is_bridge;
} Master;

static void look_at_master(const NetlinkLink *link, gpointer data)
{
    Master *master = data;
    if (link->index == master->index)
        master->is_bridge = strcmp(link->kind, "bridge") == 0;
}

/* A NIC that changes its kind of bridge may still be a port of one of the kernel's. */
static gboolean leave_bridge(const NicHost *host, const NetlinkLink *end, GError **error)
{
    Master master = {.index = end->master};
    if (end->master == 0)
        return TRUE;
    if (!netlink_link_each(host->netlink, look_at_master, &master, error))
        return FALSE;
    return !master.is_bridge || netlink_link_set_master(host->netlink, end->index, 0, error);
}

static gboolean plug_into_ovs(const NicHost *host, const char *deploy_id, const VmNic *nic,
                              GError **error)
{
    NetlinkLink end = {0};
    return find_end(host, nic, &end, error) && leave_bridge(host, &end, error) &&
           ovs_plug(host->config, deploy_id, nic, error);
}

static GPtrArray *keep_named(GPtrArray *ports, const char *name)
{
    for (guint i = ports->len; name && i-- > 0;)
        if (strcmp(((const OvsPort *)g_ptr_array_index(ports, i))->name, name) != 0)
            g_ptr_array_remove_index(ports, i);
    return ports;
}

void nic_port_unplug(const Config *config, const char *deploy_id, const char *name)
{
    g_autoptr(GError) failure = NULL;
    if (!ovs_serves(config))
        return;
    g_autoptr(GPtrArray) ports = ovs_ports(config, deploy_id, &failure);
    if (ports && ovs_remove(config, keep_named(ports, name), &failure))
        return;
    log_warn("VM %s: its ports stay in the database of Open vSwitch until vmdock gc finds them: %s",
             deploy_id, failure->message);
}

/* Owned links are known as "NAME ALIAS". */
static gchar *link_key(const char *name, const char *alias)
{
    return g_strdup_printf("%s %s", name, alias);
}

static void collect_link(const NetlinkLink *link, gpointer data)
{
    if (g_str_has_prefix(link->alias, NIC_ALIAS_PREFIX))
        g_hash_table_add(data, link_key(link->name, link->alias));
}

static gboolean is_stray(GHashTable *owned, const OvsPort *port)
{
    g_autofree gchar *alias = g_strconcat(NIC_ALIAS_PREFIX, port->owner, NULL);
    g_autofree gchar *key = link_key(port->name, alias);
    return !port->there || !g_hash_table_contains(owned, key);
}

GPtrArray *nic_port_strays(const NicHost *host, GError **error)
{
    if (!ovs_serves(host->config))
        return g_ptr_array_new();
    GPtrArray *ports = ovs_ports(host->config, NULL, error);
    if (!ports)
        return NULL;
    g_autoptr(GHashTable) owned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gboolean seen = netlink_link_each(host->netlink, collect_link, owned, error);
    for (guint i = ports->len; seen && i-- > 0;)
        if (!is_stray(owned, g_ptr_array_index(ports, i)))
            g_ptr_array_remove_index(ports, i);
    if (!seen)
        g_clear_pointer(&ports, g_ptr_array_unref);
    return ports;
}

/* ---- what somebody else plugs ---------------------------------------------------------------- */

/*
 * Somebody else has told Open vSwitch of the host end's name, and it takes it as a port as soon as
 * it is there. A bridge that is a link tells its MTU, and none must be one.
 */
static gboolean external_find(const NicHost *host, const char *bridge, NicBridge *it,
                              GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(host->netlink, bridge, &link, &found, error))
        return FALSE;
    *it = (NicBridge){.mtu = found && link.mtu > 0 ? link.mtu : DEFAULT_MTU};
    return TRUE;
}

static gboolean external_plug(G_GNUC_UNUSED const NicHost *host,
                              G_GNUC_UNUSED const char *deploy_id, G_GNUC_UNUSED const VmNic *nic,
                              G_GNUC_UNUSED GError **error)
{
    return TRUE;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const NicPort kinds[] = {
    {"linux", FALSE, linux_find, linux_plug},
    {"openvswitch", TRUE, ovs_find, plug_into_ovs},
    {"external", TRUE, external_find, external_plug},
};

const NicPort *nic_port(const VmNic *nic, GError **error)
{
    const char *type = nic->bridge_type && *nic->bridge_type ? nic->bridge_type : "linux";
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(type, kinds[i].type) == 0)
            return &kinds[i];
    g_set_error(
        error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
        "bridge %s is of type \"%s\"; this version of vmdock plugs NICs into bridges of the "
        "types \"linux\" and \"openvswitch\" only",
        nic->bridge, type);
    return NULL;
}

// SPDX-License-Identifier: Apache-2.0
/* The kinds of bridge that a host end can be a port of. */
#include "error.h"
#include "log.h"
#include "nic.h"

#include <string.h>

static gboolean linux_find(Netlink *host, const char *bridge, gint *master, guint *mtu,
                           GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(host, bridge, &link, &found, error))
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
    *master = link.index;
    *mtu = link.mtu;
    return TRUE;
}

static gboolean linux_plug(Netlink *host, const char *bridge, const char *host_name, GError **error)
{
    NetlinkLink port = {0};
    gint master = 0;
    guint mtu = 0;
    gboolean found = FALSE;
    if (!linux_find(host, bridge, &master, &mtu, error) ||
        !netlink_link_get(host, host_name, &port, &found, error))
        return FALSE;
    if (!found) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "the link %s is not there",
                    host_name);
        return FALSE;
    }
    return port.master == master || netlink_link_set_master(host, port.index, master, error);
}

/* A Linux bridge lets go of a port when the link is deleted, and by itself. */
static gboolean linux_unplug(G_GNUC_UNUSED Netlink *host, G_GNUC_UNUSED const char *bridge,
                             G_GNUC_UNUSED const char *host_name, G_GNUC_UNUSED GError **error)
{
    return TRUE;
}

static const NicPort ports[] = {
    {"linux", linux_find, linux_plug, linux_unplug},
};

const NicPort *nic_port(const VmNic *nic, GError **error)
{
    const char *type = nic->bridge_type && *nic->bridge_type ? nic->bridge_type : "linux";
    for (gsize i = 0; i < G_N_ELEMENTS(ports); i++)
        if (strcmp(type, ports[i].type) == 0)
            return &ports[i];
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                "bridge %s is of type \"%s\"; this version of vmdock plugs NICs into bridges of "
                "type \"linux\" only",
                nic->bridge, type);
    return NULL;
}

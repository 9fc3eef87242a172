// SPDX-License-Identifier: Apache-2.0
/*
 * A NIC: a veth pair whose host end is a port of the bridge and whose guest end stands in the
 * sandbox with its addresses and routes. Errors: NO_BRIDGE, NETWORK, UNSUPPORTED, IO; each
 * sentence begins with the NIC ("NIC 0 (one-42-0): …").
 */
#pragma once

#include "sandbox.h"

/* How a host end becomes a port. linux here; Open vSwitch has its place beside it. */
typedef struct {
    const char *type; /* VmNic.bridge_type */
    /* The ifindex to give as master when the veth is made, 0 if the port is added afterwards; the
     * bridge's MTU. A bridge that is not there is NO_BRIDGE. */
    gboolean (*find)(Netlink *host, const char *bridge, gint *master, guint *mtu, GError **error);
    /* Plugs a host end that is there; fine if it is plugged. */
    gboolean (*plug)(Netlink *host, const char *bridge, const char *host_name, GError **error);
    /* Unplugs it before it is deleted; fine if it is not plugged. */
    gboolean (*unplug)(Netlink *host, const char *bridge, const char *host_name, GError **error);
} NicPort;

/* The port kind for a NIC; UNSUPPORTED for a type there is none for. */
const NicPort *nic_port(const VmNic *nic, GError **error);

/*
 * The host end carries the alias "vmdock:<deploy-id>" (IFLA_IFALIAS): the poll finds a VM's
 * counters by it in one dump, `vmdock gc` finds leftovers, and a link of another owner is never
 * deleted.
 */
#define NIC_ALIAS_PREFIX "vmdock:"

/*
 * Brings the NIC to what NIC says: makes it, or corrects the one that is there (port, MAC, MTU,
 * bandwidth, addresses, routes), and leaves it up. A host end of that name that is not the peer of
 * this sandbox's guest end is a leftover and is replaced. *created tells whether undo should remove
 * it.
 */
gboolean nic_ensure(Netlink *host, Sandbox *sandbox, const VmNic *nic, gboolean *created,
                    GError **error);
/* Removes the VM's pair; fine if it is not there. A link of that name that is not the VM's stays.
 */
gboolean nic_remove(Netlink *host, const char *deploy_id, const VmNic *nic, GError **error);
/* Limits the bandwidth of the VM's NIC as NIC says; fine if it is not there. */
gboolean nic_limit(Netlink *host, const char *deploy_id, const VmNic *nic, GError **error);
/* Removes the VM's NICs that stand in the sandbox and are not among the guest ends of NICS. What
 * the engine or the guest itself made there stays. */
gboolean nic_remove_others(Netlink *host, Sandbox *sandbox, const GPtrArray *nics, GError **error);

/*
 * Tells the neighbours where the NIC's addresses are: a gratuitous ARP for each IPv4 address, an
 * unsolicited neighbour advertisement for each IPv6 one, as soon as the NIC can send.
 */
gboolean nic_announce(Sandbox *sandbox, const VmNic *nic, GError **error);

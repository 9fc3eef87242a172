// SPDX-License-Identifier: Apache-2.0
/*
 * A NIC: a veth pair whose host end is a port of the bridge and whose guest end stands in the
 * sandbox with its addresses and routes. Errors: NO_BRIDGE, NETWORK, UNSUPPORTED, IO; each
 * sentence begins with the NIC ("NIC 0 (one-42-0): …").
 */
#pragma once

#include "sandbox.h"

/* Where NICs are made. */
typedef struct {
    Netlink *netlink; /* speaks in the host's network namespace */
    const Config *config;
} NicHost;

/* What a NIC is made for. */
typedef struct {
    gint master; /* the ifindex to give as master when the veth is made; 0: plugged afterwards */
    guint mtu;
    gboolean userspace; /* a program moves the packets, as they are on the link */
} NicBridge;

/* How a host end becomes a port of a bridge. */
typedef struct {
    const char *type; /* VmNic.bridge_type */
    /* What arrives on the host end is the bridge's alone: nothing may be led elsewhere from there.
     */
    gboolean owns_ingress;
    /* NO_BRIDGE when it is not there. */
    gboolean (*find)(const NicHost *host, const char *bridge, NicBridge *found, GError **error);
    /* Plugs a host end that is there, alias and all; fine if it is plugged. */
    gboolean (*plug)(const NicHost *host, const char *deploy_id, const VmNic *nic, GError **error);
} NicPort;

/* The port kind for a NIC; UNSUPPORTED for a type there is none for. */
const NicPort *nic_port(const VmNic *nic, GError **error);

/*
 * Unplugs the VM's host ends before they are deleted; NAME: one of them, NULL: all. Fine if they
 * are plugged nowhere. What cannot be unplugged is logged, and holds nothing up: it can be
 * unplugged later, when the link is gone (nic_port_strays).
 */
void nic_port_unplug(const Config *config, const char *deploy_id, const char *name);
/*
 * Ports of VMs whose link is not there, or is not the VM's: what a reboot of the host leaves in
 * the database of Open vSwitch. OvsPort (ovs.h); empty where none can be.
 */
GPtrArray *nic_port_strays(const NicHost *host, GError **error);

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
gboolean nic_ensure(const NicHost *host, Sandbox *sandbox, const VmNic *nic, gboolean *created,
                    GError **error);
/* What the guest end is called while it is out of the way (nic_engine.h); of IFNAMSIZ bytes. */
void nic_parked_name(const VmNic *nic, gchar *name);
/* Removes the VM's pair; fine if it is not there. A link of that name that is not the VM's stays.
 */
gboolean nic_remove(const NicHost *host, const char *deploy_id, const VmNic *nic, GError **error);
/* Limits the bandwidth of the VM's NIC as NIC says; fine if it is not there. */
gboolean nic_limit(const NicHost *host, const char *deploy_id, const VmNic *nic, GError **error);
/* Removes the VM's NICs that stand in the sandbox and are not among the guest ends of NICS. What
 * the engine or the guest itself made there stays. */
gboolean nic_remove_others(const NicHost *host, Sandbox *sandbox, const GPtrArray *nics,
                           GError **error);

/*
 * Tells the neighbours where the NIC's addresses are: a gratuitous ARP for each IPv4 address, an
 * unsolicited neighbour advertisement for each IPv6 one, as soon as the NIC can send.
 */
gboolean nic_announce(Sandbox *sandbox, const VmNic *nic, GError **error);

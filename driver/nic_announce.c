// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel itself announces a link's addresses (arp_notify and ndisc_notify, which nic_ensure()
 * sets in the guest) whenever the link comes up or is given a MAC, even the one it has. Closing a
 * packet socket instead would wait for a grace period of RCU: 8 to 28 ms (measured).
 */
#include "error.h"
#include "nic.h"

static gboolean announce(Netlink *netlink, const char *guest_name, GError **error)
{
    NetlinkLink guest = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(netlink, guest_name, &guest, &found, error))
        return FALSE;
    if (found && guest.up)
        return netlink_link_set_mac(netlink, guest.index, guest.mac, error);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "%s is %s", guest_name,
                found ? "down" : "not in the sandbox");
    return FALSE;
}

gboolean nic_announce(Sandbox *sandbox, const VmNic *nic, GError **error)
{
    if (announce(sandbox->netlink, nic->guest_name, error))
        return TRUE;
    g_prefix_error(error, "NIC %u (%s): ", nic->id, nic->host_name);
    return FALSE;
}

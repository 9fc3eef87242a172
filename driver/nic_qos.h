// SPDX-License-Identifier: Apache-2.0
/*
 * The bandwidth of a NIC, held on the host, out of the guest's reach. What the guest receives is
 * shaped as it leaves the host end; what it sends is led through a link of kind ifb that is the
 * NIC's own, and shaped as it leaves that. The ifb carries the VM's alias (NIC_ALIAS_PREFIX), as
 * the host end does, and so is found and removed with it.
 *
 * Open vSwitch takes what arrives on a port before, or instead of, anything else, and clears away
 * what has been set up there. What a guest sends on such a NIC is shaped at the guest end, where
 * nobody can change it who may not change the guest's network (CAP_NET_ADMIN).
 *
 * Each direction is one token bucket filter: the average is its rate, the burst its bucket, the
 * peak the rate at which a bucket that has filled up is emptied.
 */
#pragma once

#include "netlink.h"

/*
 * Pure: the filter for BANDWIDTH on a link of MTU. FALSE when it asks for no limit.
 *
 * A peak without an average is the limit itself, and so is a peak that is not above the average; a
 * burst alone limits nothing. A burst that is not given is what passes in 10 ms, at least 32 KiB.
 * One that is given is not made larger than a bucket must be to hold the rate: what passes in 1 ms,
 * and two packets. What waits is at most what passes in 200 ms, at least 128 KiB.
 */
gboolean nic_qos_shape(const VmBandwidth *bandwidth, guint mtu, NetlinkShape *shape);

/*
 * Brings both directions to what NIC says, which may be nothing. HOST_END is what is there under
 * its host name; GUEST speaks in the sandbox, where what the guest sends is to be held at the guest
 * end, and is NULL otherwise. Errors: those of netlink.h; NETWORK also where another's link has the
 * ifb's name.
 */
gboolean nic_qos_ensure(Netlink *host, Netlink *guest, const char *deploy_id, const VmNic *nic,
                        const NetlinkLink *host_end, GError **error);
/* Removes the VM's ifb of the NIC with this host end; what hangs on the host end goes with that.
 * Fine if it is not there. */
gboolean nic_qos_remove(Netlink *host, const char *deploy_id, const char *host_name,
                        GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * NICs of a VM that runs. All of it is done in the VM's sandbox and on the host's end, by netlink:
 * the engine is not asked, and its restart holds nothing up. The saved spec follows, so that reboot
 * and reset keep the change. Errors: SPEC, NO_VM, STATE, and those of network.h and state.h.
 *
 * Contract: OpenNebula's VMM actions attach_nic and detach_nic, and the VNM action update_nic, by
 * their meaning; argv and stdin belong to the shim.
 */
#pragma once

#include "host.h"

/*
 * Gives the VM the NIC of SPEC that has this MAC. A NIC of that id that the VM has already is
 * brought to what SPEC says. The VM's other NICs stay as they are, whatever SPEC says of them.
 * STATE when the VM does not run.
 */
gboolean vm_attach_nic(Host *host, const VmSpec *spec, const guint8 mac[6], GError **error);
/* Takes away the NIC with this MAC; fine if the VM has none such. */
gboolean vm_detach_nic(Host *host, const char *deploy_id, const guint8 mac[6], GError **error);

/*
 * Limits the VM's NICs anew, as its saved spec says; before that the spec takes over the inbound
 * and outbound limits of LIMITS (VmNic, known by their id; NULL for none). A NIC that is not there
 * now, because the VM is stopped, has them with its next start.
 */
gboolean vm_set_qos(Host *host, const char *deploy_id, const GPtrArray *limits, GError **error);

/*
 * Filters what passes through the VM's NICs anew, as its saved spec says and the host's
 * configuration is now; before that the spec takes over the rules of NICS (VmNic, known by their
 * id; NULL for none). Nothing else of the VM is touched. A VM that is stopped is filtered so with
 * its next start.
 */
gboolean vm_set_rules(Host *host, const char *deploy_id, const GPtrArray *nics, GError **error);

/*
 * Brings the network of a VM that runs to SPEC: NICs, their aliases, addresses, routes, MTU and
 * limits; NICs that SPEC does not have go. A NIC keeps the name that it has in the guest, and SPEC
 * gets it. When it fails, the network is what the saved spec says. The caller holds the VM's lock
 * and saves SPEC. STATE when the VM does not run.
 */
gboolean vm_refresh_network(Host *host, VmSpec *spec, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * NICs of one VM in one subnet. Left to itself, the kernel answers for all their addresses on each
 * of them, and sends everything through the first one: with another NIC's source address, which the
 * cloud's anti-spoofing drops. So here a NIC answers for its own addresses alone, and what is sent
 * from an address of a later NIC takes that NIC's own subnets and routes, in a table of its own.
 */
#pragma once

#include "sandbox.h"

/*
 * Brings the rules of the sandbox to NICS (VmNic); those of NICs that have gone are removed. What
 * the guest itself has made is left alone. Errors: NETWORK, IO.
 */
gboolean nic_sources_settle(Sandbox *sandbox, const GPtrArray *nics, GError **error);

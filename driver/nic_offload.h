// SPDX-License-Identifier: Apache-2.0
/* What the kernel leaves to a device that a veth does not have. */
#pragma once

#include "sandbox.h"

/*
 * Has the kernel write the checksums of what a link of the sandbox sends, and cut it to packets, as
 * it does for a device that can do neither. A veth says that it can, because most of what it sends
 * is never checked; a bridge whose packets a program reads and sends on (Open vSwitch's userspace
 * datapath) has them arrive with no checksum, or larger than the MTU, and the receiver drops them.
 */
gboolean nic_offload_off(const Sandbox *sandbox, const char *link, GError **error);

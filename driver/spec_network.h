// SPDX-License-Identifier: Apache-2.0
/* NICs on networks of libvirt that an operator names on the command line. Pure. Errors: SPEC. */
#pragma once

#include "spec.h"

/* TEXT is "default", or "default=192.168.122.7", whose prefix is the network's (nic_libvirt.h). */
gboolean spec_network_set(VmNic *nic, const char *text, GError **error);
/* A NIC more for each of TEXTS, which may be NULL, behind those of SPEC's description. */
gboolean spec_network_add(VmSpec *spec, const GStrv texts, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * OpenNebula's VM XML -> VmSpec. Pure: text in, spec out.
 *
 * The contract: VMM action `deploy` gets a bare <VM>; the other VMM actions, and VNM, wrap it
 * (<VMM_DRIVER_ACTION_DATA>…<VM>). OpenNebula 4.14 to 7.4 use the same paths; older ones send
 * fewer elements. XML is foreign input: no entities are expanded, nothing is loaded, at most
 * MAX_SIZE bytes are looked at.
 */
#pragma once

#include "spec.h"

typedef struct {
    gsize max_size;    /* bytes of XML taken; larger input is refused unread */
    gboolean hard_cpu; /* CPU is the ceiling as well as the weight, instead of VCPU */
    gboolean terminal; /* allocate a terminal when the template does not say */
} OpennebulaOptions;

/* Parses LENGTH bytes of XML. Errors: SPEC. The result has passed vm_spec_check(). */
VmSpec *spec_from_opennebula(const char *xml, gsize length, const OpennebulaOptions *options,
                             GError **error);

/* Only the VM's id of such a message, for actions that need no more ("42"). Errors: SPEC. */
gchar *opennebula_vm_id(const char *xml, gsize length, gsize max_size, GError **error);

/* How the sentence begins that says why a disk is not given to the VM: its number, its target. */
#define ONE_DISK_NOTE "DISK %s (%s) is not honoured: "

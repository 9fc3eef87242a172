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
    gsize max_size;         /* bytes of XML taken; larger input is refused unread */
    gboolean hard_cpu;      /* CPU is the ceiling as well as the weight, instead of VCPU */
    gboolean terminal;      /* allocate a terminal when the template does not say */
    const char *env_prefix; /* of CONTEXT's variables for the environment; NULL = none */
} OpennebulaOptions;

/* Parses LENGTH bytes of XML. Errors: SPEC. The result has passed vm_spec_check(). */
VmSpec *spec_from_opennebula(const char *xml, gsize length, const OpennebulaOptions *options,
                             GError **error);

/*
 * The limits of NICs in such a message, which may say of the VM no more than its id and of a NIC no
 * more than its NIC_ID: VmNic of which id, inbound and outbound alone are set. The VM's id in *id.
 * Errors: SPEC.
 */
GPtrArray *opennebula_bandwidth(const char *xml, gsize length, gsize max_size, gchar **id,
                                GError **error);

/*
 * What the security groups of NICs let pass, of such a message, which may say no more than that:
 * VmNic of which id and rules alone are set. The VM's id in *id, and in *notes a sentence for each
 * rule that is not honoured. Errors: SPEC.
 */
GPtrArray *opennebula_rules(const char *xml, gsize length, gsize max_size, gchar **id, GStrv *notes,
                            GError **error);

/*
 * CONTEXT with the values that the context image's context.sh gives to its variables: the front end
 * sends some of them (PASSWORD) encrypted, and has them in clear in the image alone. Free the
 * result with vm_context_free().
 */
VmContext *opennebula_context_of_image(const VmContext *context, const GPtrArray *variables);

/* Only the VM's id of such a message, for actions that need no more ("42"). Errors: SPEC. */
gchar *opennebula_vm_id(const char *xml, gsize length, gsize max_size, GError **error);

/* The number in OpenNebula's own form of a deploy id ("one-42"); NULL for another's. */
const char *opennebula_number(const char *deploy_id);
/* The number of the NIC that a VM's own DOCKER_NETWORK adds: no NIC_ID is so large. */
#define ONE_VM_NIC    1000000
/* How the sentence begins that says why a disk is not given to the VM: its number, its target. */
#define ONE_DISK_NOTE "DISK %s (%s) is not honoured: "

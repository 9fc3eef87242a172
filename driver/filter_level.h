// SPDX-License-Identifier: Apache-2.0
/* How far vmdock filters a VM's NICs itself: a word of the configuration and of templates. Pure. */
#pragma once

#include <glib.h>

/* Each does what stands before it, too. */
typedef enum {
    VM_FILTER_OFF,
    VM_FILTER_SPOOFING, /* the VM sends by its own addresses alone */
    VM_FILTER_FULL,     /* and what its security groups do not let pass is dropped */
} VmFilter;

/* "off", "spoofing", "full"; FALSE if TEXT is none of them. */
gboolean vm_filter_parse(const char *text, VmFilter *filter);
const char *vm_filter_name(VmFilter filter);

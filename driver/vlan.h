// SPDX-License-Identifier: Apache-2.0
/*
 * The VLAN that a port of Open vSwitch is in, or those of a trunk, and the element vlan of
 * libvirt's XML, by which interfaces, networks and groups of ports say so. Pure.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <libxml/tree.h>

typedef struct {
    /* Whose packets come and go without one; 0 = none. */
    guint tag;
    /* "3,42", ascending: those that come and go with theirs; NULL = it is no trunk. */
    gchar *trunks;
    /* Of a trunk: TAG's leave with theirs, and what comes without is TAG's. */
    gboolean native_tagged;
} VmVlan;

void vm_vlan_clear(VmVlan *vlan);
/* TO must be clear. */
void vm_vlan_copy(VmVlan *to, const VmVlan *from);
gboolean vm_vlan_any(const VmVlan *vlan);

/* null where there is none. */
json_t *vm_vlan_json(const VmVlan *vlan);
/* JSON may be NULL. */
gboolean vm_vlan_from_json(const json_t *json, VmVlan *vlan);

/* What is wrong with it, to stand behind the name of what it is of; NULL when nothing is. */
const char *vm_vlan_read(const xmlNode *node, VmVlan *vlan);
/* Adds such an element to PARENT. */
void vm_vlan_write(xmlNode *parent, const VmVlan *vlan);

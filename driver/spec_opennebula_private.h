// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the OpenNebula parser share, and nobody else includes:
 *   spec_opennebula_xml.c      text -> the VM's elements, and how they are read
 *   spec_opennebula.c          id, names, image, limits; puts the parts together
 *   spec_opennebula_process.c  the ONEDOCK_* attributes of the process, and DOCKERRUN
 *   spec_opennebula_grants.c   those of its surroundings: mounts, devices, capabilities
 *   spec_opennebula_disk.c     the disks beside disk 0
 *   spec_opennebula_nic.c      NICs, aliases, and which of CONTEXT's ETHn belongs to which
 *   spec_opennebula_ip.c       their addresses and routes
 *   spec_opennebula_groups.c   its security groups
 *   spec_opennebula_bandwidth.c  how much of a network a NIC may use
 *   spec_opennebula_dns.c      name servers and search domains
 *   spec_opennebula_context.c  what CONTEXT tells the guest, and has done in it
 *   spec_opennebula_rest.c     what is asked and not honoured
 *   opennebula_datastore.c     the messages of the datastore actions, which are no VM's
 */
#pragma once

#include "spec_opennebula.h"
#include "spec_value.h"
#include "xml.h"

/* One message while it is being read. The elements belong to the XML document. */
typedef struct {
    const OpennebulaOptions *options;
    const xmlNode *vm;
    GPtrArray *templates;      /* const xmlNode*: VNM messages split TEMPLATE into several */
    GPtrArray *user_templates; /* const xmlNode* */
    GHashTable *context;       /* CONTEXT's variables that say something: name -> value */
    GPtrArray *context_names;  /* gchar*: their names in the order of the document */
    const xmlNode *root_disk;  /* DISK with the lowest DISK_ID; NULL if none */
    GPtrArray *more_disks;     /* const xmlNode*: the others, by DISK_ID */
    VmSpec *spec;
} OneVm;

/* A NIC or a NIC_ALIAS, and the group of CONTEXT variables that speaks of it. */
typedef struct {
    const xmlNode *node;
    const char *element; /* "NIC" or "NIC_ALIAS" */
    guint id;
    gboolean has_mac;
    guint8 mac[6];
    gchar *prefix; /* "ETH0", "ETH1_ALIAS0"; NULL when CONTEXT does not speak of it */
    VmNic *nic;    /* what it becomes, or for an alias what its parent becomes */
} OneNic;

/* spec_opennebula_xml.c ----------------------------------------------------------------------- */

/* The document, and its VM element in *vm. */
xmlDoc *one_xml_parse(const char *xml, gsize length, gsize max_size, const xmlNode **vm,
                      GError **error);
OneVm *one_vm_new(const xmlNode *vm, const OpennebulaOptions *options);
void one_vm_free(OneVm *one);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OneVm, one_vm_free)

/* The text of the child NAME of the first TEMPLATE that has one. */
gchar *one_template_text(const OneVm *one, const char *name);
/* All children NAME of the elements in PARENTS; const xmlNode*. */
GPtrArray *one_children(const GPtrArray *parents, const char *name);
/* CONTEXT's variable PREFIX_KEY; NULL when it says nothing. Belongs to ONE. */
const char *one_context(const OneVm *one, const char *prefix, const char *key);

/* One sentence on something asked and not honoured; doubles are left out. */
void one_note(OneVm *one, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* spec_opennebula.c --------------------------------------------------------------------------- */

/* The VM's number; an error when it has none that could be one. */
gchar *one_parse_id(const xmlNode *vm, GError **error);

/* spec_opennebula_grants.c -------------------------------------------------------------------- */

typedef gboolean OneSetFunc(OneVm *one, const char *label, const char *value, GError **error);
OneSetFunc one_set_read_only, one_set_tmpfs, one_set_capabilities, one_set_devices,
    one_set_privileged;

/* spec_opennebula_process.c ------------------------------------------------------------------- */

/* ONEDOCK_<name> or ONEDOCK=[<name>=...]; *label is how it was written. */
gchar *one_attribute(const OneVm *one, const char *name, gchar **label);
gboolean one_parse_process(OneVm *one, GError **error);

/* spec_opennebula_disk.c ---------------------------------------------------------------------- */

/* Sets the spec's disks from MORE_DISKS. */
gboolean one_parse_disks(OneVm *one, GError **error);
/* The I/O limits of disk 0, which there must be. */
gboolean one_parse_root_limits(OneVm *one, GError **error);

/* spec_opennebula_nic.c ----------------------------------------------------------------------- */

gboolean one_parse_nics(OneVm *one, GError **error);
void one_nic_free(OneNic *nic);
/* "NIC 0" or "NIC_ALIAS 3", for a sentence. */
gchar *one_nic_label(const OneNic *nic);
/* "MASK" of "ETH0_MASK" and of "ETH0_ALIAS1_MASK"; NULL for other variables of CONTEXT. */
const char *one_nic_key(const char *variable);

/* spec_opennebula_engine.c -------------------------------------------------------------------- */

/* After the NICs: the one that the VM's own DOCKER_NETWORK adds. */
void one_parse_vm_network(OneVm *one);
void one_note_engine_nic(OneVm *one, const OneNic *nic);

/* spec_opennebula_groups.c -------------------------------------------------------------------- */

/* What each security group lets pass: its id -> list of VmRule. */
GHashTable *one_parse_groups(OneVm *one, GError **error);
/* Gives NIC, whose element is NODE, the rules of its groups. */
gboolean one_take_groups(const xmlNode *node, GHashTable *groups, VmNic *nic, GError **error);

/* spec_opennebula_bandwidth.c ----------------------------------------------------------------- */

/* Sets INBOUND and OUTBOUND of NIC, whose element is NODE; LABEL begins the sentence of an error.
 */
gboolean one_parse_bandwidth(const xmlNode *node, const char *label, VmNic *nic, GError **error);
gboolean one_is_bandwidth(const char *name);

/* spec_opennebula_ip.c and spec_opennebula_dns.c ---------------------------------------------- */

/*
 * Sets the addresses of NIC, which is no alias, and of those of ALIASES (OneNic*) that are its own,
 * its routes and its IPv6 mode.
 */
gboolean one_parse_addresses(OneVm *one, const OneNic *nic, const GPtrArray *aliases,
                             GError **error);
void one_parse_dns(OneVm *one, const GPtrArray *nics, const GPtrArray *aliases);

/* spec_opennebula_context.c ------------------------------------------------------------------- */

/* After one_parse_process(): adds to its environment. */
void one_parse_context(OneVm *one);

/* spec_opennebula_rest.c ---------------------------------------------------------------------- */

/* Note what nothing above has taken. */
void one_note_rest(OneVm *one);
void one_note_nic(OneVm *one, const OneNic *nic);

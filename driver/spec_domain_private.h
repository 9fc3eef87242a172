// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the domain parser share, and nobody else includes:
 *   spec_domain.c            names, memory, CPUs, disks' shares; puts the parts together
 *   spec_domain_xml.c        how elements are read, and what is left of them unread
 *   spec_domain_os.c         the process: os, features, metadata
 *   spec_domain_device.c     consoles and file systems
 *   spec_domain_interface.c  NICs
 *   spec_domain_cpus.c       sets of CPUs
 */
#pragma once

#include "spec_domain.h"
#include "spec_value.h"
#include "xml.h"

/* One domain while it is being read. The elements belong to the XML document. */
typedef struct {
    const DomainOptions *options;
    xmlNode *root;
    VmSpec *spec;
} Domain;

/* spec_domain_xml.c --------------------------------------------------------------------------- */

/*
 * What is read is taken: whatever of the document nobody has taken is told in the end. Only
 * elements and attributes without a namespace are libvirt's.
 */

/* PARENT's first child NAME, taken; NULL when there is none. PARENT may be NULL. */
xmlNode *domain_child(xmlNode *parent, const char *name);
/* The children NAME of PARENT, which may be NULL; xmlNode*, taken. */
GPtrArray *domain_children(xmlNode *parent, const char *name);
/* The text of PARENT's first child NAME, without blanks at its ends; NULL when it is blank. */
gchar *domain_text(xmlNode *parent, const char *name);
/* The attribute NAME of NODE, taken; NULL when it is not there or empty. NODE may be NULL. */
gchar *domain_attribute(xmlNode *node, const char *name);
/* The attribute NAME of PARENT's child CHILD. */
gchar *domain_child_attribute(xmlNode *parent, const char *child, const char *name);
/* Marks NODE and all that is in it: it asks for nothing, or has been told. */
void domain_take_all(xmlNode *node);
/* Names in SPEC what nobody has taken. */
void domain_note_rest(Domain *domain);

/* A number of bytes in NODE's text, or attribute NAME, with the attribute UNITS; KiB if it is not
 * there. LABEL begins the sentence of an error. */
gboolean domain_size(xmlNode *node, const char *name, const char *units, const char *label,
                     gint64 *bytes, GError **error);
/* A whole number in the text of PARENT's first child NAME; *number stays if there is none. */
gboolean domain_number(xmlNode *parent, const char *name, const char *label, const char *unit,
                       gint64 smallest, gint64 largest, gint64 *number, GError **error);

/* spec_domain_os.c ---------------------------------------------------------------------------- */

gboolean domain_take_os(Domain *domain, GError **error);
gboolean domain_take_features(Domain *domain, GError **error);
/* After the others: what elements have said is not said again. */
gboolean domain_take_metadata(Domain *domain, GError **error);

/* spec_domain_device.c, spec_domain_interface.c ----------------------------------------------- */

gboolean domain_take_devices(Domain *domain, GError **error);
gboolean domain_take_interfaces(Domain *domain, xmlNode *devices, GError **error);

/* spec_domain_cpus.c -------------------------------------------------------------------------- */

/* Sets of CPUs, as libvirt writes them: "1-4,^3,8". */
typedef struct CpuSet CpuSet;
CpuSet *cpu_set_new(void);
void cpu_set_free(CpuSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CpuSet, cpu_set_free)
gboolean cpu_set_parse(const char *label, const char *text, CpuSet *set, GError **error);
void cpu_set_add(CpuSet *set, const CpuSet *more);
/* "1-2,4,8" */
gchar *cpu_set_text(const CpuSet *set);

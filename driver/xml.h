// SPDX-License-Identifier: Apache-2.0
/*
 * XML of others. It is foreign input: no document type, no entities are expanded, nothing is
 * loaded, and no more is looked at than the caller allows. Pure.
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* The document of LENGTH bytes; larger input than MAX_SIZE is refused unread. Errors: SPEC. */
xmlDoc *xml_read(const char *xml, gsize length, gsize max_size, GError **error);

gboolean xml_is(const xmlNode *node, const char *name);
/* PARENT's first child NAME; NULL when there is none. PARENT may be NULL. */
const xmlNode *xml_child(const xmlNode *parent, const char *name);
/* The text of a scalar element, blanks at its ends taken off; NULL when it is blank. */
gchar *xml_node_text(const xmlNode *node);
/* The same of PARENT's first child NAME; NULL as well when there is none. PARENT may be NULL. */
gchar *xml_text(const xmlNode *parent, const char *name);

// SPDX-License-Identifier: Apache-2.0
#include "opennebula_monitor.h"

#include "spec_opennebula_private.h"

#include <string.h>

static const xmlNode *child(const xmlNode *parent, const char *name)
{
    for (const xmlNode *node = parent ? parent->children : NULL; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
            return node;
    return NULL;
}

guint64 opennebula_sync_period(const char *xml, gsize length, gsize max_size)
{
    g_autoptr(xmlDoc) doc = xml_read(xml, length, max_size, NULL);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    g_autofree gchar *text = xml_text(child(root, "PROBES_PERIOD"), "SYNC_STATE_VM");
    guint64 period = 0;
    if (!text || !g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT32, &period, NULL))
        return OPENNEBULA_SYNC_DEFAULT_S;
    return period;
}

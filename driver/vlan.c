// SPDX-License-Identifier: Apache-2.0
#include "vlan.h"

#include "xml.h"

#include <string.h>

enum { MAX_VLAN = 4094 };

void vm_vlan_clear(VmVlan *vlan)
{
    g_free(vlan->trunks);
    *vlan = (VmVlan){0};
}

void vm_vlan_copy(VmVlan *to, const VmVlan *from)
{
    *to = *from;
    to->trunks = g_strdup(from->trunks);
}

gboolean vm_vlan_any(const VmVlan *vlan)
{
    return vlan->tag != 0 || vlan->trunks;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

json_t *vm_vlan_json(const VmVlan *vlan)
{
    if (!vm_vlan_any(vlan))
        return json_null();
    return json_pack("{s:i, s:s?, s:b}", "tag", (int)vlan->tag, "trunks", vlan->trunks,
                     "native_tagged", vlan->native_tagged);
}

static gboolean number_valid(const char *text)
{
    guint64 number;
    return g_ascii_string_to_unsigned(text, 10, 1, MAX_VLAN, &number, NULL);
}

static gboolean trunks_valid(const char *trunks)
{
    g_auto(GStrv) numbers = g_strsplit(trunks, ",", -1);
    for (char **number = numbers; *number; number++)
        if (!number_valid(*number))
            return FALSE;
    return numbers[0] != NULL;
}

gboolean vm_vlan_from_json(const json_t *json, VmVlan *vlan)
{
    const json_t *tag = json_object_get(json, "tag");
    const json_t *trunks = json_object_get(json, "trunks");
    const char *text = json_string_value(trunks);
    if (!json || json_is_null(json))
        return TRUE;
    if (!json_is_integer(tag) || json_integer_value(tag) < 0 ||
        json_integer_value(tag) > MAX_VLAN || (text && !trunks_valid(text)) ||
        (!text && trunks && !json_is_null(trunks)))
        return FALSE;
    vlan->tag = (guint)json_integer_value(tag);
    vlan->trunks = g_strdup(text);
    vlan->native_tagged = json_is_true(json_object_get(json, "native_tagged"));
    return TRUE;
}

/* ---- XML ------------------------------------------------------------------------------------- */

/* An element while it is being read. */
typedef struct {
    gboolean named[MAX_VLAN + 1];
    guint count, last, native;
    gboolean native_tagged;
} Tags;

static gchar *attribute(const xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
    gchar *text = g_strdup((const gchar *)value);
    xmlFree(value);
    return text;
}

static const char *take_native(const xmlNode *node, guint number, Tags *tags)
{
    g_autofree gchar *mode = attribute(node, "nativeMode");
    if (!mode)
        return NULL;
    if (tags->native != 0)
        return "has two native VLANs";
    if (strcmp(mode, "tagged") != 0 && strcmp(mode, "untagged") != 0)
        return "has a native VLAN that is neither tagged nor untagged";
    tags->native = number;
    tags->native_tagged = strcmp(mode, "tagged") == 0;
    return NULL;
}

static const char *take_tag(const xmlNode *node, Tags *tags)
{
    g_autofree gchar *id = attribute(node, "id");
    guint64 number;
    if (!id || !g_ascii_string_to_unsigned(id, 10, 1, MAX_VLAN, &number, NULL))
        return "has a VLAN whose number is none from 1 to 4094";
    tags->last = (guint)number;
    tags->count += tags->named[number] ? 0 : 1;
    tags->named[number] = TRUE;
    return take_native(node, tags->last, tags);
}

static gchar *trunks_of(const Tags *tags)
{
    GString *text = g_string_new(NULL);
    for (guint number = 1; number <= MAX_VLAN; number++)
        if (tags->named[number])
            g_string_append_printf(text, "%s%u", text->len ? "," : "", number);
    return g_string_free(text, FALSE);
}

const char *vm_vlan_read(const xmlNode *node, VmVlan *vlan)
{
    g_autofree Tags *tags = g_new0(Tags, 1);
    g_autofree gchar *word = attribute(node, "trunk");
    const char *why = NULL;
    for (const xmlNode *tag = node->children; tag && !why; tag = tag->next)
        if (xml_is(tag, "tag"))
            why = take_tag(tag, tags);
    gboolean trunk = tags->count > 1 || g_strcmp0(word, "yes") == 0;
    if (why)
        return why;
    if (tags->count == 0)
        return "has a VLAN without a number";
    if (tags->count > 1 && word && strcmp(word, "yes") != 0)
        return "has several VLANs, and is to be no trunk";
    if (tags->native != 0 && !trunk)
        return "has a native VLAN, and is no trunk";
    vlan->tag = trunk ? tags->native : tags->last;
    vlan->trunks = trunk ? trunks_of(tags) : NULL;
    vlan->native_tagged = tags->native_tagged;
    return NULL;
}

static void add_tag(xmlNode *parent, const VmVlan *vlan, const char *number)
{
    g_autofree gchar *native = g_strdup_printf("%u", vlan->tag);
    xmlNode *node = xmlNewChild(parent, NULL, (const xmlChar *)"tag", NULL);
    xmlNewProp(node, (const xmlChar *)"id", (const xmlChar *)number);
    if (vlan->trunks && strcmp(number, native) == 0)
        xmlNewProp(node, (const xmlChar *)"nativeMode",
                   (const xmlChar *)(vlan->native_tagged ? "tagged" : "untagged"));
}

void vm_vlan_write(xmlNode *parent, const VmVlan *vlan)
{
    g_autofree gchar *tag = g_strdup_printf("%u", vlan->tag);
    g_auto(GStrv) numbers = g_strsplit(vlan->trunks ? vlan->trunks : tag, ",", -1);
    xmlNode *node = xmlNewChild(parent, NULL, (const xmlChar *)"vlan", NULL);
    if (vlan->trunks)
        xmlNewProp(node, (const xmlChar *)"trunk", (const xmlChar *)"yes");
    for (char **number = numbers; *number; number++)
        add_tag(node, vlan, *number);
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_opennebula_private.h"

#include <string.h>

static const xmlNode *find_vm(xmlDoc *doc, GError **error)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    if (root && xml_is(root, "VM"))
        return root;
    if (root && xml_is(root, "VMM_DRIVER_ACTION_DATA")) {
        const xmlNode *vm = xml_child(root, "VM");
        if (!vm)
            spec_fail(error, "the XML has no VM in its VMM_DRIVER_ACTION_DATA");
        return vm;
    }
    g_autofree gchar *shown = spec_shown(root ? (const char *)root->name : "");
    spec_fail(error, "the XML is of \"%s\", not of a VM", shown);
    return NULL;
}

xmlDoc *one_xml_parse(const char *xml, gsize length, gsize max_size, const xmlNode **vm,
                      GError **error)
{
    g_autoptr(xmlDoc) doc = xml_read(xml, length, max_size, error);
    *vm = doc ? find_vm(doc, error) : NULL;
    return *vm ? g_steal_pointer(&doc) : NULL;
}

gchar *one_template_text(const OneVm *one, const char *name)
{
    for (guint i = 0; i < one->templates->len; i++) {
        gchar *text = xml_text(one->templates->pdata[i], name);
        if (text)
            return text;
    }
    return NULL;
}

GPtrArray *one_children(const GPtrArray *parents, const char *name)
{
    GPtrArray *found = g_ptr_array_new();
    for (guint i = 0; i < parents->len; i++) {
        const xmlNode *parent = parents->pdata[i];
        for (xmlNode *node = parent->children; node; node = node->next)
            if (xml_is(node, name))
                g_ptr_array_add(found, node);
    }
    return found;
}

const char *one_context(const OneVm *one, const char *prefix, const char *key)
{
    if (!prefix)
        return NULL;
    g_autofree gchar *name = g_strdup_printf("%s_%s", prefix, key);
    return g_hash_table_lookup(one->context, name);
}

static void read_context(OneVm *one)
{
    g_autoptr(GPtrArray) parts = one_children(one->templates, "CONTEXT");
    for (guint i = 0; i < parts->len; i++) {
        const xmlNode *part = parts->pdata[i];
        for (const xmlNode *node = part->children; node; node = node->next) {
            gchar *value = node->type == XML_ELEMENT_NODE ? xml_node_text(node) : NULL;
            if (!value || g_hash_table_contains(one->context, node->name)) {
                g_free(value);
                continue;
            }
            gchar *name = g_strdup((const char *)node->name);
            g_hash_table_insert(one->context, name, value);
            g_ptr_array_add(one->context_names, name);
        }
    }
}

OneVm *one_vm_new(const xmlNode *vm, const OpennebulaOptions *options)
{
    OneVm *one = g_new0(OneVm, 1);
    g_autoptr(GPtrArray) self = g_ptr_array_new();
    g_ptr_array_add(self, (gpointer)vm);
    one->options = options;
    one->vm = vm;
    one->templates = one_children(self, "TEMPLATE");
    one->user_templates = one_children(self, "USER_TEMPLATE");
    one->context = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    one->context_names = g_ptr_array_new();
    one->more_disks = g_ptr_array_new();
    one->spec = vm_spec_new();
    read_context(one);
    return one;
}

void one_vm_free(OneVm *one)
{
    if (!one)
        return;
    g_ptr_array_unref(one->templates);
    g_ptr_array_unref(one->user_templates);
    g_ptr_array_unref(one->context_names);
    g_hash_table_unref(one->context);
    g_ptr_array_unref(one->more_disks);
    vm_spec_free(one->spec);
    g_free(one);
}

void one_note(OneVm *one, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    spec_note_va(one->spec, format, args);
    va_end(args);
}

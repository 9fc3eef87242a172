// SPDX-License-Identifier: Apache-2.0
#include "error.h"
#include "spec_opennebula_private.h"

#include <libxml/parser.h>
#include <string.h>

enum {
    MAX_SHOWN = 80,      /* bytes of foreign text in a sentence */
    MAX_LISTED = 12,     /* words in a list */
    MAX_SENTENCES = 200, /* of what is not honoured */
    MAX_SENTENCE = 400,  /* bytes of one */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

/* What the parser complained of first: what follows is mostly its consequence. */
typedef struct {
    gchar *message;
    int line;
} Complaint;

#if LIBXML_VERSION >= 21200
typedef const xmlError XmlError;
#else
typedef xmlError XmlError;
#endif

static void take_complaint(void *data, XmlError *error)
{
    Complaint *complaint = data;
    if (complaint->message || error->level < XML_ERR_ERROR)
        return;
    complaint->message = vmdock_one_line(error->message, MAX_SENTENCE);
    complaint->line = error->line;
}

/* A document type is the door to entities; it is shut before the first declaration is read. */
static void refuse_doctype(void *data, G_GNUC_UNUSED const xmlChar *name,
                           G_GNUC_UNUSED const xmlChar *external,
                           G_GNUC_UNUSED const xmlChar *system)
{
    xmlParserCtxt *parser = data;
    Complaint *complaint = parser->_private;
    if (!complaint->message) {
        complaint->message = g_strdup("a document type (DOCTYPE) is not allowed");
        complaint->line = parser->input ? parser->input->line : 1;
    }
    xmlStopParser(parser);
}

static xmlDoc *parse_quietly(const char *xml, int length, Complaint *complaint)
{
    g_autoptr(xmlParserCtxt) parser = xmlNewParserCtxt();
    if (!parser)
        return NULL;
    parser->sax->internalSubset = refuse_doctype;
    parser->_private = complaint;
    /* The library's own handler prints; this one is the thread's, so it is put back. */
    xmlStructuredErrorFunc old = xmlStructuredError;
    void *old_data = xmlStructuredErrorContext;
    xmlSetStructuredErrorFunc(complaint, take_complaint);
    g_autoptr(xmlDoc) doc = xmlCtxtReadMemory(
        parser, xml, length, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
    xmlSetStructuredErrorFunc(old_data, old);
    return complaint->message ? NULL : g_steal_pointer(&doc);
}

static gboolean is_named(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static const xmlNode *first_child(const xmlNode *parent, const char *name)
{
    for (const xmlNode *node = parent ? parent->children : NULL; node; node = node->next)
        if (is_named(node, name))
            return node;
    return NULL;
}

static const xmlNode *find_vm(xmlDoc *doc, GError **error)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    if (root && is_named(root, "VM"))
        return root;
    if (root && is_named(root, "VMM_DRIVER_ACTION_DATA")) {
        const xmlNode *vm = first_child(root, "VM");
        if (!vm)
            spec_fail(error, "the XML has no VM in its VMM_DRIVER_ACTION_DATA");
        return vm;
    }
    g_autofree gchar *shown = one_shown(root ? (const char *)root->name : "");
    spec_fail(error, "the XML is of \"%s\", not of a VM", shown);
    return NULL;
}

xmlDoc *one_xml_read(const char *xml, gsize length, gsize max_size, GError **error)
{
    if (length > MIN(max_size, G_MAXINT)) {
        spec_fail(error, "the XML is larger than %" G_GSIZE_FORMAT " bytes", max_size);
        return NULL;
    }
    if (length == 0) {
        spec_fail(error, "the XML is empty");
        return NULL;
    }
    Complaint complaint = {0};
    g_autoptr(xmlDoc) doc = parse_quietly(xml, (int)length, &complaint);
    g_autofree gchar *message = complaint.message;
    if (!doc)
        spec_fail(error, "the XML cannot be read: line %d: %s", complaint.line,
                  message ? message : "no memory");
    return g_steal_pointer(&doc);
}

xmlDoc *one_xml_parse(const char *xml, gsize length, gsize max_size, const xmlNode **vm,
                      GError **error)
{
    g_autoptr(xmlDoc) doc = one_xml_read(xml, length, max_size, error);
    *vm = doc ? find_vm(doc, error) : NULL;
    return *vm ? g_steal_pointer(&doc) : NULL;
}

gchar *one_node_text(const xmlNode *node)
{
    GString *text = g_string_new(NULL);
    for (const xmlNode *part = node->children; part; part = part->next)
        if ((part->type == XML_TEXT_NODE || part->type == XML_CDATA_SECTION_NODE) && part->content)
            g_string_append(text, (const char *)part->content);
    gchar *plain = g_strstrip(g_string_free(text, FALSE));
    if (*plain)
        return plain;
    g_free(plain);
    return NULL;
}

gchar *one_text(const xmlNode *parent, const char *name)
{
    const xmlNode *node = first_child(parent, name);
    return node ? one_node_text(node) : NULL;
}

gchar *one_template_text(const OneVm *one, const char *name)
{
    for (guint i = 0; i < one->templates->len; i++) {
        gchar *text = one_text(one->templates->pdata[i], name);
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
            if (is_named(node, name))
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
            gchar *value = node->type == XML_ELEMENT_NODE ? one_node_text(node) : NULL;
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
    GPtrArray *notes = one->spec->not_honoured;
    va_list args;
    va_start(args, format);
    g_autofree gchar *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree gchar *sentence = vmdock_one_line(text, MAX_SENTENCE);
    if (notes->len > MAX_SENTENCES ||
        g_ptr_array_find_with_equal_func(notes, sentence, g_str_equal, NULL))
        return;
    if (notes->len == MAX_SENTENCES)
        g_ptr_array_add(notes, g_strdup("more is asked for and not honoured than is told here"));
    else
        g_ptr_array_add(notes, g_steal_pointer(&sentence));
}

gchar *one_shown(const char *text)
{
    return vmdock_one_line(text, MAX_SHOWN);
}

gboolean one_number(const char *what, const char *text, const char *unit, guint64 smallest,
                    guint64 largest, guint64 *number, GError **error)
{
    if (g_ascii_string_to_unsigned(text, 10, smallest, largest, number, NULL))
        return TRUE;
    g_autofree gchar *shown = one_shown(text);
    return spec_fail(
        error, "%s: \"%s\" is no number of %s within %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT,
        what, shown, unit, smallest, largest);
}

gchar *one_join(const GPtrArray *words)
{
    GString *text = g_string_new(NULL);
    guint shown = words->len > MAX_LISTED + 1 ? MAX_LISTED : words->len;
    for (guint i = 0; i < shown; i++) {
        if (i > 0)
            g_string_append(text, i + 1 == words->len ? " and " : ", ");
        g_autofree gchar *word = one_shown(words->pdata[i]);
        g_string_append(text, word);
    }
    if (shown < words->len)
        g_string_append_printf(text, " and %u more", words->len - shown);
    return g_string_free(text, FALSE);
}

const char *one_are(const GPtrArray *words)
{
    return words->len == 1 ? "is" : "are";
}

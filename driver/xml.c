// SPDX-License-Identifier: Apache-2.0
#include "xml.h"

#include "error.h"
#include "spec.h"

#include <libxml/parser.h>
#include <string.h>

enum {
    MAX_SHOWN = 80,    /* bytes of foreign text in a sentence */
    MAX_MESSAGE = 400, /* bytes of the parser's own words */
};

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
    complaint->message = vmdock_one_line(error->message, MAX_MESSAGE);
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

gboolean xml_is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

const xmlNode *xml_child(const xmlNode *parent, const char *name)
{
    for (const xmlNode *node = parent ? parent->children : NULL; node; node = node->next)
        if (xml_is(node, name))
            return node;
    return NULL;
}

xmlDoc *xml_read(const char *xml, gsize length, gsize max_size, GError **error)
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

gchar *xml_node_text(const xmlNode *node)
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

gchar *xml_text(const xmlNode *parent, const char *name)
{
    const xmlNode *node = xml_child(parent, name);
    return node ? xml_node_text(node) : NULL;
}

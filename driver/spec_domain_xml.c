// SPDX-License-Identifier: Apache-2.0
#include "spec_domain_private.h"

#include <string.h>

/* A node of the document bears this once it has been read. */
static char taken_mark;

static gboolean is_own(const xmlNode *node, const char *name)
{
    return xml_is(node, name) && !node->ns;
}

xmlNode *domain_child(xmlNode *parent, const char *name)
{
    for (xmlNode *node = parent ? parent->children : NULL; node; node = node->next) {
        if (!is_own(node, name))
            continue;
        node->_private = &taken_mark;
        return node;
    }
    return NULL;
}

GPtrArray *domain_children(xmlNode *parent, const char *name)
{
    GPtrArray *found = g_ptr_array_new();
    for (xmlNode *node = parent ? parent->children : NULL; node; node = node->next) {
        if (!is_own(node, name))
            continue;
        node->_private = &taken_mark;
        g_ptr_array_add(found, node);
    }
    return found;
}

gchar *domain_text(xmlNode *parent, const char *name)
{
    const xmlNode *node = domain_child(parent, name);
    return node ? xml_node_text(node) : NULL;
}

gchar *domain_attribute(xmlNode *node, const char *name)
{
    xmlAttr *attribute = node ? xmlHasProp(node, (const xmlChar *)name) : NULL;
    if (!attribute || attribute->ns)
        return NULL;
    attribute->_private = &taken_mark;
    xmlChar *value = xmlNodeListGetString(node->doc, attribute->children, 1);
    gchar *text = value && *value ? g_strdup((const char *)value) : NULL;
    xmlFree(value);
    return text;
}

gchar *domain_child_attribute(xmlNode *parent, const char *child, const char *name)
{
    return domain_attribute(domain_child(parent, child), name);
}

static void take_attributes(xmlNode *node)
{
    for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
        attribute->_private = &taken_mark;
}

/* Not by recursion into others' depth: the parser has bounded it. */
void domain_take_all(xmlNode *node)
{
    if (!node || node->type != XML_ELEMENT_NODE)
        return;
    node->_private = &taken_mark;
    take_attributes(node);
    for (xmlNode *child = node->children; child; child = child->next)
        domain_take_all(child);
}

/* ---- values ---------------------------------------------------------------------------------- */

enum { MAX_TERABYTES = 100 }; /* more is a slip of the pen */

#define MAX_BYTES ((guint64)MAX_TERABYTES << 40)

/* libvirt's units: k, KiB = 1024 bytes, KB = 1000 bytes, and so on. */
static guint64 unit_bytes(const char *unit)
{
    static const char letters[] = "kmgt";
    if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "byte") == 0 ||
        g_ascii_strcasecmp(unit, "bytes") == 0)
        return 1;
    const char *letter = *unit ? strchr(letters, g_ascii_tolower(*unit)) : NULL;
    guint64 base;
    if (letter && (unit[1] == '\0' || g_ascii_strcasecmp(unit + 1, "iB") == 0))
        base = 1024;
    else if (letter && g_ascii_strcasecmp(unit + 1, "B") == 0)
        base = 1000;
    else
        return 0;
    guint64 bytes = base;
    for (gssize i = letter - letters; i > 0; i--)
        bytes *= base;
    return bytes;
}

gboolean domain_size(xmlNode *node, const char *name, const char *units, const char *label,
                     gint64 *bytes, GError **error)
{
    g_autofree gchar *unit = domain_attribute(node, units);
    g_autofree gchar *text = name ? domain_attribute(node, name) : xml_node_text(node);
    guint64 scale = unit_bytes(unit ? unit : "KiB"), number;
    if (scale == 0) {
        g_autofree gchar *shown = spec_shown(unit);
        return spec_fail(error, "%s: \"%s\" is no unit of memory", label, shown);
    }
    if (!spec_number(label, text ? text : "", unit ? unit : "KiB", 0, MAX_BYTES / scale, &number,
                     error))
        return FALSE;
    *bytes = (gint64)(number * scale);
    return TRUE;
}

gboolean domain_number(xmlNode *parent, const char *name, const char *label, const char *unit,
                       gint64 smallest, gint64 largest, gint64 *number, GError **error)
{
    xmlNode *node = domain_child(parent, name);
    g_autofree gchar *text = node ? xml_node_text(node) : NULL;
    if (!node)
        return TRUE;
    if (text && g_ascii_string_to_signed(text, 10, smallest, largest, number, NULL))
        return TRUE;
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(
        error, "%s/%s: \"%s\" is no number of %s within %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT,
        label, name, shown, unit, smallest, largest);
}

/* ---- what is left ---------------------------------------------------------------------------- */

/* Why, where there is more to say than that it is not honoured; by the element's name. */
static const struct {
    const char *name, *why;
} reasons[] = {
    {"channel", "a container has no guest agent"},
    {"controller", "a container has no such hardware"},
    {"cpu", "a container has the host's CPUs"},
    {"disk", "a container has no disks, but file systems"},
    {"filterref", "libvirt's filters are its own; FILTER in the metadata is vmdock's"},
    {"graphics", "a container has no screen"},
    {"input", "a container has no input devices"},
    {"memballoon", "a container needs none"},
    {"model", "a container has no such hardware"},
    {"rng", "a container has the host's"},
    {"sound", "a container has no such hardware"},
    {"video", "a container has no screen"},
    {"watchdog", "a container has no such hardware"},
};

static const char *reason_of(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++)
        if (strcmp(reasons[i].name, name) == 0)
            return reasons[i].why;
    return NULL;
}

/* "NIC 1", as in all other sentences; "memtune", "devices/console". */
static gchar *place_of(const xmlNode *node)
{
    guint number = 0;
    for (const xmlNode *before = node->prev; before; before = before->prev)
        if (xml_is(before, (const char *)node->name))
            number++;
    if (strcmp((const char *)node->name, "interface") == 0)
        return g_strdup_printf("NIC %u", number);
    if (strcmp((const char *)node->name, "filesystem") == 0)
        return g_strdup_printf("file system %u", number);
    return g_strdup((const char *)node->name);
}

static void add_name(GPtrArray *names, const char *prefix, const xmlNs *ns, const xmlChar *word)
{
    const char *space = ns && ns->prefix ? (const char *)ns->prefix : "";
    gchar *name = g_strconcat(prefix, space, *space ? ":" : "", (const char *)word, NULL);
    if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_free(name);
    else
        g_ptr_array_add(names, name);
}

/* Sentences for NODE, which has been read, and all below it that has not. */
static void note_below(Domain *domain, xmlNode *node, const char *path)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *colon = *path ? ": " : "";
    for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
        if (!attribute->_private)
            add_name(names, "@", attribute->ns, attribute->name);
    for (xmlNode *child = node->children; child; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        const char *why = reason_of((const char *)child->name);
        if (!child->_private && why && !child->ns)
            spec_note(domain->spec, "%s%s%s is not honoured: %s", path, colon,
                      (const char *)child->name, why);
        else if (!child->_private)
            add_name(names, "", child->ns, child->name);
    }
    g_autofree gchar *list = spec_join(names);
    if (names->len > 0)
        spec_note(domain->spec, "%s%s%s %s not honoured", path, colon, list, spec_are(names));
}

static void walk(Domain *domain, xmlNode *node, const char *path)
{
    note_below(domain, node, path);
    for (xmlNode *child = node->children; child; child = child->next) {
        if (child->type != XML_ELEMENT_NODE || !child->_private)
            continue;
        g_autofree gchar *place = place_of(child);
        gboolean own = *path == '\0' || strcmp(path, "devices") == 0;
        g_autofree gchar *below = own ? g_strdup(place) : g_strconcat(path, "/", place, NULL);
        walk(domain, child, below);
    }
}

void domain_note_rest(Domain *domain)
{
    walk(domain, domain->root, "");
}

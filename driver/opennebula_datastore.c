// SPDX-License-Identifier: Apache-2.0
#include "opennebula_datastore.h"

#include "spec_opennebula_private.h"

#include <libxml/parser.h>
#include <string.h>

enum { MAX_ID = 20, MAX_SNAPSHOTS = 4096 };

static const xmlNode *child(const xmlNode *parent, const char *name)
{
    for (const xmlNode *node = parent ? parent->children : NULL; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
            return node;
    return NULL;
}

static GStrv words(const xmlNode *template, const char *name)
{
    g_autofree gchar *text = xml_text(template, name);
    g_auto(GStrv) parts = g_strsplit_set(text ? text : "", " \t\r\n,", -1);
    GPtrArray *list = g_ptr_array_new();
    for (gsize i = 0; parts[i]; i++)
        if (*parts[i])
            g_ptr_array_add(list, g_strdup(parts[i]));
    g_ptr_array_add(list, NULL);
    return (GStrv)g_ptr_array_free(list, FALSE);
}

/* An id becomes part of file names. */
static gboolean take_id(const xmlNode *parent, const char *of, gchar **id, GError **error)
{
    g_autofree gchar *text = xml_text(parent, "ID");
    if (!text)
        return TRUE;
    if (strlen(text) > MAX_ID || text[strspn(text, "0123456789")] != '\0') {
        g_autofree gchar *shown = spec_shown(text);
        return spec_fail(error, "%s/ID: \"%s\" is no id", of, shown);
    }
    *id = g_steal_pointer(&text);
    return TRUE;
}

static gboolean take_base_path(DatastoreMessage *message, const xmlNode *datastore, GError **error)
{
    g_autofree gchar *text = xml_text(datastore, "BASE_PATH");
    if (!text)
        return spec_fail(error, "DATASTORE has no BASE_PATH");
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    gboolean plain = text[0] == '/';
    for (gsize i = 0; parts[i]; i++)
        plain = plain && strcmp(parts[i], "..") != 0 && !strchr(parts[i], ':');
    /* GLib keeps two slashes at the front. */
    message->base_path = g_canonicalize_filename(text + strspn(text, "/"), "/");
    if (plain && strcmp(message->base_path, "/") != 0)
        return TRUE;
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(error, "DATASTORE/BASE_PATH: \"%s\" is not the absolute path of a folder",
                     shown);
}

static gboolean take_datastore(DatastoreMessage *message, const xmlNode *datastore, GError **error)
{
    if (!datastore)
        return spec_fail(error, "the message has no DATASTORE");
    const xmlNode *template = child(datastore, "TEMPLATE");
    message->registry = xml_text(template, "REGISTRY");
    message->insecure = words(template, "REGISTRY_INSECURE");
    message->safe = words(template, "SAFE_DIRS");
    message->restricted = words(template, "RESTRICTED_DIRS");
    if (!take_id(datastore, "DATASTORE", &message->id, error) ||
        !take_base_path(message, datastore, error))
        return FALSE;
    return message->id || spec_fail(error, "DATASTORE has no ID");
}

static gboolean take_number(const xmlNode *image, const char *name, guint64 *number, GError **error)
{
    g_autofree gchar *text = xml_text(image, name);
    g_autofree gchar *label = g_strconcat("IMAGE/", name, NULL);
    return !text || spec_number(label, text, "MB", 0, G_MAXINT64, number, error);
}

/* Snapshots are numbered from 0; -1 stands for none. */
static gboolean take_snapshot(const char *label, const char *text, gint64 *id, GError **error)
{
    guint64 number = 0;
    *id = -1;
    if (!text || strcmp(text, "-1") == 0)
        return TRUE;
    if (!spec_number(label, text, "a snapshot", 0, G_MAXINT32, &number, error))
        return FALSE;
    *id = (gint64)number;
    return TRUE;
}

static gboolean take_snapshots(DatastoreMessage *message, const xmlNode *image, GError **error)
{
    g_autofree gchar *target = xml_text(image, "TARGET_SNAPSHOT");
    if (!take_snapshot("IMAGE/TARGET_SNAPSHOT", target, &message->snapshot, error))
        return FALSE;
    const xmlNode *list = child(image, "SNAPSHOTS");
    for (const xmlNode *node = list ? list->children : NULL; node; node = node->next) {
        g_autofree gchar *text = xml_text(node, "ID");
        gint64 id = -1;
        if (node->type != XML_ELEMENT_NODE || !text)
            continue;
        if (!take_snapshot("IMAGE/SNAPSHOTS/SNAPSHOT/ID", text, &id, error))
            return FALSE;
        if (message->snapshots->len == MAX_SNAPSHOTS)
            return spec_fail(error, "IMAGE/SNAPSHOTS: more than %d", MAX_SNAPSHOTS);
        guint64 number = (guint64)MAX(id, 0);
        g_array_append_val(message->snapshots, number);
    }
    return TRUE;
}

static gboolean take_image(DatastoreMessage *message, const xmlNode *image, GError **error)
{
    g_autofree gchar *persistent = xml_text(image, "PERSISTENT");
    message->persistent = persistent && strcmp(persistent, "1") == 0;
    message->path = xml_text(image, "PATH");
    message->source = xml_text(image, "SOURCE");
    message->format = xml_text(image, "FORMAT");
    return take_id(image, "IMAGE", &message->image_id, error) &&
           take_number(image, "SIZE", &message->size_mb, error) &&
           take_snapshots(message, image, error);
}

/* One that is not XML is base64, as the front end sends it. */
static gchar *decode(const char *text, gsize length, gsize *size)
{
    g_autofree gchar *whole = g_strndup(text, length);
    const char *start = whole + strspn(whole, " \t\r\n");
    if (*start == '<' || *start == '\0' || *start == '\xef') {
        *size = strlen(start);
        return g_strdup(start);
    }
    return (gchar *)g_base64_decode(start, size);
}

DatastoreMessage *datastore_message_parse(const char *text, gsize length, gsize max, GError **error)
{
    gsize size = 0;
    g_autofree gchar *xml = decode(text, length, &size);
    g_autoptr(xmlDoc) doc = xml_read(xml, size, max, error);
    if (!doc)
        return NULL;
    const xmlNode *root = xmlDocGetRootElement(doc);
    gboolean alone = root && strcmp((const char *)root->name, "DATASTORE") == 0;
    if (!root || (!alone && strcmp((const char *)root->name, "DS_DRIVER_ACTION_DATA") != 0)) {
        g_autofree gchar *shown = spec_shown(root ? (const char *)root->name : "");
        spec_fail(error, "the XML is of \"%s\", not of a datastore action", shown);
        return NULL;
    }
    g_autoptr(DatastoreMessage) message = g_new0(DatastoreMessage, 1);
    message->snapshot = -1;
    message->snapshots = g_array_new(FALSE, FALSE, sizeof(guint64));
    if (!take_datastore(message, alone ? root : child(root, "DATASTORE"), error) ||
        !take_image(message, alone ? NULL : child(root, "IMAGE"), error))
        return NULL;
    return g_steal_pointer(&message);
}

void datastore_message_free(DatastoreMessage *message)
{
    if (!message)
        return;
    g_free(message->id);
    g_free(message->base_path);
    g_free(message->registry);
    g_strfreev(message->insecure);
    g_strfreev(message->safe);
    g_strfreev(message->restricted);
    g_free(message->image_id);
    g_free(message->path);
    g_free(message->source);
    g_free(message->format);
    g_array_unref(message->snapshots);
    g_free(message);
}

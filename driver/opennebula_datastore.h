// SPDX-License-Identifier: Apache-2.0
/*
 * The message that OpenNebula sends a datastore action on stdin: DS_DRIVER_ACTION_DATA in base64,
 * or as it is. Pure.
 *
 * Contract: the datastore drivers of OpenNebula 4.14 to 7.4. stat sends PATH and DATASTORE alone,
 * monitor DATASTORE alone; clone has the SOURCE of the image it copies in PATH.
 */
#pragma once

#include <glib.h>

typedef struct {
    gchar *id;        /* DATASTORE/ID: digits */
    gchar *base_path; /* absolute, without "..", "." and "//" */
    gchar *registry;  /* TEMPLATE/REGISTRY; NULL where images are kept below base_path */
    GStrv insecure;   /* the words of TEMPLATE/REGISTRY_INSECURE */
    GStrv safe;       /* those of TEMPLATE/SAFE_DIRS and RESTRICTED_DIRS: absolute paths */
    GStrv restricted;
    gchar *image_id; /* IMAGE/ID: digits; NULL in stat and monitor */
    gchar *path;     /* IMAGE/PATH, SOURCE and FORMAT; NULL where they say nothing */
    gchar *source;
    gchar *format;
    guint64 size_mb; /* IMAGE/SIZE, 0 where it says nothing */
    gboolean persistent;
    gint64 snapshot;   /* IMAGE/TARGET_SNAPSHOT, -1 if none */
    GArray *snapshots; /* guint64: the ids of IMAGE/SNAPSHOTS */
} DatastoreMessage;

/*
 * Reads TEXT, of which at most MAX bytes of XML are looked at: such a message, or a DATASTORE
 * alone, as `onedatastore show --xml` prints it. Errors: SPEC, with a sentence that
 * names the element.
 */
DatastoreMessage *datastore_message_parse(const char *text, gsize length, gsize max,
                                          GError **error);
void datastore_message_free(DatastoreMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DatastoreMessage, datastore_message_free)

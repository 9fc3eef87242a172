// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the datastore actions share, and nobody else includes:
 *   datastore.c           stat, monitor, export; the session
 *   datastore_fetch.c     what an image is made from
 *   datastore_store.c     cp, clone, mkfs: where it goes
 *   datastore_remove.c    rm
 *   datastore_snapshot.c  snapshots
 *   datastore_transfer.c  what transfers need of a registry
 */
#pragma once

#include "datastore.h"
#include "datastore_source.h"
#include "datastore_work.h"
#include "skopeo.h"
#include "undo.h"

/* One action while it runs. */
typedef struct {
    const Datastore *datastore;
    DatastoreWork *work;
    gchar *auth;
    gchar *cert_dir;
    Skopeo skopeo;
} DatastoreSession;

/* The working folder, and the credentials and certificates of this datastore. */
DatastoreSession *datastore_session_new(const Datastore *datastore, GError **error);
void datastore_session_free(DatastoreSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DatastoreSession, datastore_session_free)

/* An image that skopeo can read or write; owns what SkopeoImage points to. */
typedef struct {
    gchar *name;
    gchar *label;
    gboolean insecure;
} DatastoreImage;

DatastoreImage *datastore_image_new(const char *name, const char *label);
/* REF in its registry, by TAG or DIGEST as datastore_reference() has them. */
DatastoreImage *datastore_image_of(const DatastoreSession *session, const ImageRef *ref,
                                   const char *tag, const char *digest);
SkopeoImage datastore_image_view(const DatastoreImage *image);
void datastore_image_free(DatastoreImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DatastoreImage, datastore_image_free)

/* The text of ELEMENT; SPEC when it is NULL. */
gboolean datastore_need(const char *text, const char *element, GError **error);

/* The file that SOURCE may be read from, with the rule for its kind; POLICY, IO, NO_IMAGE. */
int datastore_open_file(const Datastore *datastore, const DatastoreSource *source, GError **error);
/* SOURCE as skopeo can read it: a file's and a URL's archive is in the working folder then. */
DatastoreImage *datastore_fetch(DatastoreSession *session, const DatastoreSource *source,
                                GError **error);
/* The empty image. */
DatastoreImage *datastore_fetch_empty(DatastoreSession *session, GError **error);

/* The digest of what TAG stands for in REF's repository, or REF itself where TAG is NULL. */
gchar *datastore_digest(const DatastoreSession *session, const ImageRef *ref, const char *tag,
                        GError **error);
/* Deletes a manifest with its tags; fine if it is not there. */
gboolean datastore_delete(const DatastoreSession *session, const ImageRef *ref, const char *tag,
                          const char *digest, GError **error);
/* The tags that REF's repository has, none where the registry does not know it. */
GStrv datastore_tags(const DatastoreSession *session, const ImageRef *ref, GError **error);

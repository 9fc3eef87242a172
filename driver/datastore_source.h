// SPDX-License-Identifier: Apache-2.0
/*
 * What an image of a datastore is made from, and what it is called there. Pure.
 *
 * An image that lies in the datastore has a name of its own, "<image id>-<12 hex digits>". With a
 * registry it is the only one in the repository <registry>/vmdock/<name>; without, it is the file
 * <base path>/<name>. Nothing is shared, so what is removed of one image is missed by no other.
 *
 *   SOURCE                                    tags in the repository, or files
 *   docker://REGISTRY/vmdock/NAME@sha256:…    latest, and that digest
 *   docker://REGISTRY/vmdock/NAME:latest      latest: an image that will be written to
 *   docker://REGISTRY/REPOSITORY@sha256:…     nothing: a reference that is not the datastore's own
 *   docker-archive:BASE_PATH/NAME             the file, of the form of docker save
 *   snapshot N of an image                    tag snap-N, or the file BASE_PATH/NAME.snap/N
 */
#pragma once

#include "image_ref.h"
#include "opennebula_datastore.h"

#define DATASTORE_ARCHIVE_SCHEME "docker-archive:"
#define DATASTORE_TAG            "latest"

typedef enum {
    DATASTORE_SOURCE_REFERENCE, /* docker://nginx, nginx */
    DATASTORE_SOURCE_FILE,      /* /var/tmp/image.tar */
    DATASTORE_SOURCE_URL,       /* http://server/image.tar */
    DATASTORE_SOURCE_ARCHIVE,   /* docker-archive:/var/lib/one/datastores/1/5-0123456789ab */
} DatastoreSourceKind;

typedef struct {
    DatastoreSourceKind kind;
    ImageRef *ref; /* REFERENCE only */
    gchar *place;  /* the path or URL; for a REFERENCE how it is named in a sentence */
} DatastoreSource;

/* From PATH or SOURCE of an image. Errors: SPEC, with a sentence that names TEXT. */
DatastoreSource *datastore_source_parse(const char *text, GError **error);
void datastore_source_free(DatastoreSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DatastoreSource, datastore_source_free)

/* "docker://docker.io/library/nginx@sha256:…": the registry is always named, DIGEST wins over TAG,
 * and the reference's own are taken where both are NULL. */
gchar *datastore_reference(const ImageRef *ref, const char *tag, const char *digest);

/* "5-0123456789ab", never the same twice. */
gchar *datastore_name_new(const char *image_id);
/* True if NAME is one that datastore_name_new() makes for IMAGE_ID, or for any image if NULL. */
gboolean datastore_name_is_own(const char *name, const char *image_id);

/* The repository <REGISTRY>/vmdock/<NAME>; SPEC unless REGISTRY is "host:port" or "host:port/…". */
ImageRef *datastore_repository(const char *registry, const char *name, GError **error);
/* True if REF is a repository that REGISTRY has for IMAGE_ID alone. */
gboolean datastore_repository_is_own(const ImageRef *ref, const char *registry,
                                     const char *image_id);
/* True if PATH is BASE_PATH's file for IMAGE_ID alone. */
gboolean datastore_file_is_own(const char *path, const char *base_path, const char *image_id);
/*
 * True if PATH is the file of any image in a datastore beside BASE_PATH: what a clone into another
 * datastore may read.
 */
gboolean datastore_file_is_image(const char *path, const char *base_path);

/* "snap-3", and "<path>.snap", in which snapshot 3 is the file "3". */
gchar *datastore_snapshot_tag(gint64 id);
gchar *datastore_snapshot_folder(const char *path);

/*
 * True if plain http, or https with any certificate, will do for REGISTRY: on loopback always; else
 * where the datastore's REGISTRY_INSECURE names it, or says YES and it is the datastore's own.
 */
gboolean datastore_is_insecure(const DatastoreMessage *message, const char *registry);

/*
 * True if an image may be made from PATH, which has no links left in it: it is below one of SAFE,
 * or below none of RESTRICTED and of ALWAYS. The rule of OpenNebula's own datastores.
 */
gboolean datastore_path_allowed(const char *path, const char *const *safe,
                                const char *const *restricted, const char *const *always);

/* BYTES in MB as OpenNebula counts them, rounded up and at least 1. */
guint64 datastore_megabytes(guint64 bytes);

// SPDX-License-Identifier: Apache-2.0
/*
 * What makes an archive of OCI's image layout one that every engine loads: the manifest.json that
 * `docker save` would have written for it. The archive is read once, in whatever order its entries
 * stand, so what may be needed is kept as it passes. Pure.
 * Errors: SPEC.
 */
#pragma once

#include <glib.h>

/* Index and manifests; larger files of an archive are layers. */
enum { IMAGE_OCI_TEXT_MAX = 1024 * 1024 };

typedef struct ImageOci ImageOci;

ImageOci *image_oci_new(void);
void image_oci_free(ImageOci *oci);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageOci, image_oci_free)

/* Whether the file NAME ("blobs/sha256/…") of SIZE bytes may be one of those. */
gboolean image_oci_wants(const ImageOci *oci, const char *name, gint64 size);
/* Keeps it. */
void image_oci_take(ImageOci *oci, const char *name, const char *text, gsize length);
/* Whether index.json has passed. */
gboolean image_oci_has_index(const ImageOci *oci);

/*
 * The text of manifest.json, with one image and no name, when all of the archive has passed. ARCH
 * is as OCI writes it, "amd64": of an image for several platforms that one is taken.
 */
gchar *image_oci_manifest(const ImageOci *oci, const char *arch, GError **error);

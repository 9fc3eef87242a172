// SPDX-License-Identifier: Apache-2.0
/* Manifests of images, as registries keep them: Docker's schema 2 and OCI's. Pure. */
#pragma once

#include <glib.h>

/* "sha256:…" of the bytes, by which a registry knows a manifest. */
gchar *image_manifest_digest(const char *text, gsize length);

/*
 * Reads a manifest. Of one image, *bytes becomes the sum of its configuration and its layers as
 * they are transferred. Of a list of images for several platforms, *digest becomes that of Linux
 * on ARCHITECTURE ("amd64"), or of the first for Linux when there is none. Errors: REGISTRY.
 */
gboolean image_manifest_parse(const char *text, gsize length, const char *architecture,
                              guint64 *bytes, gchar **digest, GError **error);

/* This machine's architecture in the words of manifests. */
const char *image_architecture(void);

// SPDX-License-Identifier: Apache-2.0
/*
 * Image references: "nginx", "docker://ubuntu:latest", "reg.example:5000/team/app@sha256:…", and
 * the query forms of OpenNebula's former Docker Hub marketplace
 * ("docker://library/nginx:latest?size=…", whose query is dropped). Pure.
 */
#pragma once

#include <glib.h>

typedef struct {
    gchar *registry;   /* "reg.example:5000"; "docker.io" when the reference names none */
    gchar *repository; /* "library/nginx": docker.io's one-word names get their "library/" */
    gchar *tag;        /* NULL when a digest alone is given; "latest" when neither is */
    gchar *digest;     /* "sha256:…" or NULL */
} ImageRef;

/* Parses TEXT; NULL with SPEC and a sentence that says what is wrong with it. */
ImageRef *image_ref_parse(const char *text, GError **error);
void image_ref_free(ImageRef *ref);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageRef, image_ref_free)

/* What the engine's image calls take: "docker.io" left out, as the engine itself names images:
 * "nginx:latest", "reg:5000/app@sha256:…" (the digest wins over the tag). */
gchar *image_ref_name(const ImageRef *ref);
/* True if TEXT is what a name in a registry begins with: "reg.example:5000", with a path behind it
 * where the registry wants one. */
gboolean image_ref_is_registry(const char *text);
/* True if TEXT has the form "docker://…": the only SOURCE that means a reference. */
gboolean image_ref_is_url(const char *text);

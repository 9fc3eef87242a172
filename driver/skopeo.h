// SPDX-License-Identifier: Apache-2.0
/*
 * Images copied, looked at and deleted by skopeo(1), which needs no engine and no root. Credentials
 * are given to it as the name of a file, never as arguments.
 *
 * Errors: NO_IMAGE when the registry does not know the image, NO_SPACE, REGISTRY with skopeo's own
 * words, UNSUPPORTED when skopeo is not installed, INTERRUPTED.
 */
#pragma once

#include "config.h"

typedef struct {
    const Config *config;
    const char *work;     /* a folder for its temporary files; its HOME too */
    const char *auth;     /* credentials, of the form of Docker's config.json; always a file */
    const char *cert_dir; /* certificates of authorities (*.crt); NULL for the system's alone */
} Skopeo;

/* Where an image is or goes to. */
typedef struct {
    const char *name;  /* "docker://host/repository:tag", "docker-archive:/path" */
    const char *label; /* how a sentence calls it */
    gboolean insecure; /* plain http, or any certificate, will do */
} SkopeoImage;

/* The manifest as its bytes are. */
gchar *skopeo_manifest(const Skopeo *skopeo, const SkopeoImage *image, gsize *length,
                       GError **error);
/*
 * Copies one platform's image, whose layers are checked on the way; *digest, where wanted, is that
 * of the manifest which was written.
 */
gboolean skopeo_copy(const Skopeo *skopeo, const SkopeoImage *from, const SkopeoImage *to,
                     gchar **digest, GError **error);
/* Deletes the manifest that the name stands for, and its tags; fine if it is not there. */
gboolean skopeo_delete(const Skopeo *skopeo, const SkopeoImage *image, GError **error);

/* The tags of the repository that IMAGE names without one; none where the registry does not know
 * it. */
GStrv skopeo_tags(const Skopeo *skopeo, const SkopeoImage *image, GError **error);

/* Sets the error that skopeo's stderr TEXT tells of the image LABEL. Pure. */
void skopeo_complaint(const char *text, const char *label, GError **error);

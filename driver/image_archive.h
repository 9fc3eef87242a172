// SPDX-License-Identifier: Apache-2.0
/*
 * Archives of images, as `docker save` writes them: a tar with the layers, the configurations and
 * manifest.json, which names the images. The engine takes every name that it finds there, so an
 * archive that a user brought could give its image the name of anybody's; on its way to the engine
 * it is renamed. One of OCI's layout alone gets the manifest.json that it lacks (image_oci.h).
 * Errors: SPEC (what is no such archive), NO_IMAGE (what PICK names is not in it), IO, NO_SPACE,
 * INTERRUPTED.
 */
#pragma once

#include <glib.h>

/* Which images of an archive are taken, and under which names. */
typedef struct {
    /* One image gets this name: the only one, or the one that PICK names. */
    const char *name;
    const char *pick; /* NULL = the archive must hold one image */
    /* Where NAME is NULL: the images whose names begin with this keep those names. */
    const char *prefix;
} ImageArchiveNames;

/*
 * Copies the archive from IN (which may be compressed) to OUT (which is not), naming its images
 * after NAMES. *out_failed tells a failure to write from one of the archive. STALL_MS: stream.h.
 */
gboolean image_archive_rename(int in, int out, const ImageArchiveNames *names, guint64 stall_ms,
                              gboolean *out_failed, GError **error);

/* The id of the archive's only image, "sha256:…": what the engine calls it. Reads FD to the place
 * where it stands. */
gchar *image_archive_id(int fd, GError **error);

/* The same of manifest.json's text. Pure. */
gchar *image_manifest_rename(const char *text, gsize length, const ImageArchiveNames *names,
                             GError **error);
gchar *image_manifest_id(const char *text, gsize length, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * A context image: the ISO 9660 file system that OpenNebula's transfer driver makes of context.sh
 * and the files of a VM. Whoever may write in a datastore writes such images, so they are read by a
 * program of their own without any right, vmdock-unpack, of which this is the work.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint64 max_bytes; /* of all files together */
    guint64 max_files; /* and folders */
} ContextLimits;

/* Bytes that an archive of so much content can have. */
static inline guint64 context_image_archive_bytes(const ContextLimits *limits)
{
    const guint64 header = 1024; /* and what a file's last block has too much */
    return limits->max_bytes + (limits->max_files + 1) * header;
}

/*
 * Reads an image from the descriptor IMAGE and makes a tar archive of it: folders and files, with
 * relative paths that tar_path_safe() takes, and the modes that everybody's rights give: 0755 and
 * 0644, 0600 and 0700 for what the image keeps from others. Links, devices and names that are not
 * taken are left out; *left_out counts them. A file that the image has twice under two names (a
 * hard link) is there twice. Errors: IO; NO_SPACE when it is more than LIMITS.
 */
GByteArray *context_image_read(int image, const ContextLimits *limits, guint *left_out,
                               GError **error);

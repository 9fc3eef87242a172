// SPDX-License-Identifier: Apache-2.0
/* ISO 9660 images with Joliet and Rock Ridge names: what a VM's context comes in. */
#pragma once

#include <glib.h>

typedef struct IsoImage IsoImage;

/* VOLUME is the label ("CONTEXT"); the image goes to FD when it is finished. */
IsoImage *iso_new(int fd, const char *volume, GError **error);
void iso_free(IsoImage *iso);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IsoImage, iso_free)
/* Adds the file PATH, or the folder with all that is in it, as NAME. Links are followed. Errors:
 * IO, NO_SPACE. */
gboolean iso_add(IsoImage *iso, const char *path, const char *name, GError **error);
gboolean iso_finish(IsoImage *iso, GError **error);

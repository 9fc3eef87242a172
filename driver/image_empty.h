// SPDX-License-Identifier: Apache-2.0
/* The image without content: one empty layer, in an archive of the form of docker save. Pure. */
#pragma once

#include <glib.h>

/* The archive's bytes, the same for the same ARCHITECTURE ("amd64"). */
GByteArray *image_empty_archive(const char *architecture);

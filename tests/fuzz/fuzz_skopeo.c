// SPDX-License-Identifier: Apache-2.0
/* What skopeo prints: complaints, and manifests that a registry has written. */
#include "driver/error.h"
#include "driver/image_manifest.h"
#include "driver/skopeo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    g_autoptr(GError) complaint = NULL;
    skopeo_complaint(text, "image", &complaint);
    if (!g_utf8_validate(complaint->message, -1, NULL) || strpbrk(complaint->message, "\n\r\t"))
        abort();
    g_autoptr(GError) error = NULL;
    g_autofree gchar *digest = NULL;
    guint64 bytes = 0;
    gboolean fine =
        image_manifest_parse((const char *)data, size, "amd64", &bytes, &digest, &error);
    if (fine != (error == NULL) || (!fine && digest) || bytes > G_MAXINT64)
        abort();
    return 0;
}

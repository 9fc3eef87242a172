// SPDX-License-Identifier: Apache-2.0
/* The header of a qcow2 file, and the name of a backing file: what is taken stays below its root.
 */
#include "driver/volume_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_name(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *source = qcow2_backing_source("/ds", "102/42/disk.1", name, &error);
    if ((source == NULL) == (error == NULL) || (source && *source == '/'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    Qcow2Header header;
    if (qcow2_header_parse(data, size, &header, &error)) {
        if (error || strlen(header.backing_format) >= sizeof header.backing_format ||
            (header.backing_offset && header.backing_size > QCOW2_NAME_MAX))
            abort();
    } else if (!error || !g_utf8_validate(error->message, -1, NULL)) {
        abort();
    }
    g_autofree gchar *name = g_strndup((const char *)data, size);
    try_name(name);
    return 0;
}

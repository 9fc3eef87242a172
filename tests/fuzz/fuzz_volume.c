// SPDX-License-Identifier: Apache-2.0
/* What a guest has written where the superblock of its disk is, and the kernel's list of mounts,
 * whose paths a guest may have named. */
#include "driver/volume_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_superblock(const uint8_t *data, size_t size)
{
    guint8 bytes[EXT_SUPERBLOCK_SIZE] = {0};
    guint64 block_size = 0, blocks = 0;
    memcpy(bytes, data, MIN(size, sizeof bytes));
    /* The one is divided by, and both are multiplied. */
    if (ext_superblock_parse(bytes, &block_size, &blocks) &&
        (block_size < 1024 || block_size > 65536 || blocks > G_MAXINT64 / block_size))
        abort();
}

static void try_mountinfo(const char *text)
{
    guint lines = 1;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    g_autoptr(GPtrArray) places = volume_mountinfo_parse(text, makedev(7, 3));
    if (places->len > lines)
        abort();
    for (guint i = 0; i < places->len; i++)
        if (strlen(places->pdata[i]) > strlen(text))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        try_superblock(data, size);
    g_autofree gchar *text = g_strndup((const char *)data, size);
    try_mountinfo(text);
    return 0;
}

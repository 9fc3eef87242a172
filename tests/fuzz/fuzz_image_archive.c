// SPDX-License-Identifier: Apache-2.0
/* An image's archive that a user brought, packed or not. What is renamed can be renamed again, and
 * is then the same. */
#include "driver/autoptr.h"
#include "driver/image_archive.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int memory(const void *bytes, size_t size)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, bytes, size) != (ssize_t)size) ||
        lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

static gboolean rename_to(int in, int out)
{
    const ImageArchiveNames names = {.name = "v:1"};
    gboolean out_failed = FALSE;
    g_autoptr(GError) error = NULL;
    gboolean renamed = image_archive_rename(in, out, &names, 1000, &out_failed, &error);
    if (renamed != (error == NULL) || (renamed && out_failed))
        abort();
    return renamed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofd int in = memory(data, size);
    autofd int out = memory(NULL, 0);
    autofd int again = memory(NULL, 0);
    g_autoptr(GError) error = NULL;
    if (rename_to(in, out)) {
        if (lseek(out, 0, SEEK_SET) != 0 || !rename_to(out, again) ||
            lseek(out, 0, SEEK_END) != lseek(again, 0, SEEK_END))
            abort();
    }
    if (lseek(in, 0, SEEK_SET) != 0)
        abort();
    g_autofree gchar *id = image_archive_id(in, &error);
    if ((id == NULL) != (error != NULL))
        abort();
    return 0;
}

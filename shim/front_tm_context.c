// SPDX-License-Identifier: Apache-2.0
/* context: the ISO image with context.sh and what else a VM is told, made here, brought there. */
#include "front_tm.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/iso.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static gboolean write_image(int fd, char **files, int count, GError **error)
{
    g_autoptr(IsoImage) iso = iso_new(fd, "CONTEXT", error);
    if (!iso)
        return FALSE;
    for (int i = 0; i < count; i++) {
        g_autoptr(TmContextFile) file = tm_context_file_parse(files[i], error);
        if (!file || !iso_add(iso, file->path, file->name, error))
            return FALSE;
    }
    return iso_finish(iso, error);
}

/* context FILE… HOST:PLACE VMID DATASTORE. Passwords and tokens stand in the image in clear: it is
 * nobody else's. */
gboolean front_tm_context(Front *front, int argc, char **argv, GError **error)
{
    if (argc < 5)
        return front_usage(error, "tm context FILE… HOST:PLACE VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[argc - 3], argv[argc - 2], error);
    if (!place)
        return FALSE;
    if (place->disk < 0)
        return front_usage(error, "tm context FILE… HOST:…/disk.N VMID DATASTORE");
    g_autofree gchar *path = g_build_filename(g_get_tmp_dir(), "vmdock-context-XXXXXX", NULL);
    autofd int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make a file in %s",
                           g_get_tmp_dir());
        return FALSE;
    }
    gboolean done =
        write_image(fd, argv + 1, argc - 4, error) && tm_put_file(front, path, place, "600", error);
    unlink(path);
    return done;
}

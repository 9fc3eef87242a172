// SPDX-License-Identifier: Apache-2.0
#include "share_folder.h"

#include "autoptr.h"
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>

enum { FOLDER_LOCK_MS = 5000 };

/* The lock that `ip netns add` takes too, so that nobody mounts the folder on itself twice. */
static int lock_folder(const char *path, VmdockError code, GError **error)
{
    autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, code, errno, "cannot open %s", path);
        return -1;
    }
    for (guint waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            vmdock_error_errno(error, code, errno, "cannot lock %s", path);
            return -1;
        }
        if (waited >= FOLDER_LOCK_MS) {
            g_set_error(error, VMDOCK_ERROR, (gint)code,
                        "%s is locked by another program for more than %d ms", path,
                        FOLDER_LOCK_MS);
            return -1;
        }
        if (!interrupt_check(error))
            return -1;
        g_usleep(G_TIME_SPAN_MILLISECOND);
    }
    return steal_fd(&fd);
}

/* Names appear in every mount namespace, the engine's among them, only under a shared mount. */
gboolean share_folder(const char *path, VmdockError code, GError **error)
{
    if (mount("", path, "none", MS_SHARED, NULL) == 0)
        return TRUE;
    if (errno == EINVAL) { /* not a mount point yet */
        autofd int lock = lock_folder(path, code, error);
        if (lock < 0)
            return FALSE;
        if (mount("", path, "none", MS_SHARED, NULL) == 0 ||
            (errno == EINVAL && mount(path, path, "none", MS_BIND | MS_REC, NULL) == 0 &&
             mount("", path, "none", MS_SHARED, NULL) == 0))
            return TRUE;
    }
    vmdock_error_errno(error, code, errno, "cannot make %s a shared mount", path);
    return FALSE;
}

// SPDX-License-Identifier: Apache-2.0
#include "setup_run.h"

#include "autoptr.h"
#include "error.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { MAX_REASON = 400 };

int setup_text_fd(const char *text, GError **error)
{
    autofd int fd = memfd_create("text", 0);
    gsize length = strlen(text);
    if (fd >= 0 && write(fd, text, length) == (ssize_t)length)
        return steal_fd(&fd);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot hand over a text");
    return -1;
}

gchar *setup_run(const char *const *argv, int most, GError **error)
{
    g_autofree gchar *out = NULL;
    g_autofree gchar *err = NULL;
    g_autoptr(GError) why = NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (gchar **)argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, NULL, NULL, &out, &err,
                      &status, &why)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s cannot be run: %s", argv[0],
                    why->message);
        return NULL;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) <= most)
        return g_steal_pointer(&out);
    g_autofree gchar *said = vmdock_one_line(*err ? err : out, MAX_REASON);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s: %s", argv[0],
                *said ? said : "it failed");
    return NULL;
}

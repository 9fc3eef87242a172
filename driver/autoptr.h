// SPDX-License-Identifier: Apache-2.0
/* Cleanups for the types of foreign libraries that GLib 2.74 does not know. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <unistd.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

static inline void autofd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* A descriptor that closes itself at the end of its block; -1 is "none". */
#define autofd __attribute__((cleanup(autofd_close)))

static inline int steal_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

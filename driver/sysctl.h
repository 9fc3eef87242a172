// SPDX-License-Identifier: Apache-2.0
/* Kernel settings under /proc/sys; those of "net/" are the calling thread's namespace's. */
#pragma once

#include <glib.h>

typedef struct {
    const char *name; /* "net/ipv6/conf/eth0/accept_ra" */
    const char *value;
} Sysctl;

/*
 * Brings a setting to its value: written only when it differs, passed over
 * when the kernel does not have it. Errors: IO.
 */
gboolean sysctl_set(const Sysctl *setting, GError **error);

/* What the kernel calls this boot, and no other. Errors: IO. */
gchar *sysctl_boot_id(GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * What the disks of VMs beside disk 0 take in OpenNebula's datastores on this host:
 * <datastores>/<datastore>/<vm>/disk.N. The datastores' place comes from the configuration, their
 * content from the cloud's user: below a datastore no link is followed.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint id;      /* N */
    guint64 bytes; /* on the file system; holes do not count */
} DiskSize;

/* The datastores there, as folders to hand to disk_sizes(); gchar*. None is no error. */
GPtrArray *disk_datastores(const char *place);
/* The disks 1 and up of the VM of that NUMBER, by id; DiskSize. */
GArray *disk_sizes(const GPtrArray *datastores, const char *number);
/* "disk.7" -> 7; FALSE for other names, "disk.7.snap" among them. */
gboolean disk_size_id(const char *name, guint *id);

// SPDX-License-Identifier: Apache-2.0
/*
 * The folder in which one datastore action works: below the datastore's own, so that what is made
 * there can be renamed into it, and gone when the action ends, however it ends. What a killed
 * action left is removed by the next one. Errors: IO, NO_SPACE.
 */
#pragma once

#include <glib.h>

typedef struct {
    gchar *folder; /* <base path>/.vmdock-XXXXXX, 0700 */
    int lock;      /* held while the action lives */
} DatastoreWork;

/* Makes BASE_PATH too when it is not there. */
DatastoreWork *datastore_work_new(const char *base_path, GError **error);
void datastore_work_free(DatastoreWork *work);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DatastoreWork, datastore_work_free)

/*
 * Copies the open file FROM into a new file PATH, unpacking it when it is compressed with gzip.
 * Where the file system can, blocks are shared and none are written. LABEL names FROM.
 */
gboolean datastore_work_take(int from, const char *label, const char *path, GError **error);

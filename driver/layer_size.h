// SPDX-License-Identifier: Apache-2.0
/*
 * How much a VM's writable layer takes. The engine would tell (`docker ps --size`), and stand still
 * for everybody while it counts; here the layer's folder is counted a little at a time: a walk
 * stops when its time is over, is put away, and goes on from there in another process.
 *
 * What is counted are blocks on the disk, a file with several names once. The guest writes while we
 * read: a figure is as exact as that allows. Nothing is followed out of the folder: no link, no
 * mount. Folders deeper than LAYER_DEPTH_MAX are left out. Errors: IO.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

enum { LAYER_DEPTH_MAX = 200 };

typedef struct LayerWalk LayerWalk;

LayerWalk *layer_walk_new(void);
void layer_walk_free(LayerWalk *walk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LayerWalk, layer_walk_free)

/*
 * Goes on in FOLDER until all is counted, which *done tells, or the time is DEADLINE
 * (g_get_monotonic_time). A walk always gets a step further, however late it is. What has gone
 * since the walk was put away is passed over.
 */
gboolean layer_walk_run(LayerWalk *walk, const char *folder, gint64 deadline, gboolean *done,
                        GError **error);
/* What it has counted so far. */
guint64 layer_walk_bytes(const LayerWalk *walk);

/* A walk that is put away, and back; NULL if JSON is none. */
json_t *layer_walk_to_json(const LayerWalk *walk);
LayerWalk *layer_walk_from_json(const json_t *json);

/*
 * The upper folder of the overlay that is the root in MOUNTINFO, /proc/PID/mountinfo of a process
 * of the VM: for engines that do not tell it. NULL if the root is no overlay. Pure.
 */
gchar *layer_folder_of(const char *mountinfo);

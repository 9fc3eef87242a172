// SPDX-License-Identifier: Apache-2.0
/* The disks of a VM that runs, brought from one spec to another. */
#include "volume.h"

#include "error.h"
#include "log.h"

#include <string.h>

/* One disk that came or went, and how to take that back. */
typedef struct {
    const Config *config;
    gchar *deploy_id;
    VmDisk *disk;
    gint pid;
} Step;

static void step_free(gpointer data)
{
    Step *step = data;
    g_free(step->deploy_id);
    vm_disk_free(step->disk);
    g_free(step);
}

static gboolean undo_attach(gpointer data, GError **error)
{
    const Step *step = data;
    return volume_detach(step->config, step->deploy_id, step->disk, step->pid, error);
}

static gboolean undo_detach(gpointer data, GError **error)
{
    const Step *step = data;
    return volume_attach(step->config, step->deploy_id, step->disk, step->pid, error);
}

static gboolean undo_limit(gpointer data, GError **error G_GNUC_UNUSED)
{
    const Step *step = data;
    volume_limit(step->config, step->deploy_id, step->disk, step->pid);
    return TRUE;
}

typedef struct {
    const Config *config;
    gchar *deploy_id;
    VmDiskLimits limits;
    gchar *layer;
    gint pid;
} RootStep;

static void root_step_free(gpointer data)
{
    RootStep *step = data;
    g_free(step->deploy_id);
    g_free(step->layer);
    g_free(step);
}

static gboolean undo_root_limit(gpointer data, GError **error G_GNUC_UNUSED)
{
    const RootStep *step = data;
    volume_limit_root(step->config, step->deploy_id, &step->limits, step->layer, step->pid);
    return TRUE;
}

static void push(Undo *undo, const char *what, UndoFunc func, const Step *like, const VmDisk *disk)
{
    Step *step = g_new(Step, 1);
    *step = (Step){like->config, g_strdup(like->deploy_id), vm_disk_copy(disk), like->pid};
    undo_push(undo, what, func, step, step_free);
}

static gboolean same_disk(const VmDisk *a, const VmDisk *b)
{
    return a && b && a->storage == b->storage && strcmp(a->source, b->source) == 0 &&
           g_strcmp0(a->share, b->share) == 0 && strcmp(a->mount_point, b->mount_point) == 0 &&
           a->format == b->format && a->read_only == b->read_only;
}

static gboolean same_limits(const VmDiskLimits *a, const VmDiskLimits *b)
{
    return a->read_bytes == b->read_bytes && a->write_bytes == b->write_bytes &&
           a->read_ops == b->read_ops && a->write_ops == b->write_ops;
}

static gboolean bring_in(const Step *like, const VmDisk *disk, Undo *undo, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (volume_attach(like->config, like->deploy_id, disk, like->pid, &failure)) {
        push(undo, "a disk", undo_attach, like, disk);
        return TRUE;
    }
    if (disk->optical && vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED)) {
        log_warn("VM %s: %s", like->deploy_id, failure->message);
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static void bring_root_limits(const Config *config, const VmSpec *last, const VmSpec *spec,
                              const EngineContainer *container, Undo *undo)
{
    if (same_limits(&spec->root_limits, &last->root_limits))
        return;
    volume_limit_root(config, spec->deploy_id, &spec->root_limits, container->layer,
                      container->pid);
    RootStep *step = g_new(RootStep, 1);
    *step = (RootStep){config, g_strdup(spec->deploy_id), last->root_limits,
                       g_strdup(container->layer), container->pid};
    undo_push(undo, "the limits of disk 0", undo_root_limit, step, root_step_free);
}

gboolean volumes_bring(const Config *config, const VmSpec *last, const VmSpec *spec,
                       const EngineContainer *container, Undo *undo, GError **error)
{
    gint pid = container->pid;
    Step like = {config, spec->deploy_id, NULL, pid};
    bring_root_limits(config, last, spec, container, undo);
    for (guint i = 0; i < last->disks->len; i++) {
        const VmDisk *disk = last->disks->pdata[i];
        if (same_disk(disk, vm_spec_disk(spec, disk->id)))
            continue;
        if (!volume_detach(config, spec->deploy_id, disk, pid, error))
            return FALSE;
        push(undo, "the loss of a disk", undo_detach, &like, disk);
    }
    for (guint i = 0; i < spec->disks->len; i++) {
        const VmDisk *disk = spec->disks->pdata[i], *before = vm_spec_disk(last, disk->id);
        if (!same_disk(disk, before)) {
            if (!bring_in(&like, disk, undo, error))
                return FALSE;
        } else if (!same_limits(&disk->limits, &before->limits)) {
            volume_limit(config, spec->deploy_id, disk, pid);
            push(undo, "the limits of a disk", undo_limit, &like, before);
        }
    }
    return TRUE;
}

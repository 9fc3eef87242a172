// SPDX-License-Identifier: Apache-2.0
/* resize: the limits of a VM that runs. */
#include "actions.h"

#include "autoptr.h"
#include "engine_body.h"
#include "error.h"
#include "interrupt.h"
#include "samples.h"
#include "state.h"
#include "undo.h"

enum { MIB = 1024 * 1024 };

typedef struct {
    Host *host;
    const char *container_id;
    const VmSpec *last;
} Resize;

static gboolean set_limits(const Resize *resize, const VmSpec *spec, GError **error)
{
    g_autoptr(json_t) body = engine_update_body(spec, resize->host->config);
    if (engine_update(resize->host->engine, resize->container_id, body, error))
        return TRUE;
    g_prefix_error(error, "cannot change the limits: ");
    return FALSE;
}

static gboolean undo_limits(gpointer data, GError **error)
{
    const Resize *resize = data;
    return set_limits(resize, resize->last, error);
}

/*
 * A limit below what is in use would have the kernel end processes of the VM, or fail for reasons
 * of its own: what cannot be had is refused before anything is changed.
 */
static gboolean memory_fits(const Resize *resize, const VmLimits *limits, GError **error)
{
    const Config *config = resize->host->config;
    if (limits->memory == 0)
        return TRUE;
    g_autoptr(CgroupReader) reader =
        cgroup_reader_open(config->cgroup_root, config->cgroup_parent, error);
    Sample sample;
    gboolean runs = FALSE;
    if (!reader || !cgroup_reader_read(reader, resize->container_id, &sample, &runs, error))
        return FALSE;
    if (!runs || sample.memory <= (guint64)limits->memory)
        return TRUE;
    g_set_error(
        error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
        "its memory cannot become %" G_GINT64_FORMAT " MiB: %" G_GUINT64_FORMAT
        " MiB of it are in use; end something in the VM first, or power it off to resize it",
        limits->memory / MIB, (sample.memory + MIB - 1) / MIB);
    return FALSE;
}

/* The last applied spec with the new limits: what was plugged in since is in it, and stays. */
static VmSpec *resized(const VmSpec *last, const VmLimits *limits, GError **error)
{
    VmSpec *spec = vm_spec_copy(last, error);
    if (spec)
        spec->limits = *limits;
    return spec;
}

static gboolean resize_locked(Host *host, const VmSpec *spec, GError **error)
{
    const Config *config = host->config;
    g_autoptr(EngineContainer) container = host_container_needed(host, spec->deploy_id, error);
    g_autoptr(VmSpec) last = container ? state_load_needed(config, spec->deploy_id, error) : NULL;
    g_autoptr(VmSpec) new = last ? resized(last, &spec->limits, error) : NULL;
    if (!new)
        return FALSE;
    Resize resize = {host, container->id, last};
    if (!memory_fits(&resize, &new->limits, error))
        return FALSE;
    g_autoptr(Undo) undo = undo_new();
    undo_push(undo, "the limits", undo_limits, &resize, NULL);
    if (!set_limits(&resize, new, error) || !state_change(config, new, undo, error) ||
        !state_sync(config, spec->deploy_id, error) || !interrupt_check(error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

gboolean vm_resize(Host *host, const VmSpec *spec, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, spec->deploy_id, error);
    return lock && host_about(spec->deploy_id, resize_locked(host, spec, error), error);
}

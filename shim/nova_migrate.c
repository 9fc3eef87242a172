// SPDX-License-Identifier: Apache-2.0
/*
 * The methods by which an instance is resized or moves: its disk arrives as an archive, waits under
 * a name of the instance's, and becomes the disk of a new container. Where the container stays on
 * its host, it is kept and gets its new limits.
 */
#include "nova.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "driver/transfer.h"

#include <unistd.h>

#define TRANSIT_PREFIX "vmdock/transit:"

/* The name of a disk that has arrived and is not used yet. */
static gchar *transit_name(const Nova *nova, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    g_autofree gchar *uuid = id ? nova_uuid(id) : NULL;
    return uuid ? g_strconcat(TRANSIT_PREFIX, uuid, NULL) : NULL;
}

/* The archive follows the request's line. */
gboolean nova_migrate_receive(Nova *nova, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    g_autofree gchar *name = transit_name(nova, error);
    return name && transfer_load(nova->host, name, STDIN_FILENO, silent, error) &&
           nova_answer(json_object(), error);
}

static gboolean stays_off(const Nova *nova)
{
    return json_is_false(json_object_get(nova->request, "power_on"));
}

/* What the flavor says now, for the container that was there before. */
static gboolean keep(Nova *nova, const VmSpec *wanted, GError **error)
{
    g_autoptr(VmSpec) spec = nova_saved_spec(nova, error);
    if (!spec)
        return FALSE;
    spec->limits = wanted->limits;
    spec->root_size = wanted->root_size;
    spec->root_limits = wanted->root_limits;
    if (stays_off(nova))
        return vm_resize(nova->host, spec, error) && vm_renew_network(nova->host, spec, error);
    return vm_deploy(nova->host, spec, NULL, error);
}

/* IMAGE is what arrived. */
static gboolean take_over(Nova *nova, VmSpec *spec, const char *image, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    if (!transfer_hold(nova->host, spec->deploy_id, image, FALSE, silent, error))
        return FALSE;
    gboolean done = vm_deploy(nova->host, spec, NULL, error) &&
                    (!stays_off(nova) || vm_shutdown(nova->host, spec->deploy_id, -1, error));
    if (!done)
        nova_leave_nothing(nova, spec->deploy_id);
    return done;
}

/* The first engine's word on whether there is such a container; FALSE with an error on trouble. */
static gboolean has_container(const Nova *nova, const char *deploy_id, gboolean *has,
                              GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) container = host_container(nova->host, deploy_id, &failure);
    *has = container && !host_is_leftover(container);
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean finish(Nova *nova, VmSpec *spec, const char *transit, GError **error)
{
    gboolean here = FALSE;
    if (!has_container(nova, spec->deploy_id, &here, error))
        return FALSE;
    if (here)
        return keep(nova, spec, error);
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *image = engine_image_id(nova->host->engine, transit, &failure);
    if (!image && !failure)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
                    "VM %s: its disk has not arrived on this host", spec->deploy_id);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return take_over(nova, spec, image, error);
}

void nova_drop_transit(const Nova *nova)
{
    g_autoptr(GError) trouble = NULL;
    g_autofree gchar *transit = transit_name(nova, &trouble);
    interrupt_hold();
    if (!transit || !engine_untag(nova->host->engine, transit, &trouble))
        log_warn("the disk that has arrived stays: %s", trouble->message);
    interrupt_allow();
}

/* On the host that the instance shall be on now, moved there, back, or not at all. */
gboolean nova_finish_migration(Nova *nova, GError **error)
{
    NovaOptions options = nova_options(nova->config);
    g_autoptr(VmSpec) spec = spec_from_nova(nova->request, &options, error);
    g_autofree gchar *transit = spec ? transit_name(nova, error) : NULL;
    if (!transit)
        return FALSE;
    if (!finish(nova, spec, transit, error))
        return FALSE; /* what has arrived is what it can be tried again with */
    nova_drop_transit(nova);
    return nova_answer(json_object(), error);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The methods by which an instance is resized or moves: its disk arrives as an archive or through a
 * registry, waits under a name of the instance's, and becomes the disk of a new container. Where
 * the container stays on its host, it is kept and gets its new limits.
 */
#include "nova.h"

#include "driver/actions.h"
#include "driver/autoptr.h"
#include "driver/disk.h"
#include "driver/error.h"
#include "driver/image_ref.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "driver/transfer.h"

#include <string.h>
#include <unistd.h>

#define TRANSIT_PREFIX "vmdock/transit:"

/* The name of a disk that has arrived and is not used yet. */
static gchar *transit_name(const Nova *nova, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    g_autofree gchar *uuid = id ? nova_uuid(id) : NULL;
    return uuid ? g_strconcat(TRANSIT_PREFIX, uuid, NULL) : NULL;
}

/* ---- from one host to another -----------------------------------------------------------------*/

/* Best effort: where a registry does not delete, its own clean-up has to. */
static void forget(const Nova *nova, const char *reference)
{
    g_autoptr(GError) trouble = NULL;
    interrupt_hold();
    if (!transfer_forget(nova->host, reference, &trouble))
        log_warn("a disk stays in the registry: %s", trouble->message);
    interrupt_allow();
}

/* The digest that the registry gave what stands under TAGGED there. */
static gchar *push(const Nova *nova, const char *id, const char *tagged, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *digest = NULL;
    gboolean sent = transfer_push(nova->host, id, TRANSFER_NOW, tagged, silent, &digest, &failure);
    if (sent && !digest)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY,
                    "the registry does not tell the digest of %s", tagged);
    if (!failure)
        return g_steal_pointer(&digest);
    /* What was broken off may have arrived; what keeps a disk from arriving keeps it from going. */
    if (sent || digest || vmdock_error_is(failure, VMDOCK_ERROR_INTERRUPTED))
        forget(nova, tagged);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

/* The disk is in the registry until the input ends, and known there by what it is. */
static gboolean send_through(const Nova *nova, const char *registry, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    if (!id)
        return FALSE;
    g_autofree gchar *own = disk_name(id, DISK_NOW_TAG);
    g_autofree gchar *tagged = g_strconcat(registry, "/", own, NULL);
    g_autofree gchar *digest = push(nova, id, tagged, error);
    if (!digest)
        return FALSE;
    g_autofree gchar *repository = disk_repository(id);
    g_autofree gchar *reference = g_strconcat(registry, "/", repository, "@", digest, NULL);
    gboolean told = nova_answer(json_pack("{s:s}", "reference", reference), error);
    if (told)
        nova_await_end();
    forget(nova, reference);
    return told;
}

gboolean nova_migrate_send(Nova *nova, GError **error)
{
    const char *registry = nova->config->nova_registry;
    if (strcmp(registry, "none") == 0)
        return nova_answer(json_pack("{s:n}", "reference"), error);
    return send_through(nova, registry, error);
}

/* Who may send a disk may name any; a digest makes it the one that was sent. */
static gboolean check_reference(const char *reference, GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(reference, error);
    if (ref && !ref->digest)
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                            "\"reference\" does not name its image by a digest");
    return ref && ref->digest;
}

/* Without a reference the archive follows the request's line. */
gboolean nova_migrate_receive(Nova *nova, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    const char *reference = json_string_value(json_object_get(nova->request, "reference"));
    g_autofree gchar *name = transit_name(nova, error);
    if (!name)
        return FALSE;
    gboolean done = reference ? check_reference(reference, error) &&
                                    transfer_pull(nova->host, name, reference, silent, error)
                              : transfer_load(nova->host, name, STDIN_FILENO, silent, error);
    if (done && !nova_answer(json_object(), error)) {
        nova_drop_transit(nova); /* nobody knows of it */
        return FALSE;
    }
    return done;
}

gboolean nova_migrate_forget(Nova *nova, GError **error)
{
    g_autofree gchar *name = transit_name(nova, error);
    return name && engine_untag(nova->host->engine, name, error) &&
           nova_answer(json_object(), error);
}

/* ---- where it shall be ------------------------------------------------------------------------*/

static gboolean stays_off(const Nova *nova)
{
    return json_is_false(json_object_get(nova->request, "power_on"));
}

/* What the flavor says now, for the container that was there before. */
static gboolean keep(Nova *nova, const VmSpec *wanted, GError **error)
{
    DeployHooks hooks = nova_hooks(nova);
    g_autoptr(VmSpec) spec = nova_saved_spec(nova, error);
    if (!spec)
        return FALSE;
    spec->limits = wanted->limits;
    spec->root_size = wanted->root_size;
    spec->root_limits = wanted->root_limits;
    if (stays_off(nova))
        return vm_resize(nova->host, spec, error) && vm_renew_network(nova->host, spec, error);
    return vm_deploy(nova->host, spec, &hooks, error);
}

/* IMAGE is what arrived. */
static gboolean take_over(Nova *nova, VmSpec *spec, const char *image, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    DeployHooks hooks = nova_hooks(nova);
    if (!transfer_hold(nova->host, spec->deploy_id, image, FALSE, silent, error))
        return FALSE;
    gboolean done = vm_deploy(nova->host, spec, &hooks, error) &&
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
    g_autoptr(VmSpec) spec = nova_requested_spec(nova, error);
    g_autofree gchar *transit = spec ? transit_name(nova, error) : NULL;
    if (!transit)
        return FALSE;
    if (!finish(nova, spec, transit, error))
        return FALSE; /* what has arrived is what it can be tried again with */
    nova_drop_transit(nova);
    return nova_answer(json_object(), error);
}

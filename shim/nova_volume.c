// SPDX-License-Identifier: Apache-2.0
/* The methods on the volumes of a VM. */
#include "nova.h"

#include "driver/actions.h"
#include "driver/error.h"

#define MEGABYTE (G_GINT64_CONSTANT(1) << 20)

/* One that is stopped has it with its next start. */
gboolean nova_attach_volume(Nova *nova, GError **error)
{
    NovaOptions options = nova_options(nova->config);
    g_autofree gchar *id = nova_id(nova, error);
    g_autoptr(VmDisk) disk = id ? nova_volume(nova->request, &options, error) : NULL;
    return disk && vm_attach_volume(nova->host, id, disk, error) &&
           nova_answer(json_pack("{s:s}", "mount_point", disk->mount_point), error);
}

/* Fine for a VM that has gone: nothing of it is left. */
gboolean nova_detach_volume(Nova *nova, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    const char *volume = id ? nova_volume_id(nova->request, error) : NULL;
    g_autoptr(GError) failure = NULL;
    if (!volume)
        return FALSE;
    if (!vm_detach_volume(nova->host, id, volume, &failure) &&
        !vmdock_error_is(failure, VMDOCK_ERROR_NO_VM)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return nova_answer(json_object(), error);
}

/* "size" in bytes. */
gboolean nova_extend_volume(Nova *nova, GError **error)
{
    json_int_t size = json_integer_value(json_object_get(nova->request, "size"));
    g_autofree gchar *id = nova_id(nova, error);
    const char *volume = id ? nova_volume_id(nova->request, error) : NULL;
    if (!volume)
        return FALSE;
    if (size < MEGABYTE) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "\"size\" is no size");
        return FALSE;
    }
    return vm_resize_volume(nova->host, id, volume, (guint64)(size / MEGABYTE), error) &&
           nova_answer(json_object(), error);
}

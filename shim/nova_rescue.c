// SPDX-License-Identifier: Apache-2.0
/* The methods by which another VM stands in for an instance. */
#include "nova.h"

#include "driver/error.h"
#include "driver/rescue.h"
#include "driver/transfer.h"

/* image_meta is the rescuing image's. */
gboolean nova_rescue(Nova *nova, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    g_autoptr(VmSpec) spec = nova_requested_spec(nova, error);
    if (!spec)
        return FALSE;
    g_autofree gchar *id = g_steal_pointer(&spec->deploy_id);
    spec->deploy_id = rescue_id(id);
    spec->rescued = g_strdup(id);
    g_autofree gchar *source = nova_image_source(nova, spec, error);
    return source && transfer_hold(nova->host, spec->deploy_id, source, FALSE, silent, error) &&
           vm_rescue(nova->host, id, spec, error) && nova_answer(json_object(), error);
}

/* The instance itself is started by power_on. */
gboolean nova_unrescue(Nova *nova, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    return id && vm_unrescue(nova->host, id, error) && nova_answer(json_object(), error);
}

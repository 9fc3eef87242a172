// SPDX-License-Identifier: Apache-2.0
/* The methods on the NICs of a VM. */
#include "nova.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/hotplug.h"
#include "driver/state.h"

/* For a VM that is stopped or running; one that is not there has nothing to renew. */
gboolean nova_renew_network(Nova *nova, GError **error)
{
    g_autoptr(VmSpec) spec = nova_saved_spec(nova, error);
    return spec && vm_renew_network(nova->host, spec, error) && nova_answer(json_object(), error);
}

gboolean nova_attach_interface(Nova *nova, GError **error)
{
    g_autoptr(VmSpec) spec = nova_saved_spec(nova, error);
    const VmNic *nic = spec ? nova_take_vif(nova->request, spec, error) : NULL;
    if (!nic)
        return FALSE;
    g_autoptr(EngineContainer) container =
        host_container_needed(nova->host, spec->deploy_id, error);
    if (!container)
        return FALSE;
    /* One that is stopped has it with its next start. */
    return (host_runs(container) ? vm_attach_nic(nova->host, spec, nic->mac, error)
                                 : vm_renew_network(nova->host, spec, error)) &&
           nova_answer(json_object(), error);
}

/* Nova asks a second time when the port is gone, and for VMs that are gone: fine. */
gboolean nova_detach_interface(Nova *nova, GError **error)
{
    guint8 mac[6];
    const char *text =
        json_string_value(json_object_get(json_object_get(nova->request, "vif"), "address"));
    g_autofree gchar *id = nova_id(nova, error);
    if (!id)
        return FALSE;
    if (!text || !vm_mac_parse(text, mac)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "the VIF has no MAC address");
        return FALSE;
    }
    g_autoptr(GError) failure = NULL;
    if (!vm_detach_nic(nova->host, id, mac, &failure) &&
        !vmdock_error_is(failure, VMDOCK_ERROR_NO_VM)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return nova_answer(json_object(), error);
}

// SPDX-License-Identifier: Apache-2.0
#include "nova.h"

#include "driver/context.h"
#include "driver/error.h"
#include "driver/state.h"

/* "admin_password" becomes root's, at once, in a VM that runs or is stopped. */
gboolean nova_set_password(Nova *nova, GError **error)
{
    const char *password = json_string_value(json_object_get(nova->request, "admin_password"));
    g_autofree gchar *id = nova_id(nova, error);
    if (!id)
        return FALSE;
    if (!password || !*password) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "there is no password to set");
        return FALSE;
    }
    g_autoptr(HostLock) lock = host_lock(nova->host, id, error);
    g_autoptr(EngineContainer) container =
        lock ? host_container_needed(nova->host, id, error) : NULL;
    g_autoptr(VmSpec) spec = container ? state_load_needed(nova->config, id, error) : NULL;
    if (!spec)
        return FALSE;
    g_autoptr(VmContext) context = vm_context_new();
    context->password = g_strdup(password);
    return context_apply(nova->host, spec, context, container->id, error) &&
           nova_answer(json_object(), error);
}

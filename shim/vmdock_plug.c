// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-plug place|park CONTAINER: what is done in a VM's sandbox after the engine has plugged in
 * NICs there, and before it does so or takes them away (driver/nic_engine.h). vmdock-runtime starts
 * it, on the engine's behalf, while an action of vmdock may hold the VM; it is no command.
 */
#include "shim.h"

#include "driver/error.h"
#include "driver/network.h"
#include "driver/nic_engine.h"
#include "driver/state.h"

#include <string.h>

static gboolean place(Host *host, Sandbox *sandbox, const VmSpec *spec, GError **error)
{
    return nic_engine_place(host, sandbox, spec, error) && network_restore(host, spec, error);
}

/* A VM that is being removed has no sandbox any more, or no spec. */
static gboolean serve(Host *host, const char *verb, const char *container, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *id = sandbox_map_vm(host->config, container);
    g_autoptr(VmSpec) spec = id ? state_load(host->config, id, &failure) : NULL;
    g_autoptr(Sandbox) sandbox = spec ? sandbox_open(host->config, id, &failure) : NULL;
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (sandbox && strcmp(verb, "place") == 0)
        return host_about(id, place(host, sandbox, spec, error), error);
    else if (sandbox)
        return host_about(id, nic_engine_park(host, sandbox, spec, error), error);
    return !*error;
}

int main(int argc, char **argv)
{
    shim_begin_as_root("vmdock-plug");
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = NULL;
    if (argc == 3 && (strcmp(argv[1], "place") == 0 || strcmp(argv[1], "park") == 0))
        config = config_load(NULL, &error);
    else
        g_set_error_literal(&error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "vmdock-plug is started by vmdock-runtime, for a container");
    g_autoptr(Host) host = config ? host_open(config, &error) : NULL;
    if (host && serve(host, argv[1], argv[2], &error))
        return 0;
    g_printerr("%s\n", error->message);
    return vmdock_error_status(error);
}

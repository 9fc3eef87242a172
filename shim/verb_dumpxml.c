// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/spec_domain.h"
#include "driver/state.h"

int verb_dumpxml(Shim *shim, int argc, char **argv, GError **error)
{
    if (!shim_parse(shim, shim_verb("dumpxml"), NULL, &argc, &argv, 1, 1, error))
        return 0;
    g_autofree gchar *id = verb_vm_id(argv[1], error);
    g_autoptr(Host) host = id ? host_open(shim->config, error) : NULL;
    g_autoptr(EngineContainer) container = host ? host_container_needed(host, id, error) : NULL;
    g_autoptr(VmSpec) spec = container ? state_load_needed(shim->config, id, error) : NULL;
    if (!spec)
        return 0;
    g_autofree gchar *xml =
        domain_from_spec(spec, shim->config->opennebula_datastores, container->pid);
    shim_print(xml, error);
    return 0;
}

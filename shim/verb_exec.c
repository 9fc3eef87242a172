// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/error.h"
#include "driver/poll_format.h"

#include <string.h>

/*
 * Where the command begins: behind "--", else behind the VM's name. What stands before it is ours;
 * the command's own options are not.
 */
static int command_index(int argc, char **argv)
{
    int vm = 1;
    for (; vm < argc && argv[vm][0] == '-'; vm++)
        if (strcmp(argv[vm], "--config") == 0 || strcmp(argv[vm], "--color") == 0)
            vm++; /* its value is the next word */
    return vm + 1 < argc && strcmp(argv[vm + 1], "--") == 0 ? vm + 2 : vm + 1;
}

int verb_exec(Shim *shim, int argc, char **argv, GError **error)
{
    int first = command_index(argc, argv);
    const char *const *command = (const char *const *)argv + first;
    int own_count = MIN(first, argc);
    if (own_count > 1 && strcmp(argv[own_count - 1], "--") == 0)
        own_count--;
    g_autofree char **own = g_memdup2(argv, sizeof(char *) * (gsize)(own_count + 1));
    own[own_count] = NULL;
    char **arguments = own;
    if (!shim_parse(shim, shim_verb("exec"), NULL, &own_count, &arguments, 1, 1, error))
        return 0;
    if (first >= argc) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "usage: vmdock exec VM -- COMMAND…; see vmdock exec --help");
        return 0;
    }
    g_autofree gchar *id = verb_vm_id(arguments[1], error);
    g_autoptr(Host) host = id ? host_open(shim->config, error) : NULL;
    g_autoptr(EngineContainer) container = host ? host_container_needed(host, id, error) : NULL;
    if (!container)
        return 0;
    if (container->state != ENGINE_RUNNING) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "VM %s does not run: it is %s", id,
                    poll_state_name(container->state));
        return 0;
    }
    gint status = 0;
    engine_exec(host->engine, container->id, command, verb_copy_output, NULL, &status, error);
    return status;
}

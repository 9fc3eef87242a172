// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/error.h"

int verb_logs(Shim *shim, int argc, char **argv, GError **error)
{
    gboolean follow = FALSE;
    gint tail = 0;
    const GOptionEntry options[] = {
        {"follow", 'f', 0, G_OPTION_ARG_NONE, &follow, "Go on until the VM stops", NULL},
        {"tail", 'n', 0, G_OPTION_ARG_INT, &tail, "Only the last lines", "LINES"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("logs"), options, &argc, &argv, 1, 1, error))
        return 0;
    if (tail < 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "--tail takes a number of lines, not %d", tail);
        return 0;
    }
    g_autofree gchar *id = verb_vm_id(argv[1], error);
    g_autoptr(Host) host = id ? host_open(shim->config, error) : NULL;
    g_autoptr(EngineContainer) container = host ? host_container_needed(host, id, error) : NULL;
    if (!container)
        return 0;
    engine_logs(host->engine, container->id, container->terminal, (guint)tail, follow,
                verb_copy_output, NULL, error);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* The verbs that do one action to each VM named. */
#include "verbs.h"

#include "driver/actions.h"
#include "driver/error.h"

typedef gboolean (*Action)(Host *host, const char *deploy_id, GError **error);

/* All names are looked at before the first VM is touched; the first failure ends it. */
static int for_each_vm(Shim *shim, const char *verb, Action action, const GOptionEntry *options,
                       int argc, char **argv, GError **error)
{
    if (!shim_parse(shim, shim_verb(verb), options, &argc, &argv, 1, -1, error))
        return 0;
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    for (int i = 1; i < argc; i++) {
        gchar *id = verb_vm_id(argv[i], error);
        if (!id)
            return 0;
        g_ptr_array_add(ids, id);
    }
    g_autoptr(Host) host = host_open(shim->config, error);
    if (!host)
        return 0;
    for (guint i = 0; i < ids->len; i++)
        if (!action(host, g_ptr_array_index(ids, i), error))
            return 0;
    return 0;
}

enum { LONGEST_STOP_S = 24 * 3600 };

static gchar *stop_after;

static gboolean shutdown_within(Host *host, const char *deploy_id, GError **error)
{
    gint64 seconds = -1;
    if (stop_after &&
        !g_ascii_string_to_signed(stop_after, 10, 0, LONGEST_STOP_S, &seconds, NULL)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "--time takes whole seconds from 0 to %d, not \"%s\"", LONGEST_STOP_S,
                    stop_after);
        return FALSE;
    }
    return vm_shutdown(host, deploy_id, (gint)seconds, error);
}

int verb_shutdown(Shim *shim, int argc, char **argv, GError **error)
{
    static const GOptionEntry options[] = {
        {"time", 't', 0, G_OPTION_ARG_STRING, &stop_after,
         "Kill it after this many seconds (default: the VM's, else the host's)", "SECONDS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    int status = for_each_vm(shim, "shutdown", shutdown_within, options, argc, argv, error);
    g_clear_pointer(&stop_after, g_free);
    return status;
}

int verb_cancel(Shim *shim, int argc, char **argv, GError **error)
{
    return for_each_vm(shim, "cancel", vm_cancel, NULL, argc, argv, error);
}

int verb_reboot(Shim *shim, int argc, char **argv, GError **error)
{
    return for_each_vm(shim, "reboot", vm_reboot, NULL, argc, argv, error);
}

int verb_reset(Shim *shim, int argc, char **argv, GError **error)
{
    return for_each_vm(shim, "reset", vm_reset, NULL, argc, argv, error);
}

int verb_pause(Shim *shim, int argc, char **argv, GError **error)
{
    return for_each_vm(shim, "pause", vm_pause, NULL, argc, argv, error);
}

int verb_resume(Shim *shim, int argc, char **argv, GError **error)
{
    return for_each_vm(shim, "resume", vm_resume, NULL, argc, argv, error);
}

int verb_purge(Shim *shim, int argc, char **argv, GError **error)
{
    return for_each_vm(shim, "purge", vm_purge, NULL, argc, argv, error);
}

// SPDX-License-Identifier: Apache-2.0
/* The actions that start, stop and look at a VM. */
#include "one.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/poll.h"
#include "driver/poll_format.h"

#include <string.h>

static gboolean report(const char *deploy_id, gpointer data G_GNUC_UNUSED, GError **error)
{
    g_autofree gchar *line = g_strconcat(deploy_id, "\n", NULL);
    return shim_print(line, error);
}

/* deploy <file> <host> <vmid> <host>: the file's name means nothing on the node. */
gboolean one_deploy(One *one, int argc, char **argv, GError **error)
{
    if (argc < 2)
        return one_usage(error, "deploy FILE HOST [VMID HOST]");
    g_autoptr(VmSpec) spec = one_spec(one, error);
    if (!spec)
        return FALSE;
    if (argc > 3 && strcmp(argv[3], spec->cloud_id) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the front end asks for VM %s and sends the description of VM %s", argv[3],
                    spec->cloud_id);
        return FALSE;
    }
    one_take_directory(one, spec, argv[1]);
    DeployHooks hooks = {.pull = shim_progress, .report = report, .data = &one->progress};
    return vm_deploy(one->host, spec, &hooks, error);
}

typedef gboolean (*Plain)(Host *host, const char *deploy_id, GError **error);

/* <deploy-id> <host> [<vmid> <host>] */
static gboolean plain(One *one, int argc, char **argv, Plain action, GError **error)
{
    if (argc < 2)
        return one_usage(error, "ACTION DEPLOY_ID [HOST VMID HOST]");
    return one_check_id(argv[1], argc > 3 ? argv[3] : NULL, error) &&
           action(one->host, argv[1], error);
}

static gboolean own_timeout(Host *host, const char *deploy_id, GError **error)
{
    return vm_shutdown(host, deploy_id, -1, error);
}

gboolean one_shutdown(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, own_timeout, error);
}

gboolean one_cancel(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, vm_cancel, error);
}

gboolean one_reboot(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, vm_reboot, error);
}

gboolean one_reset(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, vm_reset, error);
}

static gchar *poll_text_all(One *one, GError **error)
{
    g_autoptr(GPtrArray) vms = poll_all(one->host, POLL_FULL, error);
    return vms ? poll_format_opennebula_all(vms) : NULL;
}

static gchar *poll_text(One *one, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(PollVm) vm = poll_one(one->host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    g_autofree gchar *line = poll_format_opennebula(vm);
    return g_strconcat(line, "\n", NULL);
}

/* poll <deploy-id> <host>, or no deploy id for all of the host's VMs: up to OpenNebula 5.x. */
gboolean one_poll(One *one, int argc, char **argv, GError **error)
{
    gboolean all = argc < 2 || !*argv[1] || strcmp(argv[1], "-") == 0;
    if (!all && !one_check_id(argv[1], NULL, error))
        return FALSE;
    g_autofree gchar *text = all ? poll_text_all(one, error) : poll_text(one, argv[1], error);
    return text && shim_print(text, error);
}

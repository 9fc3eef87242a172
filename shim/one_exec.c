// SPDX-License-Identifier: Apache-2.0
/* The actions that run a command in a VM, and end it. */
#include "one.h"

#include "driver/error.h"
#include "driver/exec.h"
#include "driver/spec_opennebula.h"

#include <string.h>

/* The deploy id of the VM number NUMBER: these two actions are not told it. */
static gchar *deploy_id_of(const char *number, GError **error)
{
    g_autofree gchar *deploy_id = g_strconcat("one-", number, NULL);
    return one_check_id(deploy_id, number, error) ? g_steal_pointer(&deploy_id) : NULL;
}

static gboolean payload_is_of(One *one, const char *number, GError **error)
{
    gsize length = 0;
    g_autofree gchar *text = one_payload(one, &length, error);
    g_autofree gchar *id =
        text ? opennebula_vm_id(text, length, one->config->xml_max_bytes, error) : NULL;
    if (!id)
        return FALSE;
    if (strcmp(id, number) == 0)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "the front end asks for VM %s and sends the description of VM %s", number, id);
    return FALSE;
}

/* What the command line says in base64; NULL when it says nothing. */
static gboolean read_input(const char *text, guchar **input, gsize *length, GError **error)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    gsize known = strspn(text, letters);
    if (strspn(text + known, "=") + known != strlen(text) || strlen(text) % 4 != 0) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "the command's stdin is not in base64");
        return FALSE;
    }
    *input = g_base64_decode(text, length);
    return TRUE;
}

/* exec <vmid> <host> <command> [<stdin in base64>] */
gboolean one_exec(One *one, int argc, char **argv, GError **error)
{
    if (argc < 4 || argc > 5 || !*argv[3])
        return one_usage(error, "exec VMID HOST COMMAND [STDIN]");
    g_autofree gchar *deploy_id = deploy_id_of(argv[1], error);
    g_autofree guchar *input = NULL;
    gsize length = 0;
    if (!deploy_id || !payload_is_of(one, argv[1], error) ||
        (argc > 4 && *argv[4] && !read_input(argv[4], &input, &length, error)))
        return FALSE;
    /* The process that stays with the command keeps this command line, for everybody to read. */
    if (argc > 4)
        memset(argv[4], '*', strlen(argv[4]));
    ExecRequest request = {argv[1], argv[3], (const char *)input, length};
    return vm_exec(one->host, deploy_id, &request, error);
}

/* exec_cancel <vmid> <host> */
gboolean one_exec_cancel(One *one, int argc, char **argv, GError **error)
{
    if (argc < 2)
        return one_usage(error, "exec_cancel VMID HOST");
    g_autofree gchar *deploy_id = deploy_id_of(argv[1], error);
    return deploy_id && payload_is_of(one, argv[1], error) &&
           vm_exec_cancel(one->host, deploy_id, error);
}

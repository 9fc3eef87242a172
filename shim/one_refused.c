// SPDX-License-Identifier: Apache-2.0
/* The actions that a container cannot take part in, each with what to use instead. */
#include "one.h"

#include "driver/error.h"

static gboolean refuse(const char *deploy_id, const char *number, const char *sentence,
                       GError **error)
{
    if (!one_check_id(deploy_id, number, error))
        return FALSE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "VM %s: %s", deploy_id, sentence);
    return FALSE;
}

/* save <deploy-id> <checkpoint> <host> [<vmid> <host>]: suspend, stop, and migrate of what runs. */
gboolean one_save(One *one G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    if (argc < 4)
        return one_usage(error, "save DEPLOY_ID CHECKPOINT HOST [VMID HOST]");
    return refuse(argv[1], argc > 4 ? argv[4] : NULL,
                  "the memory of a container cannot be saved: use poweroff instead of suspend, "
                  "undeploy instead of stop, and migrate --poff to move it",
                  error);
}

/* restore <checkpoint> <host> <deploy-id> [<vmid> <host>] */
gboolean one_restore(One *one G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    if (argc < 4)
        return one_usage(error, "restore CHECKPOINT HOST DEPLOY_ID [VMID HOST]");
    return refuse(argv[3], argc > 4 ? argv[4] : NULL,
                  "the memory of a container cannot be restored from a checkpoint: use poweroff or "
                  "undeploy, then resume, which starts it with the files that it had",
                  error);
}

/* migrate <deploy-id> <destination> <source> [<vmid> <source>] */
gboolean one_migrate(One *one G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    if (argc < 4)
        return one_usage(error, "migrate DEPLOY_ID DESTINATION SOURCE [VMID SOURCE]");
    return refuse(
        argv[1], argc > 4 ? argv[4] : NULL,
        "a running container cannot move to another host: use migrate --poff, which stops "
        "it, moves its disks and starts it there",
        error);
}

// SPDX-License-Identifier: Apache-2.0
/* The actions on snapshots of a whole VM. */
#include "one.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"

enum { MAX_NUMBER = 999999999 };

/* A snapshot that the front end has not heard of would be nobody's. */
static void take_back(One *one, const char *deploy_id, const char *snapshot)
{
    g_autoptr(GError) trouble = NULL;
    interrupt_hold();
    if (!vm_snapshot_delete(one->host, deploy_id, snapshot, &trouble))
        log_warn("cannot take back the snapshot: %s", trouble->message);
    interrupt_allow();
}

/* snapshot_create <deploy-id> <number> [<vmid> <host>]: the answer is the snapshot's name. */
gboolean one_snapshot_create(One *one, int argc, char **argv, GError **error)
{
    guint64 number = 0;
    if (argc < 3 || !g_ascii_string_to_unsigned(argv[2], 10, 0, MAX_NUMBER, &number, NULL))
        return one_usage(error, "snapshot_create DEPLOY_ID NUMBER [VMID HOST]");
    if (!one_check_id(argv[1], argc > 3 ? argv[3] : NULL, error))
        return FALSE;
    g_autofree gchar *snapshot = vm_snapshot_create(one->host, argv[1], (guint)number, error);
    if (!snapshot)
        return FALSE;
    g_autofree gchar *line = g_strconcat(snapshot, "\n", NULL);
    if (shim_print(line, error))
        return TRUE;
    take_back(one, argv[1], snapshot);
    return FALSE;
}

typedef gboolean (*Named)(Host *host, const char *deploy_id, const char *snapshot, GError **error);

static gboolean named(One *one, int argc, char **argv, Named action, GError **error)
{
    if (argc < 3)
        return one_usage(error, "ACTION DEPLOY_ID SNAPSHOT [VMID HOST]");
    return one_check_id(argv[1], argc > 3 ? argv[3] : NULL, error) &&
           action(one->host, argv[1], argv[2], error);
}

gboolean one_snapshot_revert(One *one, int argc, char **argv, GError **error)
{
    return named(one, argc, argv, vm_snapshot_revert, error);
}

gboolean one_snapshot_delete(One *one, int argc, char **argv, GError **error)
{
    return named(one, argc, argv, vm_snapshot_delete, error);
}

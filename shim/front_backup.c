// SPDX-License-Identifier: Apache-2.0
/*
 * Backups, which a container's disk 0 has none of: the datastore's action, and the transfer
 * driver's before and after it. ds backup, tm prebackup, prebackup_live, postbackup,
 * postbackup_live HOST:SYSDIR DISKS DEPLOY_ID JOB|- VMID DATASTORE, a description on stdin
 */
#include "front.h"

#include "driver/error.h"

/*
 * What was not begun leaves nothing to clear. The caller is writing the VM's description: it is
 * read, so that the caller sees our answer.
 */
gboolean front_after_backup(Front *front, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                            GError **error)
{
    gsize length = 0;
    g_autofree gchar *text = shim_read(NULL, front->config->xml_max_bytes * 2, &length, error);
    return text != NULL;
}

gboolean front_refuse_backup(Front *front, int argc, char **argv, GError **error)
{
    if (front_after_backup(front, argc, argv, error))
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                            "a container's disk is not backed up: save it as an image instead "
                            "(onevm disk-saveas)");
    return FALSE;
}

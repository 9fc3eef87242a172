// SPDX-License-Identifier: Apache-2.0
/*
 * Backups, which a container's disk 0 has none of: the datastore's action, and the transfer
 * driver's before and after it. ds backup, tm prebackup, prebackup_live, postbackup,
 * postbackup_live HOST:SYSDIR DISKS DEPLOY_ID JOB|- VMID DATASTORE, a description on stdin
 */
#include "front.h"

#include "driver/error.h"

/* The caller is writing the VM's description: it is read, so that the caller sees our answer. */
static gboolean hear(Front *front, GError **error)
{
    gsize length = 0;
    g_autofree gchar *text = shim_read(NULL, front->config->xml_max_bytes * 2, &length, error);
    return text != NULL;
}

static gboolean refuse(Front *front, GError **error)
{
    if (hear(front, error))
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                            "a container's disk is not backed up: save it as an image instead "
                            "(onevm disk-saveas)");
    return FALSE;
}

gboolean front_ds_backup(Front *front, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                         GError **error)
{
    return refuse(front, error);
}

gboolean front_tm_prebackup(Front *front, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                            GError **error)
{
    return refuse(front, error);
}

gboolean front_tm_prebackup_live(Front *front, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                                 GError **error)
{
    return refuse(front, error);
}

/* What was not begun leaves nothing to clear. */
gboolean front_tm_postbackup(Front *front, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                             GError **error)
{
    return hear(front, error);
}

gboolean front_tm_postbackup_live(Front *front, int argc G_GNUC_UNUSED, char **argv G_GNUC_UNUSED,
                                  GError **error)
{
    return hear(front, error);
}

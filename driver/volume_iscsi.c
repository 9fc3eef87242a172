// SPDX-License-Identifier: Apache-2.0
/*
 * Which block devices came by iSCSI. Somebody without root's rights begins the sessions and names
 * the device: without this it could be any of the host's.
 */
#include "volume_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* ".../host2/session1/target2:0:0/2:0:0:1/block/sdb" */
static gboolean has_session(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    gboolean host = FALSE;
    for (char **part = parts; *part; part++) {
        if (host && g_str_has_prefix(*part, "session") && g_ascii_isdigit((*part)[7]))
            return TRUE;
        host = g_str_has_prefix(*part, "host") && g_ascii_isdigit((*part)[4]);
    }
    return FALSE;
}

static gboolean leads_to_session(const char *link)
{
    char path[PATH_MAX];
    return realpath(link, path) && has_session(path);
}

/* A device mapper's, of which every path must be one; anything else has none. */
static gboolean is_multipath(const char *device)
{
    g_autofree gchar *folder = g_build_filename(device, "slaves", NULL);
    g_autoptr(GDir) names = g_dir_open(folder, 0, NULL);
    guint count = 0;
    for (const char *name; names && (name = g_dir_read_name(names)); count++) {
        g_autofree gchar *link = g_build_filename(folder, name, NULL);
        if (!leads_to_session(link))
            return FALSE;
    }
    return count > 0;
}

gboolean volume_is_iscsi(const char *sysfs, dev_t device)
{
    g_autofree gchar *link =
        g_strdup_printf("%s/dev/block/%u:%u", sysfs, major(device), minor(device));
    return leads_to_session(link) || is_multipath(link);
}

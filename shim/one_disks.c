// SPDX-License-Identifier: Apache-2.0
/*
 * attach_disk and detach_disk. The path in argv decides nothing: the disk's file is where the VM's
 * description says, and the path must name that very place.
 */
#include "one.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/log.h"
#include "driver/spec_opennebula.h"
#include "driver/volume.h"

#include <string.h>

/* "102/42/disk.7" -> 7; FALSE unless the place is one of the VM's disks. */
static gboolean disk_number(const char *source, const char *deploy_id, guint *id, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(source, "/", -1);
    guint64 number = 0;
    if (g_strv_length(parts) == 3 && g_strcmp0(parts[1], deploy_id + strlen("one-")) == 0 &&
        g_str_has_prefix(parts[2], "disk.") &&
        g_ascii_string_to_unsigned(parts[2] + strlen("disk."), 10, 0, G_MAXINT, &number, NULL)) {
        *id = (guint)number;
        return TRUE;
    }
    g_autofree gchar *shown = vmdock_one_line(source, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is no disk of VM %s", shown,
                deploy_id);
    return FALSE;
}

/* The same of argv[2]; *source is the place below the datastores. */
static gboolean check_arguments(const One *one, char **argv, const char *number, gchar **source,
                                guint *id, GError **error)
{
    if (!one_check_id(argv[1], number, error))
        return FALSE;
    *source = volume_source(one->config, argv[2], error);
    return *source && disk_number(*source, argv[1], id, error);
}

/* Why the disk is none of the spec's. */
static gboolean refuse(const VmSpec *spec, guint id, GError **error)
{
    g_autofree gchar *begin = g_strdup_printf("DISK %u (", id);
    for (guint i = 0; i < spec->not_honoured->len; i++) {
        const char *sentence = g_ptr_array_index(spec->not_honoured, i);
        if (!g_str_has_prefix(sentence, begin))
            continue;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, "VM %s: %s", spec->deploy_id,
                    sentence);
        return FALSE;
    }
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "VM %s: its description has no disk %u that can be attached", spec->deploy_id, id);
    return FALSE;
}

/* What the description says of this disk and it does not get. */
static void tell_not_honoured(const VmSpec *spec, guint id)
{
    g_autofree gchar *begin = g_strdup_printf("disk %u:", id);
    g_autofree gchar *middle = g_strdup_printf(" of disk %u ", id);
    for (guint i = 0; i < spec->not_honoured->len; i++) {
        const char *sentence = g_ptr_array_index(spec->not_honoured, i);
        if (g_str_has_prefix(sentence, begin) || strstr(sentence, middle))
            log_warn("VM %s: %s", spec->deploy_id, sentence);
    }
}

/* attach_disk <deploy-id> <path> <target> <index> <action data in base64> <vmid> <host> */
gboolean one_attach_disk(One *one, int argc, char **argv, GError **error)
{
    if (argc < 3)
        return one_usage(error, "attach_disk DEPLOY_ID PATH TARGET [INDEX DATA VMID HOST]");
    g_autofree gchar *source = NULL;
    guint id;
    if (!check_arguments(one, argv, argc > 6 ? argv[6] : NULL, &source, &id, error))
        return FALSE;
    g_autoptr(VmSpec) spec = one_spec(one, error);
    if (!spec || !one_check_id(argv[1], spec->cloud_id, error))
        return FALSE;
    const VmDisk *disk = vm_spec_disk(spec, id);
    if (!disk)
        return refuse(spec, id, error);
    if (strcmp(disk->source, source) == 0) {
        tell_not_honoured(spec, id);
        return vm_attach_disk(one->host, argv[1], disk, error);
    }
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "VM %s: disk %u is to be at %s, and the front end asks for %s", spec->deploy_id, id,
                disk->source, source);
    return FALSE;
}

/* detach_disk <deploy-id> <path> <target> <index> <vmid> <host> */
gboolean one_detach_disk(One *one, int argc, char **argv, GError **error)
{
    if (argc < 3)
        return one_usage(error, "detach_disk DEPLOY_ID PATH TARGET [INDEX VMID HOST]");
    g_autofree gchar *source = NULL;
    guint id;
    return check_arguments(one, argv, argc > 5 ? argv[5] : NULL, &source, &id, error) &&
           vm_detach_disk(one->host, argv[1], id, error);
}

// SPDX-License-Identifier: Apache-2.0
/* The actions that change what a running VM has: its limits, a disk's size. */
#include "one.h"

#include "driver/actions.h"
#include "driver/error.h"

#include <string.h>

/* resize <deploy-id> <vmid> <host> */
gboolean one_resize(One *one, int argc, char **argv, GError **error)
{
    if (argc < 2)
        return one_usage(error, "resize DEPLOY_ID [VMID HOST]");
    if (!one_check_id(argv[1], argc > 2 ? argv[2] : NULL, error))
        return FALSE;
    g_autoptr(VmSpec) spec = one_spec(one, error);
    if (!spec)
        return FALSE;
    if (strcmp(spec->deploy_id, argv[1]) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the front end asks for VM %s and sends the description of VM %s", argv[1],
                    spec->deploy_id);
        return FALSE;
    }
    return vm_resize(one->host, spec, error);
}

/* resize_disk <deploy-id> <disk> <megabytes> <message> <host> [<vmid> <host>] */
gboolean one_resize_disk(One *one, int argc, char **argv, GError **error)
{
    guint64 disk = 0, megabytes = 0;
    if (argc < 4 || !g_ascii_string_to_unsigned(argv[2], 10, 0, G_MAXUINT16, &disk, NULL) ||
        !g_ascii_string_to_unsigned(argv[3], 10, 1, G_MAXUINT32, &megabytes, NULL))
        return one_usage(error, "resize_disk DEPLOY_ID DISK MEGABYTES MESSAGE HOST [VMID HOST]");
    return one_check_id(argv[1], argc > 6 ? argv[6] : NULL, error) &&
           vm_resize_disk(one->host, argv[1], (guint)disk, megabytes, error);
}

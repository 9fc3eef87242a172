// SPDX-License-Identifier: Apache-2.0
/* resize_disk: a disk of a VM that runs. */
#include "actions.h"

#include "error.h"

/*
 * The engine takes the size of a container's root when it makes the container, if its storage can
 * hold one at all, and changes it never.
 */
static gboolean refuse_root(GError **error)
{
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                        "disk 0 is the container's root, whose size the engine sets when it makes "
                        "the container and "
                        "cannot change: attach a further disk, or save disk 0 as an image "
                        "(disk-saveas) and start a "
                        "new VM of it with the SIZE wanted");
    return FALSE;
}

/* Takes no lock for what it only refuses. */
gboolean vm_resize_disk(Host *host, const char *deploy_id, guint disk_id, GError **error)
{
    g_autoptr(EngineContainer) container = host_container_needed(host, deploy_id, error);
    if (!container)
        return FALSE;
    if (disk_id == 0)
        refuse_root(error);
    else
        g_set_error(
            error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
            "disk %u is a file system in use, which cannot be resized under the VM: power it "
            "off, resize the disk and resume it",
            disk_id);
    g_prefix_error(error, "VM %s: ", deploy_id);
    return FALSE;
}

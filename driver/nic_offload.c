// SPDX-License-Identifier: Apache-2.0
#include "nic_offload.h"

#include "autoptr.h"
#include "error.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Without checksums there is no segmentation either: the kernel takes that back by itself. */
static gboolean turn_off(gpointer data, GError **error)
{
    const char *link = data;
    struct ethtool_value value = {.cmd = ETHTOOL_STXCSUM, .data = 0};
    struct ifreq request = {.ifr_data = (void *)&value};
    g_strlcpy(request.ifr_name, link, sizeof request.ifr_name);
    autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, errno,
                       "cannot turn the checksum offload of %s off", link);
    return FALSE;
}

gboolean nic_offload_off(const Sandbox *sandbox, const char *link, GError **error)
{
    return sandbox_run(sandbox, turn_off, (gpointer)link, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_network.h"

#include "spec_value.h"

#include <string.h>

#define PREFIX "vd"

gboolean spec_network_set(VmNic *nic, const char *text, GError **error)
{
    const char *sign = strrchr(text, '=');
    VmAddress address;
    nic->libvirt_network = sign ? g_strndup(text, (gsize)(sign - text)) : g_strdup(text);
    if (!sign)
        return TRUE;
    if (!vm_address_parse(sign + 1, &address)) {
        g_autofree gchar *shown = spec_shown(text);
        return spec_fail(error, "--network: \"%s\" is no NAME or NAME=ADDRESS", shown);
    }
    g_array_append_val(nic->addresses, address);
    if (address.family == AF_INET6)
        nic->ip6_mode = VM_IP6_ROUTERS;
    return TRUE;
}

/* Not behind the largest: the number of a VM's own NIC on a network of the engine (ONE_VM_NIC) is
 * longer than the names of links have room for. */
static guint free_id(const GPtrArray *nics)
{
    guint id = nics->len;
    while (vm_nics_find(nics, id))
        id++;
    return id;
}

gboolean spec_network_add(VmSpec *spec, const GStrv texts, GError **error)
{
    for (char **text = texts; text && *text; text++) {
        g_autoptr(VmNic) nic = vm_nic_new();
        nic->id = free_id(spec->nics);
        nic->host_name = vm_nic_host_name(PREFIX, spec->deploy_id, nic->id);
        nic->guest_name = vm_nics_free_name(spec->nics);
        if (!spec_network_set(nic, *text, error))
            return FALSE;
        g_ptr_array_add(spec->nics, g_steal_pointer(&nic));
    }
    return vm_spec_check(spec, error);
}

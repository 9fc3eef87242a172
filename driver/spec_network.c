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

static gboolean is_guest_name(const GPtrArray *nics, const char *name)
{
    for (guint i = 0; i < nics->len; i++)
        if (strcmp(((const VmNic *)nics->pdata[i])->guest_name, name) == 0)
            return TRUE;
    return FALSE;
}

static gchar *free_guest_name(const GPtrArray *nics)
{
    gchar *name = NULL;
    guint number = 0;
    do {
        g_free(name);
        name = g_strdup_printf("eth%u", number++);
    } while (is_guest_name(nics, name));
    return name;
}

static guint next_id(const GPtrArray *nics)
{
    guint next = 0;
    for (guint i = 0; i < nics->len; i++)
        next = MAX(next, ((const VmNic *)nics->pdata[i])->id + 1);
    return next;
}

gboolean spec_network_add(VmSpec *spec, const GStrv texts, GError **error)
{
    for (char **text = texts; text && *text; text++) {
        g_autoptr(VmNic) nic = vm_nic_new();
        nic->id = next_id(spec->nics);
        nic->host_name = vm_nic_host_name(PREFIX, spec->deploy_id, nic->id);
        nic->guest_name = free_guest_name(spec->nics);
        if (!spec_network_set(nic, *text, error))
            return FALSE;
        g_ptr_array_add(spec->nics, g_steal_pointer(&nic));
    }
    return vm_spec_check(spec, error);
}

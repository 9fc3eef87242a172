// SPDX-License-Identifier: Apache-2.0
/* DOCKER_NETWORK: NICs on networks of the container engine. */
#include "spec_opennebula_private.h"

#include <string.h>

#define ATTRIBUTE "DOCKER_NETWORK"

static gchar *in_template(const GPtrArray *parents)
{
    for (guint i = 0; i < parents->len; i++) {
        gchar *text = xml_text(parents->pdata[i], ATTRIBUTE);
        if (text)
            return text;
    }
    return NULL;
}

static gboolean has_network(const GPtrArray *nics, const char *network)
{
    for (guint i = 0; i < nics->len; i++)
        if (g_strcmp0(((const VmNic *)nics->pdata[i])->engine_network, network) == 0)
            return TRUE;
    return FALSE;
}

void one_parse_vm_network(OneVm *one)
{
    GPtrArray *nics = one->spec->nics;
    g_autofree gchar *network = in_template(one->user_templates);
    if (!network)
        network = in_template(one->templates);
    if (!network || has_network(nics, network))
        return;
    VmNic *nic = vm_nic_new();
    nic->id = ONE_VM_NIC;
    nic->host_name = g_strconcat(one->spec->deploy_id, "-e", NULL);
    nic->guest_name = vm_nics_free_name(nics);
    nic->engine_network = g_steal_pointer(&network);
    g_ptr_array_add(nics, nic);
}

static gboolean says_yes(const xmlNode *node, const char *name)
{
    g_autofree gchar *text = xml_text(node, name);
    return text && g_ascii_strcasecmp(text, "YES") == 0;
}

/* Each VM has the group 0, which as OpenNebula comes lets everything pass. */
static gboolean is_filtered(const xmlNode *node)
{
    g_autofree gchar *groups = xml_text(node, "SECURITY_GROUPS");
    return says_yes(node, "FILTER_IP_SPOOFING") || says_yes(node, "FILTER_MAC_SPOOFING") ||
           (groups && strcmp(groups, "0") != 0);
}

void one_note_engine_nic(OneVm *one, const OneNic *nic)
{
    const VmNic *is = nic->nic;
    if (strcmp(nic->element, "NIC") != 0 || !is->engine_network)
        return;
    if (vm_bandwidth_any(&is->inbound) || vm_bandwidth_any(&is->outbound))
        one_note(one, "NIC %u: its bandwidth is not limited: it is on a network of the engine",
                 nic->id);
    if (is_filtered(nic->node))
        one_note(one,
                 "NIC %u: its security groups and the filters against spoofing are not honoured: "
                 "it is on a network of the engine",
                 nic->id);
}

// SPDX-License-Identifier: Apache-2.0
/* The actions on the NICs of a VM that runs. */
#include "one.h"

#include "driver/error.h"
#include "driver/hotplug.h"
#include "driver/spec_opennebula.h"

#include <string.h>

static gboolean parse_mac(const char *text, guint8 mac[6], GError **error)
{
    if (vm_mac_parse(text, mac))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(text, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is no MAC", shown);
    return FALSE;
}

/* The VM that stdin describes must be the one that argv names. */
static gboolean check_same(const char *deploy_id, const char *described, GError **error)
{
    if (strcmp(deploy_id, described) == 0)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "the front end asks for %s and sends the description of %s", deploy_id, described);
    return FALSE;
}

/*
 * attach_nic <deploy-id> <mac> <bridge> <model> <vn-mad> <target> <vmid> <host>: what is plugged is
 * the NIC of the XML that has this MAC; bridge, model, driver and target stand there as well.
 */
gboolean one_attach_nic(One *one, int argc, char **argv, GError **error)
{
    guint8 mac[6];
    if (argc < 3)
        return one_usage(error, "attach_nic DEPLOY_ID MAC [BRIDGE MODEL VN_MAD TARGET VMID HOST]");
    if (!one_check_id(argv[1], argc > 7 ? argv[7] : NULL, error) || !parse_mac(argv[2], mac, error))
        return FALSE;
    g_autoptr(VmSpec) spec = one_spec(one, error);
    return spec && check_same(argv[1], spec->deploy_id, error) &&
           vm_attach_nic(one->host, spec, mac, error);
}

/* detach_nic <deploy-id> <mac> <vmid> <host> */
gboolean one_detach_nic(One *one, int argc, char **argv, GError **error)
{
    guint8 mac[6];
    if (argc < 3)
        return one_usage(error, "detach_nic DEPLOY_ID MAC [VMID HOST]");
    return one_check_id(argv[1], argc > 3 ? argv[3] : NULL, error) &&
           parse_mac(argv[2], mac, error) && vm_detach_nic(one->host, argv[1], mac, error);
}

/* set_qos <deploy-id>: stdin is empty, or describes NICs with new limits. */
gboolean one_set_qos(One *one, int argc, char **argv, GError **error)
{
    if (argc < 2)
        return one_usage(error, "set_qos DEPLOY_ID");
    gsize length = 0;
    g_autofree gchar *text =
        one_check_id(argv[1], NULL, error) ? one_payload(one, &length, error) : NULL;
    if (!text)
        return FALSE;
    if (text[strspn(text, " \t\r\n")] == '\0')
        return vm_set_qos(one->host, argv[1], NULL, error);
    g_autofree gchar *id = NULL;
    g_autoptr(GPtrArray) limits =
        opennebula_bandwidth(text, length, one->config->xml_max_bytes, &id, error);
    g_autofree gchar *described = limits ? g_strconcat("one-", id, NULL) : NULL;
    return described && check_same(argv[1], described, error) &&
           vm_set_qos(one->host, argv[1], limits, error);
}

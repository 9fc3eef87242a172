// SPDX-License-Identifier: Apache-2.0
#include "one.h"

#include "driver/error.h"
#include "driver/spec_opennebula.h"

#include <string.h>

gboolean one_usage(GError **error, const char *form)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "usage: vmdock-one %s", form);
    return FALSE;
}

gchar *one_payload(const One *one, gsize *length, GError **error)
{
    const Config *config = one->config;
    /* Base64 is larger by a third. */
    gchar *text = shim_read(NULL, config->xml_max_bytes + config->xml_max_bytes / 2, length, error);
    return text ? front_end_payload(text, length) : NULL;
}

VmSpec *one_spec(const One *one, GError **error)
{
    const Config *config = one->config;
    gsize length = 0;
    g_autofree gchar *text = one_payload(one, &length, error);
    if (!text)
        return NULL;
    OpennebulaOptions options = {config->xml_max_bytes, config->hard_cpu, config->terminal,
                                 config->context_env_prefix};
    return spec_from_opennebula(text, length, &options, error);
}

gboolean one_check_id(const char *deploy_id, const char *number, GError **error)
{
    const char *own = g_str_has_prefix(deploy_id, "one-") ? deploy_id + strlen("one-") : "";
    if (vm_id_valid(deploy_id) && *own && own[strspn(own, "0123456789")] == '\0' &&
        (!number || strcmp(own, number) == 0))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(deploy_id, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is not the deploy id of that VM",
                shown);
    return FALSE;
}

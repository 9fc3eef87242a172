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

/* Under `-l` the front end runs an action itself and hands the payload over in base64. */
static gchar *decode(gchar *text, gsize *length)
{
    const char *start = text + strspn(text, " \t\r\n");
    if (*start == '<' || *start == '\0' || *start == '\xef')
        return text;
    gsize size = 0;
    g_autofree guchar *bytes = g_base64_decode(start, &size);
    if (size == 0 || bytes[0] != '<')
        return text;
    g_free(text);
    *length = size;
    return g_strndup((const char *)bytes, size);
}

gchar *one_payload(const One *one, gsize *length, GError **error)
{
    const Config *config = one->config;
    /* Base64 is larger by a third. */
    gchar *text = shim_read(NULL, config->xml_max_bytes + config->xml_max_bytes / 2, length, error);
    return text ? decode(text, length) : NULL;
}

VmSpec *one_spec(const One *one, GError **error)
{
    const Config *config = one->config;
    gsize length = 0;
    g_autofree gchar *text = one_payload(one, &length, error);
    if (!text)
        return NULL;
    OpennebulaOptions options = {config->xml_max_bytes, config->hard_cpu, config->terminal};
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

// SPDX-License-Identifier: Apache-2.0
/* What vmdock and vmdock-libvirt say to each other. */
#include "autoptr.h"
#include "error.h"
#include "libvirt.h"

#include <stdlib.h>

enum { MAX_SUBNETS = 64, MAX_MTU = 65535, MAX_VLAN = 4094 };

static gboolean garbled(const char *what, GError **error)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "%s has not the form that is agreed on",
                what);
    return FALSE;
}

/* ---- words of both --------------------------------------------------------------------------- */

static void put_address(json_t *json, const char *key, const VmAddress *address)
{
    g_autofree gchar *text = address->family ? vm_address_format(address) : NULL;
    json_object_set_new(json, key, text ? json_string(text) : json_null());
}

static gboolean take_address(const json_t *value, VmAddress *address)
{
    return !value || json_is_null(value) ||
           (json_is_string(value) && vm_address_parse(json_string_value(value), address));
}

static gboolean take_text(const json_t *json, const char *key, gchar **text)
{
    const json_t *value = json_object_get(json, key);
    *text = g_strdup(json_string_value(value));
    return !value || json_is_null(value) || *text;
}

static gboolean take_number(const json_t *json, const char *key, json_int_t most, guint64 *number)
{
    const json_t *value = json_object_get(json, key);
    json_int_t given = json_integer_value(value);
    *number = (guint64)given;
    return !value || (json_is_integer(value) && given >= 0 && given <= most);
}

static gchar *text_of(const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    gchar *copy = g_strdup(text);
    free(text);
    return copy;
}

static json_t *object_of(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

/* ---- the request ----------------------------------------------------------------------------- */

LibvirtRequest *libvirt_request_new(const char *verb, const Config *config)
{
    LibvirtRequest *request = g_new0(LibvirtRequest, 1);
    request->verb = g_strdup(verb);
    if (config) {
        request->uri = g_strdup(config->libvirt_uri);
        request->timeout_ms = config->libvirt_timeout_ms;
    }
    return request;
}

void libvirt_request_free(LibvirtRequest *request)
{
    if (!request)
        return;
    g_free(request->verb);
    g_free(request->uri);
    g_free(request->network);
    g_free(request->portgroup);
    g_strfreev(request->names);
    g_free(request);
}

gchar *libvirt_request_text(const LibvirtRequest *request)
{
    g_autoptr(json_t) json =
        json_pack("{s:s, s:s, s:I, s:s?, s:s?}", "verb", request->verb, "uri", request->uri,
                  "timeout_ms", (json_int_t)request->timeout_ms, "network", request->network,
                  "portgroup", request->portgroup);
    json_t *names = json_array();
    g_autofree gchar *mac = request->has_mac ? vm_mac_format(request->mac) : NULL;
    for (char **name = request->names; name && *name; name++)
        json_array_append_new(names, json_string(*name));
    json_object_set_new(json, "names", names);
    json_object_set_new(json, "mac", mac ? json_string(mac) : json_null());
    put_address(json, "address", &request->address);
    put_address(json, "wish", &request->wish);
    return text_of(json);
}

static gboolean take_names(const json_t *json, GStrv *names)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const json_t *list = json_object_get(json, "names"), *name;
    gsize index;
    json_array_foreach (list, index, name) {
        if (!json_is_string(name))
            return FALSE;
        g_strv_builder_add(builder, json_string_value(name));
    }
    *names = g_strv_builder_end(builder);
    return !list || json_is_array(list);
}

static gboolean take_mac(const json_t *json, LibvirtRequest *request)
{
    const char *mac = json_string_value(json_object_get(json, "mac"));
    request->has_mac = mac != NULL;
    return !mac || vm_mac_parse(mac, request->mac);
}

LibvirtRequest *libvirt_request_parse(const char *text, GError **error)
{
    g_autoptr(json_t) json = object_of(text);
    g_autoptr(LibvirtRequest) request = g_new0(LibvirtRequest, 1);
    if (json && take_text(json, "verb", &request->verb) && request->verb &&
        take_text(json, "uri", &request->uri) && request->uri &&
        take_number(json, "timeout_ms", G_MAXINT, &request->timeout_ms) &&
        take_text(json, "network", &request->network) &&
        take_text(json, "portgroup", &request->portgroup) && take_names(json, &request->names) &&
        take_mac(json, request) &&
        take_address(json_object_get(json, "address"), &request->address) &&
        take_address(json_object_get(json, "wish"), &request->wish))
        return g_steal_pointer(&request);
    garbled("the request", error);
    return NULL;
}

/* ---- the answer ------------------------------------------------------------------------------ */

LibvirtAnswer *libvirt_answer_new(void)
{
    LibvirtAnswer *answer = g_new0(LibvirtAnswer, 1);
    answer->subnets = g_array_new(FALSE, TRUE, sizeof(VmAddress));
    return answer;
}

void libvirt_answer_free(LibvirtAnswer *answer)
{
    if (!answer)
        return;
    g_free(answer->bridge);
    g_free(answer->domain);
    g_free(answer->name);
    g_free(answer->version);
    g_array_unref(answer->subnets);
    g_free(answer);
}

static void put_bandwidth(json_t *json, const char *key, const VmBandwidth *limits)
{
    json_object_set_new(json, key,
                        json_pack("{s:I, s:I, s:I}", "average", (json_int_t)limits->average, "peak",
                                  (json_int_t)limits->peak, "burst", (json_int_t)limits->burst));
}

gchar *libvirt_answer_text(const LibvirtAnswer *answer)
{
    g_autoptr(json_t) json = json_pack(
        "{s:s?, s:b, s:i, s:i, s:b, s:b, s:s?, s:s?, s:b, s:s?}", "bridge", answer->bridge,
        "openvswitch", answer->openvswitch, "mtu", (int)answer->mtu, "vlan", (int)answer->vlan,
        "leads_on", answer->leads_on, "dns", answer->dns, "domain", answer->domain, "name",
        answer->name, "added", answer->added, "version", answer->version);
    json_t *subnets = json_array();
    for (guint i = 0; i < answer->subnets->len; i++) {
        g_autofree gchar *text = vm_address_format(&g_array_index(answer->subnets, VmAddress, i));
        json_array_append_new(subnets, json_string(text));
    }
    json_object_set_new(json, "subnets", subnets);
    put_bandwidth(json, "inbound", &answer->inbound);
    put_bandwidth(json, "outbound", &answer->outbound);
    put_address(json, "address", &answer->address);
    return text_of(json);
}

static gboolean take_subnets(const json_t *json, GArray *subnets)
{
    const json_t *list = json_object_get(json, "subnets"), *item;
    gsize index;
    json_array_foreach (list, index, item) {
        VmAddress address = {0};
        if (!json_is_string(item) || !take_address(item, &address) || subnets->len == MAX_SUBNETS)
            return FALSE;
        g_array_append_val(subnets, address);
    }
    return !list || json_is_array(list);
}

static gboolean take_bandwidth(const json_t *json, const char *key, VmBandwidth *limits)
{
    const json_t *from = json_object_get(json, key);
    guint64 average, peak, burst;
    if (!take_number(from, "average", G_MAXINT64, &average) ||
        !take_number(from, "peak", G_MAXINT64, &peak) ||
        !take_number(from, "burst", G_MAXINT64, &burst))
        return FALSE;
    *limits = (VmBandwidth){(gint64)average, (gint64)peak, (gint64)burst};
    return TRUE;
}

static gboolean take_answer(const json_t *json, LibvirtAnswer *answer)
{
    guint64 mtu, vlan;
    if (!take_text(json, "bridge", &answer->bridge) ||
        !take_text(json, "domain", &answer->domain) || !take_text(json, "name", &answer->name) ||
        !take_text(json, "version", &answer->version) || !take_number(json, "mtu", MAX_MTU, &mtu) ||
        !take_number(json, "vlan", MAX_VLAN, &vlan) || !take_subnets(json, answer->subnets) ||
        !take_bandwidth(json, "inbound", &answer->inbound) ||
        !take_bandwidth(json, "outbound", &answer->outbound) ||
        !take_address(json_object_get(json, "address"), &answer->address))
        return FALSE;
    answer->mtu = (guint)mtu;
    answer->vlan = (guint)vlan;
    answer->openvswitch = json_is_true(json_object_get(json, "openvswitch"));
    answer->leads_on = json_is_true(json_object_get(json, "leads_on"));
    answer->dns = json_is_true(json_object_get(json, "dns"));
    answer->added = json_is_true(json_object_get(json, "added"));
    return TRUE;
}

LibvirtAnswer *libvirt_answer_parse(const char *text, GError **error)
{
    g_autoptr(json_t) json = object_of(text);
    g_autoptr(LibvirtAnswer) answer = libvirt_answer_new();
    if (json && take_answer(json, answer))
        return g_steal_pointer(&answer);
    garbled("what vmdock-libvirt answers", error);
    return NULL;
}

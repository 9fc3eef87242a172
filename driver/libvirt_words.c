// SPDX-License-Identifier: Apache-2.0
/* What vmdock and vmdock-libvirt say to each other. */
#include "autoptr.h"
#include "error.h"
#include "libvirt.h"

#include <stdlib.h>

enum { MAX_LIST = 64, MAX_MTU = 65535 };

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
    answer->routes = g_array_new(FALSE, TRUE, sizeof(VmRoute));
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
    vm_vlan_clear(&answer->vlan);
    g_array_unref(answer->subnets);
    g_array_unref(answer->routes);
    g_free(answer);
}

static void put_bandwidth(json_t *json, const char *key, const VmBandwidth *limits)
{
    json_object_set_new(json, key,
                        json_pack("{s:I, s:I, s:I}", "average", (json_int_t)limits->average, "peak",
                                  (json_int_t)limits->peak, "burst", (json_int_t)limits->burst));
}

static json_t *routes_json(const GArray *routes)
{
    json_t *list = json_array();
    for (guint i = 0; i < routes->len; i++) {
        const VmRoute *route = &g_array_index(routes, VmRoute, i);
        json_t *object = json_pack("{s:I}", "metric", (json_int_t)route->metric);
        put_address(object, "to", &route->destination);
        put_address(object, "via", &route->gateway);
        json_array_append_new(list, object);
    }
    return list;
}

gchar *libvirt_answer_text(const LibvirtAnswer *answer)
{
    g_autoptr(json_t) json =
        json_pack("{s:s?, s:b, s:i, s:b, s:b, s:s?, s:s?, s:b, s:s?}", "bridge", answer->bridge,
                  "openvswitch", answer->openvswitch, "mtu", (int)answer->mtu, "leads_on",
                  answer->leads_on, "dns", answer->dns, "domain", answer->domain, "name",
                  answer->name, "added", answer->added, "version", answer->version);
    json_t *subnets = json_array();
    for (guint i = 0; i < answer->subnets->len; i++) {
        g_autofree gchar *text = vm_address_format(&g_array_index(answer->subnets, VmAddress, i));
        json_array_append_new(subnets, json_string(text));
    }
    json_object_set_new(json, "subnets", subnets);
    json_object_set_new(json, "routes", routes_json(answer->routes));
    json_object_set_new(json, "vlan", vm_vlan_json(&answer->vlan));
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
        if (!json_is_string(item) || !take_address(item, &address) || subnets->len == MAX_LIST)
            return FALSE;
        g_array_append_val(subnets, address);
    }
    return !list || json_is_array(list);
}

static gboolean take_routes(const json_t *json, GArray *routes)
{
    const json_t *list = json_object_get(json, "routes"), *item;
    gsize index;
    json_array_foreach (list, index, item) {
        VmRoute route = {0};
        guint64 metric;
        if (!take_address(json_object_get(item, "to"), &route.destination) ||
            !take_address(json_object_get(item, "via"), &route.gateway) ||
            !take_number(item, "metric", G_MAXINT, &metric) ||
            route.destination.family != AF_INET || route.gateway.family != AF_INET ||
            routes->len == MAX_LIST)
            return FALSE;
        route.metric = (guint)metric;
        g_array_append_val(routes, route);
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
    guint64 mtu;
    if (!take_text(json, "bridge", &answer->bridge) ||
        !take_text(json, "domain", &answer->domain) || !take_text(json, "name", &answer->name) ||
        !take_text(json, "version", &answer->version) || !take_number(json, "mtu", MAX_MTU, &mtu) ||
        !vm_vlan_from_json(json_object_get(json, "vlan"), &answer->vlan) ||
        !take_subnets(json, answer->subnets) || !take_routes(json, answer->routes) ||
        !take_bandwidth(json, "inbound", &answer->inbound) ||
        !take_bandwidth(json, "outbound", &answer->outbound) ||
        !take_address(json_object_get(json, "address"), &answer->address))
        return FALSE;
    answer->mtu = (guint)mtu;
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

// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/actions.h"
#include "driver/autoptr.h"
#include "driver/error.h"

#include <stdlib.h>

enum { MAX_VALUE = 1000 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static void add_list(GString *out, const char *heading, const json_t *list)
{
    gsize i;
    json_t *item;
    json_array_foreach (list, i, item)
        g_string_append_printf(out, "%-12s %s\n", i ? "" : heading, json_string_value(item));
}

static void add_bandwidth(GString *out, const char *way, const json_t *bandwidth)
{
    if (!json_is_object(bandwidth))
        return;
    json_int_t average = json_integer_value(json_object_get(bandwidth, "average"));
    json_int_t peak = json_integer_value(json_object_get(bandwidth, "peak"));
    json_int_t burst = json_integer_value(json_object_get(bandwidth, "burst"));
    g_string_append_printf(out, "%-12s", way);
    if (average != 0)
        g_string_append_printf(out, " %" JSON_INTEGER_FORMAT " bytes/s on average", average);
    if (peak != 0)
        g_string_append_printf(out, "%s %" JSON_INTEGER_FORMAT " bytes/s at most",
                               average != 0 ? "," : "", peak);
    if (burst != 0)
        g_string_append_printf(out, ", %" JSON_INTEGER_FORMAT " bytes in a burst", burst);
    g_string_append_c(out, '\n');
}

static void add_vlan(GString *out, const json_t *vlan)
{
    json_int_t tag = json_integer_value(json_object_get(vlan, "tag"));
    const char *trunks = json_string_value(json_object_get(vlan, "trunks"));
    if (trunks)
        g_string_append_printf(out, "%-12s trunk of %s", "vlan", trunks);
    else if (tag != 0)
        g_string_append_printf(out, "%-12s %" JSON_INTEGER_FORMAT, "vlan", tag);
    if (trunks && tag != 0)
        g_string_append_printf(out, ", native is %" JSON_INTEGER_FORMAT ", %s", tag,
                               json_is_true(json_object_get(vlan, "native_tagged")) ? "tagged"
                                                                                    : "untagged");
    if (vlan)
        g_string_append_c(out, '\n');
}

static void add_link(GString *out, const json_t *link)
{
    json_t *mtu = json_object_get(link, "mtu");
    g_autofree gchar *size = json_is_integer(mtu)
                                 ? g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(mtu))
                                 : g_strdup(json_string_value(mtu));
    g_string_append_printf(out, "%-12s %s on bridge %s (%s) <-> %s, MAC %s, MTU %s%s\n", "link",
                           text_of(link, "host_end"), text_of(link, "bridge"),
                           text_of(link, "bridge_type"), text_of(link, "guest_end"),
                           text_of(link, "mac"), size,
                           json_is_true(json_object_get(link, "link_down")) ? ", down" : "");
    add_vlan(out, json_object_get(link, "vlan"));
    gsize i;
    json_t *item;
    json_array_foreach (json_object_get(link, "addresses"), i, item)
        g_string_append_printf(out, "%-12s %s on %s\n", "address", json_string_value(item),
                               text_of(link, "guest_end"));
    json_array_foreach (json_object_get(link, "routes"), i, item) {
        g_string_append_printf(out, "%-12s %s via %s", "route", text_of(item, "to"),
                               text_of(item, "via"));
        json_t *metric = json_object_get(item, "metric");
        if (metric)
            g_string_append_printf(out, " metric %" JSON_INTEGER_FORMAT,
                                   json_integer_value(metric));
        g_string_append_c(out, '\n');
    }
    add_bandwidth(out, "receives", json_object_get(link, "inbound"));
    add_bandwidth(out, "sends", json_object_get(link, "outbound"));
}

static void add_rules(GString *out, const json_t *plan)
{
    size_t count = json_array_size(json_object_get(plan, "filter_rules"));
    if (count == 0)
        g_string_append_printf(
            out, "%-12s none of vmdock's own; the cloud's network driver filters\n", "rules");
    else
        g_string_append_printf(out,
                               "%-12s of vmdock's own: filter = %s, nftables takes %zu changes\n",
                               "rules", text_of(plan, "filter"), count);
}

static void add_probe(GString *out, const json_t *plan)
{
    json_int_t ms = json_integer_value(json_object_get(plan, "address_probe_ms"));
    if (ms > 0)
        g_string_append_printf(
            out,
            "%-12s looked for on the network before they are taken, %" JSON_INTEGER_FORMAT " ms\n",
            "addresses", ms);
}

static void add_context(GString *out, const json_t *context)
{
    if (!json_is_object(context))
        return;
    g_string_append_printf(out, "%-12s %zu variables, mounted at %s\n", "context",
                           json_object_size(json_object_get(context, "variables")),
                           text_of(context, "mounted_at"));
    json_int_t keys = json_integer_value(json_object_get(context, "ssh_keys"));
    if (keys > 0)
        g_string_append_printf(out, "%-12s %" JSON_INTEGER_FORMAT " of user %s\n", "SSH keys", keys,
                               text_of(context, "user"));
    if (json_is_true(json_object_get(context, "password")))
        g_string_append_printf(out, "%-12s of user %s is set\n", "password",
                               text_of(context, "user"));
    if (json_is_true(json_object_get(context, "start_script")))
        g_string_append_printf(out, "%-12s is run at every boot\n", "start script");
}

/* Fit for a terminal: any value may be the template's. */
static json_t *plain(const json_t *value)
{
    if (json_is_string(value)) {
        g_autofree gchar *line = vmdock_one_line(json_string_value(value), MAX_VALUE);
        return json_string(line);
    }
    json_t *copy = json_copy((json_t *)value);
    gsize i;
    const char *key;
    json_t *item;
    json_array_foreach (copy, i, item)
        json_array_set_new(copy, i, plain(item));
    json_object_foreach (copy, key, item)
        json_object_set_new(copy, key, plain(item));
    return copy;
}

static gchar *explain_text(const json_t *given)
{
    GString *out = g_string_new(NULL);
    g_autoptr(json_t) plan = plain(given);
    const json_t *image = json_object_get(plan, "image");
    const json_t *request = json_object_get(given, "request");
    g_string_append_printf(out, "%-12s %s (%s)\n", "VM", text_of(plan, "vm"),
                           text_of(plan, "name"));
    g_string_append_printf(out, "%-12s %s, held as %s\n", "image", text_of(image, "reference"),
                           text_of(image, "held_as"));
    const json_t *size = json_object_get(plan, "root_size");
    if (json_is_integer(size))
        g_string_append_printf(out,
                               "%-12s held to %" JSON_INTEGER_FORMAT " MB, image and all, where "
                               "the engine's storage can\n",
                               "root", json_integer_value(size) >> 20);
    g_string_append_printf(out, "%-12s %s\n", "namespace", text_of(plan, "namespace"));
    gsize i;
    json_t *link;
    json_array_foreach (json_object_get(plan, "links"), i, link)
        add_link(out, link);
    json_t *disk;
    json_array_foreach (json_object_get(plan, "disks"), i, disk)
        g_string_append_printf(
            out, "%-12s %s on %s%s\n", "disk", text_of(disk, "file"), text_of(disk, "mount_point"),
            json_is_true(json_object_get(disk, "read_only")) ? ", read-only" : "");
    json_array_foreach (json_object_get(plan, "folders"), i, disk)
        g_string_append_printf(out, "%-12s %s on %s%s\n", "folder", text_of(disk, "folder"),
                               text_of(disk, "mount_point"),
                               json_is_true(json_object_get(disk, "read_only")) ? ", read-only"
                                                                                : "");
    add_rules(out, plan);
    add_probe(out, plan);
    add_context(out, json_object_get(plan, "context"));
    add_list(out, "not honoured", json_object_get(plan, "not_honoured"));
    if (json_is_string(json_object_get(plan, "refused")))
        g_string_append_printf(out, "%-12s %s\n", "refused", text_of(plan, "refused"));
    char *body = json_dumps(json_object_get(request, "body"), JSON_INDENT(2) | JSON_ENSURE_ASCII);
    g_string_append_printf(out, "%-12s %s %s\n%s\n", "request", text_of(request, "method"),
                           text_of(request, "path"), body);
    free(body);
    return g_string_free(out, FALSE);
}

int verb_explain(Shim *shim, int argc, char **argv, GError **error)
{
    g_autoptr(VmSpec) spec = verb_parse_spec(shim, "explain", argc, argv, error);
    if (!spec)
        return 0;
    g_autoptr(json_t) plan = vm_explain(shim->config, spec);
    if (shim->json) {
        shim_print_json(plan, error);
        return 0;
    }
    g_autofree gchar *text = explain_text(plan);
    shim_print(text, error);
    return 0;
}

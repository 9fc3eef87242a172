// SPDX-License-Identifier: Apache-2.0
/* explain: the plan of a deploy. Pure: asks neither the engine nor the kernel. */
#include "actions.h"

#include "autoptr.h"
#include "disk.h"
#include "engine_body.h"
#include "nic_filter.h"
#include "nic_filter_rules.h"
#include "nic_probe.h"
#include "policy.h"

static json_t *addresses_json(const GArray *addresses)
{
    json_t *list = json_array();
    for (guint i = 0; i < addresses->len; i++) {
        g_autofree gchar *text = vm_address_format(&g_array_index(addresses, VmAddress, i));
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *routes_json(const GArray *routes)
{
    json_t *list = json_array();
    for (guint i = 0; i < routes->len; i++) {
        const VmRoute *route = &g_array_index(routes, VmRoute, i);
        g_autofree gchar *to = route->destination.prefix == 0
                                   ? g_strdup("default")
                                   : vm_address_format(&route->destination);
        g_autofree gchar *via = route->gateway.family ? vm_address_text(&route->gateway) : NULL;
        json_t *object = json_pack("{s:s, s:s?}", "to", to, "via", via);
        if (route->metric)
            json_object_set_new(object, "metric", json_integer(route->metric));
        json_array_append_new(list, object);
    }
    return list;
}

/* null where nothing is said of that direction. */
static json_t *bandwidth_json(const VmBandwidth *bandwidth)
{
    if (bandwidth->average == 0 && bandwidth->peak == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "average", (json_int_t)bandwidth->average, "peak",
                     (json_int_t)bandwidth->peak, "burst", (json_int_t)bandwidth->burst);
}

/* What the deploy asks libvirt for; nobody is asked now. */
static json_t *libvirt_json(const VmNic *nic)
{
    return json_pack("{s:s, s:s?, s:s}", "network", nic->libvirt_network, "portgroup",
                     nic->portgroup, "reserves",
                     vm_nic_address(nic, AF_INET) ? "the address that is asked for"
                                                  : "the next free address of its DHCP range");
}

/* What the deploy asks the engine for. */
static json_t *engine_json(const VmNic *nic)
{
    return json_pack("{s:s, s:s}", "network", nic->engine_network, "gives",
                     nic->addresses->len > 0 ? "the address that is asked for"
                                             : "an address of its subnet");
}

static json_t *nic_json(const VmNic *nic)
{
    g_autofree gchar *mac = nic->has_mac ? vm_mac_format(nic->mac) : NULL;
    json_t *mtu = nic->mtu ? json_integer(nic->mtu)
                           : json_string(nic->engine_network ? "the network's" : "the bridge's");
    json_t *json =
        json_pack("{s:i, s:s, s:s, s:s?, s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:b}", "nic",
                  (int)nic->id, "host_end", nic->host_name, "guest_end", nic->guest_name, "bridge",
                  nic->bridge, "bridge_type", nic->bridge_type ? nic->bridge_type : "linux", "mac",
                  mac, "mtu", mtu, "addresses", addresses_json(nic->addresses), "routes",
                  routes_json(nic->routes), "inbound", bandwidth_json(&nic->inbound), "outbound",
                  bandwidth_json(&nic->outbound), "link_down", nic->link_down);
    if (vm_vlan_any(&nic->vlan))
        json_object_set_new(json, "vlan", vm_vlan_json(&nic->vlan));
    if (nic->libvirt_network)
        json_object_set_new(json, "libvirt", libvirt_json(nic));
    if (nic->engine_network)
        json_object_set_new(json, "engine", engine_json(nic));
    return json;
}

static json_t *rules_json(const Config *config, const VmSpec *spec)
{
    VmFilter filter = nic_filter_of(config, spec);
    g_autoptr(GPtrArray) nics = vm_nics_own(spec->nics);
    if (filter == VM_FILTER_OFF || !nic_filter_check(nics, NULL))
        return json_array();
    g_autoptr(json_t) rules = nic_filter_rules(nics, filter, NULL, NIC_FILTER_CONNTRACK);
    return json_incref(json_object_get(rules, "nftables"));
}

static json_t *disks_json(const Config *config, const GPtrArray *disks)
{
    json_t *list = json_array();
    for (guint i = 0; i < disks->len; i++) {
        const VmDisk *disk = g_ptr_array_index(disks, i);
        gboolean below = disk->storage == VM_DISK_DATASTORE;
        g_autofree gchar *file =
            g_build_filename(below ? config->opennebula_datastores : "", disk->source, NULL);
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:s, s:b, s:s?}", "disk", (int)disk->id, "file",
                                        file, "mount_point", disk->mount_point, "read_only",
                                        disk->read_only, "make_fs", disk->make_fs));
    }
    return list;
}

static json_t *folders_json(const GPtrArray *mounts)
{
    json_t *list = json_array();
    for (guint i = 0; i < mounts->len; i++) {
        const VmMount *mount = g_ptr_array_index(mounts, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "folder", mount->host_path,
                                              "mount_point", mount->guest_path, "read_only",
                                              mount->read_only));
    }
    return list;
}

static json_t *strings_json(const GPtrArray *strings)
{
    json_t *list = json_array();
    for (guint i = 0; i < strings->len; i++)
        json_array_append_new(list, json_string(g_ptr_array_index(strings, i)));
    return list;
}

/* What the guest is told, and what is done in it; nothing that may be a secret. */
static json_t *context_json(const Config *config, const VmSpec *spec)
{
    const VmContext *context = spec->context;
    if (!context)
        return json_null();
    g_autoptr(json_t) shown = vm_spec_to_shown_json(spec);
    json_t *variables = json_object_get(json_object_get(shown, "context"), "variables");
    gboolean password = context->password || context->password_hash || context->sealed;
    return json_pack("{s:s, s:s?, s:O, s:s, s:i, s:b, s:b}", "mounted_at",
                     context->mount_point ? context->mount_point : config->context_mount_point,
                     "image", context->image, "variables", variables, "user",
                     context->user ? context->user : "root", "ssh_keys",
                     context->keys ? (int)g_strv_length(context->keys) : 0, "password", password,
                     "start_script", context->script != NULL);
}

json_t *vm_explain(const Config *config, const VmSpec *spec)
{
    g_autofree gchar *held = disk_root_name(spec->deploy_id);
    g_autofree gchar *netns = g_build_filename(config->netns_dir, spec->deploy_id, NULL);
    g_autofree gchar *path = g_strconcat("/containers/create?name=", spec->deploy_id, NULL);
    g_autoptr(GError) refused = NULL;
    g_autoptr(GPtrArray) own = vm_nics_own(spec->nics);
    if (policy_check(config, spec, &refused) && nic_filter_of(config, spec) != VM_FILTER_OFF)
        nic_filter_check(own, &refused);

    json_t *links = json_array();
    for (guint i = 0; i < spec->nics->len; i++)
        json_array_append_new(links, nic_json(g_ptr_array_index(spec->nics, i)));
    return json_pack(
        "{s:s, s:s, s:{s:s?, s:s?, s:s}, s:o, s:{s:s, s:s, s:o}, s:s, s:o, s:o, s:o, s:s, "
        "s:o, s:i, s:o, s:o, s:s?}",
        "vm", spec->deploy_id, "name", spec->name, "image", "reference", spec->image, "source",
        spec->image_source, "held_as", held, "root_size",
        spec->root_size ? json_integer(spec->root_size) : json_null(), "request", "method", "POST",
        "path", path, "body", engine_body(spec, config, held), "namespace", netns, "links", links,
        "disks", disks_json(config, spec->disks), "folders", folders_json(spec->mounts), "filter",
        vm_filter_name(nic_filter_of(config, spec)), "filter_rules", rules_json(config, spec),
        "address_probe_ms", (int)nic_probe_ms(config, spec), "context", context_json(config, spec),
        "not_honoured", strings_json(spec->not_honoured), "refused",
        refused ? refused->message : spec->refused);
}

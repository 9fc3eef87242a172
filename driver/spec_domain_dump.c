// SPDX-License-Identifier: Apache-2.0
/* VmSpec -> domain XML: an element of libvirt's where its schema has one, else vmdock's metadata.
 */
#include "autoptr.h"
#include "spec_domain.h"

#include <libxml/chvalid.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

enum { PERIOD_US = 100000, RATE_UNIT = 1000, SIZE_UNIT = 1024 };

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* ---- elements -------------------------------------------------------------------------------- */

/* TEXT without what no XML may hold. */
static gchar *clean(const char *text)
{
    GString *kept = g_string_new(NULL);
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar character = g_utf8_get_char(p);
        if (xmlIsCharQ(character))
            g_string_append_unichar(kept, character);
    }
    return g_string_free(kept, FALSE);
}

static xmlNode *add(xmlNode *parent, const char *name, const char *text)
{
    g_autofree gchar *plain = text ? clean(text) : NULL;
    return xmlNewTextChild(parent, NULL, (const xmlChar *)name, (const xmlChar *)plain);
}

static void add_number(xmlNode *parent, const char *name, gint64 number)
{
    g_autofree gchar *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
    add(parent, name, text);
}

static void add_number_if_any(xmlNode *parent, const char *name, gint64 number)
{
    if (number != 0)
        add_number(parent, name, number);
}

static void set(xmlNode *node, const char *name, const char *value)
{
    g_autofree gchar *plain = clean(value);
    xmlNewProp(node, (const xmlChar *)name, (const xmlChar *)plain);
}

static void set_number(xmlNode *node, const char *name, gint64 number)
{
    g_autofree gchar *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
    set(node, name, text);
}

static void add_with(xmlNode *parent, const char *name, const char *attribute, const char *value)
{
    set(add(parent, name, NULL), attribute, value);
}

static void add_size(xmlNode *parent, const char *name, gint64 bytes)
{
    gboolean whole = bytes % 1024 == 0;
    g_autofree gchar *text = g_strdup_printf("%" G_GINT64_FORMAT, whole ? bytes / 1024 : bytes);
    set(add(parent, name, text), "unit", whole ? "KiB" : "b");
}

/* What no element can say, for people; "--" ends no comment. */
static void add_comment(xmlNode *parent, const char *text)
{
    g_autofree gchar *plain = clean(text);
    for (char *p = strstr(plain, "--"); p; p = strstr(p, "--"))
        p[1] = ' ';
    g_autofree gchar *padded = g_strdup_printf(" %s ", plain);
    xmlAddChild(parent, xmlNewDocComment(parent->doc, (const xmlChar *)padded));
}

static gboolean is_made_of(const char *text, const char *characters)
{
    return *text && text[strspn(text, characters)] == '\0';
}

/* ---- names, memory, CPUs --------------------------------------------------------------------- */

static void add_names(xmlNode *root, const VmSpec *spec)
{
    gboolean own = strcmp(spec->cloud, DOMAIN_CLOUD) == 0;
    const char *title = own || spec->title ? spec->title : spec->name;
    add(root, "name", own ? spec->name : spec->deploy_id);
    if (spec->uuid)
        add(root, "uuid", spec->uuid);
    if (title) {
        g_autofree gchar *line = g_strdelimit(g_strdup(title), "\n", ' ');
        add(root, "title", line);
    }
    if (spec->description)
        add(root, "description", spec->description);
}

static void add_memory(xmlNode *root, const VmLimits *limits)
{
    add_size(root, "memory", limits->memory);
    add_size(root, "currentMemory", limits->memory);
    if (limits->swap == 0)
        return;
    xmlNode *tune = add(root, "memtune", NULL);
    add_size(tune, "hard_limit", limits->memory);
    add_size(tune, "swap_hard_limit", limits->memory + limits->swap);
}

static void add_quota(xmlNode *tune, const VmLimits *limits, gint64 vcpus)
{
    gint64 period = limits->cpu_period_us ? limits->cpu_period_us : PERIOD_US;
    gboolean each = limits->cpu_quota_us % vcpus == 0;
    gint64 quota = limits->cpu_quota_us == 0 ? -1
                   : each                    ? limits->cpu_quota_us / vcpus
                                             : limits->cpu_quota_us;
    if (limits->cpu_period_us == 0 && limits->cpu_quota_us == vcpus * PERIOD_US)
        return;
    add_number(tune, each ? "period" : "global_period", period);
    add_number(tune, each ? "quota" : "global_quota", quota);
}

/* "1:0-3", or ":0-7" of the CPUs that are not named. */
static void add_pins(xmlNode *vcpu, xmlNode *tune, const VmSpec *spec)
{
    if (!spec->cpu_pins && spec->cpus)
        set(vcpu, "cpuset", spec->cpus);
    for (char **pin = spec->cpu_pins; pin && *pin; pin++) {
        g_auto(GStrv) parts = g_strsplit(*pin, ":", 2);
        if (*parts[0] == '\0') {
            set(vcpu, "cpuset", parts[1]);
            continue;
        }
        xmlNode *node = add(tune, "vcpupin", NULL);
        set(node, "vcpu", parts[0]);
        set(node, "cpuset", parts[1]);
    }
}

static void add_cpu(xmlNode *root, const VmSpec *spec)
{
    const VmLimits *limits = &spec->limits;
    gint64 period = limits->cpu_period_us ? limits->cpu_period_us : PERIOD_US;
    gint64 vcpus = spec->vcpus ? spec->vcpus : MAX((limits->cpu_quota_us + period - 1) / period, 1);
    g_autofree gchar *count = g_strdup_printf("%" G_GINT64_FORMAT, vcpus);
    xmlNode *vcpu = add(root, "vcpu", count);
    set(vcpu, "placement", "static");
    xmlNode *tune = add(root, "cputune", NULL);
    add_number_if_any(tune, "shares", limits->cpu_weight);
    add_quota(tune, limits, vcpus);
    add_pins(vcpu, tune, spec);
    if (tune->children)
        return;
    xmlUnlinkNode(tune);
    xmlFreeNode(tune);
}

static void add_blkiotune(xmlNode *root, const VmSpec *spec)
{
    if (spec->limits.io_weight == 0 && spec->device_limits->len == 0)
        return;
    xmlNode *tune = add(root, "blkiotune", NULL);
    add_number_if_any(tune, "weight", spec->limits.io_weight);
    for (guint i = 0; i < spec->device_limits->len; i++) {
        const VmDeviceLimits *device = spec->device_limits->pdata[i];
        xmlNode *node = add(tune, "device", NULL);
        add(node, "path", device->path);
        add_number_if_any(node, "weight", device->weight);
        add_number_if_any(node, "read_iops_sec", device->limits.read_ops);
        add_number_if_any(node, "write_iops_sec", device->limits.write_ops);
        add_number_if_any(node, "read_bytes_sec", device->limits.read_bytes);
        add_number_if_any(node, "write_bytes_sec", device->limits.write_bytes);
    }
}

/* ---- the process ----------------------------------------------------------------------------- */

/* Whether libvirt's elements can say it. */
static gboolean entrypoint_fits(const VmProcess *process)
{
    return process->entrypoint && process->entrypoint[0] && !process->entrypoint[1] &&
           process->entrypoint[0][0] == '/' && !strpbrk(process->entrypoint[0], "\t\n");
}

static gboolean environment_fits(const VmProcess *process)
{
    for (char **item = process->environment; item && *item; item++) {
        g_autofree gchar *name = g_strndup(*item, strcspn(*item, "="));
        if (!is_made_of(name, LETTERS DIGITS "_") || g_ascii_isdigit(*name))
            return FALSE;
    }
    return process->environment != NULL;
}

static gboolean user_fits(const VmProcess *process)
{
    g_auto(GStrv) parts = g_strsplit(process->user ? process->user : "", ":", 2);
    return parts[0] && parts[1] && is_made_of(parts[0], LETTERS DIGITS "_-") &&
           is_made_of(parts[1], LETTERS DIGITS "_-");
}

static void add_os(xmlNode *root, const VmProcess *process)
{
    xmlNode *os = add(root, "os", NULL);
    add(os, "type", "exe");
    if (entrypoint_fits(process))
        add(os, "init", process->entrypoint[0]);
    for (char **word = process->command; word && *word; word++)
        add(os, "initarg", *word);
    for (char **item = process->environment; environment_fits(process) && *item; item++) {
        g_auto(GStrv) parts = g_strsplit(*item, "=", 2);
        set(add(os, "initenv", parts[1]), "name", parts[0]);
    }
    if (process->working_dir)
        add(os, "initdir", process->working_dir);
    if (user_fits(process)) {
        g_auto(GStrv) parts = g_strsplit(process->user, ":", 2);
        add(os, "inituser", parts[0]);
        add(os, "initgroup", parts[1]);
    }
}

/* ---- capabilities ---------------------------------------------------------------------------- */

static gboolean has(const GStrv list, const char *word)
{
    return list && g_strv_contains((const gchar *const *)list, word);
}

static void add_states(xmlNode *node, const GStrv list, const char *state)
{
    for (char **item = list; item && *item; item++) {
        g_autofree gchar *name = g_ascii_strdown(*item, -1);
        if (strcmp(*item, "ALL") != 0)
            add_with(node, name, "state", state);
    }
}

static void add_features(xmlNode *root, const VmSpec *spec)
{
    xmlNode *features = add(root, "features", NULL);
    add(features, "privnet", NULL);
    if (!spec->capabilities && !spec->capabilities_dropped)
        return;
    xmlNode *node = add(features, "capabilities", NULL);
    set(node, "policy",
        has(spec->capabilities_dropped, "ALL") ? "deny"
        : has(spec->capabilities, "ALL")       ? "allow"
                                               : "default");
    add_states(node, spec->capabilities, "on");
    add_states(node, spec->capabilities_dropped, "off");
}

/* ---- file systems ---------------------------------------------------------------------------- */

/* The kilobytes of "size=64k" and "size=64k,ro", which an element of type ram can say; -1 for
 * other options. */
static gint64 ram_size(const char *options, gboolean *read_only)
{
    g_auto(GStrv) parts = g_strsplit(options, ",", -1);
    guint64 size = 0;
    *read_only = parts[0] && g_strcmp0(parts[1], "ro") == 0;
    if (!parts[0] || (parts[1] && (!*read_only || parts[2])) ||
        !g_str_has_prefix(parts[0], "size=") || !g_str_has_suffix(parts[0], "k"))
        return -1;
    parts[0][strlen(parts[0]) - 1] = '\0';
    if (!g_ascii_string_to_unsigned(parts[0] + strlen("size="), 10, 0, G_MAXINT64 >> 10, &size,
                                    NULL))
        return -1;
    return (gint64)size;
}

static gboolean tmpfs_fits(const VmSpec *spec)
{
    for (char **item = spec->tmpfs; item && *item; item++) {
        gboolean read_only;
        const char *colon = strchr(*item, ':');
        if (!colon || ram_size(colon + 1, &read_only) < 0)
            return FALSE;
    }
    return spec->tmpfs != NULL;
}

static xmlNode *add_file_system(xmlNode *devices, const char *type, const char *path)
{
    xmlNode *node = add(devices, "filesystem", NULL);
    set(node, "type", type);
    xmlNode *source = add(node, "source", NULL);
    add_with(node, "target", "dir", path);
    return source;
}

static void add_ram(xmlNode *devices, const VmSpec *spec)
{
    for (char **item = spec->tmpfs; tmpfs_fits(spec) && *item; item++) {
        gboolean read_only;
        const char *colon = strchr(*item, ':');
        g_autofree gchar *path = g_strndup(*item, (gsize)(colon - *item));
        xmlNode *source = add_file_system(devices, "ram", path);
        set_number(source, "usage", ram_size(colon + 1, &read_only));
        set(source, "units", "KiB");
        if (read_only)
            add(source->parent, "readonly", NULL);
    }
}

/* A share has no path on this host. */
static void add_disk(xmlNode *devices, const VmDisk *disk, const char *datastores)
{
    if (disk->storage == VM_DISK_SHARE) {
        g_autofree gchar *text = g_strdup_printf("disk %u on %s: %s of %s", disk->id,
                                                 disk->mount_point, disk->source, disk->share);
        add_comment(devices, text);
        return;
    }
    gboolean below = disk->storage == VM_DISK_DATASTORE;
    g_autofree gchar *file = g_build_filename(below ? datastores : "/", disk->source, NULL);
    xmlNode *source = add_file_system(devices, "file", disk->mount_point);
    set(source, "file", file);
    if (disk->read_only)
        add(source->parent, "readonly", NULL);
}

static void add_file_systems(xmlNode *devices, const VmSpec *spec, const char *datastores)
{
    for (guint i = 0; i < spec->mounts->len; i++) {
        const VmMount *mount = spec->mounts->pdata[i];
        xmlNode *source = add_file_system(devices, "mount", mount->guest_path);
        set(source, "dir", mount->host_path);
        if (mount->read_only)
            add(source->parent, "readonly", NULL);
    }
    add_ram(devices, spec);
    for (guint i = 0; i < spec->disks->len; i++)
        add_disk(devices, spec->disks->pdata[i], datastores);
}

/* ---- NICs ------------------------------------------------------------------------------------ */

static void set_address(xmlNode *node, const VmAddress *address)
{
    g_autofree gchar *text = vm_address_text(address);
    set(node, "address", text);
    set(node, "family", address->family == AF_INET ? "ipv4" : "ipv6");
    set_number(node, "prefix", address->prefix);
}

/* The schema wants a gateway: an address of nobody is that of a route on the link. */
static void add_route(xmlNode *interface, const VmRoute *route)
{
    VmAddress gateway = route->gateway;
    gateway.family = route->destination.family;
    g_autofree gchar *text = vm_address_text(&gateway);
    xmlNode *node = add(interface, "route", NULL);
    set_address(node, &route->destination);
    set(node, "gateway", text);
    if (route->metric)
        set_number(node, "metric", route->metric);
}

static gint64 in_units(gint64 bytes, gint64 unit)
{
    return bytes / unit + (bytes % unit ? 1 : 0);
}

static void add_direction(xmlNode *bandwidth, const char *name, const VmBandwidth *limits)
{
    if (limits->average == 0 && limits->peak == 0 && limits->burst == 0)
        return;
    xmlNode *node = add(bandwidth, name, NULL);
    if (limits->average)
        set_number(node, "average", in_units(limits->average, RATE_UNIT));
    if (limits->peak)
        set_number(node, "peak", in_units(limits->peak, RATE_UNIT));
    if (limits->burst)
        set_number(node, "burst", in_units(limits->burst, SIZE_UNIT));
}

static void add_bandwidth(xmlNode *interface, const VmNic *nic)
{
    xmlNode *node = add(interface, "bandwidth", NULL);
    if (!vm_nic_learned(nic, VM_LEARNED_INBOUND))
        add_direction(node, "inbound", &nic->inbound);
    if (!vm_nic_learned(nic, VM_LEARNED_OUTBOUND))
        add_direction(node, "outbound", &nic->outbound);
    if (node->children)
        return;
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

/* The network says what its bridge is, and all else that was left to it. */
static void add_source(xmlNode *interface, const VmNic *nic)
{
    xmlNode *source = add(interface, "source", NULL);
    if (!nic->libvirt_network) {
        set(source, "bridge", nic->bridge);
        return;
    }
    set(source, "network", nic->libvirt_network);
    if (nic->portgroup)
        set(source, "portgroup", nic->portgroup);
}

/* A network says routes of IPv4 alone. */
static void add_routes(xmlNode *interface, const VmNic *nic)
{
    gboolean learned = vm_nic_learned(nic, VM_LEARNED_ROUTES);
    for (guint i = 0; i < nic->routes->len; i++) {
        const VmRoute *route = &g_array_index(nic->routes, VmRoute, i);
        if (!learned || route->destination.family != AF_INET)
            add_route(interface, route);
    }
}

static void add_interface(xmlNode *devices, const VmNic *nic)
{
    xmlNode *interface = add(devices, "interface", NULL);
    set(interface, "type", nic->libvirt_network ? "network" : "bridge");
    if (nic->has_mac) {
        g_autofree gchar *mac = vm_mac_format(nic->mac);
        add_with(interface, "mac", "address", mac);
    }
    add_source(interface, nic);
    if (!nic->libvirt_network && nic->bridge_type &&
        g_str_has_prefix(nic->bridge_type, "openvswitch"))
        add_with(interface, "virtualport", "type", "openvswitch");
    for (guint i = 0; i < nic->addresses->len; i++)
        set_address(add(interface, "ip", NULL), &g_array_index(nic->addresses, VmAddress, i));
    add_routes(interface, nic);
    if (vm_vlan_any(&nic->vlan) && !vm_nic_learned(nic, VM_LEARNED_VLAN))
        vm_vlan_write(interface, &nic->vlan);
    add_bandwidth(interface, nic);
    add_with(interface, "target", "dev", nic->host_name);
    add_with(interface, "guest", "dev", nic->guest_name);
    if (nic->mtu && !vm_nic_learned(nic, VM_LEARNED_MTU))
        set_number(add(interface, "mtu", NULL), "size", nic->mtu);
    if (nic->link_down)
        add_with(interface, "link", "state", "down");
}

static void add_nic(xmlNode *devices, const VmNic *nic)
{
    if (!nic->engine_network) {
        add_interface(devices, nic);
        return;
    }
    g_autofree gchar *text = g_strdup_printf(" %s is on a network of the container engine, for "
                                             "which domain XML has no word ",
                                             nic->guest_name);
    xmlAddChild(devices, xmlNewComment(BAD_CAST text));
}

static void add_devices(xmlNode *root, const VmSpec *spec, const char *datastores)
{
    xmlNode *devices = add(root, "devices", NULL);
    add_file_systems(devices, spec, datastores);
    for (guint i = 0; i < spec->nics->len; i++)
        add_nic(devices, spec->nics->pdata[i]);
    xmlNode *console = add(devices, "console", NULL);
    set(console, "type", spec->process.terminal ? "pty" : "null");
    xmlNode *target = add(console, "target", NULL);
    set(target, "type", "lxc");
    set(target, "port", "0");
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void say(xmlNode *vm, const char *name, const char *text)
{
    g_autofree gchar *plain = text ? clean(text) : NULL;
    if (plain && *plain)
        xmlNewTextChild(vm, vm->ns, (const xmlChar *)name, (const xmlChar *)plain);
}

static void say_number(xmlNode *vm, const char *name, gint64 number)
{
    g_autofree gchar *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
    say(vm, name, text);
}

/* As a JSON array. */
static void say_words(xmlNode *vm, const char *name, const GStrv words)
{
    g_autoptr(json_t) array = json_array();
    for (char **word = words; *word; word++)
        json_array_append_new(array, json_string(*word));
    char *text = json_dumps(array, 0);
    say(vm, name, text);
    free(text);
}

static void say_list(xmlNode *vm, const char *name, const GStrv words)
{
    for (char **word = words; word && *word; word++)
        say(vm, name, *word);
}

static void say_devices(xmlNode *vm, const GPtrArray *devices)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < devices->len; i++) {
        const VmDevice *device = devices->pdata[i];
        g_string_append_printf(text, "%s%s:%s:%s", i ? "," : "", device->host_path,
                               device->guest_path, device->access);
    }
    say(vm, "devices", text->str);
}

/* What libvirt's elements could not say of the process. */
static void say_process(xmlNode *vm, const VmProcess *process)
{
    if (process->entrypoint && !entrypoint_fits(process))
        say_words(vm, "entrypoint", process->entrypoint);
    if (process->environment && !environment_fits(process))
        say_words(vm, "env", process->environment);
    if (process->user && !user_fits(process))
        say(vm, "user", process->user);
    say(vm, "init", process->init ? "YES" : NULL);
    say(vm, "stop_signal", process->stop_signal);
    if (process->stop_timeout >= 0)
        say_number(vm, "stop_timeout", process->stop_timeout);
}

static void add_metadata(xmlNode *root, const VmSpec *spec)
{
    gboolean own = strcmp(spec->cloud, DOMAIN_CLOUD) == 0;
    g_autofree gchar *hostname = vm_hostname_from(spec->name, spec->deploy_id);
    xmlNode *vm = add(add(root, "metadata", NULL), "vm", NULL);
    xmlSetNs(vm, xmlNewNs(vm, (const xmlChar *)DOMAIN_NAMESPACE, (const xmlChar *)"vmdock"));
    say(vm, "image", own && spec->image ? spec->image_source : spec->image);
    if (spec->root_size) {
        say_number(vm, "size", spec->root_size);
        set(vm->last, "unit", "b");
    }
    say(vm, "hostname", g_strcmp0(hostname, spec->hostname) != 0 ? spec->hostname : NULL);
    if (!vm_spec_learned(spec, VM_LEARNED_DNS))
        say_list(vm, "dns", spec->dns);
    if (!vm_spec_learned(spec, VM_LEARNED_SEARCH))
        say_list(vm, "search", spec->search);
    say_process(vm, &spec->process);
    if (spec->limits.pids)
        say_number(vm, "pids_limit", spec->limits.pids);
    say(vm, "readonly_root", spec->read_only_root ? "YES" : NULL);
    if (spec->tmpfs && !tmpfs_fits(spec)) {
        g_autofree gchar *list = g_strjoinv(",", spec->tmpfs);
        say(vm, "tmpfs", list);
    }
    say_devices(vm, spec->devices);
    say(vm, "privileged", spec->privileged ? "YES" : NULL);
    say(vm, "address_probe",
        spec->probe == VM_PROBE_YES  ? "YES"
        : spec->probe == VM_PROBE_NO ? "NO"
                                     : NULL);
    say(vm, "filter", spec->filter == VM_FILTER_OFF ? NULL : vm_filter_name(spec->filter));
}

/* ---- all of it ------------------------------------------------------------------------------- */

static gchar *text_of(xmlDoc *doc, xmlNode *root)
{
    xmlBuffer *buffer = xmlBufferCreate();
    xmlNodeDump(buffer, doc, root, 0, 1);
    gchar *text = g_strconcat((const char *)xmlBufferContent(buffer), "\n", NULL);
    xmlBufferFree(buffer);
    return text;
}

gchar *domain_from_spec(const VmSpec *spec, const char *datastores, gint live_id)
{
    xmlDoc *doc = xmlNewDoc((const xmlChar *)"1.0");
    xmlNode *root = xmlNewDocNode(doc, NULL, (const xmlChar *)"domain", NULL);
    xmlDocSetRootElement(doc, root);
    set(root, "type", "lxc");
    if (live_id)
        set_number(root, "id", live_id);
    add_names(root, spec);
    add_metadata(root, spec);
    add_memory(root, &spec->limits);
    add_blkiotune(root, spec);
    add_cpu(root, spec);
    add_os(root, &spec->process);
    add_features(root, spec);
    xmlNode *clock = add(root, "clock", NULL);
    set(clock, "offset", "utc");
    add(root, "on_poweroff", "destroy");
    add(root, "on_reboot", "restart");
    add(root, "on_crash", "destroy");
    add_devices(root, spec, datastores);
    gchar *text = text_of(doc, root);
    xmlFreeDoc(doc);
    return text;
}

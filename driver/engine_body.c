// SPDX-License-Identifier: Apache-2.0
#include "engine_body.h"

#include "autoptr.h"
#include "context_sh.h"

#include <string.h>

enum {
    CPU_PERIOD_US = 100000,
    DEFAULT_CPU_WEIGHT = 1024, /* what the engine gives a container that asks for none */
    UNLIMITED = -1,            /* the engine's word; to an update, 0 means "as it is" */
};

static json_t *strings(const GStrv list)
{
    json_t *json = json_array();
    for (char **item = list; item && *item; item++)
        json_array_append_new(json, json_string(*item));
    return json;
}

static void set_strings(json_t *object, const char *key, const GStrv list)
{
    if (list)
        json_object_set_new(object, key, strings(list));
}

static void set_string(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, gint64 number)
{
    json_object_set_new(object, key, json_integer(number));
}

static void set_flag(json_t *object, const char *key, gboolean flag)
{
    json_object_set_new(object, key, json_boolean(flag));
}

static json_t *labels(const VmSpec *spec)
{
    json_t *json = json_object();
    set_string(json, "vmdock.vm", spec->deploy_id);
    set_string(json, "vmdock.cloud", spec->cloud);
    set_string(json, "vmdock.cloud-id", spec->cloud_id);
    set_string(json, "vmdock.name", spec->name);
    set_string(json, "vmdock.uuid", spec->uuid ? spec->uuid : "");
    set_string(json, "vmdock.version", VMDOCK_VERSION);
    set_string(json, "vmdock.host", spec->host);
    return json;
}

static const VmAddress *first_address(const VmSpec *spec, int family)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = spec->nics->pdata[i];
        for (guint j = 0; j < nic->addresses->len && !nic->engine_network; j++) {
            const VmAddress *address = &g_array_index(nic->addresses, VmAddress, j);
            if (address->family == family)
                return address;
        }
    }
    return NULL;
}

/* The engine knows no address of the container but those that it has given it itself, so it would
 * leave its name out of /etc/hosts. */
static GStrv hosts(const VmSpec *spec)
{
    static const int families[] = {AF_INET, AF_INET6};
    g_autoptr(GStrvBuilder) lines = g_strv_builder_new();
    for (gsize i = 0; spec->hostname && i < G_N_ELEMENTS(families); i++) {
        const VmAddress *address = first_address(spec, families[i]);
        if (!address)
            continue;
        g_autofree gchar *text = vm_address_text(address);
        g_autofree gchar *line = g_strdup_printf("%s:%s", spec->hostname, text);
        g_strv_builder_add(lines, line);
    }
    return g_strv_builder_end(lines);
}

static json_t *devices(const VmSpec *spec)
{
    json_t *array = json_array();
    for (guint i = 0; i < spec->devices->len; i++) {
        const VmDevice *device = spec->devices->pdata[i];
        json_t *json = json_object();
        set_string(json, "PathOnHost", device->host_path);
        set_string(json, "PathInContainer", device->guest_path);
        set_string(json, "CgroupPermissions", device->access);
        json_array_append_new(array, json);
    }
    return array;
}

/* "/run:size=64m" -> "/run": "size=64m" */
static json_t *tmpfs(const VmSpec *spec)
{
    json_t *json = json_object();
    for (char **item = spec->tmpfs; item && *item; item++) {
        g_auto(GStrv) parts = g_strsplit(*item, ":", 2);
        if (parts[0])
            json_object_set_new(json, parts[0], json_string(parts[1] ? parts[1] : ""));
    }
    return json;
}

static json_t *log_config(const Config *config)
{
    g_autofree gchar *size = g_strdup_printf("%" G_GUINT64_FORMAT, config->log_max_bytes);
    g_autofree gchar *files = g_strdup_printf("%" G_GUINT64_FORMAT, config->log_files);
    json_t *options = json_object();
    set_string(options, "max-size", size);
    set_string(options, "max-file", files);
    json_t *json = json_object();
    set_string(json, "Type", "json-file");
    json_object_set_new(json, "Config", options);
    return json;
}

static gint64 pids_limit(const VmSpec *spec, const Config *config)
{
    gint64 limit = spec->limits.pids ? spec->limits.pids : (gint64)config->pids_limit;
    return limit ? limit : UNLIMITED;
}

/* Without a limit of the memory the engine takes none of the swap either. */
static void set_memory(json_t *host, const VmLimits *limits)
{
    set_number(host, "Memory", limits->memory);
    set_number(host, "MemorySwap", limits->memory + limits->swap);
}

static gint64 cpu_period(const VmLimits *limits)
{
    return limits->cpu_period_us ? limits->cpu_period_us : CPU_PERIOD_US;
}

static void set_quota(json_t *host, const VmLimits *limits)
{
    set_number(host, "CpuPeriod", cpu_period(limits));
    set_number(host, "CpuQuota", limits->cpu_quota_us ? limits->cpu_quota_us : UNLIMITED);
}

/* [{"Path": …, "Rate": …}], of the devices that have a limit of that kind. */
static void set_rates(json_t *host, const char *key, const char *value, const GPtrArray *devices,
                      gsize offset)
{
    json_t *list = json_array();
    for (guint i = 0; i < devices->len; i++) {
        const VmDeviceLimits *device = devices->pdata[i];
        gint64 number = G_STRUCT_MEMBER(gint64, device, offset);
        if (number)
            json_array_append_new(
                list, json_pack("{s:s, s:I}", "Path", device->path, value, (json_int_t)number));
    }
    if (json_array_size(list) > 0)
        json_object_set(host, key, list);
    json_decref(list);
}

static void set_device_limits(json_t *host, const GPtrArray *devices)
{
    static const struct {
        const char *key, *value;
        gsize offset;
    } kinds[] = {
        {"BlkioWeightDevice", "Weight", G_STRUCT_OFFSET(VmDeviceLimits, weight)},
        {"BlkioDeviceReadBps", "Rate", G_STRUCT_OFFSET(VmDeviceLimits, limits.read_bytes)},
        {"BlkioDeviceWriteBps", "Rate", G_STRUCT_OFFSET(VmDeviceLimits, limits.write_bytes)},
        {"BlkioDeviceReadIOps", "Rate", G_STRUCT_OFFSET(VmDeviceLimits, limits.read_ops)},
        {"BlkioDeviceWriteIOps", "Rate", G_STRUCT_OFFSET(VmDeviceLimits, limits.write_ops)},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        set_rates(host, kinds[i].key, kinds[i].value, devices, kinds[i].offset);
}

static void set_limits(json_t *host, const VmSpec *spec, const Config *config)
{
    const VmLimits *limits = &spec->limits;
    if (limits->memory)
        set_memory(host, limits);
    if (limits->cpu_weight)
        set_number(host, "CpuShares", limits->cpu_weight);
    if (limits->cpu_quota_us)
        set_quota(host, limits);
    set_number(host, "PidsLimit", pids_limit(spec, config));
    set_string(host, "CpusetCpus", spec->cpus);
    if (limits->io_weight)
        set_number(host, "BlkioWeight", limits->io_weight);
    set_device_limits(host, spec->device_limits);
}

static json_t *bind_mount(const char *source, const char *target, gboolean read_only)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:{s:s}}", "Type", "bind", "Source", source, "Target",
                     target, "ReadOnly", read_only, "BindOptions", "Propagation", "rprivate");
}

gchar *rescue_mount(const Config *config, const char *deploy_id)
{
    return g_build_filename(config->run_dir, "rescue", deploy_id, NULL);
}

/* What the cloud tells the guest, and the files of the VM that it rescues: these folders are ours.
 * Others are those that policy has allowed. */
static json_t *mounts(const VmSpec *spec, const Config *config)
{
    json_t *list = json_array();
    if (spec->context) {
        g_autofree gchar *folder = context_folder(config, spec->deploy_id);
        const char *own = spec->context->mount_point;
        json_array_append_new(list,
                              bind_mount(folder, own ? own : config->context_mount_point, TRUE));
    }
    if (spec->rescued) {
        g_autofree gchar *files = rescue_mount(config, spec->rescued);
        json_array_append_new(list, bind_mount(files, config->nova_rescue_point, FALSE));
    }
    for (guint i = 0; i < spec->mounts->len; i++) {
        const VmMount *mount = spec->mounts->pdata[i];
        json_array_append_new(list,
                              bind_mount(mount->host_path, mount->guest_path, mount->read_only));
    }
    return list;
}

static const VmNic *first_engine_nic(const VmSpec *spec)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = spec->nics->pdata[i];
        if (nic->engine_network)
            return nic;
    }
    return NULL;
}

json_t *engine_endpoint_body(const VmNic *nic, gboolean learned)
{
    static const char *const keys[] = {"IPv4Address", "IPv6Address"};
    json_t *wish = json_object(), *body = json_object();
    for (guint i = 0; i < nic->addresses->len; i++) {
        const VmAddress *address = &g_array_index(nic->addresses, VmAddress, i);
        g_autofree gchar *text = vm_address_text(address);
        if (learned || !vm_nic_learned_address(nic, address->family))
            set_string(wish, keys[address->family == AF_INET6], text);
    }
    if (nic->has_mac) {
        g_autofree gchar *mac = vm_mac_format(nic->mac);
        set_string(body, "MacAddress", mac);
    }
    if (json_object_size(wish) > 0)
        json_object_set(body, "IPAMConfig", wish);
    json_decref(wish);
    return body;
}

static json_t *networking(const VmSpec *spec)
{
    json_t *endpoints = json_object();
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = spec->nics->pdata[i];
        if (nic->engine_network)
            json_object_set_new(endpoints, nic->engine_network, engine_endpoint_body(nic, FALSE));
    }
    return json_pack("{s:o}", "EndpointsConfig", endpoints);
}

static json_t *host_config(const VmSpec *spec, const Config *config)
{
    json_t *host = json_object();
    set_string(host, "Runtime", config->runtime_name);
    set_string(host, "CgroupParent", config->cgroup_parent);
    const VmNic *nic = first_engine_nic(spec);
    set_string(host, "NetworkMode", nic ? nic->engine_network : "none");
    json_object_set_new(host, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
    set_limits(host, spec, config);
    set_flag(host, "ReadonlyRootfs", spec->read_only_root);
    json_object_set_new(host, "Tmpfs", tmpfs(spec));
    json_object_set_new(host, "CapAdd", strings(spec->capabilities));
    if (spec->capabilities_dropped)
        json_object_set_new(host, "CapDrop", strings(spec->capabilities_dropped));
    json_object_set_new(host, "Devices", devices(spec));
    set_flag(host, "Privileged", spec->privileged);
    set_flag(host, "Init", spec->process.init);
    json_object_set_new(host, "Dns", strings(spec->dns));
    json_object_set_new(host, "DnsSearch", strings(spec->search));
    g_auto(GStrv) names = hosts(spec);
    json_object_set_new(host, "ExtraHosts", strings(names));
    if (spec->context || spec->rescued || spec->mounts->len > 0)
        json_object_set_new(host, "Mounts", mounts(spec, config));
    if (config->log_max_bytes)
        json_object_set_new(host, "LogConfig", log_config(config));
    return host;
}

json_t *engine_body(const VmSpec *spec, const Config *config, const char *image)
{
    const VmProcess *process = &spec->process;
    json_t *body = json_object();
    set_string(body, "Image", image);
    set_string(body, "Hostname", spec->hostname);
    set_strings(body, "Entrypoint", process->entrypoint);
    set_strings(body, "Cmd", process->command);
    set_strings(body, "Env", process->environment);
    set_string(body, "User", process->user);
    set_string(body, "WorkingDir", process->working_dir);
    set_flag(body, "Tty", process->terminal);
    set_flag(body, "OpenStdin", process->terminal);
    set_string(body, "StopSignal", process->stop_signal);
    set_number(body, "StopTimeout",
               process->stop_timeout >= 0 ? process->stop_timeout : (gint64)config->stop_timeout_s);
    json_object_set_new(body, "Labels", labels(spec));
    json_object_set_new(body, "HostConfig", host_config(spec, config));
    if (vm_nics_any_engine(spec->nics))
        json_object_set_new(body, "NetworkingConfig", networking(spec));
    return body;
}

json_t *engine_update_body(const VmSpec *spec, const Config *config)
{
    const VmLimits *limits = &spec->limits;
    json_t *body = json_object();
    if (limits->memory)
        set_memory(body, limits);
    set_number(body, "CpuShares", limits->cpu_weight ? limits->cpu_weight : DEFAULT_CPU_WEIGHT);
    set_quota(body, limits);
    set_number(body, "PidsLimit", pids_limit(spec, config));
    set_string(body, "CpusetCpus", spec->cpus);
    if (limits->io_weight)
        set_number(body, "BlkioWeight", limits->io_weight);
    return body;
}

static gboolean same_strings(const GStrv a, const GStrv b)
{
    if (!a || !b)
        return a == b;
    return g_strv_equal((const gchar *const *)a, (const gchar *const *)b);
}

/* Where "none" and "an empty list" mean the same to the engine. */
static gboolean same_list(const GStrv a, const GStrv b)
{
    static gchar *none[] = {NULL};
    return same_strings(a ? a : none, b ? b : none);
}

static gboolean same_devices(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        const VmDevice *mine = a->pdata[i], *theirs = b->pdata[i];
        if (g_strcmp0(mine->host_path, theirs->host_path) != 0 ||
            g_strcmp0(mine->guest_path, theirs->guest_path) != 0 ||
            g_strcmp0(mine->access, theirs->access) != 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean same_mounts(const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        const VmMount *mine = a->pdata[i], *theirs = b->pdata[i];
        if (strcmp(mine->host_path, theirs->host_path) != 0 ||
            strcmp(mine->guest_path, theirs->guest_path) != 0 ||
            mine->read_only != theirs->read_only)
            return FALSE;
    }
    return TRUE;
}

static gboolean same_device_limits(const GPtrArray *a, const GPtrArray *b)
{
    g_autoptr(json_t) mine = json_object(), theirs = json_object();
    set_device_limits(mine, a);
    set_device_limits(theirs, b);
    return json_equal(mine, theirs);
}

static gboolean same_image(const VmSpec *a, const VmSpec *b)
{
    if (a->image || b->image)
        return g_strcmp0(a->image, b->image) == 0;
    return g_strcmp0(a->image_source, b->image_source) == 0;
}

GStrv engine_body_changed(const VmSpec *old, const VmSpec *new)
{
    const VmProcess *was = &old->process, *is = &new->process;
    g_auto(GStrv) old_hosts = hosts(old), new_hosts = hosts(new);
    const struct {
        const char *what;
        gboolean same;
    } fields[] = {
        {"name", g_strcmp0(old->name, new->name) == 0},
        {"image", same_image(old, new)},
        {"size of disk 0", old->root_size == new->root_size},
        {"command", same_strings(was->command, is->command)},
        {"entrypoint", same_strings(was->entrypoint, is->entrypoint)},
        {"environment", same_list(was->environment, is->environment)},
        {"user", g_strcmp0(was->user, is->user) == 0},
        {"working directory", g_strcmp0(was->working_dir, is->working_dir) == 0},
        {"terminal", was->terminal == is->terminal},
        {"init", was->init == is->init},
        {"stop signal", g_strcmp0(was->stop_signal, is->stop_signal) == 0},
        {"read-only root", old->read_only_root == new->read_only_root},
        {"tmpfs", same_list(old->tmpfs, new->tmpfs)},
        {"capabilities", same_list(old->capabilities, new->capabilities)},
        {"devices", same_devices(old->devices, new->devices)},
        {"privileged", old->privileged == new->privileged},
        {"hosts file", same_list(old_hosts, new_hosts)},
        {"DNS", same_list(old->dns, new->dns)},
        {"context", !old->context == !new->context},
        {"search domains", same_list(old->search, new->search)},
        {"capabilities that it has not",
         same_list(old->capabilities_dropped, new->capabilities_dropped)},
        {"folders of the host", same_mounts(old->mounts, new->mounts)},
        /* The engine changes these and takes them away from none that runs. */
        {"CPUs", !old->cpus || new->cpus},
        {"weight of its disks", !old->limits.io_weight || new->limits.io_weight},
        {"limits of devices", same_device_limits(old->device_limits, new->device_limits)},
    };
    g_autoptr(GStrvBuilder) changed = g_strv_builder_new();
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        if (!fields[i].same)
            g_strv_builder_add(changed, fields[i].what);
    return g_strv_builder_end(changed);
}

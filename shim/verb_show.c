// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/poll_format.h"
#include "driver/state.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

enum {
    CPU_PERIOD_US = 100000, /* what VmLimits.cpu_quota_us is of, if nothing is said */
    MAX_LINE = 1000,
};

static gchar *time_text(gint64 us)
{
    if (us == 0)
        return NULL;
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
    return time ? g_date_time_format_iso8601(time) : NULL;
}

/* The image is named as the VM's description names it; the engine's container has only its id. */
static json_t *container_json(const EngineContainer *container, const VmSpec *spec)
{
    const char *image = spec && spec->image ? spec->image : container->image;
    g_autofree gchar *started = time_text(container->started);
    g_autofree gchar *finished = time_text(container->finished);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:i, s:b, s:i, s:s?}", "id", container->id,
                     "image", image, "image_id", container->image_id, "started", started,
                     "finished", finished, "exit_code", container->exit_code, "oom_killed",
                     container->oom_killed, "pid", container->pid, "start_error",
                     container->start_error);
}

/* Fit for a terminal: any of it may be the template's. */
static void add_text(GString *out, const char *heading, const char *text)
{
    g_autofree gchar *line = vmdock_one_line(text, MAX_LINE);
    g_string_append_printf(out, "%-13s %s\n", heading, line);
}

static void add_line(GString *out, const char *heading, const json_t *value)
{
    if (!value || json_is_null(value))
        return;
    if (json_is_string(value)) {
        add_text(out, heading, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    g_string_append_printf(out, "%-13s %s\n", heading, text);
    free(text);
}

static void add_nics(GString *out, const VmSpec *spec)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        g_autofree gchar *mac = nic->has_mac ? vm_mac_format(nic->mac) : g_strdup("-");
        g_autoptr(GString) text = g_string_new(NULL);
        if (nic->engine_network)
            g_string_printf(text, "%s on the engine's network %s, %s", nic->guest_name,
                            nic->engine_network, mac);
        else
            g_string_printf(text, "%s on %s as %s, %s", nic->guest_name, nic->bridge,
                            nic->host_name, mac);
        for (guint j = 0; j < nic->addresses->len; j++) {
            g_autofree gchar *address =
                vm_address_format(&g_array_index(nic->addresses, VmAddress, j));
            g_string_append_printf(text, ", %s", address);
        }
        add_text(out, "nic", text->str);
    }
}

static void add_limits(GString *out, const VmLimits *limits)
{
    g_autofree gchar *memory = limits->memory ? table_bytes((guint64)limits->memory) : NULL;
    g_string_append_printf(out, "%-13s %s", "memory", memory ? memory : "no limit");
    if (limits->swap) {
        g_autofree gchar *swap = table_bytes((guint64)limits->swap);
        g_string_append_printf(out, ", and %s of swap", swap);
    }
    g_string_append_printf(out, "\n%-13s ", "cpu");
    if (limits->cpu_quota_us)
        g_string_append_printf(out, "%g at most",
                               (double)limits->cpu_quota_us / (double)(limits->cpu_period_us
                                                                           ? limits->cpu_period_us
                                                                           : CPU_PERIOD_US));
    else
        g_string_append(out, "no limit");
    if (limits->cpu_weight)
        g_string_append_printf(out, ", weight %" G_GINT64_FORMAT, limits->cpu_weight);
    g_string_append_c(out, '\n');
}

static void add_disks(GString *out, const VmSpec *spec)
{
    for (guint i = 0; i < spec->disks->len; i++) {
        const VmDisk *disk = g_ptr_array_index(spec->disks, i);
        g_autofree gchar *text = g_strdup_printf("%s on %s%s", disk->source, disk->mount_point,
                                                 disk->read_only ? ", read-only" : "");
        add_text(out, "disk", text);
    }
}

static void add_description(GString *out, const VmSpec *spec)
{
    g_autofree gchar *cloud = g_strdup_printf("%s %s", spec->cloud, spec->cloud_id);
    add_text(out, "name", spec->name);
    add_text(out, "cloud", cloud);
    add_text(out, "hostname", spec->hostname);
    add_limits(out, &spec->limits);
    add_nics(out, spec);
    add_disks(out, spec);
}

/* How it ended is of no use while it runs, nor is the number of a process that is gone. */
static gboolean says_something(const char *key, gboolean runs)
{
    static const char *const of_the_end[] = {"finished", "exit_code", NULL};
    return strcmp(key, "pid") == 0 ? runs : !runs || !g_strv_contains(of_the_end, key);
}

static gchar *show_text(const EngineContainer *container, const VmSpec *spec)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%-13s %s\n%-13s %s\n", "vm", container->name, "state",
                           poll_state_name(container->state));
    if (spec)
        add_description(out, spec);
    g_autoptr(json_t) json = container_json(container, spec);
    const char *key;
    json_t *value;
    json_object_foreach (json, key, value)
        if (says_something(key, container->pid > 0))
            add_line(out, key, value);
    for (guint i = 0; spec && i < spec->not_honoured->len; i++)
        add_text(out, "not honoured", g_ptr_array_index(spec->not_honoured, i));
    return g_string_free(out, FALSE);
}

int verb_show(Shim *shim, int argc, char **argv, GError **error)
{
    if (!shim_parse(shim, shim_verb("show"), NULL, &argc, &argv, 1, 1, error))
        return 0;
    g_autofree gchar *id = verb_vm_id(argv[1], error);
    g_autoptr(Host) host = id ? host_open(shim->config, error) : NULL;
    g_autoptr(EngineContainer) container = host ? host_container_needed(host, id, error) : NULL;
    if (!container)
        return 0;
    g_autoptr(GError) unreadable = NULL;
    g_autoptr(VmSpec) spec = state_load(shim->config, id, &unreadable);
    if (unreadable) {
        g_propagate_error(error, g_steal_pointer(&unreadable));
        return 0;
    }
    if (!shim->json) {
        g_autofree gchar *text = show_text(container, spec);
        shim_print(text, error);
        return 0;
    }
    g_autoptr(json_t) json = json_pack(
        "{s:s, s:s, s:o, s:o}", "vm", id, "state", poll_state_name(container->state), "container",
        container_json(container, spec), "spec", spec ? vm_spec_to_shown_json(spec) : json_null());
    shim_print_json(json, error);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* What a VM's process is, by the properties of its image and the extra specs of its flavor. */
#include "spec_attribute.h"
#include "spec_nova_private.h"

#include <string.h>

#define PROPERTY   "vmdock_"
#define EXTRA_SPEC "vmdock:"
#define COMMAND    "os_command_line"

/*
 * Flavors are the operator's, images anybody's: what a host must allow for each VM is asked for by
 * a flavor alone. (The host's own configuration has the last word on both.)
 */
static gboolean flavor_only(const char *name)
{
    static const char *const names[] = {"cap_add", "devices", "privileged", NULL};
    return g_strv_contains(names, name);
}

static void note(VmSpec *spec, const char *label, const char *why)
{
    g_autofree gchar *shown = nova_shown(label);
    g_ptr_array_add(spec->not_honoured, g_strdup_printf("%s is not honoured: %s", shown, why));
}

/* Another way to write a name would be another key, that the rules for the name do not see. */
static gboolean written_small(const char *name)
{
    g_autofree gchar *small = g_ascii_strdown(name, -1);
    return strcmp(name, small) == 0;
}

static gboolean set(VmSpec *spec, const char *name, const char *label, const char *value,
                    GError **error)
{
    gboolean known = FALSE;
    if (written_small(name) && !spec_attribute_set(spec, name, label, value, &known, error))
        return FALSE;
    if (!known)
        note(spec, label, "there is no such attribute");
    return TRUE;
}

/* What the flavor says wins, and each attribute is set once. */
static gboolean take_extra_specs(const json_t *extra, VmSpec *spec, GError **error)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)extra, key, value) {
        if (g_str_has_prefix(key, EXTRA_SPEC) && json_is_string(value) &&
            !nova_is_io_limit(key + strlen(EXTRA_SPEC)) &&
            !set(spec, key + strlen(EXTRA_SPEC), key, json_string_value(value), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean flavor_says(const json_t *extra, const char *name)
{
    g_autofree gchar *key = g_strconcat(EXTRA_SPEC, name, NULL);
    return json_object_get(extra, key) != NULL;
}

static gboolean take_property(const json_t *extra, VmSpec *spec, const char *key, const char *value,
                              GError **error)
{
    const char *name = key + strlen(PROPERTY);
    if (strcmp(name, "image") == 0 || nova_is_io_limit(name) || flavor_says(extra, name))
        return TRUE;
    if (flavor_only(name)) {
        note(spec, key, "it is for the flavor to ask for");
        return TRUE;
    }
    return set(spec, name, key, value, error);
}

static gboolean take_properties(const json_t *request, VmSpec *spec, GError **error)
{
    const json_t *instance = json_object_get(request, "instance");
    const json_t *metadata = json_object_get(instance, "system_metadata");
    const json_t *extra = nova_extra_specs(request);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)metadata, key, value) {
        const char *property = key + strlen("image_");
        if (!g_str_has_prefix(key, "image_" PROPERTY) || !json_is_string(value))
            continue;
        if (!take_property(extra, spec, property, json_string_value(value), error))
            return FALSE;
    }
    return TRUE;
}

gboolean nova_take_process(const json_t *request, VmSpec *spec, GError **error)
{
    const char *command = nova_image_property(request, COMMAND);
    if (!take_extra_specs(nova_extra_specs(request), spec, error) ||
        !take_properties(request, spec, error))
        return FALSE;
    return !command || spec->process.command || set(spec, "command", COMMAND, command, error);
}

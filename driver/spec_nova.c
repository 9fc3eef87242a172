// SPDX-License-Identifier: Apache-2.0
#include "spec_nova_private.h"

#include "account.h"
#include "autoptr.h"
#include "error.h"
#include "image_ref.h"
#include "tar.h"

#include <string.h>

enum {
    MAX_SHOWN = 80,
    HOST_MARK = 6, /* hexadecimal digits */
    MAX_MEGABYTES = 100000000,
    MAX_GIGABYTES = 1000000,
    MAX_CPUS = 1000000,
    WEIGHT_OF_CPU = 1024, /* cgroup v1 shares, and their smallest and largest */
    MIN_WEIGHT = 2,
    MAX_WEIGHT = 262144,
    PERIOD_US = 100000,
    MIN_QUOTA_US = 1000,
    MAX_HOST = 255,
    MAX_KEY = 16384,
    MAX_PASSWORD = 511, /* bytes that crypt(3) takes */
    MAX_FILES = 1000,
    UUID_LENGTH = 36,
};

#define PREFIX   "nova-"
#define MEGABYTE (G_GINT64_CONSTANT(1024) * 1024)
#define GIGABYTE (MEGABYTE * 1024)

/* ---- how the objects are read ---- */

const char *nova_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? text : NULL;
}

gboolean nova_number(const json_t *object, const char *key, gint64 largest, gint64 *number)
{
    const json_t *value = json_object_get(object, key);
    guint64 read = 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        read = (guint64)json_integer_value(value);
    else if (!json_is_string(value) ||
             !g_ascii_string_to_unsigned(json_string_value(value), 10, 0, G_MAXINT64, &read, NULL))
        return FALSE;
    if (read > (guint64)largest)
        return FALSE;
    *number = (gint64)read;
    return TRUE;
}

gchar *nova_shown(const char *text)
{
    return vmdock_one_line(text ? text : "", MAX_SHOWN);
}

json_t *nova_request(const char *text, gsize length, gsize max_size, GError **error)
{
    json_error_t problem;
    if (length > max_size) {
        spec_fail(error, "the request is larger than %" G_GSIZE_FORMAT " bytes", max_size);
        return NULL;
    }
    json_t *request = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (json_is_object(request))
        return request;
    /* jansson quotes the text near the fault, which may be a secret. */
    if (request)
        spec_fail(error, "the request is no JSON object");
    else
        spec_fail(error, "the request, line %d, column %d: malformed JSON", problem.line,
                  problem.column);
    json_decref(request);
    return NULL;
}

const json_t *nova_extra_specs(const json_t *request)
{
    const json_t *flavor = json_object_get(json_object_get(request, "instance"), "flavor");
    return json_object_get(flavor, "extra_specs");
}

/* ImageMeta keeps the properties that Nova knows; the instance keeps all of them. */
const char *nova_image_property(const json_t *request, const char *name)
{
    const json_t *image = json_object_get(request, "image_meta");
    const char *known = nova_text(json_object_get(image, "properties"), name);
    if (known)
        return known;
    g_autofree gchar *key = g_strconcat("image_", name, NULL);
    const json_t *instance = json_object_get(request, "instance");
    return nova_text(json_object_get(instance, "system_metadata"), key);
}

/* ---- who it is ---- */

const char *nova_host(const json_t *request, GError **error)
{
    const char *host = nova_text(request, "host");
    if (host && strlen(host) <= MAX_HOST)
        return host;
    spec_fail(error, "the request names no host");
    return NULL;
}

/* Nova writes small letters; capitals would be a second name of one instance. */
static gboolean is_uuid(const char *text)
{
    return text && g_uuid_string_is_valid(text) && text[strspn(text, "0123456789abcdef-")] == '\0';
}

gchar *nova_deploy_id(const json_t *request, GError **error)
{
    const char *uuid = nova_text(json_object_get(request, "instance"), "uuid");
    const char *host = nova_host(request, error);
    if (!host)
        return NULL;
    if (!is_uuid(uuid)) {
        g_autofree gchar *shown = nova_shown(uuid);
        spec_fail(error, "\"%s\" is no UUID of an instance", shown);
        return NULL;
    }
    if (!json_is_true(json_object_get(request, "shared_engine")))
        return g_strconcat(PREFIX, uuid, NULL);
    g_autofree gchar *mark = g_compute_checksum_for_string(G_CHECKSUM_SHA256, host, -1);
    mark[HOST_MARK] = '\0';
    return g_strconcat(PREFIX, uuid, "-", mark, NULL);
}

gchar *nova_uuid(const char *deploy_id)
{
    if (!g_str_has_prefix(deploy_id, PREFIX))
        return NULL;
    g_autofree gchar *uuid = g_strndup(deploy_id + strlen(PREFIX), UUID_LENGTH);
    return is_uuid(uuid) ? g_steal_pointer(&uuid) : NULL;
}

static gboolean take_names(const json_t *request, VmSpec *spec, GError **error)
{
    const json_t *instance = json_object_get(request, "instance");
    spec->deploy_id = nova_deploy_id(request, error);
    if (!spec->deploy_id)
        return FALSE;
    const char *name = nova_text(instance, "display_name");
    const char *hostname = nova_text(instance, "hostname");
    spec->cloud = g_strdup("nova");
    spec->cloud_id = g_strdup(nova_text(instance, "uuid"));
    spec->uuid = g_strdup(spec->cloud_id);
    spec->host = g_strdup(nova_text(request, "host"));
    spec->name = g_strdup(name ? name : spec->cloud_id);
    spec->hostname = vm_hostname_from(hostname ? hostname : name, spec->cloud_id);
    return TRUE;
}

/* ---- what it may use ---- */

static gboolean take_memory(const json_t *flavor, VmSpec *spec, GError **error)
{
    gint64 megabytes = 0, swap = 0, gigabytes = 0;
    if (!nova_number(flavor, "memory_mb", MAX_MEGABYTES, &megabytes) || megabytes == 0)
        return spec_fail(error, "the flavor has no memory_mb that a VM could have");
    nova_number(flavor, "swap", MAX_MEGABYTES, &swap);
    nova_number(flavor, "root_gb", MAX_GIGABYTES, &gigabytes);
    spec->limits.memory = megabytes * MEGABYTE;
    spec->limits.swap = swap * MEGABYTE;
    spec->root_size = gigabytes * GIGABYTE;
    return TRUE;
}

/* quota:cpu_shares, quota:cpu_period and quota:cpu_quota mean what they mean to libvirt: of one
 * CPU's time. */
static gboolean take_cpu(const json_t *flavor, const json_t *extra, VmSpec *spec, GError **error)
{
    gint64 cpus = 0, shares = 0, period = PERIOD_US, quota = 0;
    if (!nova_number(flavor, "vcpus", MAX_CPUS, &cpus) || cpus == 0)
        return spec_fail(error, "the flavor has no vcpus that a VM could have");
    if (!nova_number(extra, "quota:cpu_shares", MAX_WEIGHT, &shares))
        shares = MIN(cpus, MAX_WEIGHT) * WEIGHT_OF_CPU;
    nova_number(extra, "quota:cpu_period", 1000000, &period);
    spec->limits.cpu_weight = CLAMP(shares, MIN_WEIGHT, MAX_WEIGHT);
    spec->limits.cpu_quota_us = cpus * PERIOD_US;
    if (nova_number(extra, "quota:cpu_quota", G_MAXINT32, &quota) && quota > 0 && period > 0)
        spec->limits.cpu_quota_us =
            CLAMP(quota * cpus * PERIOD_US / period, MIN_QUOTA_US, cpus * PERIOD_US);
    return TRUE;
}

gboolean nova_take_limits(const json_t *request, VmSpec *spec, GError **error)
{
    const json_t *flavor = json_object_get(json_object_get(request, "instance"), "flavor");
    spec->root_limits = (VmDiskLimits){0};
    nova_take_io_limits(request, spec);
    return take_memory(flavor, spec, error) &&
           take_cpu(flavor, nova_extra_specs(request), spec, error);
}

/* ---- its image ---- */

/* What becomes part of a tag may hold what Glance's checksums and ids hold. */
static gboolean is_plain(const char *text)
{
    return text && strlen(text) <= 64 && text[strspn(text, "0123456789abcdef-")] == '\0';
}

gboolean nova_image_is_archive(const json_t *request, gchar **name, GError **error)
{
    const json_t *image = json_object_get(request, "image_meta");
    const char *format = nova_text(image, "container_format");
    const char *id = nova_text(image, "id"), *checksum = nova_text(image, "checksum");
    const char *reference = nova_image_property(request, "vmdock_image");
    gint64 size = -1;
    *name = NULL;
    /* An image that is a name only may be without content. */
    nova_number(image, "size", G_MAXINT64, &size);
    if (g_strcmp0(format, "docker") != 0 || (reference && size == 0))
        return reference
                   ? FALSE
                   : spec_fail(error, "its image has neither the container format docker nor a "
                                      "property vmdock_image");
    if (!is_uuid(id))
        return spec_fail(error, "its image has no id");
    *name = is_plain(checksum) ? g_strconcat(NOVA_IMAGE_REPOSITORY ":", id, "-", checksum, NULL)
                               : g_strconcat(NOVA_IMAGE_REPOSITORY ":", id, NULL);
    return TRUE;
}

/* An archive has no reference: the node holds it as the VM's disk already. */
static gboolean take_image(const json_t *request, VmSpec *spec, GError **error)
{
    g_autofree gchar *name = NULL;
    g_autoptr(GError) failure = NULL;
    if (nova_image_is_archive(request, &name, &failure)) {
        spec->image_source = g_steal_pointer(&name);
        return TRUE;
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    const char *text = nova_image_property(request, "vmdock_image");
    g_autoptr(ImageRef) ref = image_ref_parse(text, error);
    if (!ref) {
        g_prefix_error(error, "the image's property vmdock_image: ");
        return FALSE;
    }
    /* Names under which nodes hold the images of VMs, other tenants' among them. */
    if (strcmp(ref->registry, "docker.io") == 0 && g_str_has_prefix(ref->repository, "vmdock/"))
        return spec_fail(error, "the image's property vmdock_image names an image of a VM");
    spec->image = image_ref_name(ref);
    spec->image_source = g_strdup(text);
    return TRUE;
}

/* ---- what the guest is told ---- */

static gboolean add_file(GPtrArray *files, const char *path, const char *text, GError **error)
{
    gsize length = 0;
    g_autofree gchar *shown = nova_shown(path);
    if (files->len >= MAX_FILES)
        return spec_fail(error, "the VM is given more than %d files", MAX_FILES);
    if (!tar_path_safe(path + strspn(path, "/")))
        return spec_fail(error, "\"%s\" is no place for a file", shown);
    if (!text)
        return spec_fail(error, "the file \"%s\" has no content", shown);
    g_autofree guchar *content = g_base64_decode(text, &length);
    vm_files_add(files, path, content, length);
    return TRUE;
}

static gboolean take_told(const json_t *request, VmContext *context, GError **error)
{
    const char *path;
    json_t *content;
    json_object_foreach (json_object_get(request, "files"), path, content) {
        if (*path == '/' || !add_file(context->told, path, json_string_value(content), error))
            return *path == '/' ? spec_fail(error, "a file of the config drive has no such path")
                                : FALSE;
    }
    return TRUE;
}

static gboolean take_given(const json_t *request, VmContext *context, GError **error)
{
    gsize index;
    const json_t *pair;
    json_array_foreach (json_object_get(request, "injected_files"), index, pair) {
        const char *path = json_string_value(json_array_get(pair, 0));
        const char *content = json_string_value(json_array_get(pair, 1));
        if (!path)
            return spec_fail(error, "an injected file has no path");
        if (!add_file(context->given, path, content, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean has_control(const char *text)
{
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            return TRUE;
    return FALSE;
}

static void take_key(const json_t *request, VmContext *context)
{
    const char *text = nova_text(json_object_get(request, "instance"), "key_data");
    g_autofree gchar *key = text ? g_strstrip(g_strdup(text)) : NULL;
    if (!key || !*key || strlen(key) > MAX_KEY || has_control(key))
        return;
    const char *const keys[] = {key, NULL};
    context->keys = g_strdupv((gchar **)keys);
}

static void take_password(const json_t *request, VmContext *context)
{
    const char *password = nova_text(request, "admin_password");
    if (password && strlen(password) <= MAX_PASSWORD && !has_control(password))
        context->password = g_strdup(password);
}

static gboolean take_context(const json_t *request, const NovaOptions *options, VmSpec *spec,
                             GError **error)
{
    spec->context = vm_context_new();
    spec->context->mount_point = g_strdup(options->mount_point);
    take_key(request, spec->context);
    take_password(request, spec->context);
    return take_told(request, spec->context, error) && take_given(request, spec->context, error);
}

VmSpec *spec_from_nova(const json_t *request, const NovaOptions *options, GError **error)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    spec->process.terminal = options->terminal;
    if (!take_names(request, spec, error) || !nova_take_limits(request, spec, error) ||
        !nova_take_volumes(request, options, spec, error) || !take_image(request, spec, error) ||
        !nova_take_process(request, spec, error) || !take_context(request, options, spec, error) ||
        !nova_take_network(request, spec, error))
        return NULL;
    return g_steal_pointer(&spec);
}

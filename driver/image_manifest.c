// SPDX-License-Identifier: Apache-2.0
#include "image_manifest.h"

#include "autoptr.h"
#include "error.h"

#include <string.h>
#include <sys/utsname.h>

gchar *image_manifest_digest(const char *text, gsize length)
{
    g_autofree gchar *hash =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, length);
    return g_strconcat("sha256:", hash, NULL);
}

static gboolean fail(GError **error, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY, "its manifest %s", what);
    return FALSE;
}

static gboolean add_size(const json_t *part, guint64 *bytes, GError **error)
{
    const json_t *size = json_object_get(part, "size");
    json_int_t value = json_integer_value(size);
    if (!json_is_integer(size) || value < 0 || (guint64)value > G_MAXINT64 - *bytes)
        return fail(error, "does not tell the size of a layer");
    *bytes += (guint64)value;
    return TRUE;
}

static gboolean sum(const json_t *manifest, guint64 *bytes, GError **error)
{
    const json_t *layers = json_object_get(manifest, "layers");
    *bytes = 0;
    if (!json_is_array(layers))
        return fail(error, "is of a form that does not tell sizes");
    if (!add_size(json_object_get(manifest, "config"), bytes, error))
        return FALSE;
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (!add_size(json_array_get(layers, i), bytes, error))
            return FALSE;
    return TRUE;
}

static gboolean is_digest(const char *text)
{
    return text && g_str_has_prefix(text, "sha256:") && strlen(text) == strlen("sha256:") + 64 &&
           strspn(text + strlen("sha256:"), "0123456789abcdef") == 64;
}

static gboolean choose(const json_t *list, const char *architecture, gchar **digest, GError **error)
{
    const char *chosen = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const json_t *platform = json_object_get(entry, "platform");
        const char *os = json_string_value(json_object_get(platform, "os"));
        const char *of = json_string_value(json_object_get(platform, "architecture"));
        const char *candidate = json_string_value(json_object_get(entry, "digest"));
        if (g_strcmp0(os, "linux") != 0 || !of || !is_digest(candidate))
            continue;
        gboolean fits = strcmp(of, architecture) == 0;
        if (fits || !chosen)
            chosen = candidate;
        if (fits)
            break;
    }
    *digest = g_strdup(chosen);
    return chosen || fail(error, "lists no image for Linux");
}

gboolean image_manifest_parse(const char *text, gsize length, const char *architecture,
                              guint64 *bytes, gchar **digest, GError **error)
{
    *digest = NULL;
    g_autoptr(json_t) manifest = json_loadb(text, length, 0, NULL);
    if (!json_is_object(manifest))
        return fail(error, "is no JSON");
    const json_t *list = json_object_get(manifest, "manifests");
    return json_is_array(list) ? choose(list, architecture, digest, error)
                               : sum(manifest, bytes, error);
}

const char *image_architecture(void)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"},
        {"aarch64", "arm64"},
        {"i686", "386"},
        {"armv7l", "arm"},
    };
    static struct utsname machine;
    uname(&machine);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(machine.machine, names[i][0]) == 0)
            return names[i][1];
    return machine.machine;
}

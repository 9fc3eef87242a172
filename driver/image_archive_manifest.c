// SPDX-License-Identifier: Apache-2.0
/* manifest.json of an image archive: [{"Config": …, "RepoTags": [NAME…], "Layers": […]}…]. */
#include "image_archive.h"

#include "autoptr.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { ID_LENGTH = 64 };

static json_t *parse(const char *text, gsize length, GError **error)
{
    g_autoptr(json_t) root = json_loadb(text, length, 0, NULL);
    for (gsize i = 0; i < json_array_size(root); i++)
        if (!json_is_object(json_array_get(root, i)))
            g_clear_pointer(&root, json_decref);
    if (json_array_size(root) > 0)
        return g_steal_pointer(&root);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        "the image archive's manifest.json names no image");
    return NULL;
}

static gboolean has_name(const json_t *image, const char *name)
{
    const json_t *names = json_object_get(image, "RepoTags");
    for (gsize i = 0; i < json_array_size(names); i++)
        if (g_strcmp0(json_string_value(json_array_get(names, i)), name) == 0)
            return TRUE;
    return FALSE;
}

/* The image that is asked for. */
static json_t *pick(const json_t *root, const char *name, GError **error)
{
    gsize count = json_array_size(root);
    if (count == 1 && !name)
        return json_array_get(root, 0);
    for (gsize i = 0; name && i < count; i++)
        if (has_name(json_array_get(root, i), name))
            return json_array_get(root, i);
    if (name)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE, "the image archive holds no %s",
                    name);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the image archive holds %" G_GSIZE_FORMAT " images and must hold one", count);
    return NULL;
}

static json_t *only_names(const json_t *image, const char *prefix)
{
    json_t *kept = json_array();
    const json_t *names = json_object_get(image, "RepoTags");
    for (gsize i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && g_str_has_prefix(name, prefix))
            json_array_append_new(kept, json_string(name));
    }
    return kept;
}

static json_t *with_prefix(const json_t *root, const char *prefix, GError **error)
{
    g_autoptr(json_t) images = json_array();
    for (gsize i = 0; i < json_array_size(root); i++) {
        json_t *image = json_array_get(root, i);
        g_autoptr(json_t) names = only_names(image, prefix);
        if (json_array_size(names) == 0)
            continue;
        json_object_set(image, "RepoTags", names);
        json_array_append(images, image);
    }
    if (json_array_size(images) > 0)
        return g_steal_pointer(&images);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "the image archive holds no %s…", prefix);
    return NULL;
}

static json_t *with_name(const json_t *root, const ImageArchiveNames *names, GError **error)
{
    json_t *image = pick(root, names->pick, error);
    if (!image)
        return NULL;
    json_object_set_new(image, "RepoTags", json_pack("[s]", names->name));
    return json_pack("[O]", image);
}

gchar *image_manifest_rename(const char *text, gsize length, const ImageArchiveNames *names,
                             GError **error)
{
    g_autoptr(json_t) root = parse(text, length, error);
    if (!root)
        return NULL;
    g_autoptr(json_t) renamed =
        names->name ? with_name(root, names, error) : with_prefix(root, names->prefix, error);
    if (!renamed)
        return NULL;
    char *dumped = json_dumps(renamed, JSON_COMPACT);
    gchar *result = g_strdup(dumped);
    free(dumped);
    return result;
}

/* "<id>.json", and "blobs/sha256/<id>" since Engine 25. */
gchar *image_manifest_id(const char *text, gsize length, GError **error)
{
    g_autoptr(json_t) root = parse(text, length, error);
    const json_t *image = root ? pick(root, NULL, error) : NULL;
    if (!image)
        return NULL;
    const char *config = json_string_value(json_object_get(image, "Config"));
    const char *slash = config ? strrchr(config, '/') : NULL;
    const char *name = slash ? slash + 1 : config;
    if (name && strspn(name, "0123456789abcdef") == ID_LENGTH)
        return g_strdup_printf("sha256:%.*s", ID_LENGTH, name);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        "the image archive's manifest.json does not tell the image's id");
    return NULL;
}

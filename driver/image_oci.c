// SPDX-License-Identifier: Apache-2.0
/*
 * Archives of OCI's image layout: index.json leads by digests to a manifest, and that to a
 * configuration and layers, all of them below blobs/. Engines before 25 read manifest.json alone;
 * its entries are names of files in the archive, and so these blobs will do as they are.
 *
 * Contract: OCI image-spec 1.1, image-layout.md, image-index.md, manifest.md; the entries of
 * `docker save`.
 */
#include "image_oci.h"

#include "autoptr.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { DIGEST_LENGTH = 64, MAX_DEPTH = 4, MAX_LAYERS = 1024, MAX_KEPT = 16 * 1024 * 1024 };

#define INDEX "index.json"
#define BLOBS "blobs/sha256/"

struct ImageOci {
    GHashTable *texts; /* name in the archive -> GBytes: index.json, and what may be a manifest */
    gsize kept;        /* bytes of them */
};

ImageOci *image_oci_new(void)
{
    ImageOci *oci = g_new0(ImageOci, 1);
    oci->texts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    return oci;
}

void image_oci_free(ImageOci *oci)
{
    if (!oci)
        return;
    g_hash_table_unref(oci->texts);
    g_free(oci);
}

gboolean image_oci_wants(const ImageOci *oci, const char *name, gint64 size)
{
    return size > 0 && size <= IMAGE_OCI_TEXT_MAX && oci->kept <= MAX_KEPT &&
           (strcmp(name, INDEX) == 0 || g_str_has_prefix(name, BLOBS));
}

/* Layers are small too sometimes, but no objects. */
void image_oci_take(ImageOci *oci, const char *name, const char *text, gsize length)
{
    if (length == 0 || *text != '{')
        return;
    oci->kept += length;
    g_hash_table_replace(oci->texts, g_strdup(name), g_bytes_new(text, length));
}

gboolean image_oci_has_index(const ImageOci *oci)
{
    return g_hash_table_contains(oci->texts, INDEX);
}

/* ---- from the index to the image ---- */

static gboolean refuse(GError **error, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "the image's archive of OCI's layout %s",
                what);
    return FALSE;
}

static json_t *parse(const ImageOci *oci, const char *name, GError **error)
{
    GBytes *bytes = g_hash_table_lookup(oci->texts, name);
    gsize length = 0;
    const char *text = bytes ? g_bytes_get_data(bytes, &length) : NULL;
    json_t *root = text ? json_loadb(text, length, 0, NULL) : NULL;
    if (json_is_object(root))
        return root;
    json_decref(root);
    refuse(error, "does not hold a manifest that it names");
    return NULL;
}

/* "sha256:0123…" -> "blobs/sha256/0123…" */
static gchar *blob_of(const json_t *descriptor, GError **error)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest"));
    const char *hex = digest && g_str_has_prefix(digest, "sha256:") ? digest + 7 : NULL;
    if (hex && strlen(hex) == DIGEST_LENGTH && strspn(hex, "0123456789abcdef") == DIGEST_LENGTH)
        return g_strconcat(BLOBS, hex, NULL);
    refuse(error, "names something by no sha256 digest");
    return NULL;
}

/* One without a platform is for any. What builders add about an image is for none. */
static gboolean fits(const json_t *descriptor, const char *arch)
{
    const json_t *platform = json_object_get(descriptor, "platform");
    const char *os = json_string_value(json_object_get(platform, "os"));
    const char *theirs = json_string_value(json_object_get(platform, "architecture"));
    return !platform || (g_strcmp0(os, "linux") == 0 && g_strcmp0(theirs, arch) == 0);
}

static const json_t *choose(const json_t *manifests, const char *arch, GError **error)
{
    const json_t *found = NULL, *descriptor;
    gsize index, count = 0;
    json_array_foreach (manifests, index, descriptor) {
        if (!fits(descriptor, arch))
            continue;
        const json_t *digest = json_object_get(descriptor, "digest");
        /* One image under several names is one. */
        if (found && json_equal(digest, json_object_get(found, "digest")))
            continue;
        found = descriptor;
        count++;
    }
    if (count == 1)
        return found;
    if (count == 0)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the image's archive of OCI's layout holds no image for linux/%s", arch);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the image's archive of OCI's layout holds %" G_GSIZE_FORMAT
                    " images and must hold one",
                    count);
    return NULL;
}

/* An index may lead to further ones. */
static json_t *find_manifest(const ImageOci *oci, const char *arch, GError **error)
{
    json_t *root = parse(oci, INDEX, error);
    for (guint depth = 0; root && json_object_get(root, "manifests"); depth++) {
        g_autoptr(json_t) index = root;
        const json_t *chosen = choose(json_object_get(index, "manifests"), arch, error);
        g_autofree gchar *name = chosen ? blob_of(chosen, error) : NULL;
        root = NULL;
        if (name && depth == MAX_DEPTH)
            refuse(error, "has too many indexes one behind the other");
        else if (name)
            root = parse(oci, name, error);
    }
    return root;
}

static json_t *layers_of(const json_t *manifest, GError **error)
{
    const json_t *layers = json_object_get(manifest, "layers"), *layer;
    g_autoptr(json_t) names = json_array();
    gsize index;
    if (json_array_size(layers) > MAX_LAYERS) {
        refuse(error, "has an impossible number of layers");
        return NULL;
    }
    json_array_foreach (layers, index, layer) {
        g_autofree gchar *name = blob_of(layer, error);
        if (!name)
            return NULL;
        json_array_append_new(names, json_string(name));
    }
    return g_steal_pointer(&names);
}

gchar *image_oci_manifest(const ImageOci *oci, const char *arch, GError **error)
{
    g_autoptr(json_t) manifest = find_manifest(oci, arch, error);
    g_autofree gchar *config =
        manifest ? blob_of(json_object_get(manifest, "config"), error) : NULL;
    g_autoptr(json_t) layers = config ? layers_of(manifest, error) : NULL;
    if (!layers)
        return NULL;
    g_autoptr(json_t) list =
        json_pack("[{s:s, s:n, s:O}]", "Config", config, "RepoTags", "Layers", layers);
    char *dumped = json_dumps(list, JSON_COMPACT);
    gchar *text = g_strdup(dumped);
    free(dumped);
    return text;
}

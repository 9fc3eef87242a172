// SPDX-License-Identifier: Apache-2.0
#include "datastore_source.h"

#include "error.h"

#include <string.h>

enum { MAX_SHOWN = 120, RANDOM_DIGITS = 12 };

#define SPACE "vmdock"

static DatastoreSource *place_new(DatastoreSourceKind kind, const char *place)
{
    DatastoreSource *source = g_new0(DatastoreSource, 1);
    source->kind = kind;
    source->place = g_strdup(place);
    return source;
}

static DatastoreSource *reference_new(const char *text, GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(text, error);
    if (!ref)
        return NULL;
    g_autofree gchar *name = image_ref_name(ref);
    DatastoreSource *source = place_new(DATASTORE_SOURCE_REFERENCE, name);
    source->ref = g_steal_pointer(&ref);
    return source;
}

static DatastoreSource *refuse(const char *text, const char *what, GError **error)
{
    g_autofree gchar *shown = vmdock_one_line(text, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "image path \"%s\": %s", shown, what);
    return NULL;
}

/*
 * `oneimage create --path docker://…` of OpenNebula 6 and 7 takes the reference for a file's name
 * and puts its working folder before it. No archive has such a name.
 */
static const char *without_folder(const char *text)
{
    const char *reference = text[0] == '/' ? strstr(text, "/docker://") : NULL;
    return reference ? reference + 1 : text;
}

DatastoreSource *datastore_source_parse(const char *text, GError **error)
{
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            return refuse(text, "it has control characters", error);
    text = without_folder(text);
    if (image_ref_is_url(text))
        return reference_new(text, error);
    if (text[0] == '/')
        return place_new(DATASTORE_SOURCE_FILE, text);
    if (g_str_has_prefix(text, DATASTORE_ARCHIVE_SCHEME "/"))
        return place_new(DATASTORE_SOURCE_ARCHIVE, text + strlen(DATASTORE_ARCHIVE_SCHEME));
    if (g_ascii_strncasecmp(text, "http://", strlen("http://")) == 0 ||
        g_ascii_strncasecmp(text, "https://", strlen("https://")) == 0)
        return place_new(DATASTORE_SOURCE_URL, text);
    if (strstr(text, "://") || g_str_has_prefix(text, DATASTORE_ARCHIVE_SCHEME))
        return refuse(text, "it is no docker://, http:// or https:// and no absolute path", error);
    return reference_new(text, error);
}

void datastore_source_free(DatastoreSource *source)
{
    if (!source)
        return;
    image_ref_free(source->ref);
    g_free(source->place);
    g_free(source);
}

gchar *datastore_reference(const ImageRef *ref, const char *tag, const char *digest)
{
    if (!tag && !digest) {
        tag = ref->tag;
        digest = ref->digest;
    }
    return g_strconcat("docker://", ref->registry, "/", ref->repository, digest ? "@" : ":",
                       digest ? digest : tag, NULL);
}

gchar *datastore_name_new(const char *image_id)
{
    g_autofree gchar *random = g_uuid_string_random();
    g_autofree gchar *digits = g_strndup(strrchr(random, '-') + 1, RANDOM_DIGITS);
    return g_strconcat(image_id, "-", digits, NULL);
}

gboolean datastore_name_is_own(const char *name, const char *image_id)
{
    gsize id = strspn(name, "0123456789");
    return id > 0 && name[id] == '-' &&
           strspn(name + id + 1, "0123456789abcdef") == RANDOM_DIGITS &&
           name[id + 1 + RANDOM_DIGITS] == '\0' &&
           (!image_id || (strlen(image_id) == id && strncmp(name, image_id, id) == 0));
}

ImageRef *datastore_repository(const char *registry, const char *name, GError **error)
{
    g_autofree gchar *text = g_strconcat(registry, "/" SPACE "/", name, NULL);
    g_autoptr(ImageRef) ref = image_ref_parse(text, NULL);
    gsize host = strcspn(registry, "/");
    /* A word without dot and port would be a name at Docker's own registry. */
    if (ref && !ref->digest && strlen(ref->registry) == host &&
        strncmp(ref->registry, registry, host) == 0)
        return g_steal_pointer(&ref);
    g_autofree gchar *shown = vmdock_one_line(registry, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "the datastore's REGISTRY: \"%s\" is not of the form host:port", shown);
    return NULL;
}

gboolean datastore_repository_is_own(const ImageRef *ref, const char *registry,
                                     const char *image_id)
{
    const char *slash = strrchr(ref->repository, '/');
    if (!registry || !slash || !datastore_name_is_own(slash + 1, image_id))
        return FALSE;
    g_autoptr(ImageRef) own = datastore_repository(registry, slash + 1, NULL);
    return own && strcmp(own->registry, ref->registry) == 0 &&
           strcmp(own->repository, ref->repository) == 0;
}

gboolean datastore_file_is_own(const char *path, const char *base_path, const char *image_id)
{
    g_autofree gchar *folder = g_path_get_dirname(path);
    g_autofree gchar *name = g_path_get_basename(path);
    return strcmp(folder, base_path) == 0 && datastore_name_is_own(name, image_id);
}

gboolean datastore_file_is_image(const char *path, const char *base_path)
{
    g_autofree gchar *folder = g_path_get_dirname(path);
    g_autofree gchar *datastores = g_path_get_dirname(base_path);
    g_autofree gchar *parent = g_path_get_dirname(folder);
    g_autofree gchar *id = g_path_get_basename(folder);
    return strcmp(parent, datastores) == 0 && id[strspn(id, "0123456789")] == '\0' &&
           datastore_file_is_own(path, folder, NULL);
}

gchar *datastore_snapshot_tag(gint64 id)
{
    return g_strdup_printf("snap-%" G_GINT64_FORMAT, id);
}

gchar *datastore_snapshot_folder(const char *path)
{
    return g_strconcat(path, ".snap", NULL);
}

/* "127.0.0.1:5000" -> "127.0.0.1", "[::1]:5000" -> "::1" */
static gchar *host_of(const char *registry)
{
    if (registry[0] == '[')
        return g_strndup(registry + 1, strcspn(registry + 1, "]"));
    return g_strndup(registry, strcspn(registry, ":"));
}

static gboolean is_loopback(const char *registry)
{
    g_autofree gchar *host = host_of(registry);
    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return TRUE;
    return g_str_has_prefix(host, "127.") && g_hostname_is_ip_address(host);
}

gboolean datastore_is_insecure(const DatastoreMessage *message, const char *registry)
{
    if (is_loopback(registry))
        return TRUE;
    for (gsize i = 0; message->insecure[i]; i++) {
        const char *word = message->insecure[i];
        gsize own = message->registry ? strcspn(message->registry, "/") : 0;
        gboolean is_own =
            own > 0 && strlen(registry) == own && strncmp(registry, message->registry, own) == 0;
        if (strcmp(word, registry) == 0 || (is_own && g_ascii_strcasecmp(word, "YES") == 0))
            return TRUE;
    }
    return FALSE;
}

/* Whole names count: /var/tmp holds /var/tmp/x, and not /var/tmpx. */
static gboolean is_below(const char *path, const char *const *folders)
{
    for (gsize i = 0; folders[i]; i++) {
        if (folders[i][0] != '/')
            continue;
        g_autofree gchar *folder =
            g_canonicalize_filename(folders[i] + strspn(folders[i], "/"), "/");
        gsize length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
        if (strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0'))
            return TRUE;
    }
    return FALSE;
}

gboolean datastore_path_allowed(const char *path, const char *const *safe,
                                const char *const *restricted, const char *const *always)
{
    return is_below(path, safe) || (!is_below(path, restricted) && !is_below(path, always));
}

guint64 datastore_megabytes(guint64 bytes)
{
    const guint64 mb = G_GUINT64_CONSTANT(1024) * 1024;
    return MAX(bytes / mb + (bytes % mb > 0), 1);
}

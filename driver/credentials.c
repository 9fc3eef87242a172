// SPDX-License-Identifier: Apache-2.0
#include "credentials.h"

#include "autoptr.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 1024 * 1024 };

#define DOCKER_IO "docker.io"

/* "https://reg.example:5000/v2/" -> "reg.example:5000"; Docker's own registry has several names. */
static gchar *registry_of(const char *key)
{
    const char *scheme = strstr(key, "://");
    const char *host = scheme ? scheme + strlen("://") : key;
    g_autofree gchar *name = g_ascii_strdown(host, (gssize)strcspn(host, "/"));
    if (strcmp(name, "index.docker.io") == 0 || strcmp(name, "registry-1.docker.io") == 0)
        return g_strdup(DOCKER_IO);
    return g_steal_pointer(&name);
}

static const json_t *find_entry(const json_t *auths, const char *registry)
{
    const char *key;
    json_t *entry;
    json_object_foreach ((json_t *)auths, key, entry) {
        g_autofree gchar *name = registry_of(key);
        if (g_ascii_strcasecmp(name, registry) == 0)
            return entry;
    }
    return NULL;
}

static void refuse(GError **error, const char *registry, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "the entry of %s %s", registry, what);
}

/* Adds what base64 TEXT says: "user:password". */
static gboolean add_user(json_t *header, const char *text, const char *registry, GError **error)
{
    gsize length = 0;
    g_autofree gchar *plain = (gchar *)g_base64_decode(text, &length);
    g_autofree gchar *pair = g_strndup(plain, length);
    explicit_bzero(plain, length);
    gchar *colon = strchr(pair, ':');
    if (!colon || colon == pair || !g_utf8_validate(pair, -1, NULL)) {
        refuse(error, registry, "has an \"auth\" that is not base64 of user:password");
        return FALSE;
    }
    *colon = '\0';
    json_object_set_new(header, "username", json_string(pair));
    json_object_set_new(header, "password", json_string(colon + 1));
    explicit_bzero(colon + 1, strlen(colon + 1));
    return TRUE;
}

static json_t *header_json(const json_t *entry, const char *registry, GError **error)
{
    static const char *const fields[] = {"username", "password", "identitytoken", "registrytoken"};
    g_autoptr(json_t) header = json_object();
    const char *auth = json_string_value(json_object_get(entry, "auth"));
    if (auth && *auth && !add_user(header, auth, registry, error))
        return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        json_t *value = json_object_get(entry, fields[i]);
        if (json_string_length(value) > 0)
            json_object_set(header, fields[i], value);
    }
    gboolean user = json_object_get(header, "username") && json_object_get(header, "password");
    if (!user && !json_object_get(header, "identitytoken") &&
        !json_object_get(header, "registrytoken")) {
        refuse(error, registry,
               "has neither user and password nor a token (credential helpers are not supported)");
        return NULL;
    }
    const char *server =
        strcmp(registry, DOCKER_IO) == 0 ? "https://index.docker.io/v1/" : registry;
    json_object_set_new(header, "serveraddress", json_string(server));
    return g_steal_pointer(&header);
}

/* The header's alphabet is that of URLs: RFC 4648, section 5. */
static gchar *encode(const json_t *header)
{
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    g_autofree gchar *text = g_malloc(length + 1);
    json_dumpb(header, text, length, JSON_COMPACT);
    gchar *value = g_base64_encode((const guchar *)text, length);
    explicit_bzero(text, length);
    g_strdelimit(value, "+", '-');
    return g_strdelimit(value, "/", '_');
}

gchar *credentials_parse(const char *text, gsize length, const char *registry, GError **error)
{
    json_error_t where;
    g_autoptr(json_t) root = json_loadb(text, length, 0, &where);
    if (!root || !json_is_object(root)) {
        /* Not the parser's own words: they quote the text. */
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "line %d is not the JSON of a Docker "
                    "configuration file",
                    root ? 1 : MAX(where.line, 1));
        return NULL;
    }
    const json_t *entry = find_entry(json_object_get(root, "auths"), registry);
    if (!entry)
        return NULL;
    g_autoptr(json_t) header = header_json(entry, registry, error);
    return header ? encode(header) : NULL;
}

static gboolean is_guarded(int fd, const char *path, GError **error)
{
    struct stat st;
    const char *fault = NULL;
    if (fstat(fd, &st) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return FALSE;
    }
    if (!S_ISREG(st.st_mode))
        fault = "it is no regular file";
    else if (st.st_uid != 0 && st.st_uid != geteuid())
        fault = geteuid() == 0 ? "it must belong to root" : "it must belong to its only reader";
    else if (st.st_mode & (S_IRWXG | S_IRWXO))
        fault = "it must be closed to group and others (chmod 600)";
    else if (st.st_size > MAX_FILE)
        fault = "it is larger than 1 MiB";
    if (fault)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "the registry credentials in %s are not used: %s", path, fault);
    return fault == NULL;
}

/* -1 without error when PATH is not there. */
static int open_guarded(const char *path, GError **error)
{
    /* Not to hang on a pipe that somebody put there. */
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0)
        return is_guarded(fd, path, error) ? steal_fd(&fd) : -1;
    if (errno != ENOENT)
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
    return -1;
}

gboolean credentials_usable(const char *path, GError **error)
{
    autofd int fd = open_guarded(path, error);
    return fd >= 0;
}

gchar *credentials_header(const char *path, const char *registry, GError **error)
{
    autofd int fd = open_guarded(path, error);
    if (fd < 0)
        return NULL;
    GError *failure = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new_from_fd(fd, FALSE, &failure);
    if (!file) {
        vmdock_error_adopt(&failure, VMDOCK_ERROR_IO);
        g_propagate_error(error, failure);
        return NULL;
    }
    const char *text = g_mapped_file_get_contents(file);
    gchar *header =
        credentials_parse(text ? text : "", g_mapped_file_get_length(file), registry, &failure);
    if (failure)
        g_propagate_prefixed_error(error, failure, "registry credentials %s: ", path);
    return header;
}

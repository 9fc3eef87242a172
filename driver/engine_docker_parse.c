// SPDX-License-Identifier: Apache-2.0
#include "engine_docker_parse.h"

#include "autoptr.h"
#include "log.h"

#include <string.h>

enum {
    ID_LENGTH = 64,
    MAX_MESSAGE = 1000,
};

#define NUL_ESCAPE "\\u0000"

gboolean docker_garbled(GError **error, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                "the container engine's answer cannot be read: %s", what);
    return FALSE;
}

void docker_not_json(GError **error, const char *why)
{
    g_autofree gchar *words = vmdock_one_line(why, MAX_MESSAGE);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                "the container engine's answer is not JSON: %s", words);
}

/* The next escaped NUL at or after P, NULL if there is none. */
static char *find_nul_escape(char *p, const char *end)
{
    while ((p = memchr(p, '\\', (gsize)(end - p))) && end - p >= (gssize)strlen(NUL_ESCAPE)) {
        if (memcmp(p, NUL_ESCAPE, strlen(NUL_ESCAPE)) == 0)
            return p;
        p += 2; /* the backslash and what it escapes */
    }
    return NULL;
}

/*
 * jansson refuses a document with a NUL in an object's key. Labels come from images, so one image
 * could make every listing unreadable: a NUL becomes U+FFFD first.
 */
static json_t *load_without_nul(const char *text, gsize length, json_error_t *where)
{
    static const char replacement[] = {'\\', 'u', 'f', 'f', 'f', 'd'};
    g_autofree char *copy = g_memdup2(text, length);
    char *end = copy + length;
    for (char *p = copy; (p = find_nul_escape(p, end)); p += strlen(NUL_ESCAPE))
        memcpy(p, replacement, sizeof replacement);
    return json_loadb(copy, length, 0, where);
}

json_t *docker_json(const char *text, gsize length, GError **error)
{
    json_error_t where;
    json_t *root = length > 0 && find_nul_escape((char *)text, text + length)
                       ? load_without_nul(text, length, &where)
                       : json_loadb(text, length, 0, &where);
    if (root)
        return root;
    docker_not_json(error, where.text);
    return NULL;
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static gint int_at(const json_t *object, const char *key)
{
    return (gint)json_integer_value(json_object_get(object, key));
}

gboolean docker_parse_api(const char *text, guint *major, guint *minor)
{
    g_auto(GStrv) parts = g_strsplit(text, ".", 3);
    guint64 values[2];
    if (g_strv_length(parts) != 2)
        return FALSE;
    for (guint i = 0; i < 2; i++)
        if (!g_ascii_string_to_unsigned(parts[i], 10, 0, 9999, &values[i], NULL))
            return FALSE;
    *major = (guint)values[0];
    *minor = (guint)values[1];
    return TRUE;
}

gchar *docker_negotiate(const char *theirs, GError **error)
{
    guint major = 0, minor = 0;
    if (!theirs || !docker_parse_api(theirs, &major, &minor)) {
        docker_garbled(error, "it does not tell its API version");
        return NULL;
    }
    if (major > DOCKER_API_MAJOR)
        minor = DOCKER_API_NEWEST;
    if (major < DOCKER_API_MAJOR || minor < DOCKER_API_OLDEST) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                    "the container engine speaks API version %s at most, and vmdock needs %d.%d",
                    theirs, DOCKER_API_MAJOR, DOCKER_API_OLDEST);
        return NULL;
    }
    return g_strdup_printf("%d.%u", DOCKER_API_MAJOR, MIN(minor, DOCKER_API_NEWEST));
}

gboolean docker_parse_time(const char *text, gint64 *us)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);
    if (!time)
        return FALSE;
    gint64 seconds = g_date_time_to_unix(time);
    *us = seconds <= 0 ? 0 : seconds * G_TIME_SPAN_SECOND + g_date_time_get_microsecond(time);
    return TRUE;
}

static gboolean read_time(const json_t *object, const char *key, gint64 *us, GError **error)
{
    const char *text = text_at(object, key);
    *us = 0;
    if (!text || !*text || docker_parse_time(text, us))
        return TRUE;
    g_autofree gchar *what = g_strdup_printf("%s is no time", key);
    return docker_garbled(error, what);
}

/* Ids become parts of paths, so an id is what it must be or it is none. */
gboolean docker_check_id(const char *id, GError **error)
{
    if (id && strlen(id) == ID_LENGTH && strspn(id, "0123456789abcdef") == ID_LENGTH)
        return TRUE;
    return docker_garbled(error, "no id of 64 hexadecimal digits");
}

static gchar *read_id(const json_t *object, GError **error)
{
    const char *id = text_at(object, "Id");
    return docker_check_id(id, error) ? g_strdup(id) : NULL;
}

gboolean docker_parse_state(const char *text, EngineState *state, GError **error)
{
    static const struct {
        const char *text;
        EngineState state;
    } states[] = {
        {"created", ENGINE_CREATED},       {"running", ENGINE_RUNNING}, {"paused", ENGINE_PAUSED},
        {"restarting", ENGINE_RESTARTING}, {"exited", ENGINE_EXITED},   {"dead", ENGINE_DEAD},
        {"removing", ENGINE_DEAD},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++)
        if (g_strcmp0(text, states[i].text) == 0) {
            *state = states[i].state;
            return TRUE;
        }
    g_autofree gchar *shown = vmdock_one_line(text, MAX_MESSAGE);
    g_autofree gchar *what = g_strdup_printf("a container is in the state \"%s\"", shown);
    return docker_garbled(error, what);
}

static GHashTable *read_labels(const json_t *labels)
{
    GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)labels, key, value) {
        if (json_is_string(value))
            g_hash_table_insert(table, g_strdup(key), g_strdup(json_string_value(value)));
    }
    return table;
}

static gchar *name_without_slash(const char *name)
{
    return g_strdup(!name ? "" : *name == '/' ? name + 1 : name);
}

static gboolean read_inspected_state(EngineContainer *container, const json_t *state,
                                     GError **error)
{
    const char *start_error = text_at(state, "Error");
    container->exit_code = int_at(state, "ExitCode");
    container->oom_killed = json_is_true(json_object_get(state, "OOMKilled"));
    container->pid = int_at(state, "Pid");
    if (start_error && *start_error)
        container->start_error = vmdock_one_line(start_error, MAX_MESSAGE);
    return docker_parse_state(text_at(state, "Status"), &container->state, error) &&
           read_time(state, "StartedAt", &container->started, error) &&
           read_time(state, "FinishedAt", &container->finished, error);
}

static void endpoint_free(gpointer data)
{
    EngineEndpoint *endpoint = data;
    g_free(endpoint->network);
    g_free(endpoint);
}

static VmAddress read_address(const json_t *object, const char *key, const char *prefix, int family)
{
    VmAddress address = {0};
    const char *text = text_at(object, key);
    if (!text || strchr(text, '/') || !vm_address_parse(text, &address) || address.family != family)
        return (VmAddress){0};
    gint length = prefix ? int_at(object, prefix) : 0;
    if (length > 0 && length < (gint)address.prefix)
        address.prefix = (guint)length;
    return address;
}

static EngineEndpoint *read_endpoint(const char *network, const json_t *json)
{
    EngineEndpoint *endpoint = g_new0(EngineEndpoint, 1);
    const json_t *wish = json_object_get(json, "IPAMConfig");
    const char *mac = text_at(json, "MacAddress");
    endpoint->network = g_strdup(network);
    endpoint->asked[0] = read_address(wish, "IPv4Address", NULL, AF_INET);
    endpoint->asked[1] = read_address(wish, "IPv6Address", NULL, AF_INET6);
    endpoint->given[0] = read_address(json, "IPAddress", "IPPrefixLen", AF_INET);
    endpoint->given[1] = read_address(json, "GlobalIPv6Address", "GlobalIPv6PrefixLen", AF_INET6);
    endpoint->has_mac = mac && vm_mac_parse(mac, endpoint->mac);
    return endpoint;
}

static GPtrArray *read_endpoints(const json_t *networks)
{
    GPtrArray *endpoints = g_ptr_array_new_with_free_func(endpoint_free);
    const char *network;
    json_t *json;
    json_object_foreach ((json_t *)networks, network, json)
        g_ptr_array_add(endpoints, read_endpoint(network, json));
    return endpoints;
}

EngineContainer *docker_parse_inspect(const char *text, gsize length, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    g_autoptr(EngineContainer) container = g_new0(EngineContainer, 1);
    gint64 created_us = 0;
    container->id = root ? read_id(root, error) : NULL;
    if (!container->id || !read_time(root, "Created", &created_us, error) ||
        !read_inspected_state(container, json_object_get(root, "State"), error))
        return NULL;
    const json_t *config = json_object_get(root, "Config");
    const json_t *host = json_object_get(root, "HostConfig");
    container->created = created_us / G_TIME_SPAN_SECOND;
    container->name = name_without_slash(text_at(root, "Name"));
    container->labels = read_labels(json_object_get(config, "Labels"));
    container->runtime = g_strdup(text_at(host, "Runtime"));
    container->cgroup_parent = g_strdup(text_at(host, "CgroupParent"));
    container->image = g_strdup(text_at(config, "Image"));
    container->image_id = g_strdup(text_at(root, "Image"));
    container->terminal = json_is_true(json_object_get(config, "Tty"));
    container->hostname = g_strdup(text_at(config, "Hostname"));
    container->network_mode = g_strdup(text_at(host, "NetworkMode"));
    container->endpoints =
        read_endpoints(json_object_get(json_object_get(root, "NetworkSettings"), "Networks"));
    container->restarts = (guint)MAX(int_at(root, "RestartCount"), 0);
    const json_t *storage = json_object_get(json_object_get(root, "GraphDriver"), "Data");
    const char *layer = text_at(storage, "UpperDir");
    container->layer = layer && *layer == '/' ? g_strdup(layer) : NULL;
    return g_steal_pointer(&container);
}

static void log_warnings(const json_t *root)
{
    const json_t *warnings = json_object_get(root, "Warnings");
    for (gsize i = 0; i < json_array_size(warnings); i++) {
        const char *warning = json_string_value(json_array_get(warnings, i));
        if (warning)
            log_warn("the container engine warns: %s", warning);
    }
}

void docker_log_warnings(const char *text, gsize length)
{
    g_autoptr(json_t) root = docker_json(text, length, NULL);
    log_warnings(root);
}

gchar *docker_parse_created(const char *text, gsize length, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return NULL;
    log_warnings(root);
    return read_id(root, error);
}

gboolean docker_parse_wait(const char *text, gsize length, gint *exit_code, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return FALSE;
    if (!json_is_integer(json_object_get(root, "StatusCode")))
        return docker_garbled(error, "no exit status of the container");
    *exit_code = int_at(root, "StatusCode");
    return TRUE;
}

gboolean docker_parse_exec(const char *text, gsize length, DockerExec *exec, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return FALSE;
    const json_t *runs = json_object_get(root, "Running");
    if (!json_is_boolean(runs))
        return docker_garbled(error, "not whether the command runs");
    exec->running = json_is_true(runs);
    exec->ended = !exec->running && json_is_integer(json_object_get(root, "ExitCode"));
    exec->pid = int_at(root, "Pid");
    exec->exit_code = int_at(root, "ExitCode");
    return TRUE;
}

gchar *docker_parse_image_id(const char *text, gsize length, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return NULL;
    const char *id = text_at(root, "Id");
    if (!id || !*id)
        docker_garbled(error, "no id of the image");
    return id && *id ? g_strdup(id) : NULL;
}

gboolean docker_parse_image_size(const char *text, gsize length, gint64 *bytes, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return FALSE;
    const json_t *size = json_object_get(root, "Size");
    *bytes = json_integer_value(size);
    return (json_is_integer(size) && *bytes >= 0) || docker_garbled(error, "no size of the image");
}

GStrv docker_parse_image_layers(const char *text, gsize length, GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return NULL;
    const json_t *layers = json_object_get(json_object_get(root, "RootFS"), "Layers");
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (gsize i = 0; i < json_array_size(layers); i++) {
        const char *digest = json_string_value(json_array_get(layers, i));
        if (!digest) {
            docker_garbled(error, "a layer of the image that is no digest");
            return NULL;
        }
        g_strv_builder_add(builder, digest);
    }
    return g_strv_builder_end(builder);
}

static void add_names(GPtrArray *names, const json_t *tags, const char *prefix)
{
    for (gsize i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));
        if (tag && g_str_has_prefix(tag, prefix))
            g_ptr_array_add(names, g_strdup(tag));
    }
}

GPtrArray *docker_parse_image_names(const char *text, gsize length, const char *prefix,
                                    GError **error)
{
    g_autoptr(json_t) root = docker_json(text, length, error);
    if (!root)
        return NULL;
    if (!json_is_array(root)) {
        docker_garbled(error, "no list of images");
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < json_array_size(root); i++)
        add_names(names, json_object_get(json_array_get(root, i), "RepoTags"), prefix);
    return names;
}

gchar *docker_parse_message(guint status, const char *text, gsize length)
{
    g_autoptr(json_t) root = docker_json(text, length, NULL);
    g_autofree gchar *plain = root ? NULL : g_strndup(text, length);
    g_autofree gchar *line = vmdock_one_line(root ? text_at(root, "message") : plain, MAX_MESSAGE);
    if (*line)
        return g_steal_pointer(&line);
    return g_strdup_printf("HTTP status %u without a message", status);
}

/* True if LOWER, a message in small letters, holds one of the NULL-terminated NEEDLES. */
static gboolean says(const char *lower, const char *const *needles)
{
    for (; *needles; needles++)
        if (strstr(lower, *needles))
            return TRUE;
    return FALSE;
}

static const char *const full[] = {"no space left on device", "disk quota exceeded", NULL};

/* "network NAME not found", or one of a swarm that a container may not join by itself. */
static gboolean says_no_network(const char *lower)
{
    static const char *const closed[] = {"not manually attachable", "cannot be used with services",
                                         "is not attachable", NULL};
    const char *network = strstr(lower, "network ");
    return says(lower, closed) || (network && g_str_has_suffix(lower, " not found"));
}

VmdockError docker_error_code(guint status, const char *message)
{
    static const char *const image[] = {"no such image", NULL};
    static const char *const version[] = {"version", NULL};
    static const char *const apart[] = {"too old", "too new", NULL};
    static const char *const taken[] = {"already in use", NULL};
    g_autofree gchar *lower = g_ascii_strdown(message, -1);
    if (says(lower, full))
        return VMDOCK_ERROR_NO_SPACE;
    if (status == 404 && says(lower, image))
        return VMDOCK_ERROR_NO_IMAGE;
    if (status == 400 && says(lower, version) && says(lower, apart))
        return VMDOCK_ERROR_UNSUPPORTED;
    if (status == 409 && says(lower, taken))
        return VMDOCK_ERROR_STATE;
    if (says_no_network(lower))
        return VMDOCK_ERROR_NO_BRIDGE;
    return VMDOCK_ERROR_ENGINE_REFUSED;
}

gboolean docker_ended_unstarted(const char *message)
{
    /* runc's words, and crun's. */
    static const char *const ended[] = {"cannot start a container that has stopped",
                                        "` is not running", NULL};
    return says(message, ended);
}

VmdockError docker_pull_error_code(guint status, const char *message)
{
    /* Some registries say "denied" of what is not there; who says both means the image. */
    static const char *const image[] = {
        "manifest unknown", "name unknown",         "not found", "does not exist",
        "no such image",    "no matching manifest", NULL,
    };
    static const char *const registry[] = {
        "unauthorized",
        "denied",
        "basic auth",
        "connection refused",
        "connection reset",
        "no such host",
        "timeout",
        "timed out",
        "dial tcp",
        "unreachable",
        "deadline exceeded",
        "x509",
        "certificate",
        "tls",
        "toomanyrequests",
        "too many requests",
        "http: server",
        "unexpected eof",
        "received unexpected http status",
        "server misbehaving",
        NULL,
    };
    g_autofree gchar *lower = g_ascii_strdown(message, -1);
    VmdockError code = docker_error_code(status, message);
    if (code != VMDOCK_ERROR_ENGINE_REFUSED)
        return code;
    if (says(lower, image))
        return VMDOCK_ERROR_NO_IMAGE;
    return says(lower, registry) ? VMDOCK_ERROR_REGISTRY : code;
}

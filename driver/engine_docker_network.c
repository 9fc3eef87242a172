// SPDX-License-Identifier: Apache-2.0
/* The engine's own networks: a container is put on one, and taken off. */
#include "autoptr.h"
#include "engine_docker.h"

#include <string.h>

/* The API's minor version since which a container can be made for several networks, with a MAC on
 * each. */
enum { ENDPOINT_MACS = 44 };

json_t *docker_create_body(const json_t *body, const char *api)
{
    guint major = 0, minor = 0;
    json_t *fit = json_copy((json_t *)body);
    const char *mode =
        json_string_value(json_object_get(json_object_get(body, "HostConfig"), "NetworkMode"));
    const json_t *all =
        json_object_get(json_object_get(body, "NetworkingConfig"), "EndpointsConfig");
    json_t *first = mode ? json_object_get(all, mode) : NULL;
    if (!first || !docker_parse_api(api, &major, &minor) || minor >= ENDPOINT_MACS)
        return fit;
    json_object_set_new(fit, "NetworkingConfig",
                        json_pack("{s:{s:O}}", "EndpointsConfig", mode, first));
    if (json_object_get(first, "MacAddress"))
        json_object_set(fit, "MacAddress", json_object_get(first, "MacAddress"));
    return fit;
}

/* As long as a start may take: a running container's, of a swarm's network, asks a manager. */
static gboolean ask(Engine *engine, const char *network, const char *rest, const json_t *body,
                    HttpAnswer *answer, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_path("/networks/", network, rest);
    DockerCall call = {.method = "POST",
                       .path = path,
                       .body = body,
                       .timeout_ms = docker->config->engine_create_ms};
    return docker_call(docker, &call, answer, error);
}

gboolean docker_connect(Engine *engine, const char *id, const char *network, const json_t *body,
                        GError **error)
{
    g_auto(HttpAnswer) answer = {0};
    g_autoptr(json_t) request =
        json_pack("{s:s, s:O*}", "Container", id, "EndpointConfig", (json_t *)body);
    return ask(engine, network, "/connect", request, &answer, error) &&
           docker_accept(&answer, error);
}

gboolean docker_disconnect(Engine *engine, const char *id, const char *network, GError **error)
{
    g_auto(HttpAnswer) answer = {0};
    g_autoptr(json_t) request = json_pack("{s:s, s:b}", "Container", id, "Force", FALSE);
    if (!ask(engine, network, "/disconnect", request, &answer, error))
        return FALSE;
    return answer.status == 404 || strstr(answer.body->str, "is not connected to") ||
           docker_accept(&answer, error);
}

gboolean docker_has_network(Engine *engine, const char *network, gboolean *there, GError **error)
{
    DockerEngine *docker = (DockerEngine *)engine;
    g_autofree gchar *path = docker_path("/networks/", network, NULL);
    DockerCall call = {
        .method = "GET", .path = path, .timeout_ms = docker->config->engine_request_ms};
    g_auto(HttpAnswer) answer = {0};
    if (!docker_call(docker, &call, &answer, error))
        return FALSE;
    *there = answer.status < 400;
    return *there || answer.status == 404 || docker_accept(&answer, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "engine_docker_hijack.h"

#include "autoptr.h"
#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    MAX_HEAD = 16 * 1024,
    POLL_MS = 500, /* how long a wish to stop may go unseen */
};

void docker_hijack_clear(DockerHijack *hijack)
{
    if (hijack->fd >= 0)
        close(hijack->fd);
    if (hijack->early)
        g_string_free(hijack->early, TRUE);
    *hijack = (DockerHijack){.fd = -1};
}

gboolean docker_hijack_broken(GError **error, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                "the container engine broke the command's connection off: %s", what);
    return FALSE;
}

static gboolean open_socket(const DockerEngine *docker, DockerHijack *hijack, GError **error)
{
    const char *path = docker->config->engine_socket;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* engine_http_open() has refused a longer one. */
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    hijack->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (hijack->fd >= 0 && connect(hijack->fd, (struct sockaddr *)&address, sizeof address) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_ENGINE_DOWN, errno,
                       "the container engine cannot be reached at %s", path);
    return FALSE;
}

static gboolean send_head(const DockerEngine *docker, int fd, const char *path, const char *body,
                          GError **error)
{
    g_autofree gchar *head = g_strdup_printf(
        "POST /v%s%s HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n\r\n%s",
        docker->api, path, strlen(body), body);
    /* Some hundred bytes on a fresh connection: they go at once. */
    ssize_t n = send(fd, head, strlen(head), MSG_NOSIGNAL);
    return (n >= 0 && (gsize)n == strlen(head)) ||
           docker_hijack_broken(error, "it takes no request");
}

/* Waits for bytes, a while; *ready tells whether some are there. */
static gboolean wait_for_bytes(int fd, gint64 deadline, gboolean *ready, GError **error)
{
    if (g_get_monotonic_time() >= deadline) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_TIMEOUT,
                            "the container engine did not start the command in time");
        return FALSE;
    }
    if (!interrupt_check(error))
        return FALSE;
    struct pollfd one = {.fd = fd, .events = POLLIN};
    *ready = poll(&one, 1, POLL_MS) > 0;
    return interrupt_check(error);
}

/* The answer's head: 101 or 200, and from then on the connection is the command's. */
static gboolean accept_head(DockerHijack *hijack, const GString *head, const char *body,
                            GError **error)
{
    guint64 status = g_str_has_prefix(head->str, "HTTP/1.1 ")
                         ? g_ascii_strtoull(head->str + strlen("HTTP/1.1 "), NULL, 10)
                         : 0;
    gsize length = head->len - (gsize)(body - head->str);
    if (status == 101 || status == 200) {
        g_string_append_len(hijack->early, body, (gssize)length);
        return TRUE;
    }
    if (status < 400)
        return docker_hijack_broken(error, "its answer is not HTTP");
    g_autofree gchar *words = docker_parse_message((guint)status, body, length);
    g_set_error_literal(error, VMDOCK_ERROR, (gint)docker_error_code((guint)status, words), words);
    return FALSE;
}

static gboolean read_head(DockerHijack *hijack, gint64 deadline, GError **error)
{
    g_autoptr(GString) head = g_string_new(NULL);
    const char *end;
    while (!(end = strstr(head->str, "\r\n\r\n"))) {
        char piece[4096];
        gboolean ready;
        if (!wait_for_bytes(hijack->fd, deadline, &ready, error))
            return FALSE;
        if (!ready)
            continue;
        ssize_t n = recv(hijack->fd, piece, sizeof piece, 0);
        if (n <= 0 || head->len > MAX_HEAD)
            return docker_hijack_broken(error, "before it answered");
        g_string_append_len(head, piece, n);
    }
    return accept_head(hijack, head, end + strlen("\r\n\r\n"), error);
}

gboolean docker_hijack(DockerEngine *docker, const char *path, const char *body, gint64 deadline,
                       DockerHijack *hijack, GError **error)
{
    *hijack = (DockerHijack){.fd = -1, .early = g_string_new(NULL)};
    return open_socket(docker, hijack, error) && send_head(docker, hijack->fd, path, body, error) &&
           read_head(hijack, deadline, error);
}

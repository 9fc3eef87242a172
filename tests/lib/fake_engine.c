// SPDX-License-Identifier: Apache-2.0
#include "tests/lib/fake_engine.h"

#include <glib/gstdio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PING                                                                                       \
    "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n"                                \
    "Content-Type: text/plain\r\n\r\nOK"
#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

struct FakeEngine {
    gchar *folder, *path;
    int listener;
    GMutex lock;
    GThread *accepting;
    GPtrArray *threads; /* GThread of each connection */
    GArray *sockets;    /* int, -1 once closed: index as in threads */
    GQueue answers;     /* FakeAnswer */
    const char *ping;
    GPtrArray *requests;
};

typedef struct {
    FakeEngine *fake;
    guint index;
    int fd;
} Connection;

/* The next request whole, header and body; FALSE when the client has closed. REST keeps what came
 * beyond it. */
/* Where the first request in TEXT ends, whose header ends at BLANK; beyond LENGTH when it is not
 * all there yet. */
static gsize request_end(const char *text, gsize length, const char *blank)
{
    static const char last_chunk[] = "\r\n0\r\n\r\n";
    const char *field = strstr(text, "Transfer-Encoding: chunked");
    if (field && field < blank) {
        const char *end = strstr(blank + 2, last_chunk);
        return end ? (gsize)(end - text) + strlen(last_chunk) : length + 1;
    }
    field = strstr(text, "Content-Length: ");
    return (gsize)(blank - text) + 4 + (field && field < blank ? (gsize)atol(field + 16) : 0);
}

static gboolean read_request(int fd, GString *rest, GString *request)
{
    for (;;) {
        const char *blank = strstr(rest->str, "\r\n\r\n");
        if (blank) {
            gsize whole = request_end(rest->str, rest->len, blank);
            if (rest->len >= whole) {
                g_string_truncate(request, 0);
                g_string_append_len(request, rest->str, (gssize)whole);
                g_string_erase(rest, 0, (gssize)whole);
                return TRUE;
            }
        }
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return FALSE;
        g_string_append_len(rest, piece, n);
    }
}

static gboolean send_all(int fd, const char *bytes, gsize length, guint pause_us)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, pause_us ? 1 : length, MSG_NOSIGNAL);
        if (n <= 0)
            return FALSE;
        bytes += n;
        length -= (gsize)n;
        if (pause_us)
            g_usleep(pause_us);
    }
    return TRUE;
}

static void wait_for_close(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
}

static void note_request(FakeEngine *fake, const GString *request)
{
    g_mutex_lock(&fake->lock);
    g_ptr_array_add(fake->requests, g_strndup(request->str, request->len));
    g_mutex_unlock(&fake->lock);
}

static FakeAnswer next_answer(FakeEngine *fake, const GString *request)
{
    FakeAnswer answer = {.bytes = EMPTY};
    g_mutex_lock(&fake->lock);
    if (g_str_has_prefix(request->str, "GET /_ping ")) {
        answer.bytes = fake->ping;
    } else {
        g_autofree FakeAnswer *queued = g_queue_pop_head(&fake->answers);
        if (queued)
            answer = *queued;
    }
    g_mutex_unlock(&fake->lock);
    return answer;
}

/* FALSE when the connection is over. */
static gboolean give(int fd, const FakeAnswer *answer)
{
    gsize length = answer->length ? answer->length : strlen(answer->bytes);
    if (!send_all(fd, answer->bytes, length, answer->pause_us))
        return FALSE;
    if (answer->for_ever)
        while (send_all(fd, answer->for_ever, strlen(answer->for_ever), 0))
            if (answer->round_us)
                g_usleep(answer->round_us);
    if (answer->end == FAKE_STALL)
        wait_for_close(fd);
    return answer->end == FAKE_KEEP;
}

static gpointer serve(gpointer data)
{
    g_autofree Connection *connection = data;
    FakeEngine *fake = connection->fake;
    g_autoptr(GString) rest = g_string_new(NULL);
    g_autoptr(GString) request = g_string_new(NULL);
    gboolean open = TRUE;
    while (open && read_request(connection->fd, rest, request)) {
        note_request(fake, request);
        FakeAnswer answer = next_answer(fake, request);
        open = give(connection->fd, &answer);
    }
    g_mutex_lock(&fake->lock);
    close(connection->fd);
    g_array_index(fake->sockets, int, connection->index) = -1;
    g_mutex_unlock(&fake->lock);
    return NULL;
}

static gpointer accept_all(gpointer data)
{
    FakeEngine *fake = data;
    int fd;
    while ((fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        g_mutex_lock(&fake->lock);
        Connection *connection = g_new0(Connection, 1);
        *connection = (Connection){.fake = fake, .index = fake->sockets->len, .fd = fd};
        g_array_append_val(fake->sockets, fd);
        g_ptr_array_add(fake->threads, g_thread_new("connection", serve, connection));
        g_mutex_unlock(&fake->lock);
    }
    return NULL;
}

FakeEngine *fake_engine_new(void)
{
    FakeEngine *fake = g_new0(FakeEngine, 1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fake->folder = g_dir_make_tmp("fake-engine-XXXXXX", NULL);
    fake->path = g_build_filename(fake->folder, "socket", NULL);
    g_strlcpy(address.sun_path, fake->path, sizeof address.sun_path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fake->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fake->listener, 16) < 0)
        g_error("cannot listen at %s", fake->path);
    g_mutex_init(&fake->lock);
    fake->threads = g_ptr_array_new();
    fake->sockets = g_array_new(FALSE, FALSE, sizeof(int));
    fake->requests = g_ptr_array_new_with_free_func(g_free);
    fake->ping = PING;
    g_queue_init(&fake->answers);
    fake->accepting = g_thread_new("accept", accept_all, fake);
    return fake;
}

static void end_connections(FakeEngine *fake)
{
    g_mutex_lock(&fake->lock);
    for (guint i = 0; i < fake->sockets->len; i++)
        if (g_array_index(fake->sockets, int, i) >= 0)
            shutdown(g_array_index(fake->sockets, int, i), SHUT_RDWR);
    g_mutex_unlock(&fake->lock);
    for (guint i = 0; i < fake->threads->len; i++)
        g_thread_join(g_ptr_array_index(fake->threads, i));
}

void fake_engine_free(FakeEngine *fake)
{
    shutdown(fake->listener, SHUT_RDWR);
    g_thread_join(fake->accepting);
    close(fake->listener);
    end_connections(fake);
    g_unlink(fake->path);
    g_rmdir(fake->folder);
    g_queue_clear_full(&fake->answers, g_free);
    g_ptr_array_unref(fake->threads);
    g_array_unref(fake->sockets);
    g_ptr_array_unref(fake->requests);
    g_mutex_clear(&fake->lock);
    g_free(fake->path);
    g_free(fake->folder);
    g_free(fake);
}

const char *fake_engine_socket(const FakeEngine *fake)
{
    return fake->path;
}

void fake_engine_answer(FakeEngine *fake, const FakeAnswer *answer)
{
    g_mutex_lock(&fake->lock);
    g_queue_push_tail(&fake->answers, g_memdup2(answer, sizeof *answer));
    g_mutex_unlock(&fake->lock);
}

void fake_engine_ping(FakeEngine *fake, const char *bytes)
{
    g_mutex_lock(&fake->lock);
    fake->ping = bytes;
    g_mutex_unlock(&fake->lock);
}

guint fake_engine_requests(FakeEngine *fake, const char *prefix)
{
    guint count = 0;
    g_mutex_lock(&fake->lock);
    for (guint i = 0; i < fake->requests->len; i++)
        count += g_str_has_prefix(g_ptr_array_index(fake->requests, i), prefix) ? 1 : 0;
    g_mutex_unlock(&fake->lock);
    return count;
}

guint fake_engine_connections(FakeEngine *fake)
{
    g_mutex_lock(&fake->lock);
    guint count = fake->sockets->len;
    g_mutex_unlock(&fake->lock);
    return count;
}

gchar *fake_engine_last(FakeEngine *fake)
{
    gchar *last = NULL;
    g_mutex_lock(&fake->lock);
    for (guint i = fake->requests->len; i > 0 && !last; i--) {
        const char *request = g_ptr_array_index(fake->requests, i - 1);
        if (!g_str_has_prefix(request, "GET /_ping "))
            last = g_strdup(request);
    }
    g_mutex_unlock(&fake->lock);
    return last;
}

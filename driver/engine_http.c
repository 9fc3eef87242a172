// SPDX-License-Identifier: Apache-2.0
#include "engine_http.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum {
    MAX_HEADERS = 256 * 1024,
    POLL_MS = 100, /* how long a wish to stop may go unseen when its signal woke another thread */
};

struct EngineHttp {
    CURLM *multi;
    CURL *easy;
    gchar *socket_path;
    guint64 connect_ms;
    gsize max_answer;
    char words[CURL_ERROR_SIZE];
};

/* One request in flight. */
typedef struct {
    EngineHttp *http;
    const HttpRequest *request;
    HttpAnswer *answer;
    gsize header_bytes, body_bytes;
    gint64 began, last; /* when it was sent; when bytes last came */
    guint attempts;
    gboolean sending; /* a source has more to give */
    GError *error;    /* why we broke it off */
} Exchange;

void http_answer_clear(HttpAnswer *answer)
{
    if (answer->body)
        g_string_free(answer->body, TRUE);
    g_free(answer->api_version);
    memset(answer, 0, sizeof *answer);
}

/*
 * libcurl starts libssh2, and that libcrypto, for connections that are never made here; it makes a
 * table of its errors' words then, which is a tenth of this process's memory. Asked beforehand not
 * to, it leaves them out.
 */
static void spare_words_of_libcrypto(void)
{
    enum {
        NO_LOAD_CRYPTO_STRINGS = 1
    }; /* OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS of openssl/crypto.h */
    int (*init)(guint64 options, const void *settings);
    *(void **)&init = dlsym(RTLD_DEFAULT, "OPENSSL_init_crypto");
    if (init)
        init(NO_LOAD_CRYPTO_STRINGS, NULL);
}

/* Without more than is needed: only unix sockets are spoken to. */
static gpointer start_curl(gpointer unused G_GNUC_UNUSED)
{
    spare_words_of_libcrypto();
    return GINT_TO_POINTER(curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK);
}

static gboolean curl_ready(void)
{
    static GOnce once = G_ONCE_INIT;
    return GPOINTER_TO_INT(g_once(&once, start_curl, NULL));
}

/* The engine's socket is root: no child process may inherit it. */
static curl_socket_t open_socket(void *unused G_GNUC_UNUSED, curlsocktype purpose G_GNUC_UNUSED,
                                 struct curl_sockaddr *address)
{
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void exceed(Exchange *x, const char *what, gsize cap)
{
    g_set_error(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                "the container engine's %s is larger than %" G_GSIZE_FORMAT " bytes", what, cap);
}

static size_t take_header(char *line, size_t size, size_t count, void *data)
{
    static const char api_version[] = "Api-Version:";
    Exchange *x = data;
    gsize length = size * count;
    x->last = g_get_monotonic_time();
    x->header_bytes += length;
    if (x->header_bytes > MAX_HEADERS) {
        exceed(x, "answer header", MAX_HEADERS);
        return 0;
    }
    gsize name = strlen(api_version);
    if (length > name && g_ascii_strncasecmp(line, api_version, name) == 0) {
        g_free(x->answer->api_version);
        x->answer->api_version = g_strstrip(g_strndup(line + name, length - name));
    }
    return length;
}

static guint status_of(const Exchange *x)
{
    long status = 0;
    curl_easy_getinfo(x->http->easy, CURLINFO_RESPONSE_CODE, &status);
    return (guint)status;
}

static gboolean take_piece(Exchange *x, const char *bytes, gsize length)
{
    guint status = status_of(x);
    gboolean sunk = x->request->sink && status >= 200 && status < 300;
    if ((!sunk || x->request->capped) && x->body_bytes > x->http->max_answer) {
        exceed(x, "answer", x->http->max_answer);
        return FALSE;
    }
    if (sunk)
        return x->request->sink(bytes, length, x->request->data, &x->error);
    g_string_append_len(x->answer->body, bytes, (gssize)length);
    return TRUE;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
    Exchange *x = data;
    gsize length = size * count;
    x->body_bytes += length;
    if (!take_piece(x, bytes, length))
        return CURL_WRITEFUNC_ERROR;
    x->last = g_get_monotonic_time(); /* a sink may take its time: that is no silence */
    return length;
}

static size_t give_body(char *bytes, size_t size, size_t count, void *data)
{
    Exchange *x = data;
    gssize n = x->request->source(bytes, size * count, x->request->data, &x->error);
    x->last = g_get_monotonic_time();
    x->sending = n > 0;
    return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

/*
 * Called before each attempt to send. libcurl sends anew whatever a kept connection lost without an
 * answer; done twice, a POST that the engine has seen would be another request.
 */
static int before_sending(void *data, char *ip G_GNUC_UNUSED, char *local G_GNUC_UNUSED,
                          int port G_GNUC_UNUSED, int local_port G_GNUC_UNUSED)
{
    Exchange *x = data;
    long sent = 0;
    curl_easy_getinfo(x->http->easy, CURLINFO_REQUEST_SIZE, &sent);
    gboolean safe = sent == 0 || strcmp(x->request->method, "GET") == 0;
    if (x->attempts++ == 0 || (safe && x->attempts <= 2))
        return CURL_PREREQFUNC_OK;
    g_set_error_literal(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                        "the container engine closed the connection without an answer");
    return CURL_PREREQFUNC_ABORT;
}

static void set_up(EngineHttp *http)
{
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, http->socket_path);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "vmdock/" VMDOCK_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->words);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 1L);
}

EngineHttp *engine_http_open(const char *socket_path, guint64 connect_ms, gsize max_answer,
                             GError **error)
{
    if (strlen(socket_path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "the path of the container engine's socket is too long: %s", socket_path);
        return NULL;
    }
    g_autoptr(EngineHttp) http = g_new0(EngineHttp, 1);
    http->socket_path = g_strdup(socket_path);
    http->connect_ms = connect_ms;
    http->max_answer = max_answer;
    return g_steal_pointer(&http);
}

/* Not before the first request: a poll has its other thread at work by then. */
static gboolean get_ready(EngineHttp *http, GError **error)
{
    if (http->easy)
        return TRUE;
    if (curl_ready()) {
        http->multi = curl_multi_init();
        http->easy = http->multi ? curl_easy_init() : NULL;
    }
    if (!http->easy) {
        g_clear_pointer(&http->multi, curl_multi_cleanup);
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL, "libcurl does not start");
        return FALSE;
    }
    set_up(http);
    return TRUE;
}

void engine_http_free(EngineHttp *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    g_clear_pointer(&http->multi, curl_multi_cleanup);
    g_free(http->socket_path);
    g_free(http);
}

static struct curl_slist *request_headers(const HttpRequest *request)
{
    /* "Expect:" without a value: never ask for a 100 Continue first. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    g_autofree gchar *type =
        g_strconcat("Content-Type:", request->type ? " " : NULL, request->type, NULL);
    headers = curl_slist_append(headers, type);
    if (request->source)
        headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    if (request->registry_auth) {
        g_autofree gchar *auth = g_strconcat("X-Registry-Auth: ", request->registry_auth, NULL);
        headers = curl_slist_append(headers, auth);
    }
    return headers;
}

static void prepare(Exchange *x, struct curl_slist *headers)
{
    CURL *easy = x->http->easy;
    const HttpRequest *request = x->request;
    g_autofree gchar *url = g_strconcat("http://localhost", request->path, NULL);
    gboolean post = strcmp(request->method, "POST") == 0, put = strcmp(request->method, "PUT") == 0;
    gboolean head = strcmp(request->method, "HEAD") == 0;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (post || put) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        const char *body = request->body ? request->body : "";
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->source ? NULL : body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         request->source ? -1 : (curl_off_t)request->length);
    } else if (head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    gboolean other = !post && !head && strcmp(request->method, "GET") != 0;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, other ? request->method : NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(easy, CURLOPT_READDATA, x);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
    x->http->words[0] = '\0';
}

/* The moment at which patience ends as things stand; G_MAXINT64 = never. */
static gint64 patience(const Exchange *x)
{
    gint64 end = x->request->deadline ? x->request->deadline : G_MAXINT64;
    if (x->request->begin && x->header_bytes == 0)
        end = MIN(end, x->request->begin);
    if (x->request->stall_ms && (x->header_bytes > 0 || x->sending))
        end = MIN(end, x->last + (gint64)x->request->stall_ms * G_TIME_SPAN_MILLISECOND);
    return end;
}

static gboolean in_time(Exchange *x, gint64 now)
{
    gint64 end = patience(x);
    if (now < end)
        return TRUE;
    gboolean silent = (x->header_bytes > 0 || x->sending) &&
                      !(x->request->deadline && now >= x->request->deadline);
    g_set_error(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_TIMEOUT,
                x->sending && silent
                    ? "the container engine took nothing for %.1f s of what it is sent"
                : silent ? "the container engine fell silent for %.1f s in the middle of its answer"
                         : "the container engine did not answer within %.1f s",
                (double)(end - (silent ? x->last : x->request->started)) / G_TIME_SPAN_SECOND);
    return FALSE;
}

static int poll_ms(const Exchange *x, gint64 now)
{
    gint64 left = patience(x) - now;
    return (int)CLAMP(left / G_TIME_SPAN_MILLISECOND + 1, 1, POLL_MS);
}

/* Moves bytes until the exchange has ended; FALSE when we break it off. */
static gboolean run(Exchange *x, CURLcode *result)
{
    CURLM *multi = x->http->multi;
    for (;;) {
        int running = 0, left = 0;
        CURLMcode code = curl_multi_perform(multi, &running);
        const CURLMsg *message = curl_multi_info_read(multi, &left);
        if (message) {
            *result = message->data.result;
            return x->error == NULL;
        }
        gint64 now = g_get_monotonic_time();
        if (!interrupt_check(&x->error) || !in_time(x, now))
            return FALSE;
        if (code == CURLM_OK)
            code = curl_multi_poll(multi, NULL, 0, poll_ms(x, now), NULL);
        if (code != CURLM_OK) {
            g_set_error(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL, "libcurl: %s",
                        curl_multi_strerror(code));
            return FALSE;
        }
    }
}

/*
 * Why libcurl could not connect: it does not tell reliably, and gives up at once where the queue of
 * connections is full. So the same is tried here, with patience; TRUE when it succeeds.
 */
static gboolean can_connect(Exchange *x)
{
    const EngineHttp *http = x->http;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = (time_t)(http->connect_ms / 1000),
                               .tv_usec = (suseconds_t)(http->connect_ms % 1000 * 1000)};
    g_strlcpy(address.sun_path, http->socket_path, sizeof address.sun_path);
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    gboolean connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    int err = errno;
    gint64 waited_ms = (g_get_monotonic_time() - x->began) / G_TIME_SPAN_MILLISECOND;
    if ((connected || err == EINTR) && (guint64)waited_ms < http->connect_ms)
        return interrupt_check(&x->error);
    if (connected || err == EAGAIN || err == EINTR)
        g_set_error(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_TIMEOUT,
                    "the container engine at %s took no connection within %.1f s",
                    http->socket_path, (double)http->connect_ms / 1000);
    else
        vmdock_error_errno(&x->error, VMDOCK_ERROR_ENGINE_DOWN, err,
                           "cannot connect to the container engine at %s", http->socket_path);
    return FALSE;
}

/* What went wrong in an exchange that ended by itself. */
static void judge(Exchange *x, CURLcode result)
{
    const EngineHttp *http = x->http;
    guint status = x->answer->status;
    if (result != CURLE_OK)
        g_set_error(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                    "the container engine at %s broke off or answered what is not HTTP: %s",
                    http->socket_path, http->words[0] ? http->words : curl_easy_strerror(result));
    else if (status < 200 || (status >= 300 && status < 400 && status != 304))
        g_set_error(&x->error, VMDOCK_ERROR, VMDOCK_ERROR_ENGINE_GARBLED,
                    "the container engine answered with a redirect or an upgrade (HTTP status %u)",
                    status);
}

static void exchange(Exchange *x)
{
    CURLcode result = CURLE_OK;
    struct curl_slist *headers = request_headers(x->request);
    prepare(x, headers);
    gboolean ended = FALSE;
    do {
        curl_multi_add_handle(x->http->multi, x->http->easy);
        ended = run(x, &result);
        x->answer->status = status_of(x);
        /* Taken out before its end, the request takes its connection with it. */
        curl_multi_remove_handle(x->http->multi, x->http->easy);
    } while (ended && result == CURLE_COULDNT_CONNECT && can_connect(x));
    curl_easy_setopt(x->http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (!x->error)
        judge(x, result);
}

gboolean engine_http_send(EngineHttp *http, const HttpRequest *request, HttpAnswer *answer,
                          GError **error)
{
    if (!interrupt_check(error) || !get_ready(http, error))
        return FALSE;
    answer->body = g_string_new(NULL);
    Exchange x = {.http = http, .request = request, .answer = answer};
    x.began = x.last = g_get_monotonic_time();
    exchange(&x);
    log_trace("engine %s %s -> %u, %" G_GSIZE_FORMAT " bytes in %.2f ms", request->method,
              request->path, answer->status, x.body_bytes,
              (double)(g_get_monotonic_time() - x.began) / G_TIME_SPAN_MILLISECOND);
    if (!x.error)
        return TRUE;
    g_propagate_error(error, x.error);
    return FALSE;
}

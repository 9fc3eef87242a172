// SPDX-License-Identifier: Apache-2.0
#include "download.h"

#include "error.h"
#include "interrupt.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

enum { MAX_REDIRECTS = 5, MAX_SHOWN = 200, SLOWEST_BYTES_PER_S = 1 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CURL, curl_easy_cleanup)

typedef struct {
    int fd; /* -1 when the body is not wanted */
    int write_errno;
    gboolean began; /* the body has begun */
} Body;

static size_t take_body(char *bytes, size_t one, size_t count, void *data)
{
    Body *body = data;
    size_t length = one * count;
    body->began = TRUE;
    if (body->fd < 0)
        return 0; /* ends the transfer */
    for (size_t done = 0; done < length;) {
        ssize_t n = write(body->fd, bytes + done, length - done);
        if (n < 0 && errno == EINTR && !interrupt_pending())
            continue;
        if (n < 0) {
            body->write_errno = errno;
            return 0;
        }
        done += (size_t)n;
    }
    return length;
}

static int look(void *data G_GNUC_UNUSED, curl_off_t total G_GNUC_UNUSED,
                curl_off_t now G_GNUC_UNUSED, curl_off_t up_total G_GNUC_UNUSED,
                curl_off_t up_now G_GNUC_UNUSED)
{
    return interrupt_pending();
}

static void prepare(CURL *curl, const Config *config, const char *url, Body *body, char *message)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)config->datastore_request_ms);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST_BYTES_PER_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)config->datastore_request_ms / 1000);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)config->datastore_copy_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "vmdock/" VMDOCK_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
}

/* Without user and password, which a URL may hold. */
static gchar *shown_url(const char *url)
{
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
    g_autofree gchar *plain =
        uri ? g_uri_to_string_partial(uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY)
            : g_strdup("the URL");
    return vmdock_one_line(plain, MAX_SHOWN);
}

static gboolean fail(CURL *curl, CURLcode result, const char *url, const Body *body,
                     const char *message, GError **error)
{
    if (result == CURLE_ABORTED_BY_CALLBACK && !interrupt_check(error))
        return FALSE;
    if (body->write_errno) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, body->write_errno, "cannot store the download");
        return FALSE;
    }
    g_autofree gchar *shown = shown_url(url);
    g_autofree gchar *words =
        vmdock_one_line(*message ? message : curl_easy_strerror(result), MAX_SHOWN);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_HTTP_RETURNED_ERROR)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY,
                    "%s: the server answers with status %ld", shown, status);
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY, "%s: %s", shown, words);
    return FALSE;
}

static gboolean transfer(const Config *config, const char *url, int fd, curl_off_t *length,
                         GError **error)
{
    char message[CURL_ERROR_SIZE] = "";
    Body body = {.fd = fd};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    g_autoptr(CURL) curl = curl_easy_init();
    prepare(curl, config, url, &body, message);
    CURLcode result = curl_easy_perform(curl);
    gboolean head_only = fd < 0 && body.began;
    if (result != CURLE_OK && !head_only)
        return fail(curl, result, url, &body, message, error);
    if (length)
        curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, length);
    return TRUE;
}

gboolean download_to(const Config *config, const char *url, int fd, GError **error)
{
    return transfer(config, url, fd, NULL, error);
}

gboolean download_size(const Config *config, const char *url, guint64 *bytes, GError **error)
{
    curl_off_t length = -1;
    if (!transfer(config, url, -1, &length, error))
        return FALSE;
    if (length > 0) {
        *bytes = (guint64)length;
        return TRUE;
    }
    g_autofree gchar *shown = shown_url(url);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY, "%s: %s", shown,
                length == 0 ? "it is empty" : "the server does not tell its size");
    return FALSE;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-nova: what Nova's compute driver runs, through sudo, as root.
 *
 * The caller is Nova's user, not root: the method's name is the only argument, stdin holds the
 * request, the environment is cleared, the configuration is the installed one. There is no option,
 * no path and no trace here.
 *
 * Contract: doc/nova-protocol.md.
 */
#include "nova.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of what follows an archive's request, nothing may be read with it. */
enum { PIECE = 65536 };

static const struct {
    const char *name;
    gboolean (*run)(Nova *nova, GError **error);
    gboolean archive;
} methods[] = {
#define X(name, function, archive) {name, function, archive},
    NOVA_METHODS(X)
#undef X
};

/* One JSON object a line on stderr: {"KEY": WORD, "message": TEXT}. */
static void tell(const char *key, const char *word, const char *text)
{
    g_autoptr(json_t) json = json_object();
    json_object_set_new(json, key, json_string(word));
    json_object_set_new(json, "message", json_string(text));
    char *line = json_dumps(json, JSON_COMPACT);
    g_printerr("%s\n", line ? line : "{}");
    free(line);
}

static void tell_log(LogLevel level, const char *line, gpointer data G_GNUC_UNUSED)
{
    tell("log", level == LOG_WARN ? "warning" : "info", line);
}

static void tell_error(const GError *error)
{
    const char *name, *text;
    int status;
    if (error->domain != VMDOCK_ERROR ||
        !vmdock_error_row((guint)error->code, &name, &status, &text))
        name = "INTERNAL";
    g_autofree gchar *line = vmdock_one_line(error->message, PIECE);
    tell("error", name, line);
}

/* The request's line into TEXT, what was read behind it into REST. */
static gboolean read_line(GString *text, GString *rest, gsize step, gsize max, GError **error)
{
    char piece[PIECE];
    for (;;) {
        if (!interrupt_check(error))
            return FALSE;
        ssize_t n = read(STDIN_FILENO, piece, step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read the request");
            return FALSE;
        }
        const char *end = memchr(piece, '\n', (gsize)n);
        g_string_append_len(text, piece, end ? end - piece : n);
        if (text->len > max) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        "the request is larger than %" G_GSIZE_FORMAT
                        " bytes ([limits] xml_max_bytes)",
                        max);
            return FALSE;
        }
        if (end)
            g_string_append_len(rest, end + 1, n - (end + 1 - piece));
        if (end || n == 0)
            return TRUE;
    }
}

static gboolean read_request(Nova *nova, gboolean archive, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gsize max = nova->config->xml_max_bytes;
    if (!read_line(text, nova->rest, archive ? 1 : PIECE, max, error))
        return FALSE;
    nova->request = nova_request(text->str, text->len, max, error);
    return nova->request != NULL;
}

static gboolean run(Nova *nova, int argc, char **argv, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        g_string_append_printf(names, "%s%s", i > 0 ? "|" : "", methods[i].name);
        if (argc != 2 || strcmp(argv[1], methods[i].name) != 0)
            continue;
        if (!read_request(nova, methods[i].archive, error))
            return FALSE;
        nova_limit(nova->request);
        nova->host = host_open(nova->config, error);
        return nova->host && methods[i].run(nova, error);
    }
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "usage: vmdock-nova %s", names->str);
    return FALSE;
}

int main(int argc, char **argv)
{
    shim_begin_as_root("vmdock-nova");
    log_set_sink(tell_log, LOG_INFO, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_load(NULL, &error);
    Nova nova = {.config = config, .rest = g_string_new(NULL)};
    if (config)
        run(&nova, argc, argv, &error);
    g_clear_pointer(&nova.host, host_free);
    json_decref(nova.request);
    g_string_free(nova.rest, TRUE);
    if (interrupt_signal() == SIGALRM && vmdock_error_is(error, VMDOCK_ERROR_INTERRUPTED))
        g_prefix_error(&error, "it took longer than the request's limit: ");
    if (error)
        tell_error(error);
    return error ? vmdock_error_status(error) : 0;
}

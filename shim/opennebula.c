// SPDX-License-Identifier: Apache-2.0
#include "opennebula.h"

#include "driver/error.h"
#include "driver/file.h"
#include "driver/log.h"

#include <string.h>

enum { MAX_VERSION = 4096, MAX_SENTENCE = 2048 };

FrontEnd front_end_from_version(const char *version)
{
    gchar *rest = NULL;
    guint64 major = g_ascii_strtoull(version, &rest, 10);
    if (rest == version || major >= 7)
        return FRONT_END_PREFIXED;
    guint64 minor = *rest == '.' ? g_ascii_strtoull(rest + 1, NULL, 10) : 0;
    return major == 6 && minor >= 2 ? FRONT_END_ALL : FRONT_END_MARKED;
}

FrontEnd front_end_detect(const char *remotes)
{
    g_autofree gchar *path = g_build_filename(remotes, "VERSION", NULL);
    g_autofree gchar *text = file_read(path, MAX_VERSION, NULL, NULL);
    return text ? front_end_from_version(text) : FRONT_END_PREFIXED;
}

gchar *front_end_error(FrontEnd front_end, const char *sentence)
{
    static const char *const prefixes[] = {"ERROR:", "INFO:", "WARN:", "DEBUG:"};
    g_autofree gchar *line = vmdock_one_line(sentence, MAX_SENTENCE);
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (!g_str_has_prefix(line, prefixes[i]))
            continue;
        gchar *named = g_strconcat("vmdock: ", line, NULL);
        g_free(line);
        line = named;
    }
    if (front_end == FRONT_END_MARKED)
        return g_strdup_printf("ERROR MESSAGE --8<------\n%s\nERROR MESSAGE ------>8--\n", line);
    gboolean stops = g_str_has_suffix(line, ".") || front_end != FRONT_END_PREFIXED;
    return g_strconcat(line, stops ? "\n" : ".\n", NULL);
}

gchar *front_end_log(const char *level, const char *line)
{
    return g_strdup_printf("%s: %s\n", level, line);
}

static void take_line(LogLevel level, const char *line, gpointer data)
{
    const FrontEndLog *log = data;
    const char *word = level == LOG_WARN ? "WARN" : "INFO";
    g_autofree gchar *told = log->vmid && log->front_end == FRONT_END_PREFIXED
                                 ? g_strdup_printf("%s %s", log->vmid, line)
                                 : g_strdup(line);
    g_autofree gchar *text = front_end_log(word, told);
    if (log->front_end == FRONT_END_ALL)
        g_string_append(log->waiting, text);
    else
        g_printerr("%s", text);
}

void front_end_log_open(FrontEndLog *log, const char *remotes, const char *vmid)
{
    *log = (FrontEndLog){front_end_detect(remotes), vmid, g_string_new(NULL)};
    log_set_sink(take_line, LOG_INFO, log);
}

void front_end_log_close(FrontEndLog *log, const GError *error)
{
    log_set_sink(NULL, LOG_INFO, NULL);
    FrontEnd front_end = log->waiting ? log->front_end : FRONT_END_PREFIXED;
    g_autofree gchar *sentence = error ? front_end_error(front_end, error->message) : NULL;
    if (sentence || log->waiting)
        g_printerr("%s", sentence ? sentence : log->waiting->str);
    if (log->waiting)
        g_string_free(log->waiting, TRUE);
}

gchar *front_end_payload(gchar *text, gsize *length)
{
    const char *start = text + strspn(text, " \t\r\n");
    if (*start == '<' || *start == '\0' || *start == '\xef')
        return text;
    gsize size = 0;
    g_autofree guchar *bytes = g_base64_decode(start, &size);
    if (size == 0 || bytes[0] != '<')
        return text;
    g_free(text);
    *length = size;
    return g_strndup((const char *)bytes, size);
}

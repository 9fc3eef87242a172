// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include "error.h"

enum { MAX_LINE = 4096 };

static GMutex lock;
static struct {
    LogSink sink;
    LogLevel level;
    gpointer data;
} current;

void log_set_sink(LogSink sink, LogLevel level, gpointer data)
{
    g_mutex_lock(&lock);
    current.sink = sink;
    current.level = level;
    current.data = data;
    g_mutex_unlock(&lock);
}

gboolean log_enabled(LogLevel level)
{
    g_mutex_lock(&lock);
    gboolean enabled = current.sink && level >= current.level;
    g_mutex_unlock(&lock);
    return enabled;
}

void log_line(LogLevel level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree gchar *line = vmdock_one_line(text, MAX_LINE);
    g_mutex_lock(&lock);
    if (current.sink && level >= current.level)
        current.sink(level, line, current.data);
    g_mutex_unlock(&lock);
}

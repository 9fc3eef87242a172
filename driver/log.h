// SPDX-License-Identifier: Apache-2.0
/*
 * What the library has to tell beside its result. The library never prints: it hands each line to
 * the sink that the program has set, and the program decides where and in which form it appears
 * (a cloud's log, a terminal, nowhere). Safe to call from several threads.
 */
#pragma once

#include <glib.h>

typedef enum {
    LOG_TRACE, /* every engine call and netlink message, with its time; only with --trace */
    LOG_INFO,  /* what a user of the cloud wants to find in the VM's log */
    LOG_WARN,  /* something asked for that is not honoured, or a host that needs care */
} LogLevel;

typedef void (*LogSink)(LogLevel level, const char *line, gpointer data);

/* SINK gets every line of LEVEL and above; NULL throws them away (the default). */
void log_set_sink(LogSink sink, LogLevel level, gpointer data);

/* True when lines of LEVEL go anywhere: lets a caller skip building an expensive one. */
gboolean log_enabled(LogLevel level);

/* One line: control characters are taken out on the way (vmdock_one_line). */
void log_line(LogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_trace(...)                                                                             \
    do {                                                                                           \
        if (log_enabled(LOG_TRACE))                                                                \
            log_line(LOG_TRACE, __VA_ARGS__);                                                      \
    } while (0)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)

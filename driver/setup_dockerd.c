// SPDX-License-Identifier: Apache-2.0
#include "setup_dockerd.h"

#include "autoptr.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PID_FILE "/run/docker.pid"

enum { MAX_FILE = 65536, WAIT_MS = 5000, FORGET_MS = 1000, STEP_MS = 100 };

/* The value of OPTION ("--config-file FILE", "--config-file=FILE"), NULL if this word is none. */
static const char *option_value(const char *word, const char *next, const char *option)
{
    gsize length = strlen(option);
    if (strncmp(word, option, length) != 0)
        return NULL;
    return word[length] == '=' ? word + length + 1 : word[length] == '\0' ? next : NULL;
}

void setup_dockerd_parse(Dockerd *dockerd, const char *words, gsize length)
{
    for (gsize at = 0; at < length; at += strlen(words + at) + 1) {
        const char *word = words + at;
        gsize after = at + strlen(word) + 1;
        const char *next = after < length ? words + after : "";
        const char *file = option_value(word, next, "--config-file");
        if (file && *file) {
            g_free(dockerd->config_file);
            dockerd->config_file = g_strdup(file);
        }
        if (option_value(word, next, "--add-runtime"))
            dockerd->has_runtimes = TRUE;
    }
}

static gchar *proc_file(pid_t pid, const char *name, gsize *length)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
    return file_read(path, MAX_FILE, length, NULL);
}

void setup_dockerd_find(Dockerd *dockerd)
{
    gsize length = 0;
    g_autofree gchar *number = file_read(PID_FILE, MAX_FILE, NULL, NULL);
    pid_t pid = number ? (pid_t)g_ascii_strtoll(number, NULL, 10) : 0;
    g_autofree gchar *comm = pid > 0 ? proc_file(pid, "comm", NULL) : NULL;
    if (!comm || !g_str_equal(g_strchomp(comm), "dockerd"))
        return;
    g_autofree gchar *words = proc_file(pid, "cmdline", &length);
    dockerd->pid = pid;
    if (words)
        setup_dockerd_parse(dockerd, words, length);
}

void setup_dockerd_clear(Dockerd *dockerd)
{
    g_clear_pointer(&dockerd->config_file, g_free);
}

/* -1 with error. */
static int knows_runtime(Engine *engine, const char *name, GError **error)
{
    g_autoptr(json_t) info = engine_info(engine, error);
    if (!info)
        return -1;
    return json_object_get(json_object_get(info, "Runtimes"), name) != NULL;
}

gboolean setup_dockerd_reload(const Dockerd *dockerd, const Config *config, gboolean registered,
                              gboolean *taken, GError **error)
{
    *taken = FALSE;
    if (kill(dockerd->pid, SIGHUP) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "the engine cannot be told to reload");
        return FALSE;
    }
    g_autoptr(Engine) engine = engine_open(config, error);
    if (!engine)
        return FALSE;
    const int longest = registered ? WAIT_MS : FORGET_MS;
    for (int waited = 0; waited < longest; waited += STEP_MS) {
        int knows = knows_runtime(engine, config->runtime_name, error);
        *taken = knows == registered;
        if (knows < 0 || *taken)
            return knows >= 0;
        if (!interrupt_check(error))
            return FALSE;
        g_usleep(STEP_MS * (gulong)G_TIME_SPAN_MILLISECOND);
    }
    return TRUE;
}

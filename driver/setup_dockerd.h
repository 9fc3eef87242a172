// SPDX-License-Identifier: Apache-2.0
/* The engine's daemon as a process: where its configuration is, and making it read that again. */
#pragma once

#include "config.h"

#include <sys/types.h>

typedef struct {
    pid_t pid;             /* 0: it does not run, or cannot be told */
    gchar *config_file;    /* of its command line, NULL: the built-in place */
    gboolean has_runtimes; /* its command line registers runtimes: a file must not do so too */
} Dockerd;

/* What its command line (words that end in NUL) says. Pure. */
void setup_dockerd_parse(Dockerd *dockerd, const char *words, gsize length);
void setup_dockerd_find(Dockerd *dockerd);
void setup_dockerd_clear(Dockerd *dockerd);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Dockerd, setup_dockerd_clear)

/*
 * Makes it read its configuration again (SIGHUP) and waits until it knows the runtime, or (not
 * REGISTERED) no longer knows it; *taken says whether it came to that in time. An engine forgets a
 * runtime by a reload only if its file still has a list of runtimes. Errors: IO, ENGINE_*.
 */
gboolean setup_dockerd_reload(const Dockerd *dockerd, const Config *config, gboolean registered,
                              gboolean *taken, GError **error);

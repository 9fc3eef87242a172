// SPDX-License-Identifier: Apache-2.0
/*
 * What the programs share: options, input, output, the one error. Only this layer prints.
 */
#pragma once

#include "driver/config.h"
#include "driver/engine.h"

#include <glib.h>
#include <jansson.h>

typedef struct {
    Config *config;
    gboolean json;
    gboolean colour; /* decided: stdout is a terminal, or --color=always */
} Shim;

/* A verb of the command line. ARGV[0] is the verb; the result is the exit status when no error. */
typedef int (*VerbFunc)(Shim *shim, int argc, char **argv, GError **error);

typedef struct {
    const char *name;
    const char *arguments; /* as the usage shows them */
    const char *summary;
    VerbFunc run;
    gboolean has_command; /* what stands behind its first argument are a command's own words */
} Verb;

/* The verbs, ending in a row without a name. */
extern const Verb verbs[];

/*
 * Parses a verb's options (OWN may be NULL) and the ones that every verb takes; what is left in
 * ARGV are its arguments, of which there must be LEAST to MOST. FALSE with USAGE, or FALSE without
 * error when --help was printed.
 */
gboolean shim_parse(Shim *shim, const Verb *verb, const GOptionEntry *own, int *argc, char ***argv,
                    int least, int most, GError **error);
const Verb *shim_verb(const char *name);

/*
 * Called first by each program: makes sure that descriptors 0 to 2 are taken, so that no file that
 * is opened later becomes somebody's stdout. One that was closed fails when it is used. And it
 * leaves no core when it dies, for that would hold whatever secrets it was given.
 */
void shim_take_standard_files(void);
/* The same, and all else that a program begins with that a cloud's user runs as root: nothing of
 * the caller's environment is left. */
void shim_begin_as_root(const char *name);

/* Writes to stdout and flushes; a closed pipe or a full disk is an error (IO, NO_SPACE). */
gboolean shim_print(const char *text, GError **error);
gboolean shim_print_json(const json_t *json, GError **error);

/* All of FILE, or of stdin when it is NULL or "-"; SPEC when it is larger than MAX bytes. */
gchar *shim_read(const char *file, gsize max, gsize *length, GError **error);

/* Lines of the library on stderr, as people read them; TRACE adds every engine and netlink call. */
void shim_log_to_stderr(gboolean trace);

/* A fetch's progress: a bar when stderr is a terminal, a line now and then otherwise. */
typedef struct {
    gboolean terminal;
    double told;      /* seconds into the fetch */
    const char *verb; /* in front of a line; NULL = "fetching" */
} Progress;
void shim_progress(const EnginePullProgress *at, gpointer data); /* DATA: a Progress */
/* Ends the line that a bar stands on, if one does. */
void shim_progress_end(void);
/* "12.3 of 45.6 MiB (27 %), 8.1 MiB/s, 2 of 5 layers": pure. */
gchar *shim_progress_text(const EnginePullProgress *at);

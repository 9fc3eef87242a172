// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of an OCI runtime, as containerd calls runc and crun:
 *   [global options] VERB [options] ID [arguments]
 * Pure: nothing is changed and nothing looked up; the strings belong to argv.
 */
#pragma once

typedef enum {
    VERB_OTHER, /* about no container: version, features, list, help; or unknown */
    VERB_BIRTH, /* reads a bundle and makes a container of it: create, run, restore */
    VERB_LIFE,  /* about a container that is there: start, state, kill, exec, … */
    VERB_DEATH, /* delete */
} VerbKind;

typedef struct {
    VerbKind kind;
    const char *verb;       /* NULL if none was found */
    const char *id;         /* NULL if none was found, or it cannot be a file's name */
    const char *bundle;     /* "." if not said */
    const char *config;     /* crun's --config: another file than the bundle's; NULL if not said */
    const char *log;        /* NULL if not said */
    const char *log_format; /* NULL if not said */
} Command;

Command command_parse(char *const *argv);

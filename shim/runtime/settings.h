// SPDX-License-Identifier: Apache-2.0
/*
 * The few keys of vmdock.conf(5) that vmdock-runtime needs. The syntax is that of GKeyFile, which
 * the rest of vmdock reads the file with; groups and keys that are not needed here are passed over.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* cgroup_parent, where nobody says it; no Settings has this text in it. */
#define SETTINGS_AUTO "auto"

/*      field          group      key              default */
#define SETTINGS_TABLE(X)                                                                          \
    X(real, "runtime", "real", "/usr/sbin/runc")                                                   \
    X(state_dir, "paths", "state", VMDOCK_STATEDIR)                                                \
    X(run_dir, "paths", "run", VMDOCK_RUNDIR)                                                      \
    X(netns_dir, "paths", "netns", "/run/netns")                                                   \
    X(cgroup_parent, "vm", "cgroup_parent", SETTINGS_AUTO)

typedef struct {
#define X(field, group, key, value) char *field;
    SETTINGS_TABLE(X)
#undef X
} Settings;

/* Reads the text of a key file over the defaults; NAME stands for it in the sentence. Pure. */
bool settings_parse(const char *text, const char *name, Settings *settings, char **error);

/* Reads PATH; a file that is not there gives the defaults. */
bool settings_load(const char *path, Settings *settings, char **error);

void settings_clear(Settings *settings);
#define autosettings __attribute__((cleanup(settings_clear)))

// SPDX-License-Identifier: Apache-2.0
/*
 * The driver's scripts in the front end's remotes folder, which OpenNebula copies to every node.
 * Copies, not links into the package: a link that leads nowhere makes that copy fail, and all hosts
 * go to ERROR. Scripts of OpenNebula itself that the driver uses too are links to the stock ones,
 * so that they change with it; which, says a table beside the scripts:
 *
 *   folder PATH               a folder that must be there, be it empty
 *   need PATH STOCK…          a link to the first STOCK that is there; one of them must be
 *   link PATH STOCK…          the same, left out when none is
 *
 * What was put in place stands in the file LIST beside the remotes folder; a file of the same name
 * that was there before is kept in REPLACED until the driver is taken out again.
 * Errors: IO, NO_SPACE; CONFIG for a table that cannot be read or a stock file that is missing.
 */
#pragma once

#include "setup_tree.h"

#define SETUP_REMOTES_LIST     "vmdock-remotes.list"
#define SETUP_REMOTES_REPLACED "vmdock-replaced"

typedef struct {
    gchar *path; /* below the remotes folder */
    TreeKind kind;
    GBytes *text; /* of a file; of a link its target */
    mode_t mode;
} RemoteEntry;

/* One line of the table; NULL with CONFIG. An empty vector for a line that says nothing. Pure. */
GStrv setup_remotes_line(const char *line, GError **error);
/* The target of a link at PATH that leads to STOCK; both below the remotes folder. Pure. */
gchar *setup_remotes_target(const char *path, const char *stock);

/*
 * What belongs into REMOTES: the files below SOURCE and what TABLE says; RemoteEntry, folders
 * before what is in them.
 */
GPtrArray *setup_remotes_wanted(const char *source, const char *table, const char *remotes,
                                GError **error);

typedef struct {
    SetupTree *remotes, *beside; /* the remotes folder, and the one that it is in */
    gboolean dry_run;
    GPtrArray *done; /* gchar*: what was done, or would be: "+ vmm/onedock/deploy" */
} SetupRemotes;

/* Puts all of WANTED in place, and takes out what LIST names beyond it. */
gboolean setup_remotes_apply(SetupRemotes *setup, const GPtrArray *wanted, GError **error);
/* Takes out what LIST names (without one: WANTED), and puts back what had been replaced. */
gboolean setup_remotes_revert(SetupRemotes *setup, const GPtrArray *wanted, GError **error);

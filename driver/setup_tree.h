// SPDX-License-Identifier: Apache-2.0
/*
 * Files in a tree that another user may write (OpenNebula's remotes): root changes them without
 * following any link there, so that a link put in its way leads nowhere. PATH is relative to the
 * tree, without "." and "..". Errors: IO, NO_SPACE.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    int fd;      /* of the tree's folder */
    gchar *path; /* for sentences */
    uid_t uid;   /* whose new entries are; -1: the caller's */
    gid_t gid;
} SetupTree;

/* The folder must be there; a link to it is followed. */
SetupTree *setup_tree_open(const char *path, uid_t uid, gid_t gid, GError **error);
void setup_tree_close(SetupTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SetupTree, setup_tree_close)

/* Whether PATH may be used here: relative, no empty part, none that is "." or "..". */
gboolean setup_tree_path_ok(const char *path);

typedef enum { TREE_NOTHING, TREE_FOLDER, TREE_FILE, TREE_LINK, TREE_OTHER } TreeKind;

/* What stands at PATH; *text (may be NULL) is a file's content or a link's target, *mode its mode.
 */
gboolean setup_tree_look(const SetupTree *tree, const char *path, TreeKind *kind, GBytes **text,
                         mode_t *mode, GError **error);
/* Each makes the folders above PATH (0755) and replaces what stands there, unless it is a folder.
 */
gboolean setup_tree_folder(const SetupTree *tree, const char *path, GError **error);
gboolean setup_tree_file(const SetupTree *tree, const char *path, GBytes *text, mode_t mode,
                         GError **error);
gboolean setup_tree_link(const SetupTree *tree, const char *path, const char *target,
                         GError **error);
/* Removes a file, a link or an empty folder; fine if it is not there or a folder is not empty. */
gboolean setup_tree_remove(const SetupTree *tree, const char *path, GError **error);

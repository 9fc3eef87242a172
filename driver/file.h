// SPDX-License-Identifier: Apache-2.0
/*
 * Small files and folders of the root-owned state: atomic replacement, locks, removal.
 * Errors: NO_SPACE, IO, BUSY, INTERRUPTED.
 */
#pragma once

#include <glib.h>
#include <linux/openat2.h>
#include <sys/types.h>

/* Makes PATH and its parents (0755); the last one with MODE. Fine if it is there. */
gboolean file_make_folder(const char *path, int mode, GError **error);

/*
 * Writes beside and renames over PATH: a reader sees the old text or the new one, whole, whatever
 * process is killed when. Only file_sync() makes it outlive a loss of power: the two are apart
 * because syncing a disk takes tens of milliseconds, which a caller can spend on something else.
 */
gboolean file_replace(const char *path, const char *text, gssize length, int mode, GError **error);
/* The same for a file that is UID's and GID's; -1 leaves one as it comes. */
gboolean file_replace_as(const char *path, const char *text, gssize length, int mode, uid_t uid,
                         gid_t gid, GError **error);
/* An empty file whose being there, or time, says something: made when missing, and its time is now.
 */
gboolean file_mark(const char *path, GError **error);
/* Removes what a file_replace() of PATH that was killed has left beside it. The caller sees to it
 * that none is under way. */
gboolean file_remove_drafts(const char *path, GError **error);
/* The same for all files of FOLDER, of drafts that are older than AGE_S; fine where it is not
 * there. */
gboolean file_sweep_drafts(const char *folder, gint64 age_s, GError **error);
/* Brings PATH and its name to the disk. */
gboolean file_sync(const char *path, GError **error);

/* The whole of PATH, at most MAX bytes, ending in NUL; a file that is not there is an IO error. */
gchar *file_read(const char *path, gsize max, gsize *length, GError **error);

/*
 * openat2(2) with HOW: the descriptor, or -1 with errno set. A path with ".." (a link's, too) that
 * is held within FOLDER by RESOLVE_BENEATH or RESOLVE_IN_ROOT is looked up once more when the
 * kernel cannot vouch for it because something was renamed or mounted anywhere on the host just
 * then (EAGAIN).
 */
int file_open_within(int folder, const char *path, const struct open_how *how);

/* Removes PATH; fine if it is not there. */
gboolean file_remove(const char *path, GError **error);

/* Removes a folder and what is in it, never following a link; fine if it is not there. */
gboolean file_remove_tree(const char *path, GError **error);

/*
 * Takes an exclusive lock (flock) on PATH, which is made when missing, and returns its descriptor;
 * -1 with BUSY when it is not free within WAIT_MS, or INTERRUPTED. close() frees it, and so does
 * the holder's death. WHAT names the owner in the sentence ("VM one-42").
 */
int file_lock(const char *path, guint wait_ms, const char *what, GError **error);
/* The same, held by any number of those who take it so, or by one who takes it by file_lock(). */
int file_lock_shared(const char *path, guint wait_ms, const char *what, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * A configuration file that is somebody else's, changed with care: the file as it was before stays
 * beside it, the new one takes its place whole, with the owner and mode of the old one.
 * Errors: IO, NO_SPACE.
 */
#pragma once

#include <glib.h>

#define SETUP_BACKUP ".vmdock-backup"

typedef struct {
    gchar *path;   /* links resolved */
    gchar *backup; /* PATH with SETUP_BACKUP */
    gchar *text;   /* NULL: there is no file */
    gchar *before; /* the backup's text; NULL: there is none */
    gchar *wanted; /* the text to come, NULL: no file; set by the caller */
} SetupFile;

/* A file that is not there is no error. */
SetupFile *setup_file_read(const char *path, GError **error);
void setup_file_free(SetupFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SetupFile, setup_file_free)

gboolean setup_file_changes(const SetupFile *file);
/* The change as a unified diff, "" when there is none. */
gchar *setup_file_diff(const SetupFile *file, GError **error);
/*
 * Writes WANTED. A backup is made of a file that has none; FRESH (the file has nothing of vmdock's)
 * also replaces an older one.
 */
gboolean setup_file_write(const SetupFile *file, gboolean fresh, GError **error);
/* Writes WANTED, or removes the file when it is NULL, and removes the backup. */
gboolean setup_file_revert(const SetupFile *file, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * Tar archives in memory, as the container engine gives and takes files (ustar; what a pax header
 * adds is passed over: times and attributes that nobody here asks for). Pure.
 */
#pragma once

#include <glib.h>

typedef enum { TAR_FILE, TAR_FOLDER, TAR_OTHER } TarKind;

typedef struct {
    TarKind kind; /* TAR_OTHER: a link, a device, …; its content is not looked at */
    gchar *path;  /* as it stands in the archive, slashes at its end taken off */
    guint mode;   /* permission bits */
    guint uid, gid;
    const char *content; /* of a file; not the entry's own */
    gsize length;
} TarEntry;

/* Appends ENTRY. Errors: IO for a path or a size that the format cannot hold. */
gboolean tar_add(GByteArray *tar, const TarEntry *entry, GError **error);
/* Appends the end of the archive. */
void tar_end(GByteArray *tar);

typedef struct {
    const char *bytes;
    gsize length;
    gsize at;
} TarReader;

void tar_entry_clear(TarEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TarEntry, tar_entry_clear)

/*
 * The next entry, whose content points into the reader's bytes; FALSE at the end, and with an error
 * (IO) for what is no archive. ENTRY is cleared first. Paths come as they are: who writes by them
 * checks them with tar_path_safe().
 */
gboolean tar_next(TarReader *reader, TarEntry *entry, GError **error);

/*
 * True for a relative path of at most 16 parts, none of which is empty, "." or "..", or longer than
 * 255 bytes, in UTF-8 and without control characters.
 */
gboolean tar_path_safe(const char *path);

// SPDX-License-Identifier: Apache-2.0
#include "context_image.h"

#include "error.h"
#include "tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

enum { READ_BYTES = 65536, MAX_WORDS = 200 };

typedef struct archive Archive;

static void archive_close(Archive *archive)
{
    archive_read_free(archive);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_close)

typedef struct {
    Archive *image;
    const ContextLimits *limits;
    GByteArray *tar;
    GHashTable *contents; /* path -> GBytes, of what may be named again by a hard link */
    guint64 bytes, files;
    guint left_out;
} Unpacking;

static gboolean broken(Unpacking *unpacking, GError **error)
{
    const char *words = archive_error_string(unpacking->image);
    g_autofree gchar *line = vmdock_one_line(words ? words : "it ends too early", MAX_WORDS);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "the context image cannot be read: %s", line);
    return FALSE;
}

static gboolean too_much(GError **error, guint64 most, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_SPACE,
                "the context image has more than %" G_GUINT64_FORMAT " %s", most, what);
    return FALSE;
}

/* The size that the image states is not believed: what comes is counted. */
static GBytes *read_content(Unpacking *unpacking, GError **error)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    g_autofree guint8 *piece = g_malloc(READ_BYTES);
    for (;;) {
        la_ssize_t n = archive_read_data(unpacking->image, piece, READ_BYTES);
        if (n == 0)
            return g_byte_array_free_to_bytes(g_steal_pointer(&content));
        if (n < 0) {
            broken(unpacking, error);
            return NULL;
        }
        unpacking->bytes += (guint64)n;
        if (unpacking->bytes > unpacking->limits->max_bytes) {
            too_much(error, unpacking->limits->max_bytes, "bytes");
            return NULL;
        }
        g_byte_array_append(content, piece, (guint)n);
    }
}

/* A second name of a file that was read already. */
static GBytes *linked_content(Unpacking *unpacking, const char *link, GError **error)
{
    GBytes *content = g_hash_table_lookup(unpacking->contents, link);
    if (!content)
        return NULL;
    unpacking->bytes += g_bytes_get_size(content);
    if (unpacking->bytes <= unpacking->limits->max_bytes)
        return g_bytes_ref(content);
    too_much(error, unpacking->limits->max_bytes, "bytes");
    return NULL;
}

/* Without Rock Ridge nobody's rights are recorded, and a mount lets everybody read. */
static guint mode_of(Unpacking *unpacking, struct archive_entry *entry, gboolean folder)
{
    const char *format = archive_format_name(unpacking->image);
    gboolean recorded = format && strstr(format, "Rockridge");
    guint mode = (guint)archive_entry_perm(entry);
    gboolean readable = !recorded || (mode & 0004);
    if (folder || (recorded && (mode & 0111)))
        return readable ? 0755 : 0700;
    return readable ? 0644 : 0600;
}

static gboolean take_file(Unpacking *unpacking, struct archive_entry *entry, TarEntry *file,
                          GError **error)
{
    const char *link = archive_entry_hardlink(entry);
    g_autoptr(GError) failure = NULL;
    g_autoptr(GBytes) content =
        link ? linked_content(unpacking, link, &failure) : read_content(unpacking, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (!content) {
        unpacking->left_out++;
        return TRUE;
    }
    file->content = g_bytes_get_data(content, &file->length);
    if (!tar_add(unpacking->tar, file, NULL))
        unpacking->left_out++;
    if (!link && archive_entry_nlink(entry) > 1)
        g_hash_table_insert(unpacking->contents, g_strdup(file->path), g_steal_pointer(&content));
    return TRUE;
}

static gboolean take_entry(Unpacking *unpacking, struct archive_entry *entry, GError **error)
{
    mode_t type = archive_entry_filetype(entry);
    const char *path = archive_entry_pathname(entry);
    if (path && type == AE_IFDIR && strcmp(path, ".") == 0)
        return TRUE;
    if (++unpacking->files > unpacking->limits->max_files)
        return too_much(error, unpacking->limits->max_files, "files");
    if (!path || !tar_path_safe(path) || (type != AE_IFREG && type != AE_IFDIR)) {
        unpacking->left_out++;
        return TRUE;
    }
    g_auto(TarEntry) file = {.kind = type == AE_IFDIR ? TAR_FOLDER : TAR_FILE,
                             .path = g_strdup(path),
                             .mode = mode_of(unpacking, entry, type == AE_IFDIR)};
    if (type == AE_IFREG)
        return take_file(unpacking, entry, &file, error);
    if (!tar_add(unpacking->tar, &file, NULL))
        unpacking->left_out++;
    return TRUE;
}

static gboolean take_all(Unpacking *unpacking, GError **error)
{
    for (;;) {
        struct archive_entry *entry;
        int result = archive_read_next_header(unpacking->image, &entry);
        if (result == ARCHIVE_EOF)
            return TRUE;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return broken(unpacking, error);
        if (!take_entry(unpacking, entry, error))
            return FALSE;
    }
}

GByteArray *context_image_read(int image, const ContextLimits *limits, guint *left_out,
                               GError **error)
{
    g_autoptr(Archive) archive = archive_read_new();
    g_autoptr(GByteArray) tar = g_byte_array_new();
    g_autoptr(GHashTable) contents =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    Unpacking unpacking = {.image = archive, .limits = limits, .tar = tar, .contents = contents};
    archive_read_support_format_iso9660(archive);
    if (archive_read_open_fd(archive, image, READ_BYTES) != ARCHIVE_OK) {
        broken(&unpacking, error);
        return NULL;
    }
    if (!take_all(&unpacking, error))
        return NULL;
    tar_end(tar);
    *left_out = unpacking.left_out;
    return g_steal_pointer(&tar);
}

// SPDX-License-Identifier: Apache-2.0
#include "image_archive.h"

#include "error.h"
#include "image_manifest.h"
#include "image_oci.h"
#include "stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, MAX_MANIFEST = 4 * 1024 * 1024 };

#define MANIFEST  "manifest.json"
#define NOT_SAVED "the image's archive is none that docker save writes"

/* One archive on its way; ERROR is what a callback of libarchive met. */
typedef struct {
    int in, out;
    guint64 stall_ms;
    struct archive *reader, *writer;
    char piece[PIECE];
    ImageOci *oci; /* what of OCI's layout has passed */
    GError *error;
    gboolean out_failed;
    gboolean discard; /* what the writer still has to say */
} Passage;

static void passage_clear(Passage *passage)
{
    archive_write_free(passage->writer);
    archive_read_free(passage->reader);
    g_clear_pointer(&passage->oci, image_oci_free);
    g_clear_error(&passage->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Passage, passage_clear)

static la_ssize_t take(struct archive *reader, void *data, const void **bytes)
{
    Passage *passage = data;
    *bytes = passage->piece;
    gssize n = stream_read(passage->in, passage->piece, PIECE, passage->stall_ms,
                           "the image's archive", &passage->error);
    if (n < 0)
        archive_set_error(reader, EIO, "cannot be read");
    return n;
}

/* Who looks for one entry need not read the others; what is no file is read all the same. */
static la_int64_t skip(struct archive *reader G_GNUC_UNUSED, void *data, la_int64_t length)
{
    const Passage *passage = data;
    return lseek(passage->in, length, SEEK_CUR) < 0 ? 0 : length;
}

static la_ssize_t give(struct archive *writer, void *data, const void *bytes, size_t length)
{
    Passage *passage = data;
    if (passage->discard || stream_write(passage->out, bytes, length, passage->stall_ms,
                                         "the image's archive", &passage->error))
        return (la_ssize_t)length;
    passage->out_failed = TRUE;
    archive_set_error(writer, EIO, "cannot be written");
    return -1;
}

/* What libarchive says, or the error of the callback behind it. */
static gboolean fail(Passage *passage, struct archive *side, GError **error)
{
    if (passage->error)
        g_propagate_error(error, g_error_copy(passage->error));
    else
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, NOT_SAVED ": %s",
                    archive_error_string(side));
    return FALSE;
}

static gboolean set_up(Passage *passage, GError **error)
{
    passage->reader = archive_read_new();
    archive_read_support_format_tar(passage->reader);
    archive_read_support_filter_gzip(passage->reader);
    archive_read_support_filter_bzip2(passage->reader);
    archive_read_support_filter_xz(passage->reader);
    archive_read_support_filter_zstd(passage->reader);
    return archive_read_open2(passage->reader, passage, NULL, take, skip, NULL) == ARCHIVE_OK ||
           fail(passage, passage->reader, error);
}

static void set_up_writer(Passage *passage)
{
    passage->writer = archive_write_new();
    archive_write_set_format_pax_restricted(passage->writer);
    archive_write_add_filter_none(passage->writer);
    archive_write_set_bytes_per_block(passage->writer, PIECE);
    archive_write_set_bytes_in_last_block(passage->writer, 1);
    archive_write_open(passage->writer, passage, NULL, give, NULL);
}

static gboolean next(Passage *passage, struct archive_entry **entry, GError **error)
{
    int result = archive_read_next_header(passage->reader, entry);
    if (result == ARCHIVE_EOF)
        *entry = NULL;
    return result == ARCHIVE_OK || result == ARCHIVE_WARN || result == ARCHIVE_EOF ||
           fail(passage, passage->reader, error);
}

/* "./manifest.json" is manifest.json. */
static const char *name_of(struct archive_entry *entry)
{
    const char *path = archive_entry_pathname(entry);
    if (!path)
        return "";
    return g_str_has_prefix(path, "./") ? path + 2 : path;
}

static gboolean is_named(struct archive_entry *entry, const char *name)
{
    return strcmp(name_of(entry), name) == 0;
}

static gchar *read_text(Passage *passage, gsize *length, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char piece[8192];
    for (;;) {
        la_ssize_t n = archive_read_data(passage->reader, piece, sizeof piece);
        if (n < 0) {
            fail(passage, passage->reader, error);
            return NULL;
        }
        if (n == 0)
            break;
        g_string_append_len(text, piece, n);
        if (text->len > MAX_MANIFEST) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        NOT_SAVED ": a manifest in it is larger than %d bytes", MAX_MANIFEST);
            return NULL;
        }
    }
    *length = text->len;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean copy_data(Passage *passage, GError **error)
{
    char piece[PIECE];
    for (;;) {
        la_ssize_t n = archive_read_data(passage->reader, piece, sizeof piece);
        if (n <= 0)
            return n == 0 || fail(passage, passage->reader, error);
        if (archive_write_data(passage->writer, piece, (size_t)n) != n)
            return fail(passage, passage->writer, error);
    }
}

static gboolean write_header(Passage *passage, struct archive_entry *entry, GError **error)
{
    return archive_write_header(passage->writer, entry) >= ARCHIVE_WARN ||
           fail(passage, passage->writer, error);
}

static gboolean write_text(Passage *passage, struct archive_entry *entry, const char *text,
                           gsize length, GError **error)
{
    archive_entry_set_size(entry, (la_int64_t)length);
    return write_header(passage, entry, error) &&
           (archive_write_data(passage->writer, text, length) == (la_ssize_t)length ||
            fail(passage, passage->writer, error));
}

/* The other places in which names stand; the engine does without them. */
static gboolean is_dropped(struct archive_entry *entry)
{
    static const char *const dropped[] = {"repositories", "index.json", "oci-layout"};
    for (gsize i = 0; i < G_N_ELEMENTS(dropped); i++)
        if (is_named(entry, dropped[i]))
            return TRUE;
    return FALSE;
}

static gboolean copy_manifest(Passage *passage, struct archive_entry *entry,
                              const ImageArchiveNames *names, GError **error)
{
    gsize length = 0;
    g_autofree gchar *text = read_text(passage, &length, error);
    g_autofree gchar *renamed = text ? image_manifest_rename(text, length, names, error) : NULL;
    return renamed && write_text(passage, entry, renamed, strlen(renamed), error);
}

/* A small file of OCI's layout is kept as it passes; index.json itself tells names. */
static gboolean copy_blob(Passage *passage, struct archive_entry *entry, gboolean dropped,
                          GError **error)
{
    gsize length = 0;
    g_autofree gchar *text = read_text(passage, &length, error);
    if (!text)
        return FALSE;
    image_oci_take(passage->oci, name_of(entry), text, length);
    return dropped || write_text(passage, entry, text, length, error);
}

static gboolean copy_entry(Passage *passage, struct archive_entry *entry, GError **error)
{
    gboolean dropped = is_dropped(entry);
    if (archive_entry_filetype(entry) == AE_IFREG &&
        image_oci_wants(passage->oci, name_of(entry), archive_entry_size(entry)))
        return copy_blob(passage, entry, dropped, error);
    return dropped || (write_header(passage, entry, error) && copy_data(passage, error));
}

/* Behind all that it names. */
static gboolean add_manifest(Passage *passage, const ImageArchiveNames *names, GError **error)
{
    g_autofree gchar *text = image_oci_manifest(passage->oci, image_architecture(), error);
    g_autofree gchar *renamed =
        text ? image_manifest_rename(text, strlen(text), names, error) : NULL;
    if (!renamed)
        return FALSE;
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, MANIFEST);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    gboolean done = write_text(passage, entry, renamed, strlen(renamed), error);
    archive_entry_free(entry);
    return done;
}

static gboolean copy_all(Passage *passage, const ImageArchiveNames *names, GError **error)
{
    struct archive_entry *entry = NULL;
    gboolean seen = FALSE;
    for (;;) {
        if (!next(passage, &entry, error))
            return FALSE;
        if (!entry)
            break;
        gboolean manifest = is_named(entry, MANIFEST);
        if (manifest && seen)
            continue;
        seen |= manifest;
        if (manifest ? !copy_manifest(passage, entry, names, error)
                     : !copy_entry(passage, entry, error))
            return FALSE;
    }
    if (!seen && image_oci_has_index(passage->oci)) {
        if (!add_manifest(passage, names, error))
            return FALSE;
        seen = TRUE;
    }
    if (seen)
        return archive_write_close(passage->writer) == ARCHIVE_OK ||
               fail(passage, passage->writer, error);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        NOT_SAVED ": it has neither manifest.json nor index.json");
    return FALSE;
}

gboolean image_archive_rename(int in, int out, const ImageArchiveNames *names, guint64 stall_ms,
                              gboolean *out_failed, GError **error)
{
    g_auto(Passage) passage = {.in = in, .out = out, .stall_ms = stall_ms};
    *out_failed = FALSE;
    if (!set_up(&passage, error))
        return FALSE;
    set_up_writer(&passage);
    passage.oci = image_oci_new();
    gboolean done = copy_all(&passage, names, error);
    /* A writer that is freed before its end writes that end; one that was made to fail leaks. */
    passage.discard = TRUE;
    *out_failed = passage.out_failed;
    return done;
}

gchar *image_archive_id(int fd, GError **error)
{
    g_auto(Passage) passage = {.in = fd, .out = -1};
    if (!set_up(&passage, error))
        return NULL;
    for (struct archive_entry *entry = NULL;;) {
        if (!next(&passage, &entry, error))
            return NULL;
        if (!entry)
            break;
        if (!is_named(entry, MANIFEST))
            continue;
        gsize length = 0;
        g_autofree gchar *text = read_text(&passage, &length, error);
        return text ? image_manifest_id(text, length, error) : NULL;
    }
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                        NOT_SAVED ": it has no manifest.json");
    return NULL;
}

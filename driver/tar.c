// SPDX-License-Identifier: Apache-2.0
#include "tar.h"

#include "error.h"

#include <string.h>

enum {
    BLOCK = 512,
    MAX_DEPTH = 16,
    MAX_PART = 255,
    MAX_ID = 07777777, /* seven octal digits */
};

/* A header of POSIX.1-1988 (ustar): every number is text. */
typedef struct {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[8], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
} Header;
G_STATIC_ASSERT(sizeof(Header) == BLOCK);

static gboolean fail(GError **error, const char *sentence)
{
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, sentence);
    return FALSE;
}

static guint checksum(const Header *header)
{
    Header copy = *header;
    memset(copy.checksum, ' ', sizeof copy.checksum);
    guint sum = 0;
    for (gsize i = 0; i < sizeof copy; i++)
        sum += ((const guint8 *)&copy)[i];
    return sum;
}

/* A path of more than 100 bytes is split at a slash. */
static gboolean set_path(Header *header, const char *path)
{
    gsize length = strlen(path);
    const char *name = path;
    if (length > sizeof header->name)
        name = strchr(path + length - sizeof header->name - 1, '/');
    if (!name || name[0] == '\0')
        return FALSE;
    if (name != path) {
        gsize before = (gsize)(name - path);
        if (before > sizeof header->prefix || name[1] == '\0')
            return FALSE;
        memcpy(header->prefix, path, before);
        name++;
    }
    memcpy(header->name, name, strlen(name));
    return TRUE;
}

gboolean tar_add(GByteArray *tar, const TarEntry *entry, GError **error)
{
    static const guint8 zeros[BLOCK];
    Header header = {.type = entry->kind == TAR_FOLDER ? '5' : '0'};
    gsize length = entry->kind == TAR_FILE ? entry->length : 0;
    if (!set_path(&header, entry->path) || entry->uid > MAX_ID || entry->gid > MAX_ID ||
        length > G_MAXUINT32)
        return fail(error, "an archive cannot hold a file of such a name, size or owner");
    g_snprintf(header.mode, sizeof header.mode, "%07o", entry->mode & 07777);
    g_snprintf(header.uid, sizeof header.uid, "%07o", entry->uid);
    g_snprintf(header.gid, sizeof header.gid, "%07o", entry->gid);
    g_snprintf(header.size, sizeof header.size, "%011" G_GINT64_MODIFIER "o", (guint64)length);
    g_snprintf(header.mtime, sizeof header.mtime, "%011" G_GINT64_MODIFIER "o",
               (guint64)(g_get_real_time() / G_USEC_PER_SEC));
    memcpy(header.magic, "ustar\00000", sizeof header.magic);
    g_snprintf(header.checksum, sizeof header.checksum, "%06o", checksum(&header));
    header.checksum[7] = ' ';
    g_byte_array_append(tar, (const guint8 *)&header, sizeof header);
    if (length > 0)
        g_byte_array_append(tar, (const guint8 *)entry->content, (guint)length);
    if (length % BLOCK)
        g_byte_array_append(tar, zeros, (guint)(BLOCK - length % BLOCK));
    return TRUE;
}

void tar_end(GByteArray *tar)
{
    static const guint8 zeros[2 * BLOCK];
    g_byte_array_append(tar, zeros, sizeof zeros);
}

void tar_entry_clear(TarEntry *entry)
{
    g_free(entry->path);
    memset(entry, 0, sizeof *entry);
}

/* Digits, blanks around them; nothing else, so that no size is guessed. */
static gboolean read_octal(const char *field, gsize size, guint64 *number)
{
    gsize i = 0;
    *number = 0;
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        *number = *number * 8 + (guint64)(field[i] - '0');
    return i == size || field[i] == '\0' || field[i] == ' ';
}

static gchar *read_path(const Header *header)
{
    g_autofree gchar *name = g_strndup(header->name, sizeof header->name);
    g_autofree gchar *prefix = g_strndup(header->prefix, sizeof header->prefix);
    gboolean ustar = memcmp(header->magic, "ustar", 6) == 0;
    gchar *path = ustar && *prefix ? g_strconcat(prefix, "/", name, NULL) : g_strdup(name);
    for (gsize length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    return path;
}

static gboolean read_header(const Header *header, TarEntry *entry, guint64 *size)
{
    guint64 mode, uid, gid, sum;
    if (!read_octal(header->mode, sizeof header->mode, &mode) ||
        !read_octal(header->uid, sizeof header->uid, &uid) ||
        !read_octal(header->gid, sizeof header->gid, &gid) ||
        !read_octal(header->size, sizeof header->size, size) ||
        !read_octal(header->checksum, sizeof header->checksum, &sum) || sum != checksum(header))
        return FALSE;
    entry->mode = (guint)(mode & 07777);
    entry->uid = (guint)uid;
    entry->gid = (guint)gid;
    entry->kind = header->type == '0' || header->type == '\0' ? TAR_FILE
                  : header->type == '5'                       ? TAR_FOLDER
                                                              : TAR_OTHER;
    entry->path = read_path(header);
    return TRUE;
}

/* Extended headers of pax and GNU speak of the entry behind them. */
static gboolean is_extension(const Header *header)
{
    return header->type && strchr("xgLK", header->type);
}

static gboolean is_end(const char *block)
{
    for (gsize i = 0; i < BLOCK; i++)
        if (block[i])
            return FALSE;
    return TRUE;
}

gboolean tar_next(TarReader *reader, TarEntry *entry, GError **error)
{
    for (;;) {
        Header header;
        guint64 size;
        tar_entry_clear(entry);
        gsize left = reader->length - reader->at;
        if (left < BLOCK)
            return left == 0 ? FALSE : fail(error, "the archive ends in the middle");
        if (is_end(reader->bytes + reader->at))
            return FALSE;
        memcpy(&header, reader->bytes + reader->at, BLOCK);
        if (!read_header(&header, entry, &size))
            return fail(error, "the archive has a header that is none");
        /* Links and folders may name a size of which no bytes stand in the archive. */
        if (entry->kind != TAR_FILE && !is_extension(&header))
            size = 0;
        left -= BLOCK;
        guint64 padded = (size + BLOCK - 1) / BLOCK * BLOCK;
        if (padded > left)
            return fail(error, "the archive ends in the middle of a file");
        entry->content = reader->bytes + reader->at + BLOCK;
        entry->length = (gsize)size;
        reader->at += BLOCK + (gsize)padded;
        if (!is_extension(&header))
            return TRUE;
    }
}

gboolean tar_path_safe(const char *path)
{
    if (!g_utf8_validate(path, -1, NULL))
        return FALSE;
    for (const char *p = path; *p; p++)
        if (g_ascii_iscntrl(*p))
            return FALSE;
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    guint depth = 0;
    for (; parts[depth]; depth++)
        if (*parts[depth] == '\0' || strcmp(parts[depth], ".") == 0 ||
            strcmp(parts[depth], "..") == 0 || strlen(parts[depth]) > MAX_PART)
            return FALSE;
    return depth > 0 && depth <= MAX_DEPTH;
}

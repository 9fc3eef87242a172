// SPDX-License-Identifier: Apache-2.0
#include "image_empty.h"

#include "autoptr.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 512, END = 1024 /* bytes of zeros */ };

/* The header of POSIX.1-1988 (ustar), field by field. */
typedef struct {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
} Header;

G_STATIC_ASSERT(sizeof(Header) == BLOCK);

static void add_zeros(GByteArray *archive, gsize length)
{
    gsize old = archive->len;
    g_byte_array_set_size(archive, (guint)(old + length));
    memset(archive->data + old, 0, length);
}

static void add_file(GByteArray *archive, const char *name, const void *data, gsize length)
{
    Header header = {.mode = "0000644", .uid = "0000000", .gid = "0000000", .type = '0'};
    g_strlcpy(header.name, name, sizeof header.name);
    snprintf(header.size, sizeof header.size, "%011o", (guint)length);
    snprintf(header.mtime, sizeof header.mtime, "%011o", 0U);
    memcpy(header.magic, "ustar", sizeof header.magic);
    memcpy(header.version, "00", sizeof header.version);
    /* The sum is made with blanks in its own place. */
    memset(header.checksum, ' ', sizeof header.checksum);
    guint sum = 0;
    for (gsize i = 0; i < sizeof header; i++)
        sum += ((const guint8 *)&header)[i];
    snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
    g_byte_array_append(archive, (const guint8 *)&header, sizeof header);
    g_byte_array_append(archive, data, (guint)length);
    add_zeros(archive, (BLOCK - length % BLOCK) % BLOCK);
}

static gchar *hash_of(const void *data, gsize length)
{
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, length);
}

static gchar *config_text(const char *architecture, const char *layer_hash)
{
    g_autofree gchar *layer = g_strconcat("sha256:", layer_hash, NULL);
    g_autoptr(json_t) config =
        json_pack("{s:s, s:s, s:s, s:{}, s:[{s:s, s:s}], s:{s:s, s:[s]}}", "architecture",
                  architecture, "os", "linux", "created", "1970-01-01T00:00:00Z", "config",
                  "history", "created", "1970-01-01T00:00:00Z", "created_by", "vmdock", "rootfs",
                  "type", "layers", "diff_ids", layer);
    return json_dumps(config, JSON_COMPACT);
}

GByteArray *image_empty_archive(const char *architecture)
{
    static const guint8 layer[END];
    g_autofree gchar *layer_hash = hash_of(layer, sizeof layer);
    g_autofree gchar *layer_name = g_strconcat(layer_hash, "/layer.tar", NULL);
    g_autofree gchar *config = config_text(architecture, layer_hash);
    g_autofree gchar *config_hash = hash_of(config, strlen(config));
    g_autofree gchar *config_name = g_strconcat(config_hash, ".json", NULL);
    g_autofree gchar *manifest = g_strdup_printf(
        "[{\"Config\":\"%s\",\"RepoTags\":null,\"Layers\":[\"%s\"]}]", config_name, layer_name);
    GByteArray *archive = g_byte_array_new();
    add_file(archive, layer_name, layer, sizeof layer);
    add_file(archive, config_name, config, strlen(config));
    add_file(archive, "manifest.json", manifest, strlen(manifest));
    add_zeros(archive, END);
    return archive;
}

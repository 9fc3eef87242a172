// SPDX-License-Identifier: Apache-2.0
#include "layer_size.h"

#include "autoptr.h"
#include "error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    BLOCK = 512,      /* what st_blocks counts in */
    STEPS = 64,       /* entries between two looks at the clock */
    MOUNT_FIELDS = 6, /* of mountinfo before the optional ones */
};

/* A folder that is being read. */
typedef struct {
    gchar *name;   /* in the folder above it; "" for the layer's own */
    gint64 offset; /* where reading goes on: the file system's cookie, which outlives the process */
    DIR *stream;   /* NULL while the walk is put away */
} Level;

struct LayerWalk {
    guint64 bytes;
    GArray *levels; /* Level, from the layer's folder down; empty when all is counted */
    dev_t device;
};

static void level_clear(gpointer data)
{
    Level *level = data;
    g_clear_pointer(&level->stream, closedir);
    g_clear_pointer(&level->name, g_free);
}

static void push(LayerWalk *walk, const char *name, gint64 offset, DIR *stream)
{
    Level level = {g_strdup(name), offset, stream};
    g_array_append_val(walk->levels, level);
}

static Level *level_at(const LayerWalk *walk, guint at)
{
    return &g_array_index(walk->levels, Level, at);
}

LayerWalk *layer_walk_new(void)
{
    LayerWalk *walk = g_new0(LayerWalk, 1);
    walk->levels = g_array_new(FALSE, FALSE, sizeof(Level));
    g_array_set_clear_func(walk->levels, level_clear);
    push(walk, "", 0, NULL);
    return walk;
}

void layer_walk_free(LayerWalk *walk)
{
    g_array_unref(walk->levels);
    g_free(walk);
}

guint64 layer_walk_bytes(const LayerWalk *walk)
{
    return walk->bytes;
}

/* The guest can put a link in a folder's place at any moment: it is opened as a folder or not. */
static DIR *open_folder(int at, const char *name, gint64 offset)
{
    autofd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (offset > 0 && lseek(fd, offset, SEEK_SET) < 0))
        return NULL;
    DIR *stream = fdopendir(fd);
    if (stream)
        steal_fd(&fd);
    return stream;
}

static gboolean begin(LayerWalk *walk, const char *folder, GError **error)
{
    Level *first = level_at(walk, 0);
    struct stat st;
    first->stream = open_folder(AT_FDCWD, folder, first->offset);
    if (!first->stream || fstat(dirfd(first->stream), &st) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read the layer %s", folder);
        return FALSE;
    }
    walk->device = st.st_dev;
    if (first->offset == 0 && walk->levels->len == 1)
        walk->bytes += (guint64)st.st_blocks * BLOCK;
    for (guint i = 1; i < walk->levels->len; i++) {
        Level *level = level_at(walk, i);
        level->stream =
            open_folder(dirfd(level_at(walk, i - 1)->stream), level->name, level->offset);
        if (!level->stream)
            g_array_set_size(walk->levels, i);
    }
    return TRUE;
}

static void count(LayerWalk *walk, DIR *stream, const char *name)
{
    struct stat st;
    if (fstatat(dirfd(stream), name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 ||
        st.st_dev != walk->device)
        return;
    guint64 bytes = (guint64)st.st_blocks * BLOCK;
    if (!S_ISDIR(st.st_mode)) {
        walk->bytes += bytes / MAX(st.st_nlink, 1);
        return;
    }
    walk->bytes += bytes;
    DIR *below = walk->levels->len < LAYER_DEPTH_MAX ? open_folder(dirfd(stream), name, 0) : NULL;
    if (below)
        push(walk, name, 0, below);
}

/* One entry of the folder at the bottom, or back to the one above it. */
static void step(LayerWalk *walk)
{
    Level *level = level_at(walk, walk->levels->len - 1);
    const struct dirent *entry = readdir(level->stream);
    if (!entry) {
        g_array_set_size(walk->levels, walk->levels->len - 1);
        return;
    }
    level->offset = entry->d_off;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
        count(walk, level->stream, entry->d_name);
}

gboolean layer_walk_run(LayerWalk *walk, const char *folder, gint64 deadline, gboolean *done,
                        GError **error)
{
    *done = walk->levels->len == 0;
    if (*done)
        return TRUE;
    if (!begin(walk, folder, error))
        return FALSE;
    do {
        for (guint i = 0; i < STEPS && walk->levels->len > 0; i++)
            step(walk);
    } while (walk->levels->len > 0 && g_get_monotonic_time() < deadline);
    for (guint i = 0; i < walk->levels->len; i++)
        g_clear_pointer(&level_at(walk, i)->stream, closedir);
    *done = walk->levels->len == 0;
    return TRUE;
}

/* A guest's file names are bytes, and JSON takes text: they are escaped. */
json_t *layer_walk_to_json(const LayerWalk *walk)
{
    json_t *levels = json_array();
    for (guint i = 0; i < walk->levels->len; i++) {
        const Level *level = level_at(walk, i);
        g_autofree gchar *name = g_strescape(level->name, NULL);
        json_array_append_new(levels, json_pack("[s, I]", name, (json_int_t)level->offset));
    }
    return json_pack("{s:I, s:o}", "bytes", (json_int_t)MIN(walk->bytes, (guint64)G_MAXINT64),
                     "levels", levels);
}

static gboolean read_level(LayerWalk *walk, json_t *json)
{
    const char *escaped = NULL;
    json_int_t offset = 0;
    if (json_unpack(json, "[s, I!]", &escaped, &offset) < 0 || offset < 0)
        return FALSE;
    g_autofree gchar *name = g_strcompress(escaped);
    gboolean first = walk->levels->len == 0;
    if (first != (*name == '\0') || strchr(name, '/') || strcmp(name, "..") == 0)
        return FALSE;
    push(walk, name, offset, NULL);
    return TRUE;
}

LayerWalk *layer_walk_from_json(const json_t *json)
{
    json_t *levels = NULL;
    json_int_t bytes = 0;
    if (json_unpack((json_t *)json, "{s:I, s:o}", "bytes", &bytes, "levels", &levels) < 0 ||
        bytes < 0 || json_array_size(levels) > LAYER_DEPTH_MAX)
        return NULL;
    LayerWalk *walk = layer_walk_new();
    walk->bytes = (guint64)bytes;
    g_array_set_size(walk->levels, 0);
    for (gsize i = 0; i < json_array_size(levels); i++)
        if (!read_level(walk, json_array_get(levels, i))) {
            layer_walk_free(walk);
            return NULL;
        }
    return walk;
}

/* "upperdir=/a\040b" among the options of a file system. */
static gchar *upper_of(const char *options)
{
    static const char key[] = "upperdir=";
    g_auto(GStrv) list = g_strsplit(options, ",", -1);
    for (gsize i = 0; list[i]; i++)
        if (g_str_has_prefix(list[i], key) && list[i][strlen(key)] == '/')
            return g_strcompress(list[i] + strlen(key));
    return NULL;
}

gchar *layer_folder_of(const char *mountinfo)
{
    g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);
    for (gsize i = 0; lines[i]; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], " ", -1);
        if (g_strv_length(fields) <= MOUNT_FIELDS || strcmp(fields[4], "/") != 0)
            continue;
        gsize at = MOUNT_FIELDS;
        while (fields[at] && strcmp(fields[at], "-") != 0)
            at++;
        /* "-", type, source, options */
        if (!fields[at] || g_strv_length(fields + at) < 4 || strcmp(fields[at + 1], "overlay") != 0)
            continue;
        return upper_of(fields[at + 3]);
    }
    return NULL;
}

// SPDX-License-Identifier: Apache-2.0
#include "disk_size.h"

#include "autoptr.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK = 512 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

static gboolean is_number(const char *name)
{
    return *name && strspn(name, "0123456789") == strlen(name);
}

GPtrArray *disk_datastores(const char *place)
{
    GPtrArray *datastores = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) folder = g_dir_open(place, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (is_number(name))
            g_ptr_array_add(datastores, g_build_filename(place, name, NULL));
    return datastores;
}

gboolean disk_size_id(const char *name, guint *id)
{
    static const char prefix[] = "disk.";
    guint64 number = 0;
    if (!g_str_has_prefix(name, prefix) || !is_number(name + strlen(prefix)) ||
        !g_ascii_string_to_unsigned(name + strlen(prefix), 10, 0, G_MAXUINT, &number, NULL))
        return FALSE;
    *id = (guint)number;
    return TRUE;
}

static DIR *open_vm(const char *datastore, const char *number)
{
    autofd int above = open(datastore, O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd int fd =
        above < 0 ? -1 : openat(above, number, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder)
        steal_fd(&fd);
    return folder;
}

static void add_disks(GArray *sizes, DIR *folder)
{
    for (const struct dirent *entry; (entry = readdir(folder));) {
        DiskSize size;
        struct stat st;
        if (!disk_size_id(entry->d_name, &size.id) || size.id == 0 ||
            fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        size.bytes = (guint64)st.st_blocks * BLOCK;
        g_array_append_val(sizes, size);
    }
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
    guint left = ((const DiskSize *)a)->id, right = ((const DiskSize *)b)->id;
    return (left > right) - (left < right);
}

GArray *disk_sizes(const GPtrArray *datastores, const char *number)
{
    GArray *sizes = g_array_new(FALSE, FALSE, sizeof(DiskSize));
    for (guint i = 0; i < datastores->len; i++) {
        g_autoptr(DIR) folder = open_vm(datastores->pdata[i], number);
        if (folder)
            add_disks(sizes, folder);
    }
    g_array_sort(sizes, compare_ids);
    return sizes;
}

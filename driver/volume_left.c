// SPDX-License-Identifier: Apache-2.0
/* What is left of a VM's disks on this host: mounts, servers, the folders of both. */
#include "volume_private.h"

#include "error.h"

#include <errno.h>
#include <string.h>

/* "3", "3.image" and "3.pid" are all of disk 3. */
static gchar *place_of(const char *folder, const char *name)
{
    g_autofree gchar *number = g_strndup(name, strspn(name, "0123456789"));
    return *number ? g_build_filename(folder, number, NULL) : NULL;
}

static gboolean clear_one(const Config *config, const char *folder, const char *name,
                          GError **error)
{
    g_autofree gchar *place = place_of(folder, name);
    if (!place)
        return TRUE;
    return volume_unmount(place, error) && qcow2_end(config, place, error);
}

gboolean volumes_clear(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *folder = volume_folder(config, deploy_id);
    g_autoptr(GDir) names = g_dir_open(folder, 0, NULL);
    for (const char *name; names && (name = g_dir_read_name(names));)
        if (!clear_one(config, folder, name, error))
            return FALSE;
    if (!names || rmdir(folder) == 0 || errno == ENOENT)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", folder);
    return FALSE;
}

GPtrArray *volumes_list(const Config *config)
{
    GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
    g_autofree gchar *root = g_build_filename(config->run_dir, "disk", NULL);
    g_autoptr(GDir) names = g_dir_open(root, 0, NULL);
    for (const char *name; names && (name = g_dir_read_name(names));)
        if (vm_id_valid(name))
            g_ptr_array_add(ids, g_strdup(name));
    return ids;
}

gboolean volumes_left(const Config *config, const char *deploy_id)
{
    g_autofree gchar *folder = volume_folder(config, deploy_id);
    return g_file_test(folder, G_FILE_TEST_EXISTS);
}

/* Whether the server of the disk on PLACE is used by a loop device, within MS. */
static gboolean is_served(const char *place, guint ms)
{
    struct stat status;
    g_autofree gchar *image = volume_image(place);
    return stat(image, &status) == 0 && !loop_device_wait(&status, FALSE, NULL, ms, NULL);
}

static gboolean tidy_one(const Config *config, const char *place, gboolean dry_run, gboolean *found,
                         GError **error)
{
    gboolean mounted = g_file_test(place, G_FILE_TEST_EXISTS);
    if (!mounted && is_served(place, 0))
        return TRUE;
    *found = TRUE;
    if (dry_run)
        return TRUE;
    /* The container may have it already: then it keeps its server. */
    return volume_unmount(place, error) &&
           (is_served(place, (guint)config->disk_release_ms) || qcow2_end(config, place, error));
}

gboolean volumes_tidy(const Config *config, const char *deploy_id, gboolean dry_run,
                      gboolean *found, GError **error)
{
    g_autofree gchar *folder = volume_folder(config, deploy_id);
    g_autoptr(GDir) names = g_dir_open(folder, 0, NULL);
    *found = FALSE;
    for (const char *name; names && (name = g_dir_read_name(names));) {
        g_autofree gchar *place = place_of(folder, name);
        if (place && !tidy_one(config, place, dry_run, found, error))
            return FALSE;
    }
    if (names && !dry_run)
        rmdir(folder); /* stays where a server has its files in it */
    return TRUE;
}

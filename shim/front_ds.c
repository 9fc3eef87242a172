// SPDX-License-Identifier: Apache-2.0
/*
 * The datastore actions: ID on the command line, DS_DRIVER_ACTION_DATA on stdin. What an action
 * makes is taken back when its answer cannot be written.
 */
#include "front.h"

#include "driver/datastore.h"
#include "driver/error.h"

/* The message and what goes with it, while one action runs. */
typedef struct {
    DatastoreMessage *message;
    GStrv restricted;
    Datastore datastore;
} Ds;

static void ds_free(Ds *ds)
{
    if (!ds)
        return;
    datastore_message_free(ds->message);
    g_strfreev(ds->restricted);
    g_free(ds);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ds, ds_free)

/* What belongs to the front end itself, as OpenNebula's own datastores have it. */
static GStrv own_folders(void)
{
    const char *location = g_getenv("ONE_LOCATION");
    const char *home = g_getenv("HOME");
    GPtrArray *list = g_ptr_array_new();
    g_ptr_array_add(list, g_strdup("/var/lib/one"));
    g_ptr_array_add(list, g_strdup("/etc/one"));
    if (location && *location) {
        g_ptr_array_add(list, g_build_filename(location, "var", NULL));
        g_ptr_array_add(list, g_build_filename(location, "etc", NULL));
    }
    if (home && *home)
        g_ptr_array_add(list, g_strdup(home));
    g_ptr_array_add(list, NULL);
    return (GStrv)g_ptr_array_free(list, FALSE);
}

/* argv[1] is the image's, the datastore's or the request's id; what counts stands in the message.
 */
static Ds *ds_open(const Front *front, int argc, GError **error)
{
    const Config *config = front->config;
    if (argc < 2) {
        front_usage(error, "ds ACTION ID");
        return NULL;
    }
    gsize length = 0;
    /* Base64 is larger by a third. */
    g_autofree gchar *text =
        shim_read(NULL, config->xml_max_bytes + config->xml_max_bytes / 2, &length, error);
    if (!text)
        return NULL;
    g_autoptr(Ds) ds = g_new0(Ds, 1);
    ds->message = datastore_message_parse(text, length, config->xml_max_bytes, error);
    if (!ds->message)
        return NULL;
    ds->restricted = own_folders();
    ds->datastore = (Datastore){.config = config,
                                .message = ds->message,
                                .restricted = (const char *const *)ds->restricted};
    return g_steal_pointer(&ds);
}

static gboolean print_line(const char *text, const char *more, GError **error)
{
    g_autofree gchar *line = g_strconcat(text, more, "\n", NULL);
    return shim_print(line, error);
}

static gboolean report_source(const char *source, gpointer data G_GNUC_UNUSED, GError **error)
{
    return print_line(source, "", error);
}

/* A disk made of a container's image has no format of its own; raw is what OpenNebula takes. */
static gboolean report_source_and_format(const char *source, gpointer data G_GNUC_UNUSED,
                                         GError **error)
{
    return print_line(source, " raw", error);
}

gboolean front_ds_stat(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    guint64 mb = 0;
    if (!ds || !datastore_stat(&ds->datastore, &mb, error))
        return FALSE;
    g_autofree gchar *text = g_strdup_printf("%" G_GUINT64_FORMAT, mb);
    return print_line(text, "", error);
}

gboolean front_ds_cp(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    return ds && datastore_cp(&ds->datastore, report_source_and_format, NULL, error);
}

gboolean front_ds_clone(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    return ds && datastore_clone(&ds->datastore, report_source_and_format, NULL, error);
}

gboolean front_ds_mkfs(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    return ds && datastore_mkfs(&ds->datastore, report_source, NULL, error);
}

gboolean front_ds_monitor(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    DatastoreUsage usage = {0};
    if (!ds || !datastore_monitor(&ds->datastore, &usage, error))
        return FALSE;
    g_autofree gchar *text = g_strdup_printf(
        "USED_MB=%" G_GUINT64_FORMAT "\nTOTAL_MB=%" G_GUINT64_FORMAT "\nFREE_MB=%" G_GUINT64_FORMAT,
        usage.used_mb, usage.total_mb, usage.free_mb);
    return print_line(text, "", error);
}

gboolean front_ds_export(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    g_autofree gchar *text = ds ? datastore_export(&ds->datastore, error) : NULL;
    return text && print_line(text, "", error);
}

typedef gboolean (*Silent)(const Datastore *datastore, GError **error);

static gboolean silent(const Front *front, int argc, Silent action, GError **error)
{
    g_autoptr(Ds) ds = ds_open(front, argc, error);
    return ds && action(&ds->datastore, error);
}

gboolean front_ds_rm(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    return silent(front, argc, datastore_rm, error);
}

gboolean front_ds_snap_revert(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    return silent(front, argc, datastore_snapshot_revert, error);
}

gboolean front_ds_snap_delete(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    return silent(front, argc, datastore_snapshot_delete, error);
}

gboolean front_ds_snap_flatten(Front *front, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    return silent(front, argc, datastore_snapshot_flatten, error);
}

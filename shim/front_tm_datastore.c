// SPDX-License-Identifier: Apache-2.0
/* mvds and cpds: a VM's disk goes into its datastore. monitor: how full a system datastore is. */
#include "front_tm.h"

#include "driver/autoptr.h"
#include "driver/datastore.h"
#include "driver/datastore_source.h"
#include "driver/error.h"
#include "driver/image_archive.h"
#include "driver/image_ref.h"
#include "driver/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- disk 0 of a VM that is on the front end
   --------------------------------------------------*/

typedef struct {
    const Front *front;
    const TmPlace *place;
    const TmSource *source;
    const char *vmid, *datastore;
    const char *snapshot; /* "-1" = the disk as it is */
} Put;

static gboolean is_snapshot(const Put *put)
{
    return strcmp(put->snapshot, "-1") != 0;
}

/* The image's name in the archive that disk_export wrote. */
static gchar *stored_name(const Put *put)
{
    return is_snapshot(put)
               ? g_strdup_printf("vmdock/one-%s:disk.0-snap.%s", put->vmid, put->snapshot)
               : g_strdup_printf("vmdock/one-%s:disk.0-now", put->vmid);
}

static gboolean copy_stored(const Put *put, const char *archive, GError **error)
{
    g_autofree gchar *part = g_strconcat(put->source->text, ".part", NULL);
    g_autofree gchar *name = stored_name(put);
    ImageArchiveNames names = {.name = name, .pick = name};
    gboolean out_failed = FALSE;
    autofd int in = open(archive, O_RDONLY | O_CLOEXEC);
    autofd int out =
        in < 0 ? -1 : open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open %s",
                           in < 0 ? archive : part);
        return FALSE;
    }
    if (image_archive_rename(in, out, &names, put->front->config->engine_pull_stall_ms, &out_failed,
                             error)) {
        if (fsync(out) == 0 && rename(part, put->source->text) == 0)
            return TRUE;
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", put->source->text);
    }
    unlink(part);
    return FALSE;
}

/* There is no engine here: skopeo takes it, with what the datastore has for its registry. */
static gboolean push_stored(const Put *put, const char *archive, GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(put->source->text, error);
    g_autoptr(DatastoreMessage) message =
        ref ? tm_datastore(put->front, put->datastore, error) : NULL;
    const Datastore datastore = {.config = put->front->config, .message = message};
    g_autofree gchar *name = stored_name(put);
    return message && datastore_push(&datastore, archive, name, ref, error);
}

/* ---- what a push replaces ---------------------------------------------------------------------*/

/*
 * A registry keeps the manifest that a tag stood for, and its layers, for good: nobody can list it
 * any more. So the one that a persistent image was before goes once the image is another one,
 * unless a snapshot is that manifest. Best effort: the new image is there.
 */
static void drop_before(const Put *put, const Datastore *datastore, const ImageRef *ref,
                        const char *before)
{
    g_autoptr(GError) failure = NULL;
    if (!datastore_drop_unnamed(datastore, ref, before, &failure))
        log_info("VM %s: what %s was before stays in the registry: %s", put->vmid,
                 put->source->text, failure->message);
}

/* ---- mvds and cpds ----------------------------------------------------------------------------*/

static gboolean put_image(const Put *put, gboolean reference, GError **error)
{
    const char *host = put->place->host;
    if (tm_is_node(put->front, host))
        return reference ? tm_carry(put->front, host,
                                    tm_one("disk_push", put->vmid, put->snapshot, put->source->text,
                                           NULL),
                                    -1, -1, error)
                         : tm_take_file(put->front, host,
                                        tm_one("disk_save", put->vmid, put->snapshot, NULL),
                                        put->source->text, error);
    g_autofree gchar *archive = g_build_filename(put->place->folder, TM_ROOT_ARCHIVE, NULL);
    return reference ? push_stored(put, archive, error) : copy_stored(put, archive, error);
}

static gboolean put_root(const Put *put, GError **error)
{
    gboolean reference = put->source->kind == TM_REFERENCE;
    g_autoptr(ImageRef) ref = reference ? image_ref_parse(put->source->text, error) : NULL;
    if (reference && (!ref || ref->digest))
        return ref ? tm_refuse(error,
                               "%s is fixed to a digest: what VM %s wrote cannot be put in its "
                               "place",
                               put->source->text, put->vmid)
                   : FALSE;
    g_autoptr(DatastoreMessage) message =
        reference ? tm_datastore(put->front, put->datastore, NULL) : NULL;
    const Datastore datastore = {.config = put->front->config, .message = message};
    g_autofree gchar *before = message ? datastore_own_digest(&datastore, ref, NULL) : NULL;
    if (!put_image(put, reference, error))
        return FALSE;
    if (before)
        drop_before(put, &datastore, ref, before);
    return TRUE;
}

/* ---- the snapshots of a persistent image ------------------------------------------------------*/

static gboolean put_snapshot(const Put *put, const char *number, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(TmSource) source = tm_snapshot_source(put->source, number);
    Put one = *put;
    one.source = source;
    one.snapshot = number;
    if (put_root(&one, &failure))
        return TRUE;
    /* The datastore has one that never came to the VM. */
    if (vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE)) {
        log_info("VM %s: snapshot %s stays as it is: %s", put->vmid, number, failure->message);
        return TRUE;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "snapshot %s: ", number);
    return FALSE;
}

/* Files of snapshots that the VM has no more; in a registry they go with the image. */
static void drop_others(const char *folder, const GStrv numbers)
{
    g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
    for (const char *name; files && (name = g_dir_read_name(files));) {
        g_autofree gchar *path = g_build_filename(folder, name, NULL);
        if (!g_strv_contains((const char *const *)numbers, name) && unlink(path) < 0)
            log_warn("cannot remove %s: %s", path, g_strerror(errno));
    }
}

/* The image keeps the snapshots that its VM has, as DS snap_* and the next VM look for them. */
static gboolean put_snapshots(const Put *put, GError **error)
{
    g_auto(GStrv) numbers = tm_vm_snapshots(put->front, put->vmid, 0, error);
    if (!numbers)
        return FALSE;
    g_autofree gchar *folder = datastore_snapshot_folder(put->source->text);
    gboolean archive = put->source->kind == TM_ARCHIVE;
    if (*numbers && !tm_has_snapshots(put->source)) {
        log_warn("VM %s: its disk snapshots are not kept: %s is no image of a datastore of its own",
                 put->vmid, put->source->text);
        return TRUE;
    }
    if (archive && *numbers && g_mkdir_with_parents(folder, 0750) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make %s", folder);
        return FALSE;
    }
    for (gsize i = 0; numbers[i]; i++)
        if (!put_snapshot(put, numbers[i], error))
            return FALSE;
    if (archive)
        drop_others(folder, numbers);
    return TRUE;
}

/* ---- disks that are files ---------------------------------------------------------------------*/

/* OpenNebula's numbers of the states in which a disk is detached from a VM that runs, or is off. */
#define LCM_HOTPLUG                 "17"
#define LCM_HOTPLUG_EPILOG_POWEROFF "34"

static gboolean is_live(const Put *put)
{
    g_autofree gchar *state = tm_vm_value(put->front, put->vmid, "/VM/LCM_STATE");
    return g_strcmp0(state, "26") == 0;
}

static gboolean put_file(const Put *put, GError **error)
{
    if (!is_snapshot(put) && is_live(put))
        return tm_refuse(error, "disk %d of VM %s is a file in use: stop the VM to save it",
                         put->place->disk, put->vmid);
    g_autofree gchar *path = is_snapshot(put)
                                 ? g_strconcat(put->place->path, ".snap/", put->snapshot, NULL)
                                 : g_strdup(put->place->path);
    return tm_take_file(put->front, put->place->host, tm_shell("exec cat -- \"$1\"", path, NULL),
                        put->source->text, error);
}

/* The image keeps its VM's snapshots beside it. One that never came to the VM stays as it is. */
static gboolean put_copies(const Put *put, GError **error)
{
    const Front *front = put->front;
    g_auto(GStrv) numbers = tm_vm_snapshots(front, put->vmid, put->place->disk, error);
    g_autofree gchar *folder = datastore_snapshot_folder(put->source->text);
    if (numbers && *numbers && g_mkdir_with_parents(folder, 0750) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make %s", folder);
        return FALSE;
    }
    for (gsize i = 0; numbers && numbers[i]; i++) {
        g_autofree gchar *from = g_strconcat(put->place->path, ".snap/", numbers[i], NULL);
        g_autofree gchar *to = g_build_filename(folder, numbers[i], NULL);
        g_autofree gchar *there = tm_ask(
            front, put->place->host, tm_shell("[ ! -e \"$1\" ] || echo yes", from, NULL), error);
        if (!there ||
            (*there && !tm_take_file(front, put->place->host,
                                     tm_shell("exec cat -- \"$1\"", from, NULL), to, error)))
            return FALSE;
    }
    if (numbers)
        drop_others(folder, numbers);
    return numbers != NULL;
}

/*
 * OpenNebula deletes the file of a persistent disk with the VM's folder. One that is detached would
 * stay there as long as the VM does. What has arrived in the datastore must not fail for that.
 */
static void drop_detached(const Put *put)
{
    g_autofree gchar *state = tm_vm_value(put->front, put->vmid, "/VM/LCM_STATE");
    if (g_strcmp0(state, LCM_HOTPLUG) != 0 && g_strcmp0(state, LCM_HOTPLUG_EPILOG_POWEROFF) != 0)
        return;
    g_autoptr(GError) failure = NULL;
    if (!tm_do(put->front, put->place->host,
               tm_shell("exec rm -rf -- \"$1\" \"$1.snap\"", put->place->path, NULL), &failure))
        log_warn("VM %s: %s stays on %s: %s", put->vmid, put->place->path, put->place->host,
                 failure->message);
}

static gboolean put_back(const Put *put, GError **error)
{
    if (put->place->disk < 0)
        return front_usage(error, "tm mvds|cpds HOST:…/disk.N SOURCE … VMID DATASTORE");
    if (put->source->kind == TM_FILE)
        return put_file(put, error);
    if (put->place->disk == 0)
        return put_root(put, error);
    return tm_refuse(error, "disk %d of VM %s is a file, and %s names a container's image",
                     put->place->disk, put->vmid, put->source->text);
}

/* mvds HOST:PLACE SOURCE VMID DATASTORE: what was written to a persistent image. */
gboolean front_tm_mvds(Front *front, int argc, char **argv, GError **error)
{
    if (argc != 5)
        return front_usage(error, "tm mvds HOST:PLACE SOURCE VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[1], argv[3], error);
    g_autoptr(TmSource) source = place ? tm_source_parse(argv[2], argv[4], error) : NULL;
    Put put = {front, place, source, argv[3], argv[4], "-1"};
    if (!source)
        return FALSE;
    gboolean root = source->kind != TM_FILE && place->disk == 0;
    if ((root && !put_snapshots(&put, error)) || !put_back(&put, error))
        return FALSE;
    if (source->kind != TM_FILE)
        return TRUE;
    if (!put_copies(&put, error))
        return FALSE;
    drop_detached(&put);
    return TRUE;
}

/* cpds HOST:PLACE SOURCE SNAPSHOT VMID DATASTORE: the same into an image of its own; SNAPSHOT is -1
 * for the disk as it is. */
gboolean front_tm_cpds(Front *front, int argc, char **argv, GError **error)
{
    if (argc != 6)
        return front_usage(error, "tm cpds HOST:PLACE SOURCE SNAPSHOT VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[1], argv[4], error);
    g_autoptr(TmSource) source = place ? tm_source_parse(argv[2], argv[5], error) : NULL;
    Put put = {front, place, source, argv[4], argv[5], argv[3]};
    return source && (!is_snapshot(&put) || tm_number(argv[3], "snapshot's number", error)) &&
           put_back(&put, error);
}

/* ---- monitor ----------------------------------------------------------------------------------*/

static gboolean print_space(const char *path, GError **error)
{
    struct statvfs fs;
    const guint64 mib = G_GUINT64_CONSTANT(1024) * 1024;
    if (statvfs(path, &fs) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot look at %s", path);
        return FALSE;
    }
    g_autofree gchar *text = g_strdup_printf(
        "USED_MB=%" G_GUINT64_FORMAT "\nTOTAL_MB=%" G_GUINT64_FORMAT "\nFREE_MB=%" G_GUINT64_FORMAT
        "\n",
        (guint64)(fs.f_blocks - fs.f_bfree) * fs.f_frsize / mib,
        (guint64)fs.f_blocks * fs.f_frsize / mib, (guint64)fs.f_bavail * fs.f_frsize / mib);
    return shim_print(text, error);
}

/* The first host that answers speaks for all. */
static gboolean print_space_of_hosts(Front *front, const char *list, GError **error)
{
    g_auto(GStrv) hosts = g_strsplit_set(list, " ,", -1);
    g_autoptr(GError) failure = NULL;
    for (gsize i = 0; hosts[i]; i++) {
        if (!*hosts[i] || !tm_host(hosts[i]))
            continue;
        g_clear_error(&failure);
        g_autofree gchar *text = tm_ask(front, hosts[i], tm_one("disk_space", NULL), &failure);
        if (text)
            return shim_print(text, error);
    }
    if (!failure)
        return tm_refuse(error, "BRIDGE_LIST names no host");
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

/*
 * monitor DATASTORE, the datastore's XML in base64 on stdin. With BRIDGE_LIST, the storage of those
 * nodes' engines, where disk 0 of every VM lives; else the file system of the datastore's folder on
 * the front end. Where SHARED is NO each node reports its own, and nothing is printed here.
 */
gboolean front_tm_monitor(Front *front, int argc, char **argv, GError **error)
{
    if (argc != 2)
        return front_usage(error, "tm monitor DATASTORE");
    gsize length = 0;
    if (!tm_number(argv[1], "datastore's id", error))
        return FALSE;
    g_autofree gchar *text = shim_read(NULL, front->config->xml_max_bytes * 2, &length, error);
    if (!text)
        return FALSE;
    g_autofree guchar *xml = g_base64_decode(text, &length);
    const char *plain = (const char *)xml;
    g_autofree gchar *shared = tm_xml_value(plain, length, "//DATASTORE/TEMPLATE/SHARED", error);
    if (error && *error)
        return FALSE;
    if (shared && g_ascii_strcasecmp(shared, "NO") == 0)
        return TRUE;
    g_autofree gchar *hosts = tm_xml_value(plain, length, "//DATASTORE/TEMPLATE/BRIDGE_LIST", NULL);
    if (hosts)
        return print_space_of_hosts(front, hosts, error);
    g_autofree gchar *path = tm_xml_value(plain, length, "//DATASTORE/BASE_PATH", NULL);
    if (!path)
        return tm_refuse(error, "the datastore's XML has no BASE_PATH");
    if (g_mkdir_with_parents(path, 0750) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make %s", path);
        return FALSE;
    }
    return print_space(path, error);
}

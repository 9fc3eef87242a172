// SPDX-License-Identifier: Apache-2.0
/* clone, ln, delete, mkimage, mkswap, resize, and the snapshots of one disk. */
#include "front_tm.h"

#include "driver/autoptr.h"
#include "driver/datastore_source.h"
#include "driver/error.h"
#include "driver/image_archive.h"
#include "driver/image_ref.h"
#include "driver/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- clone and ln -----------------------------------------------------------------------------*/

/* Made first: the front end moves and removes the folder whatever is in it. */
static gboolean hold(const Front *front, const TmPlace *place, const char *vmid, const char *image,
                     const char *how, GError **error)
{
    return tm_make_folder(front, place, error) &&
           tm_carry(front, place->host, tm_one("disk_hold", vmid, image, how, NULL), -1, -1, error);
}

/* A datastore's own image that has a tag is one that VMs write to. */
static const char *how_to_fetch(const TmSource *source, gboolean in_place)
{
    g_autoptr(ImageRef) ref = image_ref_parse(source->text, NULL);
    if (in_place)
        return "in-place";
    return ref && !ref->digest && tm_has_snapshots(source) ? "anew" : NULL;
}

/* An image that the node has already is known by its id: no bytes move. */
static gboolean hold_archive(const Front *front, const TmPlace *place, const char *vmid,
                             const char *path, GError **error)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return FALSE;
    }
    g_autofree gchar *id = image_archive_id(fd, error);
    if (!id) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }
    g_autoptr(GError) failure = NULL;
    if (hold(front, place, vmid, id, NULL, &failure))
        return TRUE;
    if (!vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (lseek(fd, 0, SEEK_SET) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return FALSE;
    }
    log_info("VM %s: sending image %s to %s", vmid, path, place->host);
    return tm_carry(front, place->host, tm_one("disk_load", vmid, NULL), fd, -1, error);
}

static gboolean bring_snapshot(const Front *front, const TmPlace *place, const char *vmid,
                               const TmSource *snapshot, const char *number, GError **error)
{
    if (snapshot->kind == TM_REFERENCE)
        return tm_carry(front, place->host,
                        tm_one("disk_snapshot_hold", vmid, number, snapshot->text, NULL), -1, -1,
                        error);
    autofd int fd = open(snapshot->text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        return tm_carry(front, place->host, tm_one("disk_snapshot_load", vmid, number, NULL), fd,
                        -1, error);
    vmdock_error_errno(error, errno == ENOENT ? VMDOCK_ERROR_NO_IMAGE : VMDOCK_ERROR_IO, errno,
                       "cannot read %s", snapshot->text);
    return FALSE;
}

/* A persistent image has those of its earlier VMs; one that is lost must not keep the VM from
 * starting. */
static gboolean bring_snapshots(const Front *front, const TmPlace *place, const char *vmid,
                                const TmSource *source, GError **error)
{
    g_autoptr(GError) unknown = NULL;
    g_auto(GStrv) numbers =
        tm_has_snapshots(source) ? tm_vm_snapshots(front, vmid, 0, &unknown) : NULL;
    if (unknown)
        log_warn("VM %s: snapshots of its disk 0 are not brought: %s", vmid, unknown->message);
    for (gsize i = 0; numbers && numbers[i]; i++) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(TmSource) snapshot = tm_snapshot_source(source, numbers[i]);
        if (bring_snapshot(front, place, vmid, snapshot, numbers[i], &failure))
            continue;
        if (!vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                       "snapshot %s: ", numbers[i]);
            return FALSE;
        }
        log_warn("VM %s: snapshot %s is lost: %s", vmid, numbers[i], failure->message);
    }
    return TRUE;
}

/* The same of a disk that is a file: copies beside it, here and there. */
static gboolean bring_copies(const Front *front, const TmPlace *place, const char *vmid,
                             const TmSource *source, GError **error)
{
    g_autofree gchar *folder = datastore_snapshot_folder(source->text);
    g_auto(GStrv) numbers = g_file_test(folder, G_FILE_TEST_IS_DIR)
                                ? tm_vm_snapshots(front, vmid, place->disk, error)
                                : g_new0(gchar *, 1);
    for (gsize i = 0; numbers && numbers[i]; i++) {
        g_autofree gchar *from = g_build_filename(folder, numbers[i], NULL);
        g_autofree gchar *to = g_strconcat(place->path, ".snap/", numbers[i], NULL);
        TmPlace copy = *place;
        copy.path = to;
        if (!g_file_test(from, G_FILE_TEST_IS_REGULAR))
            log_warn("VM %s: snapshot %s of disk %d is lost: there is no %s", vmid, numbers[i],
                     place->disk, from);
        else if (!tm_put_file(front, from, &copy, "644", error))
            return FALSE;
    }
    return numbers != NULL;
}

/* OpenNebula's number of the state in which the disk of a running VM is resized. */
#define LCM_DISK_RESIZE "62"

/* As qemu knows its own; a raw file gets its new end, and is never made smaller. */
#define GROW                                                                                       \
    "if [ \"$(head -c 3 -- \"$1\")\" = QFI ]; then exec qemu-img resize -q -f qcow2 \"$1\" "       \
    "\"$2M\"; else exec truncate -s \">$2M\" -- \"$1\"; fi"

/* There is no resize before the first boot: a clone that was asked to be larger becomes so here. */
static gboolean grow_clone(const Front *front, const TmPlace *place, const char *vmid,
                           GError **error)
{
    g_autofree gchar *disk = g_strdup_printf("/VM/TEMPLATE/DISK[DISK_ID=%d]", place->disk);
    g_autofree gchar *at = g_strconcat(disk, "[SIZE > ORIGINAL_SIZE]/SIZE", NULL);
    g_autofree gchar *size = tm_vm_value(front, vmid, at);
    if (!size)
        return TRUE;
    return tm_number(size, "size in MB", error) &&
           tm_do(front, place->host, tm_shell(GROW, place->path, size, NULL), error);
}

static gboolean bring(Front *front, int argc, char **argv, gboolean in_place, GError **error)
{
    if (argc != 5)
        return front_usage(error, "tm clone|ln FE:SOURCE HOST:PLACE VMID DATASTORE");
    g_autoptr(TmSource) source = tm_source_parse(argv[1], argv[4], error);
    g_autoptr(TmPlace) place = source ? tm_place_parse(argv[2], argv[3], error) : NULL;
    if (!place)
        return FALSE;
    if (place->disk < 0)
        return front_usage(error, "tm clone|ln FE:SOURCE HOST:…/disk.N VMID DATASTORE");
    if (source->kind == TM_FILE)
        return tm_put_file(front, source->text, place, "644", error) &&
               (in_place ? bring_copies(front, place, argv[3], source, error)
                         : grow_clone(front, place, argv[3], error));
    if (place->disk != 0)
        return tm_refuse(error,
                         "disk %d of VM %s is a container's image: that can be a VM's first disk "
                         "only",
                         place->disk, argv[3]);
    gboolean held =
        source->kind == TM_ARCHIVE
            ? hold_archive(front, place, argv[3], source->text, error)
            : hold(front, place, argv[3], source->text, how_to_fetch(source, in_place), error);
    return held && (!in_place || bring_snapshots(front, place, argv[3], source, error));
}

gboolean front_tm_clone(Front *front, int argc, char **argv, GError **error)
{
    return bring(front, argc, argv, FALSE, error);
}

/* A persistent image is used in place: what is written comes back with mvds. */
gboolean front_tm_ln(Front *front, int argc, char **argv, GError **error)
{
    return bring(front, argc, argv, TRUE, error);
}

/* ---- delete -----------------------------------------------------------------------------------*/

/*
 * delete HOST:PLACE VMID DATASTORE: a disk, or, last, the VM's folder. With disk 0, and with the
 * folder, everything of the VM goes: of a container that died by itself nothing else is told.
 */
gboolean front_tm_delete(Front *front, int argc, char **argv, GError **error)
{
    if (argc != 4)
        return front_usage(error, "tm delete HOST:PLACE VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[1], argv[2], error);
    if (!place)
        return FALSE;
    if (place->disk <= 0 && !tm_purge(front, place->host, argv[2], error))
        return FALSE;
    static const char of_disk[] = "exec rm -rf -- \"$1\" \"$1.snap\" \"$1.part\" \"$1.tar\" "
                                  "\"$1.tar.part\"";
    static const char of_folder[] = "exec rm -rf -- \"$1\"";
    return tm_do(front, place->host,
                 tm_shell(place->disk >= 0 ? of_disk : of_folder, place->path, NULL), error);
}

/* ---- volatile disks ---------------------------------------------------------------------------*/

/* mkimage MB FORMAT HOST:PLACE VMID DATASTORE. Its file system is made when it is first used. */
gboolean front_tm_mkimage(Front *front, int argc, char **argv, GError **error)
{
    static const char raw[] = "umask 022; mkdir -p -- \"${1%/*}\" && rm -f -- \"$1\" && "
                              "{ truncate -s \"$2M\" -- \"$1\" || { rm -f -- \"$1\"; exit 1; }; }";
    static const char qcow2[] =
        "umask 022; mkdir -p -- \"${1%/*}\" && rm -f -- \"$1\" && "
        "{ qemu-img create -q -f qcow2 \"$1\" \"$2M\" || { rm -f -- \"$1\"; exit 1; }; }";
    if (argc != 6)
        return front_usage(error, "tm mkimage MB FORMAT HOST:PLACE VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[3], argv[4], error);
    if (!place || !tm_number(argv[1], "size in MB", error))
        return FALSE;
    if (place->disk < 0)
        return front_usage(error, "tm mkimage MB FORMAT HOST:…/disk.N VMID DATASTORE");
    gboolean is_qcow2 = strcmp(argv[2], "qcow2") == 0;
    if (!is_qcow2 && strcmp(argv[2], "raw") != 0) {
        g_autofree gchar *shown = vmdock_one_line(argv[2], 40);
        return tm_refuse(error, "disk %d of VM %s: a volatile disk can be raw or qcow2, not %s",
                         place->disk, argv[4], shown);
    }
    return tm_do(front, place->host, tm_shell(is_qcow2 ? qcow2 : raw, place->path, argv[1], NULL),
                 error);
}

/* mkswap MB HOST:PLACE VMID DATASTORE */
gboolean front_tm_mkswap(Front *front G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    if (argc != 5)
        return front_usage(error, "tm mkswap MB HOST:PLACE VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[2], argv[3], error);
    return place && tm_refuse(error,
                              "disk %d of VM %s is swap space, which a container cannot have of "
                              "its own; give the VM more MEMORY instead",
                              place->disk, argv[3]);
}

/* With a VM that runs, the hypervisor makes the file larger, and all that stands on it. */
static gboolean left_to_hypervisor(const Front *front, const char *vmid)
{
    g_autofree gchar *state = tm_vm_value(front, vmid, "/VM/LCM_STATE");
    return g_strcmp0(state, LCM_DISK_RESIZE) == 0;
}

/* resize HOST:PLACE MB VMID DATASTORE */
gboolean front_tm_resize(Front *front, int argc, char **argv, GError **error)
{
    if (argc != 5)
        return front_usage(error, "tm resize HOST:PLACE MB VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[1], argv[3], error);
    if (!place || !tm_number(argv[2], "size in MB", error))
        return FALSE;
    if (place->disk == 0)
        return tm_refuse(error,
                         "disk 0 of VM %s is the container's root, whose size the engine sets "
                         "when it makes the container and cannot change: attach a further disk, or "
                         "save disk 0 as an image (disk-saveas) and start a new VM of it with the "
                         "SIZE wanted",
                         argv[3]);
    return left_to_hypervisor(front, argv[3]) ||
           tm_do(front, place->host, tm_shell(GROW, place->path, argv[2], NULL), error);
}

/* ---- snapshots of one disk --------------------------------------------------------------------*/

typedef struct {
    const char *verb;   /* of vmdock-one, for disk 0 */
    const char *script; /* for a file "$1" and the snapshot "$2" */
} SnapshotAction;

static gboolean on_snapshot(Front *front, int argc, char **argv, const SnapshotAction *action,
                            GError **error)
{
    if (argc != 5)
        return front_usage(error, "tm snap_… HOST:PLACE SNAPSHOT VMID DATASTORE");
    g_autoptr(TmPlace) place = tm_place_parse(argv[1], argv[3], error);
    if (!place || !tm_number(argv[2], "snapshot's number", error))
        return FALSE;
    if (place->disk == 0)
        return tm_carry(front, place->host, tm_one(action->verb, argv[3], argv[2], NULL), -1, -1,
                        error);
    if (place->disk > 0 && action->script)
        return tm_carry(front, place->host, tm_shell(action->script, place->path, argv[2], NULL),
                        -1, -1, error);
    return tm_refuse(error, "disk %d of VM %s is a file in use: stop the VM for a snapshot of it",
                     place->disk, argv[3]);
}

#define COPY(from, to)                                                                             \
    "cp --sparse=always -- \"" from "\" \"" to ".part\" && mv -f -- \"" to ".part\" \"" to         \
    "\" || { rm -f -- \"" to ".part\"; exit 1; }"

gboolean front_tm_snap_create(Front *front, int argc, char **argv, GError **error)
{
    static const SnapshotAction action = {"disk_snapshot",
                                          "mkdir -p -- \"$1.snap\" && " COPY("$1", "$1.snap/$2")};
    return on_snapshot(front, argc, argv, &action, error);
}

gboolean front_tm_snap_create_live(Front *front, int argc, char **argv, GError **error)
{
    static const SnapshotAction action = {"disk_snapshot", NULL};
    return on_snapshot(front, argc, argv, &action, error);
}

gboolean front_tm_snap_revert(Front *front, int argc, char **argv, GError **error)
{
    static const SnapshotAction action = {"disk_revert", COPY("$1.snap/$2", "$1")};
    return on_snapshot(front, argc, argv, &action, error);
}

gboolean front_tm_snap_delete(Front *front, int argc, char **argv, GError **error)
{
    static const SnapshotAction action = {"disk_snapshot_delete", "exec rm -f -- \"$1.snap/$2\""};
    return on_snapshot(front, argc, argv, &action, error);
}

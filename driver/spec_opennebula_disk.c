// SPDX-License-Identifier: Apache-2.0
/*
 * The disks beside disk 0. Contract: the transfer driver has put each as the file
 * <datastores>/<HISTORY/DS_ID>/<VM id>/disk.<DISK_ID> on the node, the place from which KVM's
 * deploy takes it too.
 */
#include "spec_opennebula_private.h"

#include "image_ref.h"

#include <string.h>

enum {
    MAX_DISK = 100000,
    MAX_DATASTORE = 1000000000,
    MAX_DISKS = 64, /* the runtime takes no more */
    MAX_WORD = 32,
    MAX_MOUNT_POINT = 1024,
};

#define DEFAULT_FS "ext4"

/* One DISK while it is being read. */
typedef struct {
    OneVm *one;
    const xmlNode *node;
    const char *id;
    VmDisk *disk;
} OneDisk;

static gboolean is_word(const char *text)
{
    gsize length = strlen(text);
    for (const char *p = text; *p; p++)
        if (!g_ascii_isalnum(*p))
            return FALSE;
    return length > 0 && length <= MAX_WORD;
}

static gboolean named(const char *text, const char *word)
{
    return text && g_ascii_strcasecmp(text, word) == 0;
}

/* The last of the VM's histories tells where its files are. NULL when there is none. */
static gchar *system_datastore(const OneVm *one, GError **error)
{
    g_autoptr(GPtrArray) vm = g_ptr_array_new();
    g_ptr_array_add(vm, (gpointer)one->vm);
    g_autoptr(GPtrArray) records = one_children(vm, "HISTORY_RECORDS");
    g_autoptr(GPtrArray) histories = one_children(records, "HISTORY");
    g_autofree gchar *found = NULL;
    guint64 newest = 0;
    for (guint i = 0; i < histories->len; i++) {
        g_autofree gchar *text = xml_text(histories->pdata[i], "SEQ");
        g_autofree gchar *id = xml_text(histories->pdata[i], "DS_ID");
        guint64 number = 0, datastore;
        if (!id ||
            (text && !spec_number("HISTORY/SEQ", text, "a record", 0, G_MAXUINT32, &number, error)))
            continue;
        if (found && number < newest)
            continue;
        if (!spec_number("HISTORY/DS_ID", id, "a datastore", 0, MAX_DATASTORE, &datastore, error))
            return NULL;
        newest = number;
        g_free(found);
        found = g_strdup_printf("%" G_GUINT64_FORMAT, datastore);
    }
    return g_steal_pointer(&found);
}

/* What the disk is, when it is nothing that a container can have; else NULL. */
static const char *unfit(const OneDisk *it)
{
    g_autofree gchar *type = xml_text(it->node, "TYPE");
    g_autofree gchar *storage = xml_text(it->node, "DISK_TYPE");
    g_autofree gchar *source = xml_text(it->node, "SOURCE");
    if (named(type, "swap"))
        return "a container has no swap device of its own; ONEDOCK_SWAP gives the VM swap";
    if (source && image_ref_is_url(source))
        return "an image of a container can be disk 0 alone";
    if ((storage && !named(storage, "FILE")) ||
        (type && !named(type, "FILE") && !named(type, "CDROM") && !named(type, "fs")))
        return "only disks that are files can be given to a container";
    return NULL;
}

static gboolean parse_place(OneDisk *it, GError **error)
{
    VmDisk *disk = it->disk;
    g_autofree gchar *target = xml_text(it->node, "TARGET");
    g_autofree gchar *label = g_strdup_printf("ONEDOCK_MOUNT of disk %s", it->id);
    if (target && !is_word(target)) {
        g_autofree gchar *shown = spec_shown(target);
        return spec_fail(error, "disk %s: \"%s\" is no TARGET of a disk", it->id, shown);
    }
    disk->target = target ? g_steal_pointer(&target) : g_strdup_printf("disk%s", it->id);
    disk->mount_point = xml_text(it->node, "ONEDOCK_MOUNT");
    if (!disk->mount_point)
        disk->mount_point = g_strconcat("/mnt/", disk->target, NULL);
    if (strlen(disk->mount_point) > MAX_MOUNT_POINT)
        return spec_fail(error, "%s is longer than %d bytes", label, MAX_MOUNT_POINT);
    return spec_check_path(label, disk->mount_point, error);
}

static gboolean set_fs(OneDisk *it, const char *fs, GError **error)
{
    if (is_word(fs)) {
        it->disk->make_fs = g_ascii_strdown(fs, -1);
        return TRUE;
    }
    g_autofree gchar *shown = spec_shown(fs);
    return spec_fail(error, "disk %s: \"%s\" is no name of a file system", it->id, shown);
}

/*
 * A volatile disk has nothing to lose, so it gets a file system unasked; in OpenNebula 4.14 its
 * FORMAT names one. On an image's disk one is made only when it is asked for in vmdock's own word.
 */
static gboolean parse_content(OneDisk *it, GError **error)
{
    g_autofree gchar *type = xml_text(it->node, "TYPE");
    g_autofree gchar *format = xml_text(it->node, "FORMAT");
    g_autofree gchar *driver = xml_text(it->node, "DRIVER");
    g_autofree gchar *fs = xml_text(it->node, "FS");
    g_autofree gchar *asked = xml_text(it->node, "ONEDOCK_FS");
    gboolean known = named(driver, "raw") || named(driver, "qcow2");
    gboolean qcow2 = named(known ? driver : format, "qcow2");
    it->disk->format = qcow2 ? VM_DISK_QCOW2 : VM_DISK_RAW;
    if (asked)
        return set_fs(it, asked, error);
    if (!named(type, "fs"))
        return TRUE;
    if (!fs && format && !named(format, "raw") && !named(format, "qcow2"))
        return set_fs(it, format, error);
    return set_fs(it, fs ? fs : DEFAULT_FS, error);
}

static gboolean parse_access(OneDisk *it, GError **error)
{
    g_autofree gchar *type = xml_text(it->node, "TYPE");
    g_autofree gchar *read_only = xml_text(it->node, "READONLY");
    g_autofree gchar *label = g_strdup_printf("READONLY of disk %s", it->id);
    it->disk->optical = named(type, "CDROM");
    if (read_only && !spec_flag(label, read_only, &it->disk->read_only, error))
        return FALSE;
    it->disk->read_only = it->disk->read_only || it->disk->optical;
    return TRUE;
}

/* NAME alone, or one of TOTAL, which is then noted. */
static gboolean parse_rate(OneDisk *it, const char *name, gint64 *rate, GError **error)
{
    g_autofree gchar *text = xml_text(it->node, name);
    g_autofree gchar *label = g_strdup_printf("%s of disk %s", name, it->id);
    guint64 number = 0;
    if (text && !spec_number(label, text, "a rate", 0, G_MAXINT64, &number, error))
        return FALSE;
    *rate = (gint64)number;
    return TRUE;
}

static gint64 stricter(gint64 own, gint64 total)
{
    return own == 0 || (total != 0 && total < own) ? total : own;
}

static gboolean parse_rates(OneDisk *it, const char *unit, gint64 *read, gint64 *write,
                            GError **error)
{
    g_autofree gchar *reading = g_strdup_printf("READ_%s_SEC", unit);
    g_autofree gchar *writing = g_strdup_printf("WRITE_%s_SEC", unit);
    g_autofree gchar *both = g_strdup_printf("TOTAL_%s_SEC", unit);
    gint64 total;
    if (!parse_rate(it, reading, read, error) || !parse_rate(it, writing, write, error) ||
        !parse_rate(it, both, &total, error))
        return FALSE;
    *read = stricter(*read, total);
    *write = stricter(*write, total);
    if (total > 0)
        one_note(it->one,
                 "%s of disk %s holds for reading and for writing, not for their sum: the kernel "
                 "counts them apart",
                 both, it->id);
    return TRUE;
}

static gboolean parse_limits(OneDisk *it, VmDiskLimits *limits, GError **error)
{
    return parse_rates(it, "BYTES", &limits->read_bytes, &limits->write_bytes, error) &&
           parse_rates(it, "IOPS", &limits->read_ops, &limits->write_ops, error);
}

gboolean one_parse_root_limits(OneVm *one, GError **error)
{
    /* What the container's root is called, whatever its number. */
    g_autofree gchar *id = g_strdup("0");
    OneDisk it = {one, one->root_disk, id, NULL};
    return parse_limits(&it, &one->spec->root_limits, error);
}

static gboolean parse_disk(OneDisk *it, const char *datastore, GError **error)
{
    VmDisk *disk = it->disk;
    guint64 id;
    if (!spec_number("DISK_ID", it->id, "a disk", 0, MAX_DISK, &id, error))
        return FALSE;
    disk->id = (guint)id;
    disk->source = g_strdup_printf("%s/%s/disk.%u", datastore, it->one->spec->cloud_id, disk->id);
    return parse_place(it, error) && parse_content(it, error) && parse_access(it, error) &&
           parse_limits(it, &disk->limits, error);
}

/*
 * A VM with a swap disk counts on memory that it would not have, and so it is not started. With a
 * system datastore of OpenNebula's own the deploy is the first that vmdock hears of the disk.
 */
static void refuse_swap(const OneDisk *it)
{
    g_autofree gchar *type = xml_text(it->node, "TYPE");
    VmSpec *spec = it->one->spec;
    if (named(type, "swap") && !spec->refused)
        spec->refused = g_strdup_printf("disk %s is swap space, which a container cannot have of "
                                        "its own; ONEDOCK_SWAP gives the VM swap",
                                        it->id);
}

gboolean one_parse_disks(OneVm *one, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *datastore = system_datastore(one, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (one->more_disks->len > MAX_DISKS)
        return spec_fail(error, "the VM has more than %d disks", MAX_DISKS);
    for (guint i = 0; i < one->more_disks->len; i++) {
        const xmlNode *node = one->more_disks->pdata[i];
        g_autofree gchar *id = xml_text(node, "DISK_ID");
        g_autofree gchar *target = xml_text(node, "TARGET");
        g_autoptr(VmDisk) disk = g_new0(VmDisk, 1);
        OneDisk it = {one, node, id, disk};
        const char *why = unfit(&it);
        refuse_swap(&it);
        if (!why && !datastore)
            why = "the VM's HISTORY names no system datastore";
        if (why) {
            one_note(one, ONE_DISK_NOTE "%s", id, target ? target : "no target", why);
            continue;
        }
        if (!parse_disk(&it, datastore, error))
            return FALSE;
        g_ptr_array_add(one->spec->disks, g_steal_pointer(&disk));
    }
    return TRUE;
}

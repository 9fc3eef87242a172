// SPDX-License-Identifier: Apache-2.0
/* The disks beside disk 0: what a template says of them, what is refused, and their way to JSON. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/spec_opennebula.h"

#include <string.h>

#define DISK(id, more)   "<DISK><DISK_ID>" id "</DISK_ID>" more "</DISK>"
#define ROOT             DISK("0", "<SOURCE>docker://boat</SOURCE>")
#define FILE_DISK        "<TARGET>vdb</TARGET><TYPE>FILE</TYPE>"
#define HISTORY(seq, id) "<HISTORY><SEQ>" seq "</SEQ><DS_ID>" id "</DS_ID></HISTORY>"

static VmSpec *parse_all(const char *root, const char *template, const char *histories,
                         GError **error)
{
    static const OpennebulaOptions options = {.max_size = 4194304, .terminal = TRUE};
    g_autofree gchar *xml = g_strdup_printf(
        "<VM><ID>42</ID><NAME>boat</NAME><TEMPLATE><CPU>1</CPU><MEMORY>64</MEMORY>"
        "%s%s</TEMPLATE><USER_TEMPLATE><ONEDOCK_TMPFS>/tmp/x</ONEDOCK_TMPFS></USER_TEMPLATE>"
        "<HISTORY_RECORDS>%s</HISTORY_RECORDS></VM>",
        root, template, histories);
    return spec_from_opennebula(xml, strlen(xml), &options, error);
}

static VmSpec *parse_with(const char *template, const char *histories, GError **error)
{
    return parse_all(ROOT, template, histories, error);
}

static VmSpec *parse(const char *template)
{
    g_autoptr(GError) error = NULL;
    VmSpec *spec = parse_with(template, HISTORY("0", "102"), &error);
    g_assert_no_error(error);
    return spec;
}

static gboolean told(const VmSpec *spec, const char *words)
{
    for (guint i = 0; i < spec->not_honoured->len; i++)
        if (strstr(spec->not_honoured->pdata[i], words))
            return TRUE;
    return FALSE;
}

static void test_plain(void)
{
    g_autoptr(VmSpec) spec = parse(DISK("3", FILE_DISK) DISK(
        "1", "<TYPE>FILE</TYPE><TARGET>sdb</TARGET><DRIVER>qcow2</DRIVER><READONLY>YES</READONLY>"
             "<ONEDOCK_MOUNT>/srv/data</ONEDOCK_MOUNT><FORMAT>raw</FORMAT>"));
    g_assert_cmpuint(spec->disks->len, ==, 2);
    const VmDisk *one = spec->disks->pdata[0], *three = vm_spec_disk(spec, 3);
    g_assert_cmpuint(one->id, ==, 1);
    g_assert_cmpstr(one->source, ==, "102/42/disk.1");
    g_assert_cmpstr(one->target, ==, "sdb");
    g_assert_cmpstr(one->mount_point, ==, "/srv/data");
    g_assert_cmpint(one->format, ==, VM_DISK_QCOW2);
    g_assert_true(one->read_only && !one->optical);
    g_assert_cmpstr(one->make_fs, ==, NULL);
    g_assert_cmpstr(three->mount_point, ==, "/mnt/vdb");
    g_assert_cmpint(three->format, ==, VM_DISK_RAW);
    g_assert_false(three->read_only);
    g_assert_cmpuint(spec->not_honoured->len, ==, 0);
    g_assert_null(vm_spec_disk(spec, 2));
}

static void test_file_systems(void)
{
    static const struct {
        const char *disk, *fs;
        VmDiskFormat format;
    } rows[] = {
        {"<TYPE>fs</TYPE><FORMAT>raw</FORMAT><FS>xfs</FS>", "xfs", VM_DISK_RAW},
        {"<TYPE>fs</TYPE><FORMAT>qcow2</FORMAT><FS>EXT4</FS>", "ext4", VM_DISK_QCOW2},
        {"<TYPE>fs</TYPE><FORMAT>raw</FORMAT>", "ext4", VM_DISK_RAW},
        {"<TYPE>fs</TYPE><FORMAT>ext3</FORMAT>", "ext3", VM_DISK_RAW}, /* 4.14 */
        {"<TYPE>fs</TYPE><FORMAT>qcow2</FORMAT><DRIVER>raw</DRIVER>", "ext4", VM_DISK_RAW},
        {"<TYPE>FILE</TYPE><FS>ext4</FS>", NULL, VM_DISK_RAW},
        {"<TYPE>FILE</TYPE><ONEDOCK_FS>ext2</ONEDOCK_FS>", "ext2", VM_DISK_RAW},
        {"<TYPE>CDROM</TYPE><DRIVER>tap:aio</DRIVER>", NULL, VM_DISK_RAW},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *xml = g_strdup_printf(DISK("1", "%s"), rows[i].disk);
        g_autoptr(VmSpec) spec = parse(xml);
        const VmDisk *disk = vm_spec_disk(spec, 1);
        g_assert_cmpstr(disk->make_fs, ==, rows[i].fs);
        g_assert_cmpint(disk->format, ==, rows[i].format);
        g_assert_cmpstr(disk->mount_point, ==, "/mnt/disk1");
        g_assert_cmpint(disk->optical, ==, strstr(rows[i].disk, "CDROM") != NULL);
        g_assert_cmpint(disk->read_only, ==, disk->optical);
    }
}

static void test_limits(void)
{
    g_autoptr(VmSpec) spec = parse(DISK("1", FILE_DISK "<TOTAL_BYTES_SEC>1000</TOTAL_BYTES_SEC>"
                                                       "<READ_BYTES_SEC>10</READ_BYTES_SEC>"
                                                       "<WRITE_IOPS_SEC>7</WRITE_IOPS_SEC>"
                                                       "<SIZE_IOPS_SEC>4096</SIZE_IOPS_SEC>"));
    const VmDiskLimits *limits = &vm_spec_disk(spec, 1)->limits;
    g_assert_cmpint(limits->read_bytes, ==, 10);
    g_assert_cmpint(limits->write_bytes, ==, 1000);
    g_assert_cmpint(limits->read_ops, ==, 0);
    g_assert_cmpint(limits->write_ops, ==, 7);
    g_assert_true(told(spec, "TOTAL_BYTES_SEC of disk 1 holds for reading and for writing"));
    g_assert_true(told(spec, "disk 1: SIZE_IOPS_SEC is not honoured"));
}

static void test_root_limits(void)
{
    const char *const root =
        DISK("0", "<SOURCE>docker://boat</SOURCE><TOTAL_IOPS_SEC>300</TOTAL_IOPS_SEC>"
                  "<READ_BYTES_SEC>10</READ_BYTES_SEC>"
                  "<READ_BYTES_SEC_MAX>20</READ_BYTES_SEC_MAX>");
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = parse_all(root, "", HISTORY("0", "102"), &error);
    g_assert_no_error(error);
    g_assert_cmpint(spec->root_limits.read_bytes, ==, 10);
    g_assert_cmpint(spec->root_limits.write_bytes, ==, 0);
    g_assert_cmpint(spec->root_limits.read_ops, ==, 300);
    g_assert_cmpint(spec->root_limits.write_ops, ==, 300);
    g_assert_true(told(spec, "TOTAL_IOPS_SEC of disk 0 holds for reading and for writing"));
    g_assert_true(told(spec, "disk 0: READ_BYTES_SEC_MAX is not honoured"));
}

static void test_unfit(void)
{
    static const struct {
        const char *disk, *words;
    } rows[] = {
        {"<TYPE>swap</TYPE><TARGET>vdc</TARGET>",
         "DISK 1 (vdc) is not honoured: a container has no swap device"},
        {"<TYPE>FILE</TYPE><SOURCE>docker://x</SOURCE>", "DISK 1 (no target) is not honoured: an"},
        {"<TYPE>FILE</TYPE><DISK_TYPE>RBD</DISK_TYPE>", "only disks that are files"},
        {"<TYPE>BLOCK</TYPE>", "only disks that are files"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *xml = g_strdup_printf(DISK("1", "%s"), rows[i].disk);
        g_autoptr(VmSpec) spec = parse(xml);
        g_assert_cmpuint(spec->disks->len, ==, 0);
        g_assert_true(told(spec, rows[i].words));
        g_assert_cmpint(spec->refused != NULL, ==, i == 0);
    }
}

static void test_datastore(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) moved = parse_with(
        DISK("1", FILE_DISK), HISTORY("0", "7") HISTORY("2", "9") HISTORY("1", "8"), &error);
    g_assert_no_error(error);
    g_assert_cmpstr(vm_spec_disk(moved, 1)->source, ==, "9/42/disk.1");
    g_autoptr(VmSpec) nowhere = parse_with(DISK("1", FILE_DISK), "", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(nowhere->disks->len, ==, 0);
    g_assert_true(told(nowhere, "HISTORY names no system datastore"));
}

static void test_refused(void)
{
    static const struct {
        const char *disks, *words;
    } rows[] = {
        {DISK("1", "<TARGET>../etc</TARGET>"), "is no TARGET of a disk"},
        {DISK("1", "<ONEDOCK_MOUNT>data</ONEDOCK_MOUNT>"), "ONEDOCK_MOUNT of disk 1: \"data\""},
        {DISK("1", "<ONEDOCK_MOUNT>/a/../b</ONEDOCK_MOUNT>"), "no plain absolute path"},
        {DISK("1", "<ONEDOCK_MOUNT>/</ONEDOCK_MOUNT>"), "no plain absolute path"},
        {DISK("1", "<ONEDOCK_MOUNT>/proc/1</ONEDOCK_MOUNT>"), "nothing can be mounted on /proc/1"},
        {DISK("1", "<ONEDOCK_MOUNT>/sys</ONEDOCK_MOUNT>"), "nothing can be mounted on /sys"},
        {DISK("1", "<ONEDOCK_MOUNT>/tmp/x</ONEDOCK_MOUNT>"), "is a tmpfs of the VM"},
        {DISK("1", FILE_DISK) DISK("2", FILE_DISK), "disk 1 and disk 2 have one mount point"},
        {DISK("1", "<READONLY>maybe</READONLY>"), "READONLY of disk 1"},
        {DISK("1", "<TYPE>fs</TYPE><FS>ext4 -E x</FS>"), "is no name of a file system"},
        {DISK("1", "<ONEDOCK_FS>../../bin/sh</ONEDOCK_FS>"), "is no name of a file system"},
        {DISK("1", "<READ_BYTES_SEC>-1</READ_BYTES_SEC>"), "READ_BYTES_SEC of disk 1"},
        {DISK("1", "<TOTAL_IOPS_SEC>many</TOTAL_IOPS_SEC>"), "TOTAL_IOPS_SEC of disk 1"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(parse_with(rows[i].disks, HISTORY("0", "102"), &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        if (!strstr(error->message, rows[i].words))
            g_error("\"%s\" has no \"%s\" in it", error->message, rows[i].words);
    }
    g_autoptr(GError) error = NULL;
    g_assert_null(parse_with(DISK("1", FILE_DISK), HISTORY("0", "../../etc"), &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
}

static void test_json(void)
{
    g_autoptr(VmSpec) spec =
        parse(DISK("1", FILE_DISK "<DRIVER>qcow2</DRIVER><ONEDOCK_FS>xfs</ONEDOCK_FS>"
                                  "<READ_IOPS_SEC>9</READ_IOPS_SEC>"));
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = vm_spec_to_json(spec);
    g_autoptr(VmSpec) again = vm_spec_from_json(json, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) json_again = vm_spec_to_json(again);
    g_assert_true(json_equal(json, json_again));
    g_autoptr(VmDisk) copy = vm_disk_copy(vm_spec_disk(again, 1));
    g_assert_cmpstr(copy->make_fs, ==, "xfs");
    g_assert_cmpint(copy->limits.read_ops, ==, 9);
    json_t *disk = json_array_get(json_object_get(json, "disks"), 0);
    json_object_set_new(disk, "format", json_string("vmdk"));
    g_assert_null(vm_spec_from_json(json, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disks/plain", test_plain);
    g_test_add_func("/disks/file-systems", test_file_systems);
    g_test_add_func("/disks/limits", test_limits);
    g_test_add_func("/disks/root-limits", test_root_limits);
    g_test_add_func("/disks/unfit", test_unfit);
    g_test_add_func("/disks/datastore", test_datastore);
    g_test_add_func("/disks/refused", test_refused);
    g_test_add_func("/disks/json", test_json);
    return g_test_run();
}

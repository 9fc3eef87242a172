// SPDX-License-Identifier: Apache-2.0
/* What is pure of the volumes: headers of qcow2 files, places below the datastores, mountinfo. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/volume_private.h"

#include <string.h>
#include <sys/sysmacros.h>

/* A header in the making. */
typedef struct {
    guint8 bytes[QCOW2_HEADER_MAX];
} Header;

static void set_number(Header *header, gsize at, guint size, guint64 value)
{
    for (guint i = 0; i < size; i++)
        header->bytes[at + i] = (guint8)(value >> 8 * (size - 1 - i));
}

static Header version3(void)
{
    Header header = {{0}};
    set_number(&header, 0, 4, 0x514649fb);
    set_number(&header, 4, 4, 3);
    set_number(&header, 100, 4, 104);
    return header;
}

static void refuse(const Header *header, gsize length, const char *words)
{
    g_autoptr(GError) error = NULL;
    Qcow2Header parsed;
    g_assert_false(qcow2_header_parse(header->bytes, length, &parsed, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
    g_assert_nonnull(strstr(error->message, words));
}

static void test_header(void)
{
    Header header = version3();
    Qcow2Header parsed;
    g_assert_true(qcow2_header_parse(header.bytes, sizeof header.bytes, &parsed, NULL));
    g_assert_true(parsed.backing_offset == 0 && !parsed.external_data && !parsed.encrypted);
    set_number(&header, 8, 8, 512);
    set_number(&header, 16, 4, 12);
    set_number(&header, 32, 4, 2);
    set_number(&header, 72, 8, 4);
    set_number(&header, 104, 4, 0x6803f857); /* names of features: passed over */
    set_number(&header, 108, 4, 3);
    set_number(&header, 120, 4, 0xe2792aca);
    set_number(&header, 124, 4, 5);
    memcpy(header.bytes + 128, "qcow2", 5);
    g_assert_true(qcow2_header_parse(header.bytes, sizeof header.bytes, &parsed, NULL));
    g_assert_cmpuint(parsed.backing_offset, ==, 512);
    g_assert_cmpuint(parsed.backing_size, ==, 12);
    g_assert_cmpstr(parsed.backing_format, ==, "qcow2");
    g_assert_true(parsed.external_data && parsed.encrypted);
    /* version 2 has no features, and its extensions begin earlier */
    set_number(&header, 4, 4, 2);
    memset(header.bytes + 72, 0, 64);
    set_number(&header, 72, 4, 0xe2792aca);
    set_number(&header, 76, 4, 3);
    memcpy(header.bytes + 80, "raw", 3);
    g_assert_true(qcow2_header_parse(header.bytes, sizeof header.bytes, &parsed, NULL));
    g_assert_cmpstr(parsed.backing_format, ==, "raw");
    g_assert_false(parsed.external_data);
}

static void test_bad_header(void)
{
    Header header = version3();
    refuse(&header, 0, "does not begin like one");
    refuse(&header, 71, "does not begin like one");
    refuse(&header, 103, "neither 2 nor 3");
    set_number(&header, 4, 4, 4);
    refuse(&header, sizeof header.bytes, "neither 2 nor 3");
    header = version3();
    set_number(&header, 100, 4, 0xffffffff);
    refuse(&header, sizeof header.bytes, "length of its header");
    set_number(&header, 100, 4, 8);
    refuse(&header, sizeof header.bytes, "length of its header");
    header = version3();
    set_number(&header, 8, 8, 512);
    refuse(&header, sizeof header.bytes, "impossible length");
    set_number(&header, 16, 4, 1024);
    refuse(&header, sizeof header.bytes, "impossible length");
    header = version3();
    set_number(&header, 104, 4, 0xe2792aca);
    set_number(&header, 108, 4, 17);
    refuse(&header, sizeof header.bytes, "format of its backing file");
    set_number(&header, 108, 4, 0xffffffff);
    refuse(&header, sizeof header.bytes, "format of its backing file");
}

static void test_backing(void)
{
    static const struct {
        const char *name, *source;
    } rows[] = {
        {"/ds/1/base", "1/base"},
        {"//ds///1/base", "1/base"},
        {"base", "102/42/base"},
        {"disk.1.snap/../base:1", "102/42/disk.1.snap/../base:1"},
        {"/etc/shadow", NULL},
        {"/dsx/1", NULL},
        {"json:{}", NULL},
        {"nbd:host:1", NULL},
        {"nbd://host/x", NULL},
        {"a\nb", NULL},
        {"", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *source =
            qcow2_backing_source("/ds", "102/42/disk.1", rows[i].name, &error);
        g_assert_cmpstr(source, ==, rows[i].source);
        g_assert_true((error == NULL) == (source != NULL));
    }
    /* As somebody may write the place of the datastores. */
    g_autofree gchar *slashes = qcow2_backing_source("//ds/", "102/42/disk.1", "/ds//1/base", NULL);
    g_assert_cmpstr(slashes, ==, "1/base");
}

static void test_source(void)
{
    static const struct {
        const char *path, *source;
    } rows[] = {
        {"/var/lib/one//datastores/102/1/disk.7", "102/1/disk.7"},
        {"/var/lib/one/datastores/102", "102"},
        {"/var/lib/one/datastores/", NULL},
        {"/var/lib/one/datastores", NULL},
        {"/var/lib/one/datastoresx/1", NULL},
        {"/var/lib/one/datastores/../x", NULL},
        {"/var/lib/one/datastores/./x", NULL},
        {"var/lib/one/datastores/1", NULL},
        {"/etc/passwd", NULL},
        {"", NULL},
    };
    g_autoptr(Config) config = config_defaults();
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *source = volume_source(config, rows[i].path, NULL);
        g_assert_cmpstr(source, ==, rows[i].source);
    }
}

static void test_mountinfo(void)
{
    static const char text[] = "22 1 0:21 / /proc rw - proc proc rw\n"
                               "36 22 7:3 / /mnt/a\\040b rw,nodev - ext4 /dev/loop3 rw\n"
                               "37 22 7:31 / /mnt/c rw - ext4 /dev/loop31 rw\n"
                               "spoilt\n"
                               "38 22 7:3 / /mnt/d\\134 rw - ext4 /dev/loop3 rw";
    g_autoptr(GPtrArray) places = volume_mountinfo_parse(text, makedev(7, 3));
    g_assert_cmpuint(places->len, ==, 2);
    g_assert_cmpstr(places->pdata[0], ==, "/mnt/a b");
    g_assert_cmpstr(places->pdata[1], ==, "/mnt/d\\");
}

static void test_ext(void)
{
    guint8 bytes[EXT_SUPERBLOCK_SIZE] = {0};
    guint64 size = 0, count = 0;
    g_assert_false(ext_superblock_parse(bytes, &size, &count));
    bytes[56] = 0x53;
    bytes[57] = 0xef;
    bytes[5] = 0x80; /* 32768 */
    bytes[336] = 1;  /* means nothing yet */
    g_assert_true(ext_superblock_parse(bytes, &size, &count));
    g_assert_cmpuint(size, ==, 1024);
    g_assert_cmpuint(count, ==, 32768);
    bytes[96] = 0x80; /* 64 bits */
    bytes[24] = 2;
    g_assert_true(ext_superblock_parse(bytes, &size, &count));
    g_assert_cmpuint(size, ==, 4096);
    g_assert_cmpuint(count, ==, G_GUINT64_CONSTANT(0x100008000));
    bytes[339] = 1; /* more bytes than 64 bits can count */
    g_assert_false(ext_superblock_parse(bytes, &size, &count));
    bytes[339] = 0;
    bytes[24] = 7;
    g_assert_false(ext_superblock_parse(bytes, &size, &count));
}

/* ---- which devices came by iSCSI, on a made-up /sys ---- */

static void make_link(const char *sysfs, const char *name, const char *target)
{
    g_autofree gchar *folder = g_build_filename(sysfs, target, NULL);
    g_autofree gchar *link = g_build_filename(sysfs, name, NULL);
    g_autofree gchar *above = g_path_get_dirname(link);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(above, 0700), ==, 0);
    g_assert_cmpint(symlink(folder, link), ==, 0);
}

#define SESSION "devices/platform/host2/session1/target2:0:0/2:0:0:1/block/"
#define LOCAL   "devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/"

static void test_iscsi(void)
{
    g_autofree gchar *sysfs = g_dir_make_tmp("vmdock-test-XXXXXX", NULL);
    make_link(sysfs, "dev/block/8:0", LOCAL "sda");
    make_link(sysfs, "dev/block/8:16", SESSION "sdb");
    make_link(sysfs, "dev/block/253:0", "devices/virtual/block/dm-0");
    make_link(sysfs, "devices/virtual/block/dm-0/slaves/sdb", SESSION "sdb");
    make_link(sysfs, "dev/block/253:1", "devices/virtual/block/dm-1");
    make_link(sysfs, "devices/virtual/block/dm-1/slaves/sdb", SESSION "sdb");
    make_link(sysfs, "devices/virtual/block/dm-1/slaves/sda", LOCAL "sda");
    make_link(sysfs, "dev/block/253:2", "devices/virtual/block/session1");
    g_assert_true(volume_is_iscsi(sysfs, makedev(8, 16)));
    g_assert_true(volume_is_iscsi(sysfs, makedev(253, 0)));
    g_assert_false(volume_is_iscsi(sysfs, makedev(8, 0)));
    g_assert_false(volume_is_iscsi(sysfs, makedev(253, 1)));
    g_assert_false(volume_is_iscsi(sysfs, makedev(253, 2)));
    g_assert_false(volume_is_iscsi(sysfs, makedev(9, 9)));
    g_autofree gchar *remove = g_strdup_printf("rm -rf %s", sysfs);
    g_assert_true(g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL));
}

/* Places that the configuration allows; whether there is such a file is asked later. */
static void test_places(void)
{
    static const struct {
        VmDiskStorage storage;
        const char *source, *root, *rest;
    } rows[] = {
        {VM_DISK_LOCAL, "/dev/vg//volume-1", "/dev/vg", "volume-1"},
        {VM_DISK_LOCAL, "/srv/v/a/b", "/srv/v", "a/b"},
        {VM_DISK_LOCAL, "/dev/vg", NULL, NULL},
        {VM_DISK_LOCAL, "/dev/vgx/1", NULL, NULL},
        {VM_DISK_LOCAL, "/dev/vg/../sda", NULL, NULL},
        {VM_DISK_LOCAL, "dev/vg/1", NULL, NULL},
        {VM_DISK_ISCSI, "/dev/sdb", "/dev", "sdb"},
        {VM_DISK_ISCSI, "/etc/passwd", NULL, NULL},
        {VM_DISK_ISCSI, "/dev/../etc/passwd", NULL, NULL},
    };
    g_autoptr(Config) config = config_defaults();
    g_strfreev(config->nova_volumes);
    config->nova_volumes = g_strsplit("/dev/vg/ /srv/v", " ", -1);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(VolumeFile) file = {0};
        g_autoptr(GError) error = NULL;
        const VmDisk disk = {.storage = rows[i].storage, .source = (gchar *)rows[i].source};
        gboolean found = volume_file_of(config, &disk, &file, &error);
        g_assert_true(found == (rows[i].root != NULL));
        g_assert_true(found == (error == NULL));
        if (found)
            g_assert_true(g_str_has_prefix(file.root, rows[i].root));
        g_assert_cmpstr(file.source, ==, rows[i].rest);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume/qcow2/header", test_header);
    g_test_add_func("/volume/qcow2/bad-header", test_bad_header);
    g_test_add_func("/volume/qcow2/backing", test_backing);
    g_test_add_func("/volume/source", test_source);
    g_test_add_func("/volume/mountinfo", test_mountinfo);
    g_test_add_func("/volume/ext", test_ext);
    g_test_add_func("/volume/iscsi", test_iscsi);
    g_test_add_func("/volume/places", test_places);
    return g_test_run();
}

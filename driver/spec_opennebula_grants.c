// SPDX-License-Identifier: Apache-2.0
#include "spec_opennebula_private.h"

#include <string.h>

enum { MAX_MOUNTS = 64, MAX_DEVICES = 64, MAX_CAPABILITIES = 64 };

gboolean one_set_read_only(OneVm *one, const char *label, const char *value, GError **error)
{
    return spec_flag(label, value, &one->spec->read_only_root, error);
}

static gboolean tmpfs_option_valid(const char *option)
{
    static const char *const plain[] = {"ro",     "rw",    "exec",  "noexec",  "suid",
                                        "nosuid", "nodev", "atime", "noatime", NULL};
    static const struct {
        const char *name, *characters;
    } valued[] = {
        {"size=", "0123456789kKmMgG%"},
        {"mode=", "01234567"},
        {"uid=", "0123456789"},
        {"gid=", "0123456789"},
        {"nr_inodes=", "0123456789kKmMgG"},
    };
    if (g_strv_contains(plain, option))
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(valued); i++) {
        if (!g_str_has_prefix(option, valued[i].name))
            continue;
        const char *value = option + strlen(valued[i].name);
        return g_ascii_isdigit(*value) && strlen(value) <= 16 &&
               strspn(value, valued[i].characters) == strlen(value);
    }
    return FALSE;
}

static gboolean check_mount(const char *label, const char *mount, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(mount, ":", 2);
    if (!spec_check_path(label, parts[0], error))
        return FALSE;
    g_auto(GStrv) options = g_strsplit(parts[1] ? parts[1] : "", ",", -1);
    for (char **option = options; *option; option++) {
        if (tmpfs_option_valid(*option))
            continue;
        g_autofree gchar *shown = spec_shown(*option);
        return spec_fail(error, "%s: \"%s\" is no option of a tmpfs", label, shown);
    }
    return TRUE;
}

/* A part that begins with '/' begins a mount; others are further options of the one before. */
static GStrv join_mounts(const GStrv parts)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GString) mount = g_string_new(NULL);
    for (char **part = parts; *part; part++) {
        if (**part == '/' && mount->len > 0) {
            g_strv_builder_add(builder, mount->str);
            g_string_truncate(mount, 0);
        }
        g_string_append_printf(mount, "%s%s", mount->len > 0 ? "," : "", *part);
    }
    if (mount->len > 0)
        g_strv_builder_add(builder, mount->str);
    return g_strv_builder_end(builder);
}

gboolean one_set_tmpfs(OneVm *one, const char *label, const char *value, GError **error)
{
    g_auto(GStrv) parts = spec_commas(value);
    g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    one->spec->tmpfs = join_mounts(parts);
    if (!spec_check_count(label, one->spec->tmpfs, MAX_MOUNTS, error))
        return FALSE;
    for (char **mount = one->spec->tmpfs; *mount; mount++) {
        if (!check_mount(label, *mount, error))
            return FALSE;
        gchar *path = g_strndup(*mount, strcspn(*mount, ":"));
        if (!g_hash_table_add(paths, path))
            return spec_fail(error, "%s names one path twice", label);
    }
    return TRUE;
}

static gint compare_words(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

gboolean one_set_capabilities(OneVm *one, const char *label, const char *value, GError **error)
{
    g_auto(GStrv) parts = spec_commas(value);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    if (!spec_check_count(label, parts, MAX_CAPABILITIES, error))
        return FALSE;
    for (char **part = parts; *part; part++) {
        g_autofree gchar *upper = g_ascii_strup(*part, -1);
        const char *name = g_str_has_prefix(upper, "CAP_") ? upper + 4 : upper;
        if (*name == '\0' ||
            strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != strlen(name)) {
            g_autofree gchar *shown = spec_shown(*part);
            return spec_fail(error, "%s: \"%s\" is no capability", label, shown);
        }
        g_free(*part);
        *part = g_strdup(name);
    }
    qsort(parts, g_strv_length(parts), sizeof *parts, compare_words);
    for (char **part = parts; *part; part++)
        if (part == parts || strcmp(part[-1], *part) != 0)
            g_strv_builder_add(builder, *part);
    one->spec->capabilities = g_strv_builder_end(builder);
    return TRUE;
}

static gboolean access_valid(const char *access)
{
    return *access && strlen(access) <= 3 && strspn(access, "rwm") == strlen(access);
}

static gboolean add_device(OneVm *one, const char *label, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 3);
    const char *guest = parts[0] && parts[1] ? parts[1] : parts[0];
    const char *access = parts[0] && parts[1] && parts[2] ? parts[2] : "rwm";
    if (!spec_check_path(label, parts[0], error) || !spec_check_path(label, guest, error))
        return FALSE;
    if (!access_valid(access)) {
        g_autofree gchar *shown = spec_shown(access);
        return spec_fail(error, "%s: \"%s\" is no access to a device", label, shown);
    }
    VmDevice *device = g_new0(VmDevice, 1);
    device->host_path = g_strdup(parts[0]);
    device->guest_path = g_strdup(guest);
    device->access = g_strdup(access);
    g_ptr_array_add(one->spec->devices, device);
    return TRUE;
}

gboolean one_set_devices(OneVm *one, const char *label, const char *value, GError **error)
{
    g_auto(GStrv) parts = spec_commas(value);
    if (!spec_check_count(label, parts, MAX_DEVICES, error))
        return FALSE;
    for (char **part = parts; *part; part++)
        if (!add_device(one, label, *part, error))
            return FALSE;
    return TRUE;
}

gboolean one_set_privileged(OneVm *one, const char *label, const char *value, GError **error)
{
    return spec_flag(label, value, &one->spec->privileged, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_attribute.h"
#include "spec_domain_private.h"

#include <string.h>

enum { MAX_FILE_SYSTEMS = 64 };

/* A container has one terminal, which the first console is. */
static void take_console(Domain *domain, xmlNode *devices)
{
    xmlNode *console = domain_child(devices, "console");
    if (!console)
        return;
    g_autofree gchar *type = domain_attribute(console, "type");
    domain->spec->process.terminal = g_strcmp0(type, "null") != 0;
    if (type && strcmp(type, "pty") != 0 && strcmp(type, "null") != 0) {
        g_autofree gchar *shown = spec_shown(type);
        spec_note(domain->spec, "console/@type is not honoured: it is a pty, not %s", shown);
    }
    domain_take_all(console);
    for (xmlNode *more = console->next; more; more = more->next)
        if (xml_is(more, "console") && !more->ns) {
            domain_take_all(more);
            spec_note(domain->spec, "a second console is not honoured: a container has one");
        }
}

static void add_tmpfs(GString *list, const char *path, gint64 bytes, gboolean read_only)
{
    g_string_append_printf(list, "%s%s:size=%" G_GINT64_FORMAT "k%s", list->len > 0 ? "," : "",
                           path, (bytes + 1023) / 1024, read_only ? ",ro" : "");
}

static gboolean add_folder(VmSpec *spec, xmlNode *node, const char *label, const char *path,
                           gboolean read_only, GError **error)
{
    g_autofree gchar *folder = domain_child_attribute(node, "source", "dir");
    if (!folder)
        return spec_fail(error, "%s: no folder is given", label);
    if (!spec_check_path(label, folder, error))
        return FALSE;
    VmMount *mount = g_new0(VmMount, 1);
    mount->host_path = g_strdup(folder);
    mount->guest_path = g_strdup(path);
    mount->read_only = read_only;
    g_ptr_array_add(spec->mounts, mount);
    return TRUE;
}

static gboolean take_file_system(VmSpec *spec, xmlNode *node, const char *label, GString *tmpfs,
                                 GError **error)
{
    g_autofree gchar *type = domain_attribute(node, "type");
    g_autofree gchar *access = domain_attribute(node, "accessmode");
    g_autofree gchar *path = domain_child_attribute(node, "target", "dir");
    gboolean read_only = domain_child(node, "readonly") != NULL;
    gint64 bytes = 0;
    domain_child(node, "alias");
    if (type && strcmp(type, "mount") != 0 && strcmp(type, "ram") != 0) {
        g_autofree gchar *shown = spec_shown(type);
        domain_take_all(node);
        spec_note(spec, "%s is not honoured: it is of type %s, neither mount nor ram", label,
                  shown);
        return TRUE;
    }
    if (access && strcmp(access, "passthrough") != 0)
        spec_note(spec, "%s: @accessmode is not honoured: owners stay as they are", label);
    if (g_strcmp0(path, "/") == 0)
        return spec_fail(error, "%s: the root is the image's, and no folder of the host", label);
    if (!spec_check_path(label, path ? path : "", error))
        return FALSE;
    if (g_strcmp0(type, "ram") != 0)
        return add_folder(spec, node, label, path, read_only, error);
    if (!domain_size(domain_child(node, "source"), "usage", "units", label, &bytes, error))
        return FALSE;
    add_tmpfs(tmpfs, path, bytes, read_only);
    return TRUE;
}

static gboolean take_file_systems(Domain *domain, xmlNode *devices, GError **error)
{
    g_autoptr(GPtrArray) nodes = domain_children(devices, "filesystem");
    g_autoptr(GString) tmpfs = g_string_new(NULL);
    gboolean known = FALSE;
    if (nodes->len > MAX_FILE_SYSTEMS)
        return spec_fail(error, "the domain has more than %d file systems", MAX_FILE_SYSTEMS);
    for (guint i = 0; i < nodes->len; i++) {
        g_autofree gchar *label = g_strdup_printf("file system %u", i);
        if (!take_file_system(domain->spec, nodes->pdata[i], label, tmpfs, error))
            return FALSE;
    }
    return tmpfs->len == 0 || spec_attribute_set(domain->spec, "TMPFS", "a file system of type ram",
                                                 tmpfs->str, &known, error);
}

/* The emulator is libvirt's own program for containers. */
gboolean domain_take_devices(Domain *domain, GError **error)
{
    xmlNode *devices = domain_child(domain->root, "devices");
    domain_child(devices, "emulator");
    take_console(domain, devices);
    return take_file_systems(domain, devices, error) &&
           domain_take_interfaces(domain, devices, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "spec_opennebula.h"

#include "image_ref.h"
#include "spec_opennebula_private.h"

#include <string.h>

enum {
    MAX_ID_DIGITS = 10,
    MAX_MEGABYTES = 100000000, /* 100 TB: more is a slip of the pen */
    MAX_DISK_ID = 100000,
};

#define MEGABYTE (G_GINT64_CONSTANT(1024) * 1024)

gchar *one_parse_id(const xmlNode *vm, GError **error)
{
    g_autofree gchar *id = xml_text(vm, "ID");
    gsize length = id ? strlen(id) : 0;
    if (length > 0 && length <= MAX_ID_DIGITS && strspn(id, "0123456789") == length &&
        (*id != '0' || length == 1))
        return g_steal_pointer(&id);
    g_autofree gchar *shown = spec_shown(id);
    if (id)
        spec_fail(error, "the VM's ID \"%s\" is no number of a VM", shown);
    else
        spec_fail(error, "the VM has no ID");
    return NULL;
}

gchar *opennebula_vm_id(const char *xml, gsize length, gsize max_size, GError **error)
{
    const xmlNode *vm;
    g_autoptr(xmlDoc) doc = one_xml_parse(xml, length, max_size, &vm, error);
    return doc ? one_parse_id(vm, error) : NULL;
}

static void parse_names(OneVm *one)
{
    VmSpec *spec = one->spec;
    g_autofree gchar *name = xml_text(one->vm, "NAME");
    const char *text = one_context(one, "SET", "HOSTNAME");
    if (!text)
        text = g_hash_table_lookup(one->context, "HOSTNAME");
    spec->hostname = vm_hostname_from(text ? text : name, spec->deploy_id);
    spec->name = name ? g_steal_pointer(&name) : g_strdup(spec->deploy_id);
}

/* What OpenNebula 5.0 and later give each VM; 4.14 has none. */
static void parse_uuid(OneVm *one)
{
    g_autoptr(GPtrArray) os = one_children(one->templates, "OS");
    g_autofree gchar *uuid = os->len > 0 ? xml_text(os->pdata[0], "UUID") : NULL;
    if (!uuid)
        return;
    if (g_uuid_string_is_valid(uuid))
        one->spec->uuid = g_steal_pointer(&uuid);
    else
        one_note(one, "OS/UUID is not honoured: it is no UUID");
}

static gboolean parse_megabytes(const char *what, const char *text, guint64 smallest, gint64 *bytes,
                                GError **error)
{
    guint64 megabytes;
    if (!spec_number(what, text, "megabytes", smallest, MAX_MEGABYTES, &megabytes, error))
        return FALSE;
    *bytes = (gint64)megabytes * MEGABYTE;
    return TRUE;
}

static gboolean parse_memory(OneVm *one, GError **error)
{
    VmLimits *limits = &one->spec->limits;
    g_autofree gchar *memory = one_template_text(one, "MEMORY");
    if (!memory)
        return spec_fail(error, "the VM's TEMPLATE has no MEMORY");
    if (!parse_megabytes("MEMORY", memory, 1, &limits->memory, error))
        return FALSE;
    g_autofree gchar *label = NULL;
    g_autofree gchar *swap = one_attribute(one, "SWAP", &label);
    return !swap || parse_megabytes(label, swap, 0, &limits->swap, error);
}

static gboolean parse_cpus(const char *text, double *cpus, GError **error)
{
    if (vm_cpus_parse(text, cpus))
        return TRUE;
    g_autofree gchar *shown = spec_shown(text);
    return spec_fail(error, "CPU: \"%s\" is no number of CPUs within 0 and %d", shown, VM_CPUS_MAX);
}

static gboolean parse_cpu(OneVm *one, GError **error)
{
    VmLimits *limits = &one->spec->limits;
    g_autofree gchar *cpu = one_template_text(one, "CPU");
    g_autofree gchar *vcpu = one_template_text(one, "VCPU");
    double cpus;
    guint64 vcpus = 0;
    if (!cpu)
        return spec_fail(error, "the VM's TEMPLATE has no CPU");
    if (!parse_cpus(cpu, &cpus, error) ||
        (vcpu && !spec_number("VCPU", vcpu, "CPUs", 1, VM_CPUS_MAX, &vcpus, error)))
        return FALSE;
    vm_limits_set_cpus(limits, cpus, (guint)vcpus, one->options->hard_cpu);
    return TRUE;
}

typedef struct {
    guint64 id;
    const xmlNode *node;
} Disk;

static gint compare_disks(gconstpointer a, gconstpointer b)
{
    guint64 mine = ((const Disk *)a)->id, theirs = ((const Disk *)b)->id;
    return mine < theirs ? -1 : mine > theirs;
}

static gboolean sort_disks(OneVm *one, GError **error)
{
    g_autoptr(GPtrArray) nodes = one_children(one->templates, "DISK");
    g_autoptr(GArray) disks = g_array_new(FALSE, FALSE, sizeof(Disk));
    for (guint i = 0; i < nodes->len; i++) {
        Disk disk = {.node = nodes->pdata[i]};
        g_autofree gchar *id = xml_text(disk.node, "DISK_ID");
        if (!spec_number("DISK_ID", id ? id : "", "a disk", 0, MAX_DISK_ID, &disk.id, error))
            return FALSE;
        g_array_append_val(disks, disk);
    }
    g_array_sort(disks, compare_disks);
    for (guint i = 0; i < disks->len; i++) {
        const Disk *disk = &g_array_index(disks, Disk, i);
        if (i == 0)
            one->root_disk = disk->node;
        else if (disk->id == disk[-1].id)
            return spec_fail(error, "two DISKs have the DISK_ID %" G_GUINT64_FORMAT, disk->id);
        else
            g_ptr_array_add(one->more_disks, (gpointer)disk->node);
    }
    return TRUE;
}

/*
 * Where the template names no SIZE the front end says the image's own, which asks for nothing. As
 * with any disk, SIZE makes an image larger and never smaller.
 */
static gboolean parse_root_size(OneVm *one, GError **error)
{
    g_autofree gchar *size = xml_text(one->root_disk, "SIZE");
    g_autofree gchar *original = xml_text(one->root_disk, "ORIGINAL_SIZE");
    gint64 wanted = 0, image = 0;
    if ((size && !parse_megabytes("SIZE of disk 0", size, 0, &wanted, error)) ||
        (original && !parse_megabytes("ORIGINAL_SIZE of disk 0", original, 0, &image, error)))
        return FALSE;
    if (original && wanted > image)
        one->spec->root_size = wanted;
    else if (original && wanted > 0 && wanted < image)
        one_note(one,
                 "SIZE of disk 0 is not honoured: its image has %s MB, and a disk is made "
                 "larger only",
                 original);
    return TRUE;
}

static gboolean parse_root_disk(OneVm *one, GError **error)
{
    VmSpec *spec = one->spec;
    g_autofree gchar *read_only = xml_text(one->root_disk, "READONLY");
    spec->image_source = xml_text(one->root_disk, "SOURCE");
    if (spec->image_source && image_ref_is_url(spec->image_source) &&
        !spec_set_image(spec, "SOURCE of disk 0", spec->image_source, error))
        return FALSE;
    spec->read_only_root = read_only && g_ascii_strcasecmp(read_only, "YES") == 0;
    return parse_root_size(one, error) && one_parse_root_limits(one, error);
}

static gboolean parse_image(OneVm *one, GError **error)
{
    g_autofree gchar *label = NULL;
    g_autofree gchar *image = one_attribute(one, "IMAGE", &label);
    if (!sort_disks(one, error))
        return FALSE;
    if (!one->root_disk)
        return !image || spec_set_image(one->spec, label, image, error);
    if (image)
        one_note(one, "%s is not honoured: disk 0 gives the image", label);
    return parse_root_disk(one, error);
}

VmSpec *spec_from_opennebula(const char *xml, gsize length, const OpennebulaOptions *options,
                             GError **error)
{
    const xmlNode *vm;
    g_autoptr(xmlDoc) doc = one_xml_parse(xml, length, options->max_size, &vm, error);
    g_autofree gchar *id = doc ? one_parse_id(vm, error) : NULL;
    if (!id)
        return NULL;
    g_autoptr(OneVm) one = one_vm_new(vm, options);
    one->spec->deploy_id = g_strconcat("one-", id, NULL);
    one->spec->cloud = g_strdup("opennebula");
    one->spec->cloud_id = g_steal_pointer(&id);
    one->spec->process.terminal = options->terminal;
    parse_names(one);
    parse_uuid(one);
    if (!parse_memory(one, error) || !parse_cpu(one, error) || !parse_image(one, error) ||
        !one_parse_process(one, error) || !one_parse_nics(one, error) ||
        !one_parse_disks(one, error))
        return NULL;
    one_parse_context(one);
    one_note_rest(one);
    if (!vm_spec_check(one->spec, error))
        return NULL;
    return g_steal_pointer(&one->spec);
}

const char *opennebula_number(const char *deploy_id)
{
    if (!g_str_has_prefix(deploy_id, "one-"))
        return NULL;
    const char *number = deploy_id + strlen("one-");
    return *number && strspn(number, "0123456789") == strlen(number) ? number : NULL;
}

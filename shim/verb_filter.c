// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/error.h"
#include "driver/hotplug.h"
#include "driver/log.h"
#include "driver/sandbox.h"
#include "driver/spec_opennebula.h"

#include <string.h>

/* The VMs that are named, or all that have a network. */
static GPtrArray *named_vms(const Shim *shim, gboolean all, int argc, char **argv, GError **error)
{
    if (all != (argc == 1)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "name VMs, or say --all");
        return NULL;
    }
    if (all)
        return sandbox_list(shim->config, error);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    for (int i = 1; i < argc; i++) {
        gchar *id = verb_vm_id(argv[i], error);
        if (!id)
            return NULL;
        g_ptr_array_add(ids, id);
    }
    return g_steal_pointer(&ids);
}

/* What the description in FILE lets pass; it must be of the one VM in IDS. */
static GPtrArray *read_rules(const Shim *shim, const char *file, const GPtrArray *ids,
                             GError **error)
{
    gsize length = 0, max = shim->config->xml_max_bytes;
    g_autofree gchar *number = NULL;
    g_auto(GStrv) notes = NULL;
    g_autofree gchar *xml = shim_read(file, max, &length, error);
    g_autoptr(GPtrArray) nics =
        xml ? opennebula_rules(xml, length, max, &number, &notes, error) : NULL;
    if (!nics)
        return NULL;
    g_autofree gchar *described = g_strconcat("one-", number, NULL);
    if (ids->len != 1 || strcmp(ids->pdata[0], described) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "the description is of %s: name that VM, and no other", described);
        return NULL;
    }
    for (gsize i = 0; notes[i]; i++)
        log_warn("VM %s: %s", described, notes[i]);
    return g_steal_pointer(&nics);
}

int verb_filter(Shim *shim, int argc, char **argv, GError **error)
{
    gboolean all = FALSE;
    g_autofree gchar *file = NULL;
    const GOptionEntry options[] = {
        {"all", 'a', 0, G_OPTION_ARG_NONE, &all, "All VMs that run", NULL},
        {"xml", 'x', 0, G_OPTION_ARG_FILENAME, &file,
         "Take the security groups from the VM's XML; - is stdin", "FILE"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("filter"), options, &argc, &argv, 0, -1, error))
        return 0;
    g_autoptr(GPtrArray) ids = named_vms(shim, all, argc, argv, error);
    g_autoptr(GPtrArray) nics = ids && file ? read_rules(shim, file, ids, error) : NULL;
    if (!ids || (file && !nics))
        return 0;
    g_autoptr(Host) host = host_open(shim->config, error);
    for (guint i = 0; host && i < ids->len; i++)
        if (!vm_set_rules(host, ids->pdata[i], nics, error))
            break;
    return 0;
}

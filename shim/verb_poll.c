// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/poll_format.h"
#include "table.h"

static const TableColumn columns[] = {
    {.header = "VM"},
    {.header = "NAME", .flexible = TRUE},
    {.header = "STATE"},
    {.header = "CPU %", .right = TRUE},
    {.header = "MEMORY", .right = TRUE},
    {.header = "LIMIT", .right = TRUE, .optional = TRUE},
    {.header = "NET RX", .right = TRUE, .optional = TRUE},
    {.header = "NET TX", .right = TRUE, .optional = TRUE},
    {.header = "DISK R", .right = TRUE, .optional = TRUE},
    {.header = "DISK W", .right = TRUE, .optional = TRUE},
};

static void bytes_cell(Table *table, gboolean known, guint64 bytes)
{
    g_autofree gchar *text = known ? table_bytes(bytes) : NULL;
    table_cell(table, TABLE_PLAIN, text ? text : "-");
}

static void percent_cell(Table *table, gboolean known, double percent)
{
    g_autofree gchar *text = known ? g_strdup_printf("%.1f", percent) : NULL;
    table_cell(table, TABLE_PLAIN, text ? text : "-");
}

static gchar *poll_table(const GPtrArray *vms, gboolean colour)
{
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < vms->len; i++) {
        const PollVm *vm = g_ptr_array_index(vms, i);
        const Sample *sample = &vm->sample;
        table_cell(table, TABLE_PLAIN, vm->deploy_id);
        table_cell(table, TABLE_PLAIN, vm->name);
        table_cell(table, verb_state_colour(vm->state), poll_state_name(vm->state));
        percent_cell(table, vm->has_sample, vm->cpu_percent);
        bytes_cell(table, vm->has_sample, sample->memory);
        bytes_cell(table, vm->has_sample && sample->memory_limit, sample->memory_limit);
        bytes_cell(table, TRUE, sample->net_rx);
        bytes_cell(table, TRUE, sample->net_tx);
        bytes_cell(table, vm->has_sample, sample->disk_read_bytes);
        bytes_cell(table, vm->has_sample, sample->disk_write_bytes);
    }
    return table_format(table, verb_width(), colour);
}

static GPtrArray *poll_named(Host *host, const char *name, GError **error)
{
    g_autofree gchar *id = verb_vm_id(name, error);
    if (!id)
        return NULL;
    g_autoptr(GError) failure = NULL;
    PollVm *vm = poll_one(host, id, &failure);
    if (!vm) {
        if (failure)
            g_propagate_error(error, g_steal_pointer(&failure));
        else
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "there is no VM %s on this host",
                        id);
        return NULL;
    }
    GPtrArray *vms = g_ptr_array_new_with_free_func((GDestroyNotify)poll_vm_free);
    g_ptr_array_add(vms, vm);
    return vms;
}

int verb_poll(Shim *shim, int argc, char **argv, GError **error)
{
    gboolean opennebula = FALSE;
    const GOptionEntry options[] = {
        {"opennebula", 0, 0, G_OPTION_ARG_NONE, &opennebula, "Print OpenNebula's format", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("poll"), options, &argc, &argv, 0, 1, error))
        return 0;
    if (opennebula && shim->json) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "--opennebula and --json are two forms of one answer; take one");
        return 0;
    }
    g_autoptr(Host) host = host_open(shim->config, error);
    PollDetail detail = shim->json || opennebula ? POLL_FULL : POLL_BRIEF;
    g_autoptr(GPtrArray) vms = !host      ? NULL
                               : argc > 1 ? poll_named(host, argv[1], error)
                                          : poll_all(host, detail, error);
    if (!vms)
        return 0;
    if (shim->json) {
        g_autoptr(json_t) json = poll_format_json(vms);
        shim_print_json(json, error);
        return 0;
    }
    g_autofree gchar *text =
        opennebula ? poll_format_opennebula_all(vms) : poll_table(vms, shim->colour);
    shim_print(text, error);
    return 0;
}

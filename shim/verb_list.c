// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/autoptr.h"
#include "driver/engine_body.h"
#include "driver/poll_format.h"
#include "driver/state.h"
#include "driver/vm_list.h"
#include "table.h"

static const TableColumn columns[] = {
    {.header = "VM"},
    {.header = "NAME", .flexible = TRUE},
    {.header = "STATE"},
    {.header = "IP", .flexible = TRUE},
    {.header = "IMAGE", .flexible = TRUE},
    {.header = "CLOUD", .optional = TRUE},
    {.header = "AGE", .right = TRUE},
};

/* The addresses of all NICs, as the last applied spec has them; of a list, JSON strings. */
static json_t *addresses(const VmSpec *spec)
{
    json_t *list = json_array();
    for (guint i = 0; spec && i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        for (guint j = 0; j < nic->addresses->len; j++) {
            g_autofree gchar *text = vm_address_text(&g_array_index(nic->addresses, VmAddress, j));
            json_array_append_new(list, json_string(text));
        }
    }
    return list;
}

static json_t *vm_json(Shim *shim, const EngineContainer *container)
{
    g_autoptr(GError) unreadable = NULL;
    g_autoptr(VmSpec) spec = state_load(shim->config, container->name, &unreadable);
    const char *name = g_hash_table_lookup(container->labels, ENGINE_LABEL_NAME);
    const char *cloud = g_hash_table_lookup(container->labels, ENGINE_LABEL_CLOUD);
    const char *cloud_id = g_hash_table_lookup(container->labels, ENGINE_LABEL_CLOUD_ID);
    const char *image = spec && spec->image ? spec->image : spec ? spec->image_source : NULL;
    return json_pack("{s:s, s:s?, s:s?, s:s?, s:s, s:o, s:s?, s:I, s:s, s:b}", "vm",
                     container->name, "name", name, "cloud", cloud, "cloud_id", cloud_id, "state",
                     poll_state_name(container->state), "addresses", addresses(spec), "image",
                     image, "created", (json_int_t)container->created, "container_id",
                     container->id, "wild", 0);
}

/* A container of the engine that is no VM. */
static json_t *wild_json(const EngineContainer *container)
{
    return json_pack("{s:n, s:s, s:n, s:n, s:s, s:[], s:s?, s:I, s:s, s:b}", "vm", "name",
                     container->name, "cloud", "cloud_id", "state",
                     poll_state_name(container->state), "addresses", "image", container->image,
                     "created", (json_int_t)container->created, "container_id", container->id,
                     "wild", 1);
}

static const char *text_of(const json_t *vm, const char *key)
{
    const char *text = json_string_value(json_object_get(vm, key));
    return text ? text : "-";
}

static void add_row(Table *table, const json_t *vm, EngineState state)
{
    const json_t *list = json_object_get(vm, "addresses");
    gsize more = json_array_size(list);
    g_autofree gchar *ip =
        more == 0   ? g_strdup("-")
        : more == 1 ? g_strdup(json_string_value(json_array_get(list, 0)))
                    : g_strdup_printf("%s +%" G_GSIZE_FORMAT,
                                      json_string_value(json_array_get(list, 0)), more - 1);
    gint64 created = json_integer_value(json_object_get(vm, "created"));
    g_autofree gchar *age = table_duration(g_get_real_time() / G_USEC_PER_SEC - created);
    table_cell(table, TABLE_PLAIN,
               json_is_true(json_object_get(vm, "wild")) ? "(wild)" : text_of(vm, "vm"));
    table_cell(table, TABLE_PLAIN, text_of(vm, "name"));
    table_cell(table, verb_state_colour(state), text_of(vm, "state"));
    table_cell(table, TABLE_PLAIN, ip);
    table_cell(table, TABLE_PLAIN, text_of(vm, "image"));
    table_cell(table, TABLE_PLAIN, text_of(vm, "cloud"));
    table_cell(table, TABLE_PLAIN, age);
}

static gboolean print_ids(const Shim *shim, const GPtrArray *vms, GError **error)
{
    g_autoptr(GString) ids = g_string_new(NULL);
    g_autoptr(json_t) list = json_array();
    for (guint i = 0; i < vms->len; i++) {
        const EngineContainer *container = g_ptr_array_index(vms, i);
        g_string_append_printf(ids, "%s\n", container->name);
        json_array_append_new(list, json_string(container->name));
    }
    return shim->json ? shim_print_json(list, error) : shim_print(ids->str, error);
}

/* WILD may be NULL. */
static gboolean print_all(Shim *shim, const GPtrArray *vms, const GPtrArray *wild, GError **error)
{
    g_autoptr(json_t) list = json_array();
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    guint count = vms->len + (wild ? wild->len : 0);
    for (guint i = 0; i < count; i++) {
        const EngineContainer *container = i < vms->len ? vms->pdata[i] : wild->pdata[i - vms->len];
        json_t *vm = i < vms->len ? vm_json(shim, container) : wild_json(container);
        add_row(table, vm, container->state);
        json_array_append_new(list, vm);
    }
    if (shim->json)
        return shim_print_json(list, error);
    g_autofree gchar *text = table_format(table, verb_width(), shim->colour);
    return shim_print(text, error);
}

static void print_vms(Shim *shim, Host *host, const GPtrArray *vms, gboolean all, GError **error)
{
    g_autoptr(GPtrArray) wild = all ? vm_list_wild(host, vms, error) : NULL;
    if (wild || !all)
        print_all(shim, vms, wild, error);
}

int verb_list(Shim *shim, int argc, char **argv, GError **error)
{
    gboolean ids = FALSE, all = FALSE;
    const GOptionEntry options[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "Also the engine's containers that are no VMs",
         NULL},
        {"ids", 0, 0, G_OPTION_ARG_NONE, &ids, "Only the deploy ids, one a line", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("list"), options, &argc, &argv, 0, 0, error))
        return 0;
    const Config *config = shim->config;
    g_autoptr(Host) host = host_open(config, error);
    g_autoptr(CgroupReader) reader =
        host ? cgroup_reader_open(config->cgroup_root, config->cgroup_parent, error) : NULL;
    g_autoptr(GPtrArray) vms = reader ? vm_list(host, reader, error) : NULL;
    if (!vms)
        return 0;
    if (ids)
        print_ids(shim, vms, error);
    else
        print_vms(shim, host, vms, all, error);
    return 0;
}

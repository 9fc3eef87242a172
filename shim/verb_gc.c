// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/actions.h"
#include "driver/autoptr.h"

int verb_gc(Shim *shim, int argc, char **argv, GError **error)
{
    gboolean dry_run = FALSE;
    const GOptionEntry options[] = {
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry_run, "Only say what would go", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("gc"), options, &argc, &argv, 0, 0, error))
        return 0;
    g_autoptr(Host) host = host_open(shim->config, error);
    g_autoptr(GPtrArray) found = host ? vm_gc(host, dry_run, error) : NULL;
    if (!found)
        return 0;
    g_autoptr(json_t) list = json_array();
    for (guint i = 0; i < found->len; i++) {
        const char *sentence = g_ptr_array_index(found, i);
        json_array_append_new(list, json_string(sentence));
        g_autofree gchar *line = g_strconcat(sentence, "\n", NULL);
        if (!shim->json && !shim_print(line, error))
            return 0;
    }
    if (shim->json)
        shim_print_json(list, error);
    return 0;
}

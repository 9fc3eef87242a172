// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/actions.h"
#include "driver/autoptr.h"

#include <unistd.h>

typedef struct {
    Shim *shim;
    const VmSpec *spec;
    Progress progress;
} DeployVerb;

static json_t *addresses(const VmSpec *spec)
{
    json_t *list = json_array();
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        for (guint j = 0; j < nic->addresses->len; j++) {
            g_autofree gchar *text =
                vm_address_format(&g_array_index(nic->addresses, VmAddress, j));
            json_array_append_new(list, json_string(text));
        }
    }
    return list;
}

static void progress(const EnginePullProgress *at, gpointer data)
{
    DeployVerb *deploy = data;
    shim_progress(at, &deploy->progress);
}

static gboolean report(const char *deploy_id, gpointer data, GError **error)
{
    DeployVerb *deploy = data;
    shim_progress_end();
    if (!deploy->shim->json) {
        g_autofree gchar *line = g_strconcat(deploy_id, "\n", NULL);
        return shim_print(line, error);
    }
    g_autoptr(json_t) json = json_pack("{s:s, s:s, s:o}", "vm", deploy_id, "name",
                                       deploy->spec->name, "addresses", addresses(deploy->spec));
    return shim_print_json(json, error);
}

void verb_bring_up(Shim *shim, VmSpec *spec, GError **error)
{
    g_autoptr(Host) host = host_open(shim->config, error);
    if (!host)
        return;
    DeployVerb deploy = {shim, spec, {.terminal = isatty(STDERR_FILENO)}};
    DeployHooks hooks = {.pull = progress, .report = report, .data = &deploy};
    vm_deploy(host, spec, &hooks, error);
    shim_progress_end();
}

int verb_deploy(Shim *shim, int argc, char **argv, GError **error)
{
    g_autoptr(VmSpec) spec = verb_parse_spec(shim, "deploy", argc, argv, error);
    if (spec)
        verb_bring_up(shim, spec, error);
    return 0;
}

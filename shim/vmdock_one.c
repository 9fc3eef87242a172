// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-one: what OpenNebula's driver scripts exec, through sudo, as root.
 *
 * The caller is the cloud's user, not root: argv is checked against the action's form, stdin holds
 * the payload, the environment is cleared, the configuration is the installed one. There is no
 * option, no path and no trace here.
 *
 * Contract: VMM actions of OpenNebula 4.14 to 7.4; the arguments are those of the scripts
 * remotes/opennebula/vmm/onedock/ACTION.
 */
#include "one.h"

#include "driver/error.h"

#include <string.h>

static const struct {
    const char *name;
    gboolean (*run)(One *one, int argc, char **argv, GError **error);
} actions[] = {
#define X(name, function) {name, function},
    ONE_ACTIONS(X)
#undef X
};

static gboolean run(One *one, int argc, char **argv, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
        g_string_append_printf(names, "%s%s", i > 0 ? "|" : "", actions[i].name);
        if (argc < 2 || strcmp(argv[1], actions[i].name) != 0)
            continue;
        one->host = host_open(one->config, error);
        return one->host && actions[i].run(one, argc - 1, argv + 1, error);
    }
    g_string_append(names, " ARGUMENT…");
    return one_usage(error, names->str);
}

int main(int argc, char **argv)
{
    shim_begin_as_root("vmdock-one");
    One one = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_load(NULL, &error);
    FrontEndLog log = {0};
    if (config) {
        one.config = config;
        front_end_log_open(&log, config->opennebula_remotes, NULL);
        run(&one, argc, argv, &error);
        g_clear_pointer(&one.host, host_free);
    }
    front_end_log_close(&log, error);
    return error ? vmdock_error_status(error) : 0;
}

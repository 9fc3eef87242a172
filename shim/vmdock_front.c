// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-front: what OpenNebula's datastore and transfer scripts exec on the front end:
 *   vmdock-front ds|tm ACTION ARGUMENT…
 * Runs as the cloud's user and has no more rights than that user.
 */
#include "front.h"

#include "driver/error.h"
#include "driver/interrupt.h"

#include <locale.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *family;
    const char *name;
    gboolean (*run)(Front *front, int argc, char **argv, GError **error);
} actions[] = {
#define X(family, name, function) {family, name, function},
    FRONT_ACTIONS(X)
#undef X
        {NULL, NULL, NULL},
};

gboolean front_usage(GError **error, const char *form)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "usage: vmdock-front %s", form);
    return FALSE;
}

static gboolean run(Front *front, int argc, char **argv, GError **error)
{
    for (gsize i = 0; argc > 2 && actions[i].name; i++)
        if (strcmp(argv[1], actions[i].family) == 0 && strcmp(argv[2], actions[i].name) == 0)
            return actions[i].run(front, argc - 2, argv + 2, error);
    return front_usage(error, "ds|tm ACTION ARGUMENT…");
}

/*
 * The number of the VM that a transfer action works for: its last argument but one, whichever the
 * action; NULL without one.
 */
static const char *vm_of(int argc, char **argv)
{
    const char *vmid = argc > 4 && strcmp(argv[1], "tm") == 0 ? argv[argc - 2] : "";
    return *vmid && vmid[strspn(vmid, "0123456789")] == '\0' ? vmid : NULL;
}

int main(int argc, char **argv)
{
    shim_take_standard_files();
    setlocale(LC_ALL, "C.UTF-8");
    umask(0077);
    g_set_prgname("vmdock-front");
    interrupt_install();
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_load(NULL, &error);
    Front front = {.config = config};
    FrontEndLog log = {0};
    if (config) {
        front_end_log_open(&log, config->opennebula_front_remotes, vm_of(argc, argv));
        run(&front, argc, argv, &error);
    }
    front_end_log_close(&log, error);
    return error ? vmdock_error_status(error) : 0;
}

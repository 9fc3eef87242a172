// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-script DEPLOY_ID CONTAINER_ID: runs the start script of a VM that has just booted, and
 * ends with it. vmdock starts it and does not wait; it is no command, and no action of the cloud.
 */
#include "driver/context.h"
#include "driver/error.h"
#include "shim.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The session of whoever called the action ends before we do. */
static void leave_session(void)
{
    setsid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static gboolean run(int argc, char **argv, GError **error)
{
    if (argc != 3 || !vm_id_valid(argv[1])) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "usage: vmdock-script DEPLOY_ID CONTAINER_ID");
        return FALSE;
    }
    g_autoptr(Config) config = config_load(NULL, error);
    g_autoptr(Host) host = config ? host_open(config, error) : NULL;
    return host && context_run_script(host, argv[1], argv[2], error);
}

int main(int argc, char **argv)
{
    shim_take_standard_files();
    clearenv();
    setlocale(LC_ALL, "C.UTF-8");
    umask(0022);
    leave_session();
    g_autoptr(GError) error = NULL;
    if (run(argc, argv, &error))
        return 0;
    g_printerr("vmdock-script: %s\n", error->message);
    return vmdock_error_status(error);
}

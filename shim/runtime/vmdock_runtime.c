// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-runtime: the OCI runtime that joins a VM's container to the VM's sandbox on its way to the
 * real runtime. The place of its settings is fixed: the engine's caller chooses neither by option
 * nor by environment.
 */
#include "runtime.h"

#include <stdlib.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
    /* A core would hold the bundle, secrets of the template among it; the next program may leave
     * one. */
    prctl(PR_SET_DUMPABLE, 0);
    return argc > 0 ? runtime_run(VMDOCK_SYSCONFDIR "/vmdock.conf", argv) : EXIT_FAILURE;
}

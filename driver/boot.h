// SPDX-License-Identifier: Apache-2.0
/* Starting a container into its sandbox: the part that deploy, reboot and reset share. */
#pragma once

#include "host.h"
#include "sandbox.h"

/*
 * Mounts the VM's disks, writes the runtime's map and starts the container, which then holds the
 * disks alone. Which addresses the engine has given it on its own networks is saved. Errors: those
 * of volume.h and nic_engine.h, ENGINE_*, SANDBOX, IO.
 */
gboolean boot_start(Host *host, const VmSpec *spec, const char *container_id, Sandbox *sandbox,
                    GError **error);
/*
 * boot_start(), tells the neighbours, and watches its first moments; meanwhile the saved spec is
 * brought to the disk. Then its start script begins. Errors: DEAD with exit status and last output;
 * ENGINE_*; SANDBOX; IO.
 */
gboolean boot_container(Host *host, const VmSpec *spec, const char *container_id, Sandbox *sandbox,
                        GError **error);

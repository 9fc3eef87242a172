// SPDX-License-Identifier: Apache-2.0
/* What an unfinished deploy left of a VM that has no disk of its own yet. */
#pragma once

#include "host.h"

/* Removes it all: CONTAINER, which may be NULL or host_is_leftover(), links, sandbox, the image's
 * name where that can be given again, and the saved spec. The caller holds the VM's lock. Fine if
 * none.
 */
gboolean leftover_clear(Host *host, const char *deploy_id, const EngineContainer *container,
                        GError **error);

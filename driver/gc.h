// SPDX-License-Identifier: Apache-2.0
/* The parts of gc that its two callers share: an operator's gc, and the sweep of a probe. */
#pragma once

#include "host.h"

/* Whether what a VM has left may go now. */
typedef gboolean (*GcDueFunc)(const char *deploy_id, gpointer data);

/*
 * vm_gc() of actions.h. With DUE only VMs that look wrong are asked for and looked at, so that the
 * engine is asked no more than once for a host in order, and a VM that has ended by itself loses
 * its links and sandbox too.
 */
GPtrArray *gc_run(Host *host, gboolean dry_run, GcDueFunc due, gpointer data, GError **error);

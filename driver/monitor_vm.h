// SPDX-License-Identifier: Apache-2.0
/*
 * What the probes of a host's VMs print.
 *
 * Contract: vm/status and vm/monitor of OpenNebula 6.x and 7.x. A probe that fails prints nothing:
 * an engine that does not answer must never look like VMs that are gone.
 */
#pragma once

#include "disk_size.h"
#include "poll.h"
#include "usage_cache.h"

/* Hands the probe's text on; when that fails the text counts as not told. */
typedef gboolean (*MonitorTell)(const char *text, gpointer data, GError **error);

/* vm/status: what vm_status.h says must be told. HOST_ID is the front end's number of this host.
 * Errors: those of poll_all(), and BUSY when another run does not end. */
gboolean monitor_vm_status(Host *host, const char *host_id, guint64 sync_s, MonitorTell tell_text,
                           gpointer data, GError **error);

/* vm/monitor: one line for each VM of OpenNebula. Errors: those of poll_all(). */
gchar *monitor_vm_usage(Host *host, GError **error);

/* ---- the form of vm/monitor, pure ---- */

/*
 * VM's values, one a line; base64 of them is MONITOR of the line below. The front end keeps what it
 * is not told again, so that own keys are always there, "-" when they say nothing.
 *   CPU            percent of one core
 *   MEMORY         KB
 *   NETRX NETTX DISKRDBYTES DISKWRBYTES DISKRDIOPS DISKWRIOPS
 *                  since its start; only of a VM that runs
 *   GUEST_IP       an address that the engine has chosen, where the cloud has given none; only then
 *   PIDS           processes and threads
 *   THROTTLED      milliseconds that it waited because its CPU quota was used up, since its start
 *   OOM_KILLS      processes killed for want of memory, since its start; of a VM that is off 1 when
 *                  that ended it
 *   RESTARTS       how often another start of its container was seen
 *   EXIT_CODE      of a VM that is off
 *   DISK_SIZE      MB on the host's disk, for each disk whose size is known
 */
gchar *monitor_vm_values(const PollVm *vm, const Usage *usage, gboolean oom_killed,
                         const GArray *disks);
/* VM = [ ID="42", DEPLOY_ID="one-42", MONITOR="<base64>" ] */
gchar *monitor_vm_line(const char *deploy_id, const char *values);

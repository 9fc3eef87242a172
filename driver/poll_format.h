// SPDX-License-Identifier: Apache-2.0
/*
 * What a poll found, in the forms that programs read. Pure.
 *
 * JSON: one object a VM, in this order; a value that is not known is null.
 *   vm                    "one-42", the deploy id
 *   cloud                 "opennebula"
 *   cloud_id              "42"
 *   name                  the cloud's name of the VM
 *   container_id          64 hex digits
 *   created               seconds since the epoch: when its container was made
 *   state                 "created", "running", "paused", "restarting", "exited" or "dead"
 *   one_state             "a" active, "p" paused, "e" error, "d" stopped
 *   cpu_percent           of one core
 *   cpu_seconds           CPU time since the start
 *   memory_bytes          in use, reclaimable file cache left out
 *   memory_limit_bytes    null when there is none
 *   net_rx_bytes          as the guest sees it, all NICs; also of a VM that does not run
 *   net_tx_bytes
 *   disk_read_bytes       all devices
 *   disk_write_bytes
 *   disk_read_ops
 *   disk_write_ops
 *   pids                  processes and threads
 *   throttled_us          time it waited because its CPU quota was used up
 *   oom_kills             processes killed for want of memory
 * Everything from cpu_percent on, but for net_*, is null for a VM that does not run; counters run
 * from the start of the container.
 */
#pragma once

#include "poll.h"

json_t *poll_format_json_one(const PollVm *vm);
json_t *poll_format_json(const GPtrArray *vms);

/*
 * OpenNebula's monitoring line of one VM, for `poll did host`:
 *   STATE=a USEDMEMORY=<KB> USEDCPU=<percent of one core> NETRX= NETTX= DISKRDBYTES= DISKWRBYTES=
 *   DISKRDIOPS= DISKWRIOPS=, and GUEST_IP= where the engine has chosen an address
 * A VM that does not run uses no memory and no CPU, and its disk counters are left out. VM NULL,
 * one that is not there, is "STATE=d": oned takes it to POWEROFF, which its user can act upon ("-"
 * would leave it RUNNING for ever).
 */
gchar *poll_format_opennebula(const PollVm *vm);

/*
 * OpenNebula's list of all VMs, for `poll` without a deploy id, one a line:
 *   VM=[ID=42, DEPLOY_ID=one-42, POLL="STATE=a …"]
 * VMs of other clouds are left out; no VM is an empty text.
 */
gchar *poll_format_opennebula_all(const GPtrArray *vms);

/* "running", … */
const char *poll_state_name(EngineState state);

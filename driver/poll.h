// SPDX-License-Identifier: Apache-2.0
/*
 * The action poll: what every VM of the host uses, now. One engine listing, the cgroup files of the
 * running VMs, one netlink dump of counters; no engine statistics, no sleep, no fork.
 *
 * Contract: OpenNebula's VMM action poll (4.14 to 5.x) and the values of its vm/monitor probe (6.x,
 * 7.x); their forms are poll_format.h.
 */
#pragma once

#include "host.h"
#include "samples.h"

typedef struct {
    gchar *deploy_id;
    gchar *cloud, *cloud_id, *name; /* as the labels say; "" when they do not */
    gchar *container_id;
    gint64 created; /* seconds since the epoch */
    EngineState state;
    char one_state;      /* OpenNebula's: 'a' active, 'p' paused, 'e' error, 'd' stopped */
    gboolean has_sample; /* it has a cgroup, so that all values below are told */
    Sample sample;       /* without has_sample only net_rx and net_tx: NICs outlive the container */
    double cpu_percent;  /* of one core: 200 is two cores busy */
    gint exit_code;      /* of its last end; says something of one that is EXITED */
    gchar *guest_ip;     /* an address that the engine has given and the cloud has not; NULL */
} PollVm;

void poll_vm_free(PollVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PollVm, poll_vm_free)

/* POLL_BRIEF leaves pids, throttled_us, oom_kills and the disk operations out:
 * cgroup_reader_set_brief(). */
typedef enum { POLL_FULL, POLL_BRIEF } PollDetail;

/*
 * All VMs, in natural order of their ids; PollVm*. That the samples could not be stored is logged
 * and no error: the next CPU figure is the worse for it, nothing else. Errors: the engine's,
 * NETWORK, IO, UNSUPPORTED.
 */
GPtrArray *poll_all(Host *host, PollDetail detail, GError **error);

/* One VM; NULL without error when there is none. STATE: a foreign container has its name. */
PollVm *poll_one(Host *host, const char *deploy_id, GError **error);

/* ---- the parts of it, which touch neither engine nor kernel ---- */

/* OpenNebula's letter. A container that never started, or whose removal broke off, is an error. */
char poll_one_state(EngineState state);

/* Containers that are VMs, their cgroups and their TRAFFIC (traffic.h) become PollVm*; samples go
 * to STORE. */
GPtrArray *poll_assemble(const GPtrArray *containers, const CgroupReader *reader,
                         GHashTable *traffic, SampleStore *store, GError **error);

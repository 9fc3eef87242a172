// SPDX-License-Identifier: Apache-2.0
/*
 * What the probes of the host itself print.
 *
 * Contract: host/system and host/monitor of OpenNebula 6.x and 7.x. Of host/system the front end
 * keeps every attribute, in the host's template; of host/monitor only those that it knows. Either
 * failing turns the host to ERROR, with the sentence in `onehost show`: a host whose engine does
 * not answer gets no further VM. An engine that restarts is waited for, [poll] engine_grace_ms.
 */
#pragma once

#include "host.h"

/* One bridge of the host. */
typedef struct {
    gchar *name;
    guint ports;
} BridgeUse;

/* A Linux bridge has no more ports: of the kernel's BR_MAX_PORTS numbers, 0 is none. */
enum { BRIDGE_PORTS_MAX = 1023 };

typedef struct {
    guint cpus;
    guint mhz; /* 0 = not known */
    guint64 memory_kb;
    const char *arch; /* as uname tells it */
    const char *hostname;
    gchar *model;   /* of the CPU; NULL = not known */
    gchar *version; /* of OpenNebula's remotes; NULL = not known */
    guint cgroup_version;
    gchar *engine, *engine_version, *engine_api;
    gchar *storage, *storage_on; /* "overlay2", and the file system under it */
    gboolean holds_size;         /* the storage driver can hold disk 0 to its SIZE */
    guint vms, vms_running;
    GPtrArray *bridges; /* BridgeUse, by name */
} HostSystem;

void host_system_clear(HostSystem *system);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HostSystem, host_system_clear)

typedef struct {
    guint cpus;
    double busy; /* share of all CPUs, 0 to 1 */
    guint64 memory_kb, memory_free_kb;
    guint64 net_rx, net_tx; /* bytes, of the host's own network cards */
} HostUsage;

/* host/system and host/monitor. Errors: the engine's, NETWORK, IO. */
gchar *monitor_host_system(Host *host, GError **error);
gchar *monitor_host_usage(Host *host, GError **error);

/* ---- pure ---- */

/*
 * HYPERVISOR TOTALCPU CPUSPEED TOTALMEMORY ARCH MODELNAME HOSTNAME VERSION CGROUPS_VERSION, and
 *   ONEDOCK_VERSION               vmdock's
 *   ENGINE ENGINE_VERSION ENGINE_API ENGINE_STORAGE
 *   DISK0_SIZE                    "HELD", or "NOT HELD: " and why: what SIZE of disk 0 is worth
 * here CONTAINERS CONTAINERS_RUNNING VMs of whatever cloud BRIDGE_PORTS_FREE             of the
 * fullest bridge, and by bridge: BRIDGES                       "br0 1019, br1 1023"
 */
gchar *monitor_host_format_system(const HostSystem *system);
/* HYPERVISOR USEDCPU FREECPU USEDMEMORY FREEMEMORY NETRX NETTX */
gchar *monitor_host_format_usage(const HostUsage *usage);

/* A value as OpenNebula's templates take it between quotes: on one line, with '\'' for '"'. */
gchar *monitor_host_quote(const char *text);

/* Time used and all time, of the first line of /proc/stat; any unit. */
gboolean host_parse_stat(const char *text, guint64 *busy, guint64 *all);
/* The value of KEY in lines "key: value kB". */
gboolean host_parse_memory(const char *text, const char *key, guint64 *kb);
/* Model and speed of the first CPU in /proc/cpuinfo; NULL and 0 where it does not say. */
gchar *host_parse_cpu(const char *text, guint *mhz);

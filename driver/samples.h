// SPDX-License-Identifier: Apache-2.0
/*
 * Counters of one VM at one moment, and what they become: OpenNebula's monitoring values. No engine
 * statistics, no sleep, no fork: cgroup files (v1 and v2); the network's counters come from the
 * caller, who has one netlink dump for all VMs.
 */
#pragma once

#include "config.h"

/* Cumulative counters of one VM at one moment. */
typedef struct {
    gint64 time_us;    /* CLOCK_BOOTTIME */
    gint64 started_us; /* CLOCK_BOOTTIME; 0 = not known (cgroup_reader_started) */
    guint64 start_id;  /* the cgroup's inode: another one after every start */
    guint64 cpu_ns;
    guint64 memory;         /* bytes in use, without the reclaimable file cache (inactive_file) */
    guint64 memory_limit;   /* bytes, 0 = none */
    guint64 net_rx, net_tx; /* bytes, as the guest sees them */
    guint64 disk_read_bytes, disk_write_bytes, disk_read_ops, disk_write_ops;
    guint64 pids;
    guint64 throttled_us;
    guint64 oom_kills;
} Sample;

/* The clock of all samples. */
gint64 sample_clock(void);

/* The cgroup back end: where a container's files are, and how they read. */
typedef struct CgroupReader CgroupReader;

/*
 * Finds out what ROOT is once: v2 (cgroup.controllers stands in it) or v1 (a cpuacct folder; a
 * hybrid host is v1, its v2 side mount counts nothing). PARENT is what containers are created with:
 * a path ("/vmdock") or a systemd slice ("vmdock.slice"). It need not be there: then no container
 * has a cgroup for this reader, also when it comes to be later.
 * Errors: UNSUPPORTED, IO.
 */
CgroupReader *cgroup_reader_open(const char *root, const char *parent, GError **error);
void cgroup_reader_free(CgroupReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupReader, cgroup_reader_free)
/* From now on leaves pids, throttled_us, oom_kills and the disk operations zero where they stand in
 * files of their own: half of the files less to read, for those who do not show them. */
void cgroup_reader_set_brief(CgroupReader *reader);
/* 1 or 2. */
guint cgroup_reader_version(const CgroupReader *reader);
/*
 * Reads every container under the parent and keeps what it finds: cgroup_reader_has() and
 * cgroup_reader_read(), called when it has returned, answer from it. What cannot be read is left to
 * the reading one by one.
 *
 * Threads that call it together share the containers out among them, and each returns when none is
 * left to take up: what is found is whole when all have returned. So one reads while another asks
 * the engine which containers there are, and comes to help when it has the answer.
 */
void cgroup_reader_prefetch(CgroupReader *reader);
/* TRUE when the container has a cgroup under the parent: it runs (or is paused) and is vmdock's. */
gboolean cgroup_reader_has(const CgroupReader *reader, const char *container_id);
/*
 * Sets SAMPLE to the cgroup's values and the time, everything else zero. *found is FALSE when the
 * container has no cgroup under the parent. A controller that the host lacks counts zero.
 */
gboolean cgroup_reader_read(const CgroupReader *reader, const char *container_id, Sample *sample,
                            gboolean *found, GError **error);
/*
 * When the container was started, by its oldest process; 0 if that cannot be told. Reads a few
 * files more, and is needed only before the first sample of a start has been stored.
 */
gint64 cgroup_reader_started(const CgroupReader *reader, const char *container_id);

/* The pure parsers of what the files hold; TEXT is LENGTH bytes of anything. */

/* One number; "max" is G_MAXUINT64. */
gboolean cgroup_parse_number(const char *text, gsize length, guint64 *value);
/* The number after KEY in lines of "key number". */
gboolean cgroup_parse_keyed(const char *text, gsize length, const char *key, guint64 *value);
/* blkio.*: lines of "major:minor Read number"; sums over the devices. */
void cgroup_parse_io_v1(const char *text, gsize length, guint64 *read, guint64 *write);
/* io.stat: lines of "major:minor rbytes=… wbytes=… rios=… wios=…"; sums over the devices. */
void cgroup_parse_io_v2(const char *text, gsize length, Sample *sample);
/* /proc/PID/stat: the start time in clock ticks since boot. */
gboolean cgroup_parse_start_ticks(const char *text, gsize length, guint64 *ticks);

/*
 * The two earlier samples of each VM: <run>/samples, one line a VM
 *   <deploy-id> <start_id> <older time_us> <older cpu_ns> <newer time_us> <newer cpu_ns>
 * under a first line that names the format. Before the container's first sample, "older" is its
 * start, with no CPU used.
 */
typedef struct SampleStore SampleStore;
/* A store that cannot be read is an empty one: it is only a cache. */
SampleStore *sample_store_load(const Config *config);
void sample_store_free(SampleStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SampleStore, sample_store_free)
/* TRUE when it holds samples of this start of the VM's container. */
gboolean sample_store_knows(const SampleStore *store, const char *deploy_id, guint64 start_id);
/*
 * CPU use in percent of one core between NOW and an older sample of this start of the container:
 * the newest that is at least poll.sample_window_ms old. The first call for a start gives the mean
 * since NOW->started_us. NOW is remembered unless the newest sample is younger than the window.
 */
double sample_store_cpu(SampleStore *store, const char *deploy_id, const Sample *now);
/*
 * Writes it back when anything changed. COMPLETE says that every VM of the host was asked for, so
 * that those which were not are gone and are left out. Errors: IO, NO_SPACE.
 */
gboolean sample_store_save(SampleStore *store, gboolean complete, GError **error);

/* The file's form, pure. Lines that are not of it are left out. */
void sample_store_parse(SampleStore *store, const char *text, gsize length);
gchar *sample_store_format(const SampleStore *store);

// SPDX-License-Identifier: Apache-2.0
/*
 * The disks of a VM beside disk 0, on this host: files and block devices in places that the
 * configuration allows, each a file system that the VM sees at its mount point.
 *
 * A raw file becomes a loop device, a qcow2 first the one file of a FUSE export by
 * qemu-storage-daemon. The file system is mounted under <run>/disk/<deploy-id>/<number>, goes from
 * there into the container, and is unmounted here as soon as the container has it: so the
 * container's mount namespace alone holds it, and whatever way the container ends, the kernel
 * writes everything back and frees the device, before a transfer driver touches the file.
 *
 * A foreign file system is mounted nodev, since a device node in it would be one of this host's,
 * and nosuid: images go from hand to hand, and a set-uid program in one would give the VM's root to
 * whoever may run it there.
 *
 * Errors: SPEC, STATE (it is in use elsewhere), UNSUPPORTED (no such file system or program here),
 * IO, NO_SPACE, INTERRUPTED.
 */
#pragma once

#include "host.h"
#include "undo.h"

/* The disks of a VM, mounted on the host for a container that is about to take them over. */
typedef struct Volumes Volumes;

/*
 * Mounts every disk of SPEC, whose container must not run; makes a file system where SPEC asks for
 * it and the disk is blank. A CD that the kernel cannot read is left out with a warning. When one
 * fails, nothing of the others is left. CONFIG and SPEC must outlive the volumes.
 */
Volumes *volumes_up(const Config *config, const VmSpec *spec, GError **error);
/* Unmounts them on the host. What no container has taken over is freed by that. */
void volumes_free(Volumes *volumes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Volumes, volumes_free)
/*
 * What vmdock-runtime adds to the container, parents before what is mounted in them: an array of
 *   {"source": "/run/vmdock/disk/one-42/1", "destination": "/data", "read_only": false}
 */
json_t *volumes_mounts(const Volumes *volumes);
/* Sets LIMITS of the VM's disk 0, whose writable layer is the folder LAYER, on the cgroup of
 * process PID; what fails is logged. */
void volume_limit_root(const Config *config, const char *deploy_id, const VmDiskLimits *limits,
                       const char *layer, gint pid);
/* Sets the limits of the disks on the cgroup of process PID; what fails is logged. */
void volumes_limit(const Volumes *volumes, gint pid);
/* Whether there is a limit to set. */
gboolean volumes_limited(const Volumes *volumes);

/* Whether each disk's file is there and may be used: what can be told while the VM still runs. */
gboolean volumes_check(const Config *config, const VmSpec *spec, GError **error);

/* Gives up what a check of disks that nothing has mounted may have made ready. */
void volumes_release(const Config *config, const VmSpec *spec);

/*
 * For a VM whose container does not run: clears what is left of its disks on this host. Waits until
 * the kernel has let go of the files that the saved spec names, STATE if it does not. Fine if there
 * is nothing.
 */
gboolean volumes_down(Host *host, const char *deploy_id, GError **error);
/* The same without waiting, for a VM that goes with its files. */
gboolean volumes_clear(const Config *config, const char *deploy_id, GError **error);
/* The deploy ids that have something left; gchar*. */
GPtrArray *volumes_list(const Config *config);
/* Whether this one has. */
gboolean volumes_left(const Config *config, const char *deploy_id);
/*
 * For a VM whose container runs: clears what an attach or a detach that was killed has left. *found
 * tells whether there is anything; with DRY_RUN it stays. The caller holds the VM's lock.
 */
gboolean volumes_tidy(const Config *config, const char *deploy_id, gboolean dry_run,
                      gboolean *found, GError **error);

/*
 * Gives DISK to the container that runs as process PID. Fine if it has it. STATE unless PID lives
 * in the VM's sandbox.
 */
gboolean volume_attach(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       GError **error);
/* Takes it away: written back, unmounted, the device free. STATE, with who holds it, when it is
 * busy. Fine if the container does not have it. */
gboolean volume_detach(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       GError **error);

/*
 * Makes DISK, which the container that runs as process PID has, BYTES large: its file where that
 * is smaller, its device, and its file system. Fine if it is so large. Before anything is changed:
 * SPEC when it would become smaller, UNSUPPORTED when its file system cannot grow while it is
 * mounted.
 */
gboolean volume_resize(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid,
                       guint64 bytes, GError **error);

/* Sets the I/O limits of DISK, which the container that runs as process PID has; 0 takes one off.
 * What fails is logged. Fine if it does not have it. */
void volume_limit(const Config *config, const char *deploy_id, const VmDisk *disk, gint pid);
/*
 * Brings the disks of CONTAINER, which runs, from LAST to SPEC: those that LAST alone has go, those
 * that SPEC alone has come, and those of both, disk 0 among them, get their limits. What is done is
 * pushed on UNDO.
 */
gboolean volumes_bring(const Config *config, const VmSpec *last, const VmSpec *spec,
                       const EngineContainer *container, Undo *undo, GError **error);

/*
 * For a disk that was detached: of a datastore's, removes its file if that is a link out of its
 * folder. OpenNebula's shared drivers make such to a persistent image and leave it there; the next
 * disk of that number would be copied through it, over the image. Fine if it is no link, or not
 * there.
 */
gboolean volume_file_drop_link(const Config *config, const VmDisk *disk, GError **error);

/*
 * PATH, which is foreign, as a place below the datastores ("102/42/disk.1"): absolute, without "."
 * and "..", whatever number of slashes. Errors: USAGE.
 */
gchar *volume_source(const Config *config, const char *path, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's actions. Each takes the VM's lock, looks at what is there, does its work and
 * takes everything back when a step fails; each can be repeated. None prints.
 *
 * Contract: OpenNebula's VMM actions deploy, shutdown, cancel, reboot and reset (4.14 to 7.4) by
 * their meaning; argv, stdin and stdout belong to the shim.
 */
#pragma once

#include "host.h"

/* Called with a container's last output when it died in its first moments, and for pulls. */
typedef struct {
    EnginePullFunc pull; /* progress of a fetch; NULL */
    /* The last step of a deploy: tells the caller that the VM is up. If it fails (a closed pipe),
     * the deploy is taken back. NULL = nothing to tell. */
    gboolean (*report)(const char *deploy_id, gpointer data, GError **error);
    /* Called when a VM that does not run has its network and its container, and before it starts:
     * the caller may wait for what the cloud makes of the NICs. If it fails, the deploy is taken
     * back. */
    gboolean (*plugged)(const char *deploy_id, gpointer data, GError **error);
    gpointer data;
} DeployHooks;

/*
 * The VM runs as SPEC says when this returns TRUE: network up before the first instruction, alive
 * after [vm] boot_watch_ms. A VM that was stopped keeps its writable layer; what only creation can
 * set and has changed is logged. One that runs is brought to the spec without a restart,
 * and SPEC then has the names that its NICs have in the guest.
 * Errors: any but NO_VM; DEAD with the exit status and the last lines of output.
 */
gboolean vm_deploy(Host *host, VmSpec *spec, const DeployHooks *hooks, GError **error);

/*
 * Once begun it is seen through: a signal to vmdock does not call the stop signal back.
 * The container's stop signal, then SIGKILL after TIMEOUT_S (-1: the VM's own, else the host's);
 * its NICs and sandbox are released, its writable layer is kept. Fine if it is stopped.
 */
gboolean vm_shutdown(Host *host, const char *deploy_id, gint timeout_s, GError **error);
/* SIGKILL, the rest as shutdown. Fine if there is no such VM: what it left is cleared. */
gboolean vm_cancel(Host *host, const char *deploy_id, GError **error);
/* Stop and start; sandbox, NICs and layer stay. A stopped VM is started. */
gboolean vm_reboot(Host *host, const char *deploy_id, GError **error);
/* Kill and start. */
gboolean vm_reset(Host *host, const char *deploy_id, GError **error);
/*
 * Tells a VM that runs what has changed of its context and its addresses, as SPEC has them; which
 * NICs it has stays. SPEC's NICs become those that are saved. STATE if it does not run.
 */
gboolean vm_reconfigure(Host *host, VmSpec *spec, GError **error);
/*
 * The NICs and name servers of SPEC become the VM's: at once where it runs, without a restart, and
 * with its next start where it does not. Of SPEC everything is saved. NO_VM if there is none.
 */
gboolean vm_renew_network(Host *host, VmSpec *spec, GError **error);
/* Freezes a running VM, and thaws it; fine if it is so already. STATE if it is stopped. */
gboolean vm_pause(Host *host, const char *deploy_id, GError **error);
gboolean vm_resume(Host *host, const char *deploy_id, GError **error);
/*
 * Gives DISK to a VM that runs, and keeps it for its later starts. Fine if the VM has it. Errors:
 * STATE if it does not run, those of volume.h.
 */
gboolean vm_attach_disk(Host *host, const char *deploy_id, const VmDisk *disk, GError **error);
/* Takes the disk with the number ID from the VM, written back and unmounted; STATE with who holds
 * it while it is in use. Fine if the VM does not have it. */
gboolean vm_detach_disk(Host *host, const char *deploy_id, guint id, GError **error);
/*
 * The same of a disk that the cloud knows by an id of its own (cloud_id): its number is found here,
 * and a VM that does not run has it from its next start on.
 */
gboolean vm_attach_volume(Host *host, const char *deploy_id, const VmDisk *disk, GError **error);
gboolean vm_detach_volume(Host *host, const char *deploy_id, const char *cloud_id, GError **error);
/* Cancel, and everything of the VM goes: container, layer, image name, state. Fine if none. */
gboolean vm_purge(Host *host, const char *deploy_id, GError **error);

/*
 * Brings a VM, running or not, to the limits that SPEC says (CPU, memory, swap, processes), and its
 * saved spec with it; nothing else of SPEC is looked at. STATE when a running VM uses more memory
 * than it would have.
 */
gboolean vm_resize(Host *host, const VmSpec *spec, GError **error);
/*
 * Makes a disk of a VM that runs MEGABYTES large, with its file system. UNSUPPORTED, with what to
 * do instead, for disk 0 and for what cannot grow in use; SPEC when it would become smaller.
 */
gboolean vm_resize_disk(Host *host, const char *deploy_id, guint disk_id, guint64 megabytes,
                        GError **error);
/* The same of the disk with the cloud's id CLOUD_ID. Of a VM that does not run the disk is filled
 * by its next start. */
gboolean vm_resize_volume(Host *host, const char *deploy_id, const char *cloud_id,
                          guint64 megabytes, GError **error);

/*
 * Snapshots of a VM's disk 0: images under the name vmdock/<deploy-id>:<snapshot>, where the name
 * of a snapshot is what the create returns ("snap.3") and the other two take. A running VM stands
 * still while its snapshot is made; one of the same number is replaced.
 */
gchar *vm_snapshot_create(Host *host, const char *deploy_id, guint number, GError **error);
/*
 * The VM gets a new container of the snapshot, in the network that it has, and runs. All or
 * nothing: if the new one does not come up the old one is back, and runs if it ran. NO_IMAGE for no
 * such snapshot. The snapshot can be reverted to again.
 */
gboolean vm_snapshot_revert(Host *host, const char *deploy_id, const char *snapshot,
                            GError **error);
/* Fine if there is no such snapshot. */
gboolean vm_snapshot_delete(Host *host, const char *deploy_id, const char *snapshot,
                            GError **error);

/*
 * Finds what killed actions and removed containers left (host ends, sandboxes, map and state files,
 * containers that never started) and removes it unless DRY_RUN. Returns a sentence for each,
 * gchar*. VMs that another action holds are left alone, and so is a container of a VM's name that
 * is not vmdock's; what cannot be cleared is logged. The name of an image goes only with a saved
 * spec that can fetch it again: a transfer may hold one for a VM that is not deployed yet.
 */
GPtrArray *vm_gc(Host *host, gboolean dry_run, GError **error);

/*
 * The same for what has lain there for [poll] sweep_after_s, by this call's own earlier findings;
 * and a VM that ended by itself so long ago loses its links and sandbox, since nobody calls an
 * action for it. For probes: of a host in order the engine is asked once.
 */
GPtrArray *vm_sweep(Host *host, GError **error);

/* What a deploy of SPEC would do, without doing it or asking anyone: request, links, addresses. */
json_t *vm_explain(const Config *config, const VmSpec *spec);

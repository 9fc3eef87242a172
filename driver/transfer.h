// SPDX-License-Identifier: Apache-2.0
/*
 * Disk 0 on its way: to the host, from it, between hosts, into a datastore, and its snapshots.
 * All of it is images and their names. The names of a VM's images on a host:
 *   vmdock/one-42:disk.0         what the container is, or will be, made from
 *   vmdock/one-42:disk.0-snap.3  disk snapshot 3
 *   vmdock/one-42:disk.0-now     disk 0 with all that was written, while it is on its way
 *
 * Each takes the VM's lock, can be repeated, and leaves nothing half done. Errors: those of
 * engine.h, and NO_IMAGE when the host holds no disk 0 of the VM, STATE when the VM runs and must
 * not.
 *
 * Contract: the meaning of OpenNebula's transfer actions (4.14 to 7.4); the front end's half is
 * shim/front_tm*.c.
 */
#pragma once

#include "host.h"

/* Where progress goes: FUNC may be NULL. */
typedef struct {
    EnginePullFunc func;
    gpointer data;
} TransferProgress;

enum { TRANSFER_NOW = -1 }; /* in place of a snapshot's number: disk 0 as it is */

typedef enum {
    TRANSFER_CACHED,   /* fetched when the engine does not have it */
    TRANSFER_ANEW,     /* others write to it: what the engine has may be old */
    TRANSFER_IN_PLACE, /* the same; and it must be one that can be written back: a tag, in a
                          registry */
} TransferFetch;

/*
 * The host holds the image SOURCE as disk 0: a reference, fetched as FETCH says, or an id
 * ("sha256:…") that must be there. A stopped container of an earlier life of the VM goes.
 */
gboolean transfer_hold(Host *host, const char *deploy_id, const char *source, TransferFetch fetch,
                       TransferProgress progress, GError **error);
/* The same of the one image of the archive that FD gives. */
gboolean transfer_hold_archive(Host *host, const char *deploy_id, int fd, TransferProgress progress,
                               GError **error);
/* The one image of the archive that FD gives becomes this host's under NAME, no VM's. */
gboolean transfer_load(Host *host, const char *name, int fd, TransferProgress progress,
                       GError **error);
/* The same of the image REFERENCE in a registry, of which only the layers travel that are not here;
 * it keeps no other name. */
gboolean transfer_pull(Host *host, const char *name, const char *reference,
                       TransferProgress progress, GError **error);
/* NO_IMAGE when no disk 0 of the VM is here. */
gboolean transfer_check_held(Host *host, const char *deploy_id, GError **error);

/* Disk 0 as it is, and its snapshots, as an archive to FD; a container that runs is frozen while
 * its files are taken. Nothing of the VM changes here. */
gboolean transfer_export(Host *host, const char *deploy_id, int fd, TransferProgress progress,
                         GError **error);
/* What transfer_export() wrote elsewhere becomes the VM's disk 0 and snapshots here. */
gboolean transfer_import(Host *host, const char *deploy_id, int fd, TransferProgress progress,
                         GError **error);

/*
 * The same through REGISTRY ("reg.example:5000"), as <registry>/vmdock/one-42:TAG, where only what
 * is not there yet is moved. Sending returns the tags, gchar*, for transfer_fetch().
 */
GPtrArray *transfer_send(Host *host, const char *deploy_id, const char *registry,
                         TransferProgress progress, GError **error);
gboolean transfer_fetch(Host *host, const char *deploy_id, const char *registry,
                        const char *const *tags, TransferProgress progress, GError **error);

/* Disk 0 as it is, or its snapshot, pushed under REFERENCE, which must have a tag; or as an archive
 * of one image to FD. *digest, where wanted, is the manifest's; NULL where the registry told none.
 */
gboolean transfer_push(Host *host, const char *deploy_id, gint snapshot, const char *reference,
                       TransferProgress progress, gchar **digest, GError **error);
/*
 * Deletes from its registry what REFERENCE, with a tag or a digest, stands for; fine if it is not
 * there. By skopeo, with the engine's credentials and what the engine says of the registry: whether
 * plain http or any certificate will do. Errors: those of skopeo.h and of engine_info().
 */
gboolean transfer_forget(Host *host, const char *reference, GError **error);
/* Whether the engine that told INFO (engine_info()) trusts REGISTRY as it comes. Pure: names of
 * hosts are not resolved. */
gboolean transfer_registry_is_insecure(const json_t *info, const char *registry);
/* WRITTEN, which may be NULL, is called when all of it is in FD; until it returns the engine keeps
 * what was sent, for a receiver that has the same engine. */
typedef void (*TransferWritten)(void);
gboolean transfer_save(Host *host, const char *deploy_id, gint snapshot, int fd,
                       TransferWritten written, TransferProgress progress, GError **error);

/* Disk snapshots. After a revert the next deploy makes a new container from the snapshot. */
gboolean transfer_snapshot(Host *host, const char *deploy_id, guint snapshot, GError **error);
gboolean transfer_revert(Host *host, const char *deploy_id, guint snapshot, GError **error);
gboolean transfer_snapshot_delete(Host *host, const char *deploy_id, guint snapshot,
                                  GError **error);

/* A snapshot that a persistent image has kept from an earlier VM: of REFERENCE, or of the one image
 * of the archive that FD gives. */
gboolean transfer_snapshot_hold(Host *host, const char *deploy_id, guint snapshot,
                                const char *reference, TransferProgress progress, GError **error);
gboolean transfer_snapshot_load(Host *host, const char *deploy_id, guint snapshot, int fd,
                                TransferProgress progress, GError **error);

/* Bytes of the file system that the engine keeps its images and containers on. */
typedef struct {
    guint64 total, used, available;
} TransferSpace;
gboolean transfer_space(Host *host, TransferSpace *space, GError **error);
/* What names this engine among all, until its host boots anew: two names of hosts stand for one
 * when it is the same. */
gchar *transfer_engine_id(Host *host, GError **error);

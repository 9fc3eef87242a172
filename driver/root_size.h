// SPDX-License-Identifier: Apache-2.0
/*
 * SIZE of disk 0: a container's root is held to it where the engine's storage can do that, and
 * where it cannot, the VM's log says so.
 *
 * The size is of the root as a whole, image and all, as it is of any disk. So a VM is held to it
 * over snapshots, save-as and migration too, which make what it has written a part of its image.
 * Storages count differently: btrfs counts the whole root; overlay2 (on XFS with project quotas)
 * and zfs count what is written beside the image, so they are told what the image leaves of it.
 */
#pragma once

#include "engine.h"
#include "spec.h"

typedef struct RootSize RootSize;

/*
 * Asks the engine, in a thread of its own, what its storage can do; NULL when SPEC names no size,
 * so that other VMs cost no request. CONFIG and SPEC must outlive it.
 */
RootSize *root_size_ask(const Config *config, const VmSpec *spec);
void root_size_free(RootSize *size);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RootSize, root_size_free)

/*
 * engine_create() of a container that is made of IMAGE, an id, with the limit added to BODY where
 * the storage holds one. When the engine refuses that, the container is made without. SIZE may be
 * NULL.
 */
gchar *root_size_create(RootSize *size, Engine *engine, const char *name, const char *image,
                        json_t *body, GError **error);

/*
 * btrfs may lose count when the engine removes a container, and holds nobody to a size until all is
 * counted anew: this has the kernel begin that, where it is needed. Cheap, and for every probe.
 */
void root_size_recount(const Config *config);
/* Keeps for it that the engine has its roots, by the storage DRIVER, in FOLDER. */
void root_size_keep(const Config *config, const char *driver, const char *folder);

/* What the storage DRIVER is to be told for a root of WANTED bytes, made of an image of IMAGE
 * bytes. It always leaves the VM enough room to start. Pure. */
gint64 root_size_limit(const char *driver, gint64 wanted, gint64 image);

// SPDX-License-Identifier: Apache-2.0
/*
 * The bundle's config.json: whose container it describes, and the same text with the VM's sandbox
 * in it. Pure: text in, text out.
 *
 * A container is vmdock's only by linux.cgroupsPath: the parent of that path is what only the
 * host's vmdock sets at creation. Labels, environment, host name, annotations and names belong to
 * the image or the template and are never looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    BUNDLE_FOREIGN, /* not vmdock's: to be left as it is */
    BUNDLE_OURS,
    BUNDLE_REFUSED, /* unreadable, or it lies in vmdock's parent in a form vmdock does not use */
} BundleOwner;

/*
 * Under the cgroupfs driver the path of a VM is exactly CGROUP_PARENT/ID, under systemd's exactly
 * "SLICE:docker:ID". ID may be NULL.
 */
BundleOwner bundle_owner(const char *text, size_t length, const char *cgroup_parent, const char *id,
                         char **error);

/* A file system that the host has mounted for the container. */
typedef struct {
    char *source;      /* where it is mounted on the host */
    char *destination; /* where the container is to have it */
    bool read_only;
} BundleMount;

/* What the VM's description has and the engine's does not. */
typedef struct {
    const char *netns; /* path of the network namespace */
    bool keep_hook;    /* leave the engine's set-key hook */
    const BundleMount *mounts;
    size_t mount_count;
} BundleChange;

/*
 * TEXT, which bundle_owner() called ours, with CHANGE made: the path of its network namespace, the
 * engine's set-key hook, and further mounts behind the engine's own. What is mounted is a foreign
 * file system: nodev and nosuid. Every byte that is not part of these is the original's: numbers
 * above 2^63 (unlimited rlimits) survive. NULL with a sentence if the container has no network
 * namespace of its own to replace.
 */
char *bundle_join(const char *text, size_t length, const BundleChange *change,
                  size_t *joined_length, char **error);

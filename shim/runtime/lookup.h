// SPDX-License-Identifier: Apache-2.0
/*
 * What vmdock and this program keep about a container, by its id, in folders that only root writes:
 *   <run>/sandbox/<id>      the VM, its sandbox and its runtime; written by vmdock before every
 * start <state>/container/<id>  the VM's deploy id; survives a reboot of the host
 *   <run>/runtime/<id>      the real runtime that made the container; written here
 */
#pragma once

#include "bundle.h"
#include "settings.h"

typedef struct {
    char *vm;    /* deploy id */
    char *netns; /* the sandbox, checked to be a network namespace other than the caller's own */
    char *real;  /* the real runtime; NULL if vmdock did not say */
    bool keep_hook;
    BundleMount *mounts; /* the VM's disks, each checked to be mounted */
    size_t mount_count;
} LookupVm;

void lookup_vm_clear(LookupVm *vm);
#define autovm __attribute__((cleanup(lookup_vm_clear)))

/* The VM of a container that is vmdock's. False with a sentence that names it and says what to do.
 */
bool lookup_vm(const Settings *settings, const char *id, LookupVm *vm, char **error);

/* Whether the VM of a container keeps the engine's hook; false too where there is no map. */
bool lookup_keeps_hook(const Settings *settings, const char *id);

/* The real runtime that made the container; *REAL is NULL if that was not recorded. */
bool lookup_real(const Settings *settings, const char *id, char **real, char **error);
bool lookup_record_real(const Settings *settings, const char *id, const char *real, char **error);
void lookup_forget_real(const Settings *settings, const char *id);

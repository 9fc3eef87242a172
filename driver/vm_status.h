// SPDX-License-Identifier: Apache-2.0
/*
 * What OpenNebula was told of each VM's state, and what it must be told now. Pure but for load and
 * save: <run>/monitor/status, JSON. A store that cannot be read is an empty one: everything is told
 * again.
 *
 * Contract: the probe vm/status of OpenNebula 7.4. Only changes are told, since each report becomes
 * lines in a VM's log; and beside them:
 *   - every sync_s seconds all that is known, under SYNC_STATE: the front end then takes every VM
 * of the host that is not named for MISSING_STATE, and every one that it does not know for a
 * zombie;
 *   - each change once more after repeat_s seconds: the front end drops what it hears within 30 s
 *     of an action, and a container that dies in that time would run for it until the next sync.
 * A VM that an action holds is in no state that OpenNebula should hear of: it keeps the state that
 * was told last, and has none before its first. A sync waits while a held VM may have been told
 * before this store began.
 */
#pragma once

#include "engine.h"

/* How many runs in a row a container must be missing before its VM is told as off. */
enum { STATUS_MISSING_RUNS = 2 };

typedef enum { VM_STATUS_RUNNING, VM_STATUS_SUSPENDED, VM_STATUS_POWEROFF } VmStatus;

/* FALSE for a container that never ran or is being removed: that is no VM yet, or none any more. */
gboolean vm_status_of(EngineState state, VmStatus *status);
/* "RUNNING", … */
const char *vm_status_name(VmStatus status);

typedef struct StatusStore StatusStore;

typedef struct {
    gint64 now_s;  /* of a clock that nobody sets */
    gint64 wall_s; /* seconds since the epoch, as the engine has them */
    guint64 sync_s, repeat_s;
} StatusTimes;

/* A VM looked at while no action can change it. */
typedef enum { STATUS_HELD, STATUS_GONE, STATUS_IS } StatusFound;
typedef struct {
    VmStatus status;
    gboolean oom_killed;
} StatusLook;
/* LISTED is what the listing says of it, NULL when it is not there. */
typedef StatusFound (*StatusLookFunc)(const char *deploy_id, const EngineContainer *listed,
                                      StatusLook *look, gpointer data);

/* HOST_ID is the host's number at the front end: what another one was told counts nothing. NULL,
 * for those who only read: whatever it is. */
StatusStore *status_store_load(const Config *config, const char *host_id);
void status_store_free(StatusStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StatusStore, status_store_free)
/* Errors: IO, NO_SPACE. */
gboolean status_store_save(const StatusStore *store, const Config *config, GError **error);
/* TRUE if the VM was told as off and the kernel had killed it for want of memory. */
gboolean status_store_oom_killed(const StatusStore *store, const char *deploy_id);

/*
 * What to tell now, in natural order of the VMs; "" for nothing. VMS are EngineContainer, all VMs
 * of the host; LOOK is asked only where something has changed. The store counts it as told.
 */
gchar *status_store_report(StatusStore *store, const GPtrArray *vms, const StatusTimes *times,
                           StatusLookFunc look, gpointer data);

/* The file's form, pure. */
StatusStore *status_store_parse(const char *text, gsize length, const char *host_id);
gchar *status_store_format(const StatusStore *store);

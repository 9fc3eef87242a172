// SPDX-License-Identifier: Apache-2.0
/*
 * What the actions of vmdock-front share: OpenNebula's datastore (DS) and transfer (TM) actions,
 * which run on the front end as the cloud's user, without root. What needs a node is done there by
 * vmdock-one, over ssh.
 *
 * Contract: the scripts remotes/opennebula/datastore/onedock/ACTION and tm/onedock/ACTION of
 * OpenNebula 4.14 to 7.4; argv, stdin and stdout are theirs.
 */
#pragma once

#include "opennebula.h"
#include "shim.h"

typedef struct {
    const Config *config;
} Front;

/* The one table of actions: family, name of the action, function (one may serve several). argv[0]
 * is the action's name. */
#define FRONT_ACTIONS(X)                                                                           \
    X("ds", "backup", front_refuse_backup)                                                         \
    X("ds", "clone", front_ds_clone)                                                               \
    X("ds", "cp", front_ds_cp)                                                                     \
    X("ds", "export", front_ds_export)                                                             \
    X("ds", "mkfs", front_ds_mkfs)                                                                 \
    X("ds", "monitor", front_ds_monitor)                                                           \
    X("ds", "rm", front_ds_rm)                                                                     \
    X("ds", "snap_delete", front_ds_snap_delete)                                                   \
    X("ds", "snap_flatten", front_ds_snap_flatten)                                                 \
    X("ds", "snap_revert", front_ds_snap_revert)                                                   \
    X("ds", "stat", front_ds_stat)                                                                 \
    X("tm", "clone", front_tm_clone)                                                               \
    X("tm", "context", front_tm_context)                                                           \
    X("tm", "cpds", front_tm_cpds)                                                                 \
    X("tm", "delete", front_tm_delete)                                                             \
    X("tm", "failmigrate", front_tm_failmigrate)                                                   \
    X("tm", "ln", front_tm_ln)                                                                     \
    X("tm", "mkimage", front_tm_mkimage)                                                           \
    X("tm", "mkswap", front_tm_mkswap)                                                             \
    X("tm", "monitor", front_tm_monitor)                                                           \
    X("tm", "mv", front_tm_mv)                                                                     \
    X("tm", "mvds", front_tm_mvds)                                                                 \
    X("tm", "postmigrate", front_tm_postmigrate)                                                   \
    X("tm", "postbackup", front_after_backup)                                                      \
    X("tm", "postbackup_live", front_after_backup)                                                 \
    X("tm", "prebackup", front_refuse_backup)                                                      \
    X("tm", "prebackup_live", front_refuse_backup)                                                 \
    X("tm", "premigrate", front_tm_premigrate)                                                     \
    X("tm", "resize", front_tm_resize)                                                             \
    X("tm", "snap_create", front_tm_snap_create)                                                   \
    X("tm", "snap_create_live", front_tm_snap_create_live)                                         \
    X("tm", "snap_delete", front_tm_snap_delete)                                                   \
    X("tm", "snap_revert", front_tm_snap_revert)

#define X(family, name, function)                                                                  \
    gboolean function(Front *front, int argc, char **argv, GError **error);
FRONT_ACTIONS(X)
#undef X

/* Sets the error "usage: vmdock-front FORM". Always FALSE. */
gboolean front_usage(GError **error, const char *form);

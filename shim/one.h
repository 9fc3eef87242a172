// SPDX-License-Identifier: Apache-2.0
/*
 * What the actions of vmdock-one share. The caller is the cloud's user, not root: every argument is
 * foreign text and is checked before it is used, and no path is taken from it.
 */
#pragma once

#include "opennebula.h"
#include "shim.h"

#include "driver/host.h"

typedef struct {
    const Config *config;
    Host *host;
    Progress progress;
} One;

/*
 * The one table of actions: name of the action, function. argv[0] is the action's name. FALSE with
 * an error is a failed action; what goes to stdout is the action's own.
 */
#define ONE_ACTIONS(X)                                                                             \
    X("deploy", one_deploy)                                                                        \
    X("shutdown", one_shutdown)                                                                    \
    X("cancel", one_cancel)                                                                        \
    X("reboot", one_reboot)                                                                        \
    X("reset", one_reset)                                                                          \
    X("poll", one_poll)                                                                            \
    X("attach_disk", one_attach_disk)                                                              \
    X("detach_disk", one_detach_disk)                                                              \
    X("attach_nic", one_attach_nic)                                                                \
    X("detach_nic", one_detach_nic)                                                                \
    X("set_qos", one_set_qos)                                                                      \
    X("exec", one_exec)                                                                            \
    X("exec_cancel", one_exec_cancel)                                                              \
    X("migrate", one_migrate)                                                                      \
    X("resize", one_resize)                                                                        \
    X("resize_disk", one_resize_disk)                                                              \
    X("restore", one_restore)                                                                      \
    X("save", one_save)                                                                            \
    X("snapshot_create", one_snapshot_create)                                                      \
    X("snapshot_delete", one_snapshot_delete)                                                      \
    X("snapshot_revert", one_snapshot_revert)                                                      \
    X("monitor", one_monitor)                                                                      \
    X("prereconfigure", one_prereconfigure)                                                        \
    X("reconfigure", one_reconfigure)                                                              \
    X("disk_engine", one_disk_engine)                                                              \
    X("disk_export", one_disk_export)                                                              \
    X("disk_fetch", one_disk_fetch)                                                                \
    X("disk_held", one_disk_held)                                                                  \
    X("disk_hold", one_disk_hold)                                                                  \
    X("disk_import", one_disk_import)                                                              \
    X("disk_load", one_disk_load)                                                                  \
    X("disk_purge", one_disk_purge)                                                                \
    X("disk_push", one_disk_push)                                                                  \
    X("disk_revert", one_disk_revert)                                                              \
    X("disk_save", one_disk_save)                                                                  \
    X("disk_send", one_disk_send)                                                                  \
    X("disk_snapshot", one_disk_snapshot)                                                          \
    X("disk_snapshot_delete", one_disk_snapshot_delete)                                            \
    X("disk_snapshot_hold", one_disk_snapshot_hold)                                                \
    X("disk_snapshot_load", one_disk_snapshot_load)                                                \
    X("disk_space", one_disk_space)

#define X(name, function) gboolean function(One *one, int argc, char **argv, GError **error);
ONE_ACTIONS(X)
#undef X

/* Sets the error "usage: vmdock-one FORM". Always FALSE. */
gboolean one_usage(GError **error, const char *form);
/*
 * The payload on stdin, decoded where it is base64: an XML message of at most xml_max_bytes.
 */
gchar *one_payload(const One *one, gsize *length, GError **error);
/* The VM that the payload describes. */
VmSpec *one_spec(const One *one, GError **error);
/*
 * The place below the datastores of PATH, which is <datastores>/<number>/<VM_ID>/<PREFIX><number>
 * and nothing else; NULL when it is not. Looks at no file.
 */
gchar *one_image_place(const Config *config, const char *path, const char *vm_id,
                       const char *prefix);
/* Takes over where the context image lies from the deployment file's name. */
void one_take_directory(const One *one, VmSpec *spec, const char *deployment_file);
/* FALSE unless DEPLOY_ID is OpenNebula's form and, where NUMBER is not NULL, of that VM. */
gboolean one_check_id(const char *deploy_id, const char *number, GError **error);

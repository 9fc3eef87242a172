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
    FrontEnd front_end;
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
    X("detach_disk", one_detach_disk)

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
/* FALSE unless DEPLOY_ID is OpenNebula's form and, where NUMBER is not NULL, of that VM. */
gboolean one_check_id(const char *deploy_id, const char *number, GError **error);

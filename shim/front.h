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
    FrontEnd front_end;
} Front;

/* The one table of actions: family, name of the action, function. argv[0] is the action's name. */
#define FRONT_ACTIONS(X)

#define X(family, name, function)                                                                  \
    gboolean function(Front *front, int argc, char **argv, GError **error);
FRONT_ACTIONS(X)
#undef X

/* Sets the error "usage: vmdock-front FORM". Always FALSE. */
gboolean front_usage(GError **error, const char *form);

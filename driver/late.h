// SPDX-License-Identifier: Apache-2.0
/*
 * Containers that come late. An engine that was asked for a container makes it although whoever
 * asked was killed meanwhile, or gave up waiting. So a file stands for as long as such a request is
 * under way, <run>/creating/<deploy-id>; who clears away what a VM has, and finds the file but no
 * container, waits for it. Under the VM's lock.
 */
#pragma once

#include "host.h"

#define LATE_FOLDER "creating"

/* A request for the VM's container begins, and its outcome is known. Errors: IO, NO_SPACE. */
gboolean late_begins(const Config *config, const char *deploy_id, GError **error);
gboolean late_ended(const Config *config, const char *deploy_id, GError **error);
/*
 * Whether a request that failed with FAILURE may have its effect all the same: it broke off, or
 * was not answered.
 */
gboolean late_is_possible(const GError *failure);
/*
 * host_container(), which waits for a container that was asked for within the last
 * [engine] late_create_ms. Errors: those of host_container(), INTERRUPTED.
 */
EngineContainer *late_container(Host *host, const char *deploy_id, GError **error);

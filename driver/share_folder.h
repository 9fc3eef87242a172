// SPDX-License-Identifier: Apache-2.0
/* A folder whose mounts appear, and go, in every mount namespace: a shared mount. */
#pragma once

#include "error.h"

/*
 * Makes PATH, which is there, a shared mount as `ip netns` does with its own. Without it what is
 * mounted below would not be seen by an engine in a mount namespace of its own, and what is
 * unmounted would live on in copies of other namespaces. Errors: CODE, INTERRUPTED.
 */
gboolean share_folder(const char *path, VmdockError code, GError **error);

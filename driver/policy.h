// SPDX-License-Identifier: Apache-2.0
/*
 * What a VM may ask for beyond the engine's defaults: capabilities, devices, folders, privilege.
 * All refused unless the host's configuration allows that very thing. Pure.
 */
#pragma once

#include "config.h"
#include "spec.h"

/* Errors: POLICY, with the thing refused and the setting that would allow it. */
gboolean policy_check(const Config *config, const VmSpec *spec, GError **error);

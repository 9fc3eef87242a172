// SPDX-License-Identifier: Apache-2.0
/*
 * What a VM may ask for beyond the engine's defaults: capabilities, devices, folders, privilege,
 * networks of libvirt and of the engine.
 * All refused unless the host's configuration allows that very thing. Pure.
 */
#pragma once

#include "config.h"
#include "spec.h"

/* Errors: POLICY, with the thing refused and the setting that would allow it. */
gboolean policy_check(const Config *config, const VmSpec *spec, GError **error);
/* The part of it that is about networks of libvirt and of the engine. What an operator has written
 * (vmdock run, domain XML) may name any. */
gboolean policy_check_networks(const Config *config, const VmSpec *spec, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * VmSpec -> the bodies of engine requests. Pure, golden-tested.
 *
 * vmdock-runtime joins the container to the VM's sandbox; NetworkMode is "none", or the first of
 * the engine's networks that a NIC names. The restart policy is always "no": the cloud decides.
 *
 * Labels, all set at every creation so that none of an image can stand for them:
 *   vmdock.vm         deploy id             vmdock.cloud      "opennebula"
 *   vmdock.cloud-id   the cloud's id        vmdock.name       the cloud's name
 *   vmdock.uuid       uuid or ""            vmdock.version    the vmdock that created it
 */
#pragma once

#include "config.h"
#include "spec.h"

#define ENGINE_LABEL_VM       "vmdock.vm"
#define ENGINE_LABEL_CLOUD    "vmdock.cloud"
#define ENGINE_LABEL_CLOUD_ID "vmdock.cloud-id"
#define ENGINE_LABEL_NAME     "vmdock.name"
#define ENGINE_LABEL_UUID     "vmdock.uuid"
#define ENGINE_LABEL_VERSION  "vmdock.version"
#define ENGINE_LABEL_HOST     "vmdock.host" /* where the cloud says one */

/* IMAGE is the name the container is created from: the tag that holds disk 0. */
json_t *engine_body(const VmSpec *spec, const Config *config, const char *image);

/* What the engine is told of a NIC on one of its networks: the MAC, the addresses asked for, and
 * with LEARNED those that the engine itself has chosen before. */
json_t *engine_endpoint_body(const VmNic *nic, gboolean learned);

/*
 * The part of it that engine_update() can bring to a container that exists: limits. To an update 0
 * means "as it is", so "none" is said as -1; a memory limit once given cannot be taken away.
 */
json_t *engine_update_body(const VmSpec *spec, const Config *config);

/*
 * What only creation can set and differs between OLD and NEW: "image", "environment", "command", …
 * NULL-terminated, empty when nothing differs.
 */
GStrv engine_body_changed(const VmSpec *old, const VmSpec *new);

/* Where the files of a VM that another one rescues are mounted on the host. */
gchar *rescue_mount(const Config *config, const char *deploy_id);

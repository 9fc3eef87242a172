// SPDX-License-Identifier: Apache-2.0
/*
 * Requests of OpenStack Nova's compute driver -> VmSpec. Pure: JSON in, spec out.
 *
 * A request is one JSON object with Nova's own objects under their own names, whole or in part:
 * instance (Instance), image_meta (ImageMeta), network_info (a list of VIFs) or vif (one),
 * block_device_info, connection_info and mountpoint (of a volume), injected_files ([path, base64]
 * pairs), admin_password; and beside them
 *   host           the compute host that Nova runs the VM on (CONF.host)
 *   shared_engine  true where several compute hosts work on one engine
 *   files          {path: base64}, the content of the config drive
 * doc/nova-protocol.md says which method takes which. All of it is foreign input.
 *
 * Contract: nova.virt.driver.ComputeDriver of Nova 26 and later.
 */
#pragma once

#include "spec.h"

typedef struct {
    gboolean terminal;        /* allocate a terminal when nobody says */
    const char *mount_point;  /* where the guest finds the config drive's content */
    const char *volume_point; /* the folder in which it finds its volumes */
    const char *volume_fs;    /* the file system that a blank volume gets; NULL = none */
} NovaOptions;

/* TEXT as a request: an object, at most MAX_SIZE bytes, no name twice. Errors: SPEC. */
json_t *nova_request(const char *text, gsize length, gsize max_size, GError **error);

/*
 * "nova-<uuid>" of the request's instance; where engines are shared, with a mark of the host behind
 * it, so that two hosts can have a container of one instance. Errors: SPEC.
 */
gchar *nova_deploy_id(const json_t *request, GError **error);
/* The instance of a deploy id: its UUID; NULL for another cloud's. */
gchar *nova_uuid(const char *deploy_id);
/* The request's host; NULL with SPEC when it names none. */
const char *nova_host(const json_t *request, GError **error);

/* What the request describes. Errors: SPEC. The result has passed vm_spec_check(). */
VmSpec *spec_from_nova(const json_t *request, const NovaOptions *options, GError **error);

/* Gives SPEC the memory, the CPUs and the limits of I/O that the instance's flavor and image say.
 * Errors: SPEC. */
gboolean nova_take_limits(const json_t *request, VmSpec *spec, GError **error);

/*
 * Gives SPEC the NICs and name servers of the request's network_info. A NIC that SPEC has already,
 * known by its host end, keeps its number and its name in the guest. Errors: SPEC.
 */
gboolean nova_take_network(const json_t *request, VmSpec *spec, GError **error);
/* The same of the request's vif alone; SPEC's other NICs stay. Returns the NIC, which is SPEC's. */
const VmNic *nova_take_vif(const json_t *request, VmSpec *spec, GError **error);

/*
 * Gives SPEC the volumes of the request's block_device_info, where it has one. One that SPEC has
 * already, known by its UUID, keeps its number. Errors: SPEC.
 */
gboolean nova_take_volumes(const json_t *request, const NovaOptions *options, VmSpec *spec,
                           GError **error);
/* The one volume of the request's connection_info, at its mountpoint; without a number. */
VmDisk *nova_volume(const json_t *request, const NovaOptions *options, GError **error);
/* Its UUID alone; the request's. */
const char *nova_volume_id(const json_t *request, GError **error);

/*
 * Where the image comes from: TRUE when it is an archive that Glance holds, of which *name becomes
 * the node's own name; FALSE without error, and *name is NULL, when a property names a reference.
 * FALSE with SPEC for neither.
 */
gboolean nova_image_is_archive(const json_t *request, gchar **name, GError **error);
/* What the names of such images begin with. */
#define NOVA_IMAGE_REPOSITORY   "vmdock/glance"
/* And of what has come of them, until Nova has seen that it is what Glance's signature says. */
#define NOVA_WAITING_REPOSITORY "vmdock/glance-waiting"

// SPDX-License-Identifier: Apache-2.0
/*
 * What may be reserved for a VM in libvirt's networks: <state>/reserved/<deploy-id>, written before
 * libvirt is asked and kept until what was asked for is known to be freed. It stands apart from the
 * saved spec, for an address may outlive that: libvirt may be down when a VM is purged. Under the
 * VM's lock. Errors: IO, NO_SPACE.
 */
#pragma once

#include "config.h"
#include "spec.h"

typedef struct {
    gchar *network;
    guint8 mac[6];
    gchar *name;       /* the host's, in the network; NULL = none, or it is not known */
    VmAddress address; /* family 0 = it is not known */
} Reservation;

Reservation *reservation_new(const char *network, const guint8 mac[6]);

/* Reservation; empty where there are none, or where they cannot be read. */
GPtrArray *reservations_load(const Config *config, const char *deploy_id);
GPtrArray *reservations_copy(const GPtrArray *reservations);
/* No file is left where there are none. */
gboolean reservations_save(const Config *config, const char *deploy_id,
                           const GPtrArray *reservations, GError **error);
/* NULL if there is none. Belongs to the list. */
Reservation *reservations_find(const GPtrArray *reservations, const char *network,
                               const guint8 mac[6]);
/* The deploy ids with a file; gchar*. */
GPtrArray *reservations_owners(const Config *config);

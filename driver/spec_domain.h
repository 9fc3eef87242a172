// SPDX-License-Identifier: Apache-2.0
/*
 * libvirt's domain XML <-> VmSpec. Pure.
 *
 * The contract: formatdomain of libvirt 9.0 and its schema, of domains of type lxc, whose operating
 * system is a program (os/type exe). What the format has no words for stands in its metadata, in
 * vmdock's own namespace: the image, name servers, and the attributes of spec_attribute.h.
 * vmdock-domain(5) has all of it. What is read and not honoured is named by its place.
 */
#pragma once

#include "spec.h"

#define DOMAIN_NAMESPACE "https://vmdock.org/xmlns/libvirt/domain/1.0"
#define DOMAIN_CLOUD     "libvirt"

typedef struct {
    gsize max_size;    /* bytes of XML taken; larger input is refused unread */
    gboolean terminal; /* allocate a terminal where the XML names no console */
} DomainOptions;

/* Whether XML is a document whose root is a domain. */
gboolean spec_is_domain(const char *xml, gsize length, gsize max_size);

/* Parses LENGTH bytes of XML. Errors: SPEC. The result has passed vm_spec_check(). */
VmSpec *spec_from_domain(const char *xml, gsize length, const DomainOptions *options,
                         GError **error);

/*
 * The deploy id of a domain: "dom-" and its name, where that is made of small letters, digits and
 * single inner dashes; else what it has of these, and behind "--" a mark of the whole name.
 */
gchar *domain_deploy_id(const char *name);

/*
 * SPEC as domain XML, in UTF-8; of a spec of any cloud. LIVE_ID is the process number of a VM that
 * runs, which libvirt shows as a container's id; 0 = it does not run. DATASTORES is where disks of
 * datastores lie. spec_from_domain() makes the same spec of it where the spec is a domain's.
 * Another cloud's VM is called by its deploy id, as that cloud's own driver for libvirt would; of
 * what its cloud tells the guest there is nothing here, since it may be secret.
 */
gchar *domain_from_spec(const VmSpec *spec, const char *datastores, gint live_id);

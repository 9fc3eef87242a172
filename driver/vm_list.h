// SPDX-License-Identifier: Apache-2.0
/*
 * Which containers of this host are VMs. The label alone proves nothing (an image can bring labels,
 * an operator can give names): the name must equal the label and be a valid deploy id, and the
 * container must be vmdock's. The cgroup's place under vmdock's parent shows it of a container that
 * runs, and the note that vmdock wrote when it made it (sandbox_map_knows) of one that does not,
 * without asking anyone; any other is inspected and must pass host_owns().
 */
#pragma once

#include "host.h"
#include "samples.h"

/* The VMs of this host, running or not, in natural order of their ids; EngineContainer*. One engine
 * listing, and an inspection for each container that neither shows. Errors: the engine's. */
GPtrArray *vm_list(Host *host, const CgroupReader *reader, GError **error);
/* The same of a listing that is there already; takes everything out of CONTAINERS. */
GPtrArray *vm_list_of(Host *host, GPtrArray *containers, const CgroupReader *reader,
                      GError **error);

/* The containers of the engine that are none of VMS, running or not, by name; EngineContainer*. */
GPtrArray *vm_list_wild(Host *host, const GPtrArray *vms, GError **error);

/* NULL without error when the container has gone since. */
typedef EngineContainer *(*VmInspectFunc)(const char *id, gpointer data, GError **error);

/* The rule over a listing: takes everything out of CONTAINERS, and what passes is in the result. */
GPtrArray *vm_list_select(const Config *config, GPtrArray *containers, const CgroupReader *reader,
                          VmInspectFunc inspect, gpointer data, GError **error);

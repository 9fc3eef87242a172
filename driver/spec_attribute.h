// SPDX-License-Identifier: Apache-2.0
/*
 * The attributes of a VM's process and surroundings that no cloud has of its own: COMMAND,
 * ENTRYPOINT, ENV, USER, WORKDIR, TERMINAL, INIT, STOP_SIGNAL, STOP_TIMEOUT, PIDS_LIMIT,
 * READONLY_ROOT, TMPFS, CAP_ADD, DEVICES, PRIVILEGED, FILTER, ADDRESS_PROBE. Their values have one
 * form in all clouds: vmdock-template(5). Pure.
 */
#pragma once

#include "spec.h"

/*
 * Sets attribute NAME, in capitals or not, of a spec in which it is not set yet. LABEL is how it
 * was written, for the sentence of an error; *known is FALSE when there is no such attribute.
 * Errors: SPEC.
 */
gboolean spec_attribute_set(VmSpec *spec, const char *name, const char *label, const char *value,
                            gboolean *known, GError **error);

/* The name of attribute ROW of all that there are, for the table of the manual; NULL after the
 * last. */
const char *spec_attribute_name(gsize row);

// SPDX-License-Identifier: Apache-2.0
/* What the files of the Nova parser share, and nobody else includes. */
#pragma once

#include "spec_nova.h"

/* The text at KEY; NULL when there is none, or an empty one. */
const char *nova_text(const json_t *object, const char *key);
/* The whole number at KEY, also as text; FALSE when there is none within 0 and LARGEST: *number
 * is as before then. */
gboolean nova_number(const json_t *object, const char *key, gint64 largest, gint64 *number);
/* Foreign text for a sentence: on one line, not long. */
gchar *nova_shown(const char *text);

/* spec_nova_process.c: the vmdock_* properties and vmdock: extra specs, os_command_line. */
gboolean nova_take_process(const json_t *request, VmSpec *spec, GError **error);

/* spec_nova_volume.c: limits of disk 0; names that begin with "quota:", "vmdock:" and "vmdock_". */
void nova_take_io_limits(const json_t *request, VmSpec *spec);
/* Whether NAME, without its prefix, is one of them. */
gboolean nova_is_io_limit(const char *name);

/* The value of a property of the instance's image; NULL when it has none. */
const char *nova_image_property(const json_t *request, const char *name);
const json_t *nova_extra_specs(const json_t *request);

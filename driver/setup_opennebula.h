// SPDX-License-Identifier: Apache-2.0
/*
 * What OpenNebula's configuration must say for the driver onedock to be there, file by file. Pure.
 *
 * Contract: oned.conf, monitord.conf and vmm_exec/vmm_execrc of OpenNebula 5.12 to 7.4.
 */
#pragma once

#include <glib.h>

typedef enum {
    SETUP_ONED,       /* oned.conf */
    SETUP_MONITORD,   /* monitord.conf */
    SETUP_VMM_EXECRC, /* vmm_exec/vmm_execrc */
} SetupConf;

/*
 * TEXT with what is missing put in. What is there already stays as it is, and NOTES (gchar*) say in
 * what it differs. NULL with CONFIG when TEXT cannot be read or lacks the place for an entry.
 */
gchar *setup_opennebula_apply(SetupConf conf, const char *text, GPtrArray *notes, GError **error);

/*
 * TEXT without it; what stood in BEFORE (the file before it was first changed, NULL: unknown)
 * stays.
 */
gchar *setup_opennebula_revert(SetupConf conf, const char *text, const char *before,
                               GError **error);

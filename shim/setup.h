// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of vmdock-setup share. Each part looks first, shows what it would change as a
 * unified diff or a list, and then changes it; nothing is changed when any of it cannot be read.
 */
#pragma once

#include "driver/config.h"
#include "driver/setup_file.h"
#include "driver/setup_sunstone.h"
#include "driver/setup_tree.h"

#define SETUP_PRODUCT_REMOTES VMDOCK_DATADIR "/remotes/opennebula"
#define SETUP_PRODUCT_TABLE   VMDOCK_DATADIR "/remotes/opennebula.links"
#define SETUP_PRODUCT_MODULE  VMDOCK_DATADIR "/remotes/sunstone/" SUNSTONE_FILE

typedef struct {
    Config *config;
    gchar *root;         /* "" or the folder that stands for / */
    gchar *one_location; /* of a self-contained OpenNebula, NULL: /etc/one and /var/lib/one */
    gchar *engine_config;
    gboolean dry_run, remove, check, live_restore, no_forward;
    guint changes; /* how many things are, or would be, changed */
} Setup;

gboolean setup_front_end(Setup *setup, GError **error);
gboolean setup_node(Setup *setup, GError **error);
/* The packet filter alone: what the unit vmdock-forward.service runs. */
gboolean setup_packet_filter(Setup *setup, GError **error);
/* Sunstone alone, where it is not on the front end's machine. Errors: CONFIG, when there is none.
 */
gboolean setup_sunstone_alone(Setup *setup, GError **error);

/* PATH below the root. */
gchar *setup_path(const Setup *setup, const char *path);
/* Whether the files are this very host's, so that what runs here may be told of them. */
gboolean setup_is_host(const Setup *setup);
/* One line on stdout. */
gboolean setup_say(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Shows FILE's change and counts it; does not write. */
gboolean setup_show(Setup *setup, const SetupFile *file, GError **error);

/* ---- the front end's Sunstone ---- */

typedef struct {
    SetupFile *list;    /* of the modules */
    SetupTree *modules; /* the folder that they are served from, NULL: there is none */
    TreeKind kind;      /* of what stands there under the module's name */
    GBytes *wanted;     /* the module, NULL: it is to go */
    gboolean same;      /* it needs no change */
    gchar *lacking;     /* a path, without which there is no Sunstone to put anything in */
    gboolean fresh;     /* the list has nothing of the driver's */
} SetupSunstone;

/*
 * Looks at the Sunstone whose configuration is in ETC (/etc/one) and whose programs are in LIB
 * (/usr/lib/one). That there is none is no error; NOTES as in setup_sunstone_apply.
 */
gboolean setup_sunstone_plan(const Setup *setup, const char *etc, const char *lib,
                             SetupSunstone *sunstone, GPtrArray *notes, GError **error);
gboolean setup_sunstone_show(Setup *setup, const SetupSunstone *sunstone, GError **error);
/* The list never names a file that is not there: the file comes first, and goes last. */
gboolean setup_sunstone_change(const Setup *setup, const SetupSunstone *sunstone, GError **error);
void setup_sunstone_clear(SetupSunstone *sunstone);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SetupSunstone, setup_sunstone_clear)

// SPDX-License-Identifier: Apache-2.0
/*
 * What OpenNebula's transfer actions share. Folders and files of a VM are made, moved and removed
 * by the cloud's own user, as the stock drivers do; only what is the engine's goes through
 * vmdock-one.
 *
 * Disk 0 is the container's root and lives in the engine. A VM that is on the front end (stopped,
 * undeployed) has it as the file disk.0.tar in its folder there. Other disks are files.
 */
#pragma once

#include "front_command.h"
#include "tm_args.h"

#include "driver/opennebula_datastore.h"

#define TM_ROOT_ARCHIVE       "disk.0.tar"
#define TM_VMDOCK_ONE         VMDOCK_LIBEXECDIR "/vmdock-one"

/* vmdock-one VERB ARGUMENT… NULL as a command for front_on_host(). */
#define tm_one(...)           tm_words((const char *const[]){"sudo", "-n", TM_VMDOCK_ONE, __VA_ARGS__})
/* The POSIX shell text SCRIPT with its arguments "$1", "$2"… NULL likewise. */
#define tm_shell(script, ...) tm_words((const char *const[]){"sh", "-c", script, "sh", __VA_ARGS__})
/* A copy of WORDS, which end in NULL. */
GStrv tm_words(const char *const *words);

/* front_do() and front_ask() with a command that they free. */
gboolean tm_do(const Front *front, const char *host, GStrv command, GError **error);
gchar *tm_ask(const Front *front, const char *host, GStrv command, GError **error);
/* front_carry() likewise. */
gboolean tm_carry(const Front *front, const char *host, GStrv command, int in, int out,
                  GError **error);

/* Makes the VM's folder. */
gboolean tm_make_folder(const Front *front, const TmPlace *place, GError **error);
/* The bytes of the local file PATH become the file PLACE, sparse, whole or not at all; MODE "600"
 * or "644". */
gboolean tm_put_file(const Front *front, const char *path, const TmPlace *place, const char *mode,
                     GError **error);
/* And back: what COMMAND prints on HOST becomes the local file PATH, 0600. */
gboolean tm_take_file(const Front *front, const char *host, GStrv command, const char *path,
                      GError **error);

/* What OpenNebula says of a VM at XPATH: "onevm show -x 7". NULL when it does not answer, which is
 * logged, or says nothing. */
gchar *tm_vm_value(const Front *front, const char *id, const char *xpath);
/* All that it says there. */
GStrv tm_vm_values(const Front *front, const char *id, const char *xpath, GError **error);
/* The same in XML that is at hand, none for NULL. Errors: SPEC. */
GStrv tm_xml_values(const char *xml, gsize length, const char *xpath, GError **error);
gchar *tm_xml_value(const char *xml, gsize length, const char *xpath, GError **error);

/* A datastore as OpenNebula shows it, for what its registry is asked on the front end. */
DatastoreMessage *tm_datastore(const Front *front, const char *id, GError **error);

/* The numbers of the snapshots that OpenNebula has of the VM's disk DISK. */
GStrv tm_vm_snapshots(const Front *front, const char *vmid, int disk, GError **error);
/* Whether SOURCE, a reference or an archive, is an image that a datastore keeps for itself alone,
 * so that snapshots can stand beside it. */
gboolean tm_has_snapshots(const TmSource *source);
/* Where snapshot NUMBER of such an image is: datastore_source.h. */
TmSource *tm_snapshot_source(const TmSource *source, const char *number);

/* TRUE if HOST has an engine: every host but a front end that is no node as well. */
gboolean tm_is_node(const Front *front, const char *host);
/* Everything of VM VMID in the engine of HOST goes. A front end without an engine has nothing. */
gboolean tm_purge(const Front *front, const char *host, const char *vmid, GError **error);

/* "the container's root cannot …": refuses a disk 0 for what only files can do. Always FALSE. */
gboolean tm_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

// SPDX-License-Identifier: Apache-2.0
/*
 * The arguments of OpenNebula's transfer actions, read. Pure.
 *
 * Contract: tm/<driver>/ACTION of OpenNebula 4.14 to 7.4. A place is "HOST:PATH", where PATH ends
 * in <system datastore>/<VM>/disk.<N>, or in <system datastore>/<VM> for the VM's folder. An
 * image's SOURCE comes as "HOST:SOURCE", and without the host where it has a ":" itself. Errors:
 * USAGE for what has another shape, SPEC for a reference that is none.
 */
#pragma once

#include <glib.h>

typedef struct {
    gchar *host;
    gchar *path;   /* absolute, without doubled slashes */
    gchar *folder; /* the VM's; PATH itself where that is what is meant */
    gchar *parent; /* the system datastore's */
    gint disk;     /* N; -1 = the folder */
} TmPlace;

/* TEXT as a place of VM VMID: whatever is no such place is refused, so that nothing else is ever
 * moved or removed. */
TmPlace *tm_place_parse(const char *text, const char *vmid, GError **error);
void tm_place_free(TmPlace *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TmPlace, tm_place_free)
/* The same file on the same host. */
gboolean tm_place_same(const TmPlace *a, const TmPlace *b);

typedef enum {
    TM_REFERENCE, /* docker://[registry/]name:tag or @digest */
    TM_ARCHIVE,   /* docker-archive:/path of what docker save writes, on the front end */
    TM_FILE,      /* /path of a disk image on the front end */
} TmSourceKind;

typedef struct {
    TmSourceKind kind;
    gchar *text; /* the reference as it came; the path of the others */
} TmSource;

/* TEXT as an image's SOURCE. DATASTORE is the id of the image's datastore: an archive or a file
 * lies in a folder of that name. */
TmSource *tm_source_parse(const char *text, const char *datastore, GError **error);
void tm_source_free(TmSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TmSource, tm_source_free)

/* A file of a context image: "/path", or "/path:'name'". */
typedef struct {
    gchar *path;
    gchar *name; /* without slashes */
} TmContextFile;

TmContextFile *tm_context_file_parse(const char *text, GError **error);
void tm_context_file_free(TmContextFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TmContextFile, tm_context_file_free)

/* TRUE if TEXT can be a host's name. */
gboolean tm_host(const char *text);
/* FALSE with USAGE unless TEXT is a whole number; WHAT names it. */
gboolean tm_number(const char *text, const char *what, GError **error);

// SPDX-License-Identifier: Apache-2.0
/*
 * The kinds of failure that vmdock tells apart.
 *
 * Every error of the library is a GError of the domain VMDOCK_ERROR. Its message is one sentence
 * without a full stop: the bottom layer states the fact in the kernel's or the engine's own words,
 * and each layer above puts its noun in front (g_prefix_error). Its code is one row of the table
 * below, which gives the exit status of the programs and the heading of the manual page: one kind,
 * one status, one heading.
 *
 * Status 42 is never used: OpenNebula reserves it for "the driver script is missing".
 */
#pragma once

#include <glib.h>

/*      code                 exit status  what the manual page says of it */
#define VMDOCK_ERROR_TABLE(X)                                                                      \
    X(INTERNAL, 1, "a fault of vmdock itself, or of memory")                                       \
    X(USAGE, 2, "the command line is wrong")                                                       \
    X(CONFIG, 3, "the configuration file cannot be read or says something impossible")             \
    X(SPEC, 4, "the VM's description is malformed, too large or contradicts itself")               \
    X(POLICY, 5, "the VM asks for what the host's configuration does not allow")                   \
    X(NO_VM, 6, "there is no such VM on this host")                                                \
    X(STATE, 7, "the VM's state, or a foreign container of its name, forbids the action")          \
    X(BUSY, 8, "another action on the same VM did not end in time")                                \
    X(NO_IMAGE, 9, "the image of disk 0 is not there")                                             \
    X(REGISTRY, 10, "the registry cannot be reached or refuses")                                   \
    X(ENGINE_DOWN, 11, "the container engine cannot be reached")                                   \
    X(ENGINE_TIMEOUT, 12, "the container engine did not answer in time")                           \
    X(ENGINE_GARBLED, 13, "the container engine broke off or answered what cannot be read")        \
    X(ENGINE_REFUSED, 14, "the container engine answered with an error of its own")                \
    X(NO_BRIDGE, 15, "a bridge or network that a NIC names is not there")                          \
    X(NETWORK, 16,                                                                                 \
      "the kernel, Open vSwitch or libvirt refused a link, a port, an address or a route")         \
    X(SANDBOX, 17, "the VM's network namespace cannot be made, opened or removed")                 \
    X(DEAD, 18, "the container ended within its first moments")                                    \
    X(NO_SPACE, 19, "a file system is full")                                                       \
    X(IO, 20, "a file cannot be read or written")                                                  \
    X(UNSUPPORTED, 21, "the engine, the kernel or this version of vmdock cannot do it")            \
    X(UNHEALTHY, 22, "vmdock doctor found something to mend")                                      \
    X(DUPLICATE, 23, "an address that the VM is to have is another machine's")                     \
    X(INTERRUPTED, 128, "a signal ended it: 128 plus the signal's number")

typedef enum {
#define X(code, status, text) VMDOCK_ERROR_##code,
    VMDOCK_ERROR_TABLE(X)
#undef X
        VMDOCK_ERROR_LAST /*< how many there are; no error has this code >*/
} VmdockError;

#define VMDOCK_ERROR (vmdock_error_quark())
GQuark vmdock_error_quark(void);

/* The exit status of ERROR; that of INTERNAL for an error of a foreign domain. */
int vmdock_error_status(const GError *error);

/* The table, for the manual page and its test: false when CODE is past the last row. */
gboolean vmdock_error_row(guint code, const char **name, int *status, const char **text);

/*
 * Sets an error from errno's value ERR: "WHAT: No space left on device". A full disk (ENOSPC,
 * EDQUOT) becomes NO_SPACE whatever CODE says, so that a full disk has one exit status everywhere.
 */
void vmdock_error_errno(GError **error, VmdockError code, int err, const char *what, ...)
    G_GNUC_PRINTF(4, 5);

/* True if ERROR is of our domain and has CODE. */
gboolean vmdock_error_is(const GError *error, VmdockError code);

/* Turns GLib's own file errors (GFileError) into ours: NO_SPACE or CODE; other errors stay. */
void vmdock_error_adopt(GError **error, VmdockError code);

/*
 * TEXT fit for one line of a log, a terminal or a cloud's message: control characters and line
 * breaks become blanks, runs of blanks one, invalid UTF-8 a question mark, at most MAX bytes.
 * Foreign text (names, engine messages, container output) passes through here before it is shown.
 */
gchar *vmdock_one_line(const char *text, gsize max);

// SPDX-License-Identifier: Apache-2.0
/*
 * How OpenNebula's front end reads a driver script's answer. Its versions differ in what of stderr
 * becomes the user's message:
 *   7.x         the lines without an "ERROR: ", "INFO: ", "WARN: " or "DEBUG: " prefix
 *   6.2 … 6.10  all of stderr
 *   older       what stands between "ERROR MESSAGE --8<------" and "ERROR MESSAGE ------>8--"
 */
#pragma once

#include <glib.h>

typedef enum {
    FRONT_END_MARKED,   /* 4.14, 5.x, 6.0 */
    FRONT_END_ALL,      /* 6.2 to 6.10 */
    FRONT_END_PREFIXED, /* 7.x, and where the version is not known */
} FrontEnd;

/* From the text of the file VERSION of the remotes ("7.4.0"). Pure. */
FrontEnd front_end_from_version(const char *version);
/* Reads <remotes>/VERSION. */
FrontEnd front_end_detect(const char *remotes);
/* What to write on stderr so that the user sees SENTENCE. Pure. */
gchar *front_end_error(FrontEnd front_end, const char *sentence);
/* What to write on stderr so that LINE reaches the VM's log as LEVEL ("INFO", "WARN"). Pure. */
gchar *front_end_log(const char *level, const char *line);

/*
 * One action's stderr. 6.2 to 6.10 take all of it as the error's message, so an action that fails
 * may print nothing else: there, lines wait until its end is known.
 */
typedef struct {
    FrontEnd front_end;
    const char *vmid;
    GString *waiting;
} FrontEndLog;

/*
 * Begins, for the front end whose remotes are in REMOTES: from here on the library's log lines go
 * to stderr. VMID, which may be NULL, is the number of the VM whose log they belong to, where the
 * front end has to be told: 7.x takes any number in front of a transfer action's line for one.
 */
void front_end_log_open(FrontEndLog *log, const char *remotes, const char *vmid);
/* Ends, with what waited or with the sentence of ERROR, NULL when the action has succeeded. Also of
 * one that was never opened. */
void front_end_log_close(FrontEndLog *log, const GError *error);
/*
 * The XML that TEXT, of *LENGTH bytes with a NUL behind them, holds: under `-l` the front end runs
 * an action itself and hands the payload over in base64. Takes TEXT; what is neither comes back as
 * it is. Pure.
 */
gchar *front_end_payload(gchar *text, gsize *length);

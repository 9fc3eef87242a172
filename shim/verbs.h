// SPDX-License-Identifier: Apache-2.0
/* The verbs of vmdock(1), a function each; and what several of them do alike. */
#pragma once

#include "shim.h"

#include "driver/host.h"
#include "driver/spec.h"
#include "table.h"

int verb_run(Shim *shim, int argc, char **argv, GError **error);
int verb_deploy(Shim *shim, int argc, char **argv, GError **error);
int verb_shutdown(Shim *shim, int argc, char **argv, GError **error);
int verb_cancel(Shim *shim, int argc, char **argv, GError **error);
int verb_reboot(Shim *shim, int argc, char **argv, GError **error);
int verb_reset(Shim *shim, int argc, char **argv, GError **error);
int verb_pause(Shim *shim, int argc, char **argv, GError **error);
int verb_resume(Shim *shim, int argc, char **argv, GError **error);
int verb_purge(Shim *shim, int argc, char **argv, GError **error);
int verb_poll(Shim *shim, int argc, char **argv, GError **error);
int verb_list(Shim *shim, int argc, char **argv, GError **error);
int verb_show(Shim *shim, int argc, char **argv, GError **error);
int verb_logs(Shim *shim, int argc, char **argv, GError **error);
int verb_events(Shim *shim, int argc, char **argv, GError **error);
int verb_console(Shim *shim, int argc, char **argv, GError **error);
int verb_exec(Shim *shim, int argc, char **argv, GError **error);
int verb_dumpxml(Shim *shim, int argc, char **argv, GError **error);
int verb_explain(Shim *shim, int argc, char **argv, GError **error);
int verb_doctor(Shim *shim, int argc, char **argv, GError **error);
int verb_filter(Shim *shim, int argc, char **argv, GError **error);
int verb_gc(Shim *shim, int argc, char **argv, GError **error);
int verb_version(Shim *shim, int argc, char **argv, GError **error);

/* A VM as an operator names it: a deploy id, or OpenNebula's number ("42" for one-42). */
gchar *verb_vm_id(const char *argument, GError **error);
/* The command of a verb that has one, of what shim_parse() left: behind its first argument, and
 * behind "--" where that follows. */
char **verb_command(char **argv);
/* Brings SPEC's VM up and says so: its deploy id, or, as JSON, its addresses too. */
void verb_bring_up(Shim *shim, VmSpec *spec, GError **error);
/* The VM's description in FILE ("-": stdin), by the host's configuration: OpenNebula's XML, or a
 * domain's, as its root says. */
VmSpec *verb_read_spec(Shim *shim, const char *file, GError **error);
/* The same of the file that ARGV of a verb names, with the NICs of its options. */
VmSpec *verb_parse_spec(Shim *shim, const char *verb, int argc, char **argv, GError **error);
/* The colour that a state has in tables. */
TableColour verb_state_colour(EngineState state);
/* The width of the terminal on stdout, 0 when it is none. */
guint verb_width(void);
/* An output function for the engine's streams: to stdout and stderr as they come. A signal ends the
 * wait for a terminal that takes nothing. */
gboolean verb_copy_output(int stream, const char *bytes, gsize length, gpointer data,
                          GError **error);

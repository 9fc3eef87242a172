// SPDX-License-Identifier: Apache-2.0
/*
 * The probe vm/execution: how commands ended that the cloud had run in VMs. The action exec leaves
 * their records (exec.h), and a command that has ended is told once: then its record goes. One that
 * still runs is not told, for the front end knows it as such already, and each report is an event
 * to its hooks.
 *
 * Contract: vm/execution of OpenNebula 7.4. The report travels in one datagram, so that a run tells
 * EXEC_REPORT_MAX bytes at most (the others come next time), and an output that alone is longer
 * loses its end.
 */
#pragma once

#include "config.h"
#include "exec.h"
#include "monitor_vm.h"

enum { EXEC_REPORT_MAX = 48 * 1024 };

/* Errors: IO, and those of TELL_TEXT. */
gboolean monitor_vm_execution(const Config *config, MonitorTell tell_text, gpointer data,
                              GError **error);

/* VM=[ID=,PID=,STATUS=,RETURN_CODE=,STDOUT=,STDERR=] of the VM of that NUMBER; NULL when the
 * command has not ended, or its output is no base64. Pure. */
gchar *monitor_exec_line(const ExecRecord *record, const char *number);

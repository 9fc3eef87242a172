// SPDX-License-Identifier: Apache-2.0
/* vmdock-runtime as one call: reads the settings, joins the bundle to its sandbox, execs. */
#pragma once

/* ARGV as main() gets it. Returns the exit status if it does not exec. */
int runtime_run(const char *settings_path, char **argv);

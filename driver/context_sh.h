// SPDX-License-Identifier: Apache-2.0
/*
 * context.sh: the file in which OpenNebula tells a guest its variables, in the form that oned
 * writes (NAME='value', a quote in a value as '\''), one a line but for line breaks in values.
 * Pure.
 */
#pragma once

#include "config.h"
#include "spec.h"

/* The folder that a container has mounted as its context: <state>/<deploy-id>/context. */
gchar *context_folder(const Config *config, const char *deploy_id);

/* True for what a shell takes as a variable's name. */
gboolean context_name_valid(const char *name);

/* VARIABLES (VmVariable) as context.sh has them. */
gchar *context_sh_format(const GPtrArray *variables);

/*
 * LENGTH bytes of a context.sh as variables; its lines are read, never run. Errors: IO for anything
 * that is not of the form above, and what is no text.
 */
GPtrArray *context_sh_parse(const char *text, gsize length, GError **error);

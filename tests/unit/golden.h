// SPDX-License-Identifier: Apache-2.0
/*
 * Golden files: what a test makes is compared, to the byte, with a file that somebody has read and
 * found right. With VMDOCK_GOLDEN_UPDATE=1 they are written instead; read them before you keep
 * them.
 *
 * Two sets: the project's own inputs (tests/data/opennebula, goldens in tests/data/golden), and the
 * messages recorded from a real front end, looked for under $VMDOCK_RECORDS (opennebula/xml) with
 * their goldens in tests/data/golden/recorded. Without VMDOCK_RECORDS the second set is left out.
 */
#pragma once

#include "driver/config.h"

#include <jansson.h>

typedef struct {
    const char *name;  /* "one-nic" */
    gboolean recorded; /* of the second set */
} GoldenCase;

/* All cases that can run here, and in *count how many; says once which sets these are. */
const GoldenCase *golden_cases(gsize *count);

/* The input of CASE, and where its golden of KIND ("spec", "body") stands. */
gchar *golden_input(const GoldenCase *golden_case);
gchar *golden_path(const GoldenCase *golden_case, const char *kind);

/* A path below tests/data. */
gchar *golden_data(const char *path);

/* The text of a file; a missing one fails the test. */
gchar *golden_read(const char *path, gsize *length);

/* Compares JSON with the file PATH, or writes it. Takes JSON over. */
void golden_compare(const char *path, json_t *json);

/* The same of a JSON array of which each item shall stand on a line of its own. */
void golden_compare_lines(const char *path, json_t *array);

/* A configuration of built-in defaults, whatever the machine's own says. */
typedef Config GoldenConfig;
GoldenConfig *golden_config(void);
void golden_config_free(GoldenConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GoldenConfig, golden_config_free)

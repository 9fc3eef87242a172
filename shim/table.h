// SPDX-License-Identifier: Apache-2.0
/*
 * Tables for people: what `vmdock list` and `vmdock poll` print on a terminal. Pure: the result is
 * a text, the caller knows the terminal.
 */
#pragma once

#include <glib.h>

typedef enum {
    TABLE_PLAIN,
    TABLE_GREEN,
    TABLE_YELLOW,
    TABLE_RED,
    TABLE_DIM,
} TableColour;

typedef struct {
    const char *header;
    gboolean right;    /* numbers */
    gboolean flexible; /* is cut first when the table is wider than the terminal */
    gboolean optional; /* is left out where the terminal is narrow, the last one first */
} TableColumn;

typedef struct Table Table;

/* COLUMNS stays the caller's and must outlive the table. */
Table *table_new(const TableColumn *columns, guint n_columns);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* The next cell, row by row; control characters and line breaks in TEXT become blanks. */
void table_cell(Table *table, TableColour colour, const char *text);

/*
 * Header and rows, a line each; a last row that is not full is filled with empty cells. WIDTH is
 * the terminal's, 0 for none. Where they do not fit with the flexible columns cut to what
 * can still be read, optional columns are left out; then what is too wide is cut with "…", the
 * flexible columns first, then the widest. COLOUR puts escape sequences around coloured cells. An
 * empty table is its header alone.
 */
gchar *table_format(const Table *table, guint width, gboolean colour);

/* How many columns of a terminal TEXT takes: East Asian wide characters two, combining ones none.
 */
guint table_text_width(const char *text);

/* "0 B", "1023 B", "12.3 MiB". */
gchar *table_bytes(guint64 bytes);
/* "5 s", "3 min 20 s", "4 h 12 min", "3 d 4 h"; "-" for a negative time. */
gchar *table_duration(gint64 seconds);

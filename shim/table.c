// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include "driver/error.h"

#include <math.h>
#include <string.h>

enum {
    CELL_MAX = 4096, /* bytes of one cell */
    GAP = 2,         /* blanks between columns */
    WIDTH_READ = 8,  /* a flexible column keeps as much as long as an optional one is there */
    WIDTH_MIN = 2    /* a column is never cut below: one character and "…" */
};

typedef struct {
    gchar *text;
    guint width;
    TableColour colour;
} Cell;

struct Table {
    const TableColumn *columns;
    guint n_columns;
    GArray *cells; /* Cell, row by row */
};

static void cell_clear(gpointer cell)
{
    g_free(((Cell *)cell)->text);
}

Table *table_new(const TableColumn *columns, guint n_columns)
{
    Table *table = g_new0(Table, 1);
    table->columns = columns;
    table->n_columns = n_columns;
    table->cells = g_array_new(FALSE, FALSE, sizeof(Cell));
    g_array_set_clear_func(table->cells, cell_clear);
    return table;
}

void table_free(Table *table)
{
    g_array_unref(table->cells);
    g_free(table);
}

static guint character_width(gunichar c)
{
    if (g_unichar_iszerowidth(c))
        return 0;
    return g_unichar_iswide(c) ? 2 : 1;
}

guint table_text_width(const char *text)
{
    guint width = 0;
    for (const char *p = text; *p; p = g_utf8_next_char(p))
        width += (guchar)*p < 0x80 ? 1 : character_width(g_utf8_get_char(p));
    return width;
}

static void append_blanks(GString *line, guint n)
{
    gsize length = line->len;
    g_string_set_size(line, length + n);
    memset(line->str + length, ' ', n);
}

void table_cell(Table *table, TableColour colour, const char *text)
{
    Cell cell = {vmdock_one_line(text, CELL_MAX), 0, colour};
    cell.width = table_text_width(cell.text);
    g_array_append_val(table->cells, cell);
}

/* A column that is left out has the width 0. */
static guint total_width(const guint *widths, guint n)
{
    guint total = 0;
    for (guint i = 0; i < n; i++)
        if (widths[i] > 0)
            total += widths[i] + (total > 0 ? GAP : 0);
    return total;
}

/* Leaves out optional columns, the last one first, until flexible ones can be read in what is left.
 */
static void leave_out(const Table *table, guint *widths, guint width)
{
    g_autofree guint *least = g_memdup2(widths, sizeof(guint) * table->n_columns);
    for (guint i = 0; i < table->n_columns; i++)
        if (table->columns[i].flexible)
            least[i] = MIN(least[i], WIDTH_READ);
    for (guint i = table->n_columns; i > 0 && total_width(least, table->n_columns) > width; i--)
        if (table->columns[i - 1].optional)
            least[i - 1] = widths[i - 1] = 0;
}

/* The column to cut next: the widest flexible one, else the widest; -1 when none can be cut. */
static gint column_to_cut(const Table *table, const guint *widths)
{
    gint best = -1;
    for (guint i = 0; i < table->n_columns; i++) {
        if (widths[i] <= WIDTH_MIN)
            continue;
        gboolean flexible = table->columns[i].flexible;
        gboolean best_flexible = best >= 0 && table->columns[best].flexible;
        if (best < 0 || (flexible && !best_flexible) ||
            (flexible == best_flexible && widths[i] > widths[best]))
            best = (gint)i;
    }
    return best;
}

static guint *column_widths(const Table *table, guint width)
{
    guint *widths = g_new0(guint, table->n_columns);
    for (guint i = 0; i < table->n_columns; i++)
        widths[i] = table_text_width(table->columns[i].header);
    for (guint i = 0; i < table->cells->len; i++) {
        guint *column = &widths[i % table->n_columns];
        *column = MAX(*column, g_array_index(table->cells, Cell, i).width);
    }
    if (width > 0)
        leave_out(table, widths, width);
    gint cut = 0;
    while (width > 0 && total_width(widths, table->n_columns) > width &&
           (cut = column_to_cut(table, widths)) >= 0)
        widths[cut]--;
    return widths;
}

/* TEXT in at most WIDTH columns; returns how many it takes. */
static guint append_cut(GString *line, const char *text, guint text_width, guint width)
{
    if (text_width <= width) {
        g_string_append(line, text);
        return text_width;
    }
    guint used = 0;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (used + character_width(c) > width - 1)
            break;
        g_string_append_unichar(line, c);
        used += character_width(c);
    }
    g_string_append(line, "…");
    return used + 1;
}

static void append_cell(GString *line, const Cell *cell, gboolean right, guint width,
                        gboolean colour)
{
    static const char *const codes[] = {
        [TABLE_PLAIN] = "", [TABLE_GREEN] = "32", [TABLE_YELLOW] = "33",
        [TABLE_RED] = "31", [TABLE_DIM] = "2",
    };
    gboolean coloured = colour && cell->colour != TABLE_PLAIN && *cell->text;
    gsize start = line->len;
    if (coloured)
        g_string_append_printf(line, "\033[%sm", codes[cell->colour]);
    guint used = append_cut(line, cell->text, cell->width, width);
    if (coloured)
        g_string_append(line, "\033[0m");
    if (!right) {
        append_blanks(line, width - used);
        return;
    }
    g_autofree gchar *blanks = g_strnfill(width - used, ' ');
    g_string_insert(line, (gssize)start, blanks);
}

static void end_line(GString *text)
{
    while (text->len > 0 && text->str[text->len - 1] == ' ')
        g_string_truncate(text, text->len - 1);
    g_string_append_c(text, '\n');
}

static void append_row(GString *text, const Table *table, const Cell *cells, guint n,
                       const guint *widths, gboolean colour)
{
    gsize start = text->len;
    for (guint i = 0; i < n; i++) {
        if (widths[i] == 0)
            continue;
        if (text->len > start)
            append_blanks(text, GAP);
        append_cell(text, &cells[i], table->columns[i].right, widths[i], colour);
    }
    end_line(text);
}

static void append_header(GString *text, const Table *table, const guint *widths)
{
    g_autofree Cell *cells = g_new0(Cell, table->n_columns);
    for (guint i = 0; i < table->n_columns; i++) {
        const char *header = table->columns[i].header;
        cells[i] = (Cell){(gchar *)header, table_text_width(header), TABLE_PLAIN};
    }
    append_row(text, table, cells, table->n_columns, widths, FALSE);
}

gchar *table_format(const Table *table, guint width, gboolean colour)
{
    GString *text = g_string_new(NULL);
    g_autofree guint *widths = column_widths(table, width);
    append_header(text, table, widths);
    for (guint i = 0; i < table->cells->len; i += table->n_columns)
        append_row(text, table, &g_array_index(table->cells, Cell, i),
                   MIN(table->n_columns, table->cells->len - i), widths, colour);
    return g_string_free(text, FALSE);
}

gchar *table_bytes(guint64 bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024)
        return g_strdup_printf("%u B", (guint)bytes);
    guint unit = 0;
    double value = (double)bytes / 1024;
    /* From here on it would be rounded up to 1024.0. */
    while (value >= 1023.95 && unit + 1 < G_N_ELEMENTS(units)) {
        value /= 1024;
        unit++;
    }
    /* In whole tenths, which print in a third of the time that a double takes. */
    guint tenths = (guint)rint(value * 10);
    return g_strdup_printf("%u.%u %s", tenths / 10, tenths % 10, units[unit]);
}

gchar *table_duration(gint64 seconds)
{
    static const struct {
        gint64 seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    if (seconds < 0)
        return g_strdup("-");
    for (guint i = 0; i + 1 < G_N_ELEMENTS(units); i++) {
        if (seconds < units[i].seconds)
            continue;
        gint64 rest = seconds % units[i].seconds / units[i + 1].seconds;
        g_autofree gchar *more =
            rest > 0 ? g_strdup_printf(" %d %s", (int)rest, units[i + 1].unit) : g_strdup("");
        return g_strdup_printf("%" G_GINT64_FORMAT " %s%s", seconds / units[i].seconds,
                               units[i].unit, more);
    }
    return g_strdup_printf("%" G_GINT64_FORMAT " s", seconds);
}

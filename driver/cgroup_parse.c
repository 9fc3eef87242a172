// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include <string.h>

typedef struct {
    const char *at;
    gsize length;
} Piece;

/* Takes the next non-empty piece off REST, up to one of the two ends. */
static gboolean next_piece(Piece *rest, char end, char other_end, Piece *piece)
{
    while (rest->length > 0 && (*rest->at == end || *rest->at == other_end)) {
        rest->at++;
        rest->length--;
    }
    piece->at = rest->at;
    piece->length = 0;
    while (rest->length > 0 && *rest->at != end && *rest->at != other_end) {
        rest->at++;
        rest->length--;
        piece->length++;
    }
    return piece->length > 0;
}

static gboolean next_line(Piece *rest, Piece *line)
{
    const char *end;
    while ((end = memchr(rest->at, '\n', rest->length)) == rest->at && end) {
        rest->at++;
        rest->length--;
    }
    line->at = rest->at;
    line->length = end ? (gsize)(end - rest->at) : rest->length;
    rest->at += line->length;
    rest->length -= line->length;
    return line->length > 0;
}

static gboolean next_word(Piece *rest, Piece *word)
{
    return next_piece(rest, ' ', '\t', word);
}

static gboolean piece_is(const Piece *piece, const char *text)
{
    return piece->length == strlen(text) && memcmp(piece->at, text, piece->length) == 0;
}

static gboolean piece_number(const Piece *piece, guint64 *value)
{
    guint64 number = 0;
    for (gsize i = 0; i < piece->length; i++) {
        if (!g_ascii_isdigit(piece->at[i]) || !g_uint64_checked_mul(&number, number, 10) ||
            !g_uint64_checked_add(&number, number, (guint64)(piece->at[i] - '0')))
            return FALSE;
    }
    *value = number;
    return piece->length > 0;
}

gboolean cgroup_parse_number(const char *text, gsize length, guint64 *value)
{
    Piece rest = {text, length};
    Piece line, word, more;
    if (!next_line(&rest, &line) || !next_word(&line, &word) || next_word(&line, &more))
        return FALSE;
    if (piece_is(&word, "max")) {
        *value = G_MAXUINT64;
        return TRUE;
    }
    return piece_number(&word, value);
}

gboolean cgroup_parse_keyed(const char *text, gsize length, const char *key, guint64 *value)
{
    gsize key_length = strlen(key);
    Piece rest = {text, length};
    Piece line, word;
    /* memory.stat is some forty lines, and one or two of them are asked for. */
    while (next_line(&rest, &line))
        if (line.length > key_length && memcmp(line.at, key, key_length) == 0 &&
            next_word(&line, &word) && word.length == key_length)
            return next_word(&line, &word) && piece_number(&word, value);
    return FALSE;
}

void cgroup_parse_io_v1(const char *text, gsize length, guint64 *read, guint64 *write)
{
    Piece rest = {text, length};
    Piece line, device, operation, word;
    guint64 number;
    *read = *write = 0;
    while (next_line(&rest, &line)) {
        if (!next_word(&line, &device) || !next_word(&line, &operation) ||
            !next_word(&line, &word) || !piece_number(&word, &number))
            continue;
        if (piece_is(&operation, "Read"))
            *read += number;
        else if (piece_is(&operation, "Write"))
            *write += number;
    }
}

static void add_io_v2(const Piece *pair, Sample *sample)
{
    const struct {
        const char *key;
        guint64 *sum;
    } sums[] = {
        {"rbytes", &sample->disk_read_bytes},
        {"wbytes", &sample->disk_write_bytes},
        {"rios", &sample->disk_read_ops},
        {"wios", &sample->disk_write_ops},
    };
    Piece rest = *pair;
    Piece key, word;
    guint64 number;
    if (!next_piece(&rest, '=', '=', &key) || !next_piece(&rest, '=', '=', &word) ||
        !piece_number(&word, &number))
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(sums); i++)
        if (piece_is(&key, sums[i].key))
            *sums[i].sum += number;
}

void cgroup_parse_io_v2(const char *text, gsize length, Sample *sample)
{
    Piece rest = {text, length};
    Piece line, word;
    while (next_line(&rest, &line))
        while (next_word(&line, &word))
            add_io_v2(&word, sample);
}

gboolean cgroup_parse_start_ticks(const char *text, gsize length, guint64 *ticks)
{
    /* The process's name stands in brackets and may hold anything, brackets and blanks too. */
    const char *name_end = memrchr(text, ')', length);
    if (!name_end)
        return FALSE;
    Piece rest = {name_end + 1, length - (gsize)(name_end + 1 - text)};
    Piece word;
    /* The state is field 3, the start time field 22 (proc(5)). */
    for (guint field = 3; field <= 22; field++)
        if (!next_word(&rest, &word))
            return FALSE;
    return piece_number(&word, ticks);
}

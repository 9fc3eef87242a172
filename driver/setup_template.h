// SPDX-License-Identifier: Apache-2.0
/*
 * Editing of OpenNebula's own configuration files (oned.conf, monitord.conf) as text: what is put
 * in or taken out is that alone; comments, order and layout of everything else stay. Pure.
 *
 * Contract: the lexer of OpenNebula 4.14 to 7.4: NAME = VALUE, NAME = [ KEY = VALUE, … ], comments
 * from '#' to the end of the line, names in either case. All positions are bytes. Errors: CONFIG,
 * with the line that cannot be read.
 */
#pragma once

#include <glib.h>

/* One KEY = "VALUE" of a vector. */
typedef struct {
    const char *key;
    const char *value;
} TemplatePair;

/* What a vector is to say, the driver's NAME first; and what an older version of it said, which is
 * to go. */
typedef struct {
    const TemplatePair *pairs;
    gsize count;
    const TemplatePair *gone;
    gsize gone_count;
} TemplateVector;

/* Whether TEXT has a vector ATTRIBUTE with NAME = DRIVER; -1 with error. */
int template_has_vector(const char *text, const char *attribute, const char *driver,
                        GError **error);

/*
 * Puts in VECTOR under the name ATTRIBUTE, behind the last ATTRIBUTE of the file (at the end when
 * there is none), under a line that says COMMENT. One of that driver that is there already keeps
 * its values; if it stands under COMMENT, what it lacks is put in and what is to go is taken out.
 * Each difference that stays adds a sentence to NOTES.
 */
gboolean template_add_vector(GString *text, const char *attribute, const TemplateVector *vector,
                             const char *comment, GPtrArray *notes, GError **error);
/* Takes out each vector ATTRIBUTE with NAME = DRIVER, with COMMENT's line where it stands above. */
gboolean template_remove_vector(GString *text, const char *attribute, const char *driver,
                                const char *comment, GError **error);

/* The same for NAME = "VALUE", of which a file may have many. */
int template_has_single(const char *text, const char *attribute, const char *value, GError **error);
gboolean template_add_single(GString *text, const char *attribute, const char *value,
                             GError **error);
gboolean template_remove_single(GString *text, const char *attribute, const char *value,
                                GError **error);

/*
 * A comma-separated list in the ARGUMENTS of the vector ATTRIBUTE: the word behind the option
 * LETTER
 * ("-d a,b") or NAME ("--tm-types a,b"). Without the option the driver takes all there are, and
 * there is nothing to put in or take out. A list is never left empty.
 */
int template_has_word(const char *text, const char *attribute, const char *letter, const char *name,
                      const char *word, GError **error);
gboolean template_add_word(GString *text, const char *attribute, const char *letter,
                           const char *name, const char *word, GError **error);
gboolean template_remove_word(GString *text, const char *attribute, const char *letter,
                              const char *name, const char *word, GError **error);

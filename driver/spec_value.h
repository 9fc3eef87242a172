// SPDX-License-Identifier: Apache-2.0
/* What the readers of all clouds' formats do alike: forms of value, and sentences about them. Pure.
 */
#pragma once

#include "spec.h"

/* Foreign text for a sentence: on one line, not long. */
gchar *spec_shown(const char *text);
/* TEXT as a whole number; an error that begins with WHAT and names UNIT. */
gboolean spec_number(const char *what, const char *text, const char *unit, guint64 smallest,
                     guint64 largest, guint64 *number, GError **error);
/* LABEL is how the attribute was written, for the sentence of an error. */
gboolean spec_flag(const char *label, const char *value, gboolean *flag, GError **error);
/* FALSE when TEXT has control characters beside those in ALLOWED. */
gboolean spec_check_text(const char *label, const char *text, const char *allowed, GError **error);
/* FALSE unless PATH is absolute, plain (no "..", "." or "//") and not the root. */
gboolean spec_check_path(const char *label, const char *path, GError **error);
/* The parts between commas, blanks around them taken off, empty ones left out. */
GStrv spec_commas(const char *value);
gboolean spec_check_count(const char *label, const GStrv list, guint most, GError **error);
/* Sets the image to the reference TEXT; those under which nodes hold VMs' disks are refused. */
gboolean spec_set_image(VmSpec *spec, const char *label, const char *text, GError **error);

/* "A, B and C", the last ones as "and 7 more" when there are many. */
gchar *spec_join(const GPtrArray *words);
/* The verb behind it. */
const char *spec_are(const GPtrArray *words);
/* One sentence more in not_honoured; doubles are left out. */
void spec_note(VmSpec *spec, const char *format, ...) G_GNUC_PRINTF(2, 3);
void spec_note_va(VmSpec *spec, const char *format, va_list args) G_GNUC_PRINTF(2, 0);

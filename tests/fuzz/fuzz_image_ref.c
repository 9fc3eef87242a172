// SPDX-License-Identifier: Apache-2.0
/* An image reference. Beside not failing: the name of what is taken is taken too, and is the same.
 */
#include "driver/image_ref.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(ImageRef) ref = image_ref_parse(text, &error);
    if (!ref) {
        if (!error || !g_utf8_validate(error->message, -1, NULL))
            abort();
        return 0;
    }
    g_autofree gchar *name = image_ref_name(ref);
    for (const char *p = name; *p; p++)
        if (!g_ascii_isgraph(*p))
            abort();
    g_autoptr(ImageRef) again = image_ref_parse(name, NULL);
    g_autofree gchar *name_again = again ? image_ref_name(again) : NULL;
    if (g_strcmp0(name, name_again) != 0)
        abort();
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* What comes from the front end beside XML: its VERSION, payloads in base64, sentences for it. */
#include "shim/opennebula.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    FrontEnd front_end = front_end_from_version(text);
    g_autofree gchar *sentence = front_end_error(front_end, text);
    if (!g_str_has_suffix(sentence, "\n") || !g_utf8_validate(sentence, -1, NULL))
        abort();
    gsize length = strlen(text);
    text = front_end_payload(g_steal_pointer(&text), &length);
    if (text[length] != '\0')
        abort();
    return 0;
}

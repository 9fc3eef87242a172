// SPDX-License-Identifier: Apache-2.0
/* What nft printed of the table. Beside not failing: every element has a map and a port. */
#include "driver/nic_filter_rules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const gchar *)data, size);
    gboolean there = FALSE;
    g_autoptr(GHashTable) elements = nic_filter_listed(text, &there);
    GHashTableIter iter;
    gpointer element;
    if (!elements)
        return 0;
    g_hash_table_iter_init(&iter, elements);
    while (g_hash_table_iter_next(&iter, &element, NULL))
        if (!strchr(element, ' '))
            abort();
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* The file of the links' owners: what is read of any bytes is written back so that it reads the
 * same. */
#include "driver/traffic.h"

#include <stdint.h>
#include <string.h>

#define PLACE "boot 1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(LinkOwners) owners = link_owners_new(PLACE);
    link_owners_parse(owners, (const char *)data, size);
    g_autofree gchar *first = link_owners_format(owners);

    g_autoptr(LinkOwners) again = link_owners_new(PLACE);
    link_owners_parse(again, first, strlen(first));
    g_autofree gchar *second = link_owners_format(again);
    g_assert_cmpstr(first, ==, second);
    return 0;
}

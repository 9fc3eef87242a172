// SPDX-License-Identifier: Apache-2.0
/* Frames from a VM's network, read for answers to an address probe; and no probe answers itself,
 * but each is heard by whoever probes for the same address. */
#include "driver/nic_probe_packet.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_address(const VmAddress *address, const uint8_t *data, size_t size)
{
    static const guint8 mac[6] = {2, 1, 2, 3, 4, 5};
    guint8 holder[6] = {0}, frame[PROBE_QUESTION_MAX];
    /* In memory of its own, so that one byte too far is seen. */
    guint8 *copy = g_memdup2(data, size);
    probe_answers(copy, size, address, holder);
    g_free(copy);
    gsize length = probe_question(mac, address, frame);
    if (!probe_answers(frame, length, address, holder) || memcmp(holder, mac, 6) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VmAddress ip4 = {.family = AF_INET, .bytes = {10, 9, 0, 7}};
    VmAddress ip6 = {.family = AF_INET6, .bytes = {0xfd, 9, [15] = 7}};
    try_address(&ip4, data, size);
    try_address(&ip6, data, size);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* What doctor reads of other programs: sudo's listing, iptables' rules, nft's ruleset. */
#include "driver/doctor_facts.h"
#include "driver/doctor_forward.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    sudo_grants_free(sudo_grants_parse(text));
    forward_verdict(text, "br0");
    g_autoptr(json_t) ruleset = json_loadb((const char *)data, size, 0, NULL);
    for (int routed = 0; ruleset && routed < 2; routed++)
        g_ptr_array_unref(forward_nft_drops(ruleset, routed));
    return 0;
}

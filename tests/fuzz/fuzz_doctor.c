// SPDX-License-Identifier: Apache-2.0
/* What doctor reads of others: sudo's listing, iptables' rules, nft's ruleset, the kernel's mounts.
 */
#include "driver/doctor_facts.h"
#include "driver/doctor_forward.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_mounts(const char *text)
{
    static const char *const paths[] = {"/", "/run/netns", "/a b/c"};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_auto(MountFact) mount = {0};
        /* What holds the path is named by its beginning. */
        if (mount_fact_find(text, paths[i], &mount) &&
            (!g_str_has_prefix(paths[i], mount.point) || !mount.options))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    sudo_grants_free(sudo_grants_parse(text));
    forward_verdict(text, "br0");
    try_mounts(text);
    g_autoptr(json_t) ruleset = json_loadb((const char *)data, size, 0, NULL);
    for (int routed = 0; ruleset && routed < 2; routed++)
        g_ptr_array_unref(forward_nft_drops(ruleset, routed));
    return 0;
}

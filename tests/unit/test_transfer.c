// SPDX-License-Identifier: Apache-2.0
#include "driver/transfer.h"

#include "driver/autoptr.h"

/* What an engine says of itself that was told of one registry and one network. */
static const char info_text[] =
    "{\"RegistryConfig\": {\"InsecureRegistryCIDRs\": [\"10.77.0.0/24\", \"::1/128\", "
    "\"127.0.0.0/8\"],"
    " \"IndexConfigs\": {\"docker.io\": {\"Name\": \"docker.io\", \"Secure\": true},"
    " \"10.77.0.9:443\": {\"Secure\": true}, \"reg:5000\": {\"Secure\": false}}}}";

static void test_insecure(void)
{
    static const char *const yes[] = {"reg:5000",       "10.77.0.1:5000", "10.77.0.1",
                                      "127.0.0.1:5000", "localhost:5000", "[::1]:5000"};
    static const char *const no[] = {"docker.io",      "reg",           "reg:5001",
                                     "10.77.1.1:5000", "10.77.0.9:443", "reg.example",
                                     "[fd00::1]:80"};
    g_autoptr(json_t) info = json_loads(info_text, 0, NULL);
    g_assert_nonnull(info);
    for (gsize i = 0; i < G_N_ELEMENTS(yes); i++)
        g_assert_true(transfer_registry_is_insecure(info, yes[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(no); i++)
        g_assert_false(transfer_registry_is_insecure(info, no[i]));
}

static void test_silent_engine(void)
{
    static const char *const texts[] = {"{}", "{\"RegistryConfig\": null}",
                                        "{\"RegistryConfig\": {\"InsecureRegistryCIDRs\": [null, "
                                        "\"x\", 1], \"IndexConfigs\": []}}"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(json_t) info = json_loads(texts[i], 0, NULL);
        g_assert_nonnull(info);
        g_assert_false(transfer_registry_is_insecure(info, "10.77.0.1:5000"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/transfer/insecure", test_insecure);
    g_test_add_func("/transfer/silent-engine", test_silent_engine);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The samples' file: what is read of any bytes is written back so that it reads the same, and gives
 * a CPU figure that is a number and not negative.
 */
#include "driver/samples.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char no_folder[] = "/nonexistent";
static const Config config = {.run_dir = no_folder, .sample_window_ms = 5000};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SampleStore) store = sample_store_load(&config);
    sample_store_parse(store, (const char *)data, size);
    g_autofree gchar *first = sample_store_format(store);

    g_autoptr(SampleStore) again = sample_store_load(&config);
    sample_store_parse(again, first, strlen(first));
    g_autofree gchar *second = sample_store_format(again);
    g_assert_cmpstr(first, ==, second);

    const Sample moments[] = {
        {.time_us = 0, .start_id = 1},
        {.time_us = 1000, .start_id = 1, .cpu_ns = 77},
        {.time_us = G_MAXINT64, .started_us = 1, .start_id = 1, .cpu_ns = G_MAXUINT64},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(moments); i++) {
        double percent = sample_store_cpu(store, "one-1", &moments[i]);
        g_assert_true(isfinite(percent) && percent >= 0);
    }
    return 0;
}

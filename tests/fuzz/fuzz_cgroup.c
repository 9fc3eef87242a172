// SPDX-License-Identifier: Apache-2.0
/* The parsers of cgroup files and /proc/PID/stat: any bytes, no fault, nothing read past the end.
 */
#include "driver/samples.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"usage_usec", "inactive_file", "oom_kill",
                                       "hierarchical_memory_limit"};
    const char *text = (const char *)data;
    guint64 value = 0, other = 0;
    Sample sample = {0};
    cgroup_parse_number(text, size, &value);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        cgroup_parse_keyed(text, size, keys[i], &value);
    cgroup_parse_io_v1(text, size, &value, &other);
    cgroup_parse_io_v2(text, size, &sample);
    cgroup_parse_start_ticks(text, size, &value);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The VM XML as it comes. Beside not failing: what is taken passes the check, comes through JSON
 * unchanged, and both request bodies can be made of it.
 */
#include "tests/fuzz/fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_opennebula_text((const char *)data, size);
    return 0;
}

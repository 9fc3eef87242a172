// SPDX-License-Identifier: Apache-2.0
/* spec.json. Beside not failing: what is read is written as it was read. */
#include "tests/fuzz/fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(json_t) json = json_loadb((const char *)data, size, 0, NULL);
    g_autoptr(GError) error = NULL;
    if (!json)
        return 0;
    g_autoptr(VmSpec) spec = vm_spec_from_json(json, &error);
    if (spec)
        fuzz_spec(spec);
    else
        fuzz_must(error && vmdock_error_is(error, VMDOCK_ERROR_IO));
    if (spec)
        (void)vm_spec_check(spec, NULL);
    return 0;
}

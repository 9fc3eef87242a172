// SPDX-License-Identifier: Apache-2.0
/*
 * Domain XML as it comes. Beside what holds for every description: what is taken comes out as
 * domain XML that is taken again, to the same.
 */
#include "driver/spec_domain.h"
#include "tests/fuzz/fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const DomainOptions options = {.max_size = 1048576, .terminal = TRUE};

static void there_and_back(VmSpec *spec)
{
    g_autofree gchar *xml = domain_from_spec(spec, "/datastores", 0);
    g_autoptr(VmSpec) again = spec_from_domain(xml, strlen(xml), &options, NULL);
    fuzz_must(again != NULL);
    g_ptr_array_set_size(spec->not_honoured, 0);
    g_ptr_array_set_size(again->not_honoured, 0);
    g_autofree gchar *before = fuzz_dump(vm_spec_to_json(spec));
    g_autofree gchar *after = fuzz_dump(vm_spec_to_json(again));
    fuzz_must(strcmp(before, after) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_from_domain((const char *)data, size, &options, &error);
    if (!spec) {
        fuzz_must(error && vmdock_error_is(error, VMDOCK_ERROR_SPEC));
        fuzz_must(g_utf8_validate(error->message, -1, NULL) && !strchr(error->message, '\n'));
        return 0;
    }
    fuzz_must(spec_is_domain((const char *)data, size, options.max_size));
    fuzz_must(vm_spec_check(spec, NULL));
    fuzz_spec(spec);
    there_and_back(spec);
    return 0;
}

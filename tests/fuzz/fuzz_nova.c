// SPDX-License-Identifier: Apache-2.0
/*
 * Nova's requests as they come. Beside not failing: what is taken passes the check, comes through
 * JSON unchanged, and both request bodies can be made of it.
 */
#include "driver/spec_nova.h"
#include "tests/fuzz/fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const NovaOptions options = {.terminal = TRUE,
                                 .mount_point = "/mnt/config",
                                 .volume_point = "/mnt",
                                 .volume_fs = "ext4"};
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) request = nova_request((const char *)data, size, 1048576, &error);
    g_autoptr(VmSpec) spec = request ? spec_from_nova(request, &options, &error) : NULL;
    if (!spec) {
        fuzz_must(error && vmdock_error_is(error, VMDOCK_ERROR_SPEC));
        fuzz_must(g_utf8_validate(error->message, -1, NULL) && !strchr(error->message, '\n'));
        return 0;
    }
    g_autofree gchar *uuid = nova_uuid(spec->deploy_id);
    fuzz_must(g_strcmp0(uuid, spec->uuid) == 0);
    fuzz_must(vm_spec_check(spec, NULL));
    nova_take_vif(request, spec, NULL);
    vm_disk_free(nova_volume(request, &options, NULL));
    fuzz_spec(spec);
    return 0;
}

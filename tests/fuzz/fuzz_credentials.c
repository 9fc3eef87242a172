// SPDX-License-Identifier: Apache-2.0
#include "driver/credentials.h"
#include "driver/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const registries[] = {"docker.io", "r", "reg.example:5000"};
    for (gsize i = 0; i < G_N_ELEMENTS(registries); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *header =
            credentials_parse((const char *)data, size, registries[i], &error);
        if (header && (error || strpbrk(header, "+/\r\n")))
            abort();
        if (error && !vmdock_error_is(error, VMDOCK_ERROR_CONFIG))
            abort();
    }
    return 0;
}

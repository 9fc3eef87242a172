// SPDX-License-Identifier: Apache-2.0
/* Records of commands: what is read is written so that it reads the same. */
#include "driver/error.h"
#include "driver/exec.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ExecRecord) record = exec_record_parse((const char *)data, size, &error);
    if (!record) {
        g_assert_true(vmdock_error_is(error, VMDOCK_ERROR_IO));
        return 0;
    }
    g_autofree gchar *first = exec_record_format(record);
    g_autoptr(ExecRecord) again = exec_record_parse(first, strlen(first), NULL);
    g_assert_nonnull(again);
    g_autofree gchar *second = exec_record_format(again);
    g_assert_cmpstr(first, ==, second);
    return 0;
}

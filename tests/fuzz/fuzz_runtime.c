// SPDX-License-Identifier: Apache-2.0
/* vmdock-runtime's configuration, and a command line: arguments with a NUL behind each. */
#include "shim/runtime/command.h"
#include "shim/runtime/settings.h"

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_ARGUMENTS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_malloc0(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)data[i];
    autosettings Settings settings = {0};
    char *error = NULL;
    settings_parse(text, "a file", &settings, &error);
    free(error);

    char *argv[MAX_ARGUMENTS + 2] = {(char *)"vmdock-runtime"};
    size_t argument = 1;
    for (size_t i = 0; i < size && argument <= MAX_ARGUMENTS; argument++) {
        argv[argument] = text + i;
        while (i < size && text[i])
            i++;
        i++;
    }
    command_parse(argv);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* manifest.json of an image archive that a user brought. Beside not failing: what is renamed can be
 * renamed again, and holds the one name. */
#include "driver/image_archive.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ImageArchiveNames all[] = {
        {.name = "v:1"}, {.name = "v:1", .pick = "a:1"}, {.prefix = "vmdock/one-7:disk.0-"}};
    const char *text = (const char *)data;
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree gchar *renamed = image_manifest_rename(text, size, &all[i], &error);
        if ((renamed == NULL) != (error != NULL))
            abort();
        if (!renamed || !all[i].name)
            continue;
        g_autofree gchar *again = image_manifest_rename(renamed, strlen(renamed), &all[0], NULL);
        if (g_strcmp0(renamed, again) != 0 || !strstr(renamed, "\"RepoTags\":[\"v:1\"]"))
            abort();
    }
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = image_manifest_id(text, size, &error);
    if ((id == NULL) != (error != NULL))
        abort();
    return 0;
}

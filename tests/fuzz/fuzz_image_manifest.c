// SPDX-License-Identifier: Apache-2.0
/* manifest.json of an image archive that a user brought. Beside not failing: what is renamed can be
 * renamed again, and holds the one name. */
#include "driver/image_archive.h"
#include "driver/image_oci.h"

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
    /* The same text as all that OCI's layout has. */
    g_autoptr(ImageOci) oci = image_oci_new();
    g_autoptr(GError) refusal = NULL;
    image_oci_take(oci, "index.json", text, size);
    image_oci_take(oci,
                   "blobs/sha256/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                   text, size);
    g_autofree gchar *made = image_oci_manifest(oci, "amd64", &refusal);
    if ((made == NULL) != (refusal != NULL) || (made && strstr(made, "..")))
        abort();
    g_autoptr(GError) error = NULL;
    g_autofree gchar *id = image_manifest_id(text, size, &error);
    if ((id == NULL) != (error != NULL))
        abort();
    return 0;
}

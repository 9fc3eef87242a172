// SPDX-License-Identifier: Apache-2.0
/* The arguments of the transfer's actions, and the XML that the front end asks OpenNebula for. What
 * is moved or removed lies where a place's words say, whatever they are. */
#include "shim/front_tm.h"
#include "shim/tm_args.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TmPlace) place = tm_place_parse(text, "7", &error);
    if ((place == NULL) != (error != NULL))
        abort();
    if (!place)
        return;
    if (place->path[0] != '/' || strstr(place->path, "//") || strstr(place->path, "/../") ||
        !g_str_has_suffix(place->folder, "/7") || !g_str_has_prefix(place->path, place->folder) ||
        !g_str_has_prefix(place->folder, place->parent) || place->disk < -1 ||
        !tm_host(place->host))
        abort();
}

static void check_source(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TmSource) source = tm_source_parse(text, "100", &error);
    if ((source == NULL) != (error != NULL))
        abort();
    if (source && source->kind != TM_REFERENCE &&
        (source->text[0] != '/' || !strstr(source->text, "/100/") || strstr(source->text, "/../")))
        abort();
}

static void check_file(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TmContextFile) file = tm_context_file_parse(text, &error);
    if ((file == NULL) != (error != NULL))
        abort();
    if (file && (file->path[0] != '/' || !*file->name || strchr(file->name, '/')))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    check_place(text);
    check_source(text);
    check_file(text);
    tm_number(text, "the number", NULL);
    g_auto(GStrv) values =
        tm_xml_values((const char *)data, size, "//DISK[DISK_ID=\"0\"]/SOURCE", &error);
    if ((values == NULL) != (error != NULL))
        abort();
    return 0;
}

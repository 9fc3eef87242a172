// SPDX-License-Identifier: Apache-2.0
/* The message of a datastore action, and the image paths in it. */
#include "driver/datastore_source.h"
#include "driver/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_XML = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken for a file is absolute, what is taken for the datastore's own is below it. */
static void check_source(const DatastoreMessage *message, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DatastoreSource) source = text ? datastore_source_parse(text, &error) : NULL;
    if (text && !source && !vmdock_error_is(error, VMDOCK_ERROR_SPEC))
        abort();
    if (!source)
        return;
    if (source->kind == DATASTORE_SOURCE_REFERENCE) {
        g_autofree gchar *name = datastore_reference(source->ref, NULL, NULL);
        if (!g_str_has_prefix(name, "docker://") || strpbrk(name, " \n"))
            abort();
        datastore_is_insecure(message, source->ref->registry);
        datastore_repository_is_own(source->ref, message->registry, message->image_id);
    } else if (datastore_file_is_own(source->place, message->base_path, message->image_id) &&
               !g_str_has_prefix(source->place, message->base_path)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DatastoreMessage) message =
        datastore_message_parse((const char *)data, size, MAX_XML, &error);
    if (!message) {
        if (!vmdock_error_is(error, VMDOCK_ERROR_SPEC) ||
            !g_utf8_validate(error->message, -1, NULL))
            abort();
        return 0;
    }
    if (message->base_path[0] != '/' || strstr(message->base_path, "/../") ||
        (message->image_id && strchr(message->image_id, '/')))
        abort();
    check_source(message, message->path);
    check_source(message, message->source);
    datastore_path_allowed("/var/tmp/x", (const char *const *)message->safe,
                           (const char *const *)message->restricted,
                           (const char *const *)message->restricted);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * config.json of a bundle. The first byte of the input is the settings' parent and the hook's fate;
 * the rest is the text. Beside not failing: a joined bundle is JSON, has the sandbox as its only
 * network namespace, and differs in nothing else.
 */
#include "shim/runtime/bundle.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NETNS "/run/netns/one-42"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAGS = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL };

/* Takes what may differ out of ROOT: the network's path, and the hooks of the start. */
static void even_out(json_t *root)
{
    json_t *hooks = json_object_get(root, "hooks");
    json_object_del(hooks, "prestart");
    if (json_object_size(hooks) == 0)
        json_object_del(root, "hooks");
    json_t *entry;
    size_t i;
    json_array_foreach (json_object_get(json_object_get(root, "linux"), "namespaces"), i, entry) {
        const char *type = json_string_value(json_object_get(entry, "type"));
        if (type && strcmp(type, "network") == 0)
            json_object_del(entry, "path");
    }
}

static size_t count_joined(const json_t *root)
{
    json_t *entry;
    size_t i, count = 0;
    json_array_foreach (json_object_get(json_object_get(root, "linux"), "namespaces"), i, entry) {
        const char *path = json_string_value(json_object_get(entry, "path"));
        const char *type = json_string_value(json_object_get(entry, "type"));
        count += path && type && strcmp(path, NETNS) == 0 && strcmp(type, "network") == 0;
    }
    return count;
}

static void check(const char *before, size_t before_length, const char *after, size_t after_length)
{
    json_t *old = json_loadb(before, before_length, FLAGS, NULL);
    json_t *new = json_loadb(after, after_length, FLAGS, NULL);
    if (!old || !new || count_joined(new) != 1)
        abort();
    even_out(old);
    even_out(new);
    if (!json_equal(old, new))
        abort();
    json_decref(old);
    json_decref(new);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const parents[] = {"/vmdock", "vmdock.slice", "/a/b", "vmdock"};
    if (size < 1)
        return 0;
    const char *parent = parents[data[0] & 3];
    int keep_hook = data[0] & 4;
    size_t length = size - 1, joined_length = 0;
    char *text = malloc(length + 1), *error = NULL; /* its own block, so that an overrun shows */
    if (!text)
        abort();
    memcpy(text, data + 1, length);
    BundleOwner owner = bundle_owner(text, length, parent, ID, &error);
    if ((owner == BUNDLE_REFUSED) != (error != NULL))
        abort();
    char *joined =
        bundle_join(text, length, &(BundleChange){.netns = NETNS, .keep_hook = keep_hook},
                    &joined_length, &error);
    if (joined && owner == BUNDLE_OURS)
        check(text, length, joined, joined_length);
    if (!joined && !error)
        abort();
    free(joined);
    free(error);
    free(text);
    return 0;
}

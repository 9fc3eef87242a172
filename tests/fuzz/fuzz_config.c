// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock.conf, by both of its readers. Beside not failing: what is taken has every setting in its
 * bounds, what is refused is refused in one line, and what vmdock takes vmdock-runtime takes too,
 * for the same, up to the slashes at the end of a path.
 */
#include "driver/autoptr.h"
#include "driver/config.h"
#include "driver/error.h"
#include "shim/runtime/settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(gboolean good)
{
    if (!good)
        abort();
}

static void one_line(const char *text)
{
    must(g_utf8_validate(text, -1, NULL));
    for (const char *p = text; *p; p++)
        must(!g_ascii_iscntrl(*p));
}

static void check_list(const GStrv list)
{
    for (gsize i = 0; list[i]; i++)
        must(*list[i] != '\0' && !strpbrk(list[i], ",;"));
}

static void check_bounds(const Config *config)
{
#define STR(field, group, key, value)                                                              \
    must(config->field && * config->field);                                                        \
    must((value)[0] != '/' || config->field[0] == '/');                                            \
    for (const char *p = config->field; *p; p++)                                                   \
        must(!g_ascii_iscntrl(*p));
#define NUM(field, group, key, value, smallest, largest)                                           \
    must(config->field >= (smallest) && config->field <= (largest));
#define BOOL(field, group, key, value) must(config->field == TRUE || config->field == FALSE);
#define LIST(field, group, key)        check_list(config->field);
    /* The smallest may be 0, below which no number is. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits"
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#pragma GCC diagnostic pop
#undef STR
#undef NUM
#undef BOOL
#undef LIST
}

/* The runtime takes the slashes off the end of a path. */
static void same(const char *ours, const char *theirs)
{
    gsize length = strlen(ours);
    while (length > 1 && ours[length - 1] == '/')
        length--;
    must(strlen(theirs) == length && strncmp(ours, theirs, length) == 0);
}

static void check_runtime(const char *text, const Config *config)
{
    autosettings Settings settings = {0};
    char *error = NULL;
    if (!settings_parse(text, "a file", &settings, &error)) {
        /* "/" alone it refuses, and the shapes of a cgroup parent are the bundle's to judge. */
        must(error != NULL);
        free(error);
        return;
    }
    same(config->runtime_real, settings.real);
    same(config->state_dir, settings.state_dir);
    same(config->run_dir, settings.run_dir);
    same(config->netns_dir, settings.netns_dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_parse((const char *)data, size, &error);
    if (!config) {
        must(vmdock_error_is(error, VMDOCK_ERROR_CONFIG));
        one_line(error->message);
        return 0;
    }
    check_bounds(config);
    g_autofree gchar *text = g_strndup((const char *)data, size);
    if (strlen(text) == size)
        check_runtime(text, config);
    return 0;
}

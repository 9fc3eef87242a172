// SPDX-License-Identifier: Apache-2.0
/* Files that vmdock-setup edits: what it has written it can read, and writes no second time. */
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/setup_dockerd.h"
#include "driver/setup_engine.h"
#include "driver/setup_forward.h"
#include "driver/setup_opennebula.h"
#include "driver/setup_remotes.h"
#include "driver/setup_sunstone.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(gboolean good)
{
    if (!good)
        abort();
}

static void opennebula(SetupConf conf, const char *text)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autofree gchar *after = setup_opennebula_apply(conf, text, notes, &error);
    must((after != NULL) != vmdock_error_is(error, VMDOCK_ERROR_CONFIG));
    if (!after)
        return;
    g_autofree gchar *twice = setup_opennebula_apply(conf, after, notes, NULL);
    must(g_strcmp0(twice, after) == 0);
    g_autofree gchar *out = setup_opennebula_revert(conf, after, text, NULL);
    g_autofree gchar *blind = setup_opennebula_revert(conf, after, NULL, NULL);
    must(out && blind);
}

static void engine(const char *text)
{
    const SetupEngine want = {"vmdock", "/usr/libexec/vmdock/vmdock-runtime", TRUE};
    g_autoptr(GError) error = NULL;
    g_autofree gchar *after = setup_engine_apply(text, &want, &error);
    must((after != NULL) != vmdock_error_is(error, VMDOCK_ERROR_CONFIG));
    if (!after)
        return;
    g_autoptr(json_t) now = json_loads(after, JSON_REJECT_DUPLICATES, NULL);
    must(json_is_true(json_object_get(now, "live-restore")));
    g_autofree gchar *twice = setup_engine_apply(after, &want, NULL);
    must(g_strcmp0(twice, after) == 0);
    g_autofree gchar *out = setup_engine_revert(after, &want, text, NULL);
    must(out != NULL);
    g_autoptr(json_t) before = json_loads(text, 0, NULL);
    g_autoptr(json_t) left = json_loads(out, 0, NULL);
    must(!before || json_equal(before, left));
}

/* What is taken out again leaves the text of before, unless that had the module already. */
static void sunstone(const char *text)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autofree gchar *after = setup_sunstone_apply(text, notes, &error);
    must((after != NULL) != vmdock_error_is(error, VMDOCK_ERROR_CONFIG));
    if (!after)
        return;
    g_autofree gchar *twice = setup_sunstone_apply(after, notes, NULL);
    must(g_strcmp0(twice, after) == 0);
    g_autofree gchar *without = setup_sunstone_revert(text, NULL);
    g_autofree gchar *out = setup_sunstone_revert(after, NULL);
    must(without && out && (strcmp(without, text) != 0 || strcmp(out, text) == 0));
    g_autofree gchar *again = setup_sunstone_revert(out, NULL);
    must(g_strcmp0(again, out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    opennebula(SETUP_ONED, text);
    opennebula(SETUP_MONITORD, text);
    opennebula(SETUP_VMM_EXECRC, text);
    engine(text);
    sunstone(text);
    setup_forward_need(1, text);
    g_auto(GStrv) row = setup_remotes_line(text, NULL);
    g_auto(Dockerd) dockerd = {0};
    /* As the kernel gives it: the last word ends in NUL too. */
    g_autoptr(GString) words = g_string_new_len((const char *)data, (gssize)size);
    setup_dockerd_parse(&dockerd, words->str, words->len);
    return 0;
}

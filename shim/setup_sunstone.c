// SPDX-License-Identifier: Apache-2.0
/* vmdock-setup front-end and sunstone: the driver's module among those of Sunstone, and in their
 * list. */
#include "setup.h"

#include "driver/error.h"
#include "driver/file.h"
#include "driver/interrupt.h"
#include "driver/setup_tree.h"

#include <string.h>

#define LIST    "fireedge/sunstone/remotes-config.yaml" /* below /etc/one */
#define MODULES "fireedge/dist/modules"                 /* below /usr/lib/one */

enum { MODULE_MODE = 0644, MAX_BYTES = 1024 * 1024 };

/* ---- looking ---- */

/* The product's file, which is to be there. */
static gboolean read_wanted(SetupSunstone *sunstone, GError **error)
{
    gsize length = 0;
    gchar *text = file_read(SETUP_PRODUCT_MODULE, MAX_BYTES, &length, error);
    sunstone->wanted = text ? g_bytes_new_take(text, length) : NULL;
    return text != NULL;
}

static gboolean plan_module(const Setup *setup, const char *lib, SetupSunstone *sunstone,
                            GError **error)
{
    g_autofree gchar *path = g_build_filename(lib, MODULES, NULL);
    g_autoptr(GBytes) text = NULL;
    mode_t mode = 0;
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        sunstone->lacking = g_steal_pointer(&path);
        return TRUE;
    }
    sunstone->modules = setup_tree_open(path, (uid_t)-1, (gid_t)-1, error);
    if (!sunstone->modules || (!setup->remove && !read_wanted(sunstone, error)) ||
        !setup_tree_look(sunstone->modules, SUNSTONE_FILE, &sunstone->kind, &text, &mode, error))
        return FALSE;
    sunstone->same = setup->remove ? sunstone->kind == TREE_NOTHING
                                   : sunstone->kind == TREE_FILE && mode == MODULE_MODE &&
                                         g_bytes_equal(text, sunstone->wanted);
    return TRUE;
}

static gboolean plan_list(const Setup *setup, SetupSunstone *sunstone, GPtrArray *notes,
                          GError **error)
{
    SetupFile *list = sunstone->list;
    g_autofree gchar *without = setup_sunstone_revert(list->text, error);
    if (without)
        list->wanted =
            setup->remove ? g_strdup(without) : setup_sunstone_apply(list->text, notes, error);
    sunstone->fresh = g_strcmp0(without, list->text) == 0;
    if (!list->wanted)
        g_prefix_error(error, "%s: ", list->path);
    return list->wanted != NULL;
}

gboolean setup_sunstone_plan(const Setup *setup, const char *etc, const char *lib,
                             SetupSunstone *sunstone, GPtrArray *notes, GError **error)
{
    g_autofree gchar *path = g_build_filename(etc, LIST, NULL);
    sunstone->list = setup_file_read(path, error);
    if (!sunstone->list || !plan_module(setup, lib, sunstone, error))
        return FALSE;
    if (!sunstone->list->text) {
        g_free(sunstone->lacking);
        sunstone->lacking = g_steal_pointer(&path);
        return TRUE;
    }
    /* A list that no module would go with is left as it is; what is in it can still go. */
    return (sunstone->lacking && !setup->remove) || plan_list(setup, sunstone, notes, error);
}

void setup_sunstone_clear(SetupSunstone *sunstone)
{
    g_clear_pointer(&sunstone->list, setup_file_free);
    g_clear_pointer(&sunstone->modules, setup_tree_close);
    g_clear_pointer(&sunstone->wanted, g_bytes_unref);
    g_clear_pointer(&sunstone->lacking, g_free);
}

/* ---- showing ---- */

static gboolean show_module(Setup *setup, const SetupSunstone *sunstone, GError **error)
{
    const char *folder = sunstone->modules->path;
    if (sunstone->same)
        return setup_say(error, "%s: nothing to change", folder);
    setup->changes++;
    char sign = setup->remove ? '-' : sunstone->kind == TREE_NOTHING ? '+' : '!';
    return setup_say(error, "%s:\n  %c " SUNSTONE_FILE, folder, sign);
}

gboolean setup_sunstone_show(Setup *setup, const SetupSunstone *sunstone, GError **error)
{
    if (sunstone->lacking &&
        !setup_say(error,
                   "%s is not there: Sunstone with modules, FireEdge of OpenNebula 7, is not "
                   "installed here, and nothing is put in for it",
                   sunstone->lacking))
        return FALSE;
    if (sunstone->lacking && !setup->remove)
        return TRUE;
    return (!sunstone->list->wanted || setup_show(setup, sunstone->list, error)) &&
           (!sunstone->modules || show_module(setup, sunstone, error));
}

/* ---- changing ---- */

static gboolean write_list(const SetupSunstone *sunstone, GError **error)
{
    const SetupFile *list = sunstone->list;
    return setup_file_write(list, sunstone->fresh, error) &&
           (!setup_file_changes(list) ||
            setup_say(error, "%s: changed; as it was before: %s", list->path, list->backup));
}

static gboolean put(const SetupSunstone *sunstone, GError **error)
{
    if (sunstone->lacking)
        return TRUE;
    return (sunstone->same || setup_tree_file(sunstone->modules, SUNSTONE_FILE, sunstone->wanted,
                                              MODULE_MODE, error)) &&
           write_list(sunstone, error);
}

static gboolean take_out(const SetupSunstone *sunstone, GError **error)
{
    if (sunstone->list->wanted && !setup_file_revert(sunstone->list, error))
        return FALSE;
    return !sunstone->modules || (setup_tree_remove(sunstone->modules, SUNSTONE_FILE, error) &&
                                  setup_tree_remove(sunstone->modules, SUNSTONE_MODULE, error));
}

gboolean setup_sunstone_change(const Setup *setup, const SetupSunstone *sunstone, GError **error)
{
    return interrupt_check(error) &&
           (setup->remove ? take_out(sunstone, error) : put(sunstone, error));
}

// SPDX-License-Identifier: Apache-2.0
/* vmdock-setup front-end: OpenNebula's configuration files, the scripts in its remotes folder, and
 * Sunstone. */
#include "setup.h"

#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/setup_opennebula.h"
#include "driver/setup_remotes.h"

#include <pwd.h>
#include <unistd.h>

typedef struct {
    gchar *etc, *lib, *var;
} Places;

static void places_clear(Places *places)
{
    g_free(places->etc);
    g_free(places->lib);
    g_free(places->var);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Places, places_clear)

static void find_places(const Setup *setup, Places *places)
{
    if (setup->one_location) {
        places->etc = g_build_filename(setup->one_location, "etc", NULL);
        places->lib = g_build_filename(setup->one_location, "lib", NULL);
        places->var = g_build_filename(setup->one_location, "var", NULL);
    } else {
        places->etc = setup_path(setup, "/etc/one");
        places->lib = setup_path(setup, "/usr/lib/one");
        places->var = setup_path(setup, "/var/lib/one");
    }
}

/* ---- configuration files ---- */

typedef struct {
    SetupConf conf;
    const char *name;
    SetupFile *file;
    gboolean fresh; /* it has nothing of the driver's */
} ConfFile;

static gboolean read_conf(const Places *places, ConfFile *conf, GError **error)
{
    g_autofree gchar *path = g_build_filename(places->etc, conf->name, NULL);
    conf->file = setup_file_read(path, error);
    return conf->file != NULL;
}

static gboolean plan_conf(const Setup *setup, ConfFile *conf, GPtrArray *notes, GError **error)
{
    SetupFile *file = conf->file;
    if (!file->text)
        return TRUE;
    g_autofree gchar *without = setup_opennebula_revert(conf->conf, file->text, NULL, error);
    if (without)
        file->wanted = setup->remove
                           ? setup_opennebula_revert(conf->conf, file->text, file->before, error)
                           : setup_opennebula_apply(conf->conf, file->text, notes, error);
    conf->fresh = g_strcmp0(without, file->text) == 0;
    if (!file->wanted)
        g_prefix_error(error, "%s: ", file->path);
    return file->wanted != NULL;
}

static gboolean read_confs(const Places *places, ConfFile *confs, gsize count, GError **error)
{
    for (gsize i = 0; i < count; i++)
        if (!read_conf(places, &confs[i], error))
            return FALSE;
    if (!confs[0].file->text || !confs[1].file->text) {
        g_set_error(
            error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
            "there is no %s: is the front end of OpenNebula, 5.12 or newer, installed here?",
            confs[confs[0].file->text ? 1 : 0].file->path);
        return FALSE;
    }
    return TRUE;
}

static gboolean show_confs(Setup *setup, const ConfFile *confs, gsize count, GError **error)
{
    for (gsize i = 0; i < count; i++)
        if (confs[i].file->text ? !setup_show(setup, confs[i].file, error)
                                : !setup_say(error, "%s: is not there", confs[i].file->path))
            return FALSE;
    return TRUE;
}

static gboolean write_confs(const Setup *setup, const ConfFile *confs, gsize count, GError **error)
{
    for (gsize i = 0; i < count; i++) {
        const SetupFile *file = confs[i].file;
        if (!file->text)
            continue;
        if (!interrupt_check(error) ||
            !(setup->remove ? setup_file_revert(file, error)
                            : setup_file_write(file, confs[i].fresh, error)))
            return FALSE;
        if (!setup->remove && setup_file_changes(file) &&
            !setup_say(error, "%s: changed; as it was before: %s", file->path, file->backup))
            return FALSE;
    }
    return TRUE;
}

static gboolean print_notes(const GPtrArray *notes, GError **error)
{
    for (guint i = 0; i < notes->len; i++)
        if (!setup_say(error, "note: %s", (const char *)g_ptr_array_index(notes, i)))
            return FALSE;
    return TRUE;
}

/* ---- remotes ---- */

/* The scripts are the cloud's user's, as all others there; without such a user they are the
 * caller's. */
static void script_owner(const Setup *setup, uid_t *uid, gid_t *gid)
{
    const struct passwd *user = getuid() == 0 ? getpwnam(setup->config->opennebula_user) : NULL;
    *uid = user ? user->pw_uid : (uid_t)-1;
    *gid = user ? user->pw_gid : (gid_t)-1;
}

static gboolean open_remotes(const Setup *setup, const Places *places, const char *path,
                             SetupRemotes *remotes, GError **error)
{
    uid_t uid;
    gid_t gid;
    script_owner(setup, &uid, &gid);
    remotes->remotes = setup_tree_open(path, uid, gid, error);
    remotes->beside = remotes->remotes ? setup_tree_open(places->var, uid, gid, error) : NULL;
    return remotes->beside != NULL;
}

static void close_remotes(SetupRemotes *remotes)
{
    g_clear_pointer(&remotes->remotes, setup_tree_close);
    g_clear_pointer(&remotes->beside, setup_tree_close);
    g_clear_pointer(&remotes->done, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SetupRemotes, close_remotes)

static gboolean print_remotes(Setup *setup, const char *path, const GPtrArray *done, GError **error)
{
    if (done->len == 0)
        return setup_say(error, "%s: nothing to change", path);
    setup->changes++;
    if (!setup_say(error, "%s:", path))
        return FALSE;
    for (guint i = 0; i < done->len; i++)
        if (!setup_say(error, "  %s", (const char *)g_ptr_array_index(done, i)))
            return FALSE;
    return TRUE;
}

/* Without DRY_RUN silently: what is done has been shown before. */
static gboolean run_remotes(Setup *setup, const Places *places, gboolean dry_run, GError **error)
{
    g_autofree gchar *path = g_build_filename(places->var, "remotes", NULL);
    g_auto(SetupRemotes) remotes = {.dry_run = dry_run};
    remotes.done = g_ptr_array_new_with_free_func(g_free);
    /* To take them out the list of what was put in is enough; stock files may be gone by now. */
    g_autoptr(GPtrArray) wanted = setup_remotes_wanted(SETUP_PRODUCT_REMOTES, SETUP_PRODUCT_TABLE,
                                                       path, setup->remove ? NULL : error);
    if (!wanted && !setup->remove)
        return FALSE;
    if (!wanted)
        wanted = g_ptr_array_new();
    if (!open_remotes(setup, places, path, &remotes, error))
        return FALSE;
    gboolean done = setup->remove ? setup_remotes_revert(&remotes, wanted, error)
                                  : setup_remotes_apply(&remotes, wanted, error);
    return done && (!dry_run || print_remotes(setup, path, remotes.done, error));
}

/* ---- all of it ---- */

static gboolean check_result(const Setup *setup, const char *what, const char *part, GError **error)
{
    if (setup->changes == 0)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNHEALTHY,
                "%s lacks what is shown above; mend it with: vmdock-setup %s", what, part);
    return FALSE;
}

/* What is new in Sunstone is there with the next page, without a restart. */
static gboolean say_next(const Setup *setup, guint cloud_changes, GError **error)
{
    if (setup->changes == 0)
        return TRUE;
    if (cloud_changes == 0)
        return setup_say(error, "next: reload Sunstone's page in the browser");
    return setup_say(error,
                     setup->remove
                         ? "next: systemctl restart opennebula"
                         : "next: systemctl restart opennebula; then, as %s: onehost sync "
                           "--force",
                     setup->config->opennebula_user);
}

static gboolean change(Setup *setup, const Places *places, const ConfFile *confs, gsize count,
                       const SetupSunstone *sunstone, GError **error)
{
    /* First what the entries lead to, then the entries; out in the other order. */
    if (setup->remove)
        return setup_sunstone_change(setup, sunstone, error) &&
               write_confs(setup, confs, count, error) && run_remotes(setup, places, FALSE, error);
    return run_remotes(setup, places, FALSE, error) && write_confs(setup, confs, count, error) &&
           setup_sunstone_change(setup, sunstone, error);
}

gboolean setup_front_end(Setup *setup, GError **error)
{
    g_auto(Places) places = {NULL, NULL, NULL};
    g_auto(SetupSunstone) sunstone = {.list = NULL};
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    ConfFile confs[] = {{SETUP_ONED, "oned.conf", NULL, FALSE},
                        {SETUP_MONITORD, "monitord.conf", NULL, FALSE},
                        {SETUP_VMM_EXECRC, "vmm_exec/vmm_execrc", NULL, FALSE}};
    const gsize count = G_N_ELEMENTS(confs);
    find_places(setup, &places);
    gboolean good = read_confs(&places, confs, count, error);
    for (gsize i = 0; good && i < count; i++)
        good = plan_conf(setup, &confs[i], notes, error);
    good = good && setup_sunstone_plan(setup, places.etc, places.lib, &sunstone, notes, error) &&
           show_confs(setup, confs, count, error) && run_remotes(setup, &places, TRUE, error);
    const guint cloud_changes = setup->changes;
    good = good && setup_sunstone_show(setup, &sunstone, error) && print_notes(notes, error);
    if (good && setup->check)
        good = check_result(setup, "the front end", "front-end", error);
    else if (good && !setup->dry_run)
        good = change(setup, &places, confs, count, &sunstone, error) &&
               say_next(setup, cloud_changes, error);
    for (gsize i = 0; i < count; i++)
        g_clear_pointer(&confs[i].file, setup_file_free);
    return good;
}

gboolean setup_sunstone_alone(Setup *setup, GError **error)
{
    g_auto(Places) places = {NULL, NULL, NULL};
    g_auto(SetupSunstone) sunstone = {.list = NULL};
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    find_places(setup, &places);
    if (!setup_sunstone_plan(setup, places.etc, places.lib, &sunstone, notes, error))
        return FALSE;
    if (sunstone.lacking && !setup->remove) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "there is no %s: is Sunstone, FireEdge of OpenNebula 7, installed here?",
                    sunstone.lacking);
        return FALSE;
    }
    if (!setup_sunstone_show(setup, &sunstone, error) || !print_notes(notes, error))
        return FALSE;
    if (setup->check)
        return check_result(setup, "Sunstone", "sunstone", error);
    return setup->dry_run ||
           (setup_sunstone_change(setup, &sunstone, error) && say_next(setup, 0, error));
}

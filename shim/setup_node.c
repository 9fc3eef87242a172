// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-setup node: the runtime in the engine's configuration, the cloud user's way to root, and
 * the packet filter. vmdock.conf is the operator's and is not touched.
 */
#include "setup.h"

#include "driver/autoptr.h"
#include "driver/engine.h"
#include "driver/engine_body.h"
#include "driver/error.h"
#include "driver/file.h"
#include "driver/log.h"
#include "driver/nic_filter.h"
#include "driver/setup_dockerd.h"
#include "driver/setup_engine.h"
#include "driver/setup_forward.h"
#include "driver/setup_run.h"
#include "driver/state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENGINE_CONFIG   "/etc/docker/daemon.json"
#define SUDOERS         "/etc/sudoers.d/vmdock-one"
#define PRODUCT_SUDOERS VMDOCK_SUDOERSDIR "/vmdock-one"
#define UNIT            "vmdock-forward.service"

enum { MAX_SUDOERS = 65536, SUDOERS_MODE = 0440, MAX_NAMED = 5, MAX_SHOWN = 80 };

/* ---- the engine's configuration ---- */

static gchar *engine_config_path(const Setup *setup, const Dockerd *dockerd)
{
    if (setup->engine_config)
        return g_strdup(setup->engine_config);
    if (setup_is_host(setup) && dockerd->config_file)
        return g_strdup(dockerd->config_file);
    return setup_path(setup, ENGINE_CONFIG);
}

static gboolean plan_engine(const Setup *setup, SetupFile *file, gboolean *fresh, GError **error)
{
    const SetupEngine want = {setup->config->runtime_name, VMDOCK_LIBEXECDIR "/vmdock-runtime",
                              setup->live_restore};
    g_autoptr(GError) why = NULL;
    g_autofree gchar *without =
        file->text ? setup_engine_revert(file->text, &want, NULL, &why) : NULL;
    *fresh = g_strcmp0(without, file->text) == 0;
    if (!why && !setup->remove)
        file->wanted = setup_engine_apply(file->text, &want, &why);
    else if (!why && file->text)
        file->wanted = setup_engine_revert(file->text, &want, file->before, &why);
    if (!why)
        return TRUE;
    g_propagate_prefixed_error(error, g_steal_pointer(&why), "%s: ", file->path);
    return FALSE;
}

/* A file may not set what the command line sets: the engine would not start again. */
static gboolean check_command_line(const Setup *setup, const Dockerd *dockerd, GError **error)
{
    if (!setup_is_host(setup) || !dockerd->has_runtimes || setup->remove)
        return TRUE;
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                        "the engine is started with --add-runtime, and does not take runtimes from "
                        "its configuration file as well: move that option into the file first");
    return FALSE;
}

static gboolean say_engine_missing(const Setup *setup, GError **error)
{
    return setup_say(error, "the engine does not run%s: it takes its configuration when it starts",
                     setup_is_host(setup) ? "" : " here");
}

/* A reload that is not taken is no failure of what was written. */
static gboolean reload(const Setup *setup, const Dockerd *dockerd, GError **error)
{
    if (dockerd->pid == 0 || !setup_is_host(setup))
        return say_engine_missing(setup, error);
    g_autoptr(GError) why = NULL;
    gboolean taken = FALSE;
    if (setup_dockerd_reload(dockerd, setup->config, !setup->remove, &taken, &why) && taken)
        return setup_say(error, "the engine has read its configuration again");
    if (setup->remove && !why)
        return setup_say(error, "the engine forgets the runtime when it starts next");
    g_autofree gchar *reason = why ? g_strdup_printf(" (%s)", why->message) : g_strdup("");
    return setup_say(error,
                     "the engine has not taken its new configuration%s: systemctl restart docker",
                     reason);
}

/* The deploy ids of the VMs here: the engine's word, and while it does not run that of the folders
 * in which their descriptions are. */
static GPtrArray *find_vms(const Setup *setup, const Dockerd *dockerd, GError **error)
{
    if (dockerd->pid == 0)
        return state_list(setup->config, error);
    g_autoptr(Engine) engine = engine_open(setup->config, error);
    g_autoptr(GPtrArray) listed = engine ? engine_list(engine, ENGINE_LABEL_VM, error) : NULL;
    GPtrArray *names = listed ? g_ptr_array_new_with_free_func(g_free) : NULL;
    for (guint i = 0; listed && i < listed->len; i++)
        g_ptr_array_add(names, g_strdup(((EngineContainer *)listed->pdata[i])->name));
    return names;
}

/* VMs cannot be stopped or removed any more once the engine does not know their runtime. */
static gboolean check_no_vms(const Setup *setup, const Dockerd *dockerd, GError **error)
{
    if (!setup_is_host(setup))
        return TRUE;
    g_autoptr(GPtrArray) vms = find_vms(setup, dockerd, error);
    if (!vms)
        return FALSE;
    if (vms->len == 0)
        return TRUE;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < vms->len && i < MAX_NAMED; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", (const char *)vms->pdata[i]);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                "%u VMs are on this node (%s%s): move them away or terminate them first", vms->len,
                names->str, vms->len > MAX_NAMED ? ", …" : "");
    return FALSE;
}

/* ---- sudo ---- */

/* The product's own file is in place where it was installed for this very root. */
static gboolean sudoers_is_copy(const gchar *path)
{
    return !g_str_equal(path, PRODUCT_SUDOERS);
}

static gboolean sudoers_is_right(const char *path, const char *text)
{
    struct stat st;
    g_autofree gchar *there = file_read(path, MAX_SUDOERS, NULL, NULL);
    return there && g_str_equal(there, text) && lstat(path, &st) == 0 &&
           (st.st_mode & 07777) == SUDOERS_MODE && st.st_uid == geteuid();
}

/* The product's file, for the user that the configuration names. */
static gchar *sudoers_text(const Setup *setup, GError **error)
{
    const char *user = setup->config->opennebula_user;
    if (!g_regex_match_simple("^[a-z_][a-z0-9_-]*$", user, G_REGEX_DOLLAR_ENDONLY, 0)) {
        g_autofree gchar *shown = vmdock_one_line(user, MAX_SHOWN);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "[opennebula] user: \"%s\" is no name that can stand in sudoers", shown);
        return NULL;
    }
    g_autofree gchar *text = file_read(PRODUCT_SUDOERS, MAX_SUDOERS, NULL, error);
    g_autoptr(GRegex) grant = g_regex_new("^\\S+(?= ALL=\\(root\\) )", G_REGEX_MULTILINE, 0, NULL);
    return text ? g_regex_replace_literal(grant, text, -1, 0, user, 0, NULL) : NULL;
}

static gboolean remove_sudoers(Setup *setup, const char *path, GError **error)
{
    if (!sudoers_is_copy(path) || !g_file_test(path, G_FILE_TEST_EXISTS))
        return setup_say(error, "%s: nothing to change", path);
    setup->changes++;
    return setup_say(error, "%s: %s", path, setup->dry_run ? "would be removed" : "removed") &&
           (setup->dry_run || file_remove(path, error));
}

static gboolean put_sudoers(Setup *setup, GError **error)
{
    g_autofree gchar *path = setup_path(setup, SUDOERS);
    if (setup->remove)
        return remove_sudoers(setup, path, error);
    g_autofree gchar *text = sudoers_text(setup, error);
    g_autofree gchar *folder = g_path_get_dirname(path);
    if (!text)
        return FALSE;
    if (sudoers_is_right(path, text))
        return setup_say(error, "%s: nothing to change", path);
    setup->changes++;
    return setup_say(error, "%s: %s", path, setup->dry_run ? "would be written" : "written") &&
           (setup->dry_run || (file_make_folder(folder, 0750, error) &&
                               file_replace(path, text, -1, SUDOERS_MODE, error)));
}

/* ---- the packet filter ---- */

static const char *const need_texts[] = {
    [FORWARD_NOT_FILTERED] = "bridged traffic passes no rules; nothing to do",
    [FORWARD_PASSES] = "traffic between VMs on one bridge passes; nothing to do",
    [FORWARD_HAS_CHAIN] = "the chain opennebula is there, and traffic between VMs on one bridge "
                          "does not pass: see iptables -S; nothing is changed",
    [FORWARD_NEEDS_CHAIN] = "traffic between VMs on one bridge is dropped",
};

static gboolean say_need(Setup *setup, const ForwardState *state, GError **error)
{
    const char *more = "";
    if (state->need == FORWARD_NEEDS_CHAIN) {
        setup->changes++;
        more = setup->dry_run ? ": the chain opennebula would be made"
                              : ": the chain opennebula is made";
    }
    return setup_say(error, "%s: %s%s", state->program, need_texts[state->need], more);
}

gboolean setup_packet_filter(Setup *setup, GError **error)
{
    if (setup->remove || setup->check || !setup_is_host(setup)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "usage: vmdock-setup forward [--dry-run]");
        return FALSE;
    }
    ForwardState states[FORWARD_FAMILIES];
    if (!setup_forward(setup->dry_run, states, error))
        return FALSE;
    for (gsize i = 0; i < FORWARD_FAMILIES; i++)
        if (!say_need(setup, &states[i], error))
            return FALSE;
    return TRUE;
}

static gboolean unit_is_enabled(const char *root)
{
    const char *const argv[] = {"systemctl", root, "is-enabled", UNIT, NULL};
    g_autofree gchar *said = setup_run(argv, 0, NULL);
    return said != NULL;
}

/* enable takes the unit by its place, so that one outside of systemd's own folders is found too. */
static gboolean switch_unit(Setup *setup, GError **error)
{
    g_autofree gchar *root = g_strdup_printf("--root=%s/", setup->root);
    g_autofree gchar *unit = setup_path(setup, VMDOCK_UNITDIR "/" UNIT);
    g_autofree gchar *systemctl = g_find_program_in_path("systemctl");
    const char *verb = setup->remove ? "disable" : "enable";
    const char *name = setup->remove ? UNIT : VMDOCK_UNITDIR "/" UNIT;
    if (!systemctl || !g_file_test(unit, G_FILE_TEST_EXISTS))
        return setup_say(error,
                         "%s: there is no systemd, or no %s: have vmdock-setup forward run "
                         "at each boot behind the engine",
                         UNIT, unit);
    if (unit_is_enabled(root) != setup->remove)
        return setup_say(error, "%s: nothing to change", UNIT);
    setup->changes++;
    if (!setup_say(error, "%s: %s%sd", UNIT, setup->dry_run ? "would be " : "", verb))
        return FALSE;
    if (setup->dry_run)
        return TRUE;
    const char *const argv[] = {"systemctl", "--no-reload", root, verb, name, NULL};
    g_autofree gchar *said = setup_run(argv, 0, error);
    return said != NULL;
}

/* Of vmdock's own filter; there is no VM any more that needs its rules. */
static void remove_own_filter(const Setup *setup)
{
    g_autofree gchar *folder = g_build_filename(setup->config->run_dir, "filter", NULL);
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
        return;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GHashTable) nobody = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) strays = nic_filter_strays(setup->config, nobody, TRUE, &failure);
    if (!strays)
        log_warn("the tables of vmdock's own filter stay: %s", failure->message);
}

/* The rules of now stay when vmdock goes: OpenNebula's own networks may have come to need them. */
static gboolean put_forward(Setup *setup, GError **error)
{
    if (setup->no_forward)
        return TRUE;
    if (!switch_unit(setup, error))
        return FALSE;
    if (!setup_is_host(setup))
        return TRUE;
    if (setup->remove) {
        if (!setup->dry_run)
            remove_own_filter(setup);
        return setup_say(error, "the rules that let bridged traffic pass stay as they are until "
                                "the next boot");
    }
    return setup_packet_filter(setup, error);
}

/* ---- all of it ---- */

/* Does not come back when all is well: doctor's findings and its exit status are the end. */
static gboolean run_doctor(GError **error)
{
    execl(VMDOCK_BINDIR "/vmdock", "vmdock", "doctor", (char *)NULL);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "%s cannot be run", VMDOCK_BINDIR "/vmdock");
    return FALSE;
}

static gboolean write_engine(const Setup *setup, const Dockerd *dockerd, const SetupFile *file,
                             gboolean fresh, GError **error)
{
    if (setup->dry_run)
        return TRUE;
    if (setup->remove ? !setup_file_revert(file, error) : !setup_file_write(file, fresh, error))
        return FALSE;
    if (!setup_file_changes(file))
        return TRUE;
    if (!setup->remove && file->text &&
        !setup_say(error, "%s: changed; as it was before: %s", file->path, file->backup))
        return FALSE;
    return reload(setup, dockerd, error);
}

static gboolean change_node(Setup *setup, const Dockerd *dockerd, GError **error)
{
    gboolean fresh;
    g_autofree gchar *path = engine_config_path(setup, dockerd);
    g_autoptr(SetupFile) file = setup_file_read(path, error);
    return file && plan_engine(setup, file, &fresh, error) && setup_show(setup, file, error) &&
           write_engine(setup, dockerd, file, fresh, error) && put_sudoers(setup, error) &&
           put_forward(setup, error);
}

gboolean setup_node(Setup *setup, GError **error)
{
    if (setup->check)
        return run_doctor(error);
    g_auto(Dockerd) dockerd = {0};
    if (setup_is_host(setup))
        setup_dockerd_find(&dockerd);
    if (!check_command_line(setup, &dockerd, error) ||
        (setup->remove && !check_no_vms(setup, &dockerd, error)) ||
        !change_node(setup, &dockerd, error))
        return FALSE;
    if (setup->dry_run || setup->remove || !setup_is_host(setup))
        return TRUE;
    return run_doctor(error);
}

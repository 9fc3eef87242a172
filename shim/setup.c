// SPDX-License-Identifier: Apache-2.0
/* vmdock-setup: puts vmdock into OpenNebula's front end and nodes, and takes it out.
 * vmdock-setup(8). */
#include "setup.h"

#include "shim.h"

#include "driver/error.h"
#include "driver/interrupt.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name, *summary;
    gboolean (*run)(Setup *setup, GError **error);
} parts[] = {
    {"front-end", "OpenNebula's configuration and remotes, and Sunstone", setup_front_end},
    {"node", "the engine's configuration, sudo, the packet filter", setup_node},
    {"forward", "a node's packet filter alone, as at each boot", setup_packet_filter},
    {"sunstone", "Sunstone alone, on a machine of its own", setup_sunstone_alone},
};

gchar *setup_path(const Setup *setup, const char *path)
{
    return g_strconcat(setup->root, path, NULL);
}

gboolean setup_is_host(const Setup *setup)
{
    return *setup->root == '\0';
}

gboolean setup_say(GError **error, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    g_autofree gchar *text = g_strdup_vprintf(format, values);
    va_end(values);
    g_autofree gchar *line = g_strconcat(text, "\n", NULL);
    return shim_print(line, error);
}

gboolean setup_show(Setup *setup, const SetupFile *file, GError **error)
{
    if (!setup_file_changes(file))
        return setup_say(error, "%s: nothing to change", file->path);
    setup->changes++;
    g_autofree gchar *diff = setup_file_diff(file, error);
    return diff && shim_print(diff, error);
}

/* Absolute, without a slash at its end; "" for the host itself. */
static gboolean settle_folder(gchar **folder, const char *option, GError **error)
{
    if (!*folder)
        return TRUE;
    if (!g_path_is_absolute(*folder)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "--%s takes an absolute path", option);
        return FALSE;
    }
    for (gsize length = strlen(*folder); length > 0 && (*folder)[length - 1] == '/'; length--)
        (*folder)[length - 1] = '\0';
    return TRUE;
}

static gboolean settle(Setup *setup, GError **error)
{
    if (setup->check && (setup->dry_run || setup->remove)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "--check changes nothing and takes neither --dry-run nor --remove");
        return FALSE;
    }
    if (!settle_folder(&setup->root, "root", error) ||
        !settle_folder(&setup->one_location, "one-location", error))
        return FALSE;
    if (!setup->root)
        setup->root = g_strdup("");
    setup->config = config_load(NULL, error);
    return setup->config != NULL;
}

static gboolean print_help(GOptionContext *context, GError **error)
{
    g_autoptr(GString) summary = g_string_new("Puts vmdock into OpenNebula, or takes it out:\n");
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        g_string_append_printf(summary, "\n  %-10s %s", parts[i].name, parts[i].summary);
    g_option_context_set_summary(context, summary->str);
    g_option_context_set_description(context, "Manual: vmdock-setup(8).\n");
    g_autofree gchar *text = g_option_context_get_help(context, TRUE, NULL);
    return shim_print(text, error);
}

static gboolean run_part(Setup *setup, const char *name, GError **error)
{
    for (gsize i = 0; name && i < G_N_ELEMENTS(parts); i++)
        if (strcmp(parts[i].name, name) == 0)
            return settle(setup, error) && parts[i].run(setup, error);
    g_set_error_literal(
        error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
        "usage: vmdock-setup front-end|node|forward|sunstone [OPTION…]; see vmdock-setup --help");
    return FALSE;
}

static gboolean run(Setup *setup, int argc, char **argv, GError **error)
{
    gboolean help = FALSE, version = FALSE;
    const GOptionEntry entries[] = {
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &setup->dry_run, "Show what would change, no more",
         NULL},
        {"remove", 0, 0, G_OPTION_ARG_NONE, &setup->remove, "Take vmdock out again", NULL},
        {"check", 0, 0, G_OPTION_ARG_NONE, &setup->check,
         "Say whether all is in place; on a node: vmdock doctor", NULL},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &setup->root, "Change the files below this folder",
         "DIR"},
        {"one-location", 0, 0, G_OPTION_ARG_FILENAME, &setup->one_location,
         "A self-contained OpenNebula's folder ($ONE_LOCATION)", "DIR"},
        {"engine-config", 0, 0, G_OPTION_ARG_FILENAME, &setup->engine_config,
         "The engine's configuration file", "FILE"},
        {"live-restore", 0, 0, G_OPTION_ARG_NONE, &setup->live_restore,
         "Let VMs run on while the engine restarts", NULL},
        {"no-forward", 0, 0, G_OPTION_ARG_NONE, &setup->no_forward, "Leave the packet filter alone",
         NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("front-end|node|forward|sunstone");
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, entries, NULL);
    g_autoptr(GError) cause = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &cause)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "%s; see vmdock-setup --help",
                    cause->message);
        return FALSE;
    }
    if (version)
        return shim_print("vmdock-setup " VMDOCK_VERSION "\n", error);
    if (help)
        return print_help(context, error);
    return run_part(setup, argc == 2 ? argv[1] : NULL, error);
}

/* A shell of root's without sbin in its PATH finds iptables all the same. */
static void widen_path(void)
{
    const char *path = g_getenv("PATH");
    g_autofree gchar *wide = g_strconcat(path ? path : "/usr/bin:/bin", ":/usr/sbin:/sbin", NULL);
    g_setenv("PATH", wide, TRUE);
}

int main(int argc, char **argv)
{
    shim_take_standard_files();
    setlocale(LC_CTYPE, "C.UTF-8");
    umask(0022);
    g_set_prgname("vmdock-setup");
    interrupt_install();
    widen_path();
    shim_log_to_stderr(FALSE);
    Setup setup = {0};
    g_autoptr(GError) error = NULL;
    run(&setup, argc, argv, &error);
    g_clear_pointer(&setup.config, config_free);
    g_free(setup.root);
    g_free(setup.one_location);
    g_free(setup.engine_config);
    if (!error)
        return EXIT_SUCCESS;
    g_autofree gchar *sentence = vmdock_one_line(error->message, 4096);
    g_printerr("vmdock-setup: %s\n", sentence);
    return vmdock_error_status(error);
}

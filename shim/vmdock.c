// SPDX-License-Identifier: Apache-2.0
/* vmdock: the command line of operators. vmdock(1). */
#include "shim.h"

#include "driver/error.h"
#include "driver/interrupt.h"
#include "table.h"

#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    gchar *config;
    gchar *colour;
    gboolean json;
    gboolean trace;
    gboolean version;
    gboolean help;
} options;

/* Every verb takes these, before its name or after it. */
static const GOptionEntry common[] = {
    {"config", 0, 0, G_OPTION_ARG_FILENAME, &options.config, "Read this configuration file",
     "FILE"},
    {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Print data as JSON", NULL},
    {"trace", 0, 0, G_OPTION_ARG_NONE, &options.trace,
     "Show every engine call and netlink message with its time", NULL},
    {"color", 0, 0, G_OPTION_ARG_STRING, &options.colour, "Colour: auto, always or never", "WHEN"},
    {"help", 'h', 0, G_OPTION_ARG_NONE, &options.help, "Show this help", NULL},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const GOptionEntry version_option = {
    "version", 0, 0, G_OPTION_ARG_NONE, &options.version, "Show the version", NULL};

/* The columns of the help. */
enum { ARGUMENT_WIDTH = 15, OPTION_WIDTH = 21 };

const Verb *shim_verb(const char *name)
{
    for (const Verb *verb = verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

static gboolean usage_error(GError **error, GError *cause)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "%s; see vmdock --help", cause->message);
    g_error_free(cause);
    return FALSE;
}

static gboolean settle(Shim *shim, GError **error)
{
    if (options.colour && strcmp(options.colour, "auto") != 0 &&
        strcmp(options.colour, "always") != 0 && strcmp(options.colour, "never") != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "--color takes auto, always or never, not \"%s\"", options.colour);
        return FALSE;
    }
    gboolean always = g_strcmp0(options.colour, "always") == 0;
    gboolean never = g_strcmp0(options.colour, "never") == 0 || g_getenv("NO_COLOR");
    shim->colour = always || (!never && isatty(STDOUT_FILENO));
    shim->json = options.json;
    shim_log_to_stderr(options.trace);
    if (shim->config)
        return TRUE;
    shim->config = config_load(options.config, error);
    return shim->config != NULL;
}

gboolean shim_parse(Shim *shim, const Verb *verb, const GOptionEntry *own, int *argc, char ***argv,
                    int least, int most, GError **error)
{
    g_autoptr(GOptionContext) context =
        g_option_context_new(*verb->arguments ? verb->arguments : NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_strict_posix(context, verb->has_command);
    g_option_context_add_main_entries(context, common, NULL);
    if (own)
        g_option_context_add_main_entries(context, own, NULL);
    GError *cause = NULL;
    if (!g_option_context_parse(context, argc, argv, &cause))
        return usage_error(error, cause);
    if (options.help) {
        g_autofree gchar *name = g_strconcat("vmdock ", verb->name, NULL);
        g_set_prgname(name);
        g_option_context_set_summary(context, verb->summary);
        g_autofree gchar *text = g_option_context_get_help(context, TRUE, NULL);
        shim_print(text, error);
        return FALSE;
    }
    /* "--" ends the options and stays in argv. */
    if (*argc > 1 && strcmp((*argv)[1], "--") == 0) {
        memmove(*argv + 1, *argv + 2, sizeof(char *) * (gsize)(*argc - 1));
        (*argc)--;
    }
    if (*argc - 1 < least || (most >= 0 && *argc - 1 > most)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "usage: vmdock %s [OPTION…]%s%s; see vmdock %s --help", verb->name,
                    *verb->arguments ? " " : "", verb->arguments, verb->name);
        return FALSE;
    }
    return settle(shim, error);
}

/* TEXT and the blanks that make it WIDTH characters; printf would count bytes. */
static void append_padded(GString *out, const char *text, guint width)
{
    g_string_append(out, text);
    for (guint used = table_text_width(text); used < width; used++)
        g_string_append_c(out, ' ');
}

static void append_option(GString *out, const GOptionEntry *entry)
{
    g_autofree gchar *names = g_strdup_printf("  %c%c%s--%s%s%s", entry->short_name ? '-' : ' ',
                                              entry->short_name ? entry->short_name : ' ',
                                              entry->short_name ? ", " : "  ", entry->long_name,
                                              entry->arg_description ? "=" : "",
                                              entry->arg_description ? entry->arg_description : "");
    append_padded(out, names, OPTION_WIDTH);
    g_string_append_printf(out, "%s\n", entry->description);
}

static gboolean print_help(GError **error)
{
    g_autoptr(GString) text =
        g_string_new("Usage: vmdock [OPTION…] VERB [ARGUMENT…]\n\n"
                     "Containers as virtual machines with an IP: operates this host's.\n\n");
    for (const Verb *verb = verbs; verb->name; verb++) {
        g_string_append_printf(text, "  %-9s ", verb->name);
        append_padded(text, verb->arguments, ARGUMENT_WIDTH);
        g_string_append_printf(text, "%s\n", verb->summary);
    }
    g_string_append(text, "\nOptions, of every verb:\n");
    for (const GOptionEntry *entry = common; entry->long_name; entry++)
        append_option(text, entry);
    g_string_append(text, "Without a verb:\n");
    append_option(text, &version_option);
    g_string_append(text, "\nvmdock VERB --help shows a verb's own. Manual: vmdock(1).\n");
    return shim_print(text->str, error);
}

static int run(Shim *shim, int argc, char **argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_add_main_entries(context, common, NULL);
    const GOptionEntry top[] = {version_option, {NULL, 0, 0, 0, NULL, NULL, NULL}};
    g_option_context_add_main_entries(context, top, NULL);
    GError *cause = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &cause)) {
        usage_error(error, cause);
        return 0;
    }
    if (options.version) {
        shim_print("vmdock " VMDOCK_VERSION "\n", error);
        return 0;
    }
    if (options.help && argc < 2) {
        print_help(error);
        return 0;
    }
    const Verb *verb = argc > 1 ? shim_verb(argv[1]) : NULL;
    if (!verb) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    argc > 1 ? "there is no verb \"%s\"; see vmdock --help"
                             : "%sa verb is missing; see vmdock --help",
                    argc > 1 ? argv[1] : "");
        return 0;
    }
    return verb->run(shim, argc - 1, argv + 1, error);
}

int main(int argc, char **argv)
{
    shim_take_standard_files();
    setlocale(LC_CTYPE, "C.UTF-8");
    umask(0022);
    g_set_prgname("vmdock");
    interrupt_install();
    Shim shim = {0};
    g_autoptr(GError) error = NULL;
    int status = run(&shim, argc, argv, &error);
    g_clear_pointer(&shim.config, config_free);
    g_free(options.config);
    g_free(options.colour);
    if (!error)
        return status;
    g_autofree gchar *sentence = vmdock_one_line(error->message, 4096);
    g_printerr("vmdock: %s\n", sentence);
    return vmdock_error_status(error);
}

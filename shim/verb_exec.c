// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/error.h"
#include "driver/poll_format.h"
#include "terminal.h"

/* What the command talks with. */
typedef struct {
    gboolean input;    /* its stdin is ours */
    gboolean terminal; /* it gets a terminal, lent by ours where its stdin is ours */
    gchar *keys;
} Talk;

/* Of a command that nobody types to, ours stays as it is. */
static int talk(Host *host, const EngineContainer *container, const Talk *how,
                const char *const *command, GError **error)
{
    g_autoptr(Detach) detach = detach_new(how->keys ? how->keys : DETACH_DEFAULT, error);
    Terminal terminal = {0};
    EngineSession session = {
        .input = how->input ? STDIN_FILENO : -1, .output = verb_copy_output, .data = &terminal};
    if (!detach)
        return 0;
    if (how->terminal) {
        session.resized = terminal_resized;
        session.detach_keys = detach->text;
    }
    if (how->terminal && how->input) {
        session.typed = terminal_typed;
        if (!terminal_lend(&terminal, detach, error))
            return 0;
    }
    gint status = 0;
    gboolean left = FALSE;
    engine_exec_session(host->engine, container->id, command, &session, &left, &status, error);
    terminal_return();
    return status;
}

static int run(Host *host, const EngineContainer *container, const char *const *command,
               GError **error)
{
    gint status = 0;
    engine_exec(host->engine, container->id, command, verb_copy_output, NULL, &status, error);
    return status;
}

int verb_exec(Shim *shim, int argc, char **argv, GError **error)
{
    Talk how = {0};
    const GOptionEntry options[] = {
        {"interactive", 'i', 0, G_OPTION_ARG_NONE, &how.input, "Standard input is the command's",
         NULL},
        {"tty", 't', 0, G_OPTION_ARG_NONE, &how.terminal, "Give the command a terminal", NULL},
        {"detach-keys", 0, 0, G_OPTION_ARG_STRING, &how.keys,
         "The keys that leave a terminal (default: " DETACH_DEFAULT ")", "KEYS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("exec"), options, &argc, &argv, 1, -1, error))
        return 0;
    g_autofree gchar *keys = how.keys;
    const char *const *command = (const char *const *)verb_command(argv);
    if (!*command) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                    "usage: vmdock exec VM -- COMMAND…; see vmdock exec --help");
        return 0;
    }
    g_autofree gchar *id = verb_vm_id(argv[1], error);
    g_autoptr(Host) host = id ? host_open(shim->config, error) : NULL;
    g_autoptr(EngineContainer) container = host ? host_container_needed(host, id, error) : NULL;
    if (!container)
        return 0;
    if (container->state != ENGINE_RUNNING) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "VM %s does not run: it is %s", id,
                    poll_state_name(container->state));
        return 0;
    }
    return how.input || how.terminal ? talk(host, container, &how, command, error)
                                     : run(host, container, command, error);
}

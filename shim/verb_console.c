// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/error.h"
#include "driver/poll_format.h"
#include "terminal.h"

#include <unistd.h>

static gboolean has_console(const EngineContainer *container, const char *id, GError **error)
{
    if (container->state != ENGINE_RUNNING)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "VM %s does not run: it is %s", id,
                    poll_state_name(container->state));
    else if (!container->terminal)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "VM %s was made without a terminal; vmdock logs -f shows what it prints, "
                    "vmdock exec -it %s sh gives a shell",
                    id, id);
    else
        return TRUE;
    return FALSE;
}

/* For the person, in lines of their own: not for what reads the output. */
G_GNUC_PRINTF(1, 2)
static void tell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *line = g_strdup_vprintf(format, args);
    va_end(args);
    if (isatty(STDERR_FILENO))
        g_printerr("%s\n", line);
}

/* An engine that ends closes the connection as a VM does that stops. */
static void tell_end(Host *host, const char *id, GError **error)
{
    GError *failure = NULL;
    g_autoptr(EngineContainer) container = host_container(host, id, &failure);
    if (failure)
        g_propagate_error(error, failure);
    else
        tell("\nthe console of %s has ended; the VM is %s", id,
             container ? poll_state_name(container->state) : "gone");
}

static void attach(Host *host, const EngineContainer *container, const char *id, Detach *detach,
                   GError **error)
{
    Terminal terminal = {0};
    EngineSession session = {.input = STDIN_FILENO,
                             .typed = terminal_typed,
                             .resized = terminal_resized,
                             .detach_keys = detach->text,
                             .output = verb_copy_output,
                             .data = &terminal};
    gboolean left = FALSE;
    tell("console of %s; %s leaves it", id, detach->text);
    if (!terminal_lend(&terminal, detach, error))
        return;
    gboolean done = engine_attach(host->engine, container->id, &session, &left, error);
    terminal_return();
    if (left)
        tell("\nleft the console of %s, which goes on", id);
    else if (done)
        tell_end(host, id, error);
}

int verb_console(Shim *shim, int argc, char **argv, GError **error)
{
    g_autofree gchar *keys = NULL;
    const GOptionEntry options[] = {
        {"detach-keys", 0, 0, G_OPTION_ARG_STRING, &keys,
         "The keys that leave it (default: " DETACH_DEFAULT ")", "KEYS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb("console"), options, &argc, &argv, 1, 1, error))
        return 0;
    g_autofree gchar *id = verb_vm_id(argv[1], error);
    g_autoptr(Detach) detach = id ? detach_new(keys ? keys : DETACH_DEFAULT, error) : NULL;
    g_autoptr(Host) host = detach ? host_open(shim->config, error) : NULL;
    g_autoptr(EngineContainer) container = host ? host_container_needed(host, id, error) : NULL;
    if (container && has_console(container, id, error))
        attach(host, container, id, detach, error);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/spec_domain.h"
#include "driver/spec_network.h"
#include "driver/spec_opennebula.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const Verb verbs[] = {
    {"run", "IMAGE [CMD…]", "Bring up a VM of your own, of an image", verb_run, TRUE},
    {"deploy", "FILE", "Bring up the VM that FILE describes; - is stdin", verb_deploy, FALSE},
    {"shutdown", "VM…", "Stop a VM as its image wishes; its disk is kept", verb_shutdown, FALSE},
    {"cancel", "VM…", "Stop a VM at once; its disk is kept", verb_cancel, FALSE},
    {"reboot", "VM…", "Stop and start a VM; network and disk are kept", verb_reboot, FALSE},
    {"reset", "VM…", "Kill and start a VM; network and disk are kept", verb_reset, FALSE},
    {"pause", "VM…", "Freeze a VM", verb_pause, FALSE},
    {"resume", "VM…", "Let a frozen VM go on", verb_resume, FALSE},
    {"purge", "VM…", "Remove a VM with its disk and everything else of it", verb_purge, FALSE},
    {"poll", "[VM]", "Show what VMs use: CPU, memory, network, disk", verb_poll, FALSE},
    {"list", "", "Show this host's VMs", verb_list, FALSE},
    {"show", "VM", "Show what is known of a VM", verb_show, FALSE},
    {"logs", "VM", "Show what a VM has printed", verb_logs, FALSE},
    {"events", "", "Show what happens to VMs, as it happens", verb_events, FALSE},
    {"console", "VM", "Sit down at the terminal of a VM", verb_console, FALSE},
    {"exec", "VM -- COMMAND…", "Run a command in a VM", verb_exec, TRUE},
    {"dumpxml", "VM", "Print a VM as libvirt's domain XML", verb_dumpxml, FALSE},
    {"explain", "FILE", "Show what a deploy of FILE would do, without doing it", verb_explain,
     FALSE},
    {"doctor", "", "Check this host and say how to mend it", verb_doctor, FALSE},
    {"filter", "[VM…]", "Filter VMs anew, by saved or new security groups", verb_filter, FALSE},
    {"gc", "", "Remove what killed actions have left", verb_gc, FALSE},
    {"version", "", "Show the versions of vmdock and of the engine", verb_version, FALSE},
    {NULL, NULL, NULL, NULL, FALSE},
};

gchar *verb_vm_id(const char *argument, GError **error)
{
    gboolean number = *argument && strspn(argument, "0123456789") == strlen(argument);
    g_autofree gchar *id = number ? g_strconcat("one-", argument, NULL) : g_strdup(argument);
    if (vm_id_valid(id))
        return g_steal_pointer(&id);
    g_autofree gchar *shown = vmdock_one_line(argument, 80);
    g_set_error(
        error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
        "\"%s\" names no VM; VMs are named like one-42 (OpenNebula), nova-<uuid>, dom-<name> "
        "(domain XML) or run-<name> (vmdock run)",
        shown);
    return NULL;
}

char **verb_command(char **argv)
{
    return argv + (argv[2] && strcmp(argv[2], "--") == 0 ? 3 : 2);
}

VmSpec *verb_read_spec(Shim *shim, const char *file, GError **error)
{
    const Config *config = shim->config;
    gsize length = 0;
    g_autofree gchar *xml = shim_read(file, config->xml_max_bytes, &length, error);
    if (!xml)
        return NULL;
    DomainOptions of_domain = {config->xml_max_bytes, config->terminal};
    if (spec_is_domain(xml, length, config->xml_max_bytes))
        return spec_from_domain(xml, length, &of_domain, error);
    OpennebulaOptions options = {config->xml_max_bytes, config->hard_cpu, config->terminal,
                                 config->context_env_prefix};
    return spec_from_opennebula(xml, length, &options, error);
}

VmSpec *verb_parse_spec(Shim *shim, const char *verb, int argc, char **argv, GError **error)
{
    g_auto(GStrv) networks = NULL;
    const GOptionEntry entries[] = {
        {"network", 0, 0, G_OPTION_ARG_STRING_ARRAY, &networks,
         "Plug a NIC more into this network of libvirt, which reserves the address, or the next "
         "free",
         "NAME[=ADDRESS]"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    if (!shim_parse(shim, shim_verb(verb), entries, &argc, &argv, 1, 1, error))
        return NULL;
    g_autoptr(VmSpec) spec = verb_read_spec(shim, argv[1], error);
    return spec && spec_network_add(spec, networks, error) ? g_steal_pointer(&spec) : NULL;
}

TableColour verb_state_colour(EngineState state)
{
    switch (state) {
    case ENGINE_RUNNING:
        return TABLE_GREEN;
    case ENGINE_PAUSED:
    case ENGINE_RESTARTING:
        return TABLE_YELLOW;
    case ENGINE_DEAD:
        return TABLE_RED;
    case ENGINE_CREATED:
    case ENGINE_EXITED:
        return TABLE_DIM;
    }
    return TABLE_PLAIN;
}

guint verb_width(void)
{
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

gboolean verb_copy_output(int stream, const char *bytes, gsize length, gpointer data G_GNUC_UNUSED,
                          GError **error)
{
    int fd = stream == 2 ? STDERR_FILENO : STDOUT_FILENO;
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR) {
            if (!interrupt_check(error))
                return FALSE;
            continue;
        }
        if (n < 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot pass on the output");
            return FALSE;
        }
        bytes += n;
        length -= (gsize)n;
    }
    return TRUE;
}

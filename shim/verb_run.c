// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/spec_run.h"

/* What the options of the verb set; the words belong to it. */
typedef struct {
    gchar *name, *hostname, *memory, *cpu, *bridge, *network, *mac, *mtu;
    GStrv engine_networks, addresses, gateways, dns, environment, attributes;
} Options;

static void options_clear(Options *options)
{
    g_free(options->name);
    g_free(options->hostname);
    g_free(options->memory);
    g_free(options->cpu);
    g_free(options->bridge);
    g_free(options->network);
    g_free(options->mac);
    g_free(options->mtu);
    g_strfreev(options->engine_networks);
    g_strfreev(options->addresses);
    g_strfreev(options->gateways);
    g_strfreev(options->dns);
    g_strfreev(options->environment);
    g_strfreev(options->attributes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse(Shim *shim, Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"name", 'n', 0, G_OPTION_ARG_STRING, &options->name,
         "The VM is run-NAME (default: of the image's name)", "NAME"},
        {"bridge", 'b', 0, G_OPTION_ARG_STRING, &options->bridge, "Plug a NIC into this bridge",
         "BRIDGE"},
        {"network", 0, 0, G_OPTION_ARG_STRING, &options->network,
         "Plug a NIC into this network of libvirt, which reserves the address, or the next free",
         "NAME[=ADDRESS]"},
        {"engine-network", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->engine_networks,
         "A NIC on this network of the container engine; as often as needed", "NAME[=ADDRESS]"},
        {"ip", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->addresses,
         "An address of the NIC, 10.0.0.2/24; as often as needed", "ADDRESS"},
        {"gateway", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->gateways,
         "Its default gateway; one of each family", "ADDRESS"},
        {"mac", 0, 0, G_OPTION_ARG_STRING, &options->mac, "Its MAC (default: of the VM's name)",
         "MAC"},
        {"mtu", 0, 0, G_OPTION_ARG_STRING, &options->mtu, "Its MTU (default: the bridge's)",
         "BYTES"},
        {"dns", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->dns, "A name server", "ADDRESS"},
        {"hostname", 0, 0, G_OPTION_ARG_STRING, &options->hostname, "Its host name (default: NAME)",
         "NAME"},
        {"memory", 'm', 0, G_OPTION_ARG_STRING, &options->memory,
         "The most that it may use, 512M (default: no limit)", "SIZE"},
        {"cpu", 0, 0, G_OPTION_ARG_STRING, &options->cpu, "CPUs, 0.5 (default: no limit)",
         "NUMBER"},
        {"env", 'e', 0, G_OPTION_ARG_STRING_ARRAY, &options->environment,
         "A variable of its environment", "NAME=VALUE"},
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->attributes,
         "What a template says by ONEDOCK_NAME", "NAME=VALUE"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    return shim_parse(shim, shim_verb("run"), entries, argc, argv, 1, -1, error);
}

int verb_run(Shim *shim, int argc, char **argv, GError **error)
{
    g_auto(Options) options = {0};
    if (!parse(shim, &options, &argc, &argv, error))
        return 0;
    char **command = verb_command(argv);
    g_autofree gchar *own = spec_run_name(argv[1], g_random_int());
    RunWish wish = {
        .image = argv[1],
        .name = options.name ? options.name : own,
        .hostname = options.hostname,
        .memory = options.memory,
        .cpu = options.cpu,
        .bridge = options.bridge,
        .network = options.network,
        .engine_networks = options.engine_networks,
        .mac = options.mac,
        .mtu = options.mtu,
        .addresses = options.addresses,
        .gateways = options.gateways,
        .dns = options.dns,
        .environment = options.environment,
        .attributes = options.attributes,
        .command = *command ? command : NULL,
        .hard_cpu = shim->config->hard_cpu,
        .terminal = shim->config->terminal,
    };
    g_autoptr(VmSpec) spec = spec_from_run(&wish, error);
    if (spec)
        verb_bring_up(shim, spec, error);
    return 0;
}

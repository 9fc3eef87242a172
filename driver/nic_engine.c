// SPDX-License-Identifier: Apache-2.0
/* What the engine is asked for NICs on its networks. */
#include "nic_engine.h"

#include "autoptr.h"
#include "engine_body.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"
#include "network.h"
#include "state.h"

#include <string.h>

#define NONE "none" /* the engine's network that is none */

enum { MAX_SENTENCE = 400 };

/* ---- who has any ----------------------------------------------------------------------------- */

/* The mark stays with the VM; the file, which counters are read by, is gone after a reboot. */
#define MARK "engine"

static gchar *note_path(const Config *config, const char *deploy_id)
{
    return g_build_filename(config->run_dir, "engine", deploy_id, NULL);
}

static gboolean note(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *folder = g_build_filename(config->run_dir, "engine", NULL);
    g_autofree gchar *path = note_path(config, deploy_id);
    return state_mark(config, deploy_id, MARK, TRUE, error) &&
           file_make_folder(folder, 0700, error) && file_mark(path, error);
}

gboolean nic_engine_unnote(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *path = note_path(config, deploy_id);
    return file_remove(path, error);
}

GPtrArray *nic_engine_owners(const Config *config)
{
    GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
    g_autofree gchar *folder = g_build_filename(config->run_dir, "engine", NULL);
    g_autoptr(GDir) names = g_dir_open(folder, 0, NULL);
    for (const char *name; names && (name = g_dir_read_name(names));)
        if (vm_id_valid(name))
            g_ptr_array_add(ids, g_strdup(name));
    return ids;
}

gboolean nic_engine_owns(const Config *config, const char *deploy_id)
{
    g_autofree gchar *path = note_path(config, deploy_id);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* ---- what the engine says no to -------------------------------------------------------------- */

/* As the engine writes it: "network NAME". */
static gboolean names_network(const char *message, const char *network)
{
    g_autofree gchar *words = g_strconcat("network ", network, NULL);
    for (const char *at = message; (at = strstr(at, words)); at++) {
        char next = at[strlen(words)];
        if (!g_ascii_isalnum(next) && (!next || !strchr("_.-", next)))
            return TRUE;
    }
    return FALSE;
}

static gboolean names_address(const char *message, const VmNic *nic)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        g_autofree gchar *text = vm_address_text(&g_array_index(nic->addresses, VmAddress, i));
        if (strstr(message, text))
            return TRUE;
    }
    return FALSE;
}

/* The NIC that MESSAGE speaks of, by its network or an address; else the only one there is. */
static const VmNic *nic_in(const VmSpec *spec, const char *message)
{
    const VmNic *only = NULL;
    guint count = 0;
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (!nic->engine_network)
            continue;
        if (names_network(message, nic->engine_network) || names_address(message, nic))
            return nic;
        only = nic;
        count++;
    }
    return count == 1 ? only : NULL;
}

static const struct {
    const char *words; /* the engine's */
    VmdockError code;
    const char *meaning; /* of the network */
} refusals[] = {
    {"not found", VMDOCK_ERROR_NO_BRIDGE,
     "the engine has no network %s; docker network create makes it"},
    {"attachable", VMDOCK_ERROR_NO_BRIDGE,
     "the engine's network %s is a swarm's that takes no containers; docker network create "
     "--attachable makes one that does"},
    {"Address already in use", VMDOCK_ERROR_DUPLICATE,
     "somebody else has its address on the engine's network %s"},
    {"does not belong to any of this network", VMDOCK_ERROR_SPEC,
     "its address is outside the subnets of the engine's network %s"},
    {"no configured subnet", VMDOCK_ERROR_SPEC,
     "its address is outside the subnets of the engine's network %s"},
    {"user configured subnets", VMDOCK_ERROR_SPEC,
     "the engine's network %s gives no address that is asked for, because it was made without a "
     "subnet; docker network create --subnet makes one that does"},
    {"no available IP", VMDOCK_ERROR_NETWORK, "the engine's network %s has no address left"},
    {"attaching to network failed", VMDOCK_ERROR_NETWORK,
     "the swarm's managers have not put it on the network %s: they cannot be reached, or the "
     "address that it asks for is taken or outside"},
    {"conflicts with existing route", VMDOCK_ERROR_NETWORK,
     "the addresses of the engine's network %s are also another NIC's"},
};

void nic_engine_explain(const VmSpec *spec, GError **error)
{
    const VmNic *nic = error && *error ? nic_in(spec, (*error)->message) : NULL;
    for (gsize i = 0; nic && i < G_N_ELEMENTS(refusals); i++) {
        gboolean network = refusals[i].code != VMDOCK_ERROR_NO_BRIDGE ||
                           vmdock_error_is(*error, VMDOCK_ERROR_NO_BRIDGE);
        if (!network || !strstr((*error)->message, refusals[i].words))
            continue;
        g_auto(GStrv) parts = g_strsplit(refusals[i].meaning, "%s", 2);
        g_autofree gchar *line = vmdock_one_line((*error)->message, MAX_SENTENCE);
        log_trace("%s", line);
        g_clear_error(error);
        g_set_error(error, VMDOCK_ERROR, (gint)refusals[i].code, "NIC %u: %s%s%s", nic->id,
                    parts[0], nic->engine_network, parts[1] ? parts[1] : "");
        return;
    }
}

/* ---- from what it is on to what it shall be on ----------------------------------------------- */

typedef struct {
    Host *host;
    const VmSpec *spec;
    const EngineContainer *container;
    Sandbox *sandbox; /* of a container that runs; else NULL */
} Sync;

static const VmNic *nic_on(const VmSpec *spec, const char *network)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (g_strcmp0(nic->engine_network, network) == 0)
            return nic;
    }
    return NULL;
}

/* What a container that runs has, the engine tells; of one that does not, what it will ask for. */
static gboolean fits(const Sync *sync, const VmNic *nic, const EngineEndpoint *endpoint)
{
    static const int families[] = {AF_INET, AF_INET6};
    gboolean runs = host_runs(sync->container);
    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        const VmAddress *wanted = vm_nic_address(nic, families[i]);
        const VmAddress *there = runs ? &endpoint->given[i] : &endpoint->asked[i];
        if (runs && (!wanted || vm_nic_learned_address(nic, families[i])))
            continue;
        if (wanted ? !vm_address_same(wanted, there) : there->family != 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean stays(const Sync *sync, const EngineEndpoint *endpoint)
{
    const VmNic *nic = nic_on(sync->spec, endpoint->network);
    if (!nic)
        return strcmp(endpoint->network, NONE) == 0 && !vm_nics_any_engine(sync->spec->nics);
    return fits(sync, nic, endpoint);
}

static gboolean leave_others(const Sync *sync, GError **error)
{
    const GPtrArray *endpoints = sync->container->endpoints;
    for (guint i = 0; i < endpoints->len; i++) {
        const EngineEndpoint *endpoint = g_ptr_array_index(endpoints, i);
        if (!stays(sync, endpoint) &&
            (!engine_disconnect(sync->host->engine, sync->container->id, endpoint->network,
                                error) ||
             (sync->sandbox && !nic_engine_unplug(sync->sandbox, endpoint, error))))
            return FALSE;
    }
    return TRUE;
}

/* A network without a subnet of its own gives no address twice but by chance. */
static gboolean join(const Sync *sync, const VmNic *nic, GError **error)
{
    Engine *engine = sync->host->engine;
    const char *id = sync->container->id;
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) wish = engine_endpoint_body(nic, TRUE);
    if (engine_connect(engine, id, nic->engine_network, wish, &failure))
        return TRUE;
    if (nic->learned && strstr(failure->message, "user configured subnets")) {
        g_autoptr(json_t) modest = engine_endpoint_body(nic, FALSE);
        log_warn(
            "VM %s: NIC %u: the engine may choose another address with each start: its network "
            "%s was made without a subnet",
            sync->spec->deploy_id, nic->id, nic->engine_network);
        return engine_connect(engine, id, nic->engine_network, modest, error);
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean join_missing(const Sync *sync, GError **error)
{
    for (guint i = 0; i < sync->spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(sync->spec->nics, i);
        const EngineEndpoint *endpoint =
            nic->engine_network ? engine_endpoint(sync->container, nic->engine_network) : NULL;
        if (nic->engine_network && !(endpoint && fits(sync, nic, endpoint)) &&
            !join(sync, nic, error))
            return FALSE;
    }
    return TRUE;
}

/* A container that is on no network at all is put on that of its creation when it starts. */
static gboolean join_none(const Sync *sync, GError **error)
{
    const EngineContainer *container = sync->container;
    if (host_runs(container) || vm_nics_any_engine(sync->spec->nics) ||
        g_strcmp0(container->network_mode, NONE) == 0 || engine_endpoint(container, NONE))
        return TRUE;
    return engine_connect(sync->host->engine, container->id, NONE, NULL, error);
}

static gboolean sync_networks(const Sync *sync, GError **error)
{
    if (leave_others(sync, error) && join_missing(sync, error) && join_none(sync, error))
        return TRUE;
    nic_engine_explain(sync->spec, error);
    return FALSE;
}

static gboolean differs(const Sync *sync)
{
    for (guint i = 0; i < sync->container->endpoints->len; i++)
        if (!stays(sync, g_ptr_array_index(sync->container->endpoints, i)))
            return TRUE;
    for (guint i = 0; i < sync->spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(sync->spec->nics, i);
        if (nic->engine_network && !engine_endpoint(sync->container, nic->engine_network))
            return TRUE;
    }
    return FALSE;
}

static EngineContainer *inspect(Host *host, const char *container_id, GError **error)
{
    GError *failure = NULL;
    EngineContainer *container = engine_inspect(host->engine, container_id, &failure);
    if (!container && !failure)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "its container is gone");
    if (failure)
        g_propagate_error(error, failure);
    return container;
}

gboolean nic_engine_prepare(Host *host, const VmSpec *spec, const char *container_id,
                            Sandbox *sandbox, gboolean *plugs, GError **error)
{
    const Config *config = host->config;
    *plugs = vm_nics_any_engine(spec->nics);
    if (!*plugs && !state_marked(config, spec->deploy_id, MARK))
        return TRUE;
    g_autoptr(EngineContainer) container = inspect(host, container_id, error);
    Sync sync = {host, spec, container, NULL};
    if (!container || !note(config, spec->deploy_id, error) || !sync_networks(&sync, error))
        return FALSE;
    if (*plugs)
        return nic_engine_park(host, sandbox, spec, error);
    /* The runtime has parked it when the container stopped. */
    return network_restore(host, spec, error) &&
           state_mark(config, spec->deploy_id, MARK, FALSE, error) &&
           nic_engine_unnote(config, spec->deploy_id, error);
}

/* ---- what it has given ----------------------------------------------------------------------- */

static void tell_mac(const VmSpec *spec, const VmNic *nic, const EngineEndpoint *endpoint)
{
    if (!endpoint->has_mac || (nic->has_mac && memcmp(endpoint->mac, nic->mac, 6) == 0))
        return;
    g_autofree gchar *mac = vm_mac_format(endpoint->mac);
    log_warn("VM %s: NIC %u: on its network %s the engine has given it a MAC of its own, %s",
             spec->deploy_id, nic->id, nic->engine_network, mac);
}

static void take_given(const VmSpec *spec, VmNic *nic, const EngineContainer *container)
{
    const EngineEndpoint *endpoint = engine_endpoint(container, nic->engine_network);
    for (guint i = 0; endpoint && i < G_N_ELEMENTS(endpoint->given); i++)
        if (endpoint->given[i].family)
            vm_nic_learn_address(nic, &endpoint->given[i]);
    if (endpoint)
        tell_mac(spec, nic, endpoint);
}

gboolean nic_engine_learn(Host *host, const VmSpec *spec, const char *container_id, GError **error)
{
    if (!vm_nics_any_engine(spec->nics))
        return TRUE;
    g_autoptr(EngineContainer) container = inspect(host, container_id, error);
    g_autoptr(VmSpec) copy = container ? vm_spec_copy(spec, error) : NULL;
    if (!copy)
        return FALSE;
    for (guint i = 0; i < copy->nics->len; i++) {
        VmNic *nic = g_ptr_array_index(copy->nics, i);
        if (nic->engine_network)
            take_given(copy, nic, container);
    }
    return state_save(host->config, copy, error);
}

VmSpec *nic_engine_without_learned(const VmSpec *spec)
{
    gboolean any = FALSE;
    g_autoptr(VmSpec) copy = vm_spec_copy(spec, NULL);
    for (guint i = 0; copy && i < copy->nics->len; i++) {
        VmNic *nic = g_ptr_array_index(copy->nics, i);
        if (!nic->engine_network || !vm_nic_forget_addresses(nic))
            continue;
        any = TRUE;
        log_warn("VM %s: NIC %u: it may have another address than before: the engine has given one "
                 "that it had chosen for the VM to somebody else",
                 spec->deploy_id, nic->id);
    }
    return any ? g_steal_pointer(&copy) : NULL;
}

gchar *nic_engine_address(const Config *config, const char *deploy_id)
{
    static const int families[] = {AF_INET, AF_INET6};
    g_autoptr(VmSpec) spec = state_load(config, deploy_id, NULL);
    for (guint i = 0; spec && i < G_N_ELEMENTS(families); i++)
        for (guint j = 0; j < spec->nics->len; j++) {
            const VmNic *nic = g_ptr_array_index(spec->nics, j);
            const VmAddress *address = vm_nic_address(nic, families[i]);
            if (address && nic->engine_network && vm_nic_learned_address(nic, families[i]))
                return vm_address_text(address);
        }
    return NULL;
}

/* ---- while it runs --------------------------------------------------------------------------- */

typedef struct {
    Host *host;
    const VmSpec *before;
} Back;

/* Whatever becomes of the networks, no link stays without its name. */
static gboolean bring(Host *host, const VmSpec *spec, const EngineContainer *container,
                      GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(Sandbox) sandbox = sandbox_open(host->config, spec->deploy_id, &failure);
    Sync sync = {host, spec, container, sandbox};
    if (!sandbox) {
        if (!failure)
            g_set_error_literal(&failure, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                                "it has no network namespace");
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (nic_engine_open(sandbox, &failure))
        sync_networks(&sync, &failure);
    interrupt_hold();
    nic_engine_place(host, sandbox, spec, failure ? NULL : &failure);
    interrupt_allow();
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean undo_change(gpointer data, GError **error)
{
    const Back *back = data;
    g_autoptr(EngineContainer) container =
        host_container_needed(back->host, back->before->deploy_id, error);
    return container && bring(back->host, back->before, container, error);
}

/* Its hook was taken out at its start where it was on none: the engine cannot plug anything in. */
static gboolean may_join(const Config *config, const VmSpec *spec, const char *id, GError **error)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (!nic->engine_network || sandbox_map_keeps_hook(config, id))
            continue;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "NIC %u: the VM was started without a network of the engine, and is put on %s "
                    "with its next deploy only: power it off first",
                    nic->id, nic->engine_network);
        return FALSE;
    }
    return TRUE;
}

gboolean nic_engine_change(Host *host, const VmSpec *spec, const VmSpec *before, Undo *undo,
                           GError **error)
{
    if (!vm_nics_any_engine(spec->nics) && !vm_nics_any_engine(before->nics))
        return TRUE;
    g_autoptr(EngineContainer) container = host_container_needed(host, spec->deploy_id, error);
    Sync sync = {host, spec, container, NULL};
    if (!container)
        return FALSE;
    if (!differs(&sync))
        return nic_engine_learn(host, spec, container->id, error);
    if (!may_join(host->config, spec, container->id, error) ||
        !note(host->config, spec->deploy_id, error))
        return FALSE;
    Back *back = g_new(Back, 1);
    *back = (Back){host, before};
    undo_push(undo, "the change of the engine's networks", undo_change, back, g_free);
    return bring(host, spec, container, error) &&
           nic_engine_learn(host, spec, container->id, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "hotplug.h"

#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "network.h"
#include "nic.h"
#include "nic_engine.h"
#include "nic_filter.h"
#include "nic_libvirt.h"
#include "policy.h"
#include "state.h"

#include <string.h>

/* A change of the saved spec on its way; everything here outlives its undo list. */
typedef struct {
    Host *host;
    const char *deploy_id;
    VmSpec *spec;     /* what it said, and then what it shall say */
    VmSpec *before;   /* what it said */
    Sandbox *sandbox; /* NULL where it is not needed */
} Change;

static void change_clear(Change *change)
{
    g_clear_pointer(&change->spec, vm_spec_free);
    g_clear_pointer(&change->before, vm_spec_free);
    g_clear_pointer(&change->sandbox, sandbox_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Change, change_clear)

/* Saves the spec as it has become, on the disk too. */
static gboolean save(const Change *change, Undo *undo, GError **error)
{
    const Config *config = change->host->config;
    return state_change(config, change->spec, undo, error) &&
           state_sync(config, change->deploy_id, error);
}

static gboolean read_spec(Change *change, GError **error)
{
    const Config *config = change->host->config;
    g_autoptr(GError) failure = NULL;
    change->before = state_load(config, change->deploy_id, &failure);
    if (!change->before && !failure)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM,
                    "there is no such VM on this host, or its last applied spec is gone from %s",
                    config->state_dir);
    if (!failure)
        change->spec = vm_spec_copy(change->before, &failure);
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

/* A VM that was stopped has no sandbox. */
static Sandbox *open_sandbox(Host *host, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    Sandbox *sandbox = sandbox_open(host->config, deploy_id, &failure);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (!sandbox)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "it does not run: it has no network namespace");
    return sandbox;
}

static VmNic *nic_with_mac(const GPtrArray *nics, const guint8 mac[6])
{
    for (guint i = 0; i < nics->len; i++) {
        VmNic *nic = g_ptr_array_index(nics, i);
        if (nic->has_mac && memcmp(nic->mac, mac, 6) == 0)
            return nic;
    }
    return NULL;
}

/* The sentences that begin with the NIC: those of NICs are written so. */
static gboolean speaks_of(const char *sentence, guint id)
{
    g_autofree gchar *beginning = g_strdup_printf("NIC %u: ", id);
    return g_str_has_prefix(sentence, beginning);
}

static void forget_notes(VmSpec *spec, guint id)
{
    for (guint i = spec->not_honoured->len; i-- > 0;)
        if (speaks_of(g_ptr_array_index(spec->not_honoured, i), id))
            g_ptr_array_remove_index(spec->not_honoured, i);
}

static void take_notes(VmSpec *spec, const VmSpec *from, guint id)
{
    forget_notes(spec, id);
    for (guint i = 0; i < from->not_honoured->len; i++) {
        const char *sentence = g_ptr_array_index(from->not_honoured, i);
        if (!speaks_of(sentence, id))
            continue;
        log_warn("VM %s: %s", spec->deploy_id, sentence);
        g_ptr_array_add(spec->not_honoured, g_strdup(sentence));
    }
}

/* Puts a copy of WANTED into the spec, in the place of the NIC of its id. */
static VmNic *take_in(Change *change, const VmSpec *from, const VmNic *wanted, GError **error)
{
    GPtrArray *nics = change->spec->nics;
    VmNic *old = vm_nics_find(nics, wanted->id);
    if (old)
        g_ptr_array_remove(nics, old);
    VmNic *nic = vm_nic_copy(wanted);
    g_ptr_array_add(nics, nic);
    vm_nics_sort(nics);
    vm_nics_keep_names(nics, change->before->nics);
    if (!vm_spec_check(change->spec, error))
        return NULL;
    take_notes(change->spec, from, nic->id);
    return nic;
}

static gboolean undo_network(gpointer data, GError **error)
{
    const Change *change = data;
    return network_restore(change->host, change->before, error);
}

static gboolean plug(Change *change, const VmNic *nic, Undo *undo, GError **error)
{
    if (nic->engine_network)
        return nic_engine_change(change->host, change->spec, change->before, undo, error);
    return network_plug(change->host, change->spec, nic, change->sandbox, undo, error);
}

static gboolean attach_locked(Host *host, const VmSpec *spec, const VmNic *wanted, GError **error)
{
    g_auto(Change) change = {.host = host, .deploy_id = spec->deploy_id};
    g_autoptr(Undo) undo = undo_new();
    if (!read_spec(&change, error))
        return FALSE;
    change.sandbox = open_sandbox(host, spec->deploy_id, error);
    VmNic *nic = change.sandbox ? take_in(&change, spec, wanted, error) : NULL;
    if (!nic || (nic->engine_network && !policy_check_networks(host->config, change.spec, error)) ||
        !nic_libvirt_join(host->config, change.spec, nic, change.before, undo, error) ||
        !save(&change, undo, error))
        return FALSE;
    if (vm_nics_find(change.before->nics, nic->id))
        undo_push(undo, "the change of the NIC", undo_network, &change, NULL);
    if (!plug(&change, nic, undo, error) || !interrupt_check(error))
        return FALSE;
    network_announce_nic(change.sandbox, nic);
    undo_commit(undo);
    nic_libvirt_settle(host->config, change.spec);
    return TRUE;
}

gboolean vm_attach_nic(Host *host, const VmSpec *spec, const guint8 mac[6], GError **error)
{
    const VmNic *wanted = nic_with_mac(spec->nics, mac);
    if (!wanted) {
        g_autofree gchar *text = vm_mac_format(mac);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "VM %s: its description has no NIC with the MAC %s", spec->deploy_id, text);
        return FALSE;
    }
    g_autoptr(HostLock) lock = host_lock(host, spec->deploy_id, error);
    return lock && host_about(spec->deploy_id, attach_locked(host, spec, wanted, error), error);
}

static gboolean remove_nic(Change *change, const VmNic *nic, Undo *undo, GError **error)
{
    Host *host = change->host;
    NicHost place = {host->netlink, host->config};
    if (nic->engine_network)
        return nic_engine_change(host, change->spec, change->before, undo, error);
    return nic_remove(&place, change->deploy_id, nic, error);
}

/* The saved spec first: once the NIC is gone there is nothing left that could fail. A detach that
 * was killed in between has left a NIC that stands in no spec. */
static gboolean detach_locked(Host *host, const char *deploy_id, const guint8 mac[6],
                              GError **error)
{
    g_auto(Change) change = {.host = host, .deploy_id = deploy_id};
    g_autoptr(Undo) undo = undo_new();
    if (!host_netlink(host, error) || !read_spec(&change, error))
        return FALSE;
    VmNic *nic = nic_with_mac(change.spec->nics, mac);
    if (!nic) {
        g_autofree gchar *text = vm_mac_format(mac);
        log_info("VM %s: it has no NIC with the MAC %s to detach", deploy_id, text);
        return network_trim(host, change.spec, error);
    }
    forget_notes(change.spec, nic->id);
    g_autoptr(VmNic) gone = vm_nic_copy(nic);
    g_ptr_array_remove(change.spec->nics, nic);
    if (!save(&change, undo, error) || !interrupt_check(error) ||
        !remove_nic(&change, gone, undo, error))
        return FALSE;
    network_unfilter_others(host, change.spec);
    undo_commit(undo);
    nic_libvirt_settle(host->config, change.spec);
    return TRUE;
}

gboolean vm_detach_nic(Host *host, const char *deploy_id, const guint8 mac[6], GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, detach_locked(host, deploy_id, mac, error), error);
}

static gboolean take_limits(VmSpec *spec, const GPtrArray *limits, GError **error)
{
    for (guint i = 0; limits && i < limits->len; i++) {
        const VmNic *from = g_ptr_array_index(limits, i);
        VmNic *nic = vm_nics_find(spec->nics, from->id);
        if (!nic) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "it has no NIC %u", from->id);
            return FALSE;
        }
        nic->inbound = from->inbound;
        nic->outbound = from->outbound;
    }
    return TRUE;
}

static void tell_unlimited(const VmSpec *spec, const VmNic *nic)
{
    if (nic->engine_network &&
        (vm_bandwidth_any(&nic->inbound) || vm_bandwidth_any(&nic->outbound)))
        log_warn("VM %s: NIC %u: its bandwidth is not limited: it is on a network of the engine",
                 spec->deploy_id, nic->id);
}

static gboolean apply_limits(Host *host, const VmSpec *spec, GError **error)
{
    if (!host_netlink(host, error))
        return FALSE;
    NicHost place = {host->netlink, host->config};
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        tell_unlimited(spec, nic);
        if (!nic->engine_network && !nic_limit(&place, spec->deploy_id, nic, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean undo_limits(gpointer data, GError **error)
{
    const Change *change = data;
    return apply_limits(change->host, change->before, error);
}

static gboolean set_qos_locked(Host *host, const char *deploy_id, const GPtrArray *limits,
                               GError **error)
{
    g_auto(Change) change = {.host = host, .deploy_id = deploy_id};
    g_autoptr(Undo) undo = undo_new();
    if (!read_spec(&change, error) || !take_limits(change.spec, limits, error) ||
        (limits && !save(&change, undo, error)))
        return FALSE;
    undo_push(undo, "the limits of the NICs", undo_limits, &change, NULL);
    if (!apply_limits(host, change.spec, error) || !interrupt_check(error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

gboolean vm_set_qos(Host *host, const char *deploy_id, const GPtrArray *limits, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, set_qos_locked(host, deploy_id, limits, error), error);
}

static gboolean take_rules(VmSpec *spec, const GPtrArray *nics, GError **error)
{
    for (guint i = 0; nics && i < nics->len; i++) {
        const VmNic *from = g_ptr_array_index(nics, i);
        VmNic *nic = vm_nics_find(spec->nics, from->id);
        if (!nic) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "it has no NIC %u", from->id);
            return FALSE;
        }
        vm_nic_set_rules(nic, from->rules);
    }
    return TRUE;
}

static gboolean set_rules_locked(Host *host, const char *deploy_id, const GPtrArray *nics,
                                 GError **error)
{
    g_auto(Change) change = {.host = host, .deploy_id = deploy_id};
    g_autoptr(Undo) undo = undo_new();
    g_autofree gchar *netns = g_build_filename(host->config->netns_dir, deploy_id, NULL);
    if (!read_spec(&change, error) || !take_rules(change.spec, nics, error) ||
        (nics && !save(&change, undo, error)))
        return FALSE;
    if (g_file_test(netns, G_FILE_TEST_EXISTS) &&
        !nic_filter_apply(host->config, change.spec, error))
        return FALSE;
    undo_commit(undo);
    return TRUE;
}

gboolean vm_set_rules(Host *host, const char *deploy_id, const GPtrArray *nics, GError **error)
{
    g_autoptr(HostLock) lock = host_lock(host, deploy_id, error);
    return lock && host_about(deploy_id, set_rules_locked(host, deploy_id, nics, error), error);
}

gboolean vm_refresh_network(Host *host, VmSpec *spec, GError **error)
{
    g_auto(Change) change = {.host = host, .deploy_id = spec->deploy_id};
    g_autoptr(Undo) undo = undo_new();
    if (!read_spec(&change, error))
        return FALSE;
    change.sandbox = open_sandbox(host, spec->deploy_id, error);
    if (!change.sandbox)
        return FALSE;
    vm_nics_keep_names(spec->nics, change.before->nics);
    undo_push(undo, "the change of the network", undo_network, &change, NULL);
    g_autoptr(Sandbox) sandbox = network_up(host, spec, undo, error);
    if (!sandbox)
        return FALSE;
    network_announce(sandbox, spec);
    undo_commit(undo);
    return TRUE;
}

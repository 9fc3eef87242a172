// SPDX-License-Identifier: Apache-2.0
#include "nic_libvirt.h"

#include "error.h"
#include "log.h"
#include "nic_libvirt_record.h"
#include "policy.h"

#include <string.h>

enum { FULL_IP4 = 32, FULL_IP6 = 128 };

/* One NIC, and what libvirt is asked for it. */
typedef struct {
    VmNic *nic;
    LibvirtRequest *request;
    LibvirtAnswer *answer;
    GError *error;
    gboolean unknown; /* what has become of it */
} Question;

struct LibvirtJoin {
    const Config *config;
    VmSpec *spec;
    GPtrArray *questions;
    GPtrArray *before; /* Reservation, as the record was */
    GPtrArray *record; /* and as it is */
    GThread *thread;
};

static void question_free(gpointer data)
{
    Question *question = data;
    libvirt_request_free(question->request);
    libvirt_answer_free(question->answer);
    g_clear_error(&question->error);
    g_free(question);
}

static void join_free(gpointer data)
{
    LibvirtJoin *join = data;
    if (join->thread)
        g_thread_join(join->thread);
    g_ptr_array_unref(join->questions);
    g_ptr_array_unref(join->before);
    g_ptr_array_unref(join->record);
    g_free(join);
}

gboolean nic_libvirt_any(const VmSpec *spec)
{
    for (guint i = 0; i < spec->nics->len; i++)
        if (((const VmNic *)g_ptr_array_index(spec->nics, i))->libvirt_network)
            return TRUE;
    return FALSE;
}

/* ---- what a network gives -------------------------------------------------------------------- */

static const VmAddress *subnet_of(const LibvirtAnswer *answer, const VmAddress *address)
{
    for (guint i = 0; i < answer->subnets->len; i++) {
        const VmAddress *subnet = &g_array_index(answer->subnets, VmAddress, i);
        if (vm_address_contains(subnet, address))
            return subnet;
    }
    return NULL;
}

static gboolean has_route_of(const VmNic *nic, int family)
{
    for (guint i = 0; i < nic->routes->len; i++)
        if (g_array_index(nic->routes, VmRoute, i).destination.family == family)
            return TRUE;
    return FALSE;
}

/* An address that was asked for alone has its subnet's prefix. */
static void take_addresses(VmNic *nic, const LibvirtAnswer *answer, GStrvBuilder *learned)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        VmAddress *address = &g_array_index(nic->addresses, VmAddress, i);
        const VmAddress *subnet = subnet_of(answer, address);
        if (subnet && address->prefix == (address->family == AF_INET ? FULL_IP4 : FULL_IP6))
            address->prefix = subnet->prefix;
    }
    if (!answer->address.family || vm_nic_address(nic, answer->address.family))
        return;
    g_array_prepend_val(nic->addresses, answer->address);
    g_strv_builder_add(learned, VM_LEARNED_ADDRESS);
}

/* Those of the network whose gateway is a neighbour, and not the VM itself. */
static void add_routes(VmNic *nic, const LibvirtAnswer *answer)
{
    for (guint i = 0; i < answer->routes->len; i++) {
        const VmRoute *route = &g_array_index(answer->routes, VmRoute, i);
        gboolean near = FALSE, own = FALSE;
        for (guint j = 0; j < nic->addresses->len; j++) {
            const VmAddress *address = &g_array_index(nic->addresses, VmAddress, j);
            near = near || vm_address_contains(address, &route->gateway);
            own = own || vm_address_same(address, &route->gateway);
        }
        if (near && !own)
            g_array_append_val(nic->routes, *route);
    }
}

static void add_default_route(VmNic *nic, const LibvirtAnswer *answer)
{
    for (guint i = 0; i < nic->addresses->len; i++) {
        const VmAddress *address = &g_array_index(nic->addresses, VmAddress, i);
        const VmAddress *subnet = address->family == AF_INET ? subnet_of(answer, address) : NULL;
        if (!subnet)
            continue;
        VmRoute route = {.destination = {.family = AF_INET}, .gateway = *subnet};
        route.gateway.prefix = FULL_IP4;
        g_array_append_val(nic->routes, route);
        return;
    }
}

/* IPv6's the guest learns of libvirt's router advertisements. */
static void take_routes(VmNic *nic, const LibvirtAnswer *answer, GStrvBuilder *learned)
{
    guint had = nic->routes->len;
    if (has_route_of(nic, AF_INET))
        return;
    add_routes(nic, answer);
    if (answer->leads_on)
        add_default_route(nic, answer);
    if (nic->routes->len > had)
        g_strv_builder_add(learned, VM_LEARNED_ROUTES);
}

/* Whether the search domains are the description's, and no network's. */
static gboolean asks_search(const VmSpec *spec)
{
    return spec->search && *spec->search && !vm_spec_learned(spec, VM_LEARNED_SEARCH);
}

/* libvirt answers at its own address, where the VM has one beside it. Search domains that are asked
 * for stand. */
static void take_dns(VmSpec *spec, const VmNic *nic, const LibvirtAnswer *answer,
                     GStrvBuilder *learned)
{
    gboolean some = FALSE;
    for (guint i = 0; answer->dns && i < answer->subnets->len; i++) {
        const VmAddress *subnet = &g_array_index(answer->subnets, VmAddress, i);
        g_autofree gchar *text = vm_address_text(subnet);
        if (!vm_nic_address(nic, subnet->family))
            continue;
        vm_words_add(&spec->dns, text);
        some = TRUE;
    }
    if (!some)
        return;
    g_strv_builder_add(learned, VM_LEARNED_DNS);
    if (answer->domain && !asks_search(spec)) {
        vm_words_add(&spec->search, answer->domain);
        g_strv_builder_add(learned, VM_LEARNED_SEARCH);
    }
}

static void take_vlan(VmNic *nic, const LibvirtAnswer *answer, GStrvBuilder *learned)
{
    if (vm_vlan_any(&nic->vlan) || !vm_vlan_any(&answer->vlan))
        return;
    vm_vlan_copy(&nic->vlan, &answer->vlan);
    g_strv_builder_add(learned, VM_LEARNED_VLAN);
}

static void take_limits(VmBandwidth *limits, const VmBandwidth *given, const char *what,
                        GStrvBuilder *learned)
{
    if (vm_bandwidth_any(limits) || limits->burst || !vm_bandwidth_any(given))
        return;
    *limits = *given;
    g_strv_builder_add(learned, what);
}

void nic_libvirt_apply(VmSpec *spec, VmNic *nic, const LibvirtAnswer *answer, gboolean dns)
{
    g_autoptr(GStrvBuilder) learned = g_strv_builder_new();
    g_free(nic->bridge);
    g_free(nic->bridge_type);
    nic->bridge = g_strdup(answer->bridge);
    nic->bridge_type = g_strdup(answer->openvswitch ? "openvswitch" : "linux");
    take_addresses(nic, answer, learned);
    take_routes(nic, answer, learned);
    if (nic->mtu == 0 && answer->mtu != 0) {
        nic->mtu = answer->mtu;
        g_strv_builder_add(learned, VM_LEARNED_MTU);
    }
    if (dns)
        take_dns(spec, nic, answer, learned);
    take_vlan(nic, answer, learned);
    take_limits(&nic->inbound, &answer->inbound, VM_LEARNED_INBOUND, learned);
    take_limits(&nic->outbound, &answer->outbound, VM_LEARNED_OUTBOUND, learned);
    g_strfreev(nic->learned);
    nic->learned = g_strv_builder_end(learned);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The name of last resort: by it alone is a reservation known to be vmdock's. */
static gchar *name_of_mac(const guint8 mac[6])
{
    return g_strdup_printf("vm-%02x%02x%02x%02x%02x%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

/* What it is called there: by its host name, or, where another machine or another NIC has that, by
 * its id, or by its MAC. */
static GStrv names_of(const VmSpec *spec, const VmNic *nic, const Reservation *had)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_autofree gchar *last = name_of_mac(nic->mac);
    if (spec->hostname)
        g_strv_builder_add(names, spec->hostname);
    g_strv_builder_add(names, spec->deploy_id);
    if (had && had->name)
        g_strv_builder_add(names, had->name);
    g_strv_builder_add(names, last);
    return g_strv_builder_end(names);
}

static void add_question(LibvirtJoin *join, VmNic *nic, const VmSpec *last)
{
    const Reservation *had = reservations_find(join->before, nic->libvirt_network, nic->mac);
    const VmNic *old = last ? vm_nics_find(last->nics, nic->id) : NULL;
    const VmAddress *asked = vm_nic_address(nic, AF_INET);
    const VmAddress *wish = old ? vm_nic_address(old, AF_INET) : NULL;
    Question *question = g_new0(Question, 1);
    g_ptr_array_add(join->questions, question);
    question->nic = nic;
    question->request = libvirt_request_new(LIBVIRT_RESERVE, join->config);
    question->request->network = g_strdup(nic->libvirt_network);
    question->request->portgroup = g_strdup(nic->portgroup);
    question->request->has_mac = TRUE;
    memcpy(question->request->mac, nic->mac, sizeof nic->mac);
    question->request->names = names_of(join->spec, nic, had);
    question->request->address = asked ? *asked : (VmAddress){0};
    question->request->wish = had && had->address.family ? had->address
                              : wish                     ? *wish
                                                         : (VmAddress){0};
}

static gpointer ask_all(gpointer data)
{
    LibvirtJoin *join = data;
    for (guint i = 0; i < join->questions->len; i++) {
        Question *question = g_ptr_array_index(join->questions, i);
        question->answer =
            libvirt_ask(join->config, question->request, &question->unknown, &question->error);
        if (question->error)
            break;
    }
    return NULL;
}

/* Before libvirt is asked: what is killed meanwhile is found by it. */
static gboolean note_questions(LibvirtJoin *join, GError **error)
{
    guint had = join->record->len;
    for (guint i = 0; i < join->questions->len; i++) {
        const LibvirtRequest *request =
            ((const Question *)g_ptr_array_index(join->questions, i))->request;
        if (reservations_find(join->record, request->network, request->mac))
            continue;
        Reservation *reservation = reservation_new(request->network, request->mac);
        reservation->name = g_strdup(request->names[0]);
        g_ptr_array_add(join->record, reservation);
    }
    return join->record->len == had ||
           reservations_save(join->config, join->spec->deploy_id, join->record, error);
}

/* ---- taking it back -------------------------------------------------------------------------- */

static LibvirtRequest *request_for(const Config *config, const char *verb, const char *deploy_id,
                                   const Reservation *reservation)
{
    LibvirtRequest *request = libvirt_request_new(verb, config);
    g_autofree gchar *last = name_of_mac(reservation->mac);
    const char *const names[] = {reservation->name ? reservation->name : deploy_id, deploy_id, last,
                                 NULL};
    request->network = g_strdup(reservation->network);
    request->has_mac = TRUE;
    memcpy(request->mac, reservation->mac, sizeof request->mac);
    request->names = g_strdupv((gchar **)names);
    request->address = reservation->address;
    return request;
}

static gboolean ask_for(const Config *config, const char *verb, const char *deploy_id,
                        const Reservation *reservation, GError **error)
{
    gboolean unknown;
    g_autoptr(LibvirtRequest) request = request_for(config, verb, deploy_id, reservation);
    g_autoptr(LibvirtAnswer) answer = libvirt_ask(config, request, &unknown, error);
    return answer != NULL;
}

/* As the network was before: freed, or with the address and the name that it had. */
static gboolean restore(const LibvirtJoin *join, const LibvirtRequest *request, GError **error)
{
    const char *deploy_id = join->spec->deploy_id;
    const Reservation *had = reservations_find(join->before, request->network, request->mac);
    const Reservation *has = reservations_find(join->record, request->network, request->mac);
    if (had && had->address.family)
        return ask_for(join->config, LIBVIRT_RESERVE, deploy_id, had, error);
    return !has || ask_for(join->config, LIBVIRT_FREE, deploy_id, has, error);
}

/* What was not asked, or was answered by a refusal, has changed nothing; and where nobody answers,
 * asking again takes as long again: the record stays, and gc goes by it. */
static gboolean undo_join(gpointer data, GError **error)
{
    LibvirtJoin *join = data;
    gboolean unknown = FALSE;
    g_clear_pointer(&join->thread, g_thread_join);
    for (guint i = 0; i < join->questions->len; i++) {
        const Question *question = g_ptr_array_index(join->questions, i);
        if (question->answer && question->answer->added && !restore(join, question->request, error))
            return FALSE;
        unknown = unknown || question->unknown;
    }
    if (!unknown)
        return reservations_save(join->config, join->spec->deploy_id, join->before, error);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                        "whether libvirt has reserved an address is not known: vmdock gc frees it");
    return FALSE;
}

/* ---- a MAC that libvirt may know ------------------------------------------------------------- */

static gboolean is_taken(const VmSpec *spec, const guint8 mac[6])
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (nic->has_mac && memcmp(nic->mac, mac, sizeof nic->mac) == 0)
            return TRUE;
    }
    return FALSE;
}

static void take_mac(const VmSpec *spec, VmNic *nic, const GPtrArray *record)
{
    for (guint i = 0; i < record->len && !nic->has_mac; i++) {
        const Reservation *reservation = g_ptr_array_index(record, i);
        if (strcmp(reservation->network, nic->libvirt_network) != 0 ||
            is_taken(spec, reservation->mac))
            continue;
        memcpy(nic->mac, reservation->mac, sizeof nic->mac);
        nic->has_mac = TRUE;
    }
}

void nic_libvirt_take_macs(const Config *config, VmSpec *spec)
{
    if (!nic_libvirt_any(spec))
        return;
    g_autoptr(GPtrArray) record = reservations_load(config, spec->deploy_id);
    for (guint i = 0; i < spec->nics->len; i++) {
        VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (nic->libvirt_network && !nic->has_mac)
            take_mac(spec, nic, record);
    }
}

/* ---- begin and finish ------------------------------------------------------------------------ */

static gboolean check(const Config *config, const VmSpec *spec, GError **error)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (!nic->libvirt_network || nic->has_mac)
            continue;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                    "NIC %u runs without a MAC of its own, by which libvirt would know it; stop "
                    "the VM first",
                    nic->id);
        return FALSE;
    }
    return policy_check_networks(config, spec, error);
}

gboolean nic_libvirt_begin(const Config *config, VmSpec *spec, VmNic *nic, const VmSpec *last,
                           Undo *undo, LibvirtJoin **begun, GError **error)
{
    *begun = NULL;
    if (nic ? !nic->libvirt_network : !nic_libvirt_any(spec))
        return TRUE;
    if (!check(config, spec, error))
        return FALSE;
    LibvirtJoin *join = g_new0(LibvirtJoin, 1);
    join->config = config;
    join->spec = spec;
    join->questions = g_ptr_array_new_with_free_func(question_free);
    join->before = reservations_load(config, spec->deploy_id);
    join->record = reservations_copy(join->before);
    undo_push(undo, "what libvirt has reserved", undo_join, join, join_free);
    for (guint i = 0; i < spec->nics->len; i++) {
        VmNic *each = g_ptr_array_index(spec->nics, i);
        if (each->libvirt_network && (!nic || each == nic))
            add_question(join, each, last);
    }
    if (!note_questions(join, error))
        return FALSE;
    join->thread = g_thread_new("libvirt", ask_all, join);
    *begun = join;
    return TRUE;
}

/* A reservation that was there before and is not vmdock's stays when the VM goes: FALSE for it. */
static gboolean note_answer(LibvirtJoin *join, const Question *question)
{
    const LibvirtRequest *request = question->request;
    const LibvirtAnswer *answer = question->answer;
    Reservation *reservation = reservations_find(join->record, request->network, request->mac);
    gboolean had = reservations_find(join->before, request->network, request->mac) != NULL;
    if (!answer->added && !had) {
        g_ptr_array_remove(join->record, reservation);
        return FALSE;
    }
    g_free(reservation->name);
    reservation->name = g_strdup(answer->name);
    reservation->address = answer->address;
    return TRUE;
}

static void tell_name(const LibvirtJoin *join, const Question *question)
{
    const char *name = question->answer->name;
    if (question->answer->dns && name && g_strcmp0(name, join->spec->hostname) != 0)
        log_warn("VM %s: the name %s is another machine's on libvirt's network %s, where the VM "
                 "is called %s",
                 join->spec->deploy_id, join->spec->hostname, question->request->network, name);
}

static gboolean take_answer(LibvirtJoin *join, Question *question, gboolean dns, GError **error)
{
    if (!question->answer) {
        g_propagate_prefixed_error(error, g_steal_pointer(&question->error),
                                   "NIC %u (%s): ", question->nic->id, question->nic->host_name);
        return FALSE;
    }
    if (note_answer(join, question))
        tell_name(join, question);
    nic_libvirt_apply(join->spec, question->nic, question->answer, dns);
    return TRUE;
}

gboolean nic_libvirt_finish(LibvirtJoin *join, GError **error)
{
    if (!join)
        return TRUE;
    gboolean dns = !join->spec->dns || !*join->spec->dns;
    g_clear_pointer(&join->thread, g_thread_join);
    for (guint i = 0; i < join->questions->len; i++)
        if (!take_answer(join, g_ptr_array_index(join->questions, i), dns, error))
            return FALSE;
    vm_nics_part_routes(join->spec->nics);
    return reservations_save(join->config, join->spec->deploy_id, join->record, error) &&
           vm_spec_check(join->spec, error);
}

gboolean nic_libvirt_join(const Config *config, VmSpec *spec, VmNic *nic, const VmSpec *last,
                          Undo *undo, GError **error)
{
    LibvirtJoin *join = NULL;
    return nic_libvirt_begin(config, spec, nic, last, undo, &join, error) &&
           nic_libvirt_finish(join, error);
}

/* ---- freeing --------------------------------------------------------------------------------- */

static gboolean is_used(const VmSpec *spec, const Reservation *reservation)
{
    for (guint i = 0; spec && i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (g_strcmp0(nic->libvirt_network, reservation->network) == 0 &&
            memcmp(nic->mac, reservation->mac, sizeof nic->mac) == 0)
            return TRUE;
    }
    return FALSE;
}

/* One that hangs would hang for each of them. */
static void free_unused(const Config *config, const char *deploy_id, const VmSpec *spec)
{
    g_autoptr(GPtrArray) record = reservations_load(config, deploy_id);
    g_autoptr(GError) failure = NULL;
    guint had = record->len;
    for (guint i = record->len; i-- > 0 && !failure;) {
        const Reservation *reservation = g_ptr_array_index(record, i);
        if (!is_used(spec, reservation) &&
            ask_for(config, LIBVIRT_FREE, deploy_id, reservation, &failure))
            g_ptr_array_remove_index(record, i);
    }
    if (failure)
        log_warn("VM %s: what libvirt has reserved for it stays until vmdock gc finds it: %s",
                 deploy_id, failure->message);
    g_clear_error(&failure);
    if (record->len < had && !reservations_save(config, deploy_id, record, &failure))
        log_warn("VM %s: %s", deploy_id, failure->message);
}

void nic_libvirt_settle(const Config *config, const VmSpec *spec)
{
    free_unused(config, spec->deploy_id, spec);
}

void nic_libvirt_clear(const Config *config, const char *deploy_id)
{
    free_unused(config, deploy_id, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-libvirt: asks libvirt for a network, and for an address there. One request on stdin, one
 * answer on stdout (driver/libvirt.h); the sentence of a failure on stderr. vmdock starts it; it is
 * no command. It alone is linked to libvirt.
 */
#include "driver/error.h"
#include "driver/libvirt_network.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_REQUEST = 65536, MAX_TRIES = 100, MAX_SENTENCE = 300 };

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(virNetworkPtr, virNetworkFree, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(virConnectPtr, virConnectClose, NULL)

/* The network as it is, or as it is saved. */
typedef struct {
    LibvirtNetwork *network;
    unsigned int affects; /* virNetworkUpdateFlags */
} View;

typedef struct {
    const LibvirtRequest *request;
    virNetworkPtr network;
    GArray *views;   /* View */
    GPtrArray *seen; /* their LibvirtNetwork */
    GPtrArray *leases;
    gboolean added;
    gchar *why; /* the last try has failed */
} Work;

/* ---- time ------------------------------------------------------------------------------------ */

static volatile sig_atomic_t begun; /* a change */
static char late[MAX_SENTENCE];
static int late_status;

/* No call of libvirt comes back by itself where nobody answers. */
static void end_late(G_GNUC_UNUSED int number)
{
    G_GNUC_UNUSED ssize_t n = write(STDERR_FILENO, late, strlen(late));
    _exit(begun ? LIBVIRT_UNKNOWN_STATUS : late_status);
}

static void limit(const LibvirtRequest *request)
{
    const struct itimerval timer = {.it_value = {(time_t)(request->timeout_ms / 1000),
                                                 (suseconds_t)(request->timeout_ms % 1000 * 1000)}};
    g_autoptr(GError) error = g_error_new_literal(VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "");
    late_status = vmdock_error_status(error);
    g_snprintf(late, sizeof late,
               "libvirt did not answer within %" G_GUINT64_FORMAT " ms ([libvirt] timeout_ms)\n",
               request->timeout_ms);
    signal(SIGALRM, end_late);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- what libvirt says ----------------------------------------------------------------------- */

static void silent(G_GNUC_UNUSED void *data, G_GNUC_UNUSED virErrorPtr error)
{
}

static gboolean failed(GError **error, const char *what)
{
    g_autofree gchar *line = vmdock_one_line(virGetLastErrorMessage(), MAX_SENTENCE);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "%s: %s", what, line);
    return FALSE;
}

static gboolean is_gone(void)
{
    return virGetLastErrorCode() == VIR_ERR_NO_NETWORK;
}

static void view_clear(gpointer data)
{
    libvirt_network_free(((View *)data)->network);
}

static gchar *describe(const Work *work, unsigned int form, GError **error)
{
    char *xml = virNetworkGetXMLDesc(work->network, form);
    gchar *copy = g_strdup(xml);
    if (!xml)
        failed(error, "libvirt does not describe its network");
    free(xml);
    return copy;
}

static gboolean add_view(Work *work, unsigned int form, unsigned int affects, GError **error)
{
    g_autofree gchar *xml = describe(work, form, error);
    View view = {xml ? libvirt_network_hosts(xml, error) : NULL, affects};
    if (!view.network)
        return FALSE;
    g_array_append_val(work->views, view);
    g_ptr_array_add(work->seen, view.network);
    return TRUE;
}

static gboolean see(Work *work, GError **error)
{
    gboolean live = virNetworkIsActive(work->network) == 1;
    gboolean saved = virNetworkIsPersistent(work->network) == 1;
    g_ptr_array_set_size(work->seen, 0);
    g_array_set_size(work->views, 0);
    return (!live || add_view(work, 0, VIR_NETWORK_UPDATE_AFFECT_LIVE, error)) &&
           (!saved ||
            add_view(work, VIR_NETWORK_XML_INACTIVE, VIR_NETWORK_UPDATE_AFFECT_CONFIG, error));
}

static void see_leases(Work *work)
{
    virNetworkDHCPLeasePtr *leases = NULL;
    int count = virNetworkGetDHCPLeases(work->network, NULL, &leases, 0);
    for (int i = 0; i < count; i++) {
        LibvirtHost *host = g_new0(LibvirtHost, 1);
        g_ptr_array_add(work->leases, host);
        host->has_mac = leases[i]->mac && vm_mac_parse(leases[i]->mac, host->mac);
        if (!leases[i]->ipaddr || !vm_address_parse(leases[i]->ipaddr, &host->address))
            host->address.family = 0;
        virNetworkDHCPLeaseFree(leases[i]);
    }
    free(leases);
}

/* ---- one change ------------------------------------------------------------------------------ */

/* What stands in the network for the VM. */
typedef struct {
    const guint8 *mac;
    const VmAddress *address;
    const char *name; /* may be NULL */
} Entry;

static gboolean update(const Work *work, unsigned int affects, virNetworkUpdateCommand command,
                       virNetworkUpdateSection section, const char *xml)
{
    begun = 1;
    return virNetworkUpdate(work->network, command, section, -1, xml, affects) == 0;
}

static gboolean update_host(const Work *work, const View *view, virNetworkUpdateCommand command,
                            const Entry *entry)
{
    g_autofree gchar *mac = vm_mac_format(entry->mac);
    g_autofree gchar *address = vm_address_text(entry->address);
    g_autofree gchar *name =
        entry->name ? g_markup_printf_escaped(" name='%s'", entry->name) : NULL;
    g_autofree gchar *xml =
        g_strdup_printf("<host mac='%s'%s ip='%s'/>", mac, name ? name : "", address);
    return update(work, view->affects, command, VIR_NETWORK_SECTION_IP_DHCP_HOST, xml);
}

static gboolean update_name(const Work *work, const View *view, virNetworkUpdateCommand command,
                            const Entry *entry)
{
    g_autofree gchar *address = vm_address_text(entry->address);
    g_autofree gchar *xml = g_markup_printf_escaped("<host ip='%s'><hostname>%s</hostname></host>",
                                                    address, entry->name);
    return update(work, view->affects, command, VIR_NETWORK_SECTION_DNS_HOST, xml);
}

static gboolean is_ours(const LibvirtRequest *request, const char *name)
{
    return name && request->names && g_strv_contains((const gchar *const *)request->names, name);
}

static const View *view_at(const Work *work, guint index)
{
    return &g_array_index(work->views, View, index);
}

/* ---- free ------------------------------------------------------------------------------------ */

static gboolean remove_name(const Work *work, const View *view, const VmAddress *address,
                            GError **error)
{
    const LibvirtHost *named =
        address->family ? libvirt_host_at(view->network->named, address) : NULL;
    if (!named || !is_ours(work->request, named->name))
        return TRUE;
    const Entry entry = {NULL, &named->address, named->name};
    return update_name(work, view, VIR_NETWORK_UPDATE_COMMAND_DELETE, &entry) ||
           failed(error, "libvirt does not take the name out of its network");
}

static gboolean remove_host(const Work *work, const View *view, const LibvirtHost *host,
                            GError **error)
{
    const Entry entry = {host->mac, &host->address, host->name};
    return remove_name(work, view, &host->address, error) &&
           (update_host(work, view, VIR_NETWORK_UPDATE_COMMAND_DELETE, &entry) ||
            failed(error, "libvirt does not take the reservation out of its network"));
}

static gboolean free_address(Work *work, GError **error)
{
    const LibvirtRequest *request = work->request;
    if (!see(work, error))
        return FALSE;
    for (guint i = 0; i < work->views->len; i++) {
        const View *view = view_at(work, i);
        const LibvirtHost *host = libvirt_host_of(view->network->hosts, request->mac);
        if (host && is_ours(request, host->name)
                ? !remove_host(work, view, host, error)
                : !remove_name(work, view, &request->address, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- reserve --------------------------------------------------------------------------------- */

static gboolean add_host(Work *work, const View *view, const Entry *entry)
{
    const LibvirtHost *host = libvirt_host_of(view->network->hosts, entry->mac);
    if (!view->network->dhcp || (host && vm_address_same(&host->address, entry->address) &&
                                 g_strcmp0(host->name, entry->name) == 0))
        return TRUE;
    if (host && !remove_host(work, view, host, NULL))
        return FALSE;
    work->added = TRUE;
    return update_host(work, view, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, entry);
}

static gboolean add_name(Work *work, const View *view, const Entry *entry)
{
    if (!entry->name || !view->network->gives->dns ||
        libvirt_host_at(view->network->named, entry->address))
        return TRUE;
    work->added = TRUE;
    return update_name(work, view, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, entry);
}

/* What is saved first: who comes too late is told so there in no time, while a change of the
 * network as it is takes libvirt some tenths of a second. */
static gboolean add_everywhere(Work *work, const Entry *entry)
{
    for (guint i = work->views->len; i-- > 0;) {
        const View *view = view_at(work, i);
        if (!add_host(work, view, entry) || !add_name(work, view, entry))
            return FALSE;
    }
    return TRUE;
}

static gboolean no_address(const Work *work, GError **error)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "libvirt reserves no address: %s",
                work->why);
    return FALSE;
}

/* A half of it may stand. */
static gboolean take_back(Work *work, GError **error)
{
    g_free(work->why);
    work->why = vmdock_one_line(virGetLastErrorMessage(), MAX_SENTENCE);
    int code = virGetLastErrorCode();
    if (work->added && !free_address(work, error))
        return FALSE;
    begun = work->added = FALSE;
    /* Somebody else was faster. */
    if (code == VIR_ERR_OPERATION_INVALID)
        return TRUE;
    return no_address(work, error);
}

/* A reservation of the MAC that is not vmdock's stays, and is used. */
static const LibvirtHost *foreign(const Work *work)
{
    for (guint i = 0; i < work->views->len; i++) {
        const LibvirtHost *host =
            libvirt_host_of(view_at(work, i)->network->hosts, work->request->mac);
        if (host && !is_ours(work->request, host->name))
            return host;
    }
    return NULL;
}

static gboolean check_foreign(const LibvirtHost *host, const VmAddress *address, GError **error)
{
    if (vm_address_same(&host->address, address))
        return TRUE;
    g_autofree gchar *mac = vm_mac_format(host->mac);
    g_autofree gchar *its = vm_address_text(&host->address);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "the network has another address for the MAC %s, %s, which vmdock has not reserved",
                mac, its);
    return FALSE;
}

/* One try; *done is FALSE where it is worth another. */
static gboolean try_reserve(Work *work, LibvirtAnswer *answer, gboolean *done, GError **error)
{
    const LibvirtRequest *request = work->request;
    if (!see(work, error) ||
        !libvirt_choose(work->seen, work->leases, request, &answer->address, error))
        return FALSE;
    const LibvirtHost *host = answer->address.family ? foreign(work) : NULL;
    const Entry entry = {request->mac, &answer->address, libvirt_choose_name(work->seen, request)};
    g_free(answer->name);
    answer->name = g_strdup(host ? host->name : entry.name);
    *done = TRUE;
    if (host)
        return check_foreign(host, &answer->address, error);
    if (!answer->address.family || add_everywhere(work, &entry))
        return TRUE;
    *done = FALSE;
    return take_back(work, error);
}

static gboolean reserve(Work *work, LibvirtAnswer *answer, GError **error)
{
    gboolean done = FALSE;
    see_leases(work);
    for (guint i = 0; i < MAX_TRIES && !done; i++)
        if (!try_reserve(work, answer, &done, error))
            return FALSE;
    answer->added = work->added;
    return done || no_address(work, error);
}

/* ---- requests -------------------------------------------------------------------------------- */

static virNetworkPtr find(virConnectPtr connection, const LibvirtRequest *request, GError **error)
{
    virNetworkPtr network = virNetworkLookupByName(connection, request->network);
    g_autofree gchar *shown = vmdock_one_line(request->network, MAX_SENTENCE);
    if (!network && !is_gone())
        failed(error, "libvirt does not look for its network");
    else if (!network)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE, "libvirt has no network \"%s\"",
                    shown);
    return network;
}

static gboolean check_active(virNetworkPtr network, GError **error)
{
    if (virNetworkIsActive(network) == 1)
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(virNetworkGetName(network), MAX_SENTENCE);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE,
                "libvirt's network %s is not started: virsh net-start %s", shown, shown);
    return FALSE;
}

static gboolean answer_about(Work *work, GString *out, GError **error)
{
    g_autofree gchar *xml = check_active(work->network, error) ? describe(work, 0, error) : NULL;
    g_autoptr(LibvirtNetwork) whole =
        xml ? libvirt_network_parse(xml, work->request->portgroup, error) : NULL;
    if (!whole || !reserve(work, whole->gives, error))
        return FALSE;
    g_autofree gchar *text = libvirt_answer_text(whole->gives);
    g_string_assign(out, text);
    return TRUE;
}

static gboolean about_network(virConnectPtr connection, const LibvirtRequest *request, GString *out,
                              GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_auto(virNetworkPtr) network = find(connection, request, &failure);
    gboolean freeing = strcmp(request->verb, LIBVIRT_FREE) == 0;
    if (!network && freeing && vmdock_error_is(failure, VMDOCK_ERROR_NO_BRIDGE))
        return TRUE;
    if (!network) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    g_autoptr(GArray) views = g_array_new(FALSE, TRUE, sizeof(View));
    g_autoptr(GPtrArray) seen = g_ptr_array_new();
    g_autoptr(GPtrArray) leases = libvirt_hosts_new();
    g_array_set_clear_func(views, view_clear);
    Work work = {request, network, views, seen, leases, FALSE, NULL};
    gboolean done = freeing ? free_address(&work, error) : answer_about(&work, out, error);
    g_free(work.why);
    return done;
}

static gboolean tell_version(virConnectPtr connection, GString *out, GError **error)
{
    unsigned long version = 0;
    if (virConnectGetLibVersion(connection, &version) < 0)
        return failed(error, "libvirt does not tell its version");
    g_autoptr(LibvirtAnswer) answer = libvirt_answer_new();
    answer->version =
        g_strdup_printf("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
    g_autofree gchar *text = libvirt_answer_text(answer);
    g_string_assign(out, text);
    return TRUE;
}

static gboolean check(const LibvirtRequest *request, GError **error)
{
    static const char *const verbs[] = {LIBVIRT_RESERVE, LIBVIRT_FREE, LIBVIRT_VERSION, NULL};
    gboolean version = strcmp(request->verb, LIBVIRT_VERSION) == 0;
    if (g_strv_contains(verbs, request->verb) &&
        (version || (request->network && request->has_mac)))
        return TRUE;
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                        "vmdock-libvirt is started by vmdock, with a request on its input");
    return FALSE;
}

static gboolean serve(const LibvirtRequest *request, GString *out, GError **error)
{
    virSetErrorFunc(NULL, silent);
    g_auto(virConnectPtr) connection = virConnectOpen(request->uri);
    if (!connection) {
        g_autofree gchar *what = g_strdup_printf("libvirt (%s) cannot be reached", request->uri);
        return failed(error, what);
    }
    return strcmp(request->verb, LIBVIRT_VERSION) == 0
               ? tell_version(connection, out, error)
               : about_network(connection, request, out, error);
}

static gchar *read_request(void)
{
    gchar *text = g_malloc0(MAX_REQUEST + 1);
    for (gsize at = 0; at < MAX_REQUEST;) {
        ssize_t n = read(STDIN_FILENO, text + at, MAX_REQUEST - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (gsize)n;
    }
    return text;
}

int main(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new("{}");
    g_autofree gchar *text = read_request();
    g_autoptr(LibvirtRequest) request = libvirt_request_parse(text, &error);
    if (request && check(request, &error)) {
        limit(request);
        if (serve(request, out, &error)) {
            g_print("%s\n", out->str);
            return 0;
        }
    }
    g_printerr("%s\n", error->message);
    return begun ? LIBVIRT_UNKNOWN_STATUS : vmdock_error_status(error);
}

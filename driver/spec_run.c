// SPDX-License-Identifier: Apache-2.0
#include "spec_run.h"

#include "error.h"
#include "image_ref.h"
#include "spec_attribute.h"
#include "spec_network.h"
#include "spec_value.h"

#include <string.h>

#define PREFIX "run-"

enum { MAX_NAME = 40, MAX_STEM = 24, MAX_SHOWN = 80, MAX_LIST = 64 };

gchar *spec_run_name(const char *image, guint32 mark)
{
    g_autoptr(ImageRef) ref = image_ref_parse(image, NULL);
    const char *slash = ref ? strrchr(ref->repository, '/') : NULL;
    g_autofree gchar *stem = vm_hostname_from(slash ? slash + 1 : "", "vm");
    g_strdelimit(stem, ".", '-');
    stem[MIN(strlen(stem), MAX_STEM)] = '\0';
    return g_strdup_printf("%s-%06x", stem, mark & 0xffffff);
}

static gboolean refuse(const char *option, const char *value, const char *why, GError **error)
{
    g_autofree gchar *shown = vmdock_one_line(value, MAX_SHOWN);
    return spec_fail(error, "--%s: \"%s\" is %s", option, shown, why);
}

static gboolean set_names(VmSpec *spec, const RunWish *wish, GError **error)
{
    spec->deploy_id = g_strconcat(PREFIX, wish->name, NULL);
    if (!vm_id_valid(spec->deploy_id) || strlen(wish->name) > MAX_NAME)
        return refuse("name", wish->name, "no name: letters, digits and dashes, at most 40 of them",
                      error);
    spec->cloud = g_strdup(RUN_CLOUD);
    spec->cloud_id = g_strdup(wish->name);
    spec->name = g_strdup(wish->name);
    spec->hostname = vm_hostname_from(wish->hostname ? wish->hostname : wish->name, "vm");
    if (wish->hostname && strcmp(spec->hostname, wish->hostname) != 0)
        return refuse("hostname", wish->hostname, "no host name", error);
    return TRUE;
}

static gboolean set_memory(VmSpec *spec, const RunWish *wish, GError **error)
{
    static const char units[] = "KMGT";
    if (!wish->memory)
        return TRUE;
    char *end;
    guint64 number = g_ascii_strtoull(wish->memory, &end, 10);
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    guint shift = unit ? 10 * (guint)(unit - units + 1) : 0;
    if (!g_ascii_isdigit(*wish->memory) || !unit || end[1] != '\0' || number == 0 ||
        number > (guint64)G_MAXINT64 >> shift)
        return refuse("memory", wish->memory, "no size: 512M, or another number with K, M, G or T",
                      error);
    spec->limits.memory = (gint64)(number << shift);
    return TRUE;
}

static gboolean set_cpu(VmSpec *spec, const RunWish *wish, GError **error)
{
    if (!wish->cpu)
        return TRUE;
    double cpus;
    if (!vm_cpus_parse(wish->cpu, &cpus) || cpus == 0)
        return refuse("cpu", wish->cpu, "no number of CPUs", error);
    vm_limits_set_cpus(&spec->limits, cpus, 0, wish->hard_cpu);
    return TRUE;
}

static gboolean add_addresses(VmNic *nic, const RunWish *wish, GError **error)
{
    for (char **text = wish->addresses; text && *text; text++) {
        VmAddress address;
        if (!strchr(*text, '/') || !vm_address_parse(*text, &address))
            return refuse("ip", *text, "no address with its prefix length, such as 10.0.0.2/24",
                          error);
        g_array_append_val(nic->addresses, address);
    }
    return TRUE;
}

static gboolean has_route_of(const VmNic *nic, int family)
{
    for (guint i = 0; i < nic->routes->len; i++)
        if (g_array_index(nic->routes, VmRoute, i).destination.family == family)
            return TRUE;
    return FALSE;
}

static gboolean add_gateways(VmNic *nic, const RunWish *wish, GError **error)
{
    for (char **text = wish->gateways; text && *text; text++) {
        VmRoute route = {0};
        if (strchr(*text, '/') || !vm_address_parse(*text, &route.gateway))
            return refuse("gateway", *text, "no address", error);
        if (has_route_of(nic, route.gateway.family))
            return refuse("gateway", *text, "a second one of its family", error);
        route.destination.family = route.gateway.family;
        g_array_append_val(nic->routes, route);
    }
    return TRUE;
}

/* The same at each start, and another one for each VM: 02 is nobody's prefix. */
static void make_mac(const char *deploy_id, guint8 mac[6])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize length = sizeof digest;
    g_checksum_update(sum, (const guchar *)deploy_id, -1);
    g_checksum_get_digest(sum, digest, &length);
    memcpy(mac, digest, 6);
    mac[0] = 0x02;
}

static gboolean set_mac(VmNic *nic, const VmSpec *spec, const RunWish *wish, GError **error)
{
    nic->has_mac = TRUE;
    make_mac(spec->deploy_id, nic->mac);
    return !wish->mac || vm_mac_parse(wish->mac, nic->mac) ||
           refuse("mac", wish->mac, "no MAC", error);
}

static gboolean set_mtu(VmNic *nic, const RunWish *wish, GError **error)
{
    guint64 mtu = 0;
    if (wish->mtu && !g_ascii_string_to_unsigned(wish->mtu, 10, 1, G_MAXUINT16, &mtu, NULL))
        return refuse("mtu", wish->mtu, "no MTU", error);
    nic->mtu = (guint)mtu;
    return TRUE;
}

static gboolean add_nic(VmSpec *spec, const RunWish *wish, GError **error)
{
    if (wish->bridge && wish->network)
        return spec_fail(error, "--bridge and --network are two places of one NIC; take one");
    if (!wish->bridge && !wish->network)
        return (!wish->addresses && !wish->gateways && !wish->mac && !wish->mtu) ||
               spec_fail(error,
                         "--ip, --gateway, --mac and --mtu are of a NIC: --bridge or --network "
                         "says where it is plugged in, and --engine-network has its own address");
    VmNic *nic = vm_nic_new();
    g_ptr_array_add(spec->nics, nic);
    nic->host_name = vm_nic_host_name(PREFIX, spec->deploy_id, 0);
    nic->guest_name = g_strdup("eth0");
    nic->bridge = g_strdup(wish->bridge);
    if ((wish->network && !spec_network_set(nic, wish->network, error)) ||
        !add_addresses(nic, wish, error) || !add_gateways(nic, wish, error) ||
        !set_mac(nic, spec, wish, error) || !set_mtu(nic, wish, error))
        return FALSE;
    if (vm_nic_address(nic, AF_INET6) && !has_route_of(nic, AF_INET6))
        nic->ip6_mode = VM_IP6_ROUTERS;
    return TRUE;
}

/* Of the other NICs, which each VM has one of; this one's of the VM and its number. */
static void make_nic_mac(const VmSpec *spec, VmNic *nic)
{
    g_autofree gchar *text = g_strdup_printf("%s %u", spec->deploy_id, nic->id);
    nic->has_mac = TRUE;
    make_mac(text, nic->mac);
}

/* "mine=10.5.0.7,fd00::7": its prefix is the network's. */
static gboolean set_engine_addresses(VmNic *nic, const char *text, const char *list, GError **error)
{
    g_auto(GStrv) words = g_strsplit(list, ",", 3);
    for (char **word = words; *word; word++) {
        VmAddress address;
        if (strchr(*word, '/') || !vm_address_parse(*word, &address))
            return refuse("engine-network", text, "no NAME or NAME=ADDRESS", error);
        g_array_append_val(nic->addresses, address);
    }
    return TRUE;
}

static gboolean add_engine_nics(VmSpec *spec, const RunWish *wish, GError **error)
{
    for (char **text = wish->engine_networks; text && *text; text++) {
        const char *sign = strchr(*text, '=');
        VmNic *nic = vm_nic_new();
        nic->id = spec->nics->len;
        g_ptr_array_add(spec->nics, nic);
        nic->host_name = vm_nic_host_name(PREFIX, spec->deploy_id, nic->id);
        nic->guest_name = g_strdup_printf("eth%u", nic->id);
        nic->engine_network = sign ? g_strndup(*text, (gsize)(sign - *text)) : g_strdup(*text);
        make_nic_mac(spec, nic);
        if (sign && !set_engine_addresses(nic, *text, sign + 1, error))
            return FALSE;
    }
    vm_nics_part_routes(spec->nics);
    return TRUE;
}

static gboolean set_dns(VmSpec *spec, const RunWish *wish, GError **error)
{
    for (char **text = wish->dns; text && *text; text++) {
        VmAddress address;
        if (strchr(*text, '/') || !vm_address_parse(*text, &address))
            return refuse("dns", *text, "no address", error);
    }
    spec->dns = g_strdupv(wish->dns);
    return TRUE;
}

static int compare_variables(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static gboolean set_environment(VmSpec *spec, const RunWish *wish, GError **error)
{
    if (!wish->environment)
        return TRUE;
    if (spec->process.environment)
        return spec_fail(error, "--env and --set ENV are two forms of one thing; take one");
    for (char **text = wish->environment; *text; text++) {
        const char *sign = strchr(*text, '=');
        if (!sign || sign == *text || !g_utf8_validate(*text, -1, NULL))
            return refuse("env", *text, "no NAME=value", error);
    }
    spec->process.environment = g_strdupv(wish->environment);
    qsort(spec->process.environment, g_strv_length(wish->environment), sizeof(char *),
          compare_variables);
    return TRUE;
}

static gboolean set_attributes(VmSpec *spec, const RunWish *wish, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (char **text = wish->attributes; text && *text; text++) {
        const char *sign = strchr(*text, '=');
        gboolean known = FALSE;
        g_autofree gchar *name = sign ? g_ascii_strup(*text, (gssize)(sign - *text)) : g_strdup("");
        if (!sign)
            return refuse("set", *text, "no NAME=value", error);
        if (!g_hash_table_add(seen, g_strdup(name)))
            return refuse("set", name, "said twice", error);
        g_autofree gchar *label = g_strconcat("--set ", name, NULL);
        if (!spec_attribute_set(spec, name, label, sign + 1, &known, error))
            return FALSE;
        if (!known)
            return refuse("set", name, "no attribute of a VM; see vmdock-template(5)", error);
    }
    return TRUE;
}

static gboolean check_command(const RunWish *wish, GError **error)
{
    for (char **word = wish->command; word && *word; word++)
        if (!g_utf8_validate(*word, -1, NULL))
            return spec_fail(error, "the command is not UTF-8");
    return TRUE;
}

VmSpec *spec_from_run(const RunWish *wish, GError **error)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    spec->process.terminal = wish->terminal;
    if (!set_names(spec, wish, error) || !spec_set_image(spec, "the image", wish->image, error) ||
        !set_memory(spec, wish, error) || !set_cpu(spec, wish, error) ||
        !add_nic(spec, wish, error) || !add_engine_nics(spec, wish, error) ||
        !set_dns(spec, wish, error) || !check_command(wish, error) ||
        !set_attributes(spec, wish, error) || !set_environment(spec, wish, error))
        return NULL;
    if (wish->command) {
        g_strfreev(spec->process.command);
        spec->process.command = g_strdupv(wish->command);
    }
    if (!vm_spec_check(spec, error))
        return NULL;
    return g_steal_pointer(&spec);
}

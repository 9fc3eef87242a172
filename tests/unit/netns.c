// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netns.h"

#include "driver/autoptr.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

gboolean netns_enter(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
        return FALSE;
    g_assert_cmpint(mount("", "/", "none", MS_PRIVATE | MS_REC, NULL), ==, 0);
    g_assert_cmpint(mount("tmpfs", "/run", "tmpfs", 0, NULL), ==, 0);
    netns_run("ip link set lo up");
    return TRUE;
}

Config netns_config(void)
{
    return (Config){.netns_dir = (gchar *)"/run/netns",
                    .run_dir = (gchar *)"/run/vmdock",
                    .state_dir = (gchar *)"/run/state",
                    .runtime_real = (gchar *)"/usr/sbin/runc",
                    .ovs_vsctl = (gchar *)"/usr/bin/ovs-vsctl",
                    .ovs_socket = (gchar *)"/run/no-openvswitch",
                    .ovs_timeout_ms = 2000,
                    .network_filter = (gchar *)"off",
                    .network_nft = (gchar *)"/usr/sbin/nft",
                    .network_nft_ms = 10000,
                    .lock_wait_ms = 10000};
}

static gboolean spawn(const char *line, gchar **output)
{
    g_autoptr(GError) error = NULL;
    g_autofree gchar *complaint = NULL;
    gint status = 0;
    g_spawn_command_line_sync(line, output, &complaint, &status, &error);
    g_assert_no_error(error);
    gboolean done = g_spawn_check_wait_status(status, NULL);
    if (!done)
        g_test_message("%s: %s", line, complaint);
    return done;
}

static gboolean spawn_v(const char *format, va_list args, gchar **output)
{
    g_autofree gchar *line = g_strdup_vprintf(format, args);
    return spawn(line, output);
}

gboolean netns_try(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *output = NULL;
    gboolean done = spawn_v(format, args, &output);
    va_end(args);
    return done;
}

void netns_run(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *output = NULL;
    g_assert_true(spawn_v(format, args, &output));
    va_end(args);
}

gchar *netns_output(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gchar *output = NULL;
    g_assert_true(spawn_v(format, args, &output));
    va_end(args);
    return output;
}

json_t *netns_ip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *arguments = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree gchar *line = g_strconcat("ip -j ", arguments, NULL);
    g_autofree gchar *output = NULL;
    g_assert_true(spawn(line, &output));
    json_t *json = json_loads(*output ? output : "[]", 0, NULL);
    g_assert_nonnull(json);
    return json;
}

static gchar *netns_option(const char *netns)
{
    return netns ? g_strconcat("-n ", netns, NULL) : g_strdup("");
}

json_t *netns_link(const char *netns, const char *name)
{
    g_autofree gchar *option = netns_option(netns);
    g_autoptr(json_t) links = netns_ip("-d %s link show", option);
    size_t i;
    json_t *link;
    json_array_foreach (links, i, link) {
        if (g_strcmp0(json_text(link, "ifname"), name) == 0)
            return json_incref(link);
    }
    return NULL;
}

static gint compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gchar *join(GPtrArray *parts, const char *separator)
{
    g_ptr_array_sort(parts, compare);
    g_ptr_array_add(parts, NULL);
    return g_strjoinv(separator, (gchar **)parts->pdata);
}

gchar *netns_addresses(const char *netns, const char *name)
{
    g_autofree gchar *option = netns_option(netns);
    g_autoptr(json_t) links = netns_ip("%s addr show dev %s", option, name);
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    size_t i;
    json_t *address;
    json_array_foreach (json_object_get(json_array_get(links, 0), "addr_info"), i, address) {
        if (g_strcmp0(json_text(address, "scope"), "link") != 0)
            g_ptr_array_add(parts, g_strdup_printf("%s/%d", json_text(address, "local"),
                                                   (int)json_number(address, "prefixlen")));
    }
    return join(parts, " ");
}

static void add_routes(GPtrArray *parts, const json_t *routes)
{
    size_t i;
    json_t *route;
    json_array_foreach (routes, i, route) {
        const char *protocol = json_text(route, "protocol");
        if (g_strcmp0(protocol, "kernel") == 0 || g_strcmp0(protocol, "ra") == 0)
            continue;
        g_autoptr(GString) text = g_string_new(json_text(route, "dst"));
        if (json_text(route, "gateway"))
            g_string_append_printf(text, " via %s", json_text(route, "gateway"));
        if (json_number(route, "metric") > 0)
            g_string_append_printf(text, " metric %d", (int)json_number(route, "metric"));
        g_ptr_array_add(parts, g_string_free(g_steal_pointer(&text), FALSE));
    }
}

gchar *netns_routes(const char *netns, const char *name)
{
    g_autofree gchar *option = netns_option(netns);
    g_autoptr(json_t) ip4 = netns_ip("%s -4 route show dev %s", option, name);
    g_autoptr(json_t) ip6 = netns_ip("%s -6 route show dev %s", option, name);
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    add_routes(parts, ip4);
    add_routes(parts, ip6);
    return join(parts, "; ");
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

gint64 json_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

VmAddress netns_address(const char *text)
{
    VmAddress address;
    g_assert_true(vm_address_parse(text, &address));
    return address;
}

// SPDX-License-Identifier: Apache-2.0
#include "monitor_host.h"

#include "autoptr.h"
#include "doctor_facts.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"
#include "root_size.h"
#include "samples.h"
#include "vm_list.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    PROC_MAX = 4 * 1024 * 1024,
    VALUE_MAX = 200,   /* bytes of a value that somebody else wrote */
    BRIDGES_MAX = 64,  /* bridges that are told one by one */
    PAUSE_US = 250000, /* between two questions to an engine that does not answer */
};

static void bridge_free(gpointer data)
{
    BridgeUse *bridge = data;
    g_free(bridge->name);
    g_free(bridge);
}

void host_system_clear(HostSystem *system)
{
    g_free(system->model);
    g_free(system->version);
    g_free(system->engine);
    g_free(system->engine_version);
    g_free(system->engine_api);
    g_free(system->storage);
    g_free(system->storage_on);
    g_clear_pointer(&system->bridges, g_ptr_array_unref);
}

/* ---- the forms ---- */

gchar *monitor_host_quote(const char *text)
{
    gchar *line = vmdock_one_line(text, VALUE_MAX);
    g_strdelimit(line, "\"", '\'');
    return g_strdelimit(line, "\\", '/');
}

static void add(GString *text, const char *key, const char *value)
{
    if (!value)
        return;
    g_autofree gchar *quoted = monitor_host_quote(value);
    g_string_append_printf(text, "%s=\"%s\"\n", key, quoted);
}

static void add_number(GString *text, const char *key, guint64 number)
{
    g_string_append_printf(text, "%s=%" G_GUINT64_FORMAT "\n", key, number);
}

static guint free_ports(const BridgeUse *bridge)
{
    return BRIDGE_PORTS_MAX - MIN(bridge->ports, BRIDGE_PORTS_MAX);
}

static void add_bridges(GString *text, const GPtrArray *bridges)
{
    guint least = BRIDGE_PORTS_MAX;
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < bridges->len; i++) {
        const BridgeUse *bridge = bridges->pdata[i];
        least = MIN(least, free_ports(bridge));
        if (i < BRIDGES_MAX)
            g_string_append_printf(list, "%s%s %u", i > 0 ? ", " : "", bridge->name,
                                   free_ports(bridge));
    }
    add_number(text, "BRIDGE_PORTS_FREE", least);
    g_string_append_printf(text, "BRIDGES=\"%s\"\n", list->str);
}

static void add_storage(GString *text, const HostSystem *system)
{
    g_autofree gchar *why =
        g_strdup_printf("NOT HELD: %s on %s keeps no VM to a size", system->storage,
                        *system->storage_on ? system->storage_on : "its file system");
    add(text, "ENGINE_STORAGE", system->storage);
    add(text, "DISK0_SIZE", system->holds_size ? "HELD" : why);
}

gchar *monitor_host_format_system(const HostSystem *system)
{
    GString *text = g_string_new("HYPERVISOR=onedock\n");
    add_number(text, "TOTALCPU", (guint64)system->cpus * 100);
    add_number(text, "CPUSPEED", system->mhz);
    add_number(text, "TOTALMEMORY", system->memory_kb);
    add(text, "ARCH", system->arch);
    add(text, "MODELNAME", system->model);
    add(text, "HOSTNAME", system->hostname);
    add(text, "VERSION", system->version);
    add_number(text, "CGROUPS_VERSION", system->cgroup_version);
    add(text, "ONEDOCK_VERSION", VMDOCK_VERSION);
    add(text, "ENGINE", system->engine);
    add(text, "ENGINE_VERSION", system->engine_version);
    add(text, "ENGINE_API", system->engine_api);
    add_storage(text, system);
    add_number(text, "CONTAINERS", system->vms);
    add_number(text, "CONTAINERS_RUNNING", system->vms_running);
    add_bridges(text, system->bridges);
    return g_string_free(text, FALSE);
}

gchar *monitor_host_format_usage(const HostUsage *usage)
{
    GString *text = g_string_new("HYPERVISOR=onedock\n");
    guint64 total = (guint64)usage->cpus * 100;
    guint64 used = MIN((guint64)((double)total * CLAMP(usage->busy, 0, 1) + 0.5), total);
    guint64 memory_free = MIN(usage->memory_free_kb, usage->memory_kb);
    add_number(text, "USEDCPU", used);
    add_number(text, "FREECPU", total - used);
    add_number(text, "USEDMEMORY", usage->memory_kb - memory_free);
    add_number(text, "FREEMEMORY", memory_free);
    add_number(text, "NETRX", usage->net_rx);
    add_number(text, "NETTX", usage->net_tx);
    return g_string_free(text, FALSE);
}

/* ---- the kernel's files ---- */

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice": guests are in user. */
gboolean host_parse_stat(const char *text, guint64 *busy, guint64 *all)
{
    enum { IDLE = 3, IOWAIT = 4, COUNTED = 8 };
    static const char key[] = "cpu ";
    if (!g_str_has_prefix(text, key))
        return FALSE;
    guint64 idle = 0, sum = 0;
    const char *p = text + strlen(key);
    guint i = 0;
    for (; i < COUNTED; i++) {
        gchar *end = NULL;
        while (*p == ' ')
            p++;
        guint64 value = g_ascii_isdigit(*p) ? g_ascii_strtoull(p, &end, 10) : 0;
        if (!end)
            break;
        sum += value;
        idle += i == IDLE || i == IOWAIT ? value : 0;
        p = end;
    }
    *busy = sum - idle;
    *all = sum;
    return i > IDLE;
}

/* What stands behind "KEY:" at the beginning of a line. */
static const char *value_of(const char *text, const char *key)
{
    gsize length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0)
            continue;
        const char *value = line + length;
        value += strspn(value, " \t");
        if (*value == ':')
            return value + 1 + strspn(value + 1, " \t");
    }
    return NULL;
}

gboolean host_parse_memory(const char *text, const char *key, guint64 *kb)
{
    const char *value = value_of(text, key);
    gchar *end = NULL;
    *kb = value && g_ascii_isdigit(*value) ? g_ascii_strtoull(value, &end, 10) : 0;
    return end != NULL;
}

gchar *host_parse_cpu(const char *text, guint *mhz)
{
    const char *model = value_of(text, "model name");
    const char *speed = value_of(text, "cpu MHz");
    if (!model)
        model = value_of(text, "cpu"); /* POWER */
    double read = speed ? g_ascii_strtod(speed, NULL) : 0;
    *mhz = read > 0 && read < 1e6 ? (guint)(read + 0.5) : 0;
    return model ? g_strndup(model, strcspn(model, "\n")) : NULL;
}

static gchar *read_proc(const char *path, GError **error)
{
    return file_read(path, PROC_MAX, NULL, error);
}

static guint online_cpus(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus > 0 ? (guint)cpus : 1;
}

/* ---- host/system ---- */

/* An engine that restarts is no broken host. */
static gboolean await_engine(Host *host, GError **error)
{
    gint64 deadline =
        g_get_monotonic_time() + (gint64)host->config->engine_grace_ms * G_TIME_SPAN_MILLISECOND;
    for (;;) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(EngineVersion) version = engine_version(host->engine, &failure);
        if (version)
            return TRUE;
        if (!vmdock_error_is(failure, VMDOCK_ERROR_ENGINE_DOWN) ||
            g_get_monotonic_time() >= deadline) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        if (!interrupt_check(error))
            return FALSE;
        g_usleep(PAUSE_US);
    }
}

static gboolean read_engine(Host *host, HostSystem *system, GError **error)
{
    g_autoptr(EngineVersion) version = engine_version(host->engine, error);
    g_autoptr(json_t) info = version ? engine_info(host->engine, error) : NULL;
    if (!info)
        return FALSE;
    system->engine = g_strdup(version->kind);
    system->engine_version = g_strdup(version->version);
    system->engine_api = g_strdup(version->api_version);
    g_autofree gchar *mounts = read_proc("/proc/self/mountinfo", NULL);
    system->holds_size = doctor_storage_holds(info, mounts, &system->storage, &system->storage_on);
    const char *folder = json_string_value(json_object_get(info, "DockerRootDir"));
    if (system->holds_size && folder)
        root_size_keep(host->config, system->storage, folder);
    return TRUE;
}

static gboolean read_vms(Host *host, HostSystem *system, GError **error)
{
    g_autoptr(CgroupReader) reader =
        cgroup_reader_open(host->config->cgroup_root, host->config->cgroup_parent, error);
    g_autoptr(GPtrArray) vms = reader ? vm_list(host, reader, error) : NULL;
    if (!vms)
        return FALSE;
    system->cgroup_version = cgroup_reader_version(reader);
    system->vms = vms->len;
    for (guint i = 0; i < vms->len; i++)
        system->vms_running += host_runs(vms->pdata[i]);
    return TRUE;
}

typedef struct {
    GHashTable *bridges; /* ifindex -> BridgeUse */
    GHashTable *masters; /* ifindex -> number of ports */
} Ports;

static void take_link(const NetlinkLink *link, gpointer data)
{
    const Ports *ports = data;
    if (g_str_equal(link->kind, "bridge")) {
        BridgeUse *bridge = g_new0(BridgeUse, 1);
        bridge->name = g_strdup(link->name);
        g_hash_table_insert(ports->bridges, GINT_TO_POINTER(link->index), bridge);
    }
    gpointer master = GINT_TO_POINTER(link->master);
    guint so_far = GPOINTER_TO_UINT(g_hash_table_lookup(ports->masters, master));
    g_hash_table_insert(ports->masters, master, GUINT_TO_POINTER(so_far + 1));
}

static gint compare_bridges(gconstpointer a, gconstpointer b)
{
    const BridgeUse *const *left = a;
    const BridgeUse *const *right = b;
    return strverscmp((*left)->name, (*right)->name);
}

static gboolean read_bridges(Host *host, HostSystem *system, GError **error)
{
    Netlink *netlink = host_netlink(host, error);
    g_autoptr(GHashTable) bridges = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) masters = g_hash_table_new(NULL, NULL);
    Ports ports = {bridges, masters};
    system->bridges = g_ptr_array_new_with_free_func(bridge_free);
    gboolean read = netlink && netlink_link_each(netlink, take_link, &ports, error);
    GHashTableIter iter;
    gpointer index, bridge;
    g_hash_table_iter_init(&iter, bridges);
    while (g_hash_table_iter_next(&iter, &index, &bridge)) {
        ((BridgeUse *)bridge)->ports = GPOINTER_TO_UINT(g_hash_table_lookup(masters, index));
        g_ptr_array_add(system->bridges, bridge);
    }
    g_ptr_array_sort(system->bridges, compare_bridges);
    return read;
}

/* The last line of the file, as OpenNebula's own probe has it. */
static gchar *remotes_version(const Config *config)
{
    g_autofree gchar *path = g_build_filename(config->opennebula_remotes, "VERSION", NULL);
    g_autofree gchar *text = read_proc(path, NULL);
    if (!text || !*g_strchomp(text))
        return NULL;
    const char *last = strrchr(text, '\n');
    return g_strdup(last ? last + 1 : text);
}

gchar *monitor_host_system(Host *host, GError **error)
{
    g_auto(HostSystem) system = {.cpus = online_cpus()};
    struct utsname name;
    uname(&name);
    system.arch = name.machine;
    system.hostname = name.nodename;
    g_autofree gchar *memory = read_proc("/proc/meminfo", error);
    if (!memory || !await_engine(host, error) || !read_engine(host, &system, error) ||
        !read_vms(host, &system, error) || !read_bridges(host, &system, error))
        return NULL;
    host_parse_memory(memory, "MemTotal", &system.memory_kb);
    g_autofree gchar *cpu = read_proc("/proc/cpuinfo", NULL);
    system.model = cpu ? host_parse_cpu(cpu, &system.mhz) : NULL;
    system.version = remotes_version(host->config);
    return monitor_host_format_system(&system);
}

/* ---- host/monitor ---- */

/* CPU use since the last run, without waiting: <run>/monitor/cpu has the counters of then. The
 * first run gives the mean since the host's boot. */
static double busy_since(const Config *config, guint64 busy, guint64 all)
{
    g_autofree gchar *folder = g_build_filename(config->run_dir, "monitor", NULL);
    g_autofree gchar *path = g_build_filename(folder, "cpu", NULL);
    g_autofree gchar *old = file_read(path, VALUE_MAX, NULL, NULL);
    guint64 old_busy = 0, old_all = 0;
    if (!old || !host_parse_stat(old, &old_busy, &old_all) || old_all >= all || old_busy > busy)
        old_busy = old_all = 0;
    /* In the form of /proc/stat, all idle time in one field. */
    g_autofree gchar *text =
        g_strdup_printf("cpu %" G_GUINT64_FORMAT " 0 0 %" G_GUINT64_FORMAT "\n", busy, all - busy);
    g_autoptr(GError) failure = NULL;
    if (!file_make_folder(folder, 0700, &failure) || !file_replace(path, text, -1, 0600, &failure))
        log_warn("the next CPU figure is the worse for it: %s", failure->message);
    return all > old_all ? (double)(busy - old_busy) / (double)(all - old_all) : 0;
}

/* A card has a device behind it; bridges, veths and tunnels carry the same bytes a second time. */
static void take_card(const NetlinkLink *link, gpointer data)
{
    HostUsage *usage = data;
    g_autofree gchar *device = g_strdup_printf("/sys/class/net/%s/device", link->name);
    if (!g_file_test(device, G_FILE_TEST_EXISTS))
        return;
    usage->net_rx += link->rx_bytes;
    usage->net_tx += link->tx_bytes;
}

gchar *monitor_host_usage(Host *host, GError **error)
{
    HostUsage usage = {.cpus = online_cpus()};
    guint64 busy = 0, all = 0;
    Netlink *netlink = host_netlink(host, error);
    g_autofree gchar *memory = netlink ? read_proc("/proc/meminfo", error) : NULL;
    g_autofree gchar *stat = memory ? read_proc("/proc/stat", error) : NULL;
    if (!stat || !netlink_link_each(netlink, take_card, &usage, error) ||
        !await_engine(host, error))
        return NULL;
    if (!host_parse_stat(stat, &busy, &all) ||
        !host_parse_memory(memory, "MemTotal", &usage.memory_kb) ||
        !host_parse_memory(memory, "MemAvailable", &usage.memory_free_kb)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                    "/proc/stat or /proc/meminfo cannot be read: a line is missing");
        return NULL;
    }
    usage.busy = busy_since(host->config, busy, all);
    return monitor_host_format_usage(&usage);
}

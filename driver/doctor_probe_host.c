// SPDX-License-Identifier: Apache-2.0
/* What the engine, the kernel, the network and the cloud's side of the host look like. */
#include "doctor_facts.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "libvirt.h"
#include "netlink.h"
#include "nic.h"
#include "nic_filter.h"
#include "nic_filter_rules.h"
#include "nic_libvirt.h"
#include "ovs.h"
#include "samples.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { MAX_NUMBER_FILE = 65536 };

/* ---- engine ---- */

static gboolean is_other(const char *path, const char *own)
{
    struct stat theirs, ours;
    return stat(path, &theirs) == 0 && stat(own, &ours) == 0 &&
           (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino);
}

static void probe_runtime(DoctorFacts *facts)
{
    const json_t *runtimes = json_object_get(facts->engine_info, "Runtimes");
    const json_t *own = json_object_get(runtimes, facts->config->runtime_name);
    const char *path = json_string_value(json_object_get(own, "path"));
    if (path && *path)
        doctor_probe_path(&facts->runtime, path);
    facts->runtime_foreign = path && is_other(path, VMDOCK_LIBEXECDIR "/vmdock-runtime");
    doctor_probe_path(&facts->runtime_real, facts->config->runtime_real);
}

static void probe_socket(DoctorFacts *facts)
{
    doctor_probe_path(&facts->engine_socket, facts->config->engine_socket);
    struct group *group = facts->engine_socket.err == 0 ? getgrgid(facts->engine_socket.gid) : NULL;
    facts->engine_socket_group = group ? g_strdup(group->gr_name) : NULL;
}

/* The process that listens on the engine's socket; 0 if it cannot be told. */
static gint socket_owner(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
        return 0;
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return 0;
    return peer.pid;
}

static gboolean is_process(gint pid, const char *name)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/comm", pid);
    g_autofree gchar *comm = file_read(path, MAX_NUMBER_FILE, NULL, NULL);
    return comm && g_str_equal(g_strchomp(comm), name);
}

/* Under socket activation it is systemd that listens; the engine leaves its number in a file. */
static gint engine_pid(const DoctorFacts *facts)
{
    gint pid = socket_owner(facts->config->engine_socket);
    if (pid != 1 || !is_process(pid, "systemd"))
        return pid;
    g_autofree gchar *text = file_read("/run/docker.pid", MAX_NUMBER_FILE, NULL, NULL);
    pid = text ? (gint)g_ascii_strtoll(text, NULL, 10) : 0;
    return is_process(pid, "dockerd") ? pid : 0;
}

static void probe_mounts(DoctorFacts *facts)
{
    char *real = realpath(facts->config->netns_dir, NULL);
    facts->netns_path = g_strdup(real ? real : facts->config->netns_dir);
    free(real);
    doctor_probe_text(&facts->own_mounts, "/proc/self/mountinfo");
    gint pid = engine_pid(facts);
    if (pid <= 0) {
        facts->engine_mounts.unknown = g_strdup("the engine's process cannot be told");
        return;
    }
    g_autofree gchar *mounts = g_strdup_printf("/proc/%d/mountinfo", pid);
    doctor_probe_text(&facts->engine_mounts, mounts);
    g_autofree gchar *link = g_strdup_printf("/proc/%d/ns/mnt", pid);
    g_autofree gchar *theirs = g_file_read_link(link, NULL);
    g_autofree gchar *ours = g_file_read_link("/proc/self/ns/mnt", NULL);
    facts->same_mounts = theirs && g_strcmp0(theirs, ours) == 0;
}

void doctor_probe_engine(DoctorFacts *facts)
{
    probe_socket(facts);
    probe_mounts(facts);
    g_autoptr(GError) error = NULL;
    g_autoptr(Engine) engine = engine_open(facts->config, &error);
    g_autoptr(EngineVersion) version = engine ? engine_version(engine, &error) : NULL;
    if (version) {
        facts->engine_version = g_strdup(version->version);
        facts->engine_api = g_strdup(version->api_version);
        facts->engine_info = engine_info(engine, &error);
    } else {
        facts->engine_trouble = g_strdup(error->message);
        g_clear_error(&error);
    }
    facts->info_trouble = error ? g_strdup(error->message) : NULL;
    probe_runtime(facts);
}

/* ---- kernel ---- */

/* Tries veth, ifb and bridge in a namespace of the thread's own, which ends with the thread. */
static gpointer try_links(gpointer data)
{
    DoctorFacts *facts = data;
    g_autoptr(GError) error = NULL;
    if (unshare(CLONE_NEWNET) < 0) {
        facts->netns_trouble = g_strdup(g_strerror(errno));
        return NULL;
    }
    autofd int netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    g_autoptr(Netlink) netlink = netlink_open(&error);
    NetlinkVeth veth = {.host_name = "vmdock0", .guest_name = "vmdock1", .peer_netns = netns};
    if (!netlink || !netlink_veth_add(netlink, &veth, &error))
        facts->veth_trouble = g_strdup(error->message);
    if (!facts->veth_trouble && !netlink_ifb_add(netlink, "vmdock3", &error))
        facts->ifb_trouble = g_strdup(error->message);
    autofd int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char bridge[] = "vmdock2";
    if (control < 0 || ioctl(control, SIOCBRADDBR, bridge) < 0)
        facts->bridge_trouble = g_strdup(g_strerror(errno));
    return NULL;
}

static void probe_links(DoctorFacts *facts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GThread) thread = g_thread_try_new("doctor", try_links, facts, &error);
    if (thread)
        g_thread_join(g_steal_pointer(&thread));
    else
        facts->netns_trouble = g_strdup(error->message);
}

static gboolean speaks_ip6(void)
{
    autofd int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0;
}

/* Version 1 mounts each controller in a folder of its name. */
static void probe_controllers(DoctorFacts *facts)
{
    const char *root = facts->config->cgroup_root;
    if (facts->cgroup_version == 2) {
        g_autofree gchar *path = g_build_filename(root, "cgroup.controllers", NULL);
        doctor_probe_text(&facts->cgroup_controllers, path);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) folder = g_dir_open(root, 0, &error);
    if (!folder) {
        facts->cgroup_controllers.unknown = g_strdup(error->message);
        return;
    }
    g_autoptr(GString) names = g_string_new(NULL);
    for (const char *name; (name = g_dir_read_name(folder));)
        g_string_append_printf(names, "%s ", name);
    facts->cgroup_controllers.text = g_string_free(g_steal_pointer(&names), FALSE);
}

static void probe_cgroup(DoctorFacts *facts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgroupReader) reader =
        cgroup_reader_open(facts->config->cgroup_root, facts->config->cgroup_parent, &error);
    if (!reader) {
        facts->cgroup_trouble = g_strdup(error->message);
        return;
    }
    facts->cgroup_version = cgroup_reader_version(reader);
    probe_controllers(facts);
}

/* The number in a file of /proc, -1 if there is none. */
static gint64 number_in(const char *path)
{
    g_autofree gchar *text = file_read(path, MAX_NUMBER_FILE, NULL, NULL);
    return text && g_ascii_isdigit(*text) ? g_ascii_strtoll(text, NULL, 10) : -1;
}

/* "0.02 0.04 0.01 2/143 9137": 143 tasks. */
static gint64 count_tasks(void)
{
    g_autofree gchar *text = file_read("/proc/loadavg", MAX_NUMBER_FILE, NULL, NULL);
    const char *slash = text ? strchr(text, '/') : NULL;
    return slash ? g_ascii_strtoll(slash + 1, NULL, 10) : -1;
}

/* The second line begins with the number of entries, in hexadecimal. */
static gint64 count_neighbours(const char *path)
{
    g_autofree gchar *text = file_read(path, MAX_NUMBER_FILE, NULL, NULL);
    const char *line = text ? strchr(text, '\n') : NULL;
    return line ? g_ascii_strtoll(line + 1, NULL, 16) : -1;
}

void doctor_probe_kernel(DoctorFacts *facts)
{
    probe_links(facts);
    facts->ip6 = speaks_ip6();
    doctor_probe_path(&facts->loop, "/dev/loop-control");
    doctor_probe_path(&facts->fuse, "/dev/fuse");
    g_autofree gchar *mkfs = g_strconcat(facts->config->disk_mkfs, ".ext4", NULL);
    doctor_probe_path(&facts->mkfs, mkfs);
    doctor_probe_path(&facts->image_server, facts->config->disk_qcow2_server);
    probe_cgroup(facts);
    facts->pid_max = number_in("/proc/sys/kernel/pid_max");
    facts->tasks = count_tasks();
    facts->neighbours_max[0] = number_in("/proc/sys/net/ipv4/neigh/default/gc_thresh3");
    facts->neighbours_max[1] = number_in("/proc/sys/net/ipv6/neigh/default/gc_thresh3");
    facts->neighbours[0] = count_neighbours("/proc/net/stat/arp_cache");
    facts->neighbours[1] = count_neighbours("/proc/net/stat/ndisc_cache");
}

/* ---- network ---- */

static void bridge_free(gpointer data)
{
    DoctorBridge *bridge = data;
    g_free(bridge->name);
    g_free(bridge);
}

static gint64 bridge_number(const char *name, const char *file)
{
    g_autofree gchar *path = g_build_filename("/sys/class/net", name, "bridge", file, NULL);
    return number_in(path);
}

typedef struct {
    DoctorFacts *facts;
    GArray *masters; /* gint: one for each port of anything */
} Links;

static void take_link(const NetlinkLink *link, gpointer data)
{
    Links *links = data;
    if (link->master != 0)
        g_array_append_val(links->masters, link->master);
    if (g_str_has_prefix(link->alias, NIC_ALIAS_PREFIX) && !g_str_equal(link->kind, "ifb"))
        links->facts->host_ends++;
    if (!g_str_equal(link->kind, "bridge"))
        return;
    DoctorBridge *bridge = g_new0(DoctorBridge, 1);
    bridge->index = link->index;
    bridge->name = g_strdup(link->name);
    bridge->stp = (gint)bridge_number(link->name, "stp_state");
    gint64 delay = bridge_number(link->name, "forward_delay");
    bridge->forward_delay_ms = delay > 0 ? (guint)delay * 10 : 0;
    g_ptr_array_add(links->facts->bridges, bridge);
}

static void probe_bridges(DoctorFacts *facts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) masters = g_array_new(FALSE, FALSE, sizeof(gint));
    Links links = {facts, masters};
    facts->bridges = g_ptr_array_new_with_free_func(bridge_free);
    g_autoptr(Netlink) netlink = netlink_open(&error);
    if (!netlink || !netlink_link_each(netlink, take_link, &links, &error)) {
        facts->links_trouble = g_strdup(error->message);
        return;
    }
    for (guint i = 0; i < facts->bridges->len; i++) {
        DoctorBridge *bridge = g_ptr_array_index(facts->bridges, i);
        for (guint k = 0; k < masters->len; k++)
            bridge->ports += g_array_index(masters, gint, k) == bridge->index;
    }
}

static gboolean is_on_ovs(const Config *config, const char *deploy_id)
{
    g_autoptr(VmSpec) spec = state_load(config, deploy_id, NULL);
    for (guint i = 0; spec && i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (g_strcmp0(nic->bridge_type, "openvswitch") == 0)
            return TRUE;
    }
    return FALSE;
}

static void probe_ovs(DoctorFacts *facts)
{
    g_autoptr(GPtrArray) ids = state_list(facts->config, NULL);
    for (guint i = 0; ids && i < ids->len; i++)
        facts->ovs_vms += is_on_ovs(facts->config, g_ptr_array_index(ids, i));
    facts->ovs_serves = ovs_serves(facts->config);
    if (facts->ovs_vms == 0 && !facts->ovs_serves)
        return;
    g_autoptr(GError) error = NULL;
    facts->ovs.text = ovs_version(facts->config, &error);
    facts->ovs.unknown = error ? g_strdup(error->message) : NULL;
}

/* It is loaded for nobody who does not use it. */
static void probe_libvirt(DoctorFacts *facts)
{
    gboolean unknown;
    g_autoptr(GPtrArray) ids = state_list(facts->config, NULL);
    for (guint i = 0; ids && i < ids->len; i++) {
        g_autoptr(VmSpec) spec = state_load(facts->config, g_ptr_array_index(ids, i), NULL);
        facts->libvirt_vms += spec && nic_libvirt_any(spec);
    }
    if (facts->libvirt_vms == 0 &&
        (!facts->config->allow_libvirt_networks || !*facts->config->allow_libvirt_networks))
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(LibvirtRequest) request = libvirt_request_new(LIBVIRT_VERSION, facts->config);
    g_autoptr(LibvirtAnswer) answer = libvirt_ask(facts->config, request, &unknown, &error);
    facts->libvirt.text = answer ? g_strdup(answer->version) : NULL;
    facts->libvirt.unknown = error ? g_strdup(error->message) : NULL;
}

/* Of the VMs that have a network. */
static void probe_filter(DoctorFacts *facts)
{
    facts->filter_wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    facts->filter_marks = nic_filter_marks(facts->config);
    g_autoptr(GPtrArray) ids = sandbox_list(facts->config, NULL);
    for (guint i = 0; ids && i < ids->len; i++) {
        g_autoptr(VmSpec) spec = state_load(facts->config, ids->pdata[i], NULL);
        if (!spec)
            continue;
        g_autoptr(GPtrArray) nics = vm_nics_own(spec->nics);
        g_autoptr(GHashTable) elements =
            nic_filter_elements(nics, nic_filter_of(facts->config, spec));
        GHashTableIter iter;
        gpointer element;
        g_hash_table_iter_init(&iter, elements);
        while (g_hash_table_iter_next(&iter, &element, NULL))
            g_hash_table_insert(facts->filter_wanted, g_strdup(element), g_strdup(ids->pdata[i]));
    }
}

void doctor_probe_network(DoctorFacts *facts)
{
    probe_bridges(facts);
    probe_filter(facts);
    probe_ovs(facts);
    probe_libvirt(facts);
    facts->bridge_nf[0] = (gint)number_in("/proc/sys/net/bridge/bridge-nf-call-iptables");
    facts->bridge_nf[1] = (gint)number_in("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
    static const char *const iptables[] = {"iptables", "-w", "5", "-S", NULL};
    static const char *const ip6tables[] = {"ip6tables", "-w", "5", "-S", NULL};
    static const char *const nft[] = {"nft", "-j", "list", "ruleset", NULL};
    doctor_probe_program(&facts->rules[0], iptables, facts->config->doctor_program_ms);
    doctor_probe_program(&facts->rules[1], ip6tables, facts->config->doctor_program_ms);
    doctor_probe_program(&facts->nft, nft, facts->config->doctor_program_ms);
}

/* ---- cloud ---- */

static GStrv groups_of(const struct passwd *user)
{
    gid_t ids[256];
    int count = G_N_ELEMENTS(ids);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    if (getgrouplist(user->pw_name, user->pw_gid, ids, &count) >= 0)
        for (int i = 0; i < count; i++) {
            struct group *group = getgrgid(ids[i]);
            if (group)
                g_strv_builder_add(names, group->gr_name);
        }
    return g_strv_builder_end(names);
}

void doctor_probe_cloud(DoctorFacts *facts)
{
    if (strcmp(facts->config->nova_registry, "none") != 0)
        doctor_probe_path(&facts->skopeo, facts->config->datastore_skopeo);
    const char *name = facts->config->opennebula_user;
    struct passwd *user = getpwnam(name);
    facts->user_there = user != NULL;
    if (!user)
        return;
    facts->user_groups = groups_of(user);
    const char *const sudo[] = {"sudo", "-n", "-l", "-U", name, NULL};
    doctor_probe_program(&facts->sudo, sudo, facts->config->doctor_program_ms);
    g_autoptr(SudoGrants) grants = facts->sudo.text ? sudo_grants_parse(facts->sudo.text) : NULL;
    if (grants && grants->agent)
        doctor_probe_path(&facts->agent, grants->agent);
    const char *remotes = facts->config->opennebula_remotes;
    g_autofree gchar *deploy = g_build_filename(remotes, "vmm", "onedock", "deploy", NULL);
    doctor_probe_path(&facts->remotes, remotes);
    doctor_probe_path(&facts->remotes_deploy, deploy);
}

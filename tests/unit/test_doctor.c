// SPDX-License-Identifier: Apache-2.0
/* doctor's judgement over facts that are made up here, its parsers, and its reads of real files. */
#include "driver/doctor_facts.h"
#include "driver/doctor_forward.h"
#include "driver/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char info_text[] =
    "{\"CgroupDriver\": \"cgroupfs\", \"MemoryLimit\": true, \"SwapLimit\": true,"
    " \"CPUShares\": true, \"CpuCfsQuota\": true, \"PidsLimit\": true, \"Driver\": \"overlay2\","
    " \"DriverStatus\": [[\"Backing Filesystem\", \"xfs\"]], \"DockerRootDir\": \"/data/docker\","
    " \"LiveRestoreEnabled\": true, \"SecurityOptions\": [\"name=seccomp,profile=default\"],"
    " \"DefaultRuntime\": \"runc\", \"LoggingDriver\": \"json-file\"}";

static const char mounts_text[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                                  "23 22 0:20 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,mode=755\n"
                                  "24 22 8:2 / /data rw - xfs /dev/sdb1 rw,attr2,prjquota\n";

/* A default engine's rules with one accept for bridged traffic, where an operator puts it. */
#define DOCKER_RULES                                                                               \
    "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"                                         \
    "-N DOCKER\n-N DOCKER-ISOLATION-STAGE-1\n-N DOCKER-ISOLATION-STAGE-2\n-N DOCKER-USER\n"        \
    "-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n"                          \
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"                 \
    "-A FORWARD -o docker0 -j DOCKER\n-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n"              \
    "-A FORWARD -i docker0 -o docker0 -j ACCEPT\n"                                                 \
    "-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2\n"            \
    "-A DOCKER-ISOLATION-STAGE-1 -j RETURN\n"                                                      \
    "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP\n-A DOCKER-ISOLATION-STAGE-2 -j RETURN\n"
#define OPENNEBULA_CHAIN                                                                           \
    "-N opennebula\n-N one-3-0-i\n-N one-3-0-o\n"                                                  \
    "-A FORWARD -m physdev --physdev-is-bridged -j opennebula\n"                                   \
    "-A opennebula -m physdev --physdev-in one-3-0 --physdev-is-bridged -j one-3-0-o\n"            \
    "-A opennebula -m physdev --physdev-out one-3-0 --physdev-is-bridged -j one-3-0-i\n"           \
    "-A opennebula -j ACCEPT\n-A one-3-0-i -j DROP\n-A one-3-0-o -j DROP\n"

static const char sudo_text[] =
    "Matching Defaults entries for oneadmin on node:\n"
    "    env_reset, mail_badpass, secure_path=/usr/local/sbin\\:/usr/local/bin\n\n"
    "User oneadmin may run the following commands on node:\n"
    "    (ALL) NOPASSWD: /sbin/ip, /usr/sbin/iptables -S a\\, b\n"
    "    (root) NOPASSWD: NOSETENV: /usr/libexec/vmdock/vmdock-one\n";

static void add_bridge(DoctorFacts *facts, const char *name, guint ports)
{
    DoctorBridge *bridge = g_new0(DoctorBridge, 1);
    bridge->name = g_strdup(name);
    bridge->ports = ports;
    bridge->forward_delay_ms = 15000;
    g_ptr_array_add(facts->bridges, bridge);
}

static void free_bridge(gpointer data)
{
    g_free(((DoctorBridge *)data)->name);
    g_free(data);
}

static void set_path(DoctorPath *fact, const char *path, guint mode)
{
    fact->path = g_strdup(path);
    fact->mode = mode;
}

static void set_text(gchar **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

static DoctorFacts *healthy(const Config *config)
{
    DoctorFacts *facts = g_new0(DoctorFacts, 1);
    facts->config = config;
    set_path(&facts->config_file, config->path, S_IFREG | 0644);
    facts->credentials.err = ENOENT;
    facts->engine_version = g_strdup("20.10.24");
    facts->engine_api = g_strdup("1.41");
    facts->engine_info = json_loads(info_text, 0, NULL);
    set_path(&facts->engine_socket, config->engine_socket, S_IFSOCK | 0660);
    facts->engine_socket_group = g_strdup("docker");
    set_path(&facts->runtime, "/usr/libexec/vmdock/vmdock-runtime", S_IFREG | 0755);
    set_path(&facts->runtime_real, config->runtime_real, S_IFREG | 0755);
    set_path(&facts->loop, "/dev/loop-control", S_IFCHR | 0660);
    set_path(&facts->fuse, "/dev/fuse", S_IFCHR | 0666);
    set_path(&facts->mkfs, "/usr/sbin/mkfs.ext4", S_IFREG | 0755);
    set_path(&facts->image_server, config->disk_qcow2_server, S_IFREG | 0755);
    facts->ip6 = TRUE;
    facts->cgroup_version = 2;
    facts->cgroup_controllers.text = g_strdup("cpuset cpu io memory pids\n");
    facts->pid_max = 4194304;
    facts->tasks = 200;
    for (gsize i = 0; i < 2; i++) {
        facts->neighbours_max[i] = 1024;
        facts->neighbours[i] = 3;
        facts->bridge_nf[i] = 1;
        facts->rules[i].text = g_strdup("-P FORWARD ACCEPT\n");
    }
    facts->bridges = g_ptr_array_new_with_free_func(free_bridge);
    add_bridge(facts, "docker0", 1024);
    add_bridge(facts, "onebr0", 12);
    facts->nft.text = g_strdup("{\"nftables\": []}");
    facts->netns_path = g_strdup("/run/netns");
    facts->own_mounts.text = g_strdup(mounts_text);
    facts->engine_mounts.text = g_strdup(mounts_text);
    facts->user_there = TRUE;
    facts->user_groups = g_strsplit("oneadmin disk", " ", -1);
    facts->sudo.text = g_strdup(sudo_text);
    set_path(&facts->agent, "/usr/libexec/vmdock/vmdock-one", S_IFREG | 0755);
    set_path(&facts->remotes, "/var/tmp/one", S_IFDIR | 0755);
    set_path(&facts->remotes_deploy, "/var/tmp/one/vmm/onedock/deploy", S_IFREG | 0755);
    set_path(&facts->state_dir, config->state_dir, S_IFDIR | 0755);
    set_path(&facts->run_dir, config->run_dir, S_IFDIR | 0755);
    facts->leftovers = g_ptr_array_new_with_free_func(g_free);
    facts->idle_names = g_ptr_array_new_with_free_func(g_free);
    DoctorSpace *spaces[] = {&facts->state_space, &facts->engine_space};
    for (gsize i = 0; i < 2; i++)
        *spaces[i] = (DoctorSpace){g_strdup("/data"), 0, 1000ULL << 30, 500ULL << 30, 1000, 900};
    return facts;
}

static void set_info(DoctorFacts *facts, const char *key, json_t *value)
{
    json_object_set_new(facts->engine_info, key, value);
}

/* ---- one change to a healthy host each, and the finding that it must give ---- */

#define CHANGE(name)                                                                               \
    static void name(DoctorFacts *facts G_GNUC_UNUSED, Config *config G_GNUC_UNUSED)

CHANGE(config_broken)
{
    facts->config_trouble = g_strdup("[vm] x: there is no such key");
}
CHANGE(config_weak)
{
    facts->config_file.weak = g_strdup("/etc");
}
CHANGE(config_lock)
{
    config->lock_wait_ms = config->stop_timeout_s * 1000 - 1;
}
CHANGE(config_stall)
{
    config->engine_pull_stall_ms = config->engine_pull_ms + 1;
}
CHANGE(config_connect)
{
    config->engine_connect_ms = config->engine_poll_ms + 1;
}
CHANGE(config_privileged)
{
    config->allow_privileged = TRUE;
}
CHANGE(config_netns)
{
    set_text(&config->netns_dir, "/run/other");
}
CHANGE(config_capability)
{
    g_strfreev(config->allow_capabilities);
    config->allow_capabilities = g_strsplit("NET_ADMIN SYS_ADMIN", " ", -1);
}
CHANGE(config_device)
{
    g_strfreev(config->allow_devices);
    config->allow_devices = g_strsplit("/dev/fuse", " ", -1);
}
CHANGE(credentials_open)
{
    facts->credentials.err = 0;
    set_path(&facts->credentials, "/etc/vmdock/registry.json", S_IFREG | 0644);
}
CHANGE(engine_down)
{
    facts->engine_trouble = g_strdup("connection refused");
    g_clear_pointer(&facts->engine_info, json_decref);
    g_clear_pointer(&facts->runtime.path, g_free);
}
CHANGE(engine_silent)
{
    facts->info_trouble = g_strdup("time-out");
    g_clear_pointer(&facts->engine_info, json_decref);
}
CHANGE(engine_systemd)
{
    set_info(facts, "CgroupDriver", json_string("systemd"));
}
CHANGE(engine_slice)
{
    set_text(&config->cgroup_parent, "vmdock.slice");
}
CHANGE(engine_no_cgroup)
{
    set_info(facts, "CgroupDriver", json_string("none"));
}
CHANGE(engine_no_swap)
{
    set_info(facts, "SwapLimit", json_false());
}
CHANGE(engine_no_live_restore)
{
    set_info(facts, "LiveRestoreEnabled", json_false());
}
CHANGE(engine_userns)
{
    set_info(facts, "SecurityOptions",
             json_pack("[s,s]", "name=seccomp,profile=default", "name=userns"));
}
CHANGE(engine_rootless)
{
    set_info(facts, "SecurityOptions",
             json_pack("[s,s]", "name=seccomp,profile=default", "name=rootless"));
}
CHANGE(engine_no_seccomp)
{
    set_info(facts, "SecurityOptions", json_array());
}
CHANGE(engine_unconfined)
{
    set_info(facts, "SecurityOptions", json_pack("[s]", "name=seccomp,profile=unconfined"));
}
CHANGE(engine_default_runtime)
{
    set_info(facts, "DefaultRuntime", json_string("vmdock"));
}
CHANGE(engine_no_logs)
{
    config->log_max_bytes = 0;
    set_info(facts, "LoggingDriver", json_string("none"));
}
CHANGE(engine_vfs)
{
    set_info(facts, "Driver", json_string("vfs"));
}
CHANGE(engine_snapshotter)
{
    set_info(facts, "Driver", json_string("overlayfs"));
    set_info(facts, "DriverStatus",
             json_pack("[[s,s]]", "driver-type", "io.containerd.snapshotter.v1"));
}
CHANGE(engine_no_quota)
{
    set_info(facts, "DockerRootDir", json_string("/var/lib/docker"));
}
CHANGE(engine_open_socket)
{
    facts->engine_socket.mode |= S_IWOTH;
}
CHANGE(runtime_unknown)
{
    g_clear_pointer(&facts->runtime.path, g_free);
}
CHANGE(runtime_gone)
{
    facts->runtime.err = ENOENT;
}
CHANGE(runtime_relative)
{
    set_text(&facts->runtime.path, "vmdock-runtime");
}
CHANGE(runtime_plain)
{
    facts->runtime.mode = S_IFREG | 0644;
}
CHANGE(runtime_weak)
{
    facts->runtime.weak = g_strdup("/usr/libexec");
}
CHANGE(runtime_foreign)
{
    facts->runtime_foreign = TRUE;
}
CHANGE(real_gone)
{
    facts->runtime_real.err = ENOENT;
}
CHANGE(kernel_no_netns)
{
    facts->netns_trouble = g_strdup("Invalid argument");
}
CHANGE(kernel_no_ifb)
{
    facts->ifb_trouble = g_strdup("Unknown device type");
}
CHANGE(kernel_no_loop)
{
    facts->loop.err = ENOENT;
}
CHANGE(disks_no_mkfs)
{
    facts->mkfs.err = ENOENT;
}
CHANGE(disks_no_fuse)
{
    facts->fuse.err = ENOENT;
}
CHANGE(disks_no_server)
{
    facts->image_server.err = ENOENT;
}
CHANGE(kernel_no_veth)
{
    facts->veth_trouble = g_strdup("Unknown device type");
}
CHANGE(kernel_no_bridge)
{
    facts->bridge_trouble = g_strdup("Package not installed");
}
CHANGE(kernel_no_ip6)
{
    facts->ip6 = FALSE;
}
CHANGE(kernel_no_cgroup)
{
    facts->cgroup_trouble = g_strdup("no cgroup");
}
CHANGE(kernel_no_memory)
{
    set_text(&facts->cgroup_controllers.text, "cpuset cpu io pids");
}
CHANGE(kernel_v1)
{
    facts->cgroup_version = 1;
    set_text(&facts->cgroup_controllers.text, "cpu cpuacct memory blkio pids devices ");
}
CHANGE(kernel_controllers_hidden)
{
    g_clear_pointer(&facts->cgroup_controllers.text, g_free);
    facts->cgroup_controllers.unknown = g_strdup("Permission denied");
}
CHANGE(kernel_pids_used)
{
    facts->tasks = facts->pid_max * 9 / 10;
}
CHANGE(kernel_pids_few)
{
    facts->pid_max = 4096;
}
CHANGE(kernel_pids_hidden)
{
    facts->pid_max = -1;
}
CHANGE(kernel_neighbours_used)
{
    facts->neighbours[0] = 1000;
}
CHANGE(kernel_neighbours_needed)
{
    facts->host_ends = 300;
}
CHANGE(kernel_neighbours_hidden)
{
    facts->neighbours_max[1] = -1;
}
CHANGE(mounts_private)
{
    set_text(&facts->engine_mounts.text, "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                         "30 22 0:30 / /run rw - tmpfs tmpfs rw\n");
}
CHANGE(mounts_other_peer)
{
    set_text(&facts->engine_mounts.text, "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
                                         "30 22 0:20 / /run rw shared:6 - tmpfs tmpfs rw\n");
}
CHANGE(mounts_unknown)
{
    g_clear_pointer(&facts->engine_mounts.text, g_free);
    facts->engine_mounts.unknown = g_strdup("the engine's process cannot be told");
}
CHANGE(bridges_unknown)
{
    facts->links_trouble = g_strdup("Operation not permitted");
}
CHANGE(bridges_none)
{
    g_ptr_array_remove_index(facts->bridges, 1);
}
CHANGE(bridge_nearly_full)
{
    ((DoctorBridge *)facts->bridges->pdata[1])->ports = 922;
}
CHANGE(bridge_full)
{
    ((DoctorBridge *)facts->bridges->pdata[1])->ports = 1023;
}
CHANGE(bridge_stp)
{
    ((DoctorBridge *)facts->bridges->pdata[1])->stp = TRUE;
}
CHANGE(bridge_stp_unknown)
{
    ((DoctorBridge *)facts->bridges->pdata[1])->stp = -1;
}
CHANGE(ovs_answers)
{
    facts->ovs_vms = 2;
    set_text(&facts->ovs.text, "3.1.0");
}
CHANGE(ovs_gone)
{
    facts->ovs_vms = 2;
    facts->ovs.unknown = g_strdup("cannot run /usr/bin/ovs-vsctl");
}
CHANGE(libvirt_answers)
{
    facts->libvirt_vms = 2;
    set_text(&facts->libvirt.text, "9.0.0");
}
CHANGE(libvirt_gone)
{
    facts->libvirt_vms = 1;
    facts->libvirt.unknown = g_strdup("libvirt (network:///system) cannot be reached");
}
CHANGE(libvirt_allowed)
{
    facts->libvirt.unknown = g_strdup("libvirt (network:///system) cannot be reached");
}
CHANGE(engine_network_missing)
{
    facts->no_networks = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(facts->no_networks, g_strdup("multi"));
}
CHANGE(ovs_silent)
{
    facts->ovs_serves = TRUE;
    facts->ovs.unknown = g_strdup("Open vSwitch did not answer within 5000 ms");
}
CHANGE(forward_drop)
{
    set_text(&facts->rules[0].text, DOCKER_RULES);
}
CHANGE(forward_drop6)
{
    set_text(&facts->rules[1].text, "-P FORWARD DROP\n");
}
CHANGE(forward_some)
{
    set_text(&facts->rules[0].text, "-P FORWARD DROP\n-A FORWARD -p tcp --dport 80 -j ACCEPT\n");
}
CHANGE(forward_unseen)
{
    facts->bridge_nf[0] = -1;
}
CHANGE(forward_unknown)
{
    g_clear_pointer(&facts->rules[0].text, g_free);
    facts->rules[0].unknown = g_strdup("there is no program iptables");
}
CHANGE(nft_drop)
{
    set_text(&facts->nft.text,
             "{\"nftables\": [{\"chain\": {\"family\": \"inet\", \"table\": \"fw\","
             "\"name\": \"fwd\", \"hook\": \"forward\", \"policy\": \"drop\"}}]}");
}
CHANGE(nft_garbage)
{
    set_text(&facts->nft.text, "no json");
}
CHANGE(cloud_no_user)
{
    facts->user_there = FALSE;
}
CHANGE(cloud_no_sudo)
{
    set_text(&facts->sudo.text, "User oneadmin is not allowed to run sudo on node.\n");
}
CHANGE(cloud_sudo_unknown)
{
    g_clear_pointer(&facts->sudo.text, g_free);
    facts->sudo.unknown = g_strdup("there is no program sudo");
}
CHANGE(cloud_agent_gone)
{
    facts->agent.err = ENOENT;
}
CHANGE(cloud_skopeo)
{
    set_path(&facts->skopeo, "/usr/bin/skopeo", S_IFREG | 0755);
}
CHANGE(cloud_no_skopeo)
{
    set_path(&facts->skopeo, "/usr/bin/skopeo", 0);
    facts->skopeo.err = ENOENT;
}
CHANGE(cloud_agent_weak)
{
    facts->agent.weak = g_strdup("/usr/libexec/vmdock");
}
CHANGE(cloud_doors)
{
    set_text(&facts->sudo.text,
             "User oneadmin may run the following commands on node:\n"
             "    (root) NOPASSWD: /usr/libexec/vmdock/vmdock-one, /usr/bin/docker\n");
}
CHANGE(cloud_everything)
{
    set_text(&facts->sudo.text, "User oneadmin may run the following commands on node:\n"
                                "    (ALL : ALL) NOPASSWD: ALL\n");
}
CHANGE(cloud_group)
{
    g_strfreev(facts->user_groups);
    facts->user_groups = g_strsplit("oneadmin docker", " ", -1);
}
CHANGE(cloud_socket_group)
{
    set_text(&facts->engine_socket_group, "containers");
    g_strfreev(facts->user_groups);
    facts->user_groups = g_strsplit("oneadmin containers", " ", -1);
}
CHANGE(cloud_no_remotes)
{
    facts->remotes.err = ENOENT;
}
CHANGE(cloud_no_script)
{
    facts->remotes_deploy.err = ENOENT;
}
CHANGE(state_weak)
{
    facts->state_dir.weak = g_strdup("/var/lib/vmdock");
}
CHANGE(state_file)
{
    facts->run_dir.mode = S_IFREG | 0644;
}
CHANGE(state_hidden)
{
    facts->state_dir.err = EACCES;
}
#define FILTER_RULES                                                                               \
    "{\"nftables\": [{\"table\": {\"family\": \"bridge\", \"name\": \"vmdock\"}},"                 \
    "{\"map\": {\"family\": \"bridge\", \"table\": \"vmdock\", \"name\": \"spoofing\","            \
    "\"elem\": [[\"one-8-0\", {\"goto\": {\"target\": \"one-8-0-spoofing\"}}]]}}]}"
static void want_rules(DoctorFacts *facts, const char *element, const char *vm)
{
    if (!facts->filter_wanted)
        facts->filter_wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert(facts->filter_wanted, g_strdup(element), g_strdup(vm));
}
CHANGE(filter_there)
{
    want_rules(facts, "spoofing one-8-0", "one-8");
    g_free(facts->nft.text);
    facts->nft.text = g_strdup(FILTER_RULES);
}
CHANGE(filter_missing)
{
    filter_there(facts, config);
    want_rules(facts, "inbound one-9-0", "one-9");
    want_rules(facts, "spoofing one-7-0", "one-7");
    want_rules(facts, "inbound one-7-0", "one-7");
}
CHANGE(filter_unseen)
{
    filter_there(facts, config);
    g_clear_pointer(&facts->nft.text, g_free);
    facts->nft.unknown = g_strdup("there is no program nft");
}
CHANGE(filter_untracked)
{
    filter_there(facts, config);
    facts->filter_marks = TRUE;
    facts->bridge_nf[1] = 0;
}
CHANGE(state_leftovers)
{
    g_ptr_array_add(facts->leftovers, g_strdup("VM one-9 has no container"));
}
CHANGE(state_leftovers_unknown)
{
    facts->leftovers_trouble = g_strdup("the engine does not answer");
}
CHANGE(state_idle)
{
    g_ptr_array_add(facts->idle_names, g_strdup("vmdock/one-8:disk.0"));
}
CHANGE(space_full)
{
    facts->engine_space.bytes_free = 0;
}
CHANGE(space_low)
{
    facts->engine_space.bytes_free = 5ULL << 30;
}
CHANGE(space_inodes)
{
    facts->state_space.files_free = 10;
}
CHANGE(space_unknown)
{
    g_clear_pointer(&facts->engine_space.path, g_free);
}

static const struct {
    const char *name;
    void (*change)(DoctorFacts *facts, Config *config);
    const char *id;
    DoctorLevel level;
    const char *words; /* in what or mend */
} cases[] = {
#define CASE(change, id, level, words)                                                             \
    {                                                                                              \
#change, change, id, DOCTOR_##level, words                                                 \
    }
    CASE(config_broken, "config.file", FAIL, "no such key"),
    CASE(config_weak, "config.file", FAIL, "/etc"),
    CASE(config_lock, "config.lock-wait", WARN, "lock_wait_ms"),
    CASE(config_stall, "config.pull", NOTE, "pull_stall_timeout_ms"),
    CASE(config_connect, "config.connect", NOTE, "connect_timeout_ms"),
    CASE(config_privileged, "config.policy", WARN, "privileged"),
    CASE(config_netns, "config.netns", NOTE, "/run/other"),
    CASE(config_capability, "config.policy", WARN, "capabilit"),
    CASE(config_device, "config.policy", NOTE, "/dev/fuse"),
    CASE(credentials_open, "config.credentials", FAIL, "chmod 0600"),
    CASE(engine_down, "engine", FAIL, "connection refused"),
    CASE(engine_down, "engine.settings", NOTE, "cannot be looked at"),
    CASE(engine_down, "runtime.registered", NOTE, "cannot be looked at"),
    CASE(engine_silent, "engine.settings", NOTE, "time-out"),
    CASE(engine_systemd, "engine.cgroup-parent", FAIL, "cgroup_parent = vmdock.slice"),
    CASE(engine_slice, "engine.cgroup-parent", FAIL, "cgroup_parent = /vmdock"),
    CASE(engine_no_cgroup, "engine.cgroup-parent", FAIL, "no limits"),
    CASE(engine_no_swap, "engine.limits", WARN, "cannot limit: swap"),
    CASE(engine_no_live_restore, "engine.live-restore", WARN, "stops every VM"),
    CASE(engine_userns, "engine.user-namespace", FAIL, "userns-remap"),
    CASE(engine_rootless, "engine.user-namespace", FAIL, "rootless"),
    CASE(engine_no_seccomp, "engine.seccomp", WARN, "seccomp"),
    CASE(engine_unconfined, "engine.seccomp", WARN, "seccomp"),
    CASE(engine_default_runtime, "engine.default-runtime", NOTE, "every container"),
    CASE(engine_no_logs, "engine.logging", WARN, "log_max_bytes"),
    CASE(engine_vfs, "engine.storage", WARN, "vfs"),
    CASE(engine_snapshotter, "engine.storage", WARN, "ignores a disk's size"),
    CASE(engine_no_quota, "engine.storage", NOTE, "pquota"),
    CASE(engine_open_socket, "engine.socket", FAIL, "root without a password"),
    CASE(runtime_unknown, "runtime.registered", FAIL, "daemon.json"),
    CASE(runtime_gone, "runtime.registered", FAIL, "No such file"),
    CASE(runtime_relative, "runtime.registered", WARN, "absolute"),
    CASE(runtime_plain, "runtime.registered", FAIL, "executable"),
    CASE(runtime_weak, "runtime.registered", FAIL, "/usr/libexec"),
    CASE(runtime_foreign, "runtime.registered", WARN, "another program"),
    CASE(real_gone, "runtime.real", FAIL, "[runtime] real"),
    CASE(kernel_no_netns, "kernel.netns", FAIL, "Invalid argument"),
    CASE(kernel_no_netns, "kernel.links", NOTE, "cannot be looked at"),
    CASE(kernel_no_ifb, "kernel.ifb", NOTE, "limits of bandwidth"),
    CASE(kernel_no_loop, "disks.loop", NOTE, "/dev/loop-control"),
    CASE(disks_no_mkfs, "disks.mkfs", NOTE, "e2fsprogs"),
    CASE(disks_no_fuse, "disks.fuse", NOTE, "qcow2"),
    CASE(disks_no_server, "disks.image-server", NOTE, "qemu-system-common"),
    CASE(kernel_no_veth, "kernel.veth", FAIL, "CONFIG_VETH"),
    CASE(kernel_no_bridge, "kernel.bridge", FAIL, "CONFIG_BRIDGE"),
    CASE(kernel_no_ip6, "kernel.ipv6", WARN, "ipv6.disable"),
    CASE(kernel_no_cgroup, "kernel.cgroup", FAIL, "[paths] cgroup"),
    CASE(kernel_no_memory, "kernel.cgroup", FAIL, "controllers memory:"),
    CASE(kernel_v1, "kernel.cgroup", FAIL, "controllers freezer:"),
    CASE(kernel_controllers_hidden, "kernel.cgroup", NOTE, "Permission denied"),
    CASE(kernel_pids_used, "kernel.pid-max", WARN, "kernel.pid_max"),
    CASE(kernel_pids_few, "kernel.pid-max", WARN, "pids_limit"),
    CASE(kernel_pids_hidden, "kernel.pid-max", NOTE, "cannot be looked at"),
    CASE(kernel_neighbours_used, "kernel.neighbours4", WARN, "net.ipv4.neigh"),
    CASE(kernel_neighbours_needed, "kernel.neighbours6", WARN, "net.ipv6.neigh"),
    CASE(kernel_neighbours_hidden, "kernel.neighbours6", NOTE, "cannot be looked at"),
    CASE(mounts_private, "engine.netns-mount", FAIL, "no container can join"),
    CASE(mounts_other_peer, "engine.netns-mount", FAIL, "no container can join"),
    CASE(mounts_unknown, "engine.netns-mount", NOTE, "process cannot be told"),
    CASE(bridges_unknown, "network.bridges", NOTE, "not permitted"),
    CASE(bridges_none, "network.bridges", NOTE, "none yet"),
    CASE(bridge_nearly_full, "network.bridge-ports", NOTE, "922 of 1023"),
    CASE(bridge_full, "network.bridge-ports", WARN, "onebr0 is full"),
    CASE(bridge_stp, "network.stp", WARN, "for 30 s"),
    CASE(bridge_stp_unknown, "network.stp", NOTE, "cannot be looked at"),
    CASE(libvirt_answers, "network.libvirt", OK,
         "libvirt 9.0.0 answers; VMs with NICs on its networks: 2"),
    CASE(libvirt_gone, "network.libvirt", FAIL, "it cannot be asked: libvirt (network:///system)"),
    CASE(libvirt_allowed, "network.libvirt", WARN, "VMs with NICs on its networks: 0"),
    CASE(engine_network_missing, "network.engine", NOTE, "names multi, which the engine does not"),
    CASE(ovs_answers, "network.openvswitch", OK, "version 3.1.0 answers; VMs with NICs on it: 2"),
    CASE(ovs_gone, "network.openvswitch", FAIL, "cannot run /usr/bin/ovs-vsctl"),
    CASE(ovs_silent, "network.openvswitch", WARN, "did not answer"),
    CASE(forward_drop, "network.forward4", FAIL, "dies on onebr0"),
    CASE(forward_drop, "network.forward4", FAIL, "iptables -A opennebula -j ACCEPT"),
    CASE(forward_drop6, "network.forward6", FAIL, "ip6tables -A opennebula -j ACCEPT"),
    CASE(forward_some, "network.forward4", NOTE, "only some rules"),
    CASE(forward_unseen, "network.forward4", NOTE, "security groups"),
    CASE(forward_unknown, "network.forward4", NOTE, "no program iptables"),
    CASE(nft_drop, "network.nftables", WARN, "inet fw fwd"),
    CASE(nft_garbage, "network.nftables", NOTE, "no JSON"),
    CASE(filter_there, "network.filter", OK, "has its rules"),
    CASE(filter_missing, "network.filter", FAIL, "one-7, one-9"),
    CASE(filter_missing, "network.filter", FAIL, "vmdock filter --all"),
    CASE(filter_unseen, "network.filter", NOTE, "cannot be looked at"),
    CASE(filter_untracked, "network.filter", FAIL, "no answer reaches"),
    CASE(cloud_no_user, "cloud.user", NOTE, "oneadmin"),
    CASE(cloud_no_sudo, "cloud.sudo", FAIL, "/etc/sudoers.d/vmdock-one"),
    CASE(cloud_sudo_unknown, "cloud.sudo", NOTE, "no program sudo"),
    CASE(cloud_agent_gone, "cloud.sudo", FAIL, "No such file"),
    CASE(cloud_skopeo, "cloud.skopeo", OK, "instances of Nova move"),
    CASE(cloud_no_skopeo, "cloud.skopeo", FAIL, "apt-get install skopeo"),
    CASE(cloud_agent_weak, "cloud.sudo", FAIL, "others than root"),
    CASE(cloud_doors, "cloud.root-doors", WARN, "/usr/bin/docker"),
    CASE(cloud_everything, "cloud.sudo", OK, "everything as root"),
    CASE(cloud_everything, "cloud.root-doors", WARN, "ALL"),
    CASE(cloud_group, "cloud.docker-group", WARN, "gpasswd -d oneadmin docker"),
    CASE(cloud_socket_group, "cloud.docker-group", WARN, "gpasswd -d oneadmin containers"),
    CASE(cloud_no_remotes, "cloud.remotes", NOTE, "onehost sync"),
    CASE(cloud_no_script, "cloud.remotes", FAIL, "onehost sync"),
    CASE(state_weak, "state.folder", FAIL, "chmod go-w"),
    CASE(state_file, "state.run", FAIL, "no folder"),
    CASE(state_hidden, "state.folder", NOTE, "Permission denied"),
    CASE(state_leftovers, "state.leftovers", WARN, "vmdock gc"),
    CASE(state_leftovers_unknown, "state.leftovers", NOTE, "does not answer"),
    CASE(state_idle, "state.idle-images", NOTE, "vmdock/one-8:disk.0"),
    CASE(space_full, "engine.space", FAIL, "is full"),
    CASE(space_low, "engine.space", WARN, "5.0"),
    CASE(space_inodes, "state.space", WARN, "inodes"),
    CASE(space_unknown, "engine.space", NOTE, "cannot be looked at"),
};

/* Every finding is one sentence without a full stop, and says how to mend what it finds. */
static void assert_form(const DoctorFinding *finding)
{
    const char *sentences[] = {finding->what, finding->mend};
    for (gsize i = 0; i < 2; i++)
        if (sentences[i]) {
            g_assert_cmpstr(sentences[i], !=, "");
            g_assert_null(strchr(sentences[i], '\n'));
            g_assert_false(g_str_has_suffix(sentences[i], "."));
        }
    g_assert_cmpint(finding->mend != NULL, ==, finding->level != DOCTOR_OK);
}

static const DoctorFinding *find(const GPtrArray *findings, const char *id)
{
    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);
        assert_form(finding);
        if (g_str_equal(finding->id, id))
            return finding;
    }
    return NULL;
}

static void test_case(gconstpointer data)
{
    gsize i = GPOINTER_TO_SIZE(data);
    g_autoptr(Config) config = config_defaults();
    g_autoptr(DoctorFacts) facts = healthy(config);
    cases[i].change(facts, config);
    g_autoptr(GPtrArray) findings = doctor_judge(facts);
    const DoctorFinding *finding = find(findings, cases[i].id);
    g_assert_nonnull(finding);
    g_assert_cmpstr(doctor_level_name(finding->level), ==, doctor_level_name(cases[i].level));
    if (!strstr(finding->what, cases[i].words) &&
        !(finding->mend && strstr(finding->mend, cases[i].words)))
        g_error("\"%s; %s\" does not say \"%s\"", finding->what, finding->mend, cases[i].words);
    g_assert_cmpint(doctor_worst(findings), >=, cases[i].level);
}

static void test_healthy(void)
{
    g_autoptr(Config) config = config_defaults();
    g_autoptr(DoctorFacts) facts = healthy(config);
    g_autoptr(GPtrArray) findings = doctor_judge(facts);
    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);
        assert_form(finding);
        if (finding->level != DOCTOR_OK)
            g_error("%s is %s: %s", finding->id, doctor_level_name(finding->level), finding->what);
    }
    g_assert_cmpint(doctor_worst(findings), ==, DOCTOR_OK);
    g_assert_cmpuint(findings->len, >, 25);
}

/* Nothing is known: no judge may crash, nothing may pass as looked at. */
static void test_nothing_known(void)
{
    g_autoptr(Config) config = config_defaults();
    g_autoptr(DoctorFacts) facts = healthy(config);
    DoctorText *texts[] = {
        &facts->cgroup_controllers, &facts->rules[0],      &facts->rules[1], &facts->nft,
        &facts->own_mounts,         &facts->engine_mounts, &facts->sudo};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_clear_pointer(&texts[i]->text, g_free);
        texts[i]->unknown = g_strdup("not to be seen");
    }
    engine_down(facts, config);
    g_clear_pointer(&facts->leftovers, g_ptr_array_unref);
    g_clear_pointer(&facts->idle_names, g_ptr_array_unref);
    facts->leftovers_trouble = g_strdup("not to be seen");
    g_autoptr(GPtrArray) findings = doctor_judge(facts);
    static const char *const ids[] = {
        "engine.settings",    "runtime.registered", "kernel.cgroup",
        "network.forward4",   "network.forward6",   "network.nftables",
        "engine.netns-mount", "cloud.sudo",         "state.leftovers"};
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        const DoctorFinding *finding = find(findings, ids[i]);
        g_assert_nonnull(finding);
        g_assert_cmpint(finding->level, ==, DOCTOR_NOTE);
    }
}

static void test_forward(void)
{
    static const struct {
        const char *rules;
        ForwardVerdict verdict;
    } rows[] = {
        {"", FORWARD_ACCEPTS},
        {"-P FORWARD ACCEPT\n", FORWARD_ACCEPTS},
        {"-P FORWARD DROP\n", FORWARD_DROPS},
        {DOCKER_RULES, FORWARD_DROPS},
        {DOCKER_RULES "-A DOCKER-USER -i br0 -o br0 -j ACCEPT\n", FORWARD_ACCEPTS},
        {DOCKER_RULES "-A DOCKER-USER -i br1 -o br1 -j ACCEPT\n", FORWARD_DROPS},
        {DOCKER_RULES "-A DOCKER-USER -i br+ -j ACCEPT\n", FORWARD_ACCEPTS},
        {DOCKER_RULES "-A DOCKER-USER ! -i br0 -j ACCEPT\n", FORWARD_DROPS},
        {DOCKER_RULES "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
         FORWARD_DROPS},
        {DOCKER_RULES OPENNEBULA_CHAIN, FORWARD_ACCEPTS},
        {DOCKER_RULES "-A DOCKER-USER -j RETURN\n" OPENNEBULA_CHAIN, FORWARD_ACCEPTS},
        {DOCKER_RULES "-A DOCKER-USER -j DROP\n" OPENNEBULA_CHAIN, FORWARD_DROPS},
        {DOCKER_RULES "-A DOCKER-USER -m physdev --physdev-in one-+ -j ACCEPT\n", FORWARD_ACCEPTS},
        {DOCKER_RULES "-A DOCKER-USER -m physdev --physdev-in vnet+ -j ACCEPT\n", FORWARD_DROPS},
        {DOCKER_RULES "-A DOCKER-USER -m comment --comment \"let VMs -j DROP\" -j ACCEPT\n",
         FORWARD_ACCEPTS},
        {DOCKER_RULES "-A DOCKER-USER -p icmp -j ACCEPT\n", FORWARD_UNSURE},
        {DOCKER_RULES "-A DOCKER-USER -s 10.0.0.0/8 -g ok\n-N ok\n-A ok -j ACCEPT\n",
         FORWARD_UNSURE},
        {"-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-port-unreachable\n",
         FORWARD_DROPS},
        {"-P FORWARD ACCEPT\n-A FORWARD -p tcp -j DROP\n", FORWARD_ACCEPTS},
        {"-P FORWARD DROP\n-A FORWARD -j LOG --log-prefix \"x \"\n", FORWARD_DROPS},
        {"-P FORWARD DROP\n-N a\n-N b\n-A FORWARD -j a\n-A a -j b\n-A b -j a\n", FORWARD_DROPS},
        {"-P FORWARD DROP\n-A FORWARD\n-A\n-A FORWARD -j\n\"unclosed\n", FORWARD_DROPS},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (forward_verdict(rows[i].rules, "br0") != rows[i].verdict)
            g_error("row %" G_GSIZE_FORMAT ": %s", i, rows[i].rules);
}

static void test_nft(void)
{
    g_autoptr(json_t) ruleset =
        json_loads("{\"nftables\": [{\"metainfo\": {}},"
                   "{\"chain\": {\"family\": \"ip\", \"table\": \"filter\", \"name\": \"FORWARD\","
                   "  \"hook\": \"forward\", \"policy\": \"drop\"}},"
                   "{\"chain\": {\"family\": \"inet\", \"table\": \"f\", \"name\": \"a\","
                   "  \"hook\": \"forward\", \"policy\": \"accept\"}},"
                   "{\"chain\": {\"family\": \"inet\", \"table\": \"f\", \"name\": \"b\","
                   "  \"hook\": \"forward\", \"policy\": \"drop\"}},"
                   "{\"chain\": {\"family\": \"inet\", \"table\": \"f\", \"name\": \"c\","
                   "  \"hook\": \"input\", \"policy\": \"drop\"}},"
                   "{\"chain\": {\"family\": \"bridge\", \"table\": \"f\", \"name\": \"d\","
                   "  \"hook\": \"forward\", \"policy\": \"drop\"}}]}",
                   0, NULL);
    g_assert_nonnull(ruleset);
    g_autoptr(GPtrArray) all = forward_nft_drops(ruleset, TRUE);
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_cmpstr(all->pdata[0], ==, "inet f b");
    g_assert_cmpstr(all->pdata[1], ==, "bridge f d");
    g_autoptr(GPtrArray) bridged = forward_nft_drops(ruleset, FALSE);
    g_assert_cmpuint(bridged->len, ==, 1);
    g_assert_cmpstr(bridged->pdata[0], ==, "bridge f d");
}

static void test_sudo(void)
{
    g_autoptr(SudoGrants) own = sudo_grants_parse(sudo_text);
    g_assert_cmpstr(own->agent, ==, "/usr/libexec/vmdock/vmdock-one");
    g_assert_cmpuint(own->others, ==, 2);
    g_assert_cmpuint(own->root_doors->len, ==, 0);
    g_assert_false(own->everything);
    static const struct {
        const char *line;
        gboolean agent, everything;
        guint doors, others;
    } rows[] = {
        {"(root) /usr/libexec/vmdock/vmdock-one", FALSE, FALSE, 0, 1},
        {"(nobody) NOPASSWD: /usr/libexec/vmdock/vmdock-one", FALSE, FALSE, 0, 0},
        {"(ALL : ALL) NOPASSWD: /opt/vmdock-one", TRUE, FALSE, 0, 0},
        {"(root) NOPASSWD: /bin/true, PASSWD: /opt/vmdock-one", FALSE, FALSE, 0, 2},
        {"(root) NOPASSWD: ALL", FALSE, TRUE, 0, 0},
        {"(root) NOPASSWD: /usr/bin/vmdock, /bin/bash -c x\\, y, !/bin/sh", FALSE, FALSE, 2, 0},
        {"(root", FALSE, FALSE, 0, 0},
        {"()", FALSE, FALSE, 0, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *text = g_strdup_printf(
            "User one may run the following commands on h:\n    %s\n", rows[i].line);
        g_autoptr(SudoGrants) grants = sudo_grants_parse(text);
        g_assert_cmpint(grants->agent != NULL, ==, rows[i].agent);
        g_assert_cmpint(grants->everything, ==, rows[i].everything);
        g_assert_cmpuint(grants->root_doors->len, ==, rows[i].doors);
        g_assert_cmpuint(grants->others, ==, rows[i].others);
    }
}

static void test_mounts(void)
{
    static const struct {
        const char *path, *point;
        guint shared;
    } rows[] = {
        {"/run/netns", "/run", 5}, {"/runner", "/", 1}, {"/data", "/data", 0}, {"/run", "/run", 5}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(MountFact) mount = {0};
        g_assert_true(mount_fact_find(mounts_text, rows[i].path, &mount));
        g_assert_cmpstr(mount.point, ==, rows[i].point);
        g_assert_cmpuint(mount.shared, ==, rows[i].shared);
    }
    g_auto(MountFact) later = {0};
    g_assert_true(mount_fact_find("1 0 8:1 / / rw shared:1 - ext4 a rw\n"
                                  "2 1 0:2 / /a\\040b rw shared:2 - tmpfs b rw\n"
                                  "3 1 0:3 / /a\\040b rw master:3 propagate_from:1 - tmpfs c x\n",
                                  "/a b/c", &later));
    g_assert_cmpuint(later.shared, ==, 0);
    g_assert_cmpuint(later.master, ==, 3);
    g_assert_cmpstr(later.options, ==, "x");
    g_auto(MountFact) none = {0};
    g_assert_false(mount_fact_find("garbage\n1 2 3 4 5 6 7 8 9 10\n", "/a", &none));
}

/* ---- the reads ---- */

static void test_path(void)
{
    DoctorPath missing = {0};
    doctor_probe_path(&missing, "/there/is/no/such");
    g_assert_cmpint(missing.err, ==, ENOENT);
    g_free(missing.path);
    if (geteuid() != 0) {
        g_test_skip("needs root's own folders");
        return;
    }
    g_autofree gchar *folder = g_dir_make_tmp("vmdock-doctor-XXXXXX", NULL);
    g_autofree gchar *file = g_build_filename(folder, "file", NULL);
    g_assert_true(g_file_set_contents(file, "x", -1, NULL));
    static const struct {
        guint folder_mode, file_mode;
        uid_t owner;
        int weak; /* 0 none, 1 the file, 2 the folder */
    } rows[] = {{0755, 0644, 0, 0},
                {0755, 0666, 0, 1},
                {0777, 0644, 0, 2},
                {01777, 0644, 0, 0},
                {0755, 0644, 1, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        DoctorPath fact = {0};
        g_assert_cmpint(g_chmod(folder, (int)rows[i].folder_mode), ==, 0);
        g_assert_cmpint(g_chmod(file, (int)rows[i].file_mode), ==, 0);
        g_assert_cmpint(chown(file, rows[i].owner, 0), ==, 0);
        doctor_probe_path(&fact, file);
        g_assert_cmpint(fact.err, ==, 0);
        g_assert_cmpstr(fact.weak, ==,
                        rows[i].weak == 0   ? NULL
                        : rows[i].weak == 1 ? file
                                            : folder);
        g_free(fact.path);
        g_free(fact.weak);
    }
    g_unlink(file);
    g_rmdir(folder);
}

static void run_program(const char *script, const char *text, const char *unknown)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    DoctorText fact = {0};
    doctor_probe_program(&fact, argv, 10000);
    g_assert_cmpstr(fact.text, ==, text);
    g_assert_cmpstr(fact.unknown, ==, unknown);
    g_free(fact.text);
    g_free(fact.unknown);
}

static void test_program(void)
{
    run_program("echo a; echo b >&2; echo $LC_ALL", "a\nC\n", NULL);
    run_program("echo 'not  allowed' >&2; exit 1", NULL, "sh: not allowed");
    run_program("echo said; exit 1", "said\n", NULL);
    run_program("kill -9 $$", NULL, "sh: it failed");
    const char *const nothing[] = {"vmdock-no-such-program", NULL};
    const char *const endless[] = {"sleep", "60", NULL};
    DoctorText fact = {0};
    doctor_probe_program(&fact, nothing, 10000);
    g_assert_true(g_str_has_prefix(fact.unknown, "cannot run vmdock-no-such-program: "));
    g_free(fact.unknown);
    doctor_probe_program(&fact, endless, 100);
    g_assert_cmpstr(fact.unknown, ==, "sleep: it did not end in time");
    g_free(fact.unknown);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/doctor/healthy", test_healthy);
    g_test_add_func("/doctor/nothing-known", test_nothing_known);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree gchar *path =
            g_strdup_printf("/doctor/judge/%02" G_GSIZE_FORMAT "-%s", i, cases[i].name);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_case);
    }
    g_test_add_func("/doctor/forward", test_forward);
    g_test_add_func("/doctor/nft", test_nft);
    g_test_add_func("/doctor/sudo", test_sudo);
    g_test_add_func("/doctor/mounts", test_mounts);
    g_test_add_func("/doctor/path", test_path);
    g_test_add_func("/doctor/program", test_program);
    return g_test_run();
}

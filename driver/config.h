// SPDX-License-Identifier: Apache-2.0
/*
 * The host's configuration: one key file (vmdock.conf(5)) over built-in defaults. Every path, size
 * and time-out of vmdock stands here and nowhere else in the code.
 */
#pragma once

#include <glib.h>

/* cgroup_parent, where nobody says it: config_parent_for(). No Config has this text in it. */
#define CONFIG_AUTO "auto"

/*
 * The one table of settings: type, field, group, key, default, smallest, largest.
 * config.c reads it; the tests of the manual page and of the example file walk it.
 * A STR whose default is a path takes absolute paths only; vm.cgroup_parent, network.filter and
 * libvirt.uri have rules of their own.
 */
#define CONFIG_TABLE(STR, NUM, BOOL, LIST)                                                         \
    STR(engine_socket, "engine", "socket", "/run/docker.sock")                                     \
    STR(engine_kind, "engine", "kind", "docker")                                                   \
    STR(engine_credentials, "engine", "credentials", VMDOCK_SYSCONFDIR "/registry.json")           \
    NUM(engine_connect_ms, "engine", "connect_timeout_ms", 2000, 10, 600000)                       \
    NUM(engine_request_ms, "engine", "request_timeout_ms", 30000, 100, 3600000)                    \
    NUM(engine_create_ms, "engine", "create_timeout_ms", 120000, 100, 3600000)                     \
    NUM(engine_late_ms, "engine", "late_create_ms", 10000, 0, 600000)                              \
    NUM(engine_pull_ms, "engine", "pull_timeout_ms", 1800000, 1000, 86400000)                      \
    NUM(engine_pull_stall_ms, "engine", "pull_stall_timeout_ms", 120000, 100, 3600000)             \
    NUM(engine_commit_ms, "engine", "commit_timeout_ms", 1800000, 1000, 86400000)                  \
    NUM(engine_poll_ms, "engine", "poll_timeout_ms", 5000, 100, 600000)                            \
    NUM(engine_max_answer, "engine", "max_answer_bytes", 67108864, 65536, 1073741824)              \
    STR(runtime_name, "runtime", "name", "vmdock")                                                 \
    STR(runtime_real, "runtime", "real", "/usr/sbin/runc")                                         \
    STR(state_dir, "paths", "state", VMDOCK_STATEDIR)                                              \
    STR(run_dir, "paths", "run", VMDOCK_RUNDIR)                                                    \
    STR(netns_dir, "paths", "netns", "/run/netns")                                                 \
    STR(cgroup_root, "paths", "cgroup", "/sys/fs/cgroup")                                          \
    STR(cgroup_parent, "vm", "cgroup_parent", CONFIG_AUTO)                                         \
    NUM(boot_watch_ms, "vm", "boot_watch_ms", 20, 0, 60000)                                        \
    NUM(boot_output_lines, "vm", "boot_output_lines", 5, 0, 100)                                   \
    NUM(stop_timeout_s, "vm", "stop_timeout_s", 10, 0, 3600)                                       \
    NUM(pids_limit, "vm", "pids_limit", 4096, 0, 4194304)                                          \
    NUM(lock_wait_ms, "vm", "lock_wait_ms", 120000, 0, 3600000)                                    \
    BOOL(hard_cpu, "vm", "hard_cpu", FALSE)                                                        \
    BOOL(terminal, "vm", "terminal", TRUE)                                                         \
    NUM(log_max_bytes, "vm", "log_max_bytes", 10485760, 0, 1073741824)                             \
    NUM(log_files, "vm", "log_files", 2, 1, 100)                                                   \
    STR(context_mount_point, "context", "mount_point", "/mnt/context")                             \
    STR(context_env_prefix, "context", "env_prefix", "ONEDOCK_ENV_")                               \
    NUM(context_max_bytes, "context", "max_bytes", 67108864, 65536, 1073741824)                    \
    NUM(context_max_files, "context", "max_files", 1000, 1, 100000)                                \
    NUM(context_unpack_ms, "context", "unpack_timeout_ms", 20000, 100, 600000)                     \
    NUM(context_script_s, "context", "script_timeout_s", 3600, 1, 604800)                          \
    NUM(context_log_bytes, "context", "script_log_bytes", 65536, 1024, 16777216)                   \
    NUM(sample_window_ms, "poll", "sample_window_ms", 5000, 100, 600000)                           \
    NUM(status_repeat_s, "poll", "status_repeat_s", 40, 0, 3600)                                   \
    NUM(layer_budget_ms, "poll", "layer_budget_ms", 20, 1, 60000)                                  \
    NUM(layer_period_s, "poll", "layer_period_s", 300, 0, 86400)                                   \
    NUM(engine_grace_ms, "poll", "engine_grace_ms", 20000, 0, 600000)                              \
    NUM(sweep_after_s, "poll", "sweep_after_s", 120, 0, 86400)                                     \
    NUM(probe_wait_ms, "poll", "probe_wait_ms", 10000, 0, 600000)                                  \
    NUM(xml_max_bytes, "limits", "xml_max_bytes", 4194304, 1024, 1073741824)                       \
    NUM(exec_output_bytes, "limits", "exec_output_bytes", 65536, 1024, 16777216)                   \
    LIST(allow_capabilities, "policy", "capabilities")                                             \
    LIST(allow_devices, "policy", "devices")                                                       \
    LIST(allow_mounts, "policy", "mounts")                                                         \
    BOOL(allow_privileged, "policy", "privileged", FALSE)                                          \
    LIST(allow_libvirt_networks, "policy", "libvirt_networks")                                     \
    LIST(allow_engine_networks, "policy", "engine_networks")                                       \
    STR(opennebula_remotes, "opennebula", "remotes", "/var/tmp/one")                               \
    STR(opennebula_user, "opennebula", "user", "oneadmin")                                         \
    STR(opennebula_datastores, "opennebula", "datastores", "/var/lib/one/datastores")              \
    STR(opennebula_front_remotes, "opennebula", "front_remotes", "/var/lib/one/remotes")           \
    NUM(opennebula_filter_ms, "opennebula", "filter_timeout_ms", 10000, 1000, 600000)              \
    STR(nova_mount_point, "nova", "mount_point", "/mnt/config")                                    \
    STR(nova_rescue_point, "nova", "rescue_point", "/mnt/rescue")                                  \
    NUM(nova_console_bytes, "nova", "console_bytes", 102400, 1024, 16777216)                       \
    LIST(nova_volumes, "nova", "volumes")                                                          \
    LIST(nova_shares, "nova", "shares")                                                            \
    BOOL(nova_iscsi, "nova", "iscsi", TRUE)                                                        \
    STR(nova_volume_point, "nova", "volume_point", "/mnt")                                         \
    STR(nova_volume_fs, "nova", "volume_fs", "ext4")                                               \
    STR(nova_registry, "nova", "registry", "none")                                                 \
    STR(nova_mount, "nova", "mount", "/usr/bin/mount")                                             \
    STR(datastore_skopeo, "datastore", "skopeo", "/usr/bin/skopeo")                                \
    STR(datastore_credentials, "datastore", "credentials", "/etc/one/vmdock")                      \
    NUM(datastore_request_ms, "datastore", "request_timeout_ms", 60000, 1000, 3600000)             \
    NUM(datastore_copy_ms, "datastore", "copy_timeout_ms", 3600000, 1000, 86400000)                \
    STR(transfer_front_end, "transfer", "front_end", "auto")                                       \
    NUM(transfer_connect_s, "transfer", "connect_timeout_s", 15, 1, 600)                           \
    NUM(transfer_command_ms, "transfer", "command_timeout_ms", 120000, 1000, 3600000)              \
    NUM(transfer_ms, "transfer", "timeout_ms", 7200000, 1000, 86400000)                            \
    STR(disk_mkfs, "disks", "mkfs", "/usr/sbin/mkfs")                                              \
    STR(disk_e2fsck, "disks", "e2fsck", "/usr/sbin/e2fsck")                                        \
    STR(disk_resize2fs, "disks", "resize2fs", "/usr/sbin/resize2fs")                               \
    STR(disk_qcow2_server, "disks", "image_server", "/usr/bin/qemu-storage-daemon")                \
    LIST(disk_filesystems, "disks", "filesystems")                                                 \
    NUM(disk_program_ms, "disks", "program_timeout_ms", 120000, 100, 3600000)                      \
    NUM(disk_release_ms, "disks", "release_timeout_ms", 10000, 100, 600000)                        \
    STR(ovs_vsctl, "openvswitch", "vsctl", "/usr/bin/ovs-vsctl")                                   \
    STR(ovs_socket, "openvswitch", "socket", "/run/openvswitch/db.sock")                           \
    NUM(ovs_timeout_ms, "openvswitch", "timeout_ms", 5000, 100, 600000)                            \
    STR(libvirt_uri, "libvirt", "uri", "network:///system")                                        \
    NUM(libvirt_timeout_ms, "libvirt", "timeout_ms", 10000, 100, 600000)                           \
    STR(network_filter, "network", "filter", "off")                                                \
    STR(network_nft, "network", "nft", "/usr/sbin/nft")                                            \
    NUM(network_nft_ms, "network", "nft_timeout_ms", 10000, 100, 600000)                           \
    BOOL(network_probe, "network", "probe", FALSE)                                                 \
    NUM(network_probe_ms, "network", "probe_ms", 500, 10, 60000)                                   \
    NUM(doctor_program_ms, "doctor", "program_timeout_ms", 10000, 100, 600000)

typedef struct {
    gchar *path; /* the file it came from */
#define STR(field, group, key, value)                    gchar *field;
#define NUM(field, group, key, value, smallest, largest) guint64 field;
#define BOOL(field, group, key, value)                   gboolean field;
#define LIST(field, group, key)                          GStrv field;
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
} Config;

/*
 * Reads PATH, or the built-in place when NULL. A file that is not there gives the defaults when
 * PATH is NULL and is an error when it was named. An unknown group or key, a number out of its
 * range or a relative path is an error (CONFIG) that names group, key and file; so is, for root, a
 * file that somebody else may write. Every STR is set and not empty.
 */
Config *config_load(const char *path, GError **error);
/* The same of a text, which stands for the built-in place's file. */
Config *config_parse(const char *text, gsize length, GError **error);
/* The built-in defaults alone, whatever stands in the file. */
Config *config_defaults(void);
void config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/*
 * The parent that fits the cgroup driver which the engine chooses by itself: a slice where
 * CGROUP_ROOT is a cgroup v2 and SYSTEMD_FOLDER, which sd_booted(3) goes by, is there.
 */
const char *config_parent_for(const char *cgroup_root, const char *systemd_folder);

/* The built-in place of the file. */
const char *config_default_path(void);

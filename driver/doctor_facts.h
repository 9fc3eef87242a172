// SPDX-License-Identifier: Apache-2.0
/*
 * What doctor has seen of the host (facts, filled by the probes), and what it makes of it (the
 * judges, pure). Every fact may be unknown, and then carries the reason.
 */
#pragma once

#include "autoptr.h"
#include "doctor.h"

/* A text that was read or that a program printed; UNKNOWN says why there is none. */
typedef struct {
    gchar *text;
    gchar *unknown;
} DoctorText;

typedef struct {
    gchar *path; /* NULL: there is nothing to look at */
    int err;     /* errno of the look; 0 = it is there */
    guint mode;  /* st_mode */
    guint uid, gid;
    gchar *weak; /* of the path and the folders above it, the first that not only root may write */
} DoctorPath;

typedef struct {
    gchar *path; /* NULL: unknown */
    int err;
    guint64 bytes, bytes_free;
    guint64 files, files_free; /* inodes; 0 of 0 where the file system does not count them */
} DoctorSpace;

typedef struct {
    gint index;
    gchar *name;
    guint ports;
    gint stp; /* -1 = unknown */
    guint forward_delay_ms;
} DoctorBridge;

typedef struct {
    const Config *config;
    gchar *config_trouble; /* why the defaults are used instead */
    DoctorPath config_file, credentials;

    gchar *engine_trouble; /* why it does not answer */
    gchar *engine_version, *engine_api;
    json_t *engine_info; /* NULL: see info_trouble */
    gchar *info_trouble;
    DoctorPath engine_socket;
    gchar *engine_socket_group;
    DoctorPath runtime, runtime_real;
    gboolean runtime_foreign; /* what is registered is not the vmdock-runtime beside this vmdock */

    gchar *netns_trouble, *veth_trouble, *bridge_trouble; /* why one cannot be made; NULL = can */
    gchar *ifb_trouble;                                   /* the same */
    DoctorPath loop, fuse, mkfs, image_server;
    gboolean ip6;
    gchar *cgroup_trouble;
    guint cgroup_version;
    DoctorText cgroup_controllers;           /* names, separated by blanks */
    gint64 pid_max, tasks;                   /* -1 = unknown, here and below */
    gint64 neighbours_max[2], neighbours[2]; /* IPv4, IPv6 */

    gchar *links_trouble;
    GPtrArray *bridges;        /* DoctorBridge */
    guint host_ends;           /* of VMs */
    gint bridge_nf[2];         /* iptables, ip6tables; -1 = not loaded */
    DoctorText rules[2];       /* `iptables -S`, `ip6tables -S` */
    DoctorText nft;            /* `nft -j list ruleset` */
    GHashTable *filter_wanted; /* rules that VMs must have (nic_filter_elements) -> deploy id */
    gboolean filter_marks;     /* they know connections by marks, for which bridge_nf must be 1 */
    gboolean ovs_serves;       /* somebody seems to listen */
    guint ovs_vms;             /* that have a NIC on a bridge of Open vSwitch */
    guint libvirt_vms;         /* that have one on a network of libvirt */
    DoctorText ovs;            /* its version, "" when it does not tell */
    DoctorText libvirt;        /* the same; neither where nothing here needs it */
    GPtrArray *no_networks;    /* those of the engine that policy allows and it has not; gchar* */

    gchar *netns_path; /* the netns directory with links resolved */
    gboolean same_mounts;
    DoctorText own_mounts, engine_mounts; /* mountinfo */

    gboolean user_there;
    GStrv user_groups;
    DoctorText sudo;  /* `sudo -n -l -U user` */
    DoctorPath agent; /* vmdock-one, as sudo names it */
    DoctorPath remotes, remotes_deploy;
    DoctorPath skopeo; /* looked at when Nova's instances move through a registry */

    DoctorPath state_dir, run_dir;
    DoctorSpace state_space, engine_space;
    gchar *leftovers_trouble;
    GPtrArray *leftovers;  /* sentences */
    GPtrArray *idle_names; /* image names that hold disk 0 of no container */
} DoctorFacts;

/* TROUBLE is why there is no configuration, or NULL. CONFIG must outlive the facts. */
DoctorFacts *doctor_facts_read(const Config *config, const GError *trouble);
void doctor_facts_free(DoctorFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DoctorFacts, doctor_facts_free)

/* The parts of it. */
void doctor_probe_engine(DoctorFacts *facts);
void doctor_probe_kernel(DoctorFacts *facts);
void doctor_probe_network(DoctorFacts *facts);
void doctor_probe_cloud(DoctorFacts *facts);
void doctor_probe_path(DoctorPath *fact, const char *path);
/* A small file, whole. */
void doctor_probe_text(DoctorText *fact, const char *path);
/* What ARGV prints; see program_run(). */
void doctor_probe_program(DoctorText *fact, const char *const *argv, guint64 timeout_ms);

/* Pure: the findings that FACTS give. */
GPtrArray *doctor_judge(const DoctorFacts *facts);
/* The parts of it; each adds to FINDINGS. */
void doctor_judge_config(const DoctorFacts *facts, GPtrArray *findings);
void doctor_judge_engine(const DoctorFacts *facts, GPtrArray *findings);
void doctor_judge_kernel(const DoctorFacts *facts, GPtrArray *findings);
void doctor_judge_network(const DoctorFacts *facts, GPtrArray *findings);
void doctor_judge_cloud(const DoctorFacts *facts, GPtrArray *findings);
void doctor_judge_state(const DoctorFacts *facts, GPtrArray *findings);

/* TRUE if the engine's storage can hold disk 0 to its size. INFO is the engine's, MOUNTS mountinfo
 * or NULL; *driver and *backing, the file system under it, may be asked for. Pure. */
gboolean doctor_storage_holds(const json_t *info, const char *mounts, gchar **driver,
                              gchar **backing);

/* One finding; MEND may be NULL. */
void doctor_say(GPtrArray *findings, DoctorLevel level, const char *id, const char *title,
                const char *mend, const char *what, ...) G_GNUC_PRINTF(6, 7);

/* What `sudo -l -U` grants, as far as vmdock cares. */
typedef struct {
    gchar *agent;          /* the path of vmdock-one, granted as root without a password */
    gboolean everything;   /* ALL */
    GPtrArray *root_doors; /* other granted programs that are as good as a root shell */
    guint others;          /* granted commands beside these */
} SudoGrants;

SudoGrants *sudo_grants_parse(const char *listing);
void sudo_grants_free(SudoGrants *grants);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SudoGrants, sudo_grants_free)

/* The mount that holds PATH. */
typedef struct {
    gchar *point;
    guint shared, master; /* peer groups; 0 = none */
    gchar *options;       /* of the file system */
} MountFact;

/* FALSE if TEXT (mountinfo) has none. */
gboolean mount_fact_find(const char *text, const char *path, MountFact *mount);
void mount_fact_clear(MountFact *mount);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MountFact, mount_fact_clear)

// SPDX-License-Identifier: Apache-2.0
/*
 * VmSpec: what the cloud asked for, in words of neither cloud nor engine. The pivot of the program:
 * every front end parses its own format into it, every back end builds from it. Pure: no I/O.
 *
 * Ownership: everything inside belongs to the spec; vm_spec_free() frees all of it. Strings are
 * valid UTF-8. NULL means "the cloud did not say"; numbers say in their comment what 0 means.
 */
#pragma once

#include "filter_level.h"
#include "vlan.h"

#include <glib.h>
#include <jansson.h>
#include <netinet/in.h>

/* Largest host-side interface name the kernel takes (IFNAMSIZ - 1). */
enum { VM_IFNAME_MAX = 15, VM_ID_MAX = 64 };

/* An IP address with the prefix length of its subnet; family AF_INET or AF_INET6, 0 for "none". */
typedef struct {
    int family;
    guint8 bytes[16]; /* network order; the first 4 for AF_INET */
    guint prefix;     /* 0..32 or 0..128 */
} VmAddress;

/* A route of the guest: DESTINATION through GATEWAY (family 0: on the link), metric 0 = kernel's.
 */
typedef struct {
    VmAddress destination;
    VmAddress gateway;
    guint metric;
} VmRoute;

/* What the guest does with router advertisements. */
typedef enum {
    VM_IP6_STATIC,  /* no advertisement is heard: an IPv6 gateway is given, or there is no IPv6 */
    VM_IP6_ROUTERS, /* addresses are given, the default route is learned */
    VM_IP6_AUTO,    /* addresses and routes are learned (METHOD=auto) */
    VM_IP6_OFF,     /* IPv6 is disabled on this NIC (METHOD=disable) */
} VmIp6Mode;

/* What a NIC may move in one direction; 0 = not said. Both rates 0: it is not limited. */
typedef struct {
    gint64 average; /* bytes per second */
    gint64 peak;    /* bytes per second, while a burst lasts */
    gint64 burst;   /* bytes that may pass faster than the average */
} VmBandwidth;

typedef enum {
    VM_PROTOCOL_ALL,
    VM_PROTOCOL_TCP,
    VM_PROTOCOL_UDP,
    VM_PROTOCOL_ICMP, /* of IPv4 */
    VM_PROTOCOL_ICMP6,
    VM_PROTOCOL_ESP,
} VmProtocol;

typedef struct {
    guint first, last; /* 0..65535 */
} VmPorts;

/* What a security group lets pass: everything that is so. */
typedef struct {
    gboolean inbound; /* to the VM; else from it */
    VmProtocol protocol;
    GArray *ports; /* VmPorts, of the receiver, in order, none touching another; empty = all */
    gint icmp_type, icmp_code; /* -1 = any */
    VmAddress first, last;     /* of the other side; family 0 = any */
} VmRule;

typedef struct {
    guint id;           /* the cloud's number of the NIC */
    gchar *host_name;   /* host end of the veth: NIC/TARGET, "one-42-0" */
    gchar *guest_name;  /* guest end: "eth0"; the number is the one the cloud tells the guest */
    gchar *bridge;      /* the bridge to plug into; NULL = not known yet, it is libvirt_network's */
    gchar *bridge_type; /* "linux", "openvswitch", … as the cloud wrote it; NULL = linux */
    gchar *network;     /* the cloud's name of the network, for people */
    gboolean has_mac;   /* else a deploy gives it one, to stay */
    guint8 mac[6];
    guint mtu;         /* 0 = the bridge's */
    GArray *addresses; /* VmAddress: the NIC's own first, then its aliases' */
    GArray *routes;    /* VmRoute: ROUTES, then the default routes (destination prefix 0) */
    VmIp6Mode ip6_mode;
    VmBandwidth inbound;  /* of what the guest receives */
    VmBandwidth outbound; /* of what it sends */
    gboolean checksums;   /* the guest's packets leave with them: a switch in user space needs it */
    GPtrArray *rules;     /* VmRule, of its security groups; NULL = the cloud gives it none */
    gboolean link_down;   /* plugged in, and the cable is out */
    gchar *libvirt_network; /* of which it is (nic_libvirt.h); NULL = none */
    gchar *portgroup;       /* of that network; NULL = its default one */
    VmVlan vlan;            /* of its port on Open vSwitch; none = vmdock sets none */
    GStrv learned;          /* what here is the network's word: VM_LEARNED_*; NULL = nothing */
    /* The container engine's, which plugs it in where no bridge is (nic_engine.h); NULL = none. */
    gchar *engine_network;
} VmNic;

/* Whether the VM's addresses are looked for before it takes them (nic_probe.h). */
typedef enum { VM_PROBE_HOST, VM_PROBE_YES, VM_PROBE_NO } VmProbe; /* HOST: as it is configured */

#define VM_LEARNED_ADDRESS  "address"
#define VM_LEARNED_ADDRESS6 "address6" /* of IPv6, the engine's */
#define VM_LEARNED_ROUTES   "routes"
#define VM_LEARNED_MTU      "mtu"
#define VM_LEARNED_DNS      "dns"
#define VM_LEARNED_INBOUND  "inbound"
#define VM_LEARNED_OUTBOUND "outbound"
#define VM_LEARNED_VLAN     "vlan"
#define VM_LEARNED_SEARCH   "search"

/* One request that host policy must allow; kept apart so that the check has all of them. */
typedef struct {
    gchar *host_path;
    gchar *guest_path;
    gchar *access; /* "rwm" or a part of it */
} VmDevice;

/* A folder of the host that the VM sees; policy must allow that very folder. */
typedef struct {
    gchar *host_path;
    gchar *guest_path;
    gboolean read_only;
} VmMount;

typedef struct {
    GStrv entrypoint;   /* NULL = the image's */
    GStrv command;      /* NULL = the image's */
    GStrv environment;  /* "NAME=value", sorted by name; may be NULL */
    gchar *user;        /* NULL = the image's */
    gchar *working_dir; /* NULL = the image's */
    gboolean terminal;  /* allocate a terminal; default TRUE */
    gboolean init;      /* run the engine's init as PID 1; default FALSE */
    gchar *stop_signal; /* "SIGTERM"; NULL = the image's */
    gint stop_timeout;  /* seconds; -1 = the host's configuration */
} VmProcess;

typedef struct {
    gint64 memory;        /* bytes; 0 = no limit */
    gint64 swap;          /* bytes of swap beside the memory; 0 = none */
    gint64 cpu_weight;    /* cgroup v1 shares, 1024 = one CPU; 0 = the engine's default */
    gint64 cpu_quota_us;  /* per period; 0 = no ceiling */
    gint64 pids;          /* 0 = the host's configuration */
    gint64 cpu_period_us; /* in which the ceiling is held, 1000..1000000; 0 = 100 ms */
    gint64 io_weight;     /* of its share of the disks, 10..1000; 0 = the engine's default */
} VmLimits;

/* One thing that the cloud tells the guest. */
typedef struct {
    gchar *name;  /* a shell variable's */
    gchar *value; /* any text, "" when it is empty */
} VmVariable;

/* A file of the guest's, whole. */
typedef struct {
    gchar *path;
    GBytes *content;
} VmFile;

/*
 * What the guest learns of itself, and what is done in it for the cloud. Holds secrets: values of
 * variables, the password, the script are shown nowhere (vm_spec_to_shown_json).
 */
typedef struct {
    GPtrArray *variables; /* VmVariable, sorted by name, no doubles */
    gchar *image;    /* the image with the files, below the host's datastores: "102/1/disk.6" */
    GStrv files;     /* the names that it should hold beside context.sh; may be NULL */
    gchar *user;     /* whose keys and password these are; NULL = root */
    GStrv keys;      /* SSH public keys, one line each; may be NULL */
    gchar *password; /* in clear; NULL = none, or the hash is given */
    gchar *password_hash; /* crypt(5) */
    gboolean sealed;      /* the password came encrypted: only the image has it in clear */
    gchar *script;        /* to be run at every boot; NULL = none */
    gchar *mount_point; /* where the guest sees what it is told; NULL = the host's configuration */
    GPtrArray *told;    /* VmFile: further files there, by relative path */
    GPtrArray *given;   /* VmFile: put into a new container's own files, by absolute path */
} VmContext;

typedef enum { VM_DISK_RAW, VM_DISK_QCOW2 } VmDiskFormat;

/* Where the file of a disk is looked for, and what SOURCE then says of it. */
typedef enum {
    VM_DISK_DATASTORE, /* below the host's datastores: "102/42/disk.1" */
    VM_DISK_LOCAL,     /* a file or block device of the host, in a folder that it allows:
                          "/dev/volumes/volume-1" */
    VM_DISK_SHARE,     /* a file of SHARE: "volume-1" */
    VM_DISK_ISCSI,     /* the device of an iSCSI session that somebody else has begun: "/dev/sdb" */
} VmDiskStorage;

/* Most per second; 0 = no limit. Reading and writing are counted apart. */
typedef struct {
    gint64 read_bytes, write_bytes;
    gint64 read_ops, write_ops;
} VmDiskLimits;

/* How much of one block device of the host a VM may use, whatever it reads or writes there. */
typedef struct {
    gchar *path;
    gint64 weight; /* 10..1000; 0 = not said */
    VmDiskLimits limits;
} VmDeviceLimits;

/* A disk beside disk 0: a file or block device that holds a file system. */
typedef struct {
    guint id;           /* the cloud's number of the disk */
    gchar *target;      /* the cloud's name of it, "vdb"; letters and digits */
    gchar *source;      /* its file, as STORAGE says */
    gchar *mount_point; /* where the VM sees it, a plain absolute path */
    gchar *make_fs;     /* the file system to make when it holds nothing yet; NULL = none */
    VmDiskFormat format;
    gboolean read_only;
    gboolean optical; /* a CD: what this host's kernel cannot read is left out, and told */
    VmDiskLimits limits;
    VmDiskStorage storage;
    gchar *cloud_id;      /* the cloud's own id of it, a volume's UUID; NULL = its number */
    gchar *share;         /* "server:/export", an NFS share; NULL but for VM_DISK_SHARE */
    gchar *share_options; /* how it is mounted, "vers=4.1,nolock"; may be NULL */
} VmDisk;

typedef struct VmSpec {
    gchar *deploy_id;    /* "one-42", safe as a file name; the key of everything on the host */
    gchar *cloud;        /* "opennebula" */
    gchar *cloud_id;     /* "42" */
    gchar *name;         /* the cloud's name of the VM, any text */
    gchar *uuid;         /* NULL if the cloud gave none */
    gchar *hostname;     /* a valid host name, domain and all, from the name or SET_HOSTNAME */
    gchar *image;        /* reference of disk 0 ("docker://…" already taken off); NULL if none */
    gchar *image_source; /* disk 0's SOURCE as it came, for the sentence when it is no reference */
    gint64 root_size;    /* bytes disk 0 is to be held to, its image and all; 0 = none are named */
    VmProcess process;
    VmLimits limits;
    gboolean read_only_root;
    GStrv tmpfs;             /* "/run:size=64m"; may be NULL */
    GStrv capabilities;      /* "NET_ADMIN", sorted; needs policy; may be NULL */
    GPtrArray *devices;      /* VmDevice; needs policy */
    gboolean privileged;     /* needs policy */
    GPtrArray *nics;         /* VmNic, in order of id */
    GStrv dns;               /* addresses in order, no doubles; may be NULL */
    GStrv search;            /* search domains in order, no doubles; may be NULL */
    GPtrArray *not_honoured; /* gchar*: one sentence for each thing asked and not honoured */
    VmContext *context;      /* NULL = the cloud tells the guest nothing */
    GPtrArray *disks;        /* VmDisk, in order of id: those beside disk 0 */
    gchar *host; /* which of the cloud's hosts the VM is on, where it can be several; may be NULL */
    gchar *rescued; /* the VM whose files this one sees, being made to rescue it; NULL = none */
    VmDiskLimits root_limits; /* of disk 0, counted on the host's disk that holds its layer */
    gchar *refused;  /* why it is not deployed, one sentence; NULL. Not in the JSON: no VM has it */
    VmFilter filter; /* what the template asks for; the host may ask for more */
    gchar *title;    /* a line for people; NULL */
    gchar *description;         /* any text for people; NULL */
    guint vcpus;                /* how many CPUs the cloud calls its ceiling; 0 = it does not say */
    gchar *cpus;                /* those of the host that it may run on, "0-3,8"; NULL = all */
    GStrv cpu_pins;             /* how the cloud said so: "0:1-4" of one CPU of the VM, ":0-7" of
                                   those that are not named; NULL */
    GStrv capabilities_dropped; /* of the engine's default, sorted, or "ALL"; may be NULL */
    GPtrArray *mounts;          /* VmMount; needs policy */
    GPtrArray *device_limits;   /* VmDeviceLimits */
    VmProbe probe;
} VmSpec;

VmSpec *vm_spec_new(void);
void vm_spec_free(VmSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmSpec, vm_spec_free)

VmNic *vm_nic_new(void);
VmNic *vm_nic_copy(const VmNic *nic);
/* A name for the host end of a VM's NIC that has none: PREFIX, of at most four characters, eight
 * digits of the deploy id's hash, "-" and the NIC's number, because names of links are short. */
gchar *vm_nic_host_name(const char *prefix, const char *deploy_id, guint id);
void vm_nic_free(VmNic *nic);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmNic, vm_nic_free)

/* The first of its addresses of FAMILY, which belongs to it; NULL if there is none. */
const VmAddress *vm_nic_address(const VmNic *nic, int family);
/* Whether a rate is said. */
gboolean vm_bandwidth_any(const VmBandwidth *bandwidth);
gboolean vm_nic_learned(const VmNic *nic, const char *what);
/* Whether its address of that family is the network's choice. */
gboolean vm_nic_learned_address(const VmNic *nic, int family);
/* Of any of its NICs. */
gboolean vm_spec_learned(const VmSpec *spec, const char *what);
/* Whether the container engine plugs in any of NICS. */
gboolean vm_nics_any_engine(const GPtrArray *nics);
/* A list of those that vmdock plugs in itself; they belong to NICS. */
GPtrArray *vm_nics_own(const GPtrArray *nics);
/* The engine has given it ADDRESS: instead of the one of that family that it learned before. One
 * that was asked for gets its prefix. */
void vm_nic_learn_address(VmNic *nic, const VmAddress *address);
/* Takes away those that it has learned; FALSE when there are none. */
gboolean vm_nic_forget_addresses(VmNic *nic);
/*
 * The addresses that HAD's NICs have of the container engine's networks, for NICs of the same id
 * and network that ask for none: they are the VM's as long as it is. HAD may be NULL.
 */
void vm_nics_keep_addresses(GPtrArray *nics, const GPtrArray *had);

/* A rule that lets everything pass, from the VM or to it. */
VmRule *vm_rule_new(gboolean inbound);
void vm_rule_free(VmRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmRule, vm_rule_free)
VmRule *vm_rule_copy(const VmRule *rule);
/* A list of VmRule. */
GPtrArray *vm_rules_new(void);
/* Gives NIC copies of RULES, or NULL, in place of its own. */
void vm_nic_set_rules(VmNic *nic, const GPtrArray *rules);
/* Adds WORD to a list that may be NULL, unless it is there. */
void vm_words_add(GStrv *list, const char *word);
/* The NIC with the number ID; NULL if there is none. Belongs to the list. */
VmNic *vm_nics_find(const GPtrArray *nics, guint id);
/* "eth2": the first name in the guest that none of them has. */
gchar *vm_nics_free_name(const GPtrArray *nics);
/* By their numbers. */
void vm_nics_sort(GPtrArray *nics);
/*
 * The names that NICS have in a guest in which HAD are plugged: a NIC that is there keeps its name,
 * and one that is new gives way. (The cloud may number the names of NICs that it does not tell the
 * guest of anew with each of its messages.)
 */
void vm_nics_keep_names(GPtrArray *nics, const GPtrArray *had);
/*
 * Gives NICs without a MAC one: that which the NIC of their number in HAD has, else one made at
 * random, as libvirt makes them. HAD may be NULL; with KEEP, a NIC that had none stays so.
 */
void vm_nics_give_macs(GPtrArray *nics, const GPtrArray *had, gboolean keep);
/* Gives a route that an earlier NIC has already a larger metric; and, beside a NIC of the container
 * engine's, one to a default route, where the engine sets one without. */
void vm_nics_part_routes(GPtrArray *nics);

VmContext *vm_context_new(void);
void vm_context_free(VmContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmContext, vm_context_free)
VmContext *vm_context_copy(const VmContext *context);
/* A list of VmFile, and one more of it: a copy of LENGTH bytes. */
GPtrArray *vm_files_new(void);
void vm_files_add(GPtrArray *files, const char *path, const void *content, gsize length);
/* A sorted list of VmVariable, as a context has it. */
GPtrArray *vm_variables_new(void);
/* The value of a variable; NULL when there is none. */
const char *vm_variables_value(const GPtrArray *variables, const char *name);
/* Sets a variable, in its place by name. */
void vm_variables_set(GPtrArray *variables, const char *name, const char *value);

void vm_device_free(VmDevice *device);
void vm_mount_free(VmMount *mount);
void vm_device_limits_free(VmDeviceLimits *limits);
void vm_disk_free(VmDisk *disk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmDisk, vm_disk_free)
VmDisk *vm_disk_copy(const VmDisk *disk);
/* What vm_spec_check() asks of the disks, and of the folders of the host. */
gboolean vm_disks_check(const VmSpec *spec, GError **error);
/* The disk with the number ID; NULL if there is none. Belongs to the spec. */
VmDisk *vm_spec_disk(const VmSpec *spec, guint id);
/* The same of the disk with the cloud's id CLOUD_ID. */
VmDisk *vm_spec_volume(const VmSpec *spec, const char *cloud_id);
/* The smallest number, from 1, that no disk of SPEC has. */
guint vm_spec_free_disk(const VmSpec *spec);
/* Whether LIMITS limits anything. */
gboolean vm_disk_limits_any(const VmDiskLimits *limits);

/* "0.5": a number of CPUs, not negative and at most VM_CPUS_MAX. */
enum { VM_CPUS_MAX = 1000000 };
gboolean vm_cpus_parse(const char *text, double *cpus);
/*
 * Weight and ceiling of CPUS: HARD makes it the ceiling too; else that is VCPUS whole CPUs, or, for
 * 0, as many as CPUS needs, as under other hypervisors.
 */
void vm_limits_set_cpus(VmLimits *limits, double cpus, guint vcpus, gboolean hard);

/* Sets an error of code SPEC, for parsers and checks of specs. Always FALSE. */
gboolean spec_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/*
 * Checks what no front end may get wrong whatever it parsed: the deploy id's form, interface names
 * (1..15 bytes, no '/', ':', blank or control character, not "." or ".."), two NICs with one MAC,
 * one host name or one guest name, a MAC that is multicast or zero, an MTU outside 68..65535 or
 * under IPv6's 1280, memory under the engine's 6 MiB, an address that is no unicast address or is
 * its subnet's network or broadcast address, a gateway that is neither in a subnet of its NIC, nor
 * link-local, nor behind an on-link route that stands before it; two disks with one number or one
 * mount point, a mount point in /proc, /sys or /dev or on a tmpfs of the VM, and the same of a
 * folder of the host. Errors: SPEC.
 */
gboolean vm_spec_check(const VmSpec *spec, GError **error);
/* The kernel's own rule (dev_valid_name), and no control characters. */
gboolean vm_ifname_valid(const char *name);

/* True for what may be a deploy id: "one-", "nova-", "run-" or "dom-" and 1..50 of [0-9a-zA-Z-],
 * nothing else. */
gboolean vm_id_valid(const char *deploy_id);

/* "10.0.0.2/24", "10.0.0.2" (full prefix), "fd00::1/64". FALSE if TEXT is no address. */
gboolean vm_address_parse(const char *text, VmAddress *address);
/* "10.0.0.2/24"; vm_address_text leaves the prefix out. */
gchar *vm_address_format(const VmAddress *address);
gchar *vm_address_text(const VmAddress *address);
/* True for the same address, whatever the prefixes. */
gboolean vm_address_same(const VmAddress *a, const VmAddress *b);
/* ADDRESS with the bits behind its prefix cleared: the subnet it names. */
VmAddress vm_address_subnet(const VmAddress *address);
/* "255.255.255.0" or "24" -> 24; FALSE if the mask has holes. */
gboolean vm_mask_prefix(const char *mask, guint *prefix);
/* True if OTHER lies in the subnet of ADDRESS (same family, same first prefix bits). */
gboolean vm_address_contains(const VmAddress *address, const VmAddress *other);

/* "02:00:0a:08:01:0b"; FALSE if TEXT is no MAC. */
gboolean vm_mac_parse(const char *text, guint8 mac[6]);
gchar *vm_mac_format(const guint8 mac[6]);

/*
 * A host name from any text: ASCII letters, digits, '-' and the dots between labels; other
 * characters become '-', runs of it one, none at a label's ends, at most 63 bytes; FALLBACK when
 * nothing is left.
 */
gchar *vm_hostname_from(const char *text, const char *fallback);

/*
 * The spec as JSON and back: the form of spec.json (the last applied spec), of `vmdock show`, and
 * of the golden files. Every field is there in the order of the struct, absent ones as null.
 * vm_spec_from_json reads what vm_spec_to_json wrote, of this version or an older one (fields that
 * came later have their defaults then), and leaves keys that it does not know alone; anything else
 * is an error of code IO.
 */
json_t *vm_spec_to_json(const VmSpec *spec);
VmSpec *vm_spec_from_json(const json_t *json, GError **error);
/* By way of both. */
VmSpec *vm_spec_copy(const VmSpec *spec, GError **error);
/* The same for people's eyes, and no spec any more: values that may be secrets are "(hidden)". */
json_t *vm_spec_to_shown_json(const VmSpec *spec);

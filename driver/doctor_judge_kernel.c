// SPDX-License-Identifier: Apache-2.0
/* The kernel's features and bounds, and the mounts that sandboxes live in. */
#include "doctor_facts.h"

#include <string.h>

enum {
    TASKS_PER_VM = 16,      /* the engine's shim of a container, and a small guest */
    NEIGHBOURS_PER_NIC = 4, /* gateway, name server, and some peers, in each namespace */
    FULL_PERCENT = 80,
};

static void judge_feature(GPtrArray *findings, const char *id, const char *title,
                          const char *trouble, const char *mend)
{
    if (trouble)
        doctor_say(findings, DOCTOR_FAIL, id, title, mend, "cannot be made: %s", trouble);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "can be made");
}

static void judge_features(const DoctorFacts *facts, GPtrArray *findings)
{
    judge_feature(findings, "kernel.netns", "network namespaces", facts->netns_trouble,
                  "run doctor as root on a kernel with CONFIG_NET_NS");
    if (facts->netns_trouble) {
        doctor_say(findings, DOCTOR_NOTE, "kernel.links", "veth and bridge",
                   "mend the network namespaces first",
                   "cannot be looked at without a network namespace to try them in");
    } else {
        judge_feature(findings, "kernel.veth", "veth", facts->veth_trouble,
                      "load the kernel module veth, or use a kernel with CONFIG_VETH");
        judge_feature(findings, "kernel.bridge", "bridge", facts->bridge_trouble,
                      "load the kernel module bridge, or use a kernel with CONFIG_BRIDGE");
    }
    if (facts->ip6)
        doctor_say(findings, DOCTOR_OK, "kernel.ipv6", "IPv6", NULL, "the kernel speaks it");
    else
        doctor_say(findings, DOCTOR_WARN, "kernel.ipv6", "IPv6",
                   "take ipv6.disable=1 off the kernel's command line, or load the module ipv6",
                   "the kernel speaks no IPv6: VMs with IPv6 addresses cannot be deployed");
}

/* What some VMs need alone: the others run without. */
static void judge_optional(GPtrArray *findings, const char *id, const char *title,
                           const char *trouble, const char *who, const char *mend)
{
    if (trouble)
        doctor_say(findings, DOCTOR_NOTE, id, title, mend, "%s: needed for %s", trouble, who);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "there");
}

static void judge_path(GPtrArray *findings, const char *id, const char *title,
                       const DoctorPath *path, const char *who, const char *mend)
{
    g_autofree gchar *trouble =
        path->err ? g_strdup_printf("%s: %s", path->path, g_strerror(path->err)) : NULL;
    judge_optional(findings, id, title, trouble, who, mend);
}

static void judge_optionals(const DoctorFacts *facts, GPtrArray *findings)
{
    if (!facts->netns_trouble)
        judge_optional(findings, "kernel.ifb", "ifb", facts->ifb_trouble,
                       "NICs with limits of bandwidth",
                       "load the kernel module ifb, or use a kernel with CONFIG_IFB");
    judge_path(findings, "disks.loop", "loop devices", &facts->loop, "further disks",
               "load the kernel module loop");
    judge_path(findings, "disks.mkfs", "mkfs", &facts->mkfs, "further disks without a file system",
               "install e2fsprogs, or set [disks] mkfs");
    judge_path(findings, "disks.fuse", "FUSE", &facts->fuse, "further disks of the format qcow2",
               "load the kernel module fuse");
    judge_path(findings, "disks.image-server", "image server", &facts->image_server,
               "further disks of the format qcow2",
               "install qemu-system-common and qemu-utils, or set [disks] image_server");
}

static gchar *missing_controllers(const DoctorFacts *facts)
{
    static const char *const v1[] = {"memory", "cpu",     "cpuacct", "blkio",
                                     "pids",   "devices", "freezer", NULL};
    static const char *const v2[] = {"memory", "cpu", "io", "pids", NULL};
    const char *const *needed = facts->cgroup_version == 2 ? v2 : v1;
    g_auto(GStrv) present = g_strsplit_set(facts->cgroup_controllers.text, " \n", -1);
    g_autoptr(GStrvBuilder) missing = g_strv_builder_new();
    for (gsize i = 0; needed[i]; i++)
        if (!g_strv_contains((const gchar *const *)present, needed[i]))
            g_strv_builder_add(missing, needed[i]);
    g_auto(GStrv) list = g_strv_builder_end(missing);
    return g_strjoinv(", ", list);
}

static void judge_cgroup(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "kernel.cgroup", *const title = "cgroup";
    if (facts->cgroup_trouble) {
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "mount the cgroup file systems, or set [paths] cgroup to where they are", "%s",
                   facts->cgroup_trouble);
        return;
    }
    if (!facts->cgroup_controllers.text) {
        doctor_say(findings, DOCTOR_NOTE, id, title, "run doctor as root",
                   "version %u; the controllers cannot be looked at: %s", facts->cgroup_version,
                   facts->cgroup_controllers.unknown);
        return;
    }
    g_autofree gchar *missing = missing_controllers(facts);
    if (*missing)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "enable the controllers on the kernel's command line (cgroup_enable=…) or mount "
                   "them",
                   "version %u without the controllers %s: VMs run without those limits and "
                   "counters",
                   facts->cgroup_version, missing);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "version %u with all controllers needed",
                   facts->cgroup_version);
}

static void judge_tasks(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "kernel.pid-max", *const title = "process numbers";
    const char *const mend = "set kernel.pid_max = 4194304 in /etc/sysctl.d";
    gint64 max = facts->pid_max, now = facts->tasks;
    if (max < 0 || now < 0)
        doctor_say(findings, DOCTOR_NOTE, id, title, "look at /proc/sys/kernel/pid_max",
                   "cannot be looked at: /proc does not tell");
    else if (now * 100 > max * FULL_PERCENT)
        doctor_say(findings, DOCTOR_WARN, id, title, mend,
                   "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " are in use", now, max);
    else if (facts->config->pids_limit == 0 || facts->config->pids_limit >= (guint64)max)
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "set [vm] pids_limit well below kernel.pid_max, or raise the latter",
                   "one VM alone can use up all %" G_GINT64_FORMAT, max);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " in use, room for about "
                   "%" G_GINT64_FORMAT " small VMs more",
                   now, max, (max - now) / TASKS_PER_VM);
}

static void judge_neighbours(const DoctorFacts *facts, gsize family, GPtrArray *findings)
{
    static const char *const ids[] = {"kernel.neighbours4", "kernel.neighbours6"};
    static const char *const titles[] = {"IPv4 neighbours", "IPv6 neighbours"};
    gint64 max = facts->neighbours_max[family], now = facts->neighbours[family];
    gint64 expected = (gint64)facts->host_ends * NEIGHBOURS_PER_NIC;
    g_autofree gchar *mend = g_strdup_printf(
        "raise net.ipv%d.neigh.default.gc_thresh3 (and gc_thresh1, gc_thresh2 below it) in "
        "/etc/sysctl.d",
        family == 0 ? 4 : 6);
    if (max < 0 || now < 0)
        doctor_say(findings, DOCTOR_NOTE, ids[family], titles[family],
                   "run doctor in the host's own network namespace",
                   "cannot be looked at: /proc does not tell");
    else if (now * 100 > max * FULL_PERCENT || expected > max)
        doctor_say(findings, DOCTOR_WARN, ids[family], titles[family], mend,
                   "the table of all namespaces holds %" G_GINT64_FORMAT " of at most "
                   "%" G_GINT64_FORMAT ", and %u NICs need about %" G_GINT64_FORMAT
                   ": a full one looks like lost packets",
                   now, max, facts->host_ends, expected);
    else
        doctor_say(findings, DOCTOR_OK, ids[family], titles[family], NULL,
                   "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " in use, enough for about "
                   "%" G_GINT64_FORMAT " NICs",
                   now, max, max / NEIGHBOURS_PER_NIC);
}

static gboolean under(const char *path, const char *point)
{
    gsize length = strlen(point);
    if (g_str_equal(point, "/"))
        return TRUE;
    return strncmp(path, point, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* One line of mountinfo: id parent dev root POINT options [shared:N] [master:N] - type from SUPER
 */
static gboolean take_mount(const GStrv words, MountFact *mount)
{
    guint i = 6;
    for (; words[i] && !g_str_equal(words[i], "-"); i++) {
        if (g_str_has_prefix(words[i], "shared:"))
            mount->shared = (guint)g_ascii_strtoull(words[i] + 7, NULL, 10);
        else if (g_str_has_prefix(words[i], "master:"))
            mount->master = (guint)g_ascii_strtoull(words[i] + 7, NULL, 10);
    }
    if (!words[i] || !words[i + 1] || !words[i + 2] || !words[i + 3])
        return FALSE;
    mount->point = g_strcompress(words[4]);
    mount->options = g_strdup(words[i + 3]);
    return TRUE;
}

gboolean mount_fact_find(const char *text, const char *path, MountFact *mount)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (gsize i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
        g_auto(MountFact) one = {0};
        if (g_strv_length(words) < 10 || !take_mount(words, &one) || !under(path, one.point))
            continue;
        /* A later mount at the same place hides the earlier one. */
        if (mount->point && strlen(one.point) < strlen(mount->point))
            continue;
        mount_fact_clear(mount);
        *mount = one;
        one = (MountFact){0};
    }
    return mount->point != NULL;
}

void mount_fact_clear(MountFact *mount)
{
    g_free(mount->point);
    g_free(mount->options);
    *mount = (MountFact){0};
}

/* A mount made here shows up there when there is a peer of here, or its slave. */
static gboolean reaches(const DoctorFacts *facts)
{
    g_auto(MountFact) here = {0};
    g_auto(MountFact) there = {0};
    return mount_fact_find(facts->own_mounts.text, facts->netns_path, &here) &&
           mount_fact_find(facts->engine_mounts.text, facts->netns_path, &there) &&
           here.shared != 0 && g_str_equal(here.point, there.point) &&
           (there.shared == here.shared || there.master == here.shared);
}

static void judge_mounts(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "engine.netns-mount", *const title = "sandbox mounts";
    const char *unknown =
        facts->own_mounts.unknown ? facts->own_mounts.unknown : facts->engine_mounts.unknown;
    if (facts->same_mounts)
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "the engine sees %s: it is in this mount namespace", facts->netns_path);
    else if (unknown)
        doctor_say(findings, DOCTOR_NOTE, id, title,
                   "run doctor as root while the engine runs, on the engine's own host",
                   "whether the engine sees %s cannot be looked at: %s", facts->netns_path,
                   unknown);
    else if (reaches(facts))
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "mounts made in %s reach the engine's mount namespace", facts->netns_path);
    else
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "take MountFlags=, PrivateMounts= and the like out of the engine's unit, make "
                   "/run a shared mount (mount --make-shared /run), and restart the engine",
                   "sandboxes made in %s do not show in the engine's mount namespace, so no "
                   "container can join one",
                   facts->netns_path);
}

void doctor_judge_kernel(const DoctorFacts *facts, GPtrArray *findings)
{
    judge_features(facts, findings);
    judge_optionals(facts, findings);
    judge_cgroup(facts, findings);
    judge_tasks(facts, findings);
    judge_neighbours(facts, 0, findings);
    judge_neighbours(facts, 1, findings);
    judge_mounts(facts, findings);
}

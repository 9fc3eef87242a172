// SPDX-License-Identifier: Apache-2.0
/* The engine and the two runtimes: what its settings mean for VMs. */
#include "doctor_facts.h"

#include <string.h>
#include <sys/stat.h>

static const char *text_of(const json_t *info, const char *key)
{
    const char *text = json_string_value(json_object_get(info, key));
    return text ? text : "";
}

static gboolean is_true(const json_t *info, const char *key)
{
    return json_is_true(json_object_get(info, key));
}

/* DriverStatus is a list of pairs. */
static const char *driver_status(const json_t *info, const char *name)
{
    gsize i;
    json_t *pair;
    json_array_foreach (json_object_get(info, "DriverStatus"), i, pair) {
        const char *key = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));
        if (key && value && g_ascii_strcasecmp(key, name) == 0)
            return value;
    }
    return "";
}

/* The security option that begins with NAME ("name=seccomp"), NULL if there is none. */
static const char *security_option(const json_t *info, const char *name)
{
    gsize i;
    json_t *option;
    json_array_foreach (json_object_get(info, "SecurityOptions"), i, option) {
        const char *text = json_string_value(option);
        if (text && g_str_has_prefix(text, name))
            return text;
    }
    return NULL;
}

static void judge_cgroup(const DoctorFacts *facts, const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.cgroup-parent", *const title = "cgroup parent";
    const char *driver = text_of(info, "CgroupDriver");
    const char *parent = facts->config->cgroup_parent;
    gboolean systemd = g_str_equal(driver, "systemd");
    g_autofree gchar *mend =
        g_strdup_printf("set [vm] cgroup_parent = %s in %s", systemd ? "vmdock.slice" : "/vmdock",
                        facts->config->path);
    if (g_str_equal(driver, "none"))
        doctor_say(findings, DOCTOR_FAIL, id, title, "run the engine as root with cgroups",
                   "the engine has no cgroup driver, so VMs get no limits");
    else if (systemd != g_str_has_suffix(parent, ".slice"))
        doctor_say(findings, DOCTOR_FAIL, id, title, mend,
                   "the engine's cgroup driver is %s and refuses the parent %s", driver, parent);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s fits the cgroup driver %s", parent,
                   driver);
}

static void judge_limits(const json_t *info, GPtrArray *findings)
{
    static const struct {
        const char *key, *limit;
    } rows[] = {{"MemoryLimit", "memory"},
                {"SwapLimit", "swap"},
                {"CPUShares", "CPU weight"},
                {"CpuCfsQuota", "CPU quota"},
                {"PidsLimit", "pids"}};
    g_autoptr(GString) missing = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (!is_true(info, rows[i].key))
            g_string_append_printf(missing, "%s%s", missing->len > 0 ? ", " : "", rows[i].limit);
    if (missing->len > 0)
        doctor_say(findings, DOCTOR_WARN, "engine.limits", "limits",
                   "boot with cgroup_enable=memory swapaccount=1 on the kernel's command line, or "
                   "enable the missing controllers",
                   "the engine cannot limit: %s", missing->str);
    else
        doctor_say(findings, DOCTOR_OK, "engine.limits", "limits", NULL,
                   "memory, swap, CPU and pids can be limited");
}

/* The engine's folder on XFS with project quotas is where overlay2 can hold a VM to a size. */
static gboolean has_quota(const char *mounts, const json_t *info)
{
    g_auto(MountFact) mount = {0};
    if (!mounts || !g_str_equal(driver_status(info, "Backing Filesystem"), "xfs") ||
        !mount_fact_find(mounts, text_of(info, "DockerRootDir"), &mount))
        return FALSE;
    g_auto(GStrv) options = g_strsplit(mount.options, ",", -1);
    return g_strv_contains((const gchar *const *)options, "prjquota") ||
           g_strv_contains((const gchar *const *)options, "pquota");
}

static gboolean in_containerd(const json_t *info)
{
    return strstr(driver_status(info, "driver-type"), "io.containerd.snapshotter") != NULL;
}

gboolean doctor_storage_holds(const json_t *info, const char *mounts, gchar **driver,
                              gchar **backing)
{
    const char *name = text_of(info, "Driver");
    if (driver)
        *driver = g_strdup(name);
    if (backing)
        *backing = g_strdup(driver_status(info, "Backing Filesystem"));
    return !in_containerd(info) && (g_str_equal(name, "btrfs") || g_str_equal(name, "zfs") ||
                                    (g_str_equal(name, "overlay2") && has_quota(mounts, info)));
}

static void judge_storage(const DoctorFacts *facts, const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.storage", *const title = "storage";
    const char *driver = text_of(info, "Driver");
    const char *backing = driver_status(info, "Backing Filesystem");
    if (*driver == '\0')
        doctor_say(findings, DOCTOR_NOTE, id, title, "look at `docker info`",
                   "the engine does not tell its storage driver");
    else if (in_containerd(info))
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "set \"features\": {\"containerd-snapshotter\": false} in daemon.json, or leave "
                   "disk sizes out of templates",
                   "images are in containerd's store (%s), which ignores a disk's size", driver);
    else if (g_str_equal(driver, "vfs"))
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "set \"storage-driver\": \"overlay2\" in daemon.json",
                   "the storage driver vfs copies the whole image for every VM");
    else if (doctor_storage_holds(info, facts->own_mounts.text, NULL, NULL))
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s can hold a disk to its size", driver);
    else
        doctor_say(findings, DOCTOR_NOTE, id, title,
                   "put the engine's folder on XFS mounted with the option pquota",
                   "%s on %s cannot hold a disk to its size: one VM can fill the file system",
                   driver, *backing ? backing : "an unknown file system");
}

static void judge_live_restore(const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.live-restore", *const title = "live restore";
    if (is_true(info, "LiveRestoreEnabled"))
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "VMs go on while the engine restarts");
    else
        doctor_say(
            findings, DOCTOR_WARN, id, title,
            "vmdock-setup node --live-restore sets \"live-restore\": true in daemon.json and "
            "has the engine read it",
            "live-restore is off: a restart or upgrade of the engine stops every VM");
}

static void judge_namespaces(const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.user-namespace", *const title = "user namespace";
    if (security_option(info, "name=userns"))
        doctor_say(findings, DOCTOR_FAIL, id, title, "take \"userns-remap\" out of daemon.json",
                   "the engine remaps users (userns-remap), and such a container cannot join a "
                   "sandbox");
    else if (security_option(info, "name=rootless"))
        doctor_say(findings, DOCTOR_FAIL, id, title, "use an engine that runs as root",
                   "the engine runs rootless, and such a container cannot join a sandbox");
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "containers are in the host's");
}

static void judge_seccomp(const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.seccomp", *const title = "seccomp";
    const char *option = security_option(info, "name=seccomp");
    if (!option || strstr(option, "unconfined"))
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "use a kernel with seccomp, and no \"seccomp-profile\": \"unconfined\" in "
                   "daemon.json",
                   "the engine applies no seccomp profile to its containers");
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "the engine's profile is in force");
}

static void judge_default_runtime(const DoctorFacts *facts, const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.default-runtime", *const title = "default runtime";
    const char *name = text_of(info, "DefaultRuntime");
    if (g_str_equal(name, facts->config->runtime_name))
        doctor_say(findings, DOCTOR_NOTE, id, title,
                   "set \"default-runtime\": \"runc\" in daemon.json",
                   "every container of this host goes through %s, not only VMs", name);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s; containers that are no VMs use it",
                   *name ? name : "the engine's own");
}

/* Where vmdock sets a log size it also sets the driver, json-file. */
static void judge_logging(const DoctorFacts *facts, const json_t *info, GPtrArray *findings)
{
    const char *const id = "engine.logging", *const title = "logging driver";
    const char *driver = text_of(info, "LoggingDriver");
    if (facts->config->log_max_bytes > 0)
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "json-file for VMs, with a bound");
    else if (g_str_equal(driver, "none"))
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "set [vm] log_max_bytes, or another \"log-driver\" in daemon.json",
                   "the engine keeps no output, so neither logs nor the error of a VM that dies "
                   "early can show any");
    else
        doctor_say(findings, DOCTOR_NOTE, id, title, "set [vm] log_max_bytes",
                   "VMs use the engine's own (%s), and vmdock bounds no log's size", driver);
}

static void judge_socket(const DoctorFacts *facts, GPtrArray *findings)
{
    const DoctorPath *socket = &facts->engine_socket;
    if (socket->err != 0)
        return;
    if (socket->mode & S_IWOTH)
        doctor_say(findings, DOCTOR_FAIL, "engine.socket", "engine socket",
                   "take the right away: chmod o-rwx on the socket, and in docker.socket "
                   "SocketMode=0660",
                   "every user of this host may write %s, which is root without a password",
                   socket->path);
    else
        doctor_say(findings, DOCTOR_OK, "engine.socket", "engine socket", NULL,
                   "%s is closed to others than root and its group", socket->path);
}

static void judge_program(const DoctorPath *program, const char *id, const char *title,
                          const char *mend, GPtrArray *findings)
{
    if (program->path[0] != '/')
        doctor_say(findings, DOCTOR_WARN, id, title, mend,
                   "%s is no absolute path, so the engine's PATH decides which program it is",
                   program->path);
    else if (program->err != 0)
        doctor_say(findings, DOCTOR_FAIL, id, title, mend, "%s: %s", program->path,
                   g_strerror(program->err));
    else if (!S_ISREG(program->mode) || !(program->mode & S_IXUSR))
        doctor_say(findings, DOCTOR_FAIL, id, title, mend, "%s is no executable file",
                   program->path);
    else if (program->weak)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "give it to root and let nobody else write it (chown root, chmod go-w)",
                   "%s runs as root, and others than root may write %s", program->path,
                   program->weak);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s", program->path);
}

static void judge_runtime(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *name = facts->config->runtime_name;
    g_autofree gchar *mend = g_strdup_printf(
        "vmdock-setup node registers it; by hand: \"runtimes\": {\"%s\": {\"path\": "
        "…}} in daemon.json, by its absolute path, then reload the engine (SIGHUP)",
        name);
    if (facts->runtime.path && facts->runtime_foreign)
        doctor_say(findings, DOCTOR_WARN, "runtime.registered", "vmdock-runtime", mend,
                   "%s is another program than %s/vmdock-runtime", facts->runtime.path,
                   VMDOCK_LIBEXECDIR);
    else if (facts->runtime.path)
        judge_program(&facts->runtime, "runtime.registered", "vmdock-runtime", mend, findings);
    else if (facts->engine_info)
        doctor_say(findings, DOCTOR_FAIL, "runtime.registered", "vmdock-runtime", mend,
                   "the engine knows no runtime \"%s\" with a path", name);
    else
        doctor_say(findings, DOCTOR_NOTE, "runtime.registered", "vmdock-runtime", mend,
                   "cannot be looked at: the engine's settings are unknown");
    judge_program(&facts->runtime_real, "runtime.real", "real runtime",
                  "install runc, or set [runtime] real to the OCI runtime of this host", findings);
}

static void judge_settings(const DoctorFacts *facts, GPtrArray *findings)
{
    const json_t *info = facts->engine_info;
    judge_cgroup(facts, info, findings);
    judge_limits(info, findings);
    judge_storage(facts, info, findings);
    judge_live_restore(info, findings);
    judge_namespaces(info, findings);
    judge_seccomp(info, findings);
    judge_logging(facts, info, findings);
    judge_default_runtime(facts, info, findings);
}

void doctor_judge_engine(const DoctorFacts *facts, GPtrArray *findings)
{
    if (facts->engine_trouble) {
        doctor_say(findings, DOCTOR_FAIL, "engine", "engine",
                   "start the engine (systemctl start docker), or set [engine] socket to where it "
                   "listens",
                   "%s", facts->engine_trouble);
        doctor_say(findings, DOCTOR_NOTE, "engine.settings", "engine settings",
                   "start the engine and run doctor again",
                   "cannot be looked at: the engine does not answer");
    } else {
        doctor_say(findings, DOCTOR_OK, "engine", "engine", NULL, "version %s, API %s",
                   facts->engine_version, facts->engine_api);
    }
    judge_socket(facts, findings);
    if (facts->engine_info)
        judge_settings(facts, findings);
    else if (facts->info_trouble)
        doctor_say(findings, DOCTOR_NOTE, "engine.settings", "engine settings",
                   "run doctor again, with a longer [engine] request_timeout_ms if it timed out",
                   "cannot be looked at: %s", facts->info_trouble);
    judge_runtime(facts, findings);
}

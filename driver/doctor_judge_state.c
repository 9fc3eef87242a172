// SPDX-License-Identifier: Apache-2.0
/* The configuration, the state directories, what is left over, and the room on disk. */
#include "doctor_facts.h"

#include <errno.h>
#include <sys/stat.h>

enum { LOW_PERCENT = 10 };
#define LOW_BYTES (G_GUINT64_CONSTANT(1) << 30)

static void judge_file(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "config.file", *const title = "configuration";
    if (facts->config_trouble)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "correct the file (vmdock.conf(5)); meanwhile doctor goes by the defaults", "%s",
                   facts->config_trouble);
    else if (facts->config_file.err == ENOENT)
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s is not there: the defaults hold",
                   facts->config_file.path);
    else if (facts->config_file.weak)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "give it to root and let nobody else write it (chown root, chmod go-w)",
                   "others than root may write %s, and so change %s", facts->config_file.weak,
                   facts->config_file.path);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s", facts->config_file.path);
}

static void judge_credentials(const DoctorFacts *facts, GPtrArray *findings)
{
    const DoctorPath *file = &facts->credentials;
    if (file->err != 0)
        return;
    g_autofree gchar *mend =
        g_strdup_printf("chown root %s; chmod 0600 %s", file->path, file->path);
    if (file->uid != 0 || (file->mode & 077) != 0)
        doctor_say(findings, DOCTOR_FAIL, "config.credentials", "registry credentials", mend,
                   "others than root may read %s", file->path);
}

static void judge_times(const Config *config, GPtrArray *findings)
{
    const char *const title = "time limits";
    guint before = findings->len;
    if (config->lock_wait_ms < config->stop_timeout_s * 1000)
        doctor_say(findings, DOCTOR_WARN, "config.lock-wait", title,
                   "set [vm] lock_wait_ms above 1000 times stop_timeout_s",
                   "an action gives up waiting for another one after %" G_GUINT64_FORMAT
                   " ms, and a shutdown may take %" G_GUINT64_FORMAT " s",
                   config->lock_wait_ms, config->stop_timeout_s);
    if (config->engine_pull_stall_ms > config->engine_pull_ms)
        doctor_say(findings, DOCTOR_NOTE, "config.pull", title,
                   "set [engine] pull_stall_timeout_ms below pull_timeout_ms",
                   "a stalled pull is never noticed before its whole time is over");
    if (config->engine_connect_ms > config->engine_request_ms ||
        config->engine_connect_ms > config->engine_poll_ms)
        doctor_say(findings, DOCTOR_NOTE, "config.connect", title,
                   "set [engine] connect_timeout_ms below request_timeout_ms and poll_timeout_ms",
                   "a request's time can be over before the time to connect is");
    if (findings->len == before)
        doctor_say(findings, DOCTOR_OK, "config.times", title, NULL, "they fit together");
}

static gboolean any_listed(const GStrv list, const char *const *names)
{
    for (gsize i = 0; list[i]; i++)
        if (g_strv_contains(names, list[i]))
            return TRUE;
    return FALSE;
}

static void judge_policy(const Config *config, GPtrArray *findings)
{
    static const char *const root_like[] = {
        "ALL",        "SYS_ADMIN",       "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT",
        "SYS_PTRACE", "DAC_READ_SEARCH", "BPF",        NULL};
    const char *const id = "config.policy", *const title = "policy";
    g_autofree gchar *devices = g_strjoinv(", ", config->allow_devices);
    if (config->allow_privileged)
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "set [policy] privileged = false and allow single capabilities and devices",
                   "privileged VMs are allowed: whoever writes a template is root on this host");
    else if (any_listed(config->allow_capabilities, root_like))
        doctor_say(findings, DOCTOR_WARN, id, title,
                   "allow a lesser capability in [policy] capabilities",
                   "a capability is allowed by which a VM can leave its container");
    else if (config->allow_devices[0])
        doctor_say(findings, DOCTOR_NOTE, id, title,
                   "keep in [policy] devices only what the authors of templates may have",
                   "VMs may ask for the devices %s", devices);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "no privilege and no device beyond the engine's defaults");
}

void doctor_judge_config(const DoctorFacts *facts, GPtrArray *findings)
{
    judge_file(facts, findings);
    judge_credentials(facts, findings);
    judge_times(facts->config, findings);
    judge_policy(facts->config, findings);
    if (!g_str_equal(facts->config->netns_dir, "/run/netns"))
        doctor_say(findings, DOCTOR_NOTE, "config.netns", "namespace names",
                   "set [paths] netns = /run/netns",
                   "sandboxes are in %s, where `ip netns` does not look", facts->config->netns_dir);
}

static void judge_folder(const DoctorPath *folder, const char *id, const char *title,
                         GPtrArray *findings)
{
    g_autofree gchar *mend =
        g_strdup_printf("chown root %s; chmod go-w %s", folder->weak ? folder->weak : folder->path,
                        folder->weak ? folder->weak : folder->path);
    if (folder->err == ENOENT)
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s is made when first needed",
                   folder->path);
    else if (folder->err != 0)
        doctor_say(findings, DOCTOR_NOTE, id, title, "run doctor as root", "%s: %s", folder->path,
                   g_strerror(folder->err));
    else if (!S_ISDIR(folder->mode))
        doctor_say(findings, DOCTOR_FAIL, id, title, "move it away", "%s is no folder",
                   folder->path);
    else if (folder->weak)
        doctor_say(findings, DOCTOR_FAIL, id, title, mend,
                   "others than root may write %s, and so decide what root does with VMs",
                   folder->weak);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s is root's alone", folder->path);
}

static gboolean low(guint64 free_now, guint64 all)
{
    return all > 0 && free_now * 100 < all * LOW_PERCENT;
}

static void judge_space(const DoctorSpace *space, const char *id, const char *title,
                        const char *mend, GPtrArray *findings)
{
    if (!space->path || space->err != 0) {
        doctor_say(findings, DOCTOR_NOTE, id, title, "look with df(1)", "cannot be looked at: %s",
                   space->path ? g_strerror(space->err) : "the engine's folder is not known");
        return;
    }
    g_autofree gchar *free_now = g_format_size_full(space->bytes_free, G_FORMAT_SIZE_IEC_UNITS);
    if (space->bytes_free == 0 || (space->files > 0 && space->files_free == 0))
        doctor_say(findings, DOCTOR_FAIL, id, title, mend, "the file system of %s is full",
                   space->path);
    else if ((low(space->bytes_free, space->bytes) && space->bytes_free < 10 * LOW_BYTES) ||
             space->bytes_free < LOW_BYTES)
        doctor_say(findings, DOCTOR_WARN, id, title, mend, "%s is free in %s", free_now,
                   space->path);
    else if (low(space->files_free, space->files))
        doctor_say(findings, DOCTOR_WARN, id, title, mend,
                   "%" G_GUINT64_FORMAT " inodes are free in %s", space->files_free, space->path);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s is free in %s", free_now, space->path);
}

static void judge_leftovers(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "state.leftovers", *const title = "leftovers";
    if (facts->leftovers_trouble)
        doctor_say(findings, DOCTOR_NOTE, id, title, "mend the above and run doctor again",
                   "cannot be looked for: %s", facts->leftovers_trouble);
    else if (facts->leftovers->len > 0)
        doctor_say(findings, DOCTOR_WARN, id, title, "vmdock gc", "%u found, first: %s",
                   facts->leftovers->len, (const char *)g_ptr_array_index(facts->leftovers, 0));
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "none");
    if (facts->idle_names && facts->idle_names->len > 0)
        doctor_say(findings, DOCTOR_NOTE, "state.idle-images", "held images",
                   "if its VM is gone: vmdock purge VM",
                   "%u images are held for VMs without a container, first: %s",
                   facts->idle_names->len, (const char *)g_ptr_array_index(facts->idle_names, 0));
}

void doctor_judge_state(const DoctorFacts *facts, GPtrArray *findings)
{
    judge_folder(&facts->state_dir, "state.folder", "state folder", findings);
    judge_folder(&facts->run_dir, "state.run", "run folder", findings);
    judge_leftovers(facts, findings);
    judge_space(&facts->state_space, "state.space", "room for state",
                "make room, or put [paths] state on a larger file system", findings);
    judge_space(&facts->engine_space, "engine.space", "room for disks",
                "remove VMs and images that are no longer needed, or enlarge the file system",
                findings);
}

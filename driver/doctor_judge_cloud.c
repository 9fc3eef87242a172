// SPDX-License-Identifier: Apache-2.0
/* How the cloud reaches vmdock: its user, sudo, the scripts. */
#include "doctor_facts.h"

#include <errno.h>
#include <sys/stat.h>

static void judge_agent(const DoctorFacts *facts, const SudoGrants *grants, GPtrArray *findings)
{
    const char *const id = "cloud.sudo", *const title = "sudo";
    const char *user = facts->config->opennebula_user;
    if (!grants->agent && grants->everything)
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "%s may run everything as root", user);
    else if (!grants->agent)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "vmdock-setup node puts /etc/sudoers.d/vmdock-one in place",
                   "sudo does not list vmdock-one for %s as root without a password", user);
    else if (facts->agent.err != 0 || !(facts->agent.mode & S_IXUSR))
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "install vmdock again with the prefix that sudoers names, or correct "
                   "/etc/sudoers.d/vmdock-one",
                   "%s may run %s, which is no program: %s", user, grants->agent,
                   g_strerror(facts->agent.err ? facts->agent.err : EACCES));
    else if (facts->agent.weak)
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "give it to root and let nobody else write it (chown root, chmod go-w)",
                   "%s runs as root for %s, and others than root may write %s", grants->agent, user,
                   facts->agent.weak);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL,
                   "%s may run %s as root (and %u commands that are not vmdock's)", user,
                   grants->agent, grants->others);
}

static void judge_sudo(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *user = facts->config->opennebula_user;
    if (!facts->sudo.text) {
        doctor_say(findings, DOCTOR_NOTE, "cloud.sudo", "sudo",
                   "run doctor as root with sudo installed",
                   "what %s may run cannot be looked at: %s", user, facts->sudo.unknown);
        return;
    }
    g_autoptr(SudoGrants) grants = sudo_grants_parse(facts->sudo.text);
    judge_agent(facts, grants, findings);
    g_autoptr(GString) doors = g_string_new(grants->everything ? "ALL" : NULL);
    for (guint i = 0; i < grants->root_doors->len; i++)
        g_string_append_printf(doors, "%s%s", doors->len > 0 ? ", " : "",
                               (const char *)g_ptr_array_index(grants->root_doors, i));
    if (doors->len > 0)
        doctor_say(findings, DOCTOR_WARN, "cloud.root-doors", "sudo beyond vmdock-one",
                   "take these out of sudoers: vmdock needs vmdock-one alone",
                   "%s may run as root: %s, which is as good as being root", user, doors->str);
}

static void judge_groups(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *user = facts->config->opennebula_user;
    const char *groups[] = {facts->engine_socket_group, "docker"};
    for (gsize i = 0; facts->user_groups && i < G_N_ELEMENTS(groups); i++) {
        if (!groups[i] || g_str_equal(groups[i], "root") ||
            !g_strv_contains((const gchar *const *)facts->user_groups, groups[i]))
            continue;
        g_autofree gchar *mend = g_strdup_printf("gpasswd -d %s %s", user, groups[i]);
        doctor_say(findings, DOCTOR_WARN, "cloud.docker-group", "engine's group", mend,
                   "%s is in the group %s, which is root without a password", user, groups[i]);
        return;
    }
    doctor_say(findings, DOCTOR_OK, "cloud.docker-group", "engine's group", NULL,
               "%s cannot write the engine's socket", user);
}

static void judge_remotes(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "cloud.remotes", *const title = "remotes";
    const char *const mend = "on the front end: vmdock-setup front-end, then onehost sync --force";
    if (facts->remotes.err != 0)
        doctor_say(findings, DOCTOR_NOTE, id, title, mend,
                   "%s: %s; the front end copies its remotes there when it first sees this host",
                   facts->remotes.path, g_strerror(facts->remotes.err));
    else if (facts->remotes_deploy.err != 0 || !(facts->remotes_deploy.mode & S_IXUSR))
        doctor_say(findings, DOCTOR_FAIL, id, title, mend, "%s: %s", facts->remotes_deploy.path,
                   g_strerror(facts->remotes_deploy.err ? facts->remotes_deploy.err : EACCES));
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "the driver's scripts are in %s",
                   facts->remotes.path);
}

static void judge_skopeo(const DoctorFacts *facts, GPtrArray *findings)
{
    const char *const id = "cloud.skopeo", *const title = "moves of instances";
    const char *registry = facts->config->nova_registry;
    if (!facts->skopeo.path)
        return;
    if (facts->skopeo.err != 0 || !(facts->skopeo.mode & S_IXUSR))
        doctor_say(findings, DOCTOR_FAIL, id, title,
                   "apt-get install skopeo, or set [datastore] skopeo",
                   "%s: %s, so no instance of Nova can move through %s", facts->skopeo.path,
                   g_strerror(facts->skopeo.err ? facts->skopeo.err : EACCES), registry);
    else
        doctor_say(findings, DOCTOR_OK, id, title, NULL, "instances of Nova move through %s",
                   registry);
}

void doctor_judge_cloud(const DoctorFacts *facts, GPtrArray *findings)
{
    judge_skopeo(facts, findings);
    const char *user = facts->config->opennebula_user;
    if (!facts->user_there) {
        doctor_say(findings, DOCTOR_NOTE, "cloud.user", "OpenNebula's user",
                   "install OpenNebula's node package, or set [opennebula] user; nothing to do "
                   "without OpenNebula",
                   "there is no user %s on this host, so sudo and remotes are not looked at", user);
        return;
    }
    judge_sudo(facts, findings);
    judge_groups(facts, findings);
    judge_remotes(facts, findings);
}

// SPDX-License-Identifier: Apache-2.0
/* What `sudo -l -U USER` grants. Pure. */
#include "doctor_facts.h"

#include <string.h>

/* Programs that give whoever may run them as root a root shell sooner or later. */
static const char *const root_doors[] = {
    "vmdock", "vmdock-runtime", "docker",  "podman",  "nerdctl", "ctr",  "crictl", "runc",
    "crun",   "nsenter",        "unshare", "chroot",  "sh",      "bash", "dash",   "zsh",
    "su",     "sudo",           "env",     "python3", "perl",    "ruby", NULL};

void sudo_grants_free(SudoGrants *grants)
{
    g_free(grants->agent);
    g_ptr_array_unref(grants->root_doors);
    g_free(grants);
}

/* One command, its tags still in front: "NOPASSWD: /usr/bin/x arg". *free_now is carried over. */
static void take_command(SudoGrants *grants, const char *command, gboolean *free_now)
{
    g_auto(GStrv) words = g_strsplit_set(command, " ", -1);
    gsize i = 0;
    for (; words[i] && (g_str_has_suffix(words[i], ":") || *words[i] == '\0'); i++) {
        if (g_str_equal(words[i], "NOPASSWD:"))
            *free_now = TRUE;
        else if (g_str_equal(words[i], "PASSWD:"))
            *free_now = FALSE;
    }
    if (!words[i] || words[i][0] == '!')
        return;
    g_autofree gchar *name = g_path_get_basename(words[i]);
    if (g_str_equal(words[i], "ALL"))
        grants->everything = TRUE;
    else if (g_str_equal(name, "vmdock-one") && *free_now && !grants->agent)
        grants->agent = g_strdup(words[i]);
    else if (g_strv_contains(root_doors, name))
        g_ptr_array_add(grants->root_doors, g_strdup(words[i]));
    else
        grants->others++;
}

/* "(root) NOPASSWD: /a, /b x\,y": commas inside arguments are escaped. */
static void take_grant(SudoGrants *grants, const char *line)
{
    const char *end = strchr(line, ')');
    if (line[0] != '(' || !end)
        return;
    g_autofree gchar *users = g_strndup(line + 1, (gsize)(end - line - 1));
    g_auto(GStrv) as = g_strsplit_set(users, ",: ", -1);
    if (!g_strv_contains((const gchar *const *)as, "root") &&
        !g_strv_contains((const gchar *const *)as, "ALL"))
        return;
    g_autoptr(GRegex) comma = g_regex_new("(?<!\\\\), *", G_REGEX_RAW, 0, NULL);
    g_auto(GStrv) commands = g_regex_split(comma, end + 1, 0);
    gboolean free_now = FALSE;
    for (gsize i = 0; commands[i]; i++)
        take_command(grants, commands[i], &free_now);
}

SudoGrants *sudo_grants_parse(const char *listing)
{
    SudoGrants *grants = g_new0(SudoGrants, 1);
    grants->root_doors = g_ptr_array_new_with_free_func(g_free);
    const char *begin = strstr(listing, "may run the following");
    g_auto(GStrv) lines = g_strsplit(begin ? begin : "", "\n", -1);
    for (gsize i = 0; lines[i]; i++)
        take_grant(grants, g_strstrip(lines[i]));
    return grants;
}

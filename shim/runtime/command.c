// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MAX_ID = 200 };

/* Options that take a value in the next argument, of runc and crun together: " name name ". */
static const char global_values[] =
    " log log-format log-level root criu rootless cgroup-manager l r ";

static const struct verb {
    const char *name;
    VerbKind kind;
    const char *values;
} verbs[] = {
    {"create", VERB_BIRTH, " bundle b config f console-socket pid-file pidfd-socket preserve-fds "},
    {"start", VERB_LIFE, ""},
    {"state", VERB_LIFE, ""},
    {"kill", VERB_LIFE, ""},
    {"delete", VERB_DEATH, ""},
    {"exec", VERB_LIFE,
     " additional-gids apparmor c cap cgroup console-socket cwd e env g p pid-file pidfd-socket "
     "preserve-fds process process-label u user "},
    {"update", VERB_LIFE,
     " blkio-weight cpu-burst cpu-idle cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-share "
     "cpuset-cpus cpuset-mems kernel-memory kernel-memory-tcp l3-cache-schema mem-bw-schema memory "
     "memory-reservation memory-swap pids-limit r resources "},
    {"ps", VERB_LIFE, " f format "},
    {"events", VERB_LIFE, " interval "},
    {"pause", VERB_LIFE, ""},
    {"resume", VERB_LIFE, ""},
    {"checkpoint", VERB_LIFE,
     " empty-ns image-path manage-cgroups-mode page-server parent-path status-fd work-path "},
    {"run", VERB_BIRTH, " bundle b config f console-socket pid-file pidfd-socket preserve-fds "},
    {"restore", VERB_BIRTH,
     " bundle b console-socket empty-ns image-path lsm-mount-context lsm-profile "
     "manage-cgroups-mode pid-file work-path "},
    {"features", VERB_OTHER, ""},
    {"help", VERB_OTHER, ""},
    {"h", VERB_OTHER, ""},
    {"list", VERB_OTHER, ""},
    {"spec", VERB_OTHER, ""},
};

static const struct verb *find_verb(const char *word)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(word, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static bool named(const char *list, const char *name, size_t length)
{
    for (const char *at = list; *at;) {
        at += strspn(at, " ");
        size_t here = strcspn(at, " ");
        if (here == length && here > 0 && strncmp(at, name, length) == 0)
            return true;
        at += here;
    }
    return false;
}

typedef struct {
    const char *name; /* without dashes */
    size_t length;
    const char *value; /* NULL if it has none */
} Option;

/* A word that is no option: "-" alone is one, too. */
static bool is_word(const char *argument)
{
    return argument[0] != '-' || argument[1] == '\0';
}

/* Reads the option at *ARGV and, if it is one of VALUES, moves *ARGV onto its value. */
static Option take_option(char *const **argv, const char *values)
{
    const char *name = **argv + ((**argv)[1] == '-' ? 2 : 1);
    Option option = {.name = name, .length = strcspn(name, "=")};
    if (name[option.length] == '=')
        option.value = name + option.length + 1;
    else if (named(values, name, option.length) && (*argv)[1])
        option.value = *++*argv;
    return option;
}

static bool is(const Option *option, const char *name)
{
    return option->value && strlen(name) == option->length &&
           strncmp(option->name, name, option->length) == 0;
}

static bool id_fit(const char *id)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+.-";
    size_t length = strlen(id);
    return length > 0 && length <= MAX_ID && strspn(id, letters) == length && id[0] != '.';
}

/* What follows the verb. Options behind the id count only where the rest is not a command. */
static void take_arguments(char *const *argv, const struct verb *verb, Command *command)
{
    bool options = true;
    const char *id = NULL;
    for (; *argv; argv++) {
        if (options && strcmp(*argv, "--") == 0) {
            options = false;
        } else if (!options || is_word(*argv)) {
            id = id ? id : *argv;
            if (verb->kind != VERB_BIRTH)
                break;
        } else {
            Option option = take_option(&argv, verb->values);
            if (is(&option, "bundle") || is(&option, "b"))
                command->bundle = option.value;
            else if (is(&option, "config") || is(&option, "f"))
                command->config = option.value;
        }
    }
    command->id = id && id_fit(id) ? id : NULL;
}

Command command_parse(char *const *argv)
{
    Command command = {.kind = VERB_OTHER, .bundle = "."};
    if (!argv[0])
        return command;
    for (argv++; *argv; argv++) {
        if (is_word(*argv)) {
            /* The value of an option that is not known here comes before the verb: look on. */
            const struct verb *verb = find_verb(*argv);
            if (!verb)
                continue;
            command.kind = verb->kind;
            command.verb = verb->name;
            if (verb->kind != VERB_OTHER)
                take_arguments(argv + 1, verb, &command);
            return command;
        }
        Option option = take_option(&argv, global_values);
        if (is(&option, "log") || is(&option, "l"))
            command.log = option.value;
        else if (is(&option, "log-format"))
            command.log_format = option.value;
    }
    return command;
}

// SPDX-License-Identifier: Apache-2.0
#include "runtime.h"

#include "bundle.h"
#include "command.h"
#include "complaint.h"
#include "lookup.h"
#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
    MAX_BUNDLE = 16 << 20,
    STATUS_REFUSED = 1,
    STATUS_NOT_RUNNABLE = 126,
    STATUS_NOT_FOUND = 127,
    STATUS_SIGNAL = 128,
    SHORT_ID = 12,
    MAX_SENTENCE = 1000,
};

/* An exec loop is the one misconfiguration that would not end by itself. */
static bool is_myself(const char *path)
{
    struct stat real, own;
    return stat(path, &real) == 0 && stat("/proc/self/exe", &own) == 0 &&
           real.st_dev == own.st_dev && real.st_ino == own.st_ino;
}

/* Becomes REAL. Returns the exit status if it cannot. */
static int become(const Command *command, const char *real, char **argv)
{
    autofree char *sentence = NULL;
    int status = STATUS_NOT_RUNNABLE;
    if (is_myself(real)) {
        plain_fail(&sentence, "the real runtime %s is vmdock-runtime itself", real);
    } else {
        argv[0] = (char *)real;
        execv(real, argv);
        status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUNNABLE;
        plain_fail(&sentence, "cannot run the real runtime %s: %s", real, strerror(errno));
    }
    complain(command, sentence);
    return status;
}

/* Where the bundle's description is. */
typedef struct {
    char *folder;
    const char *name;
} Place;

static Place place_of(const Command *command)
{
    if (!command->config)
        return (Place){plain_print("%s", command->bundle), "config.json"};
    const char *slash = strrchr(command->config, '/');
    if (!slash)
        return (Place){plain_print("."), command->config};
    return (Place){plain_print("%.*s/", (int)(slash - command->config), command->config),
                   slash + 1};
}

/* What is done with one bundle. */
typedef struct {
    const Settings *settings;
    const Command *command;
    Place place;
    char *text;
    size_t length;
    struct stat status;
} Birth;

static void birth_clear(Birth *birth)
{
    free(birth->place.folder);
    free(birth->text);
}
#define autobirth __attribute__((cleanup(birth_clear)))

static bool read_bundle(Birth *birth, char **error)
{
    birth->place = place_of(birth->command);
    autofree char *path = plain_print("%s/%s", birth->place.folder, birth->place.name);
    PlainResult result = plain_read(path, MAX_BUNDLE, PLAIN_ANY, &birth->text, &birth->length,
                                    &birth->status, error);
    return result == PLAIN_READ ||
           (result == PLAIN_MISSING &&
            plain_fail(error, "cannot read %s: %s", path, strerror(ENOENT)));
}

/* Writes the VM's sandbox into the bundle; *REAL is set if vmdock names the VM's runtime. */
static bool join(const Birth *birth, char **real, char **error)
{
    autovm LookupVm vm = {0};
    if (!lookup_vm(birth->settings, birth->command->id, &vm, error))
        return false;
    size_t length = 0;
    const BundleChange change = {vm.netns, vm.keep_hook, vm.mounts, vm.mount_count};
    autofree char *joined = bundle_join(birth->text, birth->length, &change, &length, error);
    if (!joined || !plain_replace(birth->place.folder, birth->place.name, joined, length,
                                  &birth->status, error))
        return plain_prefix(error, "VM %s", vm.vm);
    *real = vm.real;
    vm.real = NULL;
    return true;
}

static bool prepare(Birth *birth, char **real, char **error)
{
    const char *id = birth->command->id;
    if (!read_bundle(birth, error))
        return false;
    switch (bundle_owner(birth->text, birth->length, birth->settings->cgroup_parent, id, error)) {
    case BUNDLE_REFUSED:
        return plain_prefix(error, "container %.*s", SHORT_ID, id ? id : "without an id");
    case BUNDLE_OURS:
        if (!join(birth, real, error))
            return false;
        break;
    case BUNDLE_FOREIGN:
        break;
    }
    if (!*real)
        *real = plain_print("%s", birth->settings->real);
    return !id || lookup_record_real(birth->settings, id, *real, error);
}

/* Waits for CHILD and hands on to it the signals in SIGNALS, which are blocked. */
static int attend(pid_t child, const sigset_t *signals)
{
    for (;;) {
        int status, number = sigwaitinfo(signals, NULL);
        if (number > 0 && number != SIGCHLD)
            kill(child, number);
        if (waitpid(child, &status, WNOHANG) == child) {
            if (WIFEXITED(status))
                return WEXITSTATUS(status);
            if (WIFSIGNALED(status))
                return STATUS_SIGNAL + WTERMSIG(status);
        }
    }
}

static void block(const int *numbers, sigset_t *signals, sigset_t *before)
{
    sigemptyset(signals);
    for (; *numbers; numbers++)
        sigaddset(signals, *numbers);
    sigprocmask(SIG_BLOCK, signals, before);
}

/* How a child is, before it becomes another program. */
typedef struct {
    const sigset_t *mask;
    const struct sigaction *on_child;
    pid_t parent;
} Inherit;

/* It dies with this process, as it would if it had taken its place. */
static bool inherit(const Inherit *from)
{
    sigaction(SIGCHLD, from->on_child, NULL);
    sigprocmask(SIG_SETMASK, from->mask, NULL);
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == from->parent;
}

/* Runs BECOME, which does not return, in a process of its own, and waits for it; its status. */
static int run_child(const Command *command, void (*become_child)(void *data), void *data)
{
    static const int handed_on[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, 0};
    sigset_t signals, before;
    struct sigaction usual = {.sa_handler = SIG_DFL}, inherited;
    block(handed_on, &signals, &before);
    sigaction(SIGCHLD, &usual, &inherited);
    const Inherit from = {&before, &inherited, getpid()};
    pid_t child = fork();
    if (child == 0) {
        if (inherit(&from))
            become_child(data);
        _exit(STATUS_NOT_RUNNABLE);
    }
    int status = STATUS_NOT_RUNNABLE;
    if (child < 0) {
        autofree char *sentence = plain_print("cannot start a process: %s", strerror(errno));
        complain(command, sentence);
    } else {
        status = attend(child, &signals);
    }
    sigaction(SIGCHLD, &inherited, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* ---- NICs that the engine plugs in ----------------------------------------------------------- */

typedef struct {
    char *program, *verb, *id;
    int said; /* what it writes its sentence to */
} Plug;

static void become_plug(void *data)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    const Plug *plug = data;
    char *argv[] = {plug->program, plug->verb, plug->id, NULL};
    char *environment[] = {path, NULL};
    if (dup2(plug->said, STDERR_FILENO) >= 0)
        execve(plug->program, argv, environment);
}

/* The program beside this one. */
static char *beside(const char *name)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(own, '/');
    return plain_print("%.*s/%s", slash ? (int)(slash - own) : 0, own, name);
}

/* What was said, on one line; a pipe holds more than a sentence, so nobody need read meanwhile. */
static char *heard(int fd)
{
    char text[MAX_SENTENCE + 1];
    ssize_t length = read(fd, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return plain_print("%s", *text ? text : "vmdock-plug failed without a word");
}

/*
 * "place" or "park" (driver/nic_engine.h), where the container is of a VM with such NICs. True
 * where it is not.
 */
static bool plug(const Settings *settings, const Command *command, const char *verb)
{
    int ends[2];
    if (!lookup_keeps_hook(settings, command->id))
        return true;
    autofree char *program = beside("vmdock-plug");
    autofree char *sentence = NULL;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        plain_fail(&sentence, "cannot make a pipe: %s", strerror(errno));
        complain(command, sentence);
        return false;
    }
    Plug data = {program, (char *)verb, (char *)command->id, ends[1]};
    int status = run_child(command, become_plug, &data);
    sentence = heard(ends[0]);
    close(ends[0]);
    close(ends[1]);
    if (status != 0)
        complain(command, sentence);
    return status == 0;
}

/* ---- the verbs that are more than the real runtime's ----------------------------------------- */

typedef struct {
    const Command *command;
    const char *real;
    char **argv;
} Become;

static void become_real(void *data)
{
    const Become *to = data;
    _exit(become(to->command, to->real, to->argv));
}

/*
 * With the container its record goes, if it went; and before the engine takes its links away, what
 * is not the engine's is out of its way.
 */
static int run_delete(const Settings *settings, const Command *command, const char *real,
                      char **argv)
{
    Become to = {command, real, argv};
    int status = run_child(command, become_real, &to);
    if (status != 0)
        return status;
    plug(settings, command, "park");
    lookup_forget_real(settings, command->id);
    return status;
}

static bool is_start(const Command *command)
{
    return command->kind == VERB_LIFE && strcmp(command->verb, "start") == 0;
}

/* The real runtime for this call; NULL with a sentence if the call is refused. */
static char *choose(const Settings *settings, const Command *command, bool *recorded, char **error)
{
    autofree char *real = NULL;
    if (command->kind == VERB_BIRTH) {
        autobirth Birth birth = {.settings = settings, .command = command};
        if (!prepare(&birth, &real, error))
            return NULL;
    } else if (command->kind != VERB_OTHER && command->id) {
        if (!lookup_real(settings, command->id, &real, error))
            return NULL;
        *recorded = real != NULL;
    }
    char *chosen = real ? real : plain_print("%s", settings->real);
    real = NULL;
    return chosen;
}

/*
 * A spoilt configuration refuses births. What was born must stay within reach, to be killed and
 * deleted above all: its verbs go on by the built-in places, where its record says the rest.
 */
static bool load(const char *path, const Command *command, Settings *settings, char **error)
{
    if (settings_load(path, settings, error))
        return true;
    if (command->kind == VERB_BIRTH)
        return false;
    free(*error);
    *error = NULL;
    settings_clear(settings);
    *settings = (Settings){0};
    return settings_parse("", "the defaults", settings, error);
}

int runtime_run(const char *settings_path, char **argv)
{
    Command command = command_parse(argv);
    autosettings Settings settings = {0};
    autofree char *error = NULL, *real = NULL;
    bool recorded = false;
    if (load(settings_path, &command, &settings, &error))
        real = choose(&settings, &command, &recorded, &error);
    if (!real) {
        complain(&command, error);
        return STATUS_REFUSED;
    }
    if (command.kind == VERB_DEATH && recorded)
        return run_delete(&settings, &command, real, argv);
    /* The container is there, and its first instruction is still to come. */
    if (is_start(&command) && recorded && !plug(&settings, &command, "place"))
        return STATUS_REFUSED;
    int status = become(&command, real, argv);
    if (command.kind == VERB_BIRTH && command.id)
        lookup_forget_real(&settings, command.id);
    return status;
}

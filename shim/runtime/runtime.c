// SPDX-License-Identifier: Apache-2.0
#include "runtime.h"

#include "bundle.h"
#include "command.h"
#include "complaint.h"
#include "lookup.h"
#include "plain.h"

#include <errno.h>
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

/*
 * The one verb whose success matters here: with the container its record goes. The real runtime
 * dies with this process, as it would if it had taken its place.
 */
static int run_delete(const Settings *settings, const Command *command, const char *real,
                      char **argv)
{
    sigset_t signals, before;
    sigemptyset(&signals);
    for (const int *number = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, 0}; *number;
         number++)
        sigaddset(&signals, *number);
    sigprocmask(SIG_BLOCK, &signals, &before);
    struct sigaction usual = {.sa_handler = SIG_DFL}, inherited;
    sigaction(SIGCHLD, &usual, &inherited);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        sigaction(SIGCHLD, &inherited, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
            _exit(STATUS_NOT_RUNNABLE);
        _exit(become(command, real, argv));
    }
    if (child < 0) {
        autofree char *sentence = plain_print("cannot start a process: %s", strerror(errno));
        complain(command, sentence);
        return STATUS_NOT_RUNNABLE;
    }
    int status = attend(child, &signals);
    if (status == 0)
        lookup_forget_real(settings, command->id);
    return status;
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
    int status = become(&command, real, argv);
    if (command.kind == VERB_BIRTH && command.id)
        lookup_forget_real(&settings, command.id);
    return status;
}

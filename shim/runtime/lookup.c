// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

enum { MAX_SMALL_FILE = 16384, MAX_MAP = 131072, MAX_MOUNTS = 64, MAX_VM_TAIL = 50, SHORT_ID = 12 };

void lookup_vm_clear(LookupVm *vm)
{
    free(vm->vm);
    free(vm->netns);
    free(vm->real);
    for (size_t i = 0; i < vm->mount_count; i++) {
        free(vm->mounts[i].source);
        free(vm->mounts[i].destination);
    }
    free(vm->mounts);
    *vm = (LookupVm){0};
}

/* The form of a deploy id, as the rest of vmdock has it. */
static bool deploy_id_fit(const char *id)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    const char *tail = strncmp(id, "one-", 4) == 0    ? id + 4
                       : strncmp(id, "nova-", 5) == 0 ? id + 5
                       : strncmp(id, "run-", 4) == 0  ? id + 4
                       : strncmp(id, "dom-", 4) == 0  ? id + 4
                                                      : "";
    size_t length = strlen(tail);
    return length >= 1 && length <= MAX_VM_TAIL && strspn(tail, letters) == length;
}

/* The one line of PATH; NULL with *MISSING or a sentence. */
static char *read_line(const char *path, bool *missing, char **error)
{
    autofree char *text = NULL;
    size_t length = 0;
    PlainResult result = plain_read(path, MAX_SMALL_FILE, PLAIN_OWN, &text, &length, NULL, error);
    *missing = result == PLAIN_MISSING;
    if (result != PLAIN_READ)
        return NULL;
    if (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    if (strlen(text) != length || strchr(text, '\n')) {
        plain_fail(error, "%s is not one line", path);
        return NULL;
    }
    char *line = text;
    text = NULL;
    return line;
}

static bool sandbox_missing(const char *vm, const char *netns, char **error)
{
    return plain_fail(error,
                      "VM %s: its network sandbox %s is missing; start the VM through its cloud or"
                      " with `vmdock deploy`, not with the engine",
                      vm, netns);
}

/* The map is gone, as after a reboot: the state folder may still know whose container it is. */
static bool map_missing(const Settings *settings, const char *id, char **error)
{
    autofree char *path = plain_print("%s/container/%s", settings->state_dir, id);
    bool missing;
    autofree char *vm = read_line(path, &missing, error);
    if (vm && deploy_id_fit(vm)) {
        autofree char *netns = plain_print("%s/%s", settings->netns_dir, vm);
        return sandbox_missing(vm, netns, error);
    }
    if (vm)
        return plain_fail(error, "%s holds no deploy id", path);
    return missing ? plain_fail(error,
                                "container %.*s: it is to run in vmdock's cgroup parent %s, but"
                                " vmdock knows no VM of it; that parent is for vmdock's VMs alone",
                                SHORT_ID, id, settings->cgroup_parent)
                   : false;
}

/* Absolute, without a part that would lead elsewhere. */
static bool is_plain_path(const char *path)
{
    for (const char *part = path; (part = strchr(part, '/')); part++) {
        size_t length = strcspn(part + 1, "/");
        if (length == 0 || strncmp(part + 1, ".", length) == 0 ||
            (length == 2 && strncmp(part + 1, "..", 2) == 0))
            return false;
    }
    return *path == '/';
}

static bool take_mounts(const json_t *list, const char *path, LookupVm *vm, char **error)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > MAX_MOUNTS)
        return plain_fail(error, "%s is not a sandbox map", path);
    vm->mounts = plain_memory((count + 1) * sizeof *vm->mounts);
    for (size_t i = 0; i < count; i++) {
        const char *source, *destination;
        int read_only;
        if (json_unpack(json_array_get(list, i), "{s:s, s:s, s:b}", "source", &source,
                        "destination", &destination, "read_only", &read_only) < 0 ||
            !is_plain_path(source) || !is_plain_path(destination))
            return plain_fail(error, "%s is not a sandbox map", path);
        vm->mounts[vm->mount_count++] =
            (BundleMount){plain_print("%s", source), plain_print("%s", destination), read_only};
    }
    return true;
}

static bool take_map(const json_t *map, const char *path, LookupVm *vm, char **error)
{
    const char *name, *netns, *real = NULL;
    const json_t *mounts = NULL;
    int keep_hook = 0;
    if (json_unpack((json_t *)map, "{s:s, s:s, s?s, s?b, s?o}", "vm", &name, "netns", &netns,
                    "runtime", &real, "keep_hook", &keep_hook, "mounts", &mounts) < 0)
        return plain_fail(error, "%s is not a sandbox map", path);
    if (!deploy_id_fit(name))
        return plain_fail(error, "%s holds no deploy id", path);
    vm->vm = plain_print("%s", name);
    vm->netns = plain_print("%s", netns);
    vm->real = real && *real == '/' ? plain_print("%s", real) : NULL;
    vm->keep_hook = keep_hook;
    return !mounts || take_mounts(mounts, path, vm, error);
}

/* "<run>/disk/<vm>/<number>" and nothing else: what the host has elsewhere is no VM's. */
static bool is_disk(const Settings *settings, const LookupVm *vm, const char *source)
{
    autofree char *folder = plain_print("%s/disk/%s/", settings->run_dir, vm->vm);
    size_t length = strlen(folder);
    const char *number = strncmp(source, folder, length) == 0 ? source + length : "";
    return *number && number[strspn(number, "0123456789")] == '\0';
}

/* A folder on which nothing is mounted would take the VM's data and lose it. */
static bool is_mounted(const char *source)
{
    autofree char *parent = plain_print("%.*s", (int)(strrchr(source, '/') - source), source);
    struct stat own, above;
    return lstat(source, &own) == 0 && S_ISDIR(own.st_mode) && lstat(parent, &above) == 0 &&
           own.st_dev != above.st_dev;
}

static bool check_mounts(const Settings *settings, const LookupVm *vm, const char *path,
                         char **error)
{
    for (size_t i = 0; i < vm->mount_count; i++) {
        const char *source = vm->mounts[i].source;
        if (!is_disk(settings, vm, source))
            return plain_fail(error, "VM %s: %s names a disk at %s", vm->vm, path, source);
        if (!is_mounted(source))
            return plain_fail(error,
                              "VM %s: its disk is not mounted on %s; start the VM through its cloud"
                              " or with `vmdock reboot`, not with the engine",
                              vm->vm, source);
    }
    return true;
}

/* A runtime may join the namespace of a VM, never that of the engine. */
static bool check_netns(const LookupVm *vm, char **error)
{
    autofd int fd = open(vm->netns, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return sandbox_missing(vm->vm, vm->netns, error);
    if (fd < 0)
        return plain_fail(error, "VM %s: cannot open its network sandbox %s: %s", vm->vm, vm->netns,
                          strerror(errno));
    struct statfs files;
    struct stat sandbox, own;
    if (fstatfs(fd, &files) < 0 || files.f_type != NSFS_MAGIC ||
        ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
        return plain_fail(error,
                          "VM %s: %s is not a network namespace; start the VM through its cloud or"
                          " with `vmdock deploy`, which makes it anew",
                          vm->vm, vm->netns);
    if (fstat(fd, &sandbox) < 0 || stat("/proc/self/ns/net", &own) < 0)
        return plain_fail(error, "VM %s: cannot look at its network sandbox: %s", vm->vm,
                          strerror(errno));
    if (sandbox.st_dev == own.st_dev && sandbox.st_ino == own.st_ino)
        return plain_fail(error, "VM %s: %s is the host's own network namespace", vm->vm,
                          vm->netns);
    return true;
}

bool lookup_vm(const Settings *settings, const char *id, LookupVm *vm, char **error)
{
    autofree char *path = plain_print("%s/sandbox/%s", settings->run_dir, id), *text = NULL;
    size_t length = 0;
    switch (plain_read(path, MAX_MAP, PLAIN_OWN, &text, &length, NULL, error)) {
    case PLAIN_MISSING:
        return map_missing(settings, id, error);
    case PLAIN_FAILED:
        return false;
    case PLAIN_READ:
        break;
    }
    autojson json_t *map = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (!take_map(map, path, vm, error))
        return false;
    autofree char *right = plain_print("%s/%s", settings->netns_dir, vm->vm);
    if (strcmp(vm->netns, right) != 0)
        return plain_fail(error, "VM %s: %s names another sandbox than %s", vm->vm, path, right);
    return check_netns(vm, error) && check_mounts(settings, vm, path, error);
}

bool lookup_keeps_hook(const Settings *settings, const char *id)
{
    autofree char *path = plain_print("%s/sandbox/%s", settings->run_dir, id), *text = NULL;
    autofree char *error = NULL;
    size_t length = 0;
    if (plain_read(path, MAX_MAP, PLAIN_OWN, &text, &length, NULL, &error) != PLAIN_READ)
        return false;
    autojson json_t *map = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    return json_is_true(json_object_get(map, "keep_hook"));
}

bool lookup_real(const Settings *settings, const char *id, char **real, char **error)
{
    autofree char *path = plain_print("%s/runtime/%s", settings->run_dir, id);
    bool missing;
    *real = read_line(path, &missing, error);
    if (!*real)
        return missing;
    return **real == '/' || plain_fail(error, "%s holds no absolute path", path);
}

bool lookup_record_real(const Settings *settings, const char *id, const char *real, char **error)
{
    autofree char *folder = plain_print("%s/runtime", settings->run_dir);
    autofree char *line = plain_print("%s\n", real);
    const struct stat private = {.st_uid = geteuid(), .st_gid = getegid(), .st_mode = 0600};
    return plain_make_folder(folder, 0700, error) &&
           plain_replace(folder, id, line, strlen(line), &private, error);
}

void lookup_forget_real(const Settings *settings, const char *id)
{
    autofree char *path = plain_print("%s/runtime/%s", settings->run_dir, id);
    unlink(path);
}

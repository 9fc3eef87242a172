// SPDX-License-Identifier: Apache-2.0
/* What is put into the container's own files: SSH keys, a user, a password's hash. */
#include "context.h"

#include "account.h"
#include "autoptr.h"
#include "error.h"
#include "log.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_ACCOUNTS = 1048576, /* bytes of passwd, group, shadow */
    MAX_KEYS_FILE = 4194304,
    DAY_S = 86400,
};

typedef struct {
    Host *host;
    const VmSpec *spec;
    const VmContext *context;
    const char *container_id;
    const char *user;
    Account *account; /* the user's, known once find_account() has succeeded */
} Apply;

static void apply_clear(Apply *apply)
{
    account_free(apply->account);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Apply, apply_clear)

static gboolean get(Apply *apply, const char *path, gsize most, EngineFile **file, GError **error)
{
    return engine_get_file(apply->host->engine, apply->container_id, path, most, file, error);
}

/* A new text for the file NAME of /etc, which keeps its owner and mode. */
static gboolean put_back(Apply *apply, const char *name, const char *text, const EngineFile *old,
                         GError **error)
{
    g_autoptr(GByteArray) tar = g_byte_array_new();
    const TarEntry entry = {.kind = TAR_FILE,
                            .path = (gchar *)name,
                            .mode = old->mode,
                            .uid = old->uid,
                            .gid = old->gid,
                            .content = text,
                            .length = strlen(text)};
    if (!tar_add(tar, &entry, error))
        return FALSE;
    tar_end(tar);
    return engine_put_files(apply->host->engine, apply->container_id, "/etc", tar, error);
}

/* Folders that are not there are made first, one after the other: unpacking would make them with
 * everybody's rights. */
static gboolean make_home(Apply *apply, GError **error)
{
    g_autoptr(GByteArray) tar = g_byte_array_new();
    const Account *account = apply->account;
    gboolean root = account->uid == 0;
    g_auto(GStrv) parts = g_strsplit(account->home + 1, "/", -1);
    g_autoptr(GString) path = g_string_new(NULL);
    for (char **part = parts; *part; part++) {
        gboolean there = FALSE;
        if (**part == '\0')
            continue;
        g_string_append_printf(path, "%s%s", path->len ? "/" : "", *part);
        g_autofree gchar *whole = g_strconcat("/", path->str, NULL);
        if (!engine_has_file(apply->host->engine, apply->container_id, whole, &there, error))
            return FALSE;
        TarEntry folder = {.kind = TAR_FOLDER, .path = path->str, .mode = 0755};
        if (!part[1]) {
            folder.mode = root ? 0700 : 0755;
            folder.uid = account->uid;
            folder.gid = account->gid;
        }
        if (!there && !tar_add(tar, &folder, error))
            return FALSE;
    }
    if (tar->len == 0)
        return TRUE;
    tar_end(tar);
    return engine_put_files(apply->host->engine, apply->container_id, "/", tar, error);
}

static gboolean put_line(Apply *apply, const char *name, const EngineFile *file, const char *line,
                         GError **error)
{
    g_autofree gchar *text = account_append(file->content, line);
    return put_back(apply, name, text, file, error);
}

/* The cloud's user is made when the image does not have it, with root's shell. */
static gboolean make_account(Apply *apply, const EngineFile *passwd, GError **error)
{
    g_autoptr(EngineFile) group = NULL, shadow = NULL;
    if (!get(apply, "/etc/group", MAX_ACCOUNTS, &group, error) ||
        !get(apply, "/etc/shadow", MAX_ACCOUNTS, &shadow, error))
        return FALSE;
    guint id = account_free_id(passwd->content, group ? group->content : NULL);
    g_autofree gchar *home = g_strconcat("/home/", apply->user, NULL);
    g_autofree gchar *line =
        g_strdup_printf("%s:%s:%u:%u::%s:/bin/sh", apply->user, shadow ? "x" : "*", id, id, home);
    g_autofree gchar *group_line = g_strdup_printf("%s:x:%u:", apply->user, id);
    g_autofree gchar *shadow_line = g_strdup_printf("%s:*::0:99999:7:::", apply->user);
    if (id == 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE, "no number for a user is free");
        return FALSE;
    }
    apply->account = g_new0(Account, 1);
    *apply->account = (Account){id, id, g_steal_pointer(&home)};
    /* Locked first: at no time is there a user without a password's field. */
    if ((shadow && !put_line(apply, "shadow", shadow, shadow_line, error)) ||
        (group && !put_line(apply, "group", group, group_line, error)) ||
        !put_line(apply, "passwd", passwd, line, error) || !make_home(apply, error))
        return FALSE;
    log_info("VM %s: the user %s is made in the container", apply->spec->deploy_id, apply->user);
    return TRUE;
}

static Account *root_account(void)
{
    Account *account = g_new0(Account, 1);
    account->home = g_strdup("/root");
    return account;
}

/* Whose home is where it is everywhere: the file is not read for it, for each file that the engine
 * gives costs it a process. */
static gboolean is_plain_root(Apply *apply, gboolean *plain, GError **error)
{
    *plain = FALSE;
    return strcmp(apply->user, "root") != 0 ||
           engine_has_file(apply->host->engine, apply->container_id, "/root", plain, error);
}

static gboolean find_account(Apply *apply, GError **error)
{
    g_autoptr(EngineFile) passwd = NULL;
    gboolean plain;
    if (!is_plain_root(apply, &plain, error))
        return FALSE;
    if (plain) {
        apply->account = root_account();
        return TRUE;
    }
    if (!get(apply, "/etc/passwd", MAX_ACCOUNTS, &passwd, error))
        return FALSE;
    if (passwd)
        apply->account = account_find(passwd->content, apply->user);
    if (apply->account)
        return TRUE;
    if (strcmp(apply->user, "root") == 0) {
        apply->account = root_account();
        return TRUE;
    }
    if (passwd)
        return make_account(apply, passwd, error);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                        "the container has no /etc/passwd");
    return FALSE;
}

static gboolean put_keys(Apply *apply, GError **error)
{
    const Account *account = apply->account;
    g_autofree gchar *path = g_build_filename(account->home, ".ssh/authorized_keys", NULL);
    g_autoptr(EngineFile) old = NULL;
    if (!get(apply, path, MAX_KEYS_FILE, &old, error))
        return FALSE;
    g_autofree gchar *text = account_add_keys(old ? old->content : NULL, apply->context->keys);
    if (old && strcmp(text, old->content) == 0)
        return TRUE;
    const TarEntry entries[] = {
        {.kind = TAR_FOLDER, .path = (gchar *)".ssh", .mode = 0700},
        {.kind = TAR_FILE,
         .path = (gchar *)".ssh/authorized_keys",
         .mode = 0600,
         .content = text,
         .length = strlen(text)},
    };
    g_autoptr(GByteArray) tar = g_byte_array_new();
    for (gsize i = 0; i < G_N_ELEMENTS(entries); i++) {
        TarEntry entry = entries[i];
        entry.uid = account->uid;
        entry.gid = account->gid;
        if (!tar_add(tar, &entry, error))
            return FALSE;
    }
    tar_end(tar);
    return make_home(apply, error) &&
           engine_put_files(apply->host->engine, apply->container_id, account->home, tar, error);
}

/* *open tells whether the user has a password, or needs none, that stays when this fails. */
static gboolean put_password(Apply *apply, gboolean *open, GError **error)
{
    g_autoptr(EngineFile) shadow = NULL;
    if (!get(apply, "/etc/shadow", MAX_ACCOUNTS, &shadow, error))
        return FALSE;
    if (!shadow) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                            "the container has no /etc/shadow");
        return FALSE;
    }
    *open = account_password_state(shadow->content, apply->user) == PASSWORD_OPEN;
    if (apply->context->sealed) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                            "the front end sent it encrypted, and the context image, which has it "
                            "in clear, is not read");
        return FALSE;
    }
    g_autofree gchar *hash = apply->context->password_hash ? g_strdup(apply->context->password_hash)
                                                           : account_hash(apply->context->password);
    if (!hash) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL, "crypt makes no hash");
        return FALSE;
    }
    g_autofree gchar *text = account_set_password(shadow->content, apply->user, hash,
                                                  g_get_real_time() / G_USEC_PER_SEC / DAY_S);
    return put_back(apply, "shadow", text, shadow, error);
}

/* These are of the engine or the caller: the whole action fails. */
static gboolean is_grave(const GError *failure)
{
    static const VmdockError codes[] = {VMDOCK_ERROR_INTERRUPTED, VMDOCK_ERROR_ENGINE_DOWN,
                                        VMDOCK_ERROR_ENGINE_TIMEOUT, VMDOCK_ERROR_NO_SPACE};
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++)
        if (vmdock_error_is(failure, codes[i]))
            return TRUE;
    return FALSE;
}

/* FALSE when FAILURE, which is taken over, ends the action; else it is a warning. */
static gboolean forgive(const Apply *apply, const char *what, gboolean unsafe, GError *failure,
                        GError **error)
{
    if (!failure)
        return TRUE;
    if (unsafe || is_grave(failure)) {
        g_propagate_prefixed_error(error, failure, "cannot set %s of the user %s: ", what,
                                   apply->user);
        return FALSE;
    }
    log_warn("VM %s: %s of the user %s %s not set: %s", apply->spec->deploy_id, what, apply->user,
             strcmp(what, "the password") == 0 ? "is" : "are", failure->message);
    g_error_free(failure);
    return TRUE;
}

gboolean context_apply(Host *host, const VmSpec *spec, const VmContext *context,
                       const char *container_id, GError **error)
{
    if (!context || (!context->keys && !context->password && !context->password_hash &&
                     !context->sealed && !context->user))
        return TRUE;
    g_auto(Apply) apply = {.host = host,
                           .spec = spec,
                           .context = context,
                           .container_id = container_id,
                           .user = context->user ? context->user : "root"};
    GError *failure = NULL;
    gboolean open = FALSE;
    if (!find_account(&apply, &failure))
        return forgive(&apply, "keys and password", FALSE, failure, error);
    if (context->keys && !put_keys(&apply, &failure) &&
        !forgive(&apply, "the SSH keys", FALSE, failure, error))
        return FALSE;
    failure = NULL;
    if (!context->password && !context->password_hash && !context->sealed)
        return TRUE;
    return put_password(&apply, &open, &failure) ||
           forgive(&apply, "the password", open, failure, error);
}

/* Unpacked at the root: the engine makes folders that are not there, and follows no link out. */
gboolean context_give(Host *host, const VmContext *context, const char *container_id,
                      GError **error)
{
    if (!context || context->given->len == 0)
        return TRUE;
    g_autoptr(GByteArray) tar = g_byte_array_new();
    for (guint i = 0; i < context->given->len; i++) {
        const VmFile *file = context->given->pdata[i];
        gsize length = 0;
        const char *content = g_bytes_get_data(file->content, &length);
        const TarEntry entry = {.kind = TAR_FILE,
                                .path = file->path + strspn(file->path, "/"),
                                .mode = 0644,
                                .content = content,
                                .length = length};
        if (!tar_add(tar, &entry, error))
            return FALSE;
    }
    tar_end(tar);
    if (engine_put_files(host->engine, container_id, "/", tar, error))
        return TRUE;
    g_prefix_error(error, "the files that the cloud gives it: ");
    return FALSE;
}

/* ---- the host name of a container that runs ---------------------------------------------------
 */

typedef struct {
    const char *name;
    int namespace;
    int err;
} Naming;

/* In a thread of its own, which alone enters the container's UTS namespace. */
static gpointer name_thread(gpointer data)
{
    Naming *naming = data;
    if (setns(naming->namespace, CLONE_NEWUTS) < 0 ||
        sethostname(naming->name, strlen(naming->name)) < 0)
        naming->err = errno;
    return NULL;
}

/* The number may be another process's by now: the host's own name is never touched. */
static int open_uts(gint pid)
{
    g_autofree gchar *path = g_strdup_printf("/proc/%d/ns/uts", pid);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat theirs, own;
    if (fd < 0 || fstat(fd, &theirs) < 0 || stat("/proc/self/ns/uts", &own) < 0)
        return -1;
    if (theirs.st_ino == own.st_ino && theirs.st_dev == own.st_dev) {
        errno = ESRCH;
        return -1;
    }
    return steal_fd(&fd);
}

void context_set_hostname(const VmSpec *spec, gint pid)
{
    Naming naming = {.name = spec->hostname};
    autofd int fd = open_uts(pid);
    naming.namespace = fd;
    if (fd < 0)
        naming.err = errno;
    else
        g_thread_join(g_thread_new("hostname", name_thread, &naming));
    if (naming.err)
        log_warn("VM %s: the host name of the container stays as it is: %s", spec->deploy_id,
                 g_strerror(naming.err));
}

void context_keep_hostname(Host *host, const VmSpec *spec, const EngineContainer *container)
{
    if (g_strcmp0(container->hostname, spec->hostname) == 0)
        return;
    g_autoptr(GError) failure = NULL;
    g_autoptr(EngineContainer) now = engine_inspect(host->engine, container->id, &failure);
    if (now && now->pid > 0)
        context_set_hostname(spec, now->pid);
    else if (failure)
        log_warn("VM %s: the host name of the container stays as it is: %s", spec->deploy_id,
                 failure->message);
}

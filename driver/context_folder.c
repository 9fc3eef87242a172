// SPDX-License-Identifier: Apache-2.0
/* The folder that a container sees as its context, and the image that it is made from. */
#include "context.h"

#include "autoptr.h"
#include "context_image.h"
#include "context_sh.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"
#include "log.h"
#include "process.h"
#include "spec_opennebula.h"
#include "tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 400, MAX_SHOWN = 12 };

#define SCRIPT_NAME  ".start-script"
#define CONTEXT_NAME "context.sh"

/* ---- the image ------------------------------------------------------------------------------ */

static gboolean is_image_path(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    if (g_strv_length(parts) != 3 || !g_str_has_prefix(parts[2], "disk."))
        return FALSE;
    const char *const numbers[] = {parts[0], parts[1], parts[2] + strlen("disk.")};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (!*numbers[i] || numbers[i][strspn(numbers[i], "0123456789")] != '\0')
            return FALSE;
    return TRUE;
}

/* Where a file server takes root for nobody, the image is readable for its owner alone. */
static int open_as_owner(const Config *config, int datastores, const char *path,
                         struct open_how *how)
{
    const struct passwd *user = getpwnam(config->opennebula_user);
    if (!user) {
        errno = EACCES;
        return -1;
    }
    int before = setfsuid(user->pw_uid);
    int fd = file_open_within(datastores, path, how);
    int why = errno;
    setfsuid((uid_t)before);
    errno = why;
    return fd;
}

/*
 * The folders of a datastore belong to the cloud's user, who could put links in their place: none
 * is followed, and nothing above the datastores' place is reached.
 */
static int open_image(const Config *config, const char *path, GError **error)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC};
    if (!is_image_path(path)) {
        g_autofree gchar *shown = vmdock_one_line(path, 80);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "\"%s\" is no context image's place",
                    shown);
        return -1;
    }
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    autofd int datastores = file_open_within(AT_FDCWD, config->opennebula_datastores, &how);
    how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    how.resolve |= RESOLVE_BENEATH;
    autofd int fd = datastores < 0 ? -1 : file_open_within(datastores, path, &how);
    if (datastores >= 0 && fd < 0 && errno == EACCES)
        fd = open_as_owner(config, datastores, path, &how);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "%s/%s", config->opennebula_datastores,
                           path);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s/%s is no regular file",
                    config->opennebula_datastores, path);
        return -1;
    }
    return steal_fd(&fd);
}

static int memory_file(const char *name, GError **error)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "no memory file");
    return fd;
}

static GByteArray *read_back(int fd, guint64 most, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || (guint64)status.st_size > most) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_SPACE, "it is too large");
        return NULL;
    }
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_set_size(bytes, (guint)status.st_size);
    for (gsize at = 0; at < bytes->len;) {
        ssize_t n = pread(fd, bytes->data + at, bytes->len - at, (off_t)at);
        if (n <= 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, n < 0 ? errno : EIO, "its archive");
            return NULL;
        }
        at += (gsize)n;
    }
    return g_steal_pointer(&bytes);
}

/* What the program said on its stderr: its one sentence, or how many things it left out. */
static gchar *words_of(int fd)
{
    char text[MAX_WORDS + 1];
    ssize_t n = pread(fd, text, MAX_WORDS, 0);
    text[MAX(n, 0)] = '\0';
    return vmdock_one_line(text, MAX_WORDS);
}

/* The image's content as an archive: by vmdock-unpack, which has no right but to read it. */
static GByteArray *unpack(const Config *config, int image, gchar **remark, GError **error)
{
    const ContextLimits limits = {config->context_max_bytes, config->context_max_files};
    g_autofree gchar *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, limits.max_bytes);
    g_autofree gchar *files = g_strdup_printf("%" G_GUINT64_FORMAT, limits.max_files);
    const char *const argv[] = {VMDOCK_LIBEXECDIR "/vmdock-unpack", bytes, files, NULL};
    const char *const environment[] = {"LC_ALL=C.UTF-8", NULL};
    autofd int archive = memory_file("context", error);
    autofd int words = archive < 0 ? -1 : memory_file("words", error);
    GPid pid;
    g_autoptr(GError) failure = NULL;
    int status;
    if (words < 0)
        return NULL;
    if (!g_spawn_async_with_pipes_and_fds("/", argv, environment, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                          NULL, image, archive, words, NULL, NULL, 0, &pid, NULL,
                                          NULL, NULL, &failure)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s", failure->message);
        return NULL;
    }
    gint64 end =
        g_get_monotonic_time() + (gint64)config->context_unpack_ms * G_TIME_SPAN_MILLISECOND;
    if (!process_await(pid, end, &status, error)) {
        g_prefix_error(error, "the program that reads it: ");
        return NULL;
    }
    g_autofree gchar *said = words_of(words);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "%s",
                    *said ? said : "the program that reads it has died");
        return NULL;
    }
    *remark = *said ? g_steal_pointer(&said) : NULL;
    return read_back(archive, context_image_archive_bytes(&limits), error);
}

/* ---- the folder ----------------------------------------------------------------------------- */

/* The place in which a new folder is made before the old one is changed: root's alone. */
typedef struct {
    int fd;
    GHashTable *names; /* gchar*: paths of files, a set */
} Staging;

/* An image that has one name twice, or a file for a folder, is wrong: the first one stands. */
static gboolean is_taken(int err)
{
    return err == EEXIST || err == ENOTDIR || err == EISDIR || err == ENAMETOOLONG;
}

static gboolean stage_file(Staging *staging, const TarEntry *entry, GError **error)
{
    autofd int fd = openat(staging->fd, entry->path,
                           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, entry->mode);
    gsize left = entry->length;
    const char *at = entry->content;
    if (fd < 0 && is_taken(errno))
        return TRUE;
    gboolean done = fd >= 0 && fchmod(fd, entry->mode) == 0;
    while (done && left > 0) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        done = n > 0;
        at += MAX(n, 0);
        left -= (gsize)MAX(n, 0);
    }
    if (!done) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", entry->path);
        return FALSE;
    }
    g_hash_table_add(staging->names, g_strdup(entry->path));
    return TRUE;
}

static gboolean stage_folder(Staging *staging, const char *path, guint mode, GError **error)
{
    if (mkdirat(staging->fd, path, mode) == 0 ? fchmodat(staging->fd, path, mode, 0) == 0
                                              : is_taken(errno))
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make the folder %s", path);
    return FALSE;
}

static gboolean stage_parents(Staging *staging, const char *path, GError **error)
{
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        g_autofree gchar *parent = g_strndup(path, (gsize)(slash - path));
        if (mkdirat(staging->fd, parent, 0755) < 0 && !is_taken(errno)) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make the folder %s", parent);
            return FALSE;
        }
    }
    return TRUE;
}

/* Our own two names are for files of ours, and for the image's context.sh. */
static gboolean is_wanted(const TarEntry *entry)
{
    gsize first = strcspn(entry->path, "/");
    g_autofree gchar *top = g_strndup(entry->path, first);
    if (entry->kind == TAR_OTHER || !tar_path_safe(entry->path) || strcmp(top, SCRIPT_NAME) == 0)
        return FALSE;
    return strcmp(top, CONTEXT_NAME) != 0 ||
           (entry->kind == TAR_FILE && entry->path[first] == '\0');
}

static gboolean stage_archive(Staging *staging, const GByteArray *archive, const Config *config,
                              GError **error)
{
    TarReader reader = {(const char *)archive->data, archive->len, 0};
    g_auto(TarEntry) entry = {0};
    g_autoptr(GError) failure = NULL;
    for (guint64 count = 0; tar_next(&reader, &entry, &failure); count++) {
        if (count > config->context_max_files || !is_wanted(&entry))
            continue;
        if (!stage_parents(staging, entry.path, error) ||
            !(entry.kind == TAR_FOLDER ? stage_folder(staging, entry.path, entry.mode & 0755, error)
                                       : stage_file(staging, &entry, error)))
            return FALSE;
    }
    if (!failure)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean stage_text(Staging *staging, const char *name, const char *text, guint mode,
                           GError **error)
{
    TarEntry entry = {.kind = TAR_FILE,
                      .path = (gchar *)name,
                      .mode = mode,
                      .content = text,
                      .length = strlen(text)};
    return stage_file(staging, &entry, error);
}

typedef DIR DirStream;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DirStream, closedir)

static gboolean is_folder(int at, const char *name)
{
    struct stat status;
    return fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static DIR *open_folder(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder && fd >= 0)
        close(fd);
    return folder;
}

static gboolean is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static gboolean remove_at(DIR *folder, const char *name, const char *path, GError **error)
{
    g_autofree gchar *whole = g_build_filename(path, name, NULL);
    if (is_folder(dirfd(folder), name))
        return file_remove_tree(whole, error);
    return file_remove(whole, error);
}

/* Each file is replaced whole: who has the old one open reads the old one. */
static gboolean move_over(DIR *from, DIR *to, const char *name, const char *to_path, GError **error)
{
    if (is_folder(dirfd(to), name) && !remove_at(to, name, to_path, error))
        return FALSE;
    if (renameat(dirfd(from), name, dirfd(to), name) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s/%s", to_path, name);
    return FALSE;
}

static gboolean replace_folder(int from_at, const char *from_name, const char *to_path,
                               GError **error);

static gboolean replace_one(DIR *from, DIR *to, const char *name, const char *to_path,
                            GError **error)
{
    if (!is_folder(dirfd(from), name))
        return move_over(from, to, name, to_path, error);
    g_autofree gchar *below = g_build_filename(to_path, name, NULL);
    if (!is_folder(dirfd(to), name) && !remove_at(to, name, to_path, error))
        return FALSE;
    return replace_folder(dirfd(from), name, below, error);
}

static gboolean remove_others(DIR *from, DIR *to, const char *to_path, GError **error)
{
    for (struct dirent *entry; (entry = readdir(to));) {
        struct stat status;
        if (is_dots(entry->d_name) ||
            fstatat(dirfd(from), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (!remove_at(to, entry->d_name, to_path, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean replace_all(DIR *from, DIR *to, const char *to_path, GError **error)
{
    /* What goes is looked for first: what is moved is no longer in its old place. */
    if (!remove_others(from, to, to_path, error))
        return FALSE;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (struct dirent *entry; (entry = readdir(from));)
        if (!is_dots(entry->d_name))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    for (guint i = 0; i < names->len; i++)
        if (!replace_one(from, to, names->pdata[i], to_path, error))
            return FALSE;
    return TRUE;
}

/* Makes the folder TO_PATH what FROM_NAME is, without making it anew: a container has it mounted.
 */
static gboolean replace_folder(int from_at, const char *from_name, const char *to_path,
                               GError **error)
{
    g_autoptr(DirStream) from = open_folder(from_at, from_name);
    struct stat status;
    if (!from || fstat(dirfd(from), &status) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", from_name);
        return FALSE;
    }
    if (!file_make_folder(to_path, 0755, error))
        return FALSE;
    g_autoptr(DirStream) to = open_folder(AT_FDCWD, to_path);
    if (to && fchmod(dirfd(to), status.st_mode & 0777) == 0)
        return replace_all(from, to, to_path, error);
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", to_path);
    return FALSE;
}

/* ---- both ----------------------------------------------------------------------------------- */

typedef struct {
    const Config *config;
    const VmSpec *spec;
    GByteArray *archive; /* of the image, NULL when there is none to read */
    gchar *trouble;      /* why there is none; NULL = none was to be expected */
    gchar *remark;       /* what was left out of it */
    VmContext *context;
} Refresh;

static void refresh_clear(Refresh *refresh)
{
    g_clear_pointer(&refresh->archive, g_byte_array_unref);
    g_free(refresh->trouble);
    g_free(refresh->remark);
    vm_context_free(refresh->context);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Refresh, refresh_clear)

/* Only a wish to stop is an error: without its image a VM is told what the XML says. */
static gboolean read_image(Refresh *refresh, GError **error)
{
    const char *path = refresh->spec->context->image;
    g_autoptr(GError) failure = NULL;
    if (!path)
        return TRUE;
    autofd int image = open_image(refresh->config, path, &failure);
    if (image >= 0)
        refresh->archive = unpack(refresh->config, image, &refresh->remark, &failure);
    if (!failure)
        return TRUE;
    if (vmdock_error_is(failure, VMDOCK_ERROR_INTERRUPTED)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    refresh->trouble = g_strdup(failure->message);
    return TRUE;
}

/* The variables of the image's context.sh; NULL when it has none, or none that can be read. */
static GPtrArray *image_variables(Refresh *refresh)
{
    TarReader reader = {NULL, 0, 0};
    g_auto(TarEntry) entry = {0};
    if (!refresh->archive)
        return NULL;
    reader.bytes = (const char *)refresh->archive->data;
    reader.length = refresh->archive->len;
    while (tar_next(&reader, &entry, NULL)) {
        if (entry.kind != TAR_FILE || strcmp(entry.path, CONTEXT_NAME) != 0)
            continue;
        g_autoptr(GError) failure = NULL;
        GPtrArray *variables = context_sh_parse(entry.content, entry.length, &failure);
        if (failure)
            log_warn("VM %s: the context image: %s", refresh->spec->deploy_id, failure->message);
        return variables;
    }
    return NULL;
}

static void take_context(Refresh *refresh)
{
    const VmContext *told = refresh->spec->context;
    g_autoptr(GPtrArray) variables = image_variables(refresh);
    refresh->context =
        variables ? opennebula_context_of_image(told, variables) : vm_context_copy(told);
}

/* One line for all that the guest will miss. */
static void tell_missing(const Refresh *refresh, const Staging *staging)
{
    const char *deploy_id = refresh->spec->deploy_id;
    g_autoptr(GString) missing = g_string_new(NULL);
    guint count = 0;
    for (char **file = refresh->context->files; file && *file; file++) {
        if (g_hash_table_contains(staging->names, *file))
            continue;
        if (count++ < MAX_SHOWN)
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", *file);
    }
    if (count > MAX_SHOWN)
        g_string_append_printf(missing, " and %u more", count - MAX_SHOWN);
    if (refresh->remark)
        log_warn("VM %s: the context image: %s", deploy_id, refresh->remark);
    if (refresh->trouble && count > 0)
        log_warn("VM %s: the context image is not read (%s): context.sh is made from the VM's "
                 "description, and these files are missing: %s",
                 deploy_id, refresh->trouble, missing->str);
    else if (refresh->trouble)
        log_info("VM %s: the context image is not read (%s): context.sh is made from the VM's "
                 "description",
                 deploy_id, refresh->trouble);
    else if (count > 0)
        log_warn("VM %s: files of the context are missing: %s", deploy_id, missing->str);
}

static gboolean stage_told(Staging *staging, const VmFile *file, GError **error)
{
    gsize length = 0;
    const char *content = g_bytes_get_data(file->content, &length);
    TarEntry entry = {
        .kind = TAR_FILE, .path = file->path, .mode = 0644, .content = content, .length = length};
    return !is_wanted(&entry) ||
           (stage_parents(staging, file->path, error) && stage_file(staging, &entry, error));
}

static gboolean stage_all(Refresh *refresh, Staging *staging, GError **error)
{
    if (refresh->archive && !stage_archive(staging, refresh->archive, refresh->config, error))
        return FALSE;
    tell_missing(refresh, staging);
    for (guint i = 0; i < refresh->context->told->len; i++)
        if (!stage_told(staging, refresh->context->told->pdata[i], error))
            return FALSE;
    /* Its variables are another cloud's way to tell. */
    if (refresh->context->variables->len > 0 &&
        !g_hash_table_contains(staging->names, CONTEXT_NAME)) {
        g_autofree gchar *text = context_sh_format(refresh->context->variables);
        if (!stage_text(staging, CONTEXT_NAME, text, 0644, error))
            return FALSE;
    }
    return !refresh->context->script ||
           stage_text(staging, SCRIPT_NAME, refresh->context->script, 0755, error);
}

static gboolean write_folder(Refresh *refresh, GError **error)
{
    g_autofree gchar *folder = context_folder(refresh->config, refresh->spec->deploy_id);
    g_autofree gchar *beside = g_strconcat(folder, ".new", NULL);
    g_autofree gchar *state = g_path_get_dirname(folder);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    /* A killed action may have left one. */
    if (!file_make_folder(state, 0700, error) || !file_remove_tree(beside, error) ||
        !file_make_folder(beside, 0755, error))
        return FALSE;
    autofd int fd = open(beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    Staging staging = {fd, names};
    gboolean done = fd >= 0 && stage_all(refresh, &staging, error) &&
                    replace_folder(AT_FDCWD, beside, folder, error);
    return file_remove_tree(beside, done ? error : NULL) && done;
}

gboolean context_refresh(const Config *config, const VmSpec *spec, VmContext **context,
                         GError **error)
{
    g_auto(Refresh) refresh = {.config = config, .spec = spec};
    g_clear_pointer(context, vm_context_free);
    if (!spec->context)
        return TRUE;
    if (!read_image(&refresh, error))
        return FALSE;
    take_context(&refresh);
    if (!write_folder(&refresh, error)) {
        g_prefix_error(error, "its context: ");
        return FALSE;
    }
    *context = g_steal_pointer(&refresh.context);
    return TRUE;
}

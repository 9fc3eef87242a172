// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include "autoptr.h"
#include "error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CONTAINER_ID_LENGTH = 64,
    READ_MAX = 16384,     /* io.stat with a line for each of a hundred devices */
    STARTED_PIDS_MAX = 64 /* processes looked at for the oldest */
};

/* Limits from here up mean none: v1 writes 2^63 rounded down to a page. */
static const guint64 no_limit = G_GUINT64_CONSTANT(1) << 62;

/* v2 has them all in one folder, the first. */
typedef enum { CPUACCT, CPU, MEMORY, BLKIO, PIDS, CONTROLLERS } Controller;

typedef struct {
    Controller controller;
    gboolean detail; /* left out of a brief reading */
    const char *name;
    const char *otherwise; /* the name on older kernels; NULL */
    void (*take)(const char *text, gsize length, Sample *sample);
} CgroupFile;

/* The first file is there as long as the cgroup is. */
typedef struct {
    guint version;
    const CgroupFile *files;
    gsize n_files;
} CgroupKind;

/* What a prefetch has read of one container. */
typedef struct {
    gchar *id;
    Sample sample;
    gboolean found;
} Fetched;

struct CgroupReader {
    const CgroupKind *kind;
    /* The parent of the containers' cgroups, in each controller's hierarchy; -1 = not there. The
     * kernel looks up each part of a cgroup's path anew, so that every part costs. */
    int folders[CONTROLLERS];
    gboolean brief;
    gboolean scopes; /* the systemd driver: docker-<id>.scope */
    /* A prefetch: the containers, and what was read of each; NULL before it. */
    GMutex lock;       /* over the listing */
    GArray *fetched;   /* Fetched */
    GHashTable *by_id; /* id -> Fetched */
    gint next;         /* the container that is taken up next */
};

gint64 sample_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* ---- what each file means ---- */

static void take_cpu_ns(const char *text, gsize length, Sample *sample)
{
    cgroup_parse_number(text, length, &sample->cpu_ns);
}

static void take_cpu_stat_v1(const char *text, gsize length, Sample *sample)
{
    guint64 ns;
    if (cgroup_parse_keyed(text, length, "throttled_time", &ns))
        sample->throttled_us = ns / 1000;
}

static void take_cpu_stat_v2(const char *text, gsize length, Sample *sample)
{
    guint64 us;
    if (cgroup_parse_keyed(text, length, "usage_usec", &us) && us <= G_MAXUINT64 / 1000)
        sample->cpu_ns = us * 1000;
    cgroup_parse_keyed(text, length, "throttled_usec", &sample->throttled_us);
}

static void take_memory(const char *text, gsize length, Sample *sample)
{
    cgroup_parse_number(text, length, &sample->memory);
}

static void leave_out_cache(const char *text, gsize length, const char *key, Sample *sample)
{
    guint64 cache;
    if (cgroup_parse_keyed(text, length, key, &cache))
        sample->memory -= MIN(sample->memory, cache);
}

static void set_limit(Sample *sample, guint64 limit)
{
    sample->memory_limit = limit < no_limit ? limit : 0;
}

static void take_memory_stat_v1(const char *text, gsize length, Sample *sample)
{
    guint64 limit;
    leave_out_cache(text, length, "total_inactive_file", sample);
    /* Saves the reading of memory.limit_in_bytes, and heeds the parent's limit too. */
    if (cgroup_parse_keyed(text, length, "hierarchical_memory_limit", &limit))
        set_limit(sample, limit);
}

static void take_memory_stat_v2(const char *text, gsize length, Sample *sample)
{
    leave_out_cache(text, length, "inactive_file", sample);
}

static void take_memory_max(const char *text, gsize length, Sample *sample)
{
    guint64 limit;
    if (cgroup_parse_number(text, length, &limit))
        set_limit(sample, limit);
}

static void take_oom_kills(const char *text, gsize length, Sample *sample)
{
    cgroup_parse_keyed(text, length, "oom_kill", &sample->oom_kills);
}

static void take_io_bytes_v1(const char *text, gsize length, Sample *sample)
{
    cgroup_parse_io_v1(text, length, &sample->disk_read_bytes, &sample->disk_write_bytes);
}

static void take_io_ops_v1(const char *text, gsize length, Sample *sample)
{
    cgroup_parse_io_v1(text, length, &sample->disk_read_ops, &sample->disk_write_ops);
}

static void take_pids(const char *text, gsize length, Sample *sample)
{
    cgroup_parse_number(text, length, &sample->pids);
}

/* memory's size stands before its statistics, which take the cache off it. */
static const CgroupFile files_v1[] = {
    {CPUACCT, FALSE, "cpuacct.usage", NULL, take_cpu_ns},
    {CPU, TRUE, "cpu.stat", NULL, take_cpu_stat_v1},
    {MEMORY, FALSE, "memory.usage_in_bytes", NULL, take_memory},
    {MEMORY, FALSE, "memory.stat", NULL, take_memory_stat_v1},
    {MEMORY, TRUE, "memory.oom_control", NULL, take_oom_kills},
    {BLKIO, FALSE, "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes",
     take_io_bytes_v1},
    {BLKIO, TRUE, "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced",
     take_io_ops_v1},
    {PIDS, TRUE, "pids.current", NULL, take_pids},
};

static const CgroupFile files_v2[] = {
    {CPUACCT, FALSE, "cpu.stat", NULL, take_cpu_stat_v2},
    {CPUACCT, FALSE, "memory.current", NULL, take_memory},
    {CPUACCT, FALSE, "memory.stat", NULL, take_memory_stat_v2},
    {CPUACCT, FALSE, "memory.max", NULL, take_memory_max},
    {CPUACCT, TRUE, "memory.events", NULL, take_oom_kills},
    {CPUACCT, FALSE, "io.stat", NULL, cgroup_parse_io_v2},
    {CPUACCT, TRUE, "pids.current", NULL, take_pids},
};

static const CgroupKind kind_v1 = {1, files_v1, G_N_ELEMENTS(files_v1)};
static const CgroupKind kind_v2 = {2, files_v2, G_N_ELEMENTS(files_v2)};

/* ---- the reader ---- */

/* systemd nests slices by their names: "a-b.slice" stands in "a.slice". */
static gchar *slice_path(const char *slice)
{
    GString *path = g_string_new(NULL);
    for (const char *dash = strchr(slice, '-'); dash; dash = strchr(dash + 1, '-'))
        g_string_append_printf(path, "%.*s.slice/", (int)(dash - slice), slice);
    g_string_append(path, slice);
    return g_string_free(path, FALSE);
}

static gchar *parent_path(const CgroupReader *reader, const char *parent)
{
    while (*parent == '/')
        parent++;
    return reader->scopes ? slice_path(parent) : g_strdup(*parent ? parent : ".");
}

static int open_folder(int at, const char *path)
{
    return openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Controllers may be mounted together, and the single names need not be linked to that folder. */
static int open_controller(int root, Controller controller)
{
    static const char *const names[CONTROLLERS][3] = {
        [CPUACCT] = {"cpuacct", "cpu,cpuacct", "cpuacct,cpu"},
        [CPU] = {"cpu", "cpu,cpuacct", "cpuacct,cpu"},
        [MEMORY] = {"memory"},
        [BLKIO] = {"blkio"},
        [PIDS] = {"pids"},
    };
    int fd = -1;
    for (guint i = 0; i < G_N_ELEMENTS(names[0]) && names[controller][i] && fd < 0; i++)
        fd = open_folder(root, names[controller][i]);
    return fd;
}

/* FALSE when ROOT is no cgroup v1 as it is needed here. */
static gboolean open_v1(CgroupReader *reader, int root, const char *parent)
{
    reader->kind = &kind_v1;
    for (Controller i = 0; i < CONTROLLERS; i++) {
        autofd int controller = open_controller(root, i);
        if (controller >= 0)
            reader->folders[i] = open_folder(controller, parent);
        else if (i == CPUACCT)
            return FALSE;
    }
    return TRUE;
}

CgroupReader *cgroup_reader_open(const char *root, const char *parent, GError **error)
{
    autofd int fd = open_folder(AT_FDCWD, root);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot open the cgroup folder %s", root);
        return NULL;
    }
    g_autoptr(CgroupReader) reader = g_new0(CgroupReader, 1);
    g_mutex_init(&reader->lock);
    for (Controller i = 0; i < CONTROLLERS; i++)
        reader->folders[i] = -1;
    reader->scopes = g_str_has_suffix(parent, ".slice");
    g_autofree gchar *path = parent_path(reader, parent);
    if (faccessat(fd, "cgroup.controllers", F_OK, 0) == 0) {
        reader->kind = &kind_v2;
        reader->folders[CPUACCT] = open_folder(fd, path);
        return g_steal_pointer(&reader);
    }
    if (open_v1(reader, fd, path))
        return g_steal_pointer(&reader);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                "%s holds neither cgroup v2 nor the cpuacct controller of cgroup v1", root);
    return NULL;
}

void cgroup_reader_free(CgroupReader *reader)
{
    for (guint i = 0; i < CONTROLLERS; i++)
        if (reader->folders[i] >= 0)
            close(reader->folders[i]);
    g_clear_pointer(&reader->by_id, g_hash_table_unref);
    g_clear_pointer(&reader->fetched, g_array_unref);
    g_mutex_clear(&reader->lock);
    g_free(reader);
}

void cgroup_reader_set_brief(CgroupReader *reader)
{
    reader->brief = TRUE;
}

guint cgroup_reader_version(const CgroupReader *reader)
{
    return reader->kind->version;
}

/* Of a container's files from the parent's folder; what they all begin with is made once. */
typedef struct {
    char text[256];
    gsize folder; /* the length of that */
} ContainerPath;

/* FALSE when CONTAINER_ID is anything but an id, because it becomes part of a path. */
static gboolean path_begin(ContainerPath *path, const CgroupReader *reader,
                           const char *container_id)
{
    if (strspn(container_id, "0123456789abcdef") != CONTAINER_ID_LENGTH ||
        container_id[CONTAINER_ID_LENGTH])
        return FALSE;
    path->folder = (gsize)g_snprintf(path->text, sizeof path->text,
                                     reader->scopes ? "docker-%s.scope/" : "%s/", container_id);
    return TRUE;
}

static const char *path_of(ContainerPath *path, const char *name)
{
    g_strlcpy(path->text + path->folder, name, sizeof path->text - path->folder);
    return path->text;
}

/* FALSE when the container has no cgroup; the inode is that of its folder. */
static gboolean find_container(const CgroupReader *reader, const char *container_id,
                               guint64 *start_id)
{
    ContainerPath path;
    struct stat info;
    if (!path_begin(&path, reader, container_id) ||
        fstatat(reader->folders[CPUACCT], path_of(&path, "."), &info, 0) < 0)
        return FALSE;
    *start_id = info.st_ino;
    return TRUE;
}

/* What a prefetch found of the container; NULL when that is nothing. */
static const Sample *fetched_sample(const CgroupReader *reader, const char *container_id)
{
    const Fetched *one = reader->by_id ? g_hash_table_lookup(reader->by_id, container_id) : NULL;
    return one && one->found ? &one->sample : NULL;
}

gboolean cgroup_reader_has(const CgroupReader *reader, const char *container_id)
{
    guint64 start_id;
    return fetched_sample(reader, container_id) || find_container(reader, container_id, &start_id);
}

/* Not there, or gone between open and read: no fault. */
static gboolean means_absent(int err)
{
    return err == ENOENT || err == ENODEV || err == ENOTDIR || err == EOPNOTSUPP;
}

/* Reads the file at once; FALSE with errno when it cannot. */
static gboolean read_at(int folder, const char *path, char *text, gsize *length)
{
    autofd int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FALSE;
    ssize_t n = read(fd, text, READ_MAX);
    if (n < 0)
        return FALSE;
    *length = (gsize)n;
    /* The last line may be cut, and half a number reads like a whole one. */
    while (n == READ_MAX && *length > 0 && text[*length - 1] != '\n')
        (*length)--;
    return TRUE;
}

/* By the whole path: opening the folder of each controller first would cost more. */
static gboolean read_container(const CgroupReader *reader, Controller controller,
                               ContainerPath *path, const char *name, char *text, gsize *length)
{
    errno = ENOENT;
    return reader->folders[controller] >= 0 &&
           read_at(reader->folders[controller], path_of(path, name), text, length);
}

/* *there tells whether FILE was read; FALSE with an error when it should have been. */
static gboolean take_file(const CgroupReader *reader, const CgroupFile *file, ContainerPath *path,
                          Sample *sample, gboolean *there, GError **error)
{
    char text[READ_MAX];
    gsize length;
    *there = read_container(reader, file->controller, path, file->name, text, &length);
    if (!*there && file->otherwise && errno == ENOENT)
        *there = read_container(reader, file->controller, path, file->otherwise, text, &length);
    if (*there) {
        file->take(text, length, sample);
        return TRUE;
    }
    if (means_absent(errno))
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read the cgroup file %s", file->name);
    return FALSE;
}

/* START_ID is that of the container's cgroup. */
static gboolean read_files(const CgroupReader *reader, const char *container_id, guint64 start_id,
                           Sample *sample, gboolean *found, GError **error)
{
    const CgroupKind *kind = reader->kind;
    *sample = (Sample){.time_us = sample_clock(), .start_id = start_id};
    ContainerPath path;
    *found = path_begin(&path, reader, container_id);
    for (gsize i = 0; *found && i < kind->n_files; i++) {
        gboolean there;
        if (reader->brief && kind->files[i].detail)
            continue;
        if (!take_file(reader, &kind->files[i], &path, sample, &there, error))
            return FALSE;
        if (i == 0)
            *found = there;
    }
    return TRUE;
}

gboolean cgroup_reader_read(const CgroupReader *reader, const char *container_id, Sample *sample,
                            gboolean *found, GError **error)
{
    const Sample *fetched = fetched_sample(reader, container_id);
    guint64 start_id;
    if (!fetched && find_container(reader, container_id, &start_id))
        return read_files(reader, container_id, start_id, sample, found, error);
    *found = fetched != NULL;
    *sample = fetched ? *fetched : (Sample){.time_us = sample_clock()};
    return TRUE;
}

/* The container's id in the name of its folder, NULL when it is no container's. */
static gchar *id_of_folder(const CgroupReader *reader, const char *folder)
{
    static const char prefix[] = "docker-";
    if (reader->scopes) {
        if (!g_str_has_prefix(folder, prefix))
            return NULL;
        folder += strlen(prefix);
    }
    if (strspn(folder, "0123456789abcdef") != CONTAINER_ID_LENGTH)
        return NULL;
    return g_strndup(folder, CONTAINER_ID_LENGTH);
}

static void fetched_clear(gpointer one)
{
    g_free(((Fetched *)one)->id);
}

static GArray *list_containers(const CgroupReader *reader)
{
    GArray *list = g_array_new(FALSE, TRUE, sizeof(Fetched));
    g_array_set_clear_func(list, fetched_clear);
    int fd = openat(reader->folders[CPUACCT], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folders = fd < 0 ? NULL : fdopendir(fd);
    if (!folders) {
        autofd_close(&fd);
        return list;
    }
    for (const struct dirent *entry; (entry = readdir(folders));) {
        Fetched one = {.id = id_of_folder(reader, entry->d_name)};
        one.sample.start_id = entry->d_ino; /* in a cgroup's file system the inode's own number */
        if (one.id)
            g_array_append_val(list, one);
    }
    closedir(folders);
    return list;
}

/* The first thread that comes lists the containers, another waits for it. */
static void list_once(CgroupReader *reader)
{
    g_mutex_lock(&reader->lock);
    if (!reader->fetched) {
        reader->fetched = list_containers(reader);
        reader->by_id = g_hash_table_new(g_str_hash, g_str_equal);
        for (guint i = 0; i < reader->fetched->len; i++) {
            Fetched *one = &g_array_index(reader->fetched, Fetched, i);
            g_hash_table_insert(reader->by_id, one->id, one);
        }
    }
    g_mutex_unlock(&reader->lock);
}

void cgroup_reader_prefetch(CgroupReader *reader)
{
    list_once(reader);
    for (;;) {
        guint i = (guint)g_atomic_int_add(&reader->next, 1);
        if (i >= reader->fetched->len)
            return;
        Fetched *one = &g_array_index(reader->fetched, Fetched, i);
        guint64 start_id = one->sample.start_id;
        if (!read_files(reader, one->id, start_id, &one->sample, &one->found, NULL))
            one->found = FALSE;
    }
}

static gboolean process_start(guint64 pid, guint64 *ticks)
{
    char path[64], text[READ_MAX];
    gsize length;
    g_snprintf(path, sizeof path, "/proc/%" G_GUINT64_FORMAT "/stat", pid);
    return read_at(AT_FDCWD, path, text, &length) &&
           cgroup_parse_start_ticks(text, length, ticks) && *ticks <= G_MAXINT64 / G_USEC_PER_SEC;
}

gint64 cgroup_reader_started(const CgroupReader *reader, const char *container_id)
{
    char text[READ_MAX];
    gsize length;
    guint64 oldest = G_MAXUINT64, pid, ticks;
    ContainerPath path;
    if (!path_begin(&path, reader, container_id) ||
        !read_container(reader, CPUACCT, &path, "cgroup.procs", text, &length))
        return 0;
    const char *line = text;
    const char *end;
    for (guint i = 0; i < STARTED_PIDS_MAX; i++, line = end + 1) {
        end = memchr(line, '\n', length - (gsize)(line - text));
        if (!end)
            break;
        if (cgroup_parse_number(line, (gsize)(end - line), &pid) && process_start(pid, &ticks))
            oldest = MIN(oldest, ticks);
    }
    if (oldest == G_MAXUINT64)
        return 0;
    return (gint64)oldest * G_USEC_PER_SEC / sysconf(_SC_CLK_TCK);
}

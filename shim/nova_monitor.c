// SPDX-License-Identifier: Apache-2.0
/* The methods that look: at VMs, at the host, at what happens. */
#include "nova.h"

#include "driver/autoptr.h"
#include "driver/engine_body.h"
#include "driver/error.h"
#include "driver/file.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "driver/monitor_host.h"
#include "driver/poll.h"
#include "driver/rescue.h"
#include "driver/samples.h"
#include "driver/transfer.h"
#include "driver/vm_list.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    PROC_MAX = 4 * 1024 * 1024,
    MIB = 1024 * 1024,
    GIB = 1024 * MIB,
    CONSOLE_LINES = 10000,
    KIB = 1024,
};

/* ---- VMs ---- */

/* The deploy id of what the user has in front of himself: an instance, or its rescue. */
static gchar *id_shown(const Nova *nova, GError **error)
{
    g_autofree gchar *own = nova_id(nova, error);
    return own && rescue_is_on(nova->config, own) ? rescue_id(own) : g_steal_pointer(&own);
}

gboolean nova_info(Nova *nova, GError **error)
{
    g_autofree gchar *id = id_shown(nova, error);
    g_autoptr(EngineContainer) container = id ? host_container_needed(nova->host, id, error) : NULL;
    if (!container)
        return FALSE;
    if (host_is_leftover(container)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "VM %s: it has never run", id);
        return FALSE;
    }
    return nova_answer(json_pack("{s:s}", "state", nova_state(nova, id, container->state)), error);
}

static const char *label(const EngineContainer *container, const char *name)
{
    return g_hash_table_lookup(container->labels, name);
}

/* NULL for a VM that is not the request's host's. */
static json_t *listed(const Nova *nova, const char *host, const EngineContainer *container)
{
    g_autofree gchar *uuid = nova_uuid(container->name);
    if (!uuid || host_is_leftover(container) || rescue_is_on(nova->config, container->name) ||
        g_strcmp0(label(container, ENGINE_LABEL_HOST), host) != 0)
        return NULL;
    return json_pack("{s:s, s:s, s:s}", "uuid", uuid, "name", container->name, "state",
                     nova_state(nova, container->name, container->state));
}

/* {"instances": [{"uuid": …, "name": …, "state": …}, …]} */
gboolean nova_list(Nova *nova, GError **error)
{
    const Config *config = nova->config;
    const char *host = nova_host(nova->request, error);
    g_autoptr(CgroupReader) reader =
        host ? cgroup_reader_open(config->cgroup_root, config->cgroup_parent, error) : NULL;
    g_autoptr(GPtrArray) vms = reader ? vm_list(nova->host, reader, error) : NULL;
    if (!vms)
        return FALSE;
    json_t *instances = json_array();
    for (guint i = 0; i < vms->len; i++) {
        json_t *one = listed(nova, host, vms->pdata[i]);
        if (one)
            json_array_append_new(instances, one);
    }
    return nova_answer(json_pack("{s:o}", "instances", instances), error);
}

gboolean nova_diagnostics(Nova *nova, GError **error)
{
    g_autofree gchar *id = id_shown(nova, error);
    g_autoptr(GError) failure = NULL;
    g_autoptr(PollVm) vm = id ? poll_one(nova->host, id, &failure) : NULL;
    if (id && !vm && !failure)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "VM %s: there is no such VM", id);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    if (!vm)
        return FALSE;
    const Sample *now = &vm->sample;
    json_t *answer = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "cpu_ns", (json_int_t)now->cpu_ns,
        "memory", (json_int_t)now->memory, "memory_limit", (json_int_t)now->memory_limit, "pids",
        (json_int_t)now->pids, "net_rx", (json_int_t)now->net_rx, "net_tx", (json_int_t)now->net_tx,
        "disk_read_bytes", (json_int_t)now->disk_read_bytes, "disk_write_bytes",
        (json_int_t)now->disk_write_bytes, "disk_read_ops", (json_int_t)now->disk_read_ops,
        "disk_write_ops", (json_int_t)now->disk_write_ops);
    json_object_set_new(answer, "created", json_integer(vm->created));
    json_object_set_new(answer, "state", json_string(nova_state(nova, id, vm->state)));
    return nova_answer(answer, error);
}

/* ---- the console ---- */

typedef struct {
    GString *text;
    gsize max;
} Tail;

static gboolean keep_tail(int stream G_GNUC_UNUSED, const char *bytes, gsize length, gpointer data,
                          GError **error G_GNUC_UNUSED)
{
    const Tail *tail = data;
    g_string_append_len(tail->text, bytes, (gssize)length);
    if (tail->text->len > 2 * tail->max)
        g_string_erase(tail->text, 0, (gssize)(tail->text->len - tail->max));
    return TRUE;
}

static gboolean print_bytes(const GString *text, GError **error)
{
    for (gsize at = 0; at < text->len;) {
        ssize_t n = write(STDOUT_FILENO, text->str + at, text->len - at);
        if (n <= 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, EPIPE, "cannot write the answer");
            return FALSE;
        }
        at += (gsize)n;
    }
    return TRUE;
}

/* The end of what the VM has printed, as it came, on stdout: no JSON. */
gboolean nova_console(Nova *nova, GError **error)
{
    g_autofree gchar *id = id_shown(nova, error);
    g_autoptr(EngineContainer) container = id ? host_container_needed(nova->host, id, error) : NULL;
    if (!container)
        return FALSE;
    g_autoptr(GString) text = g_string_new(NULL);
    Tail tail = {text, nova->config->nova_console_bytes};
    if (!engine_logs(nova->host->engine, container->id, container->terminal, CONSOLE_LINES, FALSE,
                     keep_tail, &tail, error))
        return FALSE;
    if (text->len > tail.max)
        g_string_erase(text, 0, (gssize)(text->len - tail.max));
    return print_bytes(text, error);
}

/* ---- the host ---- */

static gchar *proc(const char *path, GError **error)
{
    return file_read(path, PROC_MAX, NULL, error);
}

static gboolean add_memory(json_t *answer, GError **error)
{
    guint64 total = 0, available = 0;
    g_autofree gchar *text = proc("/proc/meminfo", error);
    if (!text)
        return FALSE;
    host_parse_memory(text, "MemTotal", &total);
    if (!host_parse_memory(text, "MemAvailable", &available))
        host_parse_memory(text, "MemFree", &available);
    json_object_set_new(answer, "memory_mb", json_integer((json_int_t)(total / KIB)));
    json_object_set_new(answer, "memory_mb_used",
                        json_integer((json_int_t)((total - MIN(available, total)) / KIB)));
    return TRUE;
}

/* Nanoseconds by kind, of all CPUs, as Nova's host CPU statistics have them. */
static void add_cpu_time(json_t *answer, const char *stat)
{
    enum { USER, NICE, KERNEL, IDLE, WAIT, KINDS };
    const json_int_t tick = 1000000000 / MAX(sysconf(_SC_CLK_TCK), 1);
    json_int_t time[KINDS];
    char *rest = (char *)stat + strlen("cpu");
    if (!g_str_has_prefix(stat, "cpu "))
        return;
    for (guint i = 0; i < KINDS; i++)
        time[i] = (json_int_t)g_ascii_strtoull(rest, &rest, 10) * tick;
    json_object_set_new(answer, "cpu_time",
                        json_pack("{s:I, s:I, s:I, s:I}", "user", time[USER] + time[NICE], "kernel",
                                  time[KERNEL], "idle", time[IDLE], "iowait", time[WAIT]));
}

static gboolean add_cpu(json_t *answer, GError **error)
{
    guint mhz = 0;
    struct utsname name;
    g_autofree gchar *info = proc("/proc/cpuinfo", error);
    g_autofree gchar *stat = info ? proc("/proc/stat", error) : NULL;
    g_autofree gchar *uptime = stat ? proc("/proc/uptime", error) : NULL;
    if (!uptime)
        return FALSE;
    g_autofree gchar *model = host_parse_cpu(info, &mhz);
    g_autofree gchar *shown = vmdock_one_line(model ? model : "", 200);
    uname(&name);
    json_object_set_new(answer, "vcpus", json_integer(MAX(sysconf(_SC_NPROCESSORS_ONLN), 1)));
    json_object_set_new(answer, "arch", json_string(name.machine));
    json_object_set_new(answer, "cpu_model", json_string(shown));
    json_object_set_new(answer, "cpu_mhz", json_integer(mhz));
    json_object_set_new(answer, "uptime", json_integer(g_ascii_strtoll(uptime, NULL, 10)));
    add_cpu_time(answer, stat);
    return TRUE;
}

static gboolean add_engine(Nova *nova, json_t *answer, GError **error)
{
    TransferSpace space = {0};
    g_autoptr(EngineVersion) version = engine_version(nova->host->engine, error);
    if (!version || !transfer_space(nova->host, &space, error))
        return FALSE;
    json_object_set_new(answer, "engine", json_string(version->kind));
    json_object_set_new(answer, "engine_version", json_string(version->version));
    json_object_set_new(answer, "local_gb", json_integer((json_int_t)(space.total / GIB)));
    json_object_set_new(answer, "local_gb_used",
                        json_integer((json_int_t)((space.total - space.available) / GIB)));
    json_object_set_new(answer, "local_gb_available",
                        json_integer((json_int_t)(space.available / GIB)));
    return TRUE;
}

gboolean nova_resources(Nova *nova, GError **error)
{
    g_autoptr(json_t) answer = json_object();
    return add_engine(nova, answer, error) && add_cpu(answer, error) && add_memory(answer, error) &&
           nova_answer(json_incref(answer), error);
}

/* ---- what happens ---- */

typedef struct {
    const char *host;
    gint64 since_us;
} Listener;

/* {"uuid": …, "event": "stopped"|"started"|"paused"|"resumed"|"removed", "exit_code": …} */
static gboolean tell_event(const EngineEvent *event, gpointer data, GError **error)
{
    const Listener *listener = data;
    g_autofree gchar *uuid = nova_uuid(event->name);
    /* The engine begins with the second, and who listens has seen what was before. */
    if (!uuid || (event->time_us && event->time_us < listener->since_us) ||
        g_strcmp0(event->cloud, "nova") != 0 || g_strcmp0(event->host, listener->host) != 0)
        return TRUE;
    const char *word = engine_event_word(event);
    return !word || nova_answer(json_pack("{s:s, s:s, s:i}", "uuid", uuid, "event", word,
                                          "exit_code", event->exit_code),
                                error);
}

/* Nova's user may not send signals to root's process: it closes stdin when it has heard enough. */
static gpointer watch_caller(gpointer data G_GNUC_UNUSED)
{
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    interrupt_raise(SIGHUP);
    return NULL;
}

/*
 * Goes on until the caller, or the engine, is gone. The first line, {"event": "ready"}, says from
 * when on nothing is missed.
 */
gboolean nova_events(Nova *nova, GError **error)
{
    g_thread_unref(g_thread_new("caller", watch_caller, NULL));
    Listener listener = {nova_host(nova->request, error), g_get_real_time()};
    g_autoptr(EngineVersion) version =
        listener.host ? engine_version(nova->host->engine, error) : NULL;
    return version && nova_answer(json_pack("{s:s}", "event", "ready"), error) &&
           engine_events(nova->host->engine, ENGINE_LABEL_VM, listener.since_us / G_USEC_PER_SEC,
                         tell_event, &listener, error);
}

// SPDX-License-Identifier: Apache-2.0
#include "poll_format.h"

#include "spec_opennebula.h"

#include <string.h>

const char *poll_state_name(EngineState state)
{
    static const char *const names[] = {
        [ENGINE_CREATED] = "created", [ENGINE_RUNNING] = "running",
        [ENGINE_PAUSED] = "paused",   [ENGINE_RESTARTING] = "restarting",
        [ENGINE_EXITED] = "exited",   [ENGINE_DEAD] = "dead",
    };
    return (guint)state < G_N_ELEMENTS(names) ? names[state] : "unknown";
}

/* JSON knows no unsigned 64-bit number; no counter gets that far. */
static json_t *json_counter(guint64 value)
{
    return json_integer((json_int_t)MIN(value, (guint64)G_MAXINT64));
}

/* To a tenth, as OpenNebula's line has it; whatever the program's locale, a decimal point. */
static const char *format_percent(double percent, char text[G_ASCII_DTOSTR_BUF_SIZE])
{
    return g_ascii_formatd(text, G_ASCII_DTOSTR_BUF_SIZE, "%.1f", percent);
}

static void set_if(json_t *object, const char *key, gboolean known, json_t *value)
{
    if (!known) {
        json_decref(value);
        value = json_null();
    }
    json_object_set_new(object, key, value);
}

static void set_sample(json_t *object, const PollVm *vm)
{
    const Sample *sample = &vm->sample;
    gboolean known = vm->has_sample;
    char percent[G_ASCII_DTOSTR_BUF_SIZE];
    double tenths = g_ascii_strtod(format_percent(vm->cpu_percent, percent), NULL);
    set_if(object, "cpu_percent", known, json_real(tenths));
    guint64 cpu_ms = sample->cpu_ns / 1000000;
    set_if(object, "cpu_seconds", known, json_real((double)cpu_ms / 1000));
    set_if(object, "memory_bytes", known, json_counter(sample->memory));
    set_if(object, "memory_limit_bytes", known && sample->memory_limit > 0,
           json_counter(sample->memory_limit));
    json_object_set_new(object, "net_rx_bytes", json_counter(sample->net_rx));
    json_object_set_new(object, "net_tx_bytes", json_counter(sample->net_tx));
    set_if(object, "disk_read_bytes", known, json_counter(sample->disk_read_bytes));
    set_if(object, "disk_write_bytes", known, json_counter(sample->disk_write_bytes));
    set_if(object, "disk_read_ops", known, json_counter(sample->disk_read_ops));
    set_if(object, "disk_write_ops", known, json_counter(sample->disk_write_ops));
    set_if(object, "pids", known, json_counter(sample->pids));
    set_if(object, "throttled_us", known, json_counter(sample->throttled_us));
    set_if(object, "oom_kills", known, json_counter(sample->oom_kills));
}

json_t *poll_format_json_one(const PollVm *vm)
{
    json_t *object = json_object();
    json_object_set_new(object, "vm", json_string(vm->deploy_id));
    json_object_set_new(object, "cloud", json_string(vm->cloud));
    json_object_set_new(object, "cloud_id", json_string(vm->cloud_id));
    json_object_set_new(object, "name", json_string(vm->name));
    json_object_set_new(object, "container_id", json_string(vm->container_id));
    json_object_set_new(object, "created", json_integer(vm->created));
    json_object_set_new(object, "state", json_string(poll_state_name(vm->state)));
    json_object_set_new(object, "one_state", json_stringn(&vm->one_state, 1));
    if (vm->guest_ip)
        json_object_set_new(object, "guest_ip", json_string(vm->guest_ip));
    set_sample(object, vm);
    return object;
}

json_t *poll_format_json(const GPtrArray *vms)
{
    json_t *list = json_array();
    for (guint i = 0; i < vms->len; i++)
        json_array_append_new(list, poll_format_json_one(vms->pdata[i]));
    return list;
}

static void append_counter(GString *text, const char *key, guint64 value)
{
    g_string_append_printf(text, " %s=%" G_GUINT64_FORMAT, key, value);
}

gchar *poll_format_opennebula(const PollVm *vm)
{
    if (!vm)
        return g_strdup("STATE=d");
    const Sample *sample = &vm->sample;
    char percent[G_ASCII_DTOSTR_BUF_SIZE];
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "STATE=%c", vm->one_state);
    append_counter(text, "USEDMEMORY", sample->memory / 1024);
    g_string_append_printf(text, " USEDCPU=%s", format_percent(vm->cpu_percent, percent));
    append_counter(text, "NETRX", sample->net_rx);
    append_counter(text, "NETTX", sample->net_tx);
    if (vm->has_sample) {
        append_counter(text, "DISKRDBYTES", sample->disk_read_bytes);
        append_counter(text, "DISKWRBYTES", sample->disk_write_bytes);
        append_counter(text, "DISKRDIOPS", sample->disk_read_ops);
        append_counter(text, "DISKWRIOPS", sample->disk_write_ops);
    }
    if (vm->guest_ip)
        g_string_append_printf(text, " GUEST_IP=%s", vm->guest_ip);
    return g_string_free(text, FALSE);
}

gchar *poll_format_opennebula_all(const GPtrArray *vms)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < vms->len; i++) {
        const PollVm *vm = vms->pdata[i];
        const char *number = opennebula_number(vm->deploy_id);
        if (!number)
            continue;
        g_autofree gchar *line = poll_format_opennebula(vm);
        g_string_append_printf(text, "VM=[ID=%s, DEPLOY_ID=%s, POLL=\"%s\"]\n", number,
                               vm->deploy_id, line);
    }
    return g_string_free(text, FALSE);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * What the probes read: the client's configuration, a result of the action exec, files of /proc, a
 * guest's mounts, and the files in which they remember. What is remembered reads the same again.
 */
#include "driver/layer_size.h"
#include "driver/monitor_exec.h"
#include "driver/monitor_host.h"
#include "driver/opennebula_monitor.h"
#include "driver/usage_cache.h"
#include "driver/vm_status.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char nowhere[] = "/nonexistent";
static const Config config = {.run_dir = nowhere};

static void foreign(const char *text, gsize length)
{
    g_assert_cmpuint(opennebula_sync_period(text, length, 1 << 16), >, 0);
    g_autoptr(ExecRecord) record = exec_record_parse(text, length, NULL);
    g_autofree gchar *line = record ? monitor_exec_line(record, "42") : NULL;
    g_assert_true(!line || strlen(line) <= EXEC_REPORT_MAX);
    g_autofree gchar *quoted = monitor_host_quote(text);
    g_assert_null(strpbrk(quoted, "\"\\\n"));
}

static void proc(const char *text)
{
    guint64 busy = 0, all = 0;
    guint mhz = 0;
    g_assert_true(!host_parse_stat(text, &busy, &all) || busy <= all || all < G_MAXUINT32);
    host_parse_memory(text, "MemTotal", &all);
    g_autofree gchar *model = host_parse_cpu(text, &mhz);
    g_autofree gchar *folder = layer_folder_of(text);
    g_assert_true(!folder || *folder == '/');
}

static void remembered(const char *text, gsize length)
{
    g_autoptr(UsageCache) usages = usage_cache_load(&config);
    usage_cache_parse(usages, text, length);
    usage_cache_get(usages, "one-1", "abc");
    g_autofree gchar *usage = usage_cache_format(usages);
    g_autoptr(UsageCache) usages_again = usage_cache_load(&config);
    usage_cache_parse(usages_again, usage, strlen(usage));

    g_autoptr(StatusStore) store = status_store_parse(text, length, "1");
    g_autofree gchar *first = status_store_format(store);
    g_autoptr(StatusStore) again = status_store_parse(first, strlen(first), "1");
    g_autofree gchar *second = status_store_format(again);
    g_assert_cmpstr(first, ==, second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const char *)data, size);
    foreign(text, strlen(text));
    proc(text);
    remembered((const char *)data, size);
    return 0;
}

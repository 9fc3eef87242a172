// SPDX-License-Identifier: Apache-2.0
/*
 * The action monitor: what the probes of OpenNebula's monitoring client print. WHAT is the folder
 * that the probe lies in; HYPERVISOR HOST_ID HOST are the client's arguments, as it gives them.
 *
 * Contract: im/onedock-probes.d of OpenNebula 6.x and 7.x; the forms are monitor_host.h,
 * monitor_vm.h and monitor_exec.h.
 */
#include "one.h"

#include "driver/actions.h"
#include "driver/log.h"
#include "driver/monitor_exec.h"
#include "driver/monitor_host.h"
#include "driver/monitor_vm.h"
#include "driver/opennebula_monitor.h"

#include <string.h>

enum { HOST_ID_MAX = 19 };

/* HOST_ID is NULL when the caller gave none. */
typedef gboolean (*Probe)(One *one, const char *host_id, GError **error);

static gboolean tell(const char *text, gpointer data G_GNUC_UNUSED, GError **error)
{
    return shim_print(text, error);
}

static gboolean print_own(gchar *text, GError **error)
{
    gboolean printed = text && shim_print(text, error);
    g_free(text);
    return printed;
}

static gboolean host_system(One *one, const char *host_id G_GNUC_UNUSED, GError **error)
{
    return print_own(monitor_host_system(one->host, error), error);
}

static gboolean host_usage(One *one, const char *host_id G_GNUC_UNUSED, GError **error)
{
    return print_own(monitor_host_usage(one->host, error), error);
}

/* The one probe that reads the configuration on stdin. */
static gboolean vm_status(One *one, const char *host_id, GError **error)
{
    gsize length = 0;
    g_autofree gchar *xml = one_payload(one, &length, error);
    if (!xml)
        return FALSE;
    guint64 sync_s = opennebula_sync_period(xml, length, one->config->xml_max_bytes);
    return monitor_vm_status(one->host, host_id ? host_id : "", sync_s, tell, NULL, error);
}

static gboolean vm_usage(One *one, const char *host_id G_GNUC_UNUSED, GError **error)
{
    return print_own(monitor_vm_usage(one->host, error), error);
}

static gboolean vm_execution(One *one, const char *host_id G_GNUC_UNUSED, GError **error)
{
    return monitor_vm_execution(one->config, tell, NULL, error);
}

/* OpenNebula asks here for snapshots that it has made itself, and gets none: the minute's errand is
 * to clear what nobody will come for. */
static gboolean vm_snapshot(One *one, const char *host_id G_GNUC_UNUSED, GError **error)
{
    g_autoptr(GPtrArray) cleared = vm_sweep(one->host, error);
    for (guint i = 0; cleared && i < cleared->len; i++)
        log_info("%s", (const char *)cleared->pdata[i]);
    return cleared != NULL;
}

static const struct {
    const char *what;
    Probe run;
} probes[] = {
    {"host/system", host_system}, {"host/monitor", host_usage},   {"vm/status", vm_status},
    {"vm/monitor", vm_usage},     {"vm/execution", vm_execution}, {"vm/snapshot", vm_snapshot},
};

static gboolean is_host_id(const char *text)
{
    gsize length = strlen(text);
    return length > 0 && length <= HOST_ID_MAX && strspn(text, "0123456789") == length;
}

/* monitor <what> [<hypervisor> <host id> <host>] */
gboolean one_monitor(One *one, int argc, char **argv, GError **error)
{
    const char *host_id = argc > 3 ? argv[3] : NULL;
    if (argc < 2 || (host_id && !is_host_id(host_id)))
        return one_usage(error, "monitor PROBE [HYPERVISOR HOST_ID HOST]");
    for (gsize i = 0; i < G_N_ELEMENTS(probes); i++)
        if (strcmp(argv[1], probes[i].what) == 0)
            return probes[i].run(one, host_id, error);
    return one_usage(error, "monitor host/system|host/monitor|vm/status|vm/monitor|vm/execution|"
                            "vm/snapshot [HYPERVISOR HOST_ID HOST]");
}

// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-one: what OpenNebula's driver scripts exec, through sudo, as root.
 *
 * The caller is the cloud's user, not root: argv is checked against the action's form, stdin holds
 * the payload, the environment is cleared, the configuration is the installed one. There is no
 * option, no path and no trace here.
 *
 * Contract: VMM actions of OpenNebula 4.14 to 7.4; the arguments are those of the scripts
 * remotes/opennebula/vmm/onedock/ACTION.
 */
#include "opennebula.h"
#include "shim.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "driver/poll.h"
#include "driver/poll_format.h"
#include "driver/spec_opennebula.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    const Config *config;
    FrontEnd front_end;
    Host *host;
    Progress progress;
} One;

/*
 * 6.2 to 6.10 take all of stderr as the error's message, so a failed action may print nothing else:
 * lines wait here until the outcome is known.
 */
typedef struct {
    FrontEnd front_end;
    GString *waiting;
} OneLog;

static void one_log(LogLevel level, const char *line, gpointer data)
{
    OneLog *log = data;
    g_autofree gchar *text = front_end_log(level == LOG_WARN ? "WARN" : "INFO", line);
    if (log->front_end == FRONT_END_ALL)
        g_string_append(log->waiting, text);
    else
        g_printerr("%s", text);
}

static gboolean usage(GError **error, const char *form)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "usage: vmdock-one %s", form);
    return FALSE;
}

/* Under `-l` the front end runs an action itself and hands the payload over in base64. */
static gchar *decode(gchar *text, gsize *length)
{
    const char *start = text + strspn(text, " \t\r\n");
    if (*start == '<' || *start == '\0' || *start == '\xef')
        return text;
    gsize size = 0;
    g_autofree guchar *bytes = g_base64_decode(start, &size);
    if (size == 0 || bytes[0] != '<')
        return text;
    g_free(text);
    *length = size;
    return g_strndup((const char *)bytes, size);
}

static VmSpec *read_spec(const One *one, GError **error)
{
    const Config *config = one->config;
    gsize length = 0;
    /* Base64 is larger by a third. */
    g_autofree gchar *text =
        shim_read(NULL, config->xml_max_bytes + config->xml_max_bytes / 2, &length, error);
    if (!text)
        return NULL;
    text = decode(text, &length);
    OpennebulaOptions options = {config->xml_max_bytes, config->hard_cpu, config->terminal};
    return spec_from_opennebula(text, length, &options, error);
}

static gboolean report(const char *deploy_id, gpointer data G_GNUC_UNUSED, GError **error)
{
    g_autofree gchar *line = g_strconcat(deploy_id, "\n", NULL);
    return shim_print(line, error);
}

/* deploy <file> <host> <vmid> <host>: the file's name means nothing on the node. */
static gboolean one_deploy(One *one, int argc, char **argv, GError **error)
{
    if (argc < 2)
        return usage(error, "deploy FILE HOST [VMID HOST]");
    g_autoptr(VmSpec) spec = read_spec(one, error);
    if (!spec)
        return FALSE;
    if (argc > 3 && strcmp(argv[3], spec->cloud_id) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the front end asks for VM %s and sends the description of VM %s", argv[3],
                    spec->cloud_id);
        return FALSE;
    }
    DeployHooks hooks = {.pull = shim_progress, .report = report, .data = &one->progress};
    return vm_deploy(one->host, spec, &hooks, error);
}

/* The VM must be OpenNebula's, and where argv gives its number too, that one. */
static gboolean check_id(const char *deploy_id, const char *number, GError **error)
{
    const char *own = g_str_has_prefix(deploy_id, "one-") ? deploy_id + strlen("one-") : "";
    if (vm_id_valid(deploy_id) && *own && own[strspn(own, "0123456789")] == '\0' &&
        (!number || strcmp(own, number) == 0))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(deploy_id, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is not the deploy id of that VM",
                shown);
    return FALSE;
}

typedef gboolean (*Plain)(Host *host, const char *deploy_id, GError **error);

/* <deploy-id> <host> [<vmid> <host>] */
static gboolean plain(One *one, int argc, char **argv, Plain action, GError **error)
{
    if (argc < 2)
        return usage(error, "ACTION DEPLOY_ID [HOST VMID HOST]");
    return check_id(argv[1], argc > 3 ? argv[3] : NULL, error) && action(one->host, argv[1], error);
}

static gboolean own_timeout(Host *host, const char *deploy_id, GError **error)
{
    return vm_shutdown(host, deploy_id, -1, error);
}

static gboolean one_shutdown(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, own_timeout, error);
}

static gboolean one_cancel(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, vm_cancel, error);
}

static gboolean one_reboot(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, vm_reboot, error);
}

static gboolean one_reset(One *one, int argc, char **argv, GError **error)
{
    return plain(one, argc, argv, vm_reset, error);
}

static gchar *poll_text_all(One *one, GError **error)
{
    g_autoptr(GPtrArray) vms = poll_all(one->host, POLL_FULL, error);
    return vms ? poll_format_opennebula_all(vms) : NULL;
}

static gchar *poll_text(One *one, const char *deploy_id, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(PollVm) vm = poll_one(one->host, deploy_id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    g_autofree gchar *line = poll_format_opennebula(vm);
    return g_strconcat(line, "\n", NULL);
}

/* poll <deploy-id> <host>, or no deploy id for all of the host's VMs: up to OpenNebula 5.x. */
static gboolean one_poll(One *one, int argc, char **argv, GError **error)
{
    gboolean all = argc < 2 || !*argv[1] || strcmp(argv[1], "-") == 0;
    if (!all && !check_id(argv[1], NULL, error))
        return FALSE;
    g_autofree gchar *text = all ? poll_text_all(one, error) : poll_text(one, argv[1], error);
    return text && shim_print(text, error);
}

static const struct {
    const char *name;
    gboolean (*run)(One *one, int argc, char **argv, GError **error);
} actions[] = {
    {"deploy", one_deploy}, {"shutdown", one_shutdown}, {"cancel", one_cancel},
    {"reboot", one_reboot}, {"reset", one_reset},       {"poll", one_poll},
};

static gboolean run(One *one, int argc, char **argv, GError **error)
{
    for (gsize i = 0; argc > 1 && i < G_N_ELEMENTS(actions); i++) {
        if (strcmp(argv[1], actions[i].name) != 0)
            continue;
        one->host = host_open(one->config, error);
        return one->host && actions[i].run(one, argc - 1, argv + 1, error);
    }
    return usage(error, "deploy|shutdown|cancel|reboot|reset|poll ARGUMENT…");
}

static void clear_environment(void)
{
    clearenv();
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
}

int main(int argc, char **argv)
{
    shim_take_standard_files();
    clear_environment();
    setlocale(LC_ALL, "C.UTF-8");
    umask(0022);
    g_set_prgname("vmdock-one");
    interrupt_install();
    One one = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_load(NULL, &error);
    OneLog log = {FRONT_END_PREFIXED, g_string_new(NULL)};
    if (config) {
        one.config = config;
        log.front_end = front_end_detect(config->opennebula_remotes);
        log_set_sink(one_log, LOG_INFO, &log);
        run(&one, argc, argv, &error);
        g_clear_pointer(&one.host, host_free);
    }
    log_set_sink(NULL, LOG_INFO, NULL);
    g_autofree gchar *sentence = error ? front_end_error(log.front_end, error->message) : NULL;
    g_printerr("%s", sentence ? sentence : log.waiting->str);
    g_string_free(log.waiting, TRUE);
    return error ? vmdock_error_status(error) : 0;
}

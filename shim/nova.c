// SPDX-License-Identifier: Apache-2.0
#include "nova.h"

#include "driver/account.h"
#include "driver/actions.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/log.h"
#include "driver/state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LISTEN_MS = 1000,
    MAX_WORD = 4096,
    MAX_LIMIT_S = 7 * 24 * 3600,
    GRACE_S = 300, /* as the caller knows it: GRACE_S of vmdock_nova/shim.py */
};

static guint grace_s;

/* The second alarm finds no handler any more: whatever the process hangs in, the kernel ends it,
 * where Nova's user could not. */
static void out_of_time(int signal_number)
{
    interrupt_raise(signal_number);
    alarm(grace_s);
}

void nova_limit(const json_t *request)
{
    json_int_t seconds = json_integer_value(json_object_get(request, "limit"));
    if (seconds <= 0)
        return;
    guint limit = (guint)MIN(seconds, MAX_LIMIT_S);
    struct sigaction once = {.sa_handler = out_of_time, .sa_flags = SA_RESETHAND};
    grace_s = MIN(limit, GRACE_S);
    sigaction(SIGALRM, &once, NULL);
    alarm(limit);
}

gboolean nova_answer(json_t *answer, GError **error)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    g_autofree gchar *line = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(answer);
    return shim_print(line, error);
}

gchar *nova_id(const Nova *nova, GError **error)
{
    return nova_deploy_id(nova->request, error);
}

NovaOptions nova_options(const Config *config)
{
    gboolean made = strcmp(config->nova_volume_fs, "none") != 0;
    return (NovaOptions){.terminal = config->terminal,
                         .mount_point = config->nova_mount_point,
                         .volume_point = config->nova_volume_point,
                         .volume_fs = made ? config->nova_volume_fs : NULL};
}

VmSpec *nova_requested_spec(const Nova *nova, GError **error)
{
    NovaOptions options = nova_options(nova->config);
    g_autoptr(VmSpec) spec = spec_from_nova(nova->request, &options, error);
    if (!spec || !spec->context || !spec->context->password)
        return g_steal_pointer(&spec);
    spec->context->password_hash = account_hash(spec->context->password);
    if (!spec->context->password_hash) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_INTERNAL, "crypt makes no hash");
        return NULL;
    }
    g_clear_pointer(&spec->context->password, g_free);
    return g_steal_pointer(&spec);
}

VmSpec *nova_saved_spec(const Nova *nova, GError **error)
{
    g_autofree gchar *id = nova_id(nova, error);
    g_autoptr(EngineContainer) container = id ? host_container_needed(nova->host, id, error) : NULL;
    if (container && host_is_leftover(container)) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_VM, "VM %s: it has never run", id);
        return NULL;
    }
    g_autoptr(VmSpec) spec = container ? state_load_needed(nova->config, id, error) : NULL;
    if (!spec)
        return NULL;
    if (spec->context) {
        g_clear_pointer(&spec->context->keys, g_strfreev);
        g_clear_pointer(&spec->context->password, g_free);
        g_clear_pointer(&spec->context->password_hash, g_free);
        g_ptr_array_set_size(spec->context->given, 0);
    }
    NovaOptions options = nova_options(nova->config);
    if (!nova_take_volumes(nova->request, &options, spec, error) ||
        (json_object_get(nova->request, "network_info") &&
         !nova_take_network(nova->request, spec, error)) ||
        !vm_spec_check(spec, error))
        return NULL;
    return g_steal_pointer(&spec);
}

void nova_leave_nothing(const Nova *nova, const char *deploy_id)
{
    g_autoptr(GError) trouble = NULL;
    interrupt_hold();
    if (!vm_purge(nova->host, deploy_id, &trouble))
        log_warn("cannot clear up: %s", trouble->message);
    interrupt_allow();
}

/* FALSE without error at the end of stdin. */
static gboolean read_more(GString *into, GError **error)
{
    char piece[MAX_WORD];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    while (interrupt_check(error)) {
        if (poll(&in, 1, LISTEN_MS) <= 0)
            continue;
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        if (n > 0)
            g_string_append_len(into, piece, n);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
    return FALSE;
}

/* A line of the caller's, after its request; FALSE when it has gone. */
static gboolean hear(Nova *nova, GError **error)
{
    g_autoptr(GError) failure = NULL;
    while (!strchr(nova->rest->str, '\n')) {
        if (nova->rest->len < MAX_WORD && read_more(nova->rest, &failure))
            continue;
        if (failure)
            g_propagate_error(error, g_steal_pointer(&failure));
        else
            g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_STATE,
                                "the caller does not want it any more");
        return FALSE;
    }
    return TRUE;
}

/* Neutron must hear of the NICs before the VM uses them: the caller waits, and then says so. */
static gboolean plugged(const char *deploy_id G_GNUC_UNUSED, gpointer data, GError **error)
{
    return nova_answer(json_pack("{s:b}", "plugged", 1), error) && hear(data, error);
}

DeployHooks nova_hooks(Nova *nova)
{
    gboolean waits = json_is_true(json_object_get(nova->request, "wait"));
    return (DeployHooks){.plugged = waits ? plugged : NULL, .data = nova};
}

void nova_await_end(void)
{
    char piece[64];
    while (!interrupt_pending()) {
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
    }
}

const char *nova_state(const Nova *nova, const char *deploy_id, EngineState state)
{
    switch (state) {
    case ENGINE_RUNNING:
    case ENGINE_RESTARTING:
        return "running";
    case ENGINE_PAUSED:
        return state_marked(nova->config, deploy_id, NOVA_SUSPENDED) ? "suspended" : "paused";
    case ENGINE_DEAD:
        return "broken";
    case ENGINE_CREATED:
    case ENGINE_EXITED:
        break;
    }
    return "stopped";
}

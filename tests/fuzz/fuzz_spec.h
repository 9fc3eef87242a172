// SPDX-License-Identifier: Apache-2.0
/* What the fuzzers of VM descriptions share: a text, and all that becomes of it. */
#pragma once

#include "driver/autoptr.h"
#include "driver/engine_body.h"
#include "driver/error.h"
#include "driver/nic_filter_rules.h"
#include "driver/spec_opennebula.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void fuzz_must(gboolean true_or_abort)
{
    if (!true_or_abort)
        abort();
}

static gchar *fuzz_dump(json_t *json)
{
    /* NULL where a string is no UTF-8, which no spec may hold. */
    char *text = json_dumps(json, JSON_ENCODE_ANY);
    fuzz_must(text != NULL);
    json_decref(json);
    gchar *copy = g_strdup(text);
    free(text);
    return copy;
}

static void fuzz_bodies(const VmSpec *spec)
{
    static gchar runtime[] = "vmdock", parent[] = "/vmdock", state[] = "/s", place[] = "/mnt";
    const Config config = {.runtime_name = runtime,
                           .cgroup_parent = parent,
                           .log_max_bytes = 1,
                           .state_dir = state,
                           .context_mount_point = place};
    g_free(fuzz_dump(engine_body(spec, &config, "image")));
    g_free(fuzz_dump(engine_update_body(spec, &config)));
    g_auto(GStrv) changed = engine_body_changed(spec, spec);
    fuzz_must(g_strv_length(changed) == 0);
}

/* The rules of the packet filter: text of others' becomes none of their words. */
static void fuzz_filter(const VmSpec *spec)
{
    static const char *const gone[] = {"one-1-0", NULL};
    if (!nic_filter_check(spec->nics, NULL))
        return;
    for (VmFilter filter = VM_FILTER_OFF; filter <= VM_FILTER_FULL; filter++) {
        g_free(fuzz_dump(nic_filter_rules(spec->nics, filter, gone, NIC_FILTER_CONNTRACK)));
        g_free(fuzz_dump(nic_filter_rules(spec->nics, filter, NULL, NIC_FILTER_MARK)));
        g_autoptr(GHashTable) elements = nic_filter_elements(spec->nics, filter);
        fuzz_must((g_hash_table_size(elements) == 0) ==
                  (filter == VM_FILTER_OFF || spec->nics->len == 0));
    }
}

static void fuzz_spec(const VmSpec *spec)
{
    g_autofree gchar *text = fuzz_dump(vm_spec_to_json(spec));
    g_autoptr(json_t) json = json_loads(text, 0, NULL);
    fuzz_must(json != NULL);
    g_autoptr(VmSpec) again = vm_spec_from_json(json, NULL);
    fuzz_must(again != NULL);
    g_autofree gchar *text_again = fuzz_dump(vm_spec_to_json(again));
    fuzz_must(strcmp(text, text_again) == 0);
    fuzz_bodies(again);
    fuzz_filter(again);
}

/* Those that the message has; one more may be the VM's own, on a network of the engine. */
static inline guint fuzz_cloud_nics(const VmSpec *spec)
{
    guint count = spec->nics->len;
    const VmNic *last = count > 0 ? spec->nics->pdata[count - 1] : NULL;
    return last && last->id == ONE_VM_NIC ? count - 1 : count;
}

/* An error is of our domain, and one line. */
static inline void fuzz_opennebula_text(const char *text, size_t size)
{
    const OpennebulaOptions options = {
        .max_size = 1048576, .terminal = TRUE, .env_prefix = "ONEDOCK_ENV_"};
    g_autoptr(GError) error = NULL;
    g_autoptr(VmSpec) spec = spec_from_opennebula(text, size, &options, &error);
    g_autofree gchar *id = opennebula_vm_id(text, size, options.max_size, NULL);
    g_autofree gchar *own_id = NULL;
    g_autoptr(GPtrArray) limits = opennebula_bandwidth(text, size, options.max_size, &own_id, NULL);
    fuzz_must(!limits == !own_id && (!own_id || g_strcmp0(id, own_id) == 0));
    g_autofree gchar *rules_id = NULL;
    g_auto(GStrv) notes = NULL;
    g_autoptr(GPtrArray) rules =
        opennebula_rules(text, size, options.max_size, &rules_id, &notes, NULL);
    fuzz_must(!rules == !rules_id && !rules == !notes);
    if (!spec) {
        fuzz_must(error && vmdock_error_is(error, VMDOCK_ERROR_SPEC));
        fuzz_must(g_utf8_validate(error->message, -1, NULL) && !strchr(error->message, '\n'));
        return;
    }
    fuzz_must(id && strcmp(id, spec->cloud_id) == 0);
    fuzz_must(limits && limits->len == fuzz_cloud_nics(spec));
    fuzz_must(rules && rules->len == fuzz_cloud_nics(spec));
    fuzz_must(vm_spec_check(spec, NULL));
    fuzz_spec(spec);
}

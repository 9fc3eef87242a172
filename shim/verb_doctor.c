// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/autoptr.h"
#include "driver/doctor.h"
#include "driver/error.h"

static json_t *findings_json(const GPtrArray *findings)
{
    json_t *list = json_array();
    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s?}", "id", finding->id, "title",
                                        finding->title, "level", doctor_level_name(finding->level),
                                        "what", finding->what, "mend", finding->mend));
    }
    return list;
}

static gchar *findings_text(const GPtrArray *findings, gboolean colour)
{
    static const char *const colours[] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);
        g_string_append_printf(out, "%s%-4s%s  %s: %s\n", colour ? colours[finding->level] : "",
                               doctor_level_name(finding->level), colour ? "\033[0m" : "",
                               finding->title, finding->what);
        if (finding->mend)
            g_string_append_printf(out, "      to mend: %s\n", finding->mend);
    }
    return g_string_free(out, FALSE);
}

int verb_doctor(Shim *shim, int argc, char **argv, GError **error)
{
    /* A configuration that cannot be read is a finding, not the end of the examination. */
    g_autoptr(GError) trouble = NULL;
    if (!shim_parse(shim, shim_verb("doctor"), NULL, &argc, &argv, 0, 0, &trouble) &&
        !vmdock_error_is(trouble, VMDOCK_ERROR_CONFIG)) {
        if (trouble)
            g_propagate_error(error, g_steal_pointer(&trouble));
        return 0;
    }
    g_autoptr(GPtrArray) findings =
        trouble ? doctor_run_unconfigured(trouble) : doctor_run(shim->config);
    gboolean printed = FALSE;
    if (shim->json) {
        g_autoptr(json_t) json = findings_json(findings);
        printed = shim_print_json(json, error);
    } else {
        g_autofree gchar *text = findings_text(findings, shim->colour);
        printed = shim_print(text, error);
    }
    if (printed && doctor_worst(findings) == DOCTOR_FAIL)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNHEALTHY,
                    "VMs cannot run safely on this host until the failures above are mended");
    return 0;
}

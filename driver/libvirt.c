// SPDX-License-Identifier: Apache-2.0
#include "libvirt.h"

#include "error.h"
#include "log.h"
#include "program.h"

#include <sys/wait.h>

/* The program ends itself in time; this is for one that cannot. */
enum { PATIENCE_MS = 2000, MAX_SENTENCE = 400 };

/* The kind of failure whose exit status STATUS is. */
static VmdockError error_of(int status)
{
    const char *name, *text;
    int its;
    for (guint code = 0; vmdock_error_row(code, &name, &its, &text); code++)
        if (its == status)
            return (VmdockError)code;
    return VMDOCK_ERROR_NETWORK;
}

static gboolean refused(int status, const char *said, GError **error)
{
    g_autofree gchar *line = vmdock_one_line(said, MAX_SENTENCE);
    g_set_error(error, VMDOCK_ERROR,
                WIFEXITED(status) ? error_of(WEXITSTATUS(status)) : VMDOCK_ERROR_NETWORK, "%s",
                *line ? line : "vmdock-libvirt failed without a word");
    return FALSE;
}

LibvirtAnswer *libvirt_ask(const Config *config, const LibvirtRequest *request, gboolean *unknown,
                           GError **error)
{
    const char *const argv[] = {VMDOCK_LIBEXECDIR "/vmdock-libvirt", NULL};
    g_autofree gchar *text = libvirt_request_text(request);
    g_autofree gchar *out = NULL, *said = NULL;
    g_autoptr(GError) failure = NULL;
    gint64 begin = g_get_monotonic_time();
    int status = 0;
    *unknown = FALSE;
    if (!program_run(argv, text, config->libvirt_timeout_ms + PATIENCE_MS, VMDOCK_ERROR_NETWORK,
                     &out, &said, &status, &failure)) {
        *unknown = !vmdock_error_is(failure, VMDOCK_ERROR_UNSUPPORTED);
        if (!*unknown)
            g_prefix_error(&failure, "networks of libvirt need the package vmdock-libvirt: ");
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    log_trace("libvirt, %s: %.1f ms", request->verb,
              (double)(g_get_monotonic_time() - begin) / G_TIME_SPAN_MILLISECOND);
    *unknown = !WIFEXITED(status) || WEXITSTATUS(status) == LIBVIRT_UNKNOWN_STATUS;
    if (status != 0) {
        refused(status, said, error);
        return NULL;
    }
    LibvirtAnswer *answer = libvirt_answer_parse(out, error);
    *unknown = !answer;
    return answer;
}

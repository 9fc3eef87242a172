// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/engine_body.h"
#include "driver/error.h"

#include <stdlib.h>
#include <string.h>

/* One line an event, so that a program can read them as they come. */
static gchar *json_line(const EngineEvent *event, const char *word)
{
    json_t *json = json_pack("{s:s, s:s, s:i, s:f}", "vm", event->name, "event", word, "exit_code",
                             event->exit_code, "time", (double)event->time_us / G_USEC_PER_SEC);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
    gchar *line = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(json);
    return line;
}

static gchar *plain_line(const EngineEvent *event, const char *word)
{
    return strcmp(event->action, "die") == 0
               ? g_strdup_printf("%s %s with status %d\n", event->name, word, event->exit_code)
               : g_strdup_printf("%s %s\n", event->name, word);
}

static gboolean show(const EngineEvent *event, gpointer data, GError **error)
{
    const Shim *shim = data;
    const char *word = vm_id_valid(event->name) ? engine_event_word(event) : NULL;
    if (!word)
        return TRUE;
    g_autofree gchar *line = shim->json ? json_line(event, word) : plain_line(event, word);
    return shim_print(line, error);
}

int verb_events(Shim *shim, int argc, char **argv, GError **error)
{
    if (!shim_parse(shim, shim_verb("events"), NULL, &argc, &argv, 0, 0, error))
        return 0;
    g_autoptr(Engine) engine = engine_open(shim->config, error);
    if (engine)
        engine_events(engine, ENGINE_LABEL_VM, g_get_real_time() / G_USEC_PER_SEC, show, shim,
                      error);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include "driver/autoptr.h"
#include "driver/log.h"

/* The engine's half is missing, with a warning, when the engine cannot be asked. */
int verb_version(Shim *shim, int argc, char **argv, GError **error)
{
    if (!shim_parse(shim, shim_verb("version"), NULL, &argc, &argv, 0, 0, error))
        return 0;
    g_autoptr(Host) host = host_open(shim->config, error);
    if (!host)
        return 0;
    g_autoptr(GError) unreachable = NULL;
    g_autoptr(EngineVersion) engine = engine_version(host->engine, &unreachable);
    if (unreachable)
        log_warn("%s", unreachable->message);
    g_autoptr(json_t) json =
        json_pack("{s:s, s:s?, s:s?, s:s?}", "vmdock", VMDOCK_VERSION, "engine",
                  engine ? engine->kind : NULL, "engine_version", engine ? engine->version : NULL,
                  "engine_api", engine ? engine->api_version : NULL);
    if (shim->json) {
        shim_print_json(json, error);
        return 0;
    }
    g_autofree gchar *text =
        engine ? g_strdup_printf("vmdock " VMDOCK_VERSION "\n%s %s, API %s\n", engine->kind,
                                 engine->version, engine->api_version)
               : g_strdup("vmdock " VMDOCK_VERSION "\n");
    shim_print(text, error);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* What has been sent to a registry goes from it again. */
#include "transfer.h"

#include "autoptr.h"
#include "credentials.h"
#include "error.h"
#include "file.h"
#include "image_ref.h"
#include "log.h"
#include "skopeo.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#define DOCKER "docker://"

enum { AUTH_MODE = 0600 };

/* ---- what the engine says of a registry -------------------------------------------------------*/

/* "10.0.0.1:5000", "[fd00::1]:5000", "localhost:5000"; NULL for what would have to be looked up. */
static GInetAddress *address_of(const char *registry)
{
    gsize bracket = registry[0] == '[' ? 1 : 0;
    g_autofree gchar *host =
        g_strndup(registry + bracket, strcspn(registry + bracket, bracket ? "]" : ":"));
    return g_inet_address_new_from_string(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host);
}

static gboolean is_within(GInetAddress *address, const char *network)
{
    g_autoptr(GInetAddressMask) mask =
        network ? g_inet_address_mask_new_from_string(network, NULL) : NULL;
    return mask && g_inet_address_mask_matches(mask, address);
}

gboolean transfer_registry_is_insecure(const json_t *info, const char *registry)
{
    const json_t *config = json_object_get(info, "RegistryConfig");
    const json_t *index = json_object_get(json_object_get(config, "IndexConfigs"), registry);
    const json_t *networks = json_object_get(config, "InsecureRegistryCIDRs");
    g_autoptr(GInetAddress) address = address_of(registry);
    if (index)
        return json_is_false(json_object_get(index, "Secure"));
    for (gsize i = 0; address && i < json_array_size(networks); i++)
        if (is_within(address, json_string_value(json_array_get(networks, i))))
            return TRUE;
    return FALSE;
}

/* ---- deleting ---------------------------------------------------------------------------------*/

/* Without a file of ours skopeo would look for one in the account's own places. */
static gchar *credentials_in(const Config *config, const char *work, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (credentials_usable(config->engine_credentials, &failure))
        return g_strdup(config->engine_credentials);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    g_autofree gchar *none = g_build_filename(work, "auth.json", NULL);
    return file_replace(none, "{}", -1, AUTH_MODE, error) ? g_steal_pointer(&none) : NULL;
}

static gboolean forget_in(Host *host, const char *reference, const char *work, GError **error)
{
    g_autoptr(ImageRef) ref = image_ref_parse(reference, error);
    g_autofree gchar *auth = ref ? credentials_in(host->config, work, error) : NULL;
    g_autoptr(json_t) info = auth ? engine_info(host->engine, error) : NULL;
    if (!info)
        return FALSE;
    g_autofree gchar *name = g_strconcat(DOCKER, reference, NULL);
    const Skopeo skopeo = {.config = host->config, .work = work, .auth = auth};
    const SkopeoImage image = {.name = name,
                               .label = reference,
                               .insecure = transfer_registry_is_insecure(info, ref->registry)};
    return skopeo_delete(&skopeo, &image, error);
}

gboolean transfer_forget(Host *host, const char *reference, GError **error)
{
    g_autofree gchar *work = g_build_filename(host->config->run_dir, "registry-XXXXXX", NULL);
    if (!g_mkdtemp(work)) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot make a folder in %s",
                           host->config->run_dir);
        return FALSE;
    }
    gboolean done = forget_in(host, reference, work, error);
    g_autoptr(GError) trouble = NULL;
    if (!file_remove_tree(work, &trouble))
        log_warn("%s", trouble->message);
    return done;
}

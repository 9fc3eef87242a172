// SPDX-License-Identifier: Apache-2.0
#include "policy.h"

#include "error.h"
#include "spec_domain.h"
#include "spec_run.h"

#include <string.h>

static gboolean listed(const GStrv list, const char *word)
{
    return list && g_strv_contains((const gchar *const *)list, word);
}

/* An entry of the configuration is a path, or a path with the most access it gives: "/dev/fuse:r".
 */
static gboolean device_allowed(const GStrv list, const VmDevice *device)
{
    for (gsize i = 0; list && list[i]; i++) {
        const char *colon = strrchr(list[i], ':');
        g_autofree gchar *path =
            colon ? g_strndup(list[i], (gsize)(colon - list[i])) : g_strdup(list[i]);
        const char *most = colon ? colon + 1 : "rwm";
        if (g_strcmp0(path, device->host_path) == 0 &&
            strspn(device->access, most) == strlen(device->access))
            return TRUE;
    }
    return FALSE;
}

/* What every engine gives a container that does not ask: no more power, also where it is named
 * beside capabilities that are taken away. */
static gboolean is_default(const char *capability)
{
    static const char *const engine[] = {"CHOWN",   "DAC_OVERRIDE",     "FOWNER",     "FSETID",
                                         "KILL",    "NET_BIND_SERVICE", "SETFCAP",    "SETGID",
                                         "SETPCAP", "SETUID",           "SYS_CHROOT", NULL};
    return g_strv_contains(engine, capability);
}

/* An entry is a folder, or one with ":ro" behind it, which no folder's own name may be taken for.
 */
static gboolean mount_allowed(const GStrv list, const VmMount *mount)
{
    if (g_str_has_suffix(mount->host_path, ":ro"))
        return FALSE;
    g_autofree gchar *reading = g_strconcat(mount->host_path, ":ro", NULL);
    return listed(list, mount->host_path) || (mount->read_only && listed(list, reading));
}

static gboolean check_mounts(const Config *config, const VmSpec *spec, GError **error)
{
    for (guint i = 0; i < spec->mounts->len; i++) {
        const VmMount *mount = g_ptr_array_index(spec->mounts, i);
        if (mount_allowed(config->allow_mounts, mount))
            continue;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                    "VM %s asks for the host's folder %s%s; [policy] mounts in %s would allow it",
                    spec->deploy_id, mount->host_path, mount->read_only ? "" : ", to write in",
                    config->path);
        return FALSE;
    }
    return TRUE;
}

/* NETWORK is WHOSE, NULL where the NIC names none; SETTING lists those that may be named. */
static gboolean check_network(const Config *config, const VmSpec *spec, const char *network,
                              const char *whose, const char *setting, const GStrv list,
                              GError **error)
{
    if (!network || listed(list, "*") || listed(list, network))
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                "VM %s asks for %s network %s; [policy] %s in %s would allow it", spec->deploy_id,
                whose, network, setting, config->path);
    return FALSE;
}

gboolean policy_check_networks(const Config *config, const VmSpec *spec, GError **error)
{
    static const char *const operators[] = {DOMAIN_CLOUD, RUN_CLOUD, NULL};
    if (spec->cloud && g_strv_contains(operators, spec->cloud))
        return TRUE;
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        if (!check_network(config, spec, nic->libvirt_network, "libvirt's", "libvirt_networks",
                           config->allow_libvirt_networks, error) ||
            !check_network(config, spec, nic->engine_network, "the engine's", "engine_networks",
                           config->allow_engine_networks, error))
            return FALSE;
    }
    return TRUE;
}

gboolean policy_check(const Config *config, const VmSpec *spec, GError **error)
{
    if (spec->privileged && !config->allow_privileged) {
        g_set_error(
            error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
            "VM %s asks for a privileged container; [policy] privileged in %s would allow it",
            spec->deploy_id, config->path);
        return FALSE;
    }
    for (gsize i = 0; spec->capabilities && spec->capabilities[i]; i++) {
        if (is_default(spec->capabilities[i]) ||
            listed(config->allow_capabilities, spec->capabilities[i]))
            continue;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                    "VM %s asks for the capability %s; [policy] capabilities in %s would allow it",
                    spec->deploy_id, spec->capabilities[i], config->path);
        return FALSE;
    }
    for (guint i = 0; i < spec->devices->len; i++) {
        const VmDevice *device = g_ptr_array_index(spec->devices, i);
        if (device_allowed(config->allow_devices, device))
            continue;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_POLICY,
                    "VM %s asks for the device %s (%s); [policy] devices in %s would allow it",
                    spec->deploy_id, device->host_path, device->access, config->path);
        return FALSE;
    }
    return check_mounts(config, spec, error) && policy_check_networks(config, spec, error);
}

// SPDX-License-Identifier: Apache-2.0
/* The actions that bring a VM's context to it while it runs, and where its image lies. */
#include "one.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/volume.h"

#include <string.h>

static gboolean is_number(const char *text)
{
    return *text && strlen(text) <= 10 && text[strspn(text, "0123456789")] == '\0';
}

gchar *one_image_place(const Config *config, const char *path, const char *vm_id,
                       const char *prefix)
{
    g_autofree gchar *place = volume_source(config, path, NULL);
    if (!place)
        return NULL;
    g_auto(GStrv) parts = g_strsplit(place, "/", -1);
    if (g_strv_length(parts) != 3 || !is_number(parts[0]) || strcmp(parts[1], vm_id) != 0 ||
        !g_str_has_prefix(parts[2], prefix) || !is_number(parts[2] + strlen(prefix)))
        return NULL;
    return g_strjoinv("/", parts);
}

/*
 * The name of the deployment file, which is not on the node, tells the VM's directory, and CONTEXT
 * the disk in it. Where it tells none, that of the VM's history stands.
 */
void one_take_directory(const One *one, VmSpec *spec, const char *deployment_file)
{
    g_autofree gchar *place =
        one_image_place(one->config, deployment_file, spec->cloud_id, "deployment.");
    const char *disk =
        spec->context ? vm_variables_value(spec->context->variables, "DISK_ID") : NULL;
    if (!place || !disk || !is_number(disk))
        return;
    g_autofree gchar *directory = g_path_get_dirname(place);
    g_free(spec->context->image);
    spec->context->image = g_strdup_printf("%s/disk.%s", directory, disk);
}

/* prereconfigure <deploy-id> <target> <vmid> <host>: where the context is a disk it is taken out
 * here. Ours stays readable until reconfigure has changed it. */
gboolean one_prereconfigure(One *one, int argc, char **argv, GError **error)
{
    if (argc < 4)
        return one_usage(error, "prereconfigure DEPLOY_ID TARGET VMID HOST");
    if (!one_check_id(argv[1], argv[3], error))
        return FALSE;
    g_autoptr(EngineContainer) container = host_container_needed(one->host, argv[1], error);
    return container != NULL;
}

/* reconfigure <deploy-id> <target> <image> <vmid> <host> */
gboolean one_reconfigure(One *one, int argc, char **argv, GError **error)
{
    if (argc < 5)
        return one_usage(error, "reconfigure DEPLOY_ID TARGET IMAGE VMID HOST");
    if (!one_check_id(argv[1], argv[4], error))
        return FALSE;
    g_autofree gchar *image = one_image_place(one->config, argv[3], argv[4], "disk.");
    if (!image) {
        g_autofree gchar *shown = vmdock_one_line(argv[3], 200);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is no disk of VM %s below %s",
                    shown, argv[4], one->config->opennebula_datastores);
        return FALSE;
    }
    g_autoptr(VmSpec) spec = one_spec(one, error);
    if (!spec)
        return FALSE;
    if (strcmp(spec->cloud_id, argv[4]) != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "the front end asks for VM %s and sends the description of VM %s", argv[4],
                    spec->cloud_id);
        return FALSE;
    }
    if (spec->context) {
        g_free(spec->context->image);
        spec->context->image = g_steal_pointer(&image);
    }
    return vm_reconfigure(one->host, spec, error);
}

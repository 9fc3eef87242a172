// SPDX-License-Identifier: Apache-2.0
/* The methods on images: Glance's on this host, and a VM's disk for Glance. */
#include "nova.h"

#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/interrupt.h"
#include "driver/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

gchar *nova_image_source(const Nova *nova, const VmSpec *spec, GError **error)
{
    if (spec->image)
        return g_strdup(spec->image);
    GError *failure = NULL;
    gchar *id = engine_image_id(nova->host->engine, spec->image_source, &failure);
    if (!id && !failure)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
                    "the image %s has not been loaded on this host", spec->image_source);
    if (failure)
        g_propagate_error(error, failure);
    return id;
}

/* NULL with SPEC when the request's image is none that Glance holds. */
static gchar *image_name(const Nova *nova, GError **error)
{
    gchar *name = NULL;
    GError *failure = NULL;
    if (!nova_image_is_archive(nova->request, &name, &failure) && !failure)
        g_set_error_literal(&failure, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                            "the image is named by a property, Glance holds no archive of it");
    if (failure)
        g_propagate_error(error, failure);
    return name;
}

static const char *tag_of(const char *name)
{
    return strchr(name, ':') + 1;
}

static gchar *waiting_name(const char *name)
{
    return g_strconcat(NOVA_WAITING_REPOSITORY ":", tag_of(name), NULL);
}

/* {"held": true}: by its id and its checksum, so a name says nothing. */
gboolean nova_image_held(Nova *nova, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *name = image_name(nova, error);
    if (!name)
        return FALSE;
    g_autofree gchar *id = engine_image_id(nova->host->engine, name, &failure);
    if (!failure)
        return nova_answer(json_pack("{s:b}", "held", id != NULL), error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

/* The archive follows the request's line. No instance is made of it before it is kept. */
gboolean nova_image_load(Nova *nova, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    g_autofree gchar *name = image_name(nova, error);
    g_autofree gchar *waiting = name ? waiting_name(name) : NULL;
    return waiting && transfer_load(nova->host, waiting, STDIN_FILENO, silent, error) &&
           nova_answer(json_object(), error);
}

gboolean nova_image_keep(Nova *nova, GError **error)
{
    Engine *engine = nova->host->engine;
    g_autofree gchar *name = image_name(nova, error);
    if (!name)
        return FALSE;
    g_autofree gchar *waiting = waiting_name(name);
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *id = engine_image_id(engine, waiting, &failure);
    if (!id && !failure)
        g_set_error(&failure, VMDOCK_ERROR, VMDOCK_ERROR_NO_IMAGE,
                    "the image %s has not been loaded on this host", name);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return engine_tag(engine, id, NOVA_IMAGE_REPOSITORY, tag_of(name), error) &&
           engine_untag(engine, waiting, error) && nova_answer(json_object(), error);
}

/* Of a download that turned out to be wrong. */
gboolean nova_image_forget(Nova *nova, GError **error)
{
    g_autofree gchar *name = image_name(nova, error);
    g_autofree gchar *waiting = name ? waiting_name(name) : NULL;
    return waiting && engine_untag(nova->host->engine, waiting, error) &&
           nova_answer(json_object(), error);
}

static gboolean is_kept(const json_t *keep, const char *name)
{
    gsize index;
    const json_t *id;
    json_array_foreach (keep, index, id)
        if (json_is_string(id) && g_str_has_prefix(tag_of(name), json_string_value(id)))
            return TRUE;
    return FALSE;
}

static gboolean prune(const Nova *nova, const char *beginning, const json_t *keep,
                      json_t *forgotten, GError **error)
{
    g_autoptr(GPtrArray) names = engine_image_names(nova->host->engine, beginning, error);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        if (is_kept(keep, name))
            continue;
        if (!engine_untag(nova->host->engine, name, error))
            return FALSE;
        json_array_append_new(forgotten, json_string(name));
    }
    return names != NULL;
}

/* Gives up every image that Glance gave but those whose ids are in "keep"; {"forgotten": [name,
 * …]}. The disks of VMs have names of their own. */
gboolean nova_image_prune(Nova *nova, GError **error)
{
    const json_t *keep = json_object_get(nova->request, "keep");
    if (!json_is_array(keep)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "\"keep\" is no list");
        return FALSE;
    }
    g_autoptr(json_t) forgotten = json_array();
    if (!prune(nova, NOVA_IMAGE_REPOSITORY ":", keep, forgotten, error) ||
        !prune(nova, NOVA_WAITING_REPOSITORY ":", keep, forgotten, error))
        return FALSE;
    return nova_answer(json_pack("{s:O}", "forgotten", forgotten), error);
}

/* The archive ends with stdout; the input, when its reader has made something of it. */
static void wait_for_reader(void)
{
    autofd int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0)
        nova_await_end();
}

/* The VM's disk as it is, an archive on stdout. With "hold" it is kept until the input ends: who
 * loads it into the same engine must not see it vanish half way. */
gboolean nova_save(Nova *nova, GError **error)
{
    const TransferProgress silent = {NULL, NULL};
    gboolean hold = json_is_true(json_object_get(nova->request, "hold"));
    g_autofree gchar *id = nova_id(nova, error);
    return id && transfer_save(nova->host, id, TRANSFER_NOW, STDOUT_FILENO,
                               hold ? wait_for_reader : NULL, silent, error);
}

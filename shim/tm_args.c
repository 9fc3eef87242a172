// SPDX-License-Identifier: Apache-2.0
#include "tm_args.h"

#include "driver/error.h"
#include "driver/image_ref.h"

#include <string.h>

#define ARCHIVE_SCHEME "docker-archive:"
#define DIGITS         "0123456789"

enum { MAX_PATH = 4096, MAX_HOST = 255, MAX_DIGITS = 18, MAX_SHOWN = 200 };

static gboolean refuse(GError **error, const char *text, const char *what)
{
    g_autofree gchar *shown = vmdock_one_line(text, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is no %s", shown, what);
    return FALSE;
}

static gboolean is_number(const char *text)
{
    return *text && strspn(text, DIGITS) == strlen(text) && strlen(text) <= MAX_DIGITS;
}

gboolean tm_number(const char *text, const char *what, GError **error)
{
    return is_number(text) || refuse(error, text, what);
}

/* A name that no program takes for an option, nor a shell for anything but a word. */
gboolean tm_host(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("._-", *p))
            return FALSE;
    return g_ascii_isalnum(*text) && strlen(text) <= MAX_HOST;
}

/* TEXT without doubled and last slashes; NULL if it is not absolute, or climbs with "..". */
static gchar *plain_path(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    g_autoptr(GString) path = g_string_new(NULL);
    if (*text != '/' || strlen(text) > MAX_PATH)
        return NULL;
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            return NULL;
    for (gsize i = 0; parts[i]; i++) {
        if (strcmp(parts[i], "..") == 0)
            return NULL;
        if (*parts[i] && strcmp(parts[i], ".") != 0)
            g_string_append_printf(path, "/%s", parts[i]);
    }
    return path->len > 0 ? g_string_free(g_steal_pointer(&path), FALSE) : NULL;
}

void tm_place_free(TmPlace *place)
{
    if (!place)
        return;
    g_free(place->host);
    g_free(place->path);
    g_free(place->folder);
    g_free(place->parent);
    g_free(place);
}

/* "disk.7" -> 7; -1 for anything else. */
static gint disk_number(const char *name)
{
    static const char prefix[] = "disk.";
    guint64 number = 0;
    if (g_str_has_prefix(name, prefix) && is_number(name + strlen(prefix)) &&
        g_ascii_string_to_unsigned(name + strlen(prefix), 10, 0, G_MAXINT32, &number, NULL))
        return (gint)number;
    return -1;
}

static gboolean split_place(TmPlace *place, const char *vmid)
{
    g_autofree gchar *name = g_path_get_basename(place->path);
    place->disk = disk_number(name);
    place->folder = place->disk >= 0 ? g_path_get_dirname(place->path) : g_strdup(place->path);
    place->parent = g_path_get_dirname(place->folder);
    g_autofree gchar *vm = g_path_get_basename(place->folder);
    g_autofree gchar *datastore = g_path_get_basename(place->parent);
    return strcmp(vm, vmid) == 0 && is_number(datastore);
}

TmPlace *tm_place_parse(const char *text, const char *vmid, GError **error)
{
    const char *colon = strchr(text, ':');
    g_autoptr(TmPlace) place = g_new0(TmPlace, 1);
    place->host = g_strndup(text, colon ? (gsize)(colon - text) : 0);
    place->path = colon ? plain_path(colon + 1) : NULL;
    if (is_number(vmid) && tm_host(place->host) && place->path && split_place(place, vmid))
        return g_steal_pointer(&place);
    g_autofree gchar *what =
        g_strdup_printf("place of VM %s (HOST:…/DATASTORE/%s[/disk.N])", vmid, vmid);
    refuse(error, text, what);
    return NULL;
}

gboolean tm_place_same(const TmPlace *a, const TmPlace *b)
{
    return g_ascii_strcasecmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

void tm_source_free(TmSource *source)
{
    if (!source)
        return;
    g_free(source->text);
    g_free(source);
}

/* "fe:/path" -> "/path". */
static const char *without_host(const char *text)
{
    const char *colon = strchr(text, ':');
    g_autofree gchar *host = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
    return host && colon[1] == '/' && tm_host(host) ? colon + 1 : text;
}

TmSource *tm_source_parse(const char *text, const char *datastore, GError **error)
{
    g_autoptr(TmSource) source = g_new0(TmSource, 1);
    if (image_ref_is_url(text)) {
        g_autoptr(ImageRef) ref = image_ref_parse(text, error);
        source->text = g_strdup(text);
        return ref ? g_steal_pointer(&source) : NULL;
    }
    gboolean archive = g_str_has_prefix(text, ARCHIVE_SCHEME);
    source->kind = archive ? TM_ARCHIVE : TM_FILE;
    source->text = plain_path(archive ? text + strlen(ARCHIVE_SCHEME) : without_host(text));
    g_autofree gchar *folder = source->text ? g_path_get_dirname(source->text) : NULL;
    g_autofree gchar *name = folder ? g_path_get_basename(folder) : NULL;
    if (is_number(datastore) && g_strcmp0(name, datastore) == 0)
        return g_steal_pointer(&source);
    g_autofree gchar *what = g_strdup_printf(
        "SOURCE of an image (docker://…, or a file in the folder of datastore %s)", datastore);
    refuse(error, text, what);
    return NULL;
}

void tm_context_file_free(TmContextFile *file)
{
    if (!file)
        return;
    g_free(file->path);
    g_free(file->name);
    g_free(file);
}

/* 'name' -> name. */
static gchar *unquoted(const char *text)
{
    gsize length = strlen(text);
    gboolean quoted = length >= 2 && text[0] == '\'' && text[length - 1] == '\'';
    return quoted ? g_strndup(text + 1, length - 2) : g_strdup(text);
}

TmContextFile *tm_context_file_parse(const char *text, GError **error)
{
    const char *colon = strchr(text, ':');
    g_autoptr(TmContextFile) file = g_new0(TmContextFile, 1);
    g_autofree gchar *path = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
    file->path = plain_path(path);
    if (file->path)
        file->name = colon ? unquoted(colon + 1) : g_path_get_basename(file->path);
    if (file->name && *file->name && !strchr(file->name, '/') && strcmp(file->name, ".") != 0 &&
        strcmp(file->name, "..") != 0)
        return g_steal_pointer(&file);
    refuse(error, text, "file for a context image (/path, or /path:'name')");
    return NULL;
}

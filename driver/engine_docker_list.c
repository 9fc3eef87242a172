// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's list of containers, a kilobyte of JSON for each, of which seven values are kept. It
 * is read as it arrives: to build the document first takes ten times as long, and that would be
 * most of what a poll of a hundred VMs computes.
 */
#include "engine_docker_parse.h"

#include <string.h>
#include <yajl/yajl_parse.h>

typedef enum {
    FIELD_OTHER,
    FIELD_ID,
    FIELD_NAMES,
    FIELD_IMAGE,
    FIELD_CREATED,
    FIELD_LABELS,
    FIELD_STATE,
    FIELD_STATUS
} Field;

/* How many objects and arrays are open around a value. */
enum { DOCUMENT, ELEMENT, VALUE, INNER };

struct DockerList {
    yajl_handle parser;
    GPtrArray *list;
    EngineContainer *container; /* the one that is read, NULL between two */
    gchar *state;               /* as its object says */
    guint depth;
    Field field;  /* of the container's object */
    Field inside; /* FIELD_NAMES in that array, FIELD_LABELS in that object, else FIELD_OTHER */
    gchar *label; /* the key whose value comes next */
    GError *error;
};

void docker_list_free(DockerList *reader)
{
    yajl_free(reader->parser);
    g_clear_pointer(&reader->list, g_ptr_array_unref);
    g_clear_pointer(&reader->container, engine_container_free);
    g_free(reader->state);
    g_free(reader->label);
    g_clear_error(&reader->error);
    g_free(reader);
}

/* A copy that is valid UTF-8 and holds no NUL: labels come from images, and yajl passes both on. */
static gchar *copy_text(const guchar *text, size_t length)
{
    return g_utf8_make_valid((const char *)text, (gssize)length);
}

static void take(gchar **to, gchar *text)
{
    g_free(*to);
    *to = text;
}

/* A value of this kind can stand here: the document is an array, and its elements are objects. */
static gboolean may_begin(DockerList *reader, gboolean array, gboolean object)
{
    if (reader->depth == DOCUMENT && !array)
        return docker_garbled(&reader->error, "no list of containers");
    if (reader->depth == ELEMENT && !object)
        return docker_check_id(NULL, &reader->error);
    return TRUE;
}

static int on_null(void *data)
{
    return may_begin(data, FALSE, FALSE);
}

static int on_boolean(void *data, int value G_GNUC_UNUSED)
{
    return may_begin(data, FALSE, FALSE);
}

static int on_double(void *data, double value G_GNUC_UNUSED)
{
    return may_begin(data, FALSE, FALSE);
}

static int on_integer(void *data, long long value)
{
    DockerList *reader = data;
    if (reader->depth == VALUE && reader->field == FIELD_CREATED)
        reader->container->created = value;
    return may_begin(reader, FALSE, FALSE);
}

/* "Exited (137) 3 minutes ago" -> 137. Words for people, but the only ones that a listing has. */
static gint exit_code_in(const char *status)
{
    static const char before[] = "Exited (";
    return g_str_has_prefix(status, before)
               ? (gint)g_ascii_strtoll(status + strlen(before), NULL, 10)
               : 0;
}

static void take_value(DockerList *reader, const guchar *text, size_t length)
{
    EngineContainer *container = reader->container;
    g_autofree gchar *status = NULL;
    switch (reader->field) {
    case FIELD_ID:
        take(&container->id, copy_text(text, length));
        break;
    case FIELD_IMAGE:
        take(&container->image, copy_text(text, length));
        break;
    case FIELD_STATE:
        take(&reader->state, copy_text(text, length));
        break;
    case FIELD_STATUS:
        status = copy_text(text, length);
        container->exit_code = exit_code_in(status);
        break;
    case FIELD_OTHER:
    case FIELD_NAMES:
    case FIELD_CREATED:
    case FIELD_LABELS:
        break;
    }
}

/* A container may be listed with names that links gave it ("/other/alias"): the plain one is its
 * own; one whose removal began has none. */
static void take_name(EngineContainer *container, const guchar *text, size_t length)
{
    if (container->name || length == 0 || memchr(text + 1, '/', length - 1))
        return;
    gsize slash = *text == '/' ? 1 : 0;
    container->name = copy_text(text + slash, length - slash);
}

static int on_string(void *data, const unsigned char *text, size_t length)
{
    DockerList *reader = data;
    if (reader->depth == VALUE)
        take_value(reader, text, length);
    else if (reader->depth == INNER && reader->inside == FIELD_NAMES)
        take_name(reader->container, text, length);
    else if (reader->depth == INNER && reader->inside == FIELD_LABELS)
        g_hash_table_insert(reader->container->labels, g_steal_pointer(&reader->label),
                            copy_text(text, length));
    return may_begin(reader, FALSE, FALSE);
}

static Field field_of(const guchar *key, size_t length)
{
    static const struct {
        const char *key;
        Field field;
    } fields[] = {
        {"Id", FIELD_ID},           {"Names", FIELD_NAMES},   {"Image", FIELD_IMAGE},
        {"Created", FIELD_CREATED}, {"Labels", FIELD_LABELS}, {"State", FIELD_STATE},
        {"Status", FIELD_STATUS},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        if (strlen(fields[i].key) == length && memcmp(fields[i].key, key, length) == 0)
            return fields[i].field;
    return FIELD_OTHER;
}

static int on_key(void *data, const unsigned char *key, size_t length)
{
    DockerList *reader = data;
    if (reader->depth == VALUE)
        reader->field = field_of(key, length);
    else if (reader->depth == INNER && reader->inside == FIELD_LABELS)
        take(&reader->label, copy_text(key, length));
    return TRUE;
}

static int on_object(void *data)
{
    DockerList *reader = data;
    if (!may_begin(reader, FALSE, TRUE))
        return FALSE;
    if (reader->depth == ELEMENT) {
        reader->container = g_new0(EngineContainer, 1);
        reader->container->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    } else if (reader->depth == VALUE) {
        reader->inside = reader->field == FIELD_LABELS ? FIELD_LABELS : FIELD_OTHER;
    }
    reader->depth++;
    return TRUE;
}

/* The container's object has ended: is all there that must be? */
static gboolean finish(DockerList *reader)
{
    EngineContainer *container = reader->container;
    if (!docker_check_id(container->id, &reader->error) ||
        !docker_parse_state(reader->state, &container->state, &reader->error))
        return FALSE;
    if (!container->name)
        container->name = g_strdup("");
    g_clear_pointer(&reader->state, g_free);
    g_ptr_array_add(reader->list, g_steal_pointer(&reader->container));
    return TRUE;
}

static int on_object_end(void *data)
{
    DockerList *reader = data;
    return --reader->depth == ELEMENT ? finish(reader) : TRUE;
}

static int on_array(void *data)
{
    DockerList *reader = data;
    if (!may_begin(reader, TRUE, FALSE))
        return FALSE;
    if (reader->depth == VALUE)
        reader->inside = reader->field == FIELD_NAMES ? FIELD_NAMES : FIELD_OTHER;
    reader->depth++;
    return TRUE;
}

static int on_array_end(void *data)
{
    DockerList *reader = data;
    reader->depth--;
    return TRUE;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_integer = on_integer,
    .yajl_double = on_double,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_object_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_array_end,
};

DockerList *docker_list_new(void)
{
    DockerList *reader = g_new0(DockerList, 1);
    reader->parser = yajl_alloc(&callbacks, NULL, reader);
    reader->list = g_ptr_array_new_with_free_func((GDestroyNotify)engine_container_free);
    return reader;
}

static gboolean judge(DockerList *reader, yajl_status status, GError **error)
{
    if (status == yajl_status_ok)
        return TRUE;
    if (reader->error) {
        g_propagate_error(error, g_steal_pointer(&reader->error));
        return FALSE;
    }
    guchar *words = yajl_get_error(reader->parser, FALSE, NULL, 0);
    docker_not_json(error, (const char *)words);
    yajl_free_error(reader->parser, words);
    return FALSE;
}

gboolean docker_list_feed(DockerList *reader, const char *bytes, gsize length, GError **error)
{
    return judge(reader, yajl_parse(reader->parser, (const guchar *)bytes, length), error);
}

GPtrArray *docker_list_end(DockerList *reader, GError **error)
{
    if (!judge(reader, yajl_complete_parse(reader->parser), error))
        return NULL;
    return g_steal_pointer(&reader->list);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The header of a qcow2 file, by QEMU's docs/interop/qcow2.txt. It is foreign text: a backing file
 * that it names is a file that the server would open as root.
 */
#include "volume_private.h"

#include "error.h"

#include <string.h>

enum {
    MAGIC = 0x514649fb, /* "QFI\xfb" */
    LENGTH_V2 = 72,
    LENGTH_V3 = 104,
    EXTENSION_END = 0,
    FEATURE_EXTERNAL_DATA = 1 << 2,
};

static const guint32 extension_backing_format = 0xe2792aca;

static guint64 number(const guint8 *at, guint size)
{
    guint64 value = 0;
    for (guint i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static gboolean wrong(GError **error, const char *what)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "it is no qcow2 file: %s", what);
    return FALSE;
}

/* The extensions stand behind the header: type, length, data padded to 8 bytes. */
static gboolean parse_extensions(const guint8 *bytes, gsize length, gsize at, Qcow2Header *header,
                                 GError **error)
{
    while (at + 8 <= length) {
        guint64 type = number(bytes + at, 4), size = number(bytes + at + 4, 4);
        at += 8;
        if (type == EXTENSION_END)
            return TRUE;
        if (type == extension_backing_format) {
            if (size >= sizeof header->backing_format || size > length - at ||
                memchr(bytes + at, '\0', size))
                return wrong(error, "the format of its backing file cannot be read");
            memcpy(header->backing_format, bytes + at, size);
            header->backing_format[size] = '\0';
        }
        guint64 padded = (size + 7) & ~G_GUINT64_CONSTANT(7);
        if (padded > length - at)
            return TRUE;
        at += padded;
    }
    return TRUE;
}

gboolean qcow2_header_parse(const guint8 *bytes, gsize length, Qcow2Header *header, GError **error)
{
    *header = (Qcow2Header){0};
    if (length < LENGTH_V2 || number(bytes, 4) != MAGIC)
        return wrong(error, "it does not begin like one");
    guint64 version = number(bytes + 4, 4);
    if (version != 2 && (version != 3 || length < LENGTH_V3))
        return wrong(error, "its version is neither 2 nor 3");
    header->backing_offset = number(bytes + 8, 8);
    header->backing_size = (guint32)number(bytes + 16, 4);
    header->encrypted = number(bytes + 32, 4) != 0;
    gsize end = LENGTH_V2;
    if (version == 3) {
        header->external_data = number(bytes + 72, 8) & FEATURE_EXTERNAL_DATA;
        end = number(bytes + 100, 4);
        if (end < LENGTH_V3 || end > length)
            return wrong(error, "the length of its header is impossible");
    }
    if (header->backing_offset &&
        (header->backing_size == 0 || header->backing_size > QCOW2_NAME_MAX))
        return wrong(error, "the name of its backing file has an impossible length");
    return parse_extensions(bytes, length, end, header, error);
}

/* QEMU takes "protocol:…" and "json:…" for more than a file. */
static gboolean is_plain_name(const char *name)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');
    if (colon && (!slash || colon < slash))
        return FALSE;
    for (const char *p = name; *p; p++)
        if (g_ascii_iscntrl(*p))
            return FALSE;
    return *name != '\0' && g_utf8_validate(name, -1, NULL);
}

gchar *qcow2_backing_source(const char *root, const char *image, const char *name, GError **error)
{
    if (is_plain_name(name)) {
        g_autofree gchar *folder = g_path_get_dirname(image);
        if (*name != '/')
            return g_build_filename(folder, name, NULL);
        gchar *place = volume_below(root, name);
        if (place)
            return place;
    }
    g_autofree gchar *shown = vmdock_one_line(name, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                "its backing file \"%s\" is no file below %s", shown, root);
    return NULL;
}

// SPDX-License-Identifier: Apache-2.0
#include "front_tm.h"

#include "driver/autoptr.h"
#include "driver/datastore_source.h"
#include "driver/error.h"
#include "driver/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <string.h>
#include <unistd.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)

gboolean tm_refuse(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree gchar *sentence = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED, sentence);
    return FALSE;
}

GStrv tm_words(const char *const *words)
{
    return g_strdupv((gchar **)words);
}

gboolean tm_do(const Front *front, const char *host, GStrv command, GError **error)
{
    gboolean done = front_do(front, host, (const char *const *)command, error);
    g_strfreev(command);
    return done;
}

gchar *tm_ask(const Front *front, const char *host, GStrv command, GError **error)
{
    gchar *answer = front_ask(front, host, (const char *const *)command,
                              front->config->transfer_command_ms, error);
    g_strfreev(command);
    return answer;
}

gboolean tm_carry(const Front *front, const char *host, GStrv command, int in, int out,
                  GError **error)
{
    gboolean done = front_carry(front, host, (const char *const *)command, in, out, error);
    g_strfreev(command);
    return done;
}

/* ---- files ------------------------------------------------------------------------------------*/

gboolean tm_make_folder(const Front *front, const TmPlace *place, GError **error)
{
    return tm_do(front, place->host,
                 tm_shell("umask 022; exec mkdir -p -- \"$1\"", place->folder, NULL), error);
}

gboolean tm_put_file(const Front *front, const char *path, const TmPlace *place, const char *mode,
                     GError **error)
{
    static const char script[] =
        "umask 022; mkdir -p -- \"${1%/*}\" && rm -f -- \"$1.part\" && umask 077 && "
        "dd of=\"$1.part\" bs=1M iflag=fullblock conv=sparse status=none && "
        "chmod -- \"$2\" \"$1.part\" && "
        "mv -f -- \"$1.part\" \"$1\" || { rm -f -- \"$1.part\"; exit 1; }";
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return FALSE;
    }
    return tm_carry(front, place->host, tm_shell(script, place->path, mode, NULL), fd, -1, error);
}

gboolean tm_take_file(const Front *front, const char *host, GStrv command, const char *path,
                      GError **error)
{
    g_autofree gchar *part = g_strconcat(path, ".part", NULL);
    autofd int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", part);
        g_strfreev(command);
        return FALSE;
    }
    g_auto(GStrv) from = front_on_host(front, host, (const char *const *)command);
    const char *const dd[] = {"dd", "bs=1M", "iflag=fullblock", "conv=sparse", "status=none", NULL};
    const GStrv commands[] = {from, (GStrv)dd};
    g_strfreev(command);
    if (front_pipe(front, commands, 2, -1, fd, front->config->transfer_ms, host, error)) {
        if (fsync(fd) == 0 && rename(part, path) == 0)
            return TRUE;
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write %s", path);
    }
    unlink(part);
    return FALSE;
}

/* ---- what OpenNebula says ---------------------------------------------------------------------*/

static gchar *text_of(const xmlNode *node)
{
    xmlChar *content = xmlNodeGetContent(node);
    gchar *text = g_strstrip(g_strdup((const char *)content));
    xmlFree(content);
    return text;
}

GStrv tm_xml_values(const char *xml, gsize length, const char *xpath, GError **error)
{
    enum { OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING };
    g_autoptr(xmlDoc) doc =
        length < G_MAXINT ? xmlReadMemory(xml, (int)length, NULL, NULL, OPTIONS) : NULL;
    if (!doc || doc->intSubset) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "the XML cannot be read");
        return NULL;
    }
    g_autoptr(xmlXPathContext) context = xmlXPathNewContext(doc);
    g_autoptr(xmlXPathObject) found = xmlXPathEvalExpression((const xmlChar *)xpath, context);
    g_autoptr(GStrvBuilder) values = g_strv_builder_new();
    for (int i = 0; found && i < xmlXPathNodeSetGetLength(found->nodesetval); i++) {
        g_autofree gchar *text = text_of(found->nodesetval->nodeTab[i]);
        if (*text)
            g_strv_builder_add(values, text);
    }
    return g_strv_builder_end(values);
}

gchar *tm_xml_value(const char *xml, gsize length, const char *xpath, GError **error)
{
    g_auto(GStrv) values = tm_xml_values(xml, length, xpath, error);
    return values ? g_strdup(values[0]) : NULL;
}

static gchar *show(const Front *front, const char *tool, const char *id, GError **error)
{
    const char *const command[] = {tool, "show", "-x", id, NULL};
    gchar *xml = front_ask(front, NULL, command, front->config->transfer_command_ms, error);
    if (!xml)
        g_prefix_error(error, "%s show %s: ", tool, id);
    return xml;
}

GStrv tm_vm_values(const Front *front, const char *id, const char *xpath, GError **error)
{
    g_autofree gchar *xml = show(front, "onevm", id, error);
    return xml ? tm_xml_values(xml, strlen(xml), xpath, error) : NULL;
}

gchar *tm_vm_value(const Front *front, const char *id, const char *xpath)
{
    g_autoptr(GError) failure = NULL;
    g_auto(GStrv) values = tm_vm_values(front, id, xpath, &failure);
    if (failure)
        log_warn("VM %s: %s", id, failure->message);
    return values ? g_strdup(values[0]) : NULL;
}

DatastoreMessage *tm_datastore(const Front *front, const char *id, GError **error)
{
    g_autofree gchar *xml = show(front, "onedatastore", id, error);
    return xml ? datastore_message_parse(xml, strlen(xml), front->config->xml_max_bytes, error)
               : NULL;
}

/* ---- snapshots that an image keeps ------------------------------------------------------------*/

GStrv tm_vm_snapshots(const Front *front, const char *vmid, int disk, GError **error)
{
    g_autofree gchar *at = g_strdup_printf("/VM/SNAPSHOTS[DISK_ID=%d]/SNAPSHOT/ID", disk);
    g_auto(GStrv) numbers = tm_vm_values(front, vmid, at, error);
    for (gsize i = 0; numbers && numbers[i]; i++)
        if (!tm_number(numbers[i], "snapshot's number", error))
            return NULL;
    return g_steal_pointer(&numbers);
}

gboolean tm_has_snapshots(const TmSource *source)
{
    if (source->kind == TM_ARCHIVE)
        return TRUE;
    g_autoptr(ImageRef) ref = image_ref_parse(source->text, NULL);
    const char *name = ref ? strrchr(ref->repository, '/') : NULL;
    return name && datastore_name_is_own(name + 1, NULL);
}

TmSource *tm_snapshot_source(const TmSource *source, const char *number)
{
    TmSource *snapshot = g_new0(TmSource, 1);
    snapshot->kind = source->kind;
    if (source->kind == TM_ARCHIVE) {
        g_autofree gchar *folder = datastore_snapshot_folder(source->text);
        snapshot->text = g_build_filename(folder, number, NULL);
        return snapshot;
    }
    g_autoptr(ImageRef) ref = image_ref_parse(source->text, NULL);
    g_autofree gchar *tag = datastore_snapshot_tag(g_ascii_strtoll(number, NULL, 10));
    snapshot->text = datastore_reference(ref, tag, NULL);
    return snapshot;
}

/* ---- the VM in the engine ---------------------------------------------------------------------*/

gboolean tm_is_node(const Front *front, const char *host)
{
    return !front_is_here(front, host) ||
           (g_file_test(TM_VMDOCK_ONE, G_FILE_TEST_IS_EXECUTABLE) &&
            g_file_test(front->config->engine_socket, G_FILE_TEST_EXISTS));
}

gboolean tm_purge(const Front *front, const char *host, const char *vmid, GError **error)
{
    return !tm_is_node(front, host) || tm_do(front, host, tm_one("disk_purge", vmid, NULL), error);
}

// SPDX-License-Identifier: Apache-2.0
#include "front_tm.h"

#include "driver/autoptr.h"
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

gboolean tm_put_file(const Front *front, const char *path, const TmPlace *place, GError **error)
{
    static const char script[] =
        "umask 022; mkdir -p -- \"${1%/*}\" && "
        "dd of=\"$1.part\" bs=1M iflag=fullblock conv=sparse status=none && "
        "mv -f -- \"$1.part\" \"$1\" || { rm -f -- \"$1.part\"; exit 1; }";
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot read %s", path);
        return FALSE;
    }
    return tm_carry(front, place->host, tm_shell(script, place->path, NULL), fd, -1, error);
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

gchar *tm_xml_value(const char *xml, gsize length, const char *xpath, GError **error)
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
    if (!found || xmlXPathNodeSetIsEmpty(found->nodesetval))
        return NULL;
    xmlChar *content = xmlNodeGetContent(found->nodesetval->nodeTab[0]);
    g_autofree gchar *text = g_strstrip(g_strdup((const char *)content));
    xmlFree(content);
    return *text ? g_steal_pointer(&text) : NULL;
}

gchar *tm_cloud_value(const Front *front, const char *tool, const char *id, const char *xpath)
{
    g_autoptr(GError) failure = NULL;
    const char *const command[] = {tool, "show", "-x", id, NULL};
    g_autofree gchar *xml =
        front_ask(front, NULL, command, front->config->transfer_command_ms, &failure);
    g_autofree gchar *value = xml ? tm_xml_value(xml, strlen(xml), xpath, &failure) : NULL;
    if (failure)
        log_warn("%s show %s: %s", tool, id, failure->message);
    return g_steal_pointer(&value);
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

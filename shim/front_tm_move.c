// SPDX-License-Identifier: Apache-2.0
/*
 * mv: a VM goes to another node, to the front end (stop, undeploy) or comes back from it.
 * OpenNebula calls it for each disk and then for the whole folder. Files go with the folder,
 * whichever driver moves that; disk 0 goes by itself, and what it was goes from its old place only
 * when it has arrived.
 */
#include "front_tm.h"

#include "driver/autoptr.h"
#include "driver/datastore.h"
#include "driver/datastore_source.h"
#include "driver/error.h"
#include "driver/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TAGS = 1000 };

typedef struct {
    const Front *front;
    const TmPlace *from, *to;
    const char *vmid, *datastore;
    gboolean maybe; /* it is fine if there is no disk 0 */
} Move;

/* ---- disk 0: to and from a front end without an engine ----------------------------------------*/

static gchar *archive_in(const TmPlace *place)
{
    return g_build_filename(place->folder, TM_ROOT_ARCHIVE, NULL);
}

/* Nothing is at its old place: fine if that is because it has arrived before. */
static gboolean arrived(const Move *move, const GError *why, GError **error)
{
    g_autofree gchar *archive = archive_in(move->to);
    GStrv look = tm_is_node(move->front, move->to->host) ? tm_one("disk_held", move->vmid, NULL)
                                                         : tm_shell("[ -e \"$1\" ]", archive, NULL);
    if (tm_do(move->front, move->to->host, look, NULL) || move->maybe)
        return TRUE;
    g_propagate_error(error, g_error_copy(why));
    return FALSE;
}

/*
 * Into the VM's folder on the node, because it is the folder that moves next, by the driver of the
 * system datastore.
 */
static gboolean store(const Move *move, GError **error)
{
    static const char script[] =
        "umask 077; f=$1; shift; mkdir -p -- \"${f%/*}\" || exit; "
        "\"$@\" >\"$f.part\" && mv -f -- \"$f.part\" \"$f\"; s=$?; "
        "[ $s = 0 ] || { rm -f -- \"$f.part\"; rmdir -- \"${f%/*}\" 2>/dev/null; }; exit $s";
    static const char is_there[] = "[ -e \"$1\" ]";
    const Front *front = move->front;
    const char *host = move->from->host;
    g_autofree gchar *archive = archive_in(move->from);
    g_auto(GStrv) one = tm_one("disk_export", move->vmid, NULL);
    g_autoptr(GError) failure = NULL;
    if (!tm_carry(front, host,
                  tm_shell(script, archive, one[0], one[1], one[2], one[3], one[4], NULL), -1, -1,
                  &failure)) {
        if (vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE))
            return tm_do(front, host, tm_shell(is_there, archive, NULL), NULL) ||
                   arrived(move, failure, error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return tm_purge(front, host, move->vmid, error);
}

static gboolean restore(const Move *move, GError **error)
{
    g_autofree gchar *archive = archive_in(move->from);
    autofd int fd = open(archive, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_autoptr(GError) failure = NULL;
        int code = errno == ENOENT ? VMDOCK_ERROR_NO_IMAGE : VMDOCK_ERROR_IO;
        vmdock_error_errno(&failure, (VmdockError)code, errno, "cannot read %s", archive);
        return arrived(move, failure, error);
    }
    if (!tm_carry(move->front, move->to->host, tm_one("disk_import", move->vmid, NULL), fd, -1,
                  error))
        return FALSE;
    if (unlink(archive) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot remove %s", archive);
    return FALSE;
}

/* ---- disk 0: between nodes --------------------------------------------------------------------*/

static gboolean stream(const Move *move, GError **error)
{
    const Front *front = move->front;
    g_auto(GStrv) give = tm_one("disk_export", move->vmid, NULL);
    g_auto(GStrv) take = tm_one("disk_import", move->vmid, NULL);
    g_auto(GStrv) from = front_on_host(front, move->from->host, (const char *const *)give);
    g_auto(GStrv) to = front_on_host(front, move->to->host, (const char *const *)take);
    const GStrv commands[] = {from, to};
    g_autofree gchar *where = g_strdup_printf("from %s to %s", move->from->host, move->to->host);
    return front_pipe(front, commands, 2, -1, -1, front->config->transfer_ms, where, error);
}

/* Best effort: where a registry does not delete, its own clean-up has to. */
static void forget(const Move *move, const DatastoreMessage *message)
{
    const Datastore datastore = {.config = move->front->config, .message = message};
    g_autofree gchar *name = g_strconcat("one-", move->vmid, NULL);
    g_autoptr(GError) failure = NULL;
    g_autoptr(ImageRef) ref = datastore_repository(message->registry, name, &failure);
    if (!ref || !datastore_drop_tags(&datastore, ref, "disk.0-", &failure))
        log_info("VM %s: disk 0 stays in the registry: %s", move->vmid, failure->message);
}

static gboolean send_and_fetch(const Move *move, const char *registry, GError **error)
{
    const Front *front = move->front;
    g_auto(GStrv) send = tm_one("disk_send", move->vmid, registry, NULL);
    g_autofree gchar *answer = front_ask(front, move->from->host, (const char *const *)send,
                                         front->config->transfer_ms, error);
    if (!answer)
        return FALSE;
    g_auto(GStrv) tags = g_strsplit(g_strstrip(answer), "\n", MAX_TAGS);
    g_auto(GStrv) fetch = tm_one("disk_fetch", move->vmid, registry, NULL);
    g_autoptr(GStrvBuilder) command = g_strv_builder_new();
    g_strv_builder_addv(command, (const char **)fetch);
    g_strv_builder_addv(command, (const char **)tags);
    return tm_carry(front, move->to->host, g_strv_builder_end(command), -1, -1, error);
}

static gboolean through_registry(const Move *move, const DatastoreMessage *message, GError **error)
{
    g_autoptr(GError) failure = NULL;
    gboolean done = send_and_fetch(move, message->registry, &failure);
    /* What is not on the node has not been sent. */
    if (done || !vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE))
        forget(move, message);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return done;
}

/* The image's datastore, NULL where it has no registry or cannot be shown. */
static DatastoreMessage *with_registry(const Move *move)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(DatastoreMessage) message = tm_datastore(move->front, move->datastore, &failure);
    if (failure)
        log_warn("VM %s: %s", move->vmid, failure->message);
    return message && message->registry ? g_steal_pointer(&message) : NULL;
}

/* Two names may stand for one node: what has nowhere to go must not be removed. */
static gboolean is_one_engine(const Move *move, gboolean *same, GError **error)
{
    g_autofree gchar *from =
        tm_ask(move->front, move->from->host, tm_one("disk_engine", NULL), error);
    g_autofree gchar *to =
        from ? tm_ask(move->front, move->to->host, tm_one("disk_engine", NULL), error) : NULL;
    *same = to && strcmp(from, to) == 0;
    return to != NULL;
}

static gboolean migrate(const Move *move, GError **error)
{
    gboolean same = FALSE;
    if (!is_one_engine(move, &same, error))
        return FALSE;
    if (same)
        return TRUE;
    g_autoptr(GError) failure = NULL;
    g_autoptr(DatastoreMessage) message = with_registry(move);
    log_info("VM %s: moving disk 0 from %s to %s%s%s", move->vmid, move->from->host, move->to->host,
             message ? " through " : "", message ? message->registry : "");
    if (message ? !through_registry(move, message, &failure) : !stream(move, &failure)) {
        if (vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE))
            return arrived(move, failure, error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return tm_purge(move->front, move->from->host, move->vmid, error);
}

static gboolean move_root(const Move *move, GError **error)
{
    gboolean from_node = tm_is_node(move->front, move->from->host);
    gboolean to_node = tm_is_node(move->front, move->to->host);
    if (g_ascii_strcasecmp(move->from->host, move->to->host) == 0 || (!from_node && !to_node))
        return TRUE;
    if (!to_node)
        return store(move, error);
    return from_node ? migrate(move, error) : restore(move, error);
}

/* ---- the folder -------------------------------------------------------------------------------*/

/* Whether the two hosts share the file system of the folder: a file made there is seen here. */
static gboolean is_shared(const Move *move, gboolean *shared, GError **error)
{
    const Front *front = move->front;
    *shared = FALSE;
    if (strcmp(move->from->path, move->to->path) != 0)
        return TRUE;
    g_autofree gchar *made =
        tm_ask(front, move->to->host,
               tm_shell("umask 022; mkdir -p -- \"$1\" && exec mktemp -p \"$1\" .vmdock.XXXXXX",
                        move->to->parent, NULL),
               error);
    if (!made)
        return FALSE;
    g_strstrip(made);
    g_autofree gchar *seen =
        tm_ask(front, move->from->host, tm_shell("[ ! -e \"$1\" ] || echo yes", made, NULL), error);
    gboolean removed = tm_do(front, move->to->host, tm_shell("exec rm -f -- \"$1\"", made, NULL),
                             seen ? error : NULL);
    *shared = seen && *seen;
    return seen && removed;
}

static gboolean copy_folder(const Move *move, GError **error)
{
    static const char pack[] = "exec tar -C \"$1\" --sparse -cf - -- \"$2\"";
    static const char unpack[] = "umask 022; rm -rf -- \"$1/$2\" && mkdir -p -- \"$1/$2\" && "
                                 "{ tar -C \"$1/$2\" --strip-components=1 --sparse -xf - || "
                                 "{ rm -rf -- \"$1/$2\"; exit 1; }; }";
    const Front *front = move->front;
    g_auto(GStrv) give = tm_shell(pack, move->from->parent, move->vmid, NULL);
    g_auto(GStrv) take = tm_shell(unpack, move->to->parent, move->vmid, NULL);
    g_auto(GStrv) from = front_on_host(front, move->from->host, (const char *const *)give);
    g_auto(GStrv) to = front_on_host(front, move->to->host, (const char *const *)take);
    const GStrv commands[] = {from, to};
    g_autofree gchar *where = g_strdup_printf("from %s to %s", move->from->host, move->to->host);
    return front_pipe(front, commands, 2, -1, -1, front->config->transfer_ms, where, error);
}

static gboolean move_folder(const Move *move, GError **error)
{
    const Front *front = move->front;
    gboolean shared = FALSE;
    if (!is_shared(move, &shared, error))
        return FALSE;
    if (shared)
        return TRUE;
    g_autofree gchar *there =
        tm_ask(front, move->from->host,
               tm_shell("[ ! -d \"$1\" ] || echo yes", move->from->path, NULL), error);
    if (!there)
        return FALSE;
    if (!*there)
        return tm_make_folder(front, move->to, error);
    return copy_folder(move, error) &&
           tm_do(front, move->from->host, tm_shell("exec rm -rf -- \"$1\"", move->from->path, NULL),
                 error);
}

/* ---- the action -------------------------------------------------------------------------------*/

/* A VM that is brought up elsewhere because its host is lost leaves its files there. */
static gboolean is_from_lost_host(const Front *front, const char *vmid)
{
    g_autofree gchar *state = tm_vm_value(front, vmid, "/VM/LCM_STATE");
    return state && (strcmp(state, "60") == 0 || strcmp(state, "61") == 0);
}

/* mv HOST:PLACE HOST:PLACE VMID DATASTORE */
gboolean front_tm_mv(Front *front, int argc, char **argv, GError **error)
{
    if (argc != 5)
        return front_usage(error, "tm mv HOST:PLACE HOST:PLACE VMID DATASTORE");
    g_autoptr(TmPlace) from = tm_place_parse(argv[1], argv[3], error);
    g_autoptr(TmPlace) to = from ? tm_place_parse(argv[2], argv[3], error) : NULL;
    if (!to || !tm_number(argv[4], "datastore's id", error))
        return FALSE;
    if (from->disk != to->disk)
        return front_usage(error, "tm mv HOST:…[/disk.N] HOST:…[/disk.N] VMID DATASTORE");
    if (from->disk > 0 || tm_place_same(from, to) || is_from_lost_host(front, argv[3]))
        return TRUE;
    Move move = {front, from, to, argv[3], argv[4], from->disk < 0};
    return move_root(&move, error) && (from->disk == 0 || move_folder(&move, error));
}

/* ---- live migration ---------------------------------------------------------------------------*/

/*
 * premigrate, postmigrate, failmigrate SRC DST SYSDIR VMID DATASTORE, the VM's XML on stdin. A live
 * migration is refused by the migrate action between them, so nothing may move before it, and there
 * is nothing to take back after it.
 */
static gboolean around_migration(int argc, char **argv, GError **error)
{
    if (argc != 6)
        return front_usage(error, "tm pre-, post- or failmigrate SRC DST FOLDER VMID DATASTORE");
    g_autofree gchar *text = g_strconcat(argv[1], ":", argv[3], NULL);
    g_autoptr(TmPlace) place = tm_place_parse(text, argv[4], error);
    return place != NULL;
}

gboolean front_tm_premigrate(Front *front G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    return around_migration(argc, argv, error);
}

gboolean front_tm_postmigrate(Front *front G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    return around_migration(argc, argv, error);
}

gboolean front_tm_failmigrate(Front *front G_GNUC_UNUSED, int argc, char **argv, GError **error)
{
    return around_migration(argc, argv, error);
}

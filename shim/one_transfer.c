// SPDX-License-Identifier: Apache-2.0
/*
 * The node's half of OpenNebula's transfer actions: what vmdock-front calls here over ssh. Archives
 * come on stdin and go to stdout; no path is taken from the caller.
 */
#include "one.h"

#include "driver/actions.h"
#include "driver/error.h"
#include "driver/image_ref.h"
#include "driver/interrupt.h"
#include "driver/transfer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SNAPSHOT = 1000000, MAX_TAGS = 1000, ID_LENGTH = 64 };

/* The deploy id of VM NUMBER; NULL with USAGE when that is no number. */
static gchar *id_of(const char *number, GError **error)
{
    g_autofree gchar *deploy_id = g_strconcat("one-", number, NULL);
    return one_check_id(deploy_id, number, error) ? g_steal_pointer(&deploy_id) : NULL;
}

static gboolean snapshot_of(const char *text, gint64 smallest, gint *snapshot, GError **error)
{
    gint64 number = 0;
    if (g_ascii_string_to_signed(text, 10, smallest, MAX_SNAPSHOT, &number, NULL)) {
        *snapshot = (gint)number;
        return TRUE;
    }
    g_autofree gchar *shown = vmdock_one_line(text, 80);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE, "\"%s\" is no snapshot's number", shown);
    return FALSE;
}

/* Ends this process, as a signal would, when nobody is left to hear its output. */
static gpointer watch_caller(gpointer data G_GNUC_UNUSED)
{
    struct pollfd ends[] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};
    while (poll(ends, G_N_ELEMENTS(ends), -1) < 0 && errno == EINTR)
        ;
    interrupt_raise(SIGHUP);
    kill(getpid(), SIGHUP); /* a call that waits looks then */
    return NULL;
}

/*
 * Of an action that may take long. The front end gives it up by ending its ssh, of which nothing is
 * heard here; held on, the VM's lock would keep the VM from being deleted.
 */
static TransferProgress progress_of(One *one, const char *verb)
{
    g_thread_unref(g_thread_new("caller", watch_caller, NULL));
    one->progress.verb = verb;
    return (TransferProgress){shim_progress, &one->progress};
}

static gboolean is_image_id(const char *text)
{
    static const char prefix[] = "sha256:";
    const char *digits = g_str_has_prefix(text, prefix) ? text + strlen(prefix) : "";
    return strlen(digits) == ID_LENGTH && strspn(digits, "0123456789abcdef") == ID_LENGTH;
}

static gboolean fetch_of(const char *word, TransferFetch *fetch)
{
    *fetch = !word                           ? TRANSFER_CACHED
             : strcmp(word, "in-place") == 0 ? TRANSFER_IN_PLACE
                                             : TRANSFER_ANEW;
    return *fetch != TRANSFER_ANEW || strcmp(word, "anew") == 0;
}

/* disk_hold VMID docker://REFERENCE|sha256:ID [in-place|anew] */
gboolean one_disk_hold(One *one, int argc, char **argv, GError **error)
{
    TransferFetch fetch;
    if (argc < 3 || argc > 4 || !fetch_of(argv[3], &fetch))
        return one_usage(error, "disk_hold VMID IMAGE [in-place|anew]");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    if (!deploy_id)
        return FALSE;
    if (!image_ref_is_url(argv[2]) && !is_image_id(argv[2])) {
        g_autofree gchar *shown = vmdock_one_line(argv[2], 200);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                    "\"%s\" is neither docker://… nor an image's id", shown);
        return FALSE;
    }
    return transfer_hold(one->host, deploy_id, argv[2], fetch, progress_of(one, "fetching"), error);
}

/* VMID alone. */
static gchar *only_id(int argc, char **argv, GError **error)
{
    if (argc == 2)
        return id_of(argv[1], error);
    one_usage(error, "ACTION VMID");
    return NULL;
}

gboolean one_disk_load(One *one, int argc, char **argv, GError **error)
{
    g_autofree gchar *deploy_id = only_id(argc, argv, error);
    return deploy_id && transfer_hold_archive(one->host, deploy_id, STDIN_FILENO,
                                              progress_of(one, "receiving"), error);
}

gboolean one_disk_held(One *one, int argc, char **argv, GError **error)
{
    g_autofree gchar *deploy_id = only_id(argc, argv, error);
    return deploy_id && transfer_check_held(one->host, deploy_id, error);
}

gboolean one_disk_export(One *one, int argc, char **argv, GError **error)
{
    g_autofree gchar *deploy_id = only_id(argc, argv, error);
    return deploy_id &&
           transfer_export(one->host, deploy_id, STDOUT_FILENO, progress_of(one, "sending"), error);
}

gboolean one_disk_import(One *one, int argc, char **argv, GError **error)
{
    g_autofree gchar *deploy_id = only_id(argc, argv, error);
    return deploy_id && transfer_import(one->host, deploy_id, STDIN_FILENO,
                                        progress_of(one, "receiving"), error);
}

/* "host:port", with a path behind it where the registry wants one. */
static gboolean check_registry(const char *registry, GError **error)
{
    if (image_ref_is_registry(registry))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(registry, 200);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "\"%s\" is no registry", shown);
    return FALSE;
}

/* disk_send VMID REGISTRY: prints the tags, one a line. */
gboolean one_disk_send(One *one, int argc, char **argv, GError **error)
{
    if (argc != 3)
        return one_usage(error, "disk_send VMID REGISTRY");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    if (!deploy_id || !check_registry(argv[2], error))
        return FALSE;
    g_autoptr(GPtrArray) tags =
        transfer_send(one->host, deploy_id, argv[2], progress_of(one, "sending"), error);
    if (!tags)
        return FALSE;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < tags->len; i++)
        g_string_append_printf(text, "%s\n", (const char *)g_ptr_array_index(tags, i));
    return shim_print(text->str, error);
}

/* disk_fetch VMID REGISTRY TAG… */
gboolean one_disk_fetch(One *one, int argc, char **argv, GError **error)
{
    if (argc < 4 || argc > MAX_TAGS)
        return one_usage(error, "disk_fetch VMID REGISTRY TAG…");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    if (!deploy_id || !check_registry(argv[2], error))
        return FALSE;
    for (int i = 3; i < argc; i++)
        if (!g_str_has_prefix(argv[i], "disk.0-"))
            return one_usage(error, "disk_fetch VMID REGISTRY TAG…");
    return transfer_fetch(one->host, deploy_id, argv[2], (const char *const *)argv + 3,
                          progress_of(one, "fetching"), error);
}

/* disk_push VMID SNAPSHOT|-1 docker://REFERENCE */
gboolean one_disk_push(One *one, int argc, char **argv, GError **error)
{
    gint snapshot = 0;
    if (argc != 4 || !image_ref_is_url(argv[3]))
        return one_usage(error, "disk_push VMID SNAPSHOT docker://REFERENCE");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    return deploy_id && snapshot_of(argv[2], TRANSFER_NOW, &snapshot, error) &&
           transfer_push(one->host, deploy_id, snapshot, argv[3], progress_of(one, "sending"), NULL,
                         error);
}

/* disk_save VMID SNAPSHOT|-1 */
gboolean one_disk_save(One *one, int argc, char **argv, GError **error)
{
    gint snapshot = 0;
    if (argc != 3)
        return one_usage(error, "disk_save VMID SNAPSHOT");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    return deploy_id && snapshot_of(argv[2], TRANSFER_NOW, &snapshot, error) &&
           transfer_save(one->host, deploy_id, snapshot, STDOUT_FILENO, NULL,
                         progress_of(one, "sending"), error);
}

typedef gboolean (*OnSnapshot)(Host *host, const char *deploy_id, guint snapshot, GError **error);

/* ACTION VMID SNAPSHOT */
static gboolean on_snapshot(One *one, int argc, char **argv, OnSnapshot action, GError **error)
{
    gint snapshot = 0;
    if (argc != 3)
        return one_usage(error, "ACTION VMID SNAPSHOT");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    return deploy_id && snapshot_of(argv[2], 0, &snapshot, error) &&
           action(one->host, deploy_id, (guint)snapshot, error);
}

gboolean one_disk_snapshot(One *one, int argc, char **argv, GError **error)
{
    return on_snapshot(one, argc, argv, transfer_snapshot, error);
}

gboolean one_disk_revert(One *one, int argc, char **argv, GError **error)
{
    return on_snapshot(one, argc, argv, transfer_revert, error);
}

gboolean one_disk_snapshot_delete(One *one, int argc, char **argv, GError **error)
{
    return on_snapshot(one, argc, argv, transfer_snapshot_delete, error);
}

/* disk_snapshot_hold VMID SNAPSHOT docker://REFERENCE */
gboolean one_disk_snapshot_hold(One *one, int argc, char **argv, GError **error)
{
    gint snapshot = 0;
    if (argc != 4 || !image_ref_is_url(argv[3]))
        return one_usage(error, "disk_snapshot_hold VMID SNAPSHOT docker://REFERENCE");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    return deploy_id && snapshot_of(argv[2], 0, &snapshot, error) &&
           transfer_snapshot_hold(one->host, deploy_id, (guint)snapshot, argv[3],
                                  progress_of(one, "fetching"), error);
}

/* disk_snapshot_load VMID SNAPSHOT */
gboolean one_disk_snapshot_load(One *one, int argc, char **argv, GError **error)
{
    gint snapshot = 0;
    if (argc != 3)
        return one_usage(error, "disk_snapshot_load VMID SNAPSHOT");
    g_autofree gchar *deploy_id = id_of(argv[1], error);
    return deploy_id && snapshot_of(argv[2], 0, &snapshot, error) &&
           transfer_snapshot_load(one->host, deploy_id, (guint)snapshot, STDIN_FILENO,
                                  progress_of(one, "receiving"), error);
}

/* Everything of the VM goes: OpenNebula calls nothing else for one that died by itself. */
gboolean one_disk_purge(One *one, int argc, char **argv, GError **error)
{
    g_autofree gchar *deploy_id = only_id(argc, argv, error);
    return deploy_id && vm_purge(one->host, deploy_id, error);
}

gboolean one_disk_engine(One *one, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    if (argc != 1)
        return one_usage(error, "disk_engine");
    g_autofree gchar *id = transfer_engine_id(one->host, error);
    g_autofree gchar *line = id ? g_strconcat(id, "\n", NULL) : NULL;
    return line && shim_print(line, error);
}

gboolean one_disk_space(One *one, int argc, char **argv G_GNUC_UNUSED, GError **error)
{
    TransferSpace space;
    const guint64 mib = G_GUINT64_CONSTANT(1024) * 1024;
    if (argc != 1)
        return one_usage(error, "disk_space");
    if (!transfer_space(one->host, &space, error))
        return FALSE;
    g_autofree gchar *text =
        g_strdup_printf("USED_MB=%" G_GUINT64_FORMAT "\nTOTAL_MB=%" G_GUINT64_FORMAT
                        "\nFREE_MB=%" G_GUINT64_FORMAT "\n",
                        space.used / mib, space.total / mib, space.available / mib);
    return shim_print(text, error);
}

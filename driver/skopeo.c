// SPDX-License-Identifier: Apache-2.0
#include "skopeo.h"

#include "autoptr.h"
#include "error.h"
#include "file.h"
#include "interrupt.h"

#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

enum { LOOK_EVERY_MS = 50, MAX_DIGEST = 256, MAX_SENTENCE = 400 };

/* ---- what it complains of ------------------------------------------------------------------- */

/* Turns the first quoted text of LINE, which is escaped as Go does it, into plain text. */
static gchar *unquote(const char *line)
{
    GString *text = g_string_new(NULL);
    for (const char *p = line; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1]) {
            p++;
            g_string_append_c(text, *p == 'n' || *p == 't' || *p == 'r' ? ' ' : *p);
        } else {
            g_string_append_c(text, *p);
        }
    }
    return g_string_free(text, FALSE);
}

/* The fatal message, else the last line. */
static gchar *message_of(const char *text)
{
    static const char mark[] = "level=fatal msg=";
    const char *fatal = g_strrstr(text, mark);
    if (fatal && fatal[strlen(mark)] == '"')
        return unquote(fatal + strlen(mark) + 1);
    if (fatal)
        return g_strndup(fatal + strlen(mark), strcspn(fatal + strlen(mark), " \n"));
    g_autofree gchar *plain = g_strchomp(g_strdup(text));
    const char *line = strrchr(plain, '\n');
    return g_strdup(line ? line + 1 : plain);
}

/* What says no more than the image's name, which the sentence begins with anyway. */
static const char *skip_noise(const char *message)
{
    static const struct {
        const char *begin, *end;
    } noise[] = {
        {"Error parsing image name \"", "\": "},
        {"Error retrieving manifest for image", ": "},
        {"initializing source ", ": "},
        {"determining manifest MIME type for ", ": "},
        {"trying to reuse blob ", "at destination: "},
        {" (dest: ", "): "},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(noise); i++) {
        const char *end = strstr(message, noise[i].end);
        if (end && g_str_has_prefix(message, noise[i].begin))
            return end + strlen(noise[i].end);
    }
    return message;
}

/* "manifest unknown: manifest unknown" says it once too often. */
static void drop_echo(gchar *message)
{
    gchar *last = g_strrstr(message, ": ");
    if (!last)
        return;
    *last = '\0';
    g_autofree gchar *again = g_strconcat(" ", last + 2, NULL);
    if (!g_str_has_suffix(message, again))
        *last = ':';
}

static VmdockError code_of(const char *message)
{
    static const char *const missing[] = {
        "manifest unknown", "name unknown", "repository name not known", "Image may not exist",
        "fetching tags list: invalid status code from registry 404"};
    for (gsize i = 0; i < G_N_ELEMENTS(missing); i++)
        if (strstr(message, missing[i]))
            return VMDOCK_ERROR_NO_IMAGE;
    /* Of an archive that has other names. */
    if (strstr(message, "Tag \"") && g_str_has_suffix(message, "\" not found"))
        return VMDOCK_ERROR_NO_IMAGE;
    if (strstr(message, "no space left on device") || strstr(message, "quota exceeded"))
        return VMDOCK_ERROR_NO_SPACE;
    return VMDOCK_ERROR_REGISTRY;
}

void skopeo_complaint(const char *text, const char *label, GError **error)
{
    g_autofree gchar *message = message_of(text);
    g_autofree gchar *line = vmdock_one_line(skip_noise(message), MAX_SENTENCE);
    drop_echo(line);
    g_strchomp(line);
    g_set_error(error, VMDOCK_ERROR, code_of(message), "image %s: %s", label,
                *line ? line : "skopeo failed without a word");
}

/* ---- running it ----------------------------------------------------------------------------- */

typedef struct {
    GSubprocess *process;
    gint64 deadline; /* monotonic */
    gboolean ended;
    gboolean killed;
    GBytes *out, *err;
    GError *error;
} Run;

static void take_end(GObject *object, GAsyncResult *result, gpointer data)
{
    Run *run = data;
    g_subprocess_communicate_finish(G_SUBPROCESS(object), result, &run->out, &run->err,
                                    &run->error);
    run->ended = TRUE;
}

static gboolean look(gpointer data)
{
    Run *run = data;
    if (!run->killed && (interrupt_pending() || g_get_monotonic_time() >= run->deadline)) {
        run->killed = TRUE;
        g_subprocess_force_exit(run->process);
    }
    return G_SOURCE_CONTINUE;
}

/* It must not go on when this process is killed: nobody would take back what it makes. */
static void die_with_parent(gpointer data G_GNUC_UNUSED)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Its own, so that nothing of the caller's account or environment decides what it does. */
static GStrv environment(const Skopeo *skopeo)
{
    static const char *const kept[] = {"http_proxy", "https_proxy", "no_proxy",
                                       "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};
    GStrv list = g_environ_setenv(NULL, "PATH", "/usr/bin:/bin", TRUE);
    list = g_environ_setenv(list, "HOME", skopeo->work, TRUE);
    list = g_environ_setenv(list, "TMPDIR", skopeo->work, TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
        if (g_getenv(kept[i]))
            list = g_environ_setenv(list, kept[i], g_getenv(kept[i]), TRUE);
    return list;
}

static GSubprocess *launch(const Skopeo *skopeo, const GPtrArray *arguments, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_auto(GStrv) environ = environment(skopeo);
    g_subprocess_launcher_set_environ(launcher, environ);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    g_autoptr(GError) failure = NULL;
    GSubprocess *process =
        g_subprocess_launcher_spawnv(launcher, (const gchar *const *)arguments->pdata, &failure);
    if (!process)
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                    "%s cannot be started, and images cannot be copied without it: %s",
                    skopeo->config->datastore_skopeo, failure->message);
    return process;
}

static void wait_for(Run *run)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    g_main_context_push_thread_default(context);
    g_subprocess_communicate_async(run->process, NULL, NULL, take_end, run);
    g_autoptr(GSource) timer = g_timeout_source_new(LOOK_EVERY_MS);
    g_source_set_callback(timer, look, run, NULL);
    g_source_attach(timer, context);
    while (!run->ended)
        g_main_context_iteration(context, TRUE);
    g_source_destroy(timer);
    g_main_context_pop_thread_default(context);
}

static gboolean judge(const Run *run, const char *label, guint64 timeout_ms, GError **error)
{
    if (run->killed) {
        if (!interrupt_check(error))
            return FALSE;
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY,
                    "image %s: not done within %" G_GUINT64_FORMAT " s", label, timeout_ms / 1000);
        return FALSE;
    }
    if (run->error) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "cannot read what skopeo says: %s",
                    run->error->message);
        return FALSE;
    }
    if (g_subprocess_get_successful(run->process))
        return TRUE;
    gsize length = 0;
    const char *bytes = g_bytes_get_data(run->err, &length);
    g_autofree gchar *text = g_strndup(bytes ? bytes : "", length);
    skopeo_complaint(text, label, error);
    return FALSE;
}

/* What it prints is bounded by skopeo: 4 MiB for a manifest. */
static gboolean execute(const Skopeo *skopeo, GPtrArray *arguments, const char *label,
                        guint64 timeout_ms, GBytes **out, GError **error)
{
    if (!interrupt_check(error))
        return FALSE;
    g_ptr_array_add(arguments, NULL);
    g_autoptr(GSubprocess) process = launch(skopeo, arguments, error);
    if (!process)
        return FALSE;
    Run run = {.process = process,
               .deadline = g_get_monotonic_time() + (gint64)timeout_ms * G_TIME_SPAN_MILLISECOND};
    wait_for(&run);
    gboolean fine = judge(&run, label, timeout_ms, error);
    if (fine && out)
        *out = g_steal_pointer(&run.out);
    g_clear_pointer(&run.out, g_bytes_unref);
    g_clear_pointer(&run.err, g_bytes_unref);
    g_clear_error(&run.error);
    return fine;
}

/* ---- its commands --------------------------------------------------------------------------- */

/* WORDS ends in NULL. */
static void add(GPtrArray *arguments, const char *const *words)
{
    for (; *words; words++)
        g_ptr_array_add(arguments, g_strdup(*words));
}

static GPtrArray *command(const Skopeo *skopeo, const char *name)
{
    GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);
    add(arguments, (const char *const[]){skopeo->config->datastore_skopeo, "--tmpdir", skopeo->work,
                                         name, "--authfile", skopeo->auth, NULL});
    return arguments;
}

/* WHICH is "", "src-" or "dest-". */
static void add_trust(GPtrArray *arguments, const Skopeo *skopeo, const char *which,
                      const SkopeoImage *image)
{
    if (image->insecure)
        g_ptr_array_add(arguments, g_strdup_printf("--%stls-verify=false", which));
    if (skopeo->cert_dir) {
        g_ptr_array_add(arguments, g_strdup_printf("--%scert-dir", which));
        g_ptr_array_add(arguments, g_strdup(skopeo->cert_dir));
    }
}

gchar *skopeo_manifest(const Skopeo *skopeo, const SkopeoImage *image, gsize *length,
                       GError **error)
{
    g_autoptr(GPtrArray) arguments = command(skopeo, "inspect");
    g_autoptr(GBytes) out = NULL;
    add_trust(arguments, skopeo, "", image);
    add(arguments, (const char *const[]){"--raw", image->name, NULL});
    if (!execute(skopeo, arguments, image->label, skopeo->config->datastore_request_ms, &out,
                 error))
        return NULL;
    const char *bytes = g_bytes_get_data(out, length);
    gchar *text = g_malloc(*length + 1);
    memcpy(text, bytes ? bytes : "", *length);
    text[*length] = '\0';
    return text;
}

gboolean skopeo_copy(const Skopeo *skopeo, const SkopeoImage *from, const SkopeoImage *to,
                     gchar **digest, GError **error)
{
    g_autofree gchar *digest_file = g_build_filename(skopeo->work, "digest", NULL);
    g_autoptr(GPtrArray) arguments = command(skopeo, "copy");
    add_trust(arguments, skopeo, "src-", from);
    add_trust(arguments, skopeo, "dest-", to);
    /* A signature holds for the old name only, and not every destination can keep one. */
    add(arguments, (const char *const[]){"--quiet", "--remove-signatures", "--digestfile",
                                         digest_file, from->name, to->name, NULL});
    if (!execute(skopeo, arguments, from->label, skopeo->config->datastore_copy_ms, NULL, error))
        return FALSE;
    if (!digest)
        return TRUE;
    *digest = file_read(digest_file, MAX_DIGEST, NULL, error);
    if (*digest)
        g_strstrip(*digest);
    return *digest != NULL;
}

/* {"Repository": …, "Tags": [TAG…]} */
static GStrv parse_tags(const char *text, gsize length, const char *label, GError **error)
{
    g_autoptr(json_t) root = json_loadb(text, length, 0, NULL);
    const json_t *tags = json_object_get(root, "Tags");
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (gsize i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));
        if (tag)
            g_strv_builder_add(builder, tag);
    }
    if (root)
        return g_strv_builder_end(builder);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY,
                "image %s: the list of its tags is none", label);
    return NULL;
}

GStrv skopeo_tags(const Skopeo *skopeo, const SkopeoImage *image, GError **error)
{
    g_autoptr(GPtrArray) arguments = command(skopeo, "list-tags");
    g_autoptr(GBytes) out = NULL;
    g_autoptr(GError) failure = NULL;
    add_trust(arguments, skopeo, "", image);
    add(arguments, (const char *const[]){image->name, NULL});
    if (execute(skopeo, arguments, image->label, skopeo->config->datastore_request_ms, &out,
                &failure)) {
        gsize length = 0;
        const char *bytes = g_bytes_get_data(out, &length);
        return parse_tags(bytes ? bytes : "", length, image->label, error);
    }
    if (vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE))
        return g_new0(gchar *, 1);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

/* The status up to skopeo 1.9, the registry's own word for it since. */
static gboolean is_refusal_to_delete(const char *complaint)
{
    return strstr(complaint, "405 Method Not Allowed") ||
           g_str_has_suffix(complaint, ": unsupported");
}

gboolean skopeo_delete(const Skopeo *skopeo, const SkopeoImage *image, GError **error)
{
    g_autoptr(GPtrArray) arguments = command(skopeo, "delete");
    g_autoptr(GError) failure = NULL;
    add_trust(arguments, skopeo, "", image);
    add(arguments, (const char *const[]){image->name, NULL});
    if (execute(skopeo, arguments, image->label, skopeo->config->datastore_request_ms, NULL,
                &failure) ||
        vmdock_error_is(failure, VMDOCK_ERROR_NO_IMAGE))
        return TRUE;
    if (is_refusal_to_delete(failure->message))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_REGISTRY,
                    "image %s: the registry does not allow deletion "
                    "(storage: delete: enabled in its configuration)",
                    image->label);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

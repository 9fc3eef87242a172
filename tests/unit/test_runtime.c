// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-runtime. The parts that are pure are asked directly; the whole is run as the engine runs
 * it, in private namespaces, with a script for the real runtime that tells how it was called.
 */
#include "driver/autoptr.h"
#include "driver/config.h"
#include "shim/runtime/bundle.h"
#include "shim/runtime/command.h"
#include "shim/runtime/runtime.h"
#include "shim/runtime/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define ID       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_ID "1111111111111111111111111111111111111111111111111111111111111111"
#define NETNS    "/run/netns/one-42"

static gchar *recorded_bundle(void)
{
    const char *data = g_getenv("VMDOCK_TEST_DATA");
    g_autofree gchar *path =
        g_build_filename(data ? data : "tests/data", "runtime", "docker-20.10.json", NULL);
    gchar *text = NULL;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

/* TEXT with each OLD replaced. */
static gchar *replaced(const char *text, const char *old, const char *new)
{
    g_auto(GStrv) parts = g_strsplit(text, old, -1);
    g_assert_cmpuint(g_strv_length(parts), >, 1);
    return g_strjoinv(new, parts);
}

/* ---- the command line ------------------------------------------------------------------------ */

typedef struct {
    const char *line;
    VerbKind kind;
    const char *verb, *id, *bundle, *log, *format;
} CommandRow;

static const CommandRow command_rows[] = {
    {"--root /r --log /b/log.json --log-format json create --bundle /b --pid-file /b/p " ID,
     VERB_BIRTH, "create", ID, "/b", "/b/log.json", "json"},
    {"--log=/l --log-format=text --root=/r --systemd-cgroup create --bundle=/b --console-socket "
     "/s " ID,
     VERB_BIRTH, "create", ID, "/b", "/l", "text"},
    {"create -b /b " ID, VERB_BIRTH, "create", ID, "/b", NULL, NULL},
    {"create " ID, VERB_BIRTH, "create", ID, ".", NULL, NULL},
    {"create " ID " --bundle /b", VERB_BIRTH, "create", ID, "/b", NULL, NULL},
    {"-log /l create -bundle /b " ID, VERB_BIRTH, "create", ID, "/b", "/l", NULL},
    {"--log create --root start create -b delete " ID, VERB_BIRTH, "create", ID, "delete", "create",
     NULL},
    {"--rootless false --cgroup-manager systemd --criu /c --debug run -d -b /b " ID, VERB_BIRTH,
     "run", ID, "/b", NULL, NULL},
    {"--some-later-option value create --bundle /b " ID, VERB_BIRTH, "create", ID, "/b", NULL,
     NULL},
    {"restore --image-path /i --work-path /w --bundle /b --detach " ID, VERB_BIRTH, "restore", ID,
     "/b", NULL, NULL},
    {"create -b /b -- " ID, VERB_BIRTH, "create", ID, "/b", NULL, NULL},
    {"create -b /b ../../etc/passwd", VERB_BIRTH, "create", NULL, "/b", NULL, NULL},
    {"create -b /b ..", VERB_BIRTH, "create", NULL, "/b", NULL, NULL},
    {"create -b", VERB_BIRTH, "create", NULL, ".", NULL, NULL},
    {"start " ID, VERB_LIFE, "start", ID, ".", NULL, NULL},
    {"state " ID, VERB_LIFE, "state", ID, ".", NULL, NULL},
    {"kill --all " ID " 9", VERB_LIFE, "kill", ID, ".", NULL, NULL},
    {"kill " ID " create", VERB_LIFE, "kill", ID, ".", NULL, NULL},
    {"exec --process /p --detach --pid-file /f --console-socket /s " ID " create --bundle /x y",
     VERB_LIFE, "exec", ID, ".", NULL, NULL},
    {"exec -t -u 0 --cwd " OTHER_ID " -e A=b " ID " sh", VERB_LIFE, "exec", ID, ".", NULL, NULL},
    {"update --resources - " ID, VERB_LIFE, "update", ID, ".", NULL, NULL},
    {"ps --format json " ID " -ef", VERB_LIFE, "ps", ID, ".", NULL, NULL},
    {"events --stats --interval 5s " ID, VERB_LIFE, "events", ID, ".", NULL, NULL},
    {"delete " ID, VERB_DEATH, "delete", ID, ".", NULL, NULL},
    {"delete --force " ID, VERB_DEATH, "delete", ID, ".", NULL, NULL},
    {"delete -f " ID, VERB_DEATH, "delete", ID, ".", NULL, NULL},
    {"--version", VERB_OTHER, NULL, NULL, ".", NULL, NULL},
    {"-v", VERB_OTHER, NULL, NULL, ".", NULL, NULL},
    {"features", VERB_OTHER, "features", NULL, ".", NULL, NULL},
    {"help create", VERB_OTHER, "help", NULL, ".", NULL, NULL},
    {"list --format json", VERB_OTHER, "list", NULL, ".", NULL, NULL},
    {"", VERB_OTHER, NULL, NULL, ".", NULL, NULL},
    {"--log", VERB_OTHER, NULL, NULL, ".", NULL, NULL},
};

static void test_command(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(command_rows); i++) {
        const CommandRow *row = &command_rows[i];
        g_test_message("%s", row->line);
        g_autofree gchar *line = g_strconcat("vmdock-runtime ", row->line, NULL);
        g_auto(GStrv) argv = NULL;
        g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
        Command command = command_parse(argv);
        g_assert_cmpint(command.kind, ==, row->kind);
        g_assert_cmpstr(command.verb, ==, row->verb);
        g_assert_cmpstr(command.id, ==, row->id);
        g_assert_cmpstr(command.bundle, ==, row->bundle);
        g_assert_cmpstr(command.log, ==, row->log);
        g_assert_cmpstr(command.log_format, ==, row->format);
    }
}

static void test_command_empty(void)
{
    char *argv[] = {NULL};
    g_assert_cmpint(command_parse(argv).kind, ==, VERB_OTHER);
}

/* ---- the settings ---------------------------------------------------------------------------- */

/* What deploy takes for "auto" depends on the host; the runtime knows a VM by either. */
static const char *found_parent(const char *value)
{
    return g_str_equal(value, "auto") ? "/vmdock" : value;
}

/* The defaults stand in two places, because this program goes without GLib: they must agree. */
static void test_settings_defaults(void)
{
    autosettings Settings settings = {0};
    char *error = NULL;
    guint found = 0;
    g_assert_true(settings_load("/nonexistent/vmdock.conf", &settings, &error));
    const struct {
        const char *group, *key, *value;
    } theirs[] = {
#define STR(field, group, key, value) {group, key, value},
#define NUM(field, group, key, value, smallest, largest)
#define BOOL(field, group, key, value)
#define LIST(field, group, key)
        CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
    };
#define X(field, in_group, in_key, in_value)                                                       \
    for (gsize i = 0; i < G_N_ELEMENTS(theirs); i++)                                               \
        if (g_str_equal(theirs[i].group, in_group) && g_str_equal(theirs[i].key, in_key)) {        \
            g_assert_cmpstr(theirs[i].value, ==, in_value);                                        \
            g_assert_cmpstr(settings.field, ==, found_parent(in_value));                           \
            found++;                                                                               \
        }
    SETTINGS_TABLE(X)
#undef X
    g_assert_cmpuint(found, ==, 5);
}

/*
 * GKeyFile reads the same file elsewhere, where blanks at either end of a value are taken off:
 * whatever it accepts must mean the same here.
 */
static void test_settings_like_key_file(void)
{
    static const char *const texts[] = {
        "[runtime]\nreal=/a\n",
        "[runtime]\n  real =   /a b  \n",
        "[runtime]\r\nreal=/a\r\n",
        "#x\n\n  # y\n[runtime]  \nreal=/a#b\n",
        "[runtime]\nreal=/a\nreal=/b\n",
        "[runtime]\nreal=/a\n[vm]\ncgroup_parent=x\n[runtime]\nreal=/c\n",
        "[vm]\nreal=/wrong\n[runtime]\nreal[de]=/de\nreal=/a\n",
        "[runtime]\nreal=\\s/a\\s\\n\\t\\r\\\\\n",
        "[runtime]\nreal=/a\\",
        "[runtime]\nreal=/a\\x\n",
        "[runtime]\n\treal\t=\t/a\t\n",
        "[runtime]\nreal=/a=b\n",
        "[runtime]\nreal=/a",
        "[runtime]\n\freal=\f/a\n",
        "[runtime]\n\vreal=\v/a\n",
        "[runtime]\nreal=/a\\t\\s\n",
        "[runtime]\nreal=\\s\\n/a \n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_test_message("text %" G_GSIZE_FORMAT, i);
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autofree gchar *value = NULL;
        g_autoptr(GError) error = NULL;
        if (g_key_file_load_from_data(file, texts[i], strlen(texts[i]), G_KEY_FILE_NONE, NULL))
            value = g_key_file_get_string(file, "runtime", "real", &error);
        autosettings Settings settings = {0};
        char *sentence = NULL;
        gboolean done = settings_parse(texts[i], "x", &settings, &sentence);
        if (value && !error && g_strstrip(value)[0] == '/') {
            g_assert_true(done);
            g_assert_cmpstr(settings.real, ==, value);
        } else {
            g_assert_true(!done || g_str_equal(settings.real, "/usr/sbin/runc"));
        }
        free(sentence);
    }
}

static void test_settings_auto(void)
{
    autosettings Settings settings = {0};
    char *error = NULL;
    g_assert_true(settings_parse("[vm]\ncgroup_parent = auto\n", "x", &settings, &error));
    g_assert_cmpstr(settings.cgroup_parent, ==, "/vmdock");
}

static void test_settings_refused(void)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"[runtime]\nreal=runc\n", "x: [runtime] real must be an absolute path"},
        {"[runtime]\nreal=\n", "x: [runtime] real must be an absolute path"},
        {"[paths]\nrun=/\n", "x: [paths] run must be an absolute path"},
        {"[vm]\ncgroup_parent=/\n", "x: [vm] cgroup_parent must be a cgroup under the root"},
        {"[vm]\ncgroup_parent=\n", "x: [vm] cgroup_parent must be a cgroup under the root"},
        {"[vm]\ncgroup_parent=/a/../b\n", "x: [vm] cgroup_parent must be a cgroup under the root"},
        {"[vm]\ncgroup_parent=a:b\n", "x: [vm] cgroup_parent must be a cgroup under the root"},
        {"real=/x\n", "x: line 1 is neither a group nor a key of one"},
        {"[runtime]\nnonsense\n", "x: line 2 is neither a group nor a key of one"},
        {"[runtime\n", "x: line 1 is not a group"},
        {"[runtime]\nreal=/a\\q\n", "x: [runtime] real: an unknown escape"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        autosettings Settings settings = {0};
        char *error = NULL;
        g_assert_false(settings_parse(rows[i].text, "x", &settings, &error));
        g_assert_cmpstr(error, ==, rows[i].sentence);
        free(error);
    }
}

static void test_settings_trailing_slash(void)
{
    autosettings Settings settings = {0};
    char *error = NULL;
    g_assert_true(settings_parse("[paths]\nnetns=/n//\n", "x", &settings, &error));
    g_assert_cmpstr(settings.netns_dir, ==, "/n");
}

/* ---- whose container ------------------------------------------------------------------------- */

typedef struct {
    const char *path, *parent;
    BundleOwner owner;
} OwnerRow;

static const OwnerRow owner_rows[] = {
    {"/vmdock/" ID, "/vmdock", BUNDLE_OURS},
    {"vmdock.slice:docker:" ID, "/vmdock", BUNDLE_OURS},
    {"vmdock.slice:docker:" ID, "vmdock.slice", BUNDLE_OURS},
    {"/a/b/" ID, "/a/b", BUNDLE_OURS},
    {"/vmdock/" ID, "/vmdock/", BUNDLE_OURS},
    {"vmdock/" ID, "vmdock", BUNDLE_OURS},
    /* another parent, however alike */
    {"/docker/" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/vmdockx/" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/xvmdock/" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/foo/vmdock/" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/vmdock/../x", "/vmdock", BUNDLE_FOREIGN},
    {"/vmdock/../../" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/vmdock/../docker/" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/VMDOCK/" ID, "/vmdock", BUNDLE_FOREIGN},
    {"/docker/vmdock.slice:docker:" ID, "/vmdock", BUNDLE_FOREIGN},
    {"system.slice:docker:" ID, "/vmdock", BUNDLE_FOREIGN},
    {"vmdock-x.slice:docker:" ID, "/vmdock", BUNDLE_FOREIGN},
    {"xvmdock.slice:docker:" ID, "/vmdock", BUNDLE_FOREIGN},
    {"vmdock.slicex:docker:" ID, "/vmdock", BUNDLE_FOREIGN},
    {"vmdock:docker:" ID, "/vmdock", BUNDLE_FOREIGN},
    {"b.slice:docker:" ID, "/a/b", BUNDLE_FOREIGN},
    {ID, "/vmdock", BUNDLE_FOREIGN},
    {"", "/vmdock", BUNDLE_FOREIGN},
    {"/", "/vmdock", BUNDLE_FOREIGN},
    {"..", "/vmdock", BUNDLE_FOREIGN},
    /* our parent in a form that vmdock's containers never have */
    {"/vmdock/" OTHER_ID, "/vmdock", BUNDLE_REFUSED},
    {"/vmdock/" ID "/", "/vmdock", BUNDLE_REFUSED},
    {"/vmdock//" ID, "/vmdock", BUNDLE_REFUSED},
    {"//vmdock/" ID, "/vmdock", BUNDLE_REFUSED},
    {"vmdock/" ID, "/vmdock", BUNDLE_REFUSED},
    {"/vmdock/./" ID, "/vmdock", BUNDLE_REFUSED},
    {"/vmdock/a/../" ID, "/vmdock", BUNDLE_REFUSED},
    {"/x/../vmdock/" ID, "/vmdock", BUNDLE_REFUSED},
    {"/../vmdock/" ID, "/vmdock", BUNDLE_REFUSED},
    {"/vmdock/" ID "/" ID, "/vmdock", BUNDLE_REFUSED},
    {"/vmdock", "/vmdock", BUNDLE_REFUSED},
    {"/vmdock/", "/vmdock", BUNDLE_REFUSED},
    {"/vmdock/one-42", "/vmdock", BUNDLE_REFUSED},
    {"vmdock.slice:docker:" OTHER_ID, "/vmdock", BUNDLE_REFUSED},
    {"vmdock.slice:libpod:" ID, "/vmdock", BUNDLE_REFUSED},
    {"vmdock.slice::" ID, "/vmdock", BUNDLE_REFUSED},
    {"vmdock.slice:docker:" ID ":", "/vmdock", BUNDLE_REFUSED},
    {"vmdock.slice:", "/vmdock", BUNDLE_REFUSED},
};

static BundleOwner owner_of(const char *text, const char *parent, const char *id)
{
    char *error = NULL;
    BundleOwner owner = bundle_owner(text, strlen(text), parent, id, &error);
    g_assert_true((owner == BUNDLE_REFUSED) == (error != NULL));
    free(error);
    return owner;
}

static void test_owner_by_path(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(owner_rows); i++) {
        const OwnerRow *row = &owner_rows[i];
        g_test_message("%s in %s", row->path, row->parent);
        g_autoptr(json_t) root = json_pack("{s:{s:s}}", "linux", "cgroupsPath", row->path);
        g_autofree gchar *text = json_dumps(root, 0);
        g_assert_cmpint(owner_of(text, row->parent, ID), ==, row->owner);
    }
}

static void test_owner_by_id(void)
{
    const char *text = "{\"linux\":{\"cgroupsPath\":\"/vmdock/" ID "\"}}";
    g_assert_cmpint(owner_of(text, "/vmdock", ID), ==, BUNDLE_OURS);
    g_assert_cmpint(owner_of(text, "/vmdock", OTHER_ID), ==, BUNDLE_REFUSED);
    g_assert_cmpint(owner_of(text, "/vmdock", NULL), ==, BUNDLE_REFUSED);
    const char *short_id = "{\"linux\":{\"cgroupsPath\":\"/vmdock/one-42\"}}";
    g_assert_cmpint(owner_of(short_id, "/vmdock", "one-42"), ==, BUNDLE_REFUSED);
}

static void test_owner_of_text(void)
{
    static const struct {
        const char *text;
        BundleOwner owner;
    } rows[] = {
        {"{}", BUNDLE_FOREIGN},
        {"{\"linux\":{}}", BUNDLE_FOREIGN},
        {"{\"linux\":[\"cgroupsPath\",\"/vmdock/" ID "\"]}", BUNDLE_FOREIGN},
        {"{\"linux\":{\"cgroupsPath\":7}}", BUNDLE_FOREIGN},
        {"{\"cgroupsPath\":\"/vmdock/" ID "\"}", BUNDLE_FOREIGN},
        {"{\"annotations\":{\"cgroupsPath\":\"/vmdock/" ID "\"},\"linux\":{}}", BUNDLE_FOREIGN},
        {"{\"process\":{\"env\":[\"\\u0000\"],\"rlimits\":[{\"hard\":18446744073709551615}]}}",
         BUNDLE_FOREIGN},
        {"{\"linux\":{\"cgroupsPath\":\"/vmdock/" ID "\\u0000x\"}}", BUNDLE_REFUSED},
        {"{\"linux\":{\"cgroupsPath\":\"/a\",\"cgroupsPath\":\"/vmdock/" ID "\"}}", BUNDLE_REFUSED},
        {"{\"linux\":{},\"li\\u006eux\":{\"cgroupsPath\":\"/vmdock/" ID "\"}}", BUNDLE_REFUSED},
        {"", BUNDLE_REFUSED},
        {"[]", BUNDLE_REFUSED},
        {"\"x\"", BUNDLE_REFUSED},
        {"{\"linux\":{\"cgroupsPath\":\"/docker/" ID "\"}", BUNDLE_REFUSED},
        {"{} {}", BUNDLE_REFUSED},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].text);
        g_assert_cmpint(owner_of(rows[i].text, "/vmdock", ID), ==, rows[i].owner);
    }
}

/* ---- the sandbox in the bundle --------------------------------------------------------------- */

static gchar *joined(const char *text, gboolean keep_hook)
{
    char *error = NULL;
    gsize length = 0;
    gchar *result =
        bundle_join(text, strlen(text), &(BundleChange){.netns = NETNS, .keep_hook = keep_hook},
                    &length, &error);
    g_assert_cmpstr(error, ==, NULL);
    g_assert_cmpuint(length, ==, strlen(result));
    return result;
}

static json_t *parsed(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    g_assert_nonnull(json);
    return json;
}

/* The recorded bundle, edited by other means. */
static json_t *expected(const char *text, gboolean keep_hook)
{
    json_t *root = parsed(text), *entry;
    gsize i;
    json_array_foreach (json_object_get(json_object_get(root, "linux"), "namespaces"), i, entry)
        if (g_str_equal(json_string_value(json_object_get(entry, "type")), "network"))
            json_object_set_new(entry, "path", json_string(NETNS));
    if (!keep_hook)
        json_object_del(root, "hooks");
    return root;
}

static void test_join_recorded(void)
{
    g_autofree gchar *text = recorded_bundle();
    g_assert_cmpint(owner_of(text, "/vmdock", ID), ==, BUNDLE_OURS);
    for (int keep_hook = 0; keep_hook < 2; keep_hook++) {
        g_autofree gchar *result = joined(text, keep_hook);
        g_autoptr(json_t) is = parsed(result);
        g_autoptr(json_t) should = expected(text, keep_hook);
        g_assert_true(json_equal(is, should));
    }
}

#define WITH(before, hooks, after)                                                                 \
    "{" before "\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}" hooks after "}"
#define DONE(before, hooks, after)                                                                 \
    "{" before "\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"" NETNS                \
    "\"}]}" hooks after "}"
#define SETKEY "{\"path\":\"/proc/7/exe\",\"args\":[\"libnetwork-setkey\",\"x\"]}"
#define OTHER  "{\"path\":\"/bin/x\",\"args\":[\"x\",\"libnetwork-setkey\"],\"timeout\":3}"

/* Each row's text and what it becomes, to the byte. */
static void test_join_bytes(void)
{
    static const struct {
        const char *text, *result;
    } rows[] = {
        {WITH("", "", ""), DONE("", "", "")},
        {WITH("\"a\":18446744073709551615,", "", ",\"b\":1.50,\"c\":\"\\u003c\\/\""),
         DONE("\"a\":18446744073709551615,", "", ",\"b\":1.50,\"c\":\"\\u003c\\/\"")},
        {WITH("", ",\"hooks\":{\"prestart\":[" SETKEY "]}", ""), DONE("", "", "")},
        {WITH("\"hooks\":{\"prestart\":[" SETKEY "]},", "", ""), DONE("", "", "")},
        {WITH("\"hooks\" : {\"prestart\":[" SETKEY "]} ,", "", ""), DONE("", "", "")},
        {WITH("", " , \n\"hooks\":{\"prestart\":[" SETKEY "]} \n", ""), DONE("", "  \n", "")},
        {WITH("", ",\"hooks\":{\"prestart\":[" SETKEY "]}", ",\"z\":1"), DONE("", ",", "\"z\":1")},
        {WITH("", ",\"hooks\":{\"prestart\":[" OTHER "," SETKEY "]}", ""),
         DONE("", ",\"hooks\":{\"prestart\":[" OTHER "]}", "")},
        {WITH("", ",\"hooks\":{\"prestart\":[" SETKEY "],\"poststop\":[" SETKEY "]}", ""),
         DONE("", ",\"hooks\":{\"poststop\":[" SETKEY "]}", "")},
        {WITH("", ",\"hooks\":{\"prestart\":[" OTHER "]}", ""),
         DONE("", ",\"hooks\":{\"prestart\":[" OTHER "]}", "")},
        {WITH("", ",\"hooks\":{\"prestart\":[]}", ""),
         DONE("", ",\"hooks\":{\"prestart\":[]}", "")},
        {WITH("", ",\"hooks\":null", ""), DONE("", ",\"hooks\":null", "")},
        {WITH("", ",\"hooks\":{\"prestart\":[{\"args\":[\"/usr/bin/libnetwork-setkey\"]}]}", ""),
         DONE("", "", "")},
        {"{\"x\":{\"linux\":1},\"linux\":{\"y\":\"\\\"namespaces\\\":[\",\"namespaces\":"
         "[{\"type\":\"network\",\"path\":\"\"}]}}",
         "{\"x\":{\"linux\":1},\"linux\":{\"y\":\"\\\"namespaces\\\":[\",\"namespaces\":"
         "[{\"type\":\"network\",\"path\":\"" NETNS "\"}]}}"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *result = joined(rows[i].text, FALSE);
        g_assert_cmpstr(result, ==, rows[i].result);
    }
}

/* Further mounts stand behind the engine's own. */
static void test_join_mounts(void)
{
    static const struct {
        const char *mounts, *result;
    } rows[] = {
#define MINE                                                                                       \
    "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/r/1\",\"options\":[\"bind\","      \
    "\"rprivate\",\"nodev\",\"nosuid\",\"rw\"]}"
        {"[]", "[ " MINE "]"},
        {"[{\"type\":\"proc\"}]", "[{\"type\":\"proc\"}," MINE "]"},
        {"[ {\"a\":18446744073709551615} ]", "[ {\"a\":18446744073709551615} ," MINE "]"},
    };
    BundleMount mounts[] = {{(char *)"/r/1", (char *)"/data", false}};
    const BundleChange change = {NETNS, false, mounts, 1};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *member = g_strdup_printf("\"mounts\":%s,", rows[i].mounts);
        g_autofree gchar *after = g_strdup_printf("\"mounts\":%s,", rows[i].result);
        g_autofree gchar *text = replaced(WITH("@", "", ""), "@", member);
        g_autofree gchar *right = replaced(DONE("@", "", ""), "@", after);
        char *error = NULL;
        gsize length = 0;
        g_autofree gchar *result = bundle_join(text, strlen(text), &change, &length, &error);
        g_assert_cmpstr(result, ==, right);
    }
    char *error = NULL;
    gsize length = 0;
    const char *without = WITH("", "", "");
    g_assert_null(bundle_join(without, strlen(without), &change, &length, &error));
    g_assert_cmpstr(error, ==, "its container has no list of mounts");
    free(error);
}

static void test_join_refused(void)
{
    static const struct {
        const char *namespaces, *pattern;
    } rows[] = {
        {"[{\"type\":\"pid\"}]", "its container shares the host's network;*"},
        {"[]", "its container shares the host's network;*"},
        {"[{\"type\":\"network\",\"path\":\"/proc/9/ns/net\"}]",
         "its container joins another network namespace already;*"},
        {"[{\"type\":\"network\",\"path\":\"\\u0000\"}]",
         "its container joins another network namespace already;*"},
        {"[{\"type\":\"network\"},{\"type\":\"network\"}]",
         "its container joins another network namespace already;*"},
        {"[{\"type\":\"network\"},{\"type\":\"user\"}]", "the engine remaps its users*"},
        {"7", "its container's namespaces are no list"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *text =
            g_strdup_printf("{\"linux\":{\"namespaces\":%s}}", rows[i].namespaces);
        char *error = NULL;
        gsize length = 0;
        g_assert_null(
            bundle_join(text, strlen(text), &(BundleChange){.netns = NETNS}, &length, &error));
        g_assert_true(g_pattern_match_simple(rows[i].pattern, error));
        free(error);
    }
}

/* ---- the whole, as the engine runs it -------------------------------------------------------- */

/* This program as vmdock-runtime, with the settings file that follows: a process of its own. */
#define AS_RUNTIME "--as-runtime"

/* A host in a folder: its settings, its state, a bundle, and real runtimes that tell their call. */
typedef struct {
    gchar *folder;
    gchar *conf;
} Host;

static gchar *at(const Host *host, const char *name)
{
    return g_build_filename(host->folder, name, NULL);
}

static void put(const Host *host, const char *name, const char *text, int mode)
{
    g_autofree gchar *path = at(host, name);
    g_autofree gchar *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static gchar *get(const Host *host, const char *name)
{
    g_autofree gchar *path = at(host, name);
    gchar *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

static void put_conf(const Host *host, const char *real)
{
    g_autofree gchar *text =
        g_strdup_printf("[runtime]\nreal=%s/%s\n[paths]\nstate=%s/state\nrun=%s/run/vmdock\n"
                        "netns=%s/netns\n",
                        host->folder, real, host->folder, host->folder, host->folder);
    put(host, "vmdock.conf", text, 0644);
}

static void put_real(const Host *host, const char *name, const char *end)
{
    g_autofree gchar *text =
        g_strdup_printf("#!/bin/sh\necho %s \"$@\" >>%s/calls\n%s\n", name, host->folder, end);
    put(host, name, text, 0755);
}

static void put_map(const Host *host, const char *vm, const char *netns, gboolean keep_hook)
{
    g_autofree gchar *text = g_strdup_printf(
        "{\"vm\": \"%s\", \"netns\": \"%s/netns/%s\", \"runtime\": \"%s/runc\", \"keep_hook\": %s}",
        vm, host->folder, netns, host->folder, keep_hook ? "true" : "false");
    put(host, "run/vmdock/sandbox/" ID, text, 0600);
}

static void make_netns(const Host *host, const char *name)
{
    g_autofree gchar *inner = g_build_filename("netns", name, NULL);
    put(host, inner, "", 0444);
    g_autofree gchar *path = at(host, inner);
    autofd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    g_assert_cmpint(mount("/proc/self/ns/net", path, "none", MS_BIND, NULL), ==, 0);
    g_assert_cmpint(setns(own, CLONE_NEWNET), ==, 0);
}

static void host_up(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autoptr(GError) error = NULL;
    host->folder = g_dir_make_tmp("vmdock-runtime-XXXXXX", &error);
    g_assert_no_error(error);
    if (geteuid() != 0)
        return;
    g_assert_cmpint(mount("test", host->folder, "tmpfs", 0, "size=4m"), ==, 0);
    host->conf = at(host, "vmdock.conf");
    put_real(host, "runc", "exit 0");
    put_real(host, "crun", "exit 0");
    put_conf(host, "runc");
    make_netns(host, "one-42");
    make_netns(host, "one-7");
    put_map(host, "one-42", "one-42", FALSE);
    g_autofree gchar *bundle = recorded_bundle();
    put(host, "bundle/config.json", bundle, 0640);
}

static void host_down(Host *host, gconstpointer unused)
{
    (void)unused;
    if (geteuid() == 0)
        g_assert_cmpint(umount2(host->folder, MNT_DETACH), ==, 0);
    g_assert_cmpint(g_rmdir(host->folder), ==, 0);
    g_free(host->folder);
    g_free(host->conf);
}

/* Runs a command line; %h in it is the folder. Returns the child, not yet waited for. */
static pid_t launch(const Host *host, const char *line)
{
    g_autofree gchar *whole = g_strdup_printf("vmdock-test " AS_RUNTIME " %s %s", host->conf, line);
    g_autofree gchar *here =
        strstr(whole, "%h") ? replaced(whole, "%h", host->folder) : g_strdup(whole);
    g_auto(GStrv) argv = NULL;
    g_assert_true(g_shell_parse_argv(here, NULL, &argv, NULL));
    g_autofree gchar *beside = at(host, "runtime");
    g_autofree gchar *own = g_file_test(beside, G_FILE_TEST_EXISTS)
                                ? g_steal_pointer(&beside)
                                : g_file_read_link("/proc/self/exe", NULL);
    pid_t child = fork();
    if (child == 0) {
        g_autofree gchar *errors = at(host, "stderr");
        int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, STDERR_FILENO);
        execv(own, argv);
        _exit(127);
    }
    g_assert_cmpint(child, >, 0);
    return child;
}

static int run(const Host *host, const char *line)
{
    int status;
    pid_t child = launch(host, line);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define CREATE "--log %h/log --log-format json create --bundle %h/bundle " ID

/* What the engine's user gets to read, as containerd takes it from the log; the log is emptied. */
static gchar *told(const Host *host)
{
    g_autofree gchar *log = get(host, "log");
    g_autoptr(json_t) line = parsed(log ? log : "");
    g_assert_cmpstr(json_string_value(json_object_get(line, "level")), ==, "error");
    g_assert_nonnull(json_string_value(json_object_get(line, "time")));
    g_autofree gchar *path = at(host, "log");
    g_unlink(path);
    return g_strdup(json_string_value(json_object_get(line, "msg")));
}

/* A create that must be refused, without a word to the real runtime or a change to the bundle. */
static void refuse(const Host *host, const char *pattern)
{
    g_autofree gchar *before = get(host, "bundle/config.json");
    g_assert_cmpint(run(host, CREATE), ==, 1);
    g_autofree gchar *sentence = told(host);
    g_autofree gchar *here =
        strstr(pattern, "%h") ? replaced(pattern, "%h", host->folder) : g_strdup(pattern);
    if (!g_pattern_match_simple(here, sentence))
        g_error("\"%s\" is not \"%s\"", sentence, here);
    g_autofree gchar *errors = get(host, "stderr");
    g_assert_nonnull(strstr(errors, sentence));
    g_autofree gchar *after = get(host, "bundle/config.json");
    g_assert_cmpstr(after, ==, before);
    g_autofree gchar *calls = get(host, "calls");
    g_assert_cmpstr(calls, ==, NULL);
    g_autofree gchar *record = get(host, "run/vmdock/runtime/" ID);
    g_assert_cmpstr(record, ==, NULL);
}

static gchar *joined_path(const Host *host)
{
    g_autofree gchar *text = get(host, "bundle/config.json");
    g_autoptr(json_t) root = parsed(text);
    json_t *entry;
    gsize i;
    json_array_foreach (json_object_get(json_object_get(root, "linux"), "namespaces"), i, entry)
        if (g_str_equal(json_string_value(json_object_get(entry, "type")), "network"))
            return g_strdup(json_string_value(json_object_get(entry, "path")));
    return NULL;
}

static guint files_in(const Host *host, const char *name)
{
    g_autofree gchar *path = at(host, name);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint count = 0;
    while (dir && g_dir_read_name(dir))
        count++;
    return count;
}

static void test_create(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *config = at(host, "bundle/config.json");
    g_assert_cmpint(chown(config, 12, 34), ==, 0);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *path = joined_path(host), *netns = at(host, "netns/one-42");
    g_assert_cmpstr(path, ==, netns);
    g_autofree gchar *text = get(host, "bundle/config.json");
    g_assert_null(strstr(text, "libnetwork-setkey"));
    GStatBuf status;
    g_assert_cmpint(g_stat(config, &status), ==, 0);
    g_assert_cmpuint(status.st_uid, ==, 12);
    g_assert_cmpuint(status.st_gid, ==, 34);
    g_assert_cmpuint(status.st_mode & 07777, ==, 0640);
    g_assert_cmpuint(files_in(host, "bundle"), ==, 1);
    g_autofree gchar *calls = get(host, "calls");
    g_autofree gchar *call =
        g_strdup_printf("runc --log %s/log --log-format json create --bundle %s/bundle " ID "\n",
                        host->folder, host->folder);
    g_assert_cmpstr(calls, ==, call);
}

static void test_create_keeps_hook(Host *host, gconstpointer unused)
{
    (void)unused;
    put_map(host, "one-42", "one-42", TRUE);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *text = get(host, "bundle/config.json");
    g_assert_nonnull(strstr(text, "libnetwork-setkey"));
    g_autofree gchar *path = joined_path(host);
    g_assert_nonnull(path);
}

/* This program once more, in the folder, where vmdock-plug stands beside it. */
static void put_plug(const Host *host, const char *end)
{
    g_autofree gchar *text =
        g_strdup_printf("#!/bin/sh\necho plug \"$@\" >>%s/calls\nenv >%s/environment\n%s\n",
                        host->folder, host->folder, end);
    g_autofree gchar *own = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents("/proc/self/exe", &own, &length, NULL));
    g_autofree gchar *path = at(host, "runtime");
    g_assert_true(g_file_set_contents(path, own, (gssize)length, NULL));
    g_assert_cmpint(g_chmod(path, 0755), ==, 0);
    put(host, "vmdock-plug", text, 0755);
}

/* What the engine has plugged in is placed before the first instruction, and parked after the last.
 */
static void test_plug(Host *host, gconstpointer unused)
{
    (void)unused;
    put_plug(host, "echo trouble >&2; exit 0");
    put_map(host, "one-42", "one-42", TRUE);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_assert_cmpint(run(host, "--log %h/log start " ID), ==, 0);
    g_assert_cmpint(run(host, "state " ID), ==, 0);
    g_assert_cmpint(run(host, "delete " ID), ==, 0);
    g_assert_cmpint(run(host, "start " ID), ==, 0); /* not made by it */
    g_autofree gchar *calls = get(host, "calls");
    g_autofree gchar *right =
        g_strdup_printf("runc --log %s/log --log-format json create --bundle %s/bundle " ID "\n"
                        "plug place " ID "\nrunc --log %s/log start " ID "\nrunc state " ID "\n"
                        "runc delete " ID "\nplug park " ID "\nrunc start " ID "\n",
                        host->folder, host->folder, host->folder);
    g_assert_cmpstr(calls, ==, right);
    g_autofree gchar *environment = get(host, "environment");
    g_assert_null(strstr(environment, "HOME="));
    g_autofree gchar *log = get(host, "log");
    g_assert_null(log);
}

/* A VM whose network is not what it shall be does not start; its container can be deleted. */
static void test_plug_fails(Host *host, gconstpointer unused)
{
    (void)unused;
    put_plug(host, "echo 'VM one-42: NIC 0: no such thing' >&2; exit 16");
    put_map(host, "one-42", "one-42", TRUE);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_assert_cmpint(run(host, "--log %h/log --log-format json start " ID), ==, 1);
    g_autofree gchar *sentence = told(host);
    g_assert_cmpstr(sentence, ==, "VM one-42: NIC 0: no such thing");
    g_assert_cmpint(run(host, "delete " ID), ==, 0);
    g_assert_cmpuint(files_in(host, "run/vmdock/runtime"), ==, 0);
    g_autofree gchar *calls = get(host, "calls");
    g_assert_null(strstr(calls, "runc --log %h/log start"));
    g_assert_null(strstr(calls, " start "));
    g_autofree gchar *path = at(host, "vmdock-plug");
    g_unlink(path);
    g_assert_cmpint(run(host, CREATE), ==, 1); /* its bundle has a path by now */
}

/* It is nobody's business of other VMs. */
static void test_plug_no(Host *host, gconstpointer unused)
{
    (void)unused;
    put_plug(host, "exit 1");
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_assert_cmpint(run(host, "start " ID), ==, 0);
    g_assert_cmpint(run(host, "delete " ID), ==, 0);
    g_autofree gchar *calls = get(host, "calls");
    g_assert_null(strstr(calls, "plug"));
}

/* run and restore read the bundle as create does. */
static void test_other_births(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *bundle = get(host, "bundle/config.json");
    static const char *const lines[] = {"run -d -b %h/bundle " ID,
                                        "restore --image-path /i --bundle=%h/bundle " ID,
                                        "create --config %h/bundle/config.json " ID};
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        put(host, "bundle/config.json", bundle, 0640);
        g_assert_cmpint(run(host, lines[i]), ==, 0);
        g_autofree gchar *path = joined_path(host), *netns = at(host, "netns/one-42");
        g_assert_cmpstr(path, ==, netns);
    }
}

/* Neither a byte nor the file itself changes, whatever image and template say. */
static void test_foreign(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *recorded = recorded_bundle();
    g_autofree gchar *moved = replaced(recorded, "/vmdock/", "/docker/");
    g_autofree gchar *hostile =
        replaced(moved, "\"ociVersion\"",
                 "\"annotations\":{\"vmdock.vm\":\"one-42\",\"cgroupsPath\":\"/vmdock/" ID
                 "\",\"linux\":\"x\",\"n\":\"\\u0000\"},\"hostname\":\"one-42\",\"big\":"
                 "18446744073709551615,\"domainname\":\"/vmdock/" ID "\",\"ociVersion\"");
    g_autofree gchar *twice = replaced(hostile, "\"hostname\":\"0123456789ab\",", "");
    g_autofree gchar *text =
        replaced(twice, "\"env\":[",
                 "\"env\":[\"VMDOCK_VM=one-42\",\"CGROUPSPATH=/vmdock/" ID
                 "\",\"x=\\\"linux\\\":{\\\"cgroupsPath\\\":\\\"/vmdock/" ID "\\\"}\",");
    put(host, "bundle/config.json", text, 0640);
    g_autofree gchar *config = at(host, "bundle/config.json");
    GStatBuf before, after;
    g_assert_cmpint(g_stat(config, &before), ==, 0);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_assert_cmpint(g_stat(config, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    g_assert_cmpint(before.st_mtim.tv_nsec, ==, after.st_mtim.tv_nsec);
    g_autofree gchar *now = get(host, "bundle/config.json");
    g_assert_cmpstr(now, ==, text);
}

/* A VM's own image and template: they choose all of this, and not the sandbox. */
static void test_hostile_vm(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *recorded = recorded_bundle();
    g_autofree gchar *named =
        replaced(recorded, "\"hostname\":\"0123456789ab\"", "\"hostname\":\"one-7\"");
    g_autofree gchar *text =
        replaced(named, "\"env\":[",
                 "\"env\":[\"VMDOCK_VM=one-7\",\"VMDOCK_NETNS=/run/netns/one-7\",\"NETNS=one-7\","
                 "\"x=\\\"namespaces\\\":[{\\\"type\\\":\\\"network\\\"}]\",");
    g_autofree gchar *annotated =
        replaced(text, "\"ociVersion\"",
                 "\"annotations\":{\"vmdock.vm\":\"one-7\",\"hooks\":\"x\"},\"ociVersion\"");
    put(host, "bundle/config.json", annotated, 0640);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *path = joined_path(host), *netns = at(host, "netns/one-42");
    g_assert_cmpstr(path, ==, netns);
}

static void test_missing_sandbox(Host *host, gconstpointer unused)
{
    (void)unused;
    const char *sentence = "VM one-42: its network sandbox %h/netns/one-42 is missing; start the VM"
                           " through its cloud or with `vmdock deploy`, not with the engine";
    g_autofree gchar *netns = at(host, "netns/one-42"), *map = at(host, "run/vmdock/sandbox/" ID);
    g_assert_cmpint(umount2(netns, MNT_DETACH), ==, 0);
    refuse(host, "VM one-42: %h/netns/one-42 is not a network namespace; *`vmdock deploy`*");
    g_assert_cmpint(g_unlink(netns), ==, 0);
    refuse(host, sentence);
    g_assert_cmpint(g_unlink(map), ==, 0);
    refuse(host, "container 0123456789ab: *knows no VM of it; *");
    put(host, "state/container/" ID, "one-42\n", 0600);
    refuse(host, sentence);
    put(host, "state/container/" ID, "../../x\n", 0600);
    refuse(host, "*state/container/" ID " holds no deploy id");
}

static void test_wrong_namespace(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *netns = at(host, "netns/one-42");
    g_assert_cmpint(umount2(netns, MNT_DETACH), ==, 0);
    g_assert_cmpint(mount("/proc/self/ns/net", netns, "none", MS_BIND, NULL), ==, 0);
    refuse(host, "VM one-42: * is the host's own network namespace");
    g_assert_cmpint(umount2(netns, MNT_DETACH), ==, 0);
    g_assert_cmpint(mount("/proc/self/ns/uts", netns, "none", MS_BIND, NULL), ==, 0);
    refuse(host, "VM one-42: * is not a network namespace;*");
    g_assert_cmpint(umount2(netns, MNT_DETACH), ==, 0);
    g_assert_cmpint(g_unlink(netns), ==, 0);
    g_assert_cmpint(symlink("one-7", netns), ==, 0);
    refuse(host, "VM one-42: cannot open its network sandbox *");
    g_assert_cmpint(g_unlink(netns), ==, 0);
    g_assert_cmpint(mkfifo(netns, 0600), ==, 0);
    refuse(host, "VM one-42: * is not a network namespace;*");
}

static void test_bad_map(Host *host, gconstpointer unused)
{
    (void)unused;
    put_map(host, "one-42", "one-7", FALSE);
    refuse(host, "VM one-42: * names another sandbox than %h/netns/one-42");
    put_map(host, "one-42", "one-42/../one-7", FALSE);
    refuse(host, "VM one-42: * names another sandbox than %h/netns/one-42");
    static const char *const vms[] = {"one-",
                                      "two-1",
                                      "../one-7",
                                      "one-4/2",
                                      "one-4 2",
                                      "ONE-42",
                                      "nova-12345678901234567890123456789012345678901234567890x"};
    for (gsize i = 0; i < G_N_ELEMENTS(vms); i++) {
        put_map(host, vms[i], vms[i], FALSE);
        refuse(host, "*sandbox/" ID " holds no deploy id");
    }
    static const char *const texts[] = {"",
                                        "{}",
                                        "[]",
                                        "{\"vm\":1,\"netns\":2}",
                                        "{\"vm\":\"one-42\"",
                                        "{\"vm\":\"one-42\\u0000\"}"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        put(host, "run/vmdock/sandbox/" ID, texts[i], 0600);
        refuse(host, "*sandbox/" ID " is not a sandbox map");
    }
}

/* put_map() with disks; %h is the host's folder. */
static void put_disks(const Host *host, const char *mounts)
{
    g_autofree gchar *here =
        strstr(mounts, "%h") ? replaced(mounts, "%h", host->folder) : g_strdup(mounts);
    g_autofree gchar *text = g_strdup_printf("{\"vm\": \"one-42\", \"netns\": \"%s/netns/one-42\", "
                                             "\"runtime\": \"%s/runc\", \"mounts\": %s}",
                                             host->folder, host->folder, here);
    put(host, "run/vmdock/sandbox/" ID, text, 0600);
}

#define DISK(source, destination)                                                                  \
    "{\"source\": \"" source "\", \"destination\": \"" destination "\", \"read_only\": true}"

static void test_disks(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *place = at(host, "run/vmdock/disk/one-42/1");
    g_assert_cmpint(g_mkdir_with_parents(place, 0700), ==, 0);
    static const struct {
        const char *mounts, *pattern;
    } rows[] = {
        {"[" DISK("%h/run/vmdock/disk/one-42/1", "/data") "]",
         "VM one-42: its disk is not mounted on %h/run/vmdock/disk/one-42/1; start the VM*"},
        {"[" DISK("%h/run/vmdock/disk/one-42/2", "/data") "]",
         "VM one-42: its disk is not mounted*"},
        {"[" DISK("/etc", "/data") "]", "VM one-42: *names a disk at /etc"},
        {"[" DISK("%h/run/vmdock/disk/one-43/1", "/data") "]", "VM one-42: *names a disk at *"},
        {"[" DISK("%h/run/vmdock/disk/one-42/1x", "/data") "]", "VM one-42: *names a disk at *"},
        {"[" DISK("%h/run/vmdock/disk/one-42/../1", "/data") "]", "*is not a sandbox map"},
        {"[" DISK("%h/run/vmdock/disk/one-42/1", "data") "]", "*is not a sandbox map"},
        {"[" DISK("%h/run/vmdock/disk/one-42/1", "/a/../b") "]", "*is not a sandbox map"},
        {"[{}]", "*is not a sandbox map"},
        {"{}", "*is not a sandbox map"},
        {"null", "*is not a sandbox map"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        put_disks(host, rows[i].mounts);
        refuse(host, rows[i].pattern);
    }
    g_assert_cmpint(mount("disk", place, "tmpfs", 0, NULL), ==, 0);
    put_disks(host, rows[0].mounts);
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *text = get(host, "bundle/config.json");
    g_autoptr(json_t) root = parsed(text);
    const json_t *mounts = json_object_get(root, "mounts");
    const json_t *last = json_array_get(mounts, json_array_size(mounts) - 1);
    g_autoptr(json_t) expected_one =
        json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination", "/data", "type", "bind",
                  "source", place, "options", "bind", "rprivate", "nodev", "nosuid", "ro");
    g_assert_true(json_equal(last, expected_one));
    g_assert_cmpint(umount(place), ==, 0);
}

/* A map counts only if nobody but root can have written it. */
static void test_foreign_map(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *map = at(host, "run/vmdock/sandbox/" ID);
    g_autofree gchar *large = g_strnfill(140000, ' ');
    put(host, "run/vmdock/sandbox/" ID, large, 0600);
    refuse(host, "*sandbox/" ID " is larger than *");
    put_map(host, "one-42", "one-42", FALSE);
    g_assert_cmpint(g_chmod(map, 0620), ==, 0);
    refuse(host, "*sandbox/" ID " can be written by others (mode 0620)");
    g_assert_cmpint(g_chmod(map, 0602), ==, 0);
    refuse(host, "*sandbox/" ID " can be written by others (mode 0602)");
    g_assert_cmpint(g_chmod(map, 0600), ==, 0);
    g_assert_cmpint(chown(map, 1000, 0), ==, 0);
    refuse(host, "*sandbox/" ID " belongs to user 1000, not to user 0");
    g_assert_cmpint(chown(map, 0, 0), ==, 0);
    g_autofree gchar *aside = at(host, "aside");
    g_assert_cmpint(g_rename(map, aside), ==, 0);
    g_assert_cmpint(symlink(aside, map), ==, 0);
    refuse(host, "cannot read *sandbox/" ID ": Too many levels of symbolic links");
    g_assert_cmpint(g_unlink(map), ==, 0);
    g_assert_cmpint(g_mkdir(map, 0700), ==, 0);
    refuse(host, "*sandbox/" ID " is not a regular file");
}

static void test_bad_bundle(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *recorded = recorded_bundle();
    static const struct {
        const char *old, *new, *pattern;
    } rows[] = {
        {"\"cgroupsPath\":\"/vmdock/" ID, "\"cgroupsPath\":\"/vmdock/" OTHER_ID,
         "container 0123456789ab: * not in the cgroup of its own id"},
        {"{\"type\":\"network\"}", "{\"type\":\"user\"},{\"type\":\"network\"}",
         "VM one-42: the engine remaps its users (userns-remap)*"},
        {"{\"type\":\"network\"},", "", "VM one-42: its container shares the host's network;*"},
        {"{\"type\":\"network\"}", "{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}",
         "VM one-42: its container joins another network namespace already;*"},
        {"\"ociVersion\"", "\"ociVersion", "container 0123456789ab: config.json is not a JSON*"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree gchar *text = replaced(recorded, rows[i].old, rows[i].new);
        put(host, "bundle/config.json", text, 0640);
        refuse(host, rows[i].pattern);
    }
    g_autofree gchar *config = at(host, "bundle/config.json");
    g_assert_cmpint(g_unlink(config), ==, 0);
    refuse(host, "cannot read %h/bundle/config.json: No such file or directory");
}

/* A full disk leaves the bundle whole and nothing beside it. */
static void test_full_disk(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *bundle = at(host, "bundle"), *text = get(host, "bundle/config.json");
    g_assert_cmpint(mount("test", bundle, "tmpfs", 0, "size=12k"), ==, 0);
    put(host, "bundle/config.json", text, 0640);
    refuse(host, "VM one-42: cannot write %h/bundle/config.json: No space left on device");
    g_assert_cmpuint(files_in(host, "bundle"), ==, 1);
    g_assert_cmpint(umount2(bundle, MNT_DETACH), ==, 0);
}

/* The runtime that made the container serves it to its end, whatever the settings say later. */
static void test_record(Host *host, gconstpointer unused)
{
    (void)unused;
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *record = get(host, "run/vmdock/runtime/" ID);
    g_autofree gchar *line = g_strdup_printf("%s/runc\n", host->folder);
    g_assert_cmpstr(record, ==, line);
    g_autofree gchar *path = at(host, "run/vmdock/runtime/" ID);
    GStatBuf status;
    g_assert_cmpint(g_stat(path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 07777, ==, 0600);
    put_conf(host, "crun");
    g_assert_cmpint(run(host, "kill " ID " 9"), ==, 0);
    g_assert_cmpint(run(host, "exec --cwd " OTHER_ID " " ID " true"), ==, 0);
    g_assert_cmpint(run(host, "state " OTHER_ID), ==, 0);
    g_assert_cmpint(run(host, "delete " ID), ==, 0);
    g_assert_cmpuint(files_in(host, "run/vmdock/runtime"), ==, 0);
    g_assert_cmpint(run(host, "delete --force " ID), ==, 0);
    g_autofree gchar *calls = get(host, "calls");
    g_assert_true(g_pattern_match_simple("runc --log*\nrunc kill " ID
                                         " 9\nrunc exec *\ncrun state " OTHER_ID "\nrunc delete " ID
                                         "\ncrun delete --force " ID "\n",
                                         calls));
}

/* A foreign container, and a VM whose map says another runtime than the settings. */
static void test_record_whose(Host *host, gconstpointer unused)
{
    (void)unused;
    put_conf(host, "crun");
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *ours = get(host, "run/vmdock/runtime/" ID);
    g_assert_true(g_str_has_suffix(ours, "/runc\n"));
    g_autofree gchar *recorded = recorded_bundle();
    g_autofree gchar *foreign = replaced(recorded, "/vmdock/" ID, "/docker/" OTHER_ID);
    put(host, "bundle/config.json", foreign, 0640);
    g_assert_cmpint(run(host, "create -b %h/bundle " OTHER_ID), ==, 0);
    g_autofree gchar *theirs = get(host, "run/vmdock/runtime/" OTHER_ID);
    g_assert_true(g_str_has_suffix(theirs, "/crun\n"));
}

static void test_record_refused(Host *host, gconstpointer unused)
{
    (void)unused;
    put(host, "run/vmdock/runtime/" ID, "/bin/true\n", 0666);
    g_assert_cmpint(run(host, "--log %h/log --log-format json kill " ID), ==, 1);
    g_autofree gchar *sentence = told(host);
    g_assert_true(g_pattern_match_simple("* can be written by others (mode 0666)", sentence));
    static const char *const texts[] = {"", "runc\n", "/bin/true\n/bin/false\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        put(host, "run/vmdock/runtime/" ID, texts[i], 0600);
        g_assert_cmpint(run(host, "kill " ID), ==, 1);
    }
    g_autofree gchar *calls = get(host, "calls");
    g_assert_cmpstr(calls, ==, NULL);
}

static void test_delete_fails(Host *host, gconstpointer unused)
{
    (void)unused;
    g_assert_cmpint(run(host, CREATE), ==, 0);
    put_real(host, "runc", "exit 3");
    g_assert_cmpint(run(host, "delete " ID), ==, 3);
    g_assert_cmpuint(files_in(host, "run/vmdock/runtime"), ==, 1);
    put_real(host, "runc", "kill -KILL $$");
    g_assert_cmpint(run(host, "delete " ID), ==, 128 + SIGKILL);
    g_autofree gchar *real = at(host, "runc");
    g_assert_cmpint(g_chmod(real, 0600), ==, 0);
    g_assert_cmpint(run(host, "delete " ID), ==, 126);
    g_assert_cmpint(g_unlink(real), ==, 0);
    g_assert_cmpint(run(host, "--log %h/log --log-format json delete " ID), ==, 127);
    g_autofree gchar *sentence = told(host);
    g_assert_true(
        g_pattern_match_simple("cannot run the real runtime */runc: No such file*", sentence));
    g_assert_cmpuint(files_in(host, "run/vmdock/runtime"), ==, 1);
}

/* Where nothing was made, nothing is recorded. */
static void test_create_fails(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *real = at(host, "runc");
    g_assert_cmpint(g_unlink(real), ==, 0);
    g_assert_cmpint(run(host, CREATE), ==, 127);
    g_autofree gchar *sentence = told(host);
    g_assert_true(
        g_pattern_match_simple("cannot run the real runtime */runc: No such file*", sentence));
    g_assert_cmpuint(files_in(host, "run/vmdock/runtime"), ==, 0);
}

static void wait_for(const Host *host, const char *name)
{
    g_autofree gchar *path = at(host, name);
    for (int i = 0; i < 1000 && !g_file_test(path, G_FILE_TEST_EXISTS); i++)
        g_usleep(10000);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_delete_signals(Host *host, gconstpointer unused)
{
    (void)unused;
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *script = g_strdup_printf(
        "trap 'echo got >%s/got; exit 0' TERM\necho >%s/ready\nwhile :; do sleep 0.01; done",
        host->folder, host->folder);
    put_real(host, "runc", script);
    pid_t child = launch(host, "delete " ID);
    wait_for(host, "ready");
    g_assert_cmpint(kill(child, SIGTERM), ==, 0);
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    wait_for(host, "got");
    g_assert_cmpuint(files_in(host, "run/vmdock/runtime"), ==, 0);
}

/* A caller that gives up kills with SIGKILL; the real runtime must not go on behind its back. */
static void test_delete_killed(Host *host, gconstpointer unused)
{
    (void)unused;
    g_assert_cmpint(run(host, CREATE), ==, 0);
    g_autofree gchar *script =
        g_strdup_printf("echo $$ >%s/pid.new\nmv %s/pid.new %s/pid\nexec sleep 60", host->folder,
                        host->folder, host->folder);
    put_real(host, "runc", script);
    pid_t child = launch(host, "delete " ID);
    wait_for(host, "pid");
    g_autofree gchar *number = get(host, "pid");
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    g_autofree gchar *state = g_strdup_printf("/proc/%d/cmdline", atoi(number));
    gchar *line = NULL;
    for (int i = 0; i < 1000; i++) {
        g_clear_pointer(&line, g_free);
        if (!g_file_get_contents(state, &line, NULL, NULL) || !*line)
            break;
        g_usleep(10000);
    }
    g_assert_true(!line || !*line);
    g_free(line);
}

static void test_passed_through(Host *host, gconstpointer unused)
{
    (void)unused;
    static const char *const lines[] = {"--version",          "features",         "",
                                        "list --format json", "spec --bundle /x", "kill ../../x 9",
                                        "nonsense a b"};
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_assert_cmpint(run(host, lines[i]), ==, 0);
        g_autofree gchar *calls = get(host, "calls");
        g_autofree gchar *call = g_strdup_printf("runc%s%s\n", *lines[i] ? " " : "", lines[i]);
        g_assert_cmpstr(calls, ==, call);
        g_autofree gchar *path = at(host, "calls");
        g_unlink(path);
    }
}

static void test_text_log(Host *host, gconstpointer unused)
{
    (void)unused;
    put(host, "run/vmdock/sandbox/" ID, "{}", 0600);
    put(host, "log", "kept\n", 0600);
    g_assert_cmpint(run(host, "--log=file:%h/log create -b %h/bundle " ID), ==, 1);
    g_autofree gchar *log = get(host, "log");
    g_assert_true(g_pattern_match_simple(
        "kept\ntime=\"*-*-*T*:*:*Z\" level=error msg=\"*is not a sandbox map\"\n", log));
}

static void test_bad_settings(Host *host, gconstpointer unused)
{
    (void)unused;
    put(host, "vmdock.conf", "[runtime]\nreal=runc\n", 0644);
    refuse(host, "%h/vmdock.conf: [runtime] real must be an absolute path");
    put_conf(host, "runc");
    g_assert_cmpint(g_chmod(host->conf, 0666), ==, 0);
    refuse(host, "%h/vmdock.conf can be written by others (mode 0666)");
    /* What runs already stays within reach, by the built-in places: kill is not refused. Whether
     * the built-in real runtime is installed here is another matter. */
    int status = run(host, "--root %h/root kill " ID " 9");
    g_autofree gchar *errors = get(host, "stderr");
    g_assert_null(strstr(errors, "vmdock.conf"));
    g_assert_true(status == 127 || strstr(errors, "container does not exist"));
}

/* With itself as its real runtime it would exec for ever. */
static void test_loop(Host *host, gconstpointer unused)
{
    (void)unused;
    g_autofree gchar *own = g_file_read_link("/proc/self/exe", NULL);
    g_autofree gchar *text = g_strdup_printf("[runtime]\nreal=%s\n", own);
    put(host, "vmdock.conf", text, 0644);
    g_assert_cmpint(run(host, "--log %h/log --log-format json --version"), ==, 126);
    g_autofree gchar *sentence = told(host);
    g_assert_true(g_pattern_match_simple("the real runtime * is vmdock-runtime itself", sentence));
}

static void skip(void)
{
    g_test_skip("needs root: it makes namespaces and mounts");
}

static void add(const char *path, void (*test)(Host *, gconstpointer))
{
    if (geteuid() == 0)
        g_test_add(path, Host, NULL, host_up, test, host_down);
    else
        g_test_add_func(path, skip);
}

int main(int argc, char **argv)
{
    if (argc > 2 && g_str_equal(argv[1], AS_RUNTIME))
        return runtime_run(argv[2], argv + 2);
    g_test_init(&argc, &argv, NULL);
    if (geteuid() == 0) {
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
            mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
            g_error("cannot make private namespaces: %s", g_strerror(errno));
    }
    g_test_add_func("/runtime/command", test_command);
    g_test_add_func("/runtime/command/empty", test_command_empty);
    g_test_add_func("/runtime/settings/defaults", test_settings_defaults);
    g_test_add_func("/runtime/settings/like-key-file", test_settings_like_key_file);
    g_test_add_func("/runtime/settings/auto", test_settings_auto);
    g_test_add_func("/runtime/settings/refused", test_settings_refused);
    g_test_add_func("/runtime/settings/trailing-slash", test_settings_trailing_slash);
    g_test_add_func("/runtime/owner/by-path", test_owner_by_path);
    g_test_add_func("/runtime/owner/by-id", test_owner_by_id);
    g_test_add_func("/runtime/owner/of-text", test_owner_of_text);
    g_test_add_func("/runtime/join/recorded", test_join_recorded);
    g_test_add_func("/runtime/join/bytes", test_join_bytes);
    g_test_add_func("/runtime/join/mounts", test_join_mounts);
    g_test_add_func("/runtime/join/refused", test_join_refused);
    add("/runtime/create", test_create);
    add("/runtime/create/keeps-hook", test_create_keeps_hook);
    add("/runtime/create/other-births", test_other_births);
    add("/runtime/plug", test_plug);
    add("/runtime/plug/fails", test_plug_fails);
    add("/runtime/plug/no", test_plug_no);
    add("/runtime/create/fails", test_create_fails);
    add("/runtime/create/foreign", test_foreign);
    add("/runtime/create/hostile-vm", test_hostile_vm);
    add("/runtime/refuse/missing-sandbox", test_missing_sandbox);
    add("/runtime/refuse/wrong-namespace", test_wrong_namespace);
    add("/runtime/refuse/bad-map", test_bad_map);
    add("/runtime/disks", test_disks);
    add("/runtime/refuse/foreign-map", test_foreign_map);
    add("/runtime/refuse/bad-bundle", test_bad_bundle);
    add("/runtime/refuse/full-disk", test_full_disk);
    add("/runtime/refuse/bad-settings", test_bad_settings);
    add("/runtime/refuse/text-log", test_text_log);
    add("/runtime/record", test_record);
    add("/runtime/record/whose", test_record_whose);
    add("/runtime/record/refused", test_record_refused);
    add("/runtime/delete/fails", test_delete_fails);
    add("/runtime/delete/signals", test_delete_signals);
    add("/runtime/delete/killed", test_delete_killed);
    add("/runtime/passed-through", test_passed_through);
    add("/runtime/loop", test_loop);
    return g_test_run();
}

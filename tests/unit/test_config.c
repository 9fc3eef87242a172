// SPDX-License-Identifier: Apache-2.0
/* The configuration file: defaults, every type of value, every way of being refused, the example.
 */
#include "driver/config.h"
#include "driver/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    gchar *folder;
    gchar *path;
} Place;

static void set_up(Place *place, gconstpointer data)
{
    (void)data;
    place->folder = g_dir_make_tmp("vmdock-config-XXXXXX", NULL);
    g_assert_nonnull(place->folder);
    place->path = g_build_filename(place->folder, "vmdock.conf", NULL);
}

static void tear_down(Place *place, gconstpointer data)
{
    (void)data;
    g_unlink(place->path);
    g_rmdir(place->path);
    g_assert_cmpint(g_rmdir(place->folder), ==, 0);
    g_free(place->path);
    g_free(place->folder);
}

static Config *load(const Place *place, const char *text, GError **error)
{
    g_assert_true(g_file_set_contents(place->path, text, -1, NULL));
    g_assert_cmpint(g_chmod(place->path, 0644), ==, 0);
    return config_load(place->path, error);
}

/* What a default becomes on this host. */
static const char *found(const char *key, const char *value)
{
    return g_str_equal(key, "cgroup_parent")
               ? config_parent_for("/sys/fs/cgroup", "/run/systemd/system")
               : value;
}

static void assert_defaults(const Config *config)
{
#define STR(field, group, key, value)                    g_assert_cmpstr(config->field, ==, found(key, value));
#define NUM(field, group, key, value, smallest, largest) g_assert_cmpuint(config->field, ==, value);
#define BOOL(field, group, key, value)                   g_assert_cmpint(config->field, ==, value);
#define LIST(field, group, key)                          g_assert_cmpuint(g_strv_length(config->field), ==, 0);
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
}

static void test_defaults(Place *place, gconstpointer data)
{
    (void)data;
    g_autoptr(Config) built_in = config_defaults();
    assert_defaults(built_in);
    g_assert_cmpstr(built_in->path, ==, config_default_path());
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) empty = load(place, "", &error);
    g_assert_no_error(error);
    assert_defaults(empty);
    g_assert_cmpstr(empty->path, ==, place->path);
}

static void test_values(Place *place, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = load(
        place,
        "# a comment\n"
        "[engine]\nsocket=/run/other.sock\nrequest_timeout_ms = 100 \nmax_answer_bytes=1073741824\n"
        "[vm]\ncgroup_parent=vmdock.slice\nhard_cpu=yes\nterminal=no\nboot_watch_ms=0\n"
        "[nova]\nregistry=reg.example:5000/team\n"
        "[policy]\ncapabilities=NET_ADMIN; SYS_PTRACE,;\ndevices=/dev/fuse:r,/dev/kvm\n"
        "privileged=true\nmounts=/srv/a;/srv/b:ro\n",
        &error);
    g_assert_no_error(error);
    g_assert_cmpstr(config->engine_socket, ==, "/run/other.sock");
    g_assert_cmpuint(config->engine_request_ms, ==, 100);
    g_assert_cmpuint(config->engine_max_answer, ==, 1073741824);
    g_assert_cmpstr(config->cgroup_parent, ==, "vmdock.slice");
    g_assert_cmpstr(config->nova_registry, ==, "reg.example:5000/team");
    g_assert_true(config->hard_cpu);
    g_assert_false(config->terminal);
    g_assert_cmpuint(config->boot_watch_ms, ==, 0);
    g_assert_true(config->allow_privileged);
    static const char *const capabilities[] = {"NET_ADMIN", "SYS_PTRACE", NULL};
    g_assert_cmpstrv(config->allow_capabilities, capabilities);
    static const char *const devices[] = {"/dev/fuse:r", "/dev/kvm", NULL};
    g_assert_cmpstrv(config->allow_devices, devices);
    static const char *const mounts[] = {"/srv/a", "/srv/b:ro", NULL};
    g_assert_cmpstrv(config->allow_mounts, mounts);
    g_assert_cmpuint(config->engine_connect_ms, ==, 2000);
}

/* Each text is refused with CONFIG, and the sentence names the file and WORDS. */
static void test_refused(Place *place, gconstpointer data)
{
    (void)data;
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"[engin]\nsocket=/a\n", "[engin]: there is no such group"},
        {"[engine]\nsockets=/a\n", "[engine] sockets: there is no such key"},
        {"[engine]\nsocket[de]=/a\n", "[engine] socket[de]: there is no such key"},
        {"[vm]\nsocket=/a\n", "[vm] socket: there is no such key"},
        {"socket=/a\n", "group"},
        {"[engine]\nsocket\n", "socket"},
        {"[engine]\nconnect_timeout_ms=9\n",
         "[engine] connect_timeout_ms = 9: must be a whole number from 10 to 600000"},
        {"[engine]\nconnect_timeout_ms=600001\n", "connect_timeout_ms"},
        {"[engine]\nconnect_timeout_ms=-1\n", "connect_timeout_ms"},
        {"[engine]\nconnect_timeout_ms=10s\n", "connect_timeout_ms"},
        {"[engine]\nconnect_timeout_ms=\n", "connect_timeout_ms"},
        {"[engine]\nconnect_timeout_ms=99999999999999999999999\n", "connect_timeout_ms"},
        {"[engine]\nsocket=docker.sock\n",
         "[engine] socket = docker.sock: must be an absolute path"},
        {"[engine]\nsocket=unix:///run/docker.sock\n", "[engine] socket"},
        {"[engine]\ncredentials=registry.json\n", "[engine] credentials"},
        {"[engine]\nkind=\n", "[engine] kind = : must not be empty"},
        {"[engine]\nsocket=/a\\nb\n", "control characters"},
        {"[runtime]\nreal=runc\n", "[runtime] real"},
        {"[runtime]\nname=a b\n", "[runtime] name"},
        {"[paths]\nstate=state\n", "[paths] state"},
        {"[paths]\nrun=./run\n", "[paths] run"},
        {"[paths]\nnetns=netns\n", "[paths] netns"},
        {"[paths]\ncgroup=cgroup\n", "[paths] cgroup"},
        {"[opennebula]\nremotes=one\n", "[opennebula] remotes"},
        {"[opennebula]\nuser=-l\n", "[opennebula] user"},
        {"[nova]\nregistry=team/app\n", "[nova] registry = team/app: must be \"none\" or"},
        {"[nova]\nregistry=https://reg.example\n", "[nova] registry"},
        {"[network]\nfilter=on\n", "[network] filter = on: must be off, spoofing or full"},
        {"[network]\nnft=nft\n", "[network] nft = nft: must be an absolute path"},
        {"[vm]\ncgroup_parent=vmdock\n", "[vm] cgroup_parent"},
        {"[vm]\ncgroup_parent=/\n", "[vm] cgroup_parent"},
        {"[vm]\ncgroup_parent=/..\n", "[vm] cgroup_parent"},
        {"[vm]\ncgroup_parent=/a/b\n", "[vm] cgroup_parent"},
        {"[vm]\ncgroup_parent=.slice\n", "[vm] cgroup_parent"},
        {"[vm]\ncgroup_parent=vm-dock.slice\n", "[vm] cgroup_parent"},
        {"[vm]\nhard_cpu=maybe\n", "[vm] hard_cpu = maybe: must be true, yes, false or no"},
        {"[policy]\ncapabilities=CAP_NET_ADMIN\n", "[policy] capabilities = CAP_NET_ADMIN"},
        {"[policy]\ndevices=fuse\n", "[policy] devices = fuse"},
        {"[policy]\nmounts=/srv/a;srv/b:ro\n",
         "[policy] mounts = srv/b:ro: must name folders by absolute paths"},
        {"[policy]\nmounts=/srv/../etc\n", "[policy] mounts = /srv/../etc"},
        {"[engine]\nsocket=/a\\q\n", "[engine] socket"},
        {"[engine]\nsocket=/\xff\xfe\n", "[engine] socket"},
        {"[engine]\na\x1b[2Jb=/a\n", "a [2Jb"},
        {"[engine\xff]\n", "?"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Config) config = load(place, rows[i].text, &error);
        if (config)
            g_error("accepted: %s", rows[i].text);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, place->path));
        if (!strstr(error->message, rows[i].words))
            g_error("\"%s\" does not say \"%s\"", error->message, rows[i].words);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        for (const char *p = error->message; *p; p++)
            g_assert_false(g_ascii_iscntrl(*p));
    }
}

static void test_bounds(Place *place, gconstpointer data)
{
    (void)data;
#define STR(field, group, key, value)
#define BOOL(field, group, key, value)
#define LIST(field, group, key)
#define NUM(field, group, key, value, smallest, largest)                                           \
    for (int over = 0; over < 2; over++) {                                                         \
        g_autoptr(GError) error = NULL;                                                            \
        g_autofree gchar *text = g_strdup_printf("[" group "]\n" key "=%" G_GUINT64_FORMAT "\n",   \
                                                 (guint64)largest + (guint64)over);                \
        g_autoptr(Config) config = load(place, text, &error);                                      \
        g_assert_cmpint(config == NULL, ==, over);                                                 \
        if (config)                                                                                \
            g_assert_cmpuint(config->field, ==, largest);                                          \
    }
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
}

static void test_not_there(Place *place, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_assert_null(config_load(place->path, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, place->path));
    g_assert_nonnull(strstr(error->message, "No such file or directory"));
}

/* A FIFO must not hang the program, a folder must not pass as empty. */
static void test_not_regular(Place *place, gconstpointer data)
{
    (void)data;
    g_assert_cmpint(mkfifo(place->path, 0600), ==, 0);
    for (int folder = 0; folder < 2; folder++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(config_load(place->path, &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG);
        g_assert_nonnull(strstr(error->message, "regular file"));
        g_unlink(place->path);
        g_mkdir(place->path, 0700);
    }
}

static void test_writable_by_others(Place *place, gconstpointer data)
{
    (void)data;
    if (geteuid() != 0) {
        g_test_skip("only root's configuration is held to this");
        return;
    }
    g_assert_true(g_file_set_contents(place->path, "", -1, NULL));
    static const struct {
        mode_t mode;
        uid_t owner;
        gboolean fine;
    } rows[] = {
        {0644, 0, TRUE}, {0600, 0, TRUE}, {0664, 0, FALSE}, {0646, 0, FALSE}, {0600, 1, FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpint(g_chmod(place->path, rows[i].mode), ==, 0);
        g_assert_cmpint(chown(place->path, rows[i].owner, 0), ==, 0);
        g_autoptr(GError) error = NULL;
        g_autoptr(Config) config = config_load(place->path, &error);
        g_assert_cmpint(config != NULL, ==, rows[i].fine);
        if (!config)
            g_assert_nonnull(strstr(error->message, "must belong to root"));
    }
}

/* As the engine chooses its cgroup driver: systemd's on a cgroup v2 that systemd looks after. */
static void test_cgroup_parent(Place *place, gconstpointer data)
{
    (void)data;
    g_autofree gchar *unified = g_build_filename(place->folder, "cgroup.controllers", NULL);
    g_assert_cmpstr(config_parent_for(place->folder, place->folder), ==, "/vmdock");
    g_assert_true(g_file_set_contents(unified, "cpu\n", -1, NULL));
    g_assert_cmpstr(config_parent_for(place->folder, place->folder), ==, "vmdock.slice");
    g_assert_cmpstr(config_parent_for(place->folder, "/nonexistent"), ==, "/vmdock");
    /* It goes by the folder that the file names, wherever it names it. */
    g_autoptr(GError) error = NULL;
    g_autofree gchar *text =
        g_strdup_printf("[vm]\ncgroup_parent = auto\n[paths]\ncgroup = %s\n", place->folder);
    g_autoptr(Config) config = load(place, text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(config->cgroup_parent, ==,
                    config_parent_for(place->folder, "/run/systemd/system"));
    g_assert_cmpint(g_unlink(unified), ==, 0);
}

static gchar *example_text(void)
{
    const char *data = g_getenv("VMDOCK_TEST_DATA");
    g_autofree gchar *path =
        g_build_filename(data ? data : "tests/data", "..", "..", "etc", "vmdock.conf.in", NULL);
    g_autofree gchar *text = NULL;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    GString *filled = g_string_new(text);
    g_string_replace(filled, "@sysconfdir@/vmdock", VMDOCK_SYSCONFDIR, 0);
    g_string_replace(filled, "@localstatedir@/lib/vmdock", VMDOCK_STATEDIR, 0);
    g_string_replace(filled, "@runstatedir@/vmdock", VMDOCK_RUNDIR, 0);
    return g_string_free(filled, FALSE);
}

/* "#key = value" becomes "key = value": every setting said aloud. */
static gchar *uncommented(const char *text)
{
    g_autoptr(GRegex) regex = g_regex_new("^#([a-z0-9_]+ =)", G_REGEX_MULTILINE, 0, NULL);
    return g_regex_replace(regex, text, -1, 0, "\\1", 0, NULL);
}

static void test_example(Place *place, gconstpointer data)
{
    (void)data;
    g_autofree gchar *text = example_text();
    g_autofree gchar *spoken = uncommented(text);
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) as_shipped = load(place, text, &error);
    g_assert_no_error(error);
    assert_defaults(as_shipped);
    g_autoptr(Config) config = load(place, spoken, &error);
    g_assert_no_error(error);
    assert_defaults(config);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_assert_true(g_key_file_load_from_data(file, spoken, (gsize)-1, G_KEY_FILE_NONE, NULL));
#define HAS(group, key)                                  g_assert_true(g_key_file_has_key(file, group, key, NULL));
#define STR(field, group, key, value)                    HAS(group, key)
#define NUM(field, group, key, value, smallest, largest) HAS(group, key)
#define BOOL(field, group, key, value)                   HAS(group, key)
#define LIST(field, group, key)                          HAS(group, key)
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/config/" name, Place, NULL, set_up, func, tear_down)
    ADD("cgroup-parent", test_cgroup_parent);
    ADD("defaults", test_defaults);
    ADD("values", test_values);
    ADD("refused", test_refused);
    ADD("bounds", test_bounds);
    ADD("not-there", test_not_there);
    ADD("not-regular", test_not_regular);
    ADD("writable-by-others", test_writable_by_others);
    ADD("example", test_example);
    return g_test_run();
}

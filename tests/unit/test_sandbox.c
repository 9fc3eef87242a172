// SPDX-License-Identifier: Apache-2.0
#include "driver/autoptr.h"
#include "driver/error.h"
#include "driver/file.h"
#include "driver/sandbox.h"
#include "tests/unit/netns.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char container_id[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static Sandbox *ensure(const Config *config, const char *deploy_id)
{
    g_autoptr(GError) error = NULL;
    Sandbox *sandbox = sandbox_ensure(config, deploy_id, &error);
    g_assert_no_error(error);
    g_assert_nonnull(sandbox);
    return sandbox;
}

static void remove_sandbox(const Config *config, const char *deploy_id)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(sandbox_remove(config, deploy_id, &error));
    g_assert_no_error(error);
}

/* How many mounts stand at PATH. */
static guint count_mounts(const char *path)
{
    g_autofree gchar *text = NULL;
    g_assert_true(g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL));
    g_autofree gchar *needle = g_strdup_printf(" %s ", path);
    guint count = 0;
    for (const char *at = text; (at = strstr(at, needle)); at++)
        count++;
    return count;
}

static void test_life(void)
{
    Config config = netns_config();
    g_autoptr(GError) error = NULL;
    g_assert_null(sandbox_open(&config, "one-1", &error));
    g_assert_no_error(error);
    g_autoptr(Sandbox) made = ensure(&config, "one-1");
    g_assert_true(made->created);
    g_assert_cmpstr(made->path, ==, "/run/netns/one-1");
    g_assert_cmpuint(count_mounts("/run/netns"), ==, 1);

    /* iproute2 sees it, and so do programs in it. */
    g_autoptr(json_t) names = netns_ip("netns list");
    g_assert_cmpuint(json_array_size(names), ==, 1);
    g_assert_cmpstr(json_text(json_array_get(names, 0), "name"), ==, "one-1");
    g_autofree gchar *links = netns_output("ip netns exec one-1 ls /sys/class/net");
    g_assert_nonnull(strstr(links, "lo"));
    netns_run("ip netns exec one-1 ping -c 1 -W 1 127.0.0.1");
    netns_run("ip netns exec one-1 ping -c 1 -W 1 ::1");

    g_autoptr(Sandbox) found = ensure(&config, "one-1");
    g_assert_false(found->created);
    struct stat a, b;
    g_assert_true(fstat(made->fd, &a) == 0 && fstat(found->fd, &b) == 0);
    g_assert_cmpuint(a.st_ino, ==, b.st_ino);

    remove_sandbox(&config, "one-1");
    remove_sandbox(&config, "one-1");
    g_assert_cmpuint(count_mounts("/run/netns/one-1"), ==, 0);
    g_assert_false(g_file_test("/run/netns/one-1", G_FILE_TEST_EXISTS));
    g_assert_null(sandbox_open(&config, "one-1", &error));
    g_assert_no_error(error);
}

/* The host's own settings do not reach into the sandbox. */
static void test_settings(void)
{
    Config config = netns_config();
    g_autoptr(Sandbox) sandbox = ensure(&config, "one-2");
    g_autofree gchar *values = netns_output(
        "ip netns exec one-2 cat /proc/sys/net/ipv6/conf/all/disable_ipv6 "
        "/proc/sys/net/ipv6/conf/default/disable_ipv6 /proc/sys/net/ipv6/conf/lo/disable_ipv6");
    g_assert_cmpstr(values, ==, "0\n0\n0\n");

    g_autoptr(GError) error = NULL;
    const Sysctl settings[] = {
        {"net/ipv4/ip_forward", "1"}, {"net/no/such/setting", "1"}, {NULL, NULL}};
    g_assert_true(sandbox_sysctls(sandbox, settings, &error));
    g_assert_no_error(error);
    g_autofree gchar *inside =
        netns_output("ip netns exec one-2 cat /proc/sys/net/ipv4/ip_forward");
    g_autofree gchar *outside = netns_output("cat /proc/sys/net/ipv4/ip_forward");
    g_assert_cmpstr(inside, ==, "1\n");
    g_assert_cmpstr(outside, ==, "0\n");

    const Sysctl wrong[] = {{"net/ipv4/ip_forward", "many"}, {NULL, NULL}};
    g_assert_false(sandbox_sysctls(sandbox, wrong, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO);
    g_assert_cmpstr(error->message, ==,
                    "cannot set the sysctl net/ipv4/ip_forward to many: Invalid argument");
    remove_sandbox(&config, "one-2");
}

static void expect_replaced(const Config *config)
{
    g_autoptr(Sandbox) sandbox = ensure(config, "one-3");
    g_assert_true(sandbox->created);
    netns_run("ip netns exec one-3 true");
    g_assert_cmpuint(count_mounts("/run/netns/one-3"), ==, 1);
    remove_sandbox(config, "one-3");
    g_assert_false(g_file_test("/run/netns/one-3", G_FILE_TEST_EXISTS));
}

/* What a killed run or a foreign hand has left under the name. */
static void test_leftovers(void)
{
    Config config = netns_config();
    g_assert_true(g_file_set_contents("/run/netns/one-3", "", -1, NULL));
    g_assert_null(sandbox_open(&config, "one-3", NULL));
    expect_replaced(&config);

    g_assert_cmpint(symlink("/etc/hostname", "/run/netns/one-3"), ==, 0);
    expect_replaced(&config);
    g_assert_true(g_file_test("/etc/hostname", G_FILE_TEST_EXISTS));

    g_assert_cmpint(mkdir("/run/netns/one-3", 0755), ==, 0);
    expect_replaced(&config);

    /* A namespace of another kind. */
    g_assert_true(g_file_set_contents("/run/netns/one-3", "", -1, NULL));
    g_assert_cmpint(mount("/proc/self/ns/uts", "/run/netns/one-3", "none", MS_BIND, NULL), ==, 0);
    expect_replaced(&config);
}

static void test_stacked(void)
{
    Config config = netns_config();
    g_autoptr(Sandbox) sandbox = ensure(&config, "one-4");
    for (guint i = 0; i < 3; i++)
        g_assert_cmpint(mount(sandbox->path, sandbox->path, "none", MS_BIND, NULL), ==, 0);
    g_assert_cmpuint(count_mounts(sandbox->path), >=, 4); /* a shared mount multiplies them */
    remove_sandbox(&config, "one-4");
    g_assert_cmpuint(count_mounts("/run/netns/one-4"), ==, 0);
    g_assert_false(g_file_test("/run/netns/one-4", G_FILE_TEST_EXISTS));
}

/* Nothing may ever be done to the host's links in the belief that they are a VM's. */
static void test_own_namespace(void)
{
    Config config = netns_config();
    g_assert_true(g_file_set_contents("/run/netns/one-5", "", -1, NULL));
    g_assert_cmpint(mount("/proc/self/ns/net", "/run/netns/one-5", "none", MS_BIND, NULL), ==, 0);
    g_autoptr(GError) error = NULL;
    g_assert_null(sandbox_ensure(&config, "one-5", &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX);
    g_assert_nonnull(strstr(error->message, "is the host's own network namespace"));
    remove_sandbox(&config, "one-5");
}

static void test_names(void)
{
    Config config = netns_config();
    static const char *const bad[] = {"", ".", "../one-1", "one-1/../../x", "one-", "lo", "one 1"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(sandbox_ensure(&config, bad[i], &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX);
        g_clear_error(&error);
        g_assert_false(sandbox_remove(&config, bad[i], &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX);
    }
    g_autoptr(Sandbox) one = ensure(&config, "one-6");
    g_autoptr(Sandbox) two = ensure(&config, "nova-0e3c");
    netns_run("ip netns add other");
    g_autoptr(GPtrArray) names = sandbox_list(&config, NULL);
    g_assert_cmpuint(names->len, ==, 2);
    g_assert_true(g_ptr_array_find_with_equal_func(names, "one-6", g_str_equal, NULL));
    g_assert_true(g_ptr_array_find_with_equal_func(names, "nova-0e3c", g_str_equal, NULL));
    netns_run("ip netns del other");
    remove_sandbox(&config, "one-6");
    remove_sandbox(&config, "nova-0e3c");
    config.netns_dir = (gchar *)"/run/no-such-folder";
    g_autoptr(GPtrArray) none = sandbox_list(&config, NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

static gpointer first_deploy(gpointer data)
{
    Config config = netns_config();
    config.netns_dir = (gchar *)"/run/vmdock/netns";
    g_autofree gchar *deploy_id = g_strdup_printf("one-%u", GPOINTER_TO_UINT(data));
    g_autoptr(Sandbox) sandbox = ensure(&config, deploy_id);
    g_assert_true(sandbox->created);
    return NULL;
}

/* Deploys that are all the first on this host: the folder is mounted on itself once. */
static void test_race(void)
{
    enum { DEPLOYS = 12 };
    GThread *threads[DEPLOYS];
    for (guint i = 0; i < DEPLOYS; i++)
        threads[i] = g_thread_new("deploy", first_deploy, GUINT_TO_POINTER(100 + i));
    for (guint i = 0; i < DEPLOYS; i++)
        g_thread_join(threads[i]);
    g_assert_cmpuint(count_mounts("/run/vmdock/netns"), ==, 1);
    g_autofree gchar *propagation =
        netns_output("findmnt -n -o PROPAGATION --mountpoint /run/vmdock/netns");
    g_assert_cmpstr(g_strchomp(propagation), ==, "shared");
    Config config = netns_config();
    config.netns_dir = (gchar *)"/run/vmdock/netns";
    g_autoptr(GPtrArray) names = sandbox_list(&config, NULL);
    g_assert_cmpuint(names->len, ==, DEPLOYS);
    for (guint i = 0; i < names->len; i++)
        remove_sandbox(&config, names->pdata[i]);
}

static gpointer late_close(gpointer data)
{
    g_usleep(200 * G_TIME_SPAN_MILLISECOND);
    close(GPOINTER_TO_INT(data));
    return NULL;
}

/* While another program holds the lock of `ip netns add` over the folder, the mount waits. */
static void test_lock(void)
{
    Config config = netns_config();
    config.netns_dir = (gchar *)"/run/vmdock/locked";
    g_assert_true(file_make_folder(config.netns_dir, 0755, NULL));
    int lock = open(config.netns_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(flock(lock, LOCK_EX), ==, 0);
    gint64 began = g_get_monotonic_time();
    GThread *holder = g_thread_new("holder", late_close, GINT_TO_POINTER(lock));
    g_autoptr(Sandbox) sandbox = ensure(&config, "one-9");
    g_assert_cmpint(g_get_monotonic_time() - began, >=, 200 * G_TIME_SPAN_MILLISECOND);
    g_thread_join(holder);
    g_assert_cmpuint(count_mounts("/run/vmdock/locked"), ==, 1);
    remove_sandbox(&config, "one-9");
}

static gboolean tell_namespace(gpointer data, GError **error)
{
    struct stat *there = data;
    if (stat("/proc/thread-self/ns/net", there) == 0)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_IO, "no namespace");
    return FALSE;
}

static gboolean fail(G_GNUC_UNUSED gpointer data, GError **error)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "a word of its own");
    return FALSE;
}

static void test_run(void)
{
    Config config = netns_config();
    struct stat there, here, home;
    g_assert_true(stat("/proc/thread-self/ns/net", &home) == 0);
    g_autoptr(Sandbox) sandbox = ensure(&config, "one-7");
    g_autoptr(GError) error = NULL;
    g_assert_true(sandbox_run(sandbox, tell_namespace, &there, &error));
    g_assert_no_error(error);
    g_assert_true(fstat(sandbox->fd, &here) == 0);
    g_assert_cmpuint(there.st_ino, ==, here.st_ino);
    g_assert_cmpuint(there.st_ino, !=, home.st_ino);
    g_assert_false(sandbox_run(sandbox, fail, NULL, &error));
    g_assert_cmpstr(error->message, ==, "a word of its own");
    /* Home again, after success and failure alike. */
    g_assert_true(stat("/proc/thread-self/ns/net", &there) == 0);
    g_assert_cmpuint(there.st_ino, ==, home.st_ino);
    remove_sandbox(&config, "one-7");
}

static void test_map(void)
{
    Config config = netns_config();
    g_autoptr(Sandbox) sandbox = ensure(&config, "one-8");
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) mounts = json_pack("[{s:s}]", "source", "/run/vmdock/disk/one-8/1");
    g_assert_true(sandbox_map_write(&config, container_id, sandbox, TRUE, mounts, &error));
    g_assert_no_error(error);
    g_autofree gchar *path = g_strconcat("/run/vmdock/sandbox/", container_id, NULL);
    g_autofree gchar *state = g_strconcat("/run/state/container/", container_id, NULL);
    struct stat there;
    g_assert_true(stat(path, &there) == 0 && (there.st_mode & 07777) == 0600);
    g_assert_true(stat("/run/vmdock/sandbox", &there) == 0 && (there.st_mode & 07777) == 0700);
    g_assert_true(stat(state, &there) == 0 && (there.st_mode & 07777) == 0600);
    ino_t written = there.st_ino;
    g_autoptr(json_t) map = json_load_file(path, 0, NULL);
    g_autoptr(json_t) expected =
        json_pack("{s:s, s:s, s:s, s:b, s:O}", "vm", "one-8", "netns", "/run/netns/one-8",
                  "runtime", "/usr/sbin/runc", "keep_hook", 1, "mounts", mounts);
    g_assert_true(json_equal(map, expected));
    g_autofree gchar *line = file_read(state, 100, NULL, NULL);
    g_assert_cmpstr(line, ==, "one-8\n");

    /* A later start: the host has rebooted, the run folder is empty, the state is written once. */
    g_assert_true(file_remove_tree("/run/vmdock/sandbox", NULL));
    g_assert_true(sandbox_map_write(&config, container_id, sandbox, FALSE, mounts, &error));
    g_autoptr(json_t) later = json_load_file(path, 0, NULL);
    g_assert_true(json_is_false(json_object_get(later, "keep_hook")));
    g_assert_true(stat(state, &there) == 0 && there.st_ino == written);

    g_assert_true(sandbox_map_remove(&config, container_id, &error));
    g_assert_true(sandbox_map_remove(&config, container_id, &error));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(state, G_FILE_TEST_EXISTS));
    g_assert_false(sandbox_map_write(&config, "../../etc/passwd", sandbox, FALSE, mounts, &error));
    g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SANDBOX);
    remove_sandbox(&config, "one-8");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!netns_enter())
        return 77; /* automake's word for "skipped" */
    g_test_add_func("/sandbox/life", test_life);
    g_test_add_func("/sandbox/settings", test_settings);
    g_test_add_func("/sandbox/leftovers", test_leftovers);
    g_test_add_func("/sandbox/stacked", test_stacked);
    g_test_add_func("/sandbox/own-namespace", test_own_namespace);
    g_test_add_func("/sandbox/names", test_names);
    g_test_add_func("/sandbox/race", test_race);
    g_test_add_func("/sandbox/lock", test_lock);
    g_test_add_func("/sandbox/run", test_run);
    g_test_add_func("/sandbox/map", test_map);
    return g_test_run();
}

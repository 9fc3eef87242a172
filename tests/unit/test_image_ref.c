// SPDX-License-Identifier: Apache-2.0
#include "driver/error.h"
#include "driver/image_ref.h"

#include <string.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_valid(void)
{
    static const struct {
        const char *text, *registry, *repository, *tag, *digest, *name;
    } rows[] = {
        {"nginx", "docker.io", "library/nginx", "latest", NULL, "nginx:latest"},
        {"nginx:1.25", "docker.io", "library/nginx", "1.25", NULL, "nginx:1.25"},
        {"docker://ubuntu:latest", "docker.io", "library/ubuntu", "latest", NULL, "ubuntu:latest"},
        {"docker://library/nginx:latest?size=2048&filesystem=ext4&format=raw", "docker.io",
         "library/nginx", "latest", NULL, "nginx:latest"},
        {"docker://nginx?tag=x/y@z", "docker.io", "library/nginx", "latest", NULL, "nginx:latest"},
        {"team/app", "docker.io", "team/app", "latest", NULL, "team/app:latest"},
        {"library/a/b", "docker.io", "library/a/b", "latest", NULL, "library/a/b:latest"},
        {"docker.io/nginx", "docker.io", "library/nginx", "latest", NULL, "nginx:latest"},
        {"index.docker.io/team/app:2", "docker.io", "team/app", "2", NULL, "team/app:2"},
        {"docker.io/docker.io/app", "docker.io", "docker.io/app", "latest", NULL,
         "docker.io/docker.io/app:latest"},
        {"docker.io/reg.example/a/b", "docker.io", "reg.example/a/b", "latest", NULL,
         "docker.io/reg.example/a/b:latest"},
        {"localhost/app", "localhost", "app", "latest", NULL, "localhost/app:latest"},
        {"reg.example/app", "reg.example", "app", "latest", NULL, "reg.example/app:latest"},
        {"reg:5000/a/b/c:v1_2-3.4", "reg:5000", "a/b/c", "v1_2-3.4", NULL,
         "reg:5000/a/b/c:v1_2-3.4"},
        {"[fd00:77::5]:5000/app", "[fd00:77::5]:5000", "app", "latest", NULL,
         "[fd00:77::5]:5000/app:latest"},
        {"app@sha256:" HEX64, "docker.io", "library/app", NULL, "sha256:" HEX64,
         "app@sha256:" HEX64},
        {"docker://reg.example:5000/team/app:1@sha256:" HEX64, "reg.example:5000", "team/app", "1",
         "sha256:" HEX64, "reg.example:5000/team/app@sha256:" HEX64},
        {"a__b/c-d.e_f--g", "docker.io", "a__b/c-d.e_f--g", "latest", NULL,
         "a__b/c-d.e_f--g:latest"},
        {"reg.example/" HEX64, "reg.example", HEX64, "latest", NULL,
         "reg.example/" HEX64 ":latest"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ImageRef) ref = image_ref_parse(rows[i].text, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(ref->registry, ==, rows[i].registry);
        g_assert_cmpstr(ref->repository, ==, rows[i].repository);
        g_assert_cmpstr(ref->tag, ==, rows[i].tag);
        g_assert_cmpstr(ref->digest, ==, rows[i].digest);
        g_autofree gchar *name = image_ref_name(ref);
        g_assert_cmpstr(name, ==, rows[i].name);
        /* The engine's own name for it means the same again. */
        g_autoptr(ImageRef) again = image_ref_parse(name, NULL);
        g_autofree gchar *name_again = image_ref_name(again);
        g_assert_cmpstr(name_again, ==, name);
    }
}

static void test_invalid(void)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "empty"},
        {"docker://", "empty"},
        {"docker://?size=1", "repository"},
        {"docker:///nginx", "repository"},
        {"Nginx", "repository"},
        {"ng inx", "repository"},
        {"nginx\n", "repository"},
        {"nginx?x=1", "repository"},
        {"-nginx", "repository"},
        {"nginx-", "repository"},
        {"a..b", "repository"},
        {"a//b", "repository"},
        {"a___b", "repository"},
        {"../etc/passwd", "registry"},
        {"/var/lib/one/datastores/1/abc", "repository"},
        {"http://nginx", "registry"},
        {"reg.example:/app", "registry"},
        {"reg.example:port/app", "registry"},
        {"user@reg.example/app", "digest"},
        {"nginx:", "tag"},
        {"nginx:-x", "tag"},
        {"nginx:a/b", "registry"},
        {"nginx:a:b", "tag"},
        {"nginx@", "digest"},
        {"nginx@sha256:1234", "digest"},
        {"nginx@sha256:" HEX64 "@sha256:" HEX64, "digest"},
        {"nginx;reboot", "repository"},
        {"$(reboot)", "repository"},
        {"nginx --privileged", "repository"},
        {HEX64, "id"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        ImageRef *ref = image_ref_parse(rows[i].text, &error);
        if (ref)
            g_error("taken: %s", rows[i].text);
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC);
        if (!strstr(error->message, rows[i].words))
            g_error("%s", error->message);
        g_assert_null(strchr(error->message, '\n'));
    }
}

static void test_lengths(void)
{
    g_autofree gchar *name = g_strnfill(255, 'a');
    g_autofree gchar *longer = g_strnfill(256, 'a');
    g_autofree gchar *huge = g_strnfill(1000000, 'a');
    g_autofree gchar *tag = g_strnfill(128, 't');
    g_autofree gchar *tagged = g_strconcat("a:", tag, NULL);
    g_autofree gchar *overtagged = g_strconcat(tagged, "t", NULL);
    g_autoptr(ImageRef) longest = image_ref_parse(name, NULL);
    g_autoptr(ImageRef) longest_tag = image_ref_parse(tagged, NULL);
    g_assert_nonnull(longest);
    g_assert_nonnull(longest_tag);
    g_assert_null(image_ref_parse(longer, NULL));
    g_assert_null(image_ref_parse(huge, NULL));
    g_assert_null(image_ref_parse(overtagged, NULL));
}

static void test_url(void)
{
    g_assert_true(image_ref_is_url("docker://nginx"));
    g_assert_false(image_ref_is_url("docker:/nginx"));
    g_assert_false(image_ref_is_url("nginx"));
    g_assert_false(image_ref_is_url("/var/lib/one/datastores/1/abc"));
}

static void test_registry(void)
{
    static const char *const good[] = {"reg.example",        "reg:5000",       "localhost",
                                       "10.0.0.1:5000/team", "[fd00::1]:5000", "reg.example/a/b"};
    static const char *const bad[] = {
        "",      "none",        "team/app", "reg.example/", "-r.example",
        "a b.c", "r.example:x", "r.e/A",    "r.e/x@sha256", "//r.e"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(image_ref_is_registry(good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(image_ref_is_registry(bad[i]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/image_ref/valid", test_valid);
    g_test_add_func("/image_ref/invalid", test_invalid);
    g_test_add_func("/image_ref/lengths", test_lengths);
    g_test_add_func("/image_ref/url", test_url);
    g_test_add_func("/image_ref/registry", test_registry);
    return g_test_run();
}

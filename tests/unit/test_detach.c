// SPDX-License-Identifier: Apache-2.0
#include "driver/error.h"
#include "shim/detach.h"

#include <string.h>

/* What goes on to the VM of TYPED, a piece a string; what was typed is left at LEAVES. */
static void assert_filtered(const char *keys, const char *const *typed, const char *goes_on,
                            guint leaves)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Detach) detach = detach_new(keys, &error);
    g_assert_no_error(error);
    g_autoptr(GString) all = g_string_new(NULL);
    guint i = 0;
    for (; typed[i]; i++) {
        g_autoptr(GString) piece = g_string_new(typed[i]);
        gboolean stays = detach_filter(detach, piece);
        g_string_append_len(all, piece->str, (gssize)piece->len);
        if (!stays)
            break;
    }
    g_assert_cmpstr(all->str, ==, goes_on);
    g_assert_cmpuint(i, ==, leaves);
}
#define PIECES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_one_key(void)
{
    assert_filtered("ctrl-]", PIECES("ls\r", "x\x1dy"), "ls\rx", 1);
    assert_filtered("ctrl-]", PIECES("a]b", "\x1c"), "a]b\x1c", 2);
    assert_filtered("q", PIECES("q"), "", 0);
}

static void test_sequence(void)
{
    assert_filtered("ctrl-p,ctrl-q", PIECES("\x10\x11"), "", 0);
    assert_filtered("ctrl-p,ctrl-q", PIECES("a\x10", "\x11"), "a", 1);
    /* Held back, and the VM's after all. */
    assert_filtered("ctrl-p,ctrl-q", PIECES("\x10", "\x10", "b\x11"),
                    "\x10\x10"
                    "b\x11",
                    3);
    assert_filtered("ctrl-p,ctrl-q", PIECES("\x10\x10\x11"), "\x10", 0);
    assert_filtered("a,b,a,c", PIECES("ab", "ab", "ac"), "ab", 2);
    assert_filtered("a,a,b", PIECES("aaa", "a", "b"), "aa", 2);
}

/* Each byte can be typed, the one that ends strings too. */
static void test_bytes(void)
{
    g_autoptr(Detach) detach = detach_new("ctrl-@,x", NULL);
    g_autoptr(GString) typed = g_string_new_len("\0\0y\0x", 5);
    g_assert_false(detach_filter(detach, typed));
    g_assert_cmpmem(typed->str, typed->len, "\0\0y", 3);
}

static void test_refused(void)
{
    static const char *const wrong[] = {"",   ",",       "ctrl-", "ctrl-1", "ctrl-A", "ctrl-p,",
                                        "ab", "ctrl-pp", "é",     "ctrl-é", " ",      "Ctrl-a"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(detach_new(wrong[i], &error));
        g_assert_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/detach/one-key", test_one_key);
    g_test_add_func("/detach/sequence", test_sequence);
    g_test_add_func("/detach/bytes", test_bytes);
    g_test_add_func("/detach/refused", test_refused);
    return g_test_run();
}

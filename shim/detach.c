// SPDX-License-Identifier: Apache-2.0
#include "detach.h"

#include "driver/error.h"

#include <string.h>

enum { CONTROL = 0x1f };

/* The byte that KEY stands for; -1 when it is none. */
static int byte_of(const char *key)
{
    static const char prefix[] = "ctrl-";
    if (strlen(key) == 1 && g_ascii_isgraph(*key))
        return *key;
    const char *letter = g_str_has_prefix(key, prefix) ? key + strlen(prefix) : "";
    if (strlen(letter) != 1 || !(g_ascii_islower(*letter) || strchr("@[\\]^_", *letter)))
        return -1;
    return *letter & CONTROL;
}

Detach *detach_new(const char *text, GError **error)
{
    g_autoptr(Detach) detach = g_new0(Detach, 1);
    g_auto(GStrv) keys = g_strsplit(text, ",", -1);
    detach->text = g_strdup(text);
    detach->keys = g_string_new(NULL);
    for (char **key = keys; *key; key++) {
        int byte = byte_of(*key);
        if (byte < 0) {
            g_autofree gchar *shown = vmdock_one_line(*key, 40);
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                        "\"%s\" is no key: --detach-keys takes characters and ctrl-a to ctrl-z, "
                        "ctrl-@, ctrl-[, ctrl-\\, ctrl-], ctrl-^ and ctrl-_, with commas between",
                        shown);
            return NULL;
        }
        g_string_append_c(detach->keys, (gchar)byte);
    }
    if (detach->keys->len > 0)
        return g_steal_pointer(&detach);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                        "--detach-keys names no key: there would be no way out");
    return NULL;
}

void detach_free(Detach *detach)
{
    g_free(detach->text);
    if (detach->keys)
        g_string_free(detach->keys, TRUE);
    g_free(detach);
}

/* How much of the sequence stands at the end of its first SEEN keys and BYTE behind them. */
static gsize seen_with(const Detach *detach, char byte)
{
    const char *keys = detach->keys->str;
    for (gsize length = detach->seen + 1; length > 0; length--) {
        gsize begin = detach->seen + 1 - length;
        if (keys[length - 1] == byte && memcmp(keys + begin, keys, length - 1) == 0)
            return length;
    }
    return 0;
}

gboolean detach_filter(Detach *detach, GString *bytes)
{
    g_autofree gchar *typed = g_memdup2(bytes->str, bytes->len);
    gsize length = bytes->len;
    g_string_truncate(bytes, 0);
    for (gsize i = 0; i < length; i++) {
        gsize seen = seen_with(detach, typed[i]);
        /* What was held back and is no beginning any more is the VM's, and so is a byte that
         * belongs to no sequence. */
        g_string_append_len(bytes, detach->keys->str, (gssize)(detach->seen + (seen > 0) - seen));
        if (seen == 0)
            g_string_append_c(bytes, typed[i]);
        detach->seen = seen;
        if (seen == detach->keys->len)
            return FALSE;
    }
    return TRUE;
}

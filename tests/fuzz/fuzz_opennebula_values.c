// SPDX-License-Identifier: Apache-2.0
/*
 * The values inside the VM XML, which the XML itself hides from a fuzzer. Each line of the input is
 * one element: a letter for its place, its name, "=", its text.
 *   T TEMPLATE   U USER_TEMPLATE   C CONTEXT   D DISK 0   E DISK 1   O ONEDOCK
 *   N NIC 0      M NIC 1           A NIC_ALIAS of NIC 0              V VM
 */
#include "tests/fuzz/fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean name_valid(const char *name)
{
    if (!g_ascii_isalpha(*name))
        return FALSE;
    for (; *name; name++)
        if (!g_ascii_isalnum(*name) && *name != '_')
            return FALSE;
    return TRUE;
}

/* The elements of PLACE among LINES. */
static gchar *elements(const GStrv lines, char place)
{
    GString *xml = g_string_new(NULL);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, "=", 2);
        if (!parts[0] || !parts[1] || *parts[0] != place || !name_valid(parts[0] + 1))
            continue;
        g_autofree gchar *text = g_markup_escape_text(parts[1], -1);
        g_string_append_printf(xml, "<%s>%s</%s>", parts[0] + 1, text, parts[0] + 1);
    }
    return g_string_free(xml, FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *raw = g_strndup((const char *)data, size);
    g_autofree gchar *input = g_utf8_make_valid(raw, -1);
    g_auto(GStrv) lines = g_strsplit(input, "\n", 256);
    const char *places = "VTUCDEONMA";
    gchar *of[10];
    for (int i = 0; i < 10; i++)
        of[i] = elements(lines, places[i]);
    g_autofree gchar *xml = g_strdup_printf(
        "<VM>%s<ID>7</ID><NAME>x</NAME><TEMPLATE>%s<CPU>1</CPU><MEMORY>64</MEMORY>"
        "<CONTEXT>%s</CONTEXT><DISK>%s<DISK_ID>0</DISK_ID></DISK><DISK>%s<DISK_ID>1</DISK_ID></"
        "DISK>"
        "<NIC>%s<NIC_ID>0</NIC_ID><BRIDGE>b0</BRIDGE></NIC>"
        "<NIC>%s<NIC_ID>1</NIC_ID><BRIDGE>b1</BRIDGE></NIC>"
        "<NIC_ALIAS>%s<NIC_ID>2</NIC_ID><PARENT_ID>0</PARENT_ID></NIC_ALIAS></TEMPLATE>"
        "<USER_TEMPLATE>%s<ONEDOCK>%s</ONEDOCK></USER_TEMPLATE></VM>",
        of[0], of[1], of[3], of[4], of[5], of[7], of[8], of[9], of[2], of[6]);
    for (int i = 0; i < 10; i++)
        g_free(of[i]);
    fuzz_opennebula_text(xml, strlen(xml));
    return 0;
}

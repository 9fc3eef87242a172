// SPDX-License-Identifier: Apache-2.0
#include "filter_level.h"

static const char *const names[] = {
    [VM_FILTER_OFF] = "off", [VM_FILTER_SPOOFING] = "spoofing", [VM_FILTER_FULL] = "full"};

gboolean vm_filter_parse(const char *text, VmFilter *filter)
{
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        *filter = (VmFilter)i;
        if (g_ascii_strcasecmp(text, names[i]) == 0)
            return TRUE;
    }
    return FALSE;
}

const char *vm_filter_name(VmFilter filter)
{
    return names[filter];
}

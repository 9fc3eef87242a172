// SPDX-License-Identifier: Apache-2.0
/*
 * What ovs-vsctl prints and says. Beside not failing: every port has a name and an owner, none of
 * them twice, and the complaint is one line.
 */
#include "driver/ovs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ports(const GPtrArray *ports)
{
    for (guint i = 0; i < ports->len; i++) {
        const OvsPort *port = g_ptr_array_index(ports, i);
        if (!port->name || !port->owner || (!port->there && port->qos->len == 0))
            abort();
        for (guint j = 0; j < i; j++) {
            const OvsPort *other = g_ptr_array_index(ports, j);
            if (strcmp(port->name, other->name) == 0 && strcmp(port->owner, other->owner) == 0)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const gchar *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ports = ovs_parse_ports(text, &error);
    if ((ports == NULL) != (error != NULL))
        abort();
    if (ports)
        check_ports(ports);
    g_autofree gchar *line = ovs_complaint(text);
    if (strchr(line, '\n'))
        abort();
    return 0;
}

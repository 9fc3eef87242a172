// SPDX-License-Identifier: Apache-2.0
/*
 * What vmdock-libvirt answers, and the XML of networks. Beside not failing: what is taken is said
 * again as it was, an error is one line, and an address that is chosen is free and of its subnet.
 */
#include "driver/error.h"
#include "driver/libvirt_network.h"
#include "driver/nic_libvirt.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(gboolean true_or_abort)
{
    if (!true_or_abort)
        abort();
}

static void check_error(const GError *error)
{
    must(error && !strchr(error->message, '\n') && g_utf8_validate(error->message, -1, NULL));
}

static void apply(const LibvirtAnswer *answer)
{
    g_autoptr(VmSpec) spec = vm_spec_new();
    VmNic *nic = vm_nic_new();
    g_ptr_array_add(spec->nics, nic);
    nic_libvirt_apply(spec, nic, answer, TRUE);
    must(nic->addresses->len <= 1 && nic->routes->len <= answer->routes->len + 1);
}

static void fuzz_answer(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LibvirtAnswer) answer = libvirt_answer_parse(text, &error);
    if (!answer) {
        check_error(error);
        return;
    }
    g_autofree gchar *said = libvirt_answer_text(answer);
    g_autoptr(LibvirtAnswer) again = libvirt_answer_parse(said, NULL);
    must(again != NULL);
    g_autofree gchar *said_again = libvirt_answer_text(again);
    must(strcmp(said, said_again) == 0);
    apply(answer);
}

static void fuzz_network(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LibvirtNetwork) network = libvirt_network_parse(text, NULL, &error);
    g_autoptr(GPtrArray) views = g_ptr_array_new();
    g_autoptr(GPtrArray) leases = libvirt_hosts_new();
    g_autoptr(LibvirtRequest) request = libvirt_request_new(LIBVIRT_RESERVE, NULL);
    VmAddress address = {0};
    if (!network) {
        check_error(error);
        return;
    }
    g_ptr_array_add(views, network);
    if (!libvirt_choose(views, leases, request, &address, &error))
        check_error(error);
    else if (address.family && !libvirt_host_of(network->hosts, request->mac))
        must(vm_address_contains(&network->subnet, &address) &&
             !libvirt_host_at(network->hosts, &address));
    apply(network->gives);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree gchar *text = g_strndup((const gchar *)data, size);
    fuzz_answer(text);
    fuzz_network(text);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "nic_probe.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "nic_probe_packet.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    QUESTIONS = 3, /* as RFC 5227 has it; half of the time is left for the last one's answer */
    POLL_US = 100 * 1000, /* how long a wish to stop may go unseen */
    FRAME_MAX = 256,      /* of what is received: an answer is shorter, options and all */
};

typedef struct {
    const VmNic *nic;
    gint index;
    guint8 mac[6];
    VmAddress address;
} Target;

typedef struct {
    guint8 bytes[6];
} Mac;

struct NicProbe {
    Sandbox *sandbox;
    int fd;
    GArray *targets;
    GArray *own; /* Mac: those of the VM's NICs */
};

guint nic_probe_ms(const Config *config, const VmSpec *spec)
{
    gboolean asked =
        spec->probe == VM_PROBE_HOST ? config->network_probe : spec->probe == VM_PROBE_YES;
    return asked ? (guint)config->network_probe_ms : 0;
}

static gboolean has(const GArray *addresses, const VmAddress *address)
{
    for (guint i = 0; i < addresses->len; i++)
        if (vm_address_same(&g_array_index(addresses, VmAddress, i), address))
            return TRUE;
    return FALSE;
}

GArray *nic_probe_news(Sandbox *sandbox, const VmNic *nic, gboolean *ready, GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(sandbox->netlink, nic->guest_name, &link, &found, error))
        return NULL;
    *ready = found && link.up;
    g_autoptr(GArray) there = found ? netlink_address_list(sandbox->netlink, link.index, error)
                                    : g_array_new(FALSE, FALSE, sizeof(VmAddress));
    if (!there)
        return NULL;
    GArray *news = g_array_new(FALSE, FALSE, sizeof(VmAddress));
    for (guint i = 0; i < nic->addresses->len; i++) {
        VmAddress address = g_array_index(nic->addresses, VmAddress, i);
        if (!has(there, &address) && (address.family == AF_INET || nic->ip6_mode != VM_IP6_OFF))
            g_array_append_val(news, address);
    }
    return news;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/*
 * ARP and neighbour messages. What comes with a VLAN tag is another network's; the kernel takes the
 * tag out of the frame.
 */
static gboolean filter_frames(int fd)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (guint)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 9),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* the frame's type */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_ARP, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 6),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), /* next header */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54), /* type of ICMPv6 */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, FRAME_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {G_N_ELEMENTS(code), code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/* One for all NICs. Protocol 0 hears nothing until the filter is on it. */
static gboolean open_socket(gpointer data, GError **error)
{
    int *fd = data;
    const struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    *fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd >= 0 && filter_frames(*fd) && bind(*fd, (const struct sockaddr *)&all, sizeof all) == 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, errno, "cannot look for duplicate addresses");
    return FALSE;
}

static gpointer close_thread(gpointer data)
{
    close(GPOINTER_TO_INT(data));
    return NULL;
}

/* ---- the addresses --------------------------------------------------------------------------- */

static gboolean collect_own(NicProbe *probe, const VmSpec *spec, GError **error)
{
    for (guint i = 0; i < spec->nics->len; i++) {
        const VmNic *nic = g_ptr_array_index(spec->nics, i);
        NetlinkLink link = {0};
        gboolean found = FALSE;
        Mac mac;
        if (!netlink_link_get(probe->sandbox->netlink, nic->guest_name, &link, &found, error))
            return FALSE;
        memcpy(mac.bytes, nic->has_mac ? nic->mac : link.mac, 6);
        if (found || nic->has_mac)
            g_array_append_val(probe->own, mac);
    }
    return TRUE;
}

NicProbe *nic_probe_new(Sandbox *sandbox, const VmSpec *spec, GError **error)
{
    g_autoptr(NicProbe) probe = g_new0(NicProbe, 1);
    probe->sandbox = sandbox;
    probe->fd = -1;
    probe->targets = g_array_new(FALSE, TRUE, sizeof(Target));
    probe->own = g_array_new(FALSE, FALSE, sizeof(Mac));
    return collect_own(probe, spec, error) ? g_steal_pointer(&probe) : NULL;
}

/* Closing a packet socket waits for a grace period of RCU, which nobody need wait for. */
void nic_probe_free(NicProbe *probe)
{
    if (probe->fd >= 0)
        g_thread_unref(g_thread_new("close", close_thread, GINT_TO_POINTER(probe->fd)));
    g_array_unref(probe->targets);
    g_array_unref(probe->own);
    g_free(probe);
}

gboolean nic_probe_add(NicProbe *probe, const VmNic *nic, const GArray *addresses, GError **error)
{
    NetlinkLink link = {0};
    gboolean found = FALSE;
    if (!netlink_link_get(probe->sandbox->netlink, nic->guest_name, &link, &found, error))
        return FALSE;
    Target target = {.nic = nic, .index = link.index};
    memcpy(target.mac, link.mac, 6);
    for (guint i = 0; i < addresses->len; i++) {
        target.address = g_array_index(addresses, VmAddress, i);
        g_array_append_val(probe->targets, target);
    }
    Mac mac;
    memcpy(mac.bytes, link.mac, 6);
    g_array_append_val(probe->own, mac);
    return TRUE;
}

static gboolean is_own(const NicProbe *probe, const guint8 mac[6])
{
    for (guint i = 0; i < probe->own->len; i++)
        if (memcmp(g_array_index(probe->own, Mac, i).bytes, mac, 6) == 0)
            return TRUE;
    return FALSE;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static gboolean ask(const NicProbe *probe, GError **error)
{
    for (guint i = 0; i < probe->targets->len; i++) {
        const Target *target = &g_array_index(probe->targets, Target, i);
        guint8 frame[PROBE_QUESTION_MAX];
        gsize length = probe_question(target->mac, &target->address, frame);
        const struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = target->index};
        if (sendto(probe->fd, frame, length, 0, (const struct sockaddr *)&to, sizeof to) >= 0 ||
            errno == ENOBUFS || errno == EAGAIN)
            continue;
        vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, errno,
                           "NIC %u (%s): cannot ask who has its addresses", target->nic->id,
                           target->nic->host_name);
        return FALSE;
    }
    return TRUE;
}

static gboolean judge(const NicProbe *probe, const guint8 *frame, gsize length, gint index,
                      GError **error)
{
    for (guint i = 0; i < probe->targets->len; i++) {
        const Target *target = &g_array_index(probe->targets, Target, i);
        guint8 holder[6];
        if (target->index != index || !probe_answers(frame, length, &target->address, holder) ||
            is_own(probe, holder))
            continue;
        g_autofree gchar *address = vm_address_text(&target->address);
        g_autofree gchar *mac = vm_mac_format(holder);
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_DUPLICATE,
                    "NIC %u (%s): the address %s is another machine's: %s answers for it",
                    target->nic->id, target->nic->host_name, address, mac);
        return FALSE;
    }
    return TRUE;
}

/* All that has come. */
static gboolean hear(const NicProbe *probe, GError **error)
{
    for (;;) {
        guint8 frame[FRAME_MAX];
        struct sockaddr_ll from = {0};
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(probe->fd, frame, sizeof frame, 0, (struct sockaddr *)&from, &size);
        if (n < 0)
            return TRUE;
        if (from.sll_pkttype != PACKET_OUTGOING &&
            !judge(probe, frame, (gsize)n, from.sll_ifindex, error))
            return FALSE;
    }
}

static gboolean listen_until(const NicProbe *probe, gint64 end, GError **error)
{
    for (gint64 now; (now = g_get_monotonic_time()) < end;) {
        struct pollfd one = {.fd = probe->fd, .events = POLLIN};
        gint64 wait_us = MIN(end - now, POLL_US);
        ppoll(&one, 1, &(struct timespec){.tv_nsec = wait_us * 1000}, NULL);
        if (!interrupt_check(error) || !hear(probe, error))
            return FALSE;
    }
    return TRUE;
}

gboolean nic_probe_run(NicProbe *probe, guint ms, GError **error)
{
    if (probe->targets->len == 0)
        return TRUE;
    gint64 began = g_get_monotonic_time();
    gint64 whole = (gint64)ms * G_TIME_SPAN_MILLISECOND;
    if (!sandbox_run(probe->sandbox, open_socket, &probe->fd, error))
        return FALSE;
    for (gint64 i = 0; i < QUESTIONS; i++) {
        gint64 next = i + 1 < QUESTIONS ? whole * (i + 1) / ((gint64)2 * (QUESTIONS - 1)) : whole;
        if (!ask(probe, error) || !listen_until(probe, began + next, error))
            return FALSE;
    }
    log_trace("looked for %u addresses in %.2f ms", probe->targets->len,
              (double)(g_get_monotonic_time() - began) / G_TIME_SPAN_MILLISECOND);
    return TRUE;
}

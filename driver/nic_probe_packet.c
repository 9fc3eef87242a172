// SPDX-License-Identifier: Apache-2.0
#include "nic_probe_packet.h"

#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <string.h>

enum {
    HOP_LIMIT = 255, /* a neighbour's message has passed no router */
    OPTION_UNIT = 8, /* bytes */
};

static void fill_ethernet(guint8 *frame, const guint8 to[6], const guint8 from[6], guint16 type)
{
    struct ether_header header;
    memcpy(header.ether_dhost, to, 6);
    memcpy(header.ether_shost, from, 6);
    header.ether_type = htons(type);
    memcpy(frame, &header, sizeof header);
}

static gsize arp_question(const guint8 mac[6], const guint8 *address, guint8 *frame)
{
    static const guint8 everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct ether_arp arp = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                       .ar_pro = htons(ETHERTYPE_IP),
                                       .ar_hln = 6,
                                       .ar_pln = 4,
                                       .ar_op = htons(ARPOP_REQUEST)}};
    memcpy(arp.arp_sha, mac, 6);
    memcpy(arp.arp_tpa, address, 4);
    fill_ethernet(frame, everybody, mac, ETHERTYPE_ARP);
    memcpy(frame + ETHER_HDR_LEN, &arp, sizeof arp);
    return ETHER_HDR_LEN + sizeof arp;
}

/* The ones' complement sum of what stands in LENGTH bytes, an even number. */
static guint32 sum(const void *bytes, gsize length, guint32 total)
{
    const guint8 *byte = bytes;
    for (gsize i = 0; i < length; i += 2)
        total += (guint32)byte[i] << 8 | byte[i + 1];
    return total;
}

static guint16 checksum(const struct ip6_hdr *ip, const struct nd_neighbor_solicit *message)
{
    guint32 total = sum(&ip->ip6_src, sizeof ip->ip6_src, IPPROTO_ICMPV6 + sizeof *message);
    total = sum(&ip->ip6_dst, sizeof ip->ip6_dst, total);
    total = sum(message, sizeof *message, total);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return htons((guint16)~total);
}

static gsize neighbour_question(const guint8 mac[6], const guint8 *address, guint8 *frame)
{
    struct nd_neighbor_solicit message = {.nd_ns_type = ND_NEIGHBOR_SOLICIT};
    struct ip6_hdr ip = {.ip6_flow = htonl(6u << 28),
                         .ip6_plen = htons(sizeof message),
                         .ip6_nxt = IPPROTO_ICMPV6,
                         .ip6_hlim = HOP_LIMIT};
    /* ff02::1:ff00:0/104, and the end of the address that is looked for. */
    static const guint8 group[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};
    memcpy(&message.nd_ns_target, address, 16);
    memcpy(&ip.ip6_dst, group, sizeof group);
    memcpy((guint8 *)&ip.ip6_dst + 13, address + 13, 3);
    message.nd_ns_cksum = checksum(&ip, &message);
    guint8 to[6] = {0x33, 0x33, 0xff, address[13], address[14], address[15]};
    fill_ethernet(frame, to, mac, ETHERTYPE_IPV6);
    memcpy(frame + ETHER_HDR_LEN, &ip, sizeof ip);
    memcpy(frame + ETHER_HDR_LEN + sizeof ip, &message, sizeof message);
    return ETHER_HDR_LEN + sizeof ip + sizeof message;
}

gsize probe_question(const guint8 mac[6], const VmAddress *address,
                     guint8 frame[PROBE_QUESTION_MAX])
{
    return address->family == AF_INET ? arp_question(mac, address->bytes, frame)
                                      : neighbour_question(mac, address->bytes, frame);
}

static gboolean arp_answers(const guint8 *frame, gsize length, const guint8 *address,
                            guint8 holder[6])
{
    static const guint8 nobody[4];
    struct ether_arp arp;
    if (length < ETHER_HDR_LEN + sizeof arp)
        return FALSE;
    memcpy(&arp, frame + ETHER_HDR_LEN, sizeof arp);
    if (arp.arp_hrd != htons(ARPHRD_ETHER) || arp.arp_pro != htons(ETHERTYPE_IP) ||
        arp.arp_hln != 6 || arp.arp_pln != 4)
        return FALSE;
    memcpy(holder, arp.arp_sha, 6);
    gboolean asks = arp.arp_op == htons(ARPOP_REQUEST) && memcmp(arp.arp_spa, nobody, 4) == 0 &&
                    memcmp(arp.arp_tpa, address, 4) == 0;
    return asks || memcmp(arp.arp_spa, address, 4) == 0;
}

/* The link-layer address that an advertisement tells of its target, where it tells one. */
static void read_target_mac(const guint8 *options, gsize length, guint8 holder[6])
{
    while (length >= OPTION_UNIT) {
        gsize size = options[1] * (gsize)OPTION_UNIT;
        if (size == 0 || size > length)
            return;
        if (options[0] == ND_OPT_TARGET_LINKADDR) {
            memcpy(holder, options + 2, 6);
            return;
        }
        options += size;
        length -= size;
    }
}

static gboolean neighbour_answers(const guint8 *frame, gsize length, const guint8 *address,
                                  guint8 holder[6])
{
    static const struct in6_addr nobody;
    struct ip6_hdr ip;
    struct nd_neighbor_advert message; /* a solicitation has the same form */
    const gsize begin = ETHER_HDR_LEN + sizeof ip;
    if (length < begin + sizeof message)
        return FALSE;
    memcpy(&ip, frame + ETHER_HDR_LEN, sizeof ip);
    memcpy(&message, frame + begin, sizeof message);
    if (ip.ip6_nxt != IPPROTO_ICMPV6 || ip.ip6_hlim != HOP_LIMIT ||
        memcmp(&message.nd_na_target, address, 16) != 0)
        return FALSE;
    memcpy(holder, frame + 6, 6);
    if (message.nd_na_type == ND_NEIGHBOR_SOLICIT)
        return memcmp(&ip.ip6_src, &nobody, sizeof nobody) == 0;
    if (message.nd_na_type != ND_NEIGHBOR_ADVERT)
        return FALSE;
    read_target_mac(frame + begin + sizeof message, length - begin - sizeof message, holder);
    return TRUE;
}

gboolean probe_answers(const guint8 *frame, gsize length, const VmAddress *address,
                       guint8 holder[6])
{
    if (length < ETHER_HDR_LEN)
        return FALSE;
    guint16 type = (guint16)(frame[12] << 8 | frame[13]);
    if (address->family == AF_INET)
        return type == ETHERTYPE_ARP && arp_answers(frame, length, address->bytes, holder);
    return type == ETHERTYPE_IPV6 && neighbour_answers(frame, length, address->bytes, holder);
}

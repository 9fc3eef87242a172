// SPDX-License-Identifier: Apache-2.0
/* The frames of address probes, byte by byte as the RFCs have them. */
#include "driver/nic_probe.h"
#include "driver/nic_probe_packet.h"

#include <string.h>

static const guint8 mine[6] = {0x02, 0, 0x0a, 0x09, 0, 7};
static const guint8 theirs[6] = {0x52, 0x54, 0, 1, 2, 3};

static VmAddress address(const char *text)
{
    VmAddress parsed;
    g_assert_true(vm_address_parse(text, &parsed));
    return parsed;
}

static const char arp_frame[] = "\xff\xff\xff\xff\xff\xff\x02\x00\x0a\x09\x00\x07\x08\x06"
                                "\x00\x01\x08\x00\x06\x04\x00\x01"
                                "\x02\x00\x0a\x09\x00\x07\x00\x00\x00\x00"
                                "\x00\x00\x00\x00\x00\x00\x0a\x09\x00\x07";

/* Without its checksum. */
static const char solicitation[] =
    "\x33\x33\xff\x34\x56\x78\x02\x00\x0a\x09\x00\x07\x86\xdd"
    "\x60\x00\x00\x00\x00\x18\x3a\xff"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x34\x56\x78"
    "\x87\x00\x00\x00\x00\x00\x00\x00"
    "\xfd\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x12\x34\x56\x78";

static void test_questions(void)
{
    guint8 frame[PROBE_QUESTION_MAX];
    VmAddress ip4 = address("10.9.0.7/24"), ip6 = address("fd09::1234:5678/64");
    gsize length = probe_question(mine, &ip4, frame);
    g_assert_cmpmem(frame, length, arp_frame, sizeof arp_frame - 1);
    length = probe_question(mine, &ip6, frame);
    g_assert_cmpuint(length, ==, sizeof solicitation - 1);
    g_assert_cmpmem(frame, 56, solicitation, 56);
    g_assert_cmpmem(frame + 58, length - 58, solicitation + 58, length - 58);
    /* With its checksum the message and its pseudo header add up to nothing. */
    guint32 sum = 0x3a + 24;
    for (gsize i = 22; i < length; i += 2)
        sum += (guint32)frame[i] << 8 | frame[i + 1];
    g_assert_cmpuint((sum & 0xffff) + (sum >> 16), ==, 0xffff);
}

static guint8 *arp(guint8 operation, const guint8 sender_mac[6], const char *sender,
                   const char *target)
{
    VmAddress from = address(sender), to = address(target);
    guint8 *frame = g_memdup2(arp_frame, sizeof arp_frame - 1);
    frame[21] = operation;
    memcpy(frame + 22, sender_mac, 6);
    memcpy(frame + 28, from.bytes, 4);
    memcpy(frame + 38, to.bytes, 4);
    return frame;
}

static void assert_arp(gboolean taken, guint8 operation, const char *sender, const char *target)
{
    VmAddress wanted = address("10.9.0.7/24");
    guint8 holder[6] = {0};
    g_autofree guint8 *frame = arp(operation, theirs, sender, target);
    g_assert_cmpint(probe_answers(frame, 42, &wanted, holder), ==, taken);
    if (taken)
        g_assert_cmpmem(holder, 6, theirs, 6);
    for (gsize length = 0; length < 42; length++)
        g_assert_false(probe_answers(frame, length, &wanted, holder));
}

static void test_arp(void)
{
    assert_arp(TRUE, 2, "10.9.0.7", "0.0.0.0");   /* an answer */
    assert_arp(TRUE, 1, "10.9.0.7", "10.9.0.1");  /* its holder asks for somebody else */
    assert_arp(TRUE, 1, "10.9.0.7", "10.9.0.7");  /* announces itself */
    assert_arp(TRUE, 1, "0.0.0.0", "10.9.0.7");   /* wants it too */
    assert_arp(FALSE, 1, "10.9.0.1", "10.9.0.7"); /* looks for it, as we do not answer yet */
    assert_arp(FALSE, 1, "0.0.0.0", "10.9.0.8");
    assert_arp(FALSE, 2, "10.9.0.8", "10.9.0.7");
}

static guint8 *neighbour(guint8 type, const char *source, const char *target)
{
    VmAddress from = address(source), to = address(target);
    /* With room for an option. */
    guint8 *frame = g_malloc0(86);
    memcpy(frame, solicitation, sizeof solicitation - 1);
    memcpy(frame + 6, theirs, 6);
    memcpy(frame + 22, from.bytes, 16);
    memcpy(frame + 62, to.bytes, 16);
    frame[54] = type;
    return frame;
}

static void assert_neighbour(gboolean taken, guint8 type, const char *source, const char *target)
{
    VmAddress wanted = address("fd09::7/64");
    guint8 holder[6] = {0};
    g_autofree guint8 *frame = neighbour(type, source, target);
    g_assert_cmpint(probe_answers(frame, 78, &wanted, holder), ==, taken);
    if (taken)
        g_assert_cmpmem(holder, 6, theirs, 6);
    for (gsize length = 0; length < 78; length++)
        g_assert_false(probe_answers(frame, length, &wanted, holder));
    frame[21] = 254; /* a router has passed it on */
    g_assert_false(probe_answers(frame, 78, &wanted, holder));
}

static void test_neighbours(void)
{
    assert_neighbour(TRUE, 136, "fd09::7", "fd09::7");
    assert_neighbour(TRUE, 136, "fe80::1", "fd09::7");
    assert_neighbour(TRUE, 135, "::", "fd09::7");
    assert_neighbour(FALSE, 135, "fd09::1", "fd09::7");
    assert_neighbour(FALSE, 135, "::", "fd09::8");
    assert_neighbour(FALSE, 136, "fd09::7", "fd09::8");
    assert_neighbour(FALSE, 137, "fd09::7", "fd09::7");
}

/* What it tells of its link-layer address counts more than who has sent the frame. */
static void test_option(void)
{
    static const guint8 told[6] = {2, 9, 9, 9, 9, 9};
    VmAddress wanted = address("fd09::7/64");
    guint8 holder[6] = {0};
    g_autofree guint8 *frame = neighbour(136, "fd09::7", "fd09::7");
    frame[78] = 2;
    frame[79] = 1;
    memcpy(frame + 80, told, 6);
    g_assert_true(probe_answers(frame, 86, &wanted, holder));
    g_assert_cmpmem(holder, 6, told, 6);
    /* Options of no length, and longer than what is there. */
    frame[79] = 0;
    g_assert_true(probe_answers(frame, 86, &wanted, holder));
    g_assert_cmpmem(holder, 6, theirs, 6);
    frame[79] = 2;
    g_assert_true(probe_answers(frame, 86, &wanted, holder));
    g_assert_cmpmem(holder, 6, theirs, 6);
}

static void test_asked(void)
{
    g_autoptr(Config) config = config_defaults();
    g_autoptr(VmSpec) spec = vm_spec_new();
    g_assert_cmpuint(nic_probe_ms(config, spec), ==, 0);
    spec->probe = VM_PROBE_YES;
    g_assert_cmpuint(nic_probe_ms(config, spec), ==, 500);
    config->network_probe = TRUE;
    config->network_probe_ms = 70;
    spec->probe = VM_PROBE_HOST;
    g_assert_cmpuint(nic_probe_ms(config, spec), ==, 70);
    spec->probe = VM_PROBE_NO;
    g_assert_cmpuint(nic_probe_ms(config, spec), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nic-probe/questions", test_questions);
    g_test_add_func("/nic-probe/arp", test_arp);
    g_test_add_func("/nic-probe/neighbours", test_neighbours);
    g_test_add_func("/nic-probe/option", test_option);
    g_test_add_func("/nic-probe/asked", test_asked);
    return g_test_run();
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The question who has an address, and the answers to it: ARP probes of RFC 5227 for IPv4,
 * duplicate detection of RFC 4862 for IPv6. Ethernet frames as they are on the link. Pure.
 */
#pragma once

#include "spec.h"

enum { PROBE_QUESTION_MAX = 78 };

/* The question whether anybody has ADDRESS, asked by MAC; the length of what is in FRAME. It gives
 * nobody a reason to send to MAC by that address. */
gsize probe_question(const guint8 mac[6], const VmAddress *address,
                     guint8 frame[PROBE_QUESTION_MAX]);

/*
 * TRUE when FRAME, which is foreign, says that somebody has ADDRESS, or asks for it as
 * probe_question() does: then HOLDER is the MAC of who that is.
 */
gboolean probe_answers(const guint8 *frame, gsize length, const VmAddress *address,
                       guint8 holder[6]);

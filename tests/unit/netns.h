// SPDX-License-Identifier: Apache-2.0
/*
 * A private place for tests that touch the kernel's network: own network and mount namespaces, an
 * empty /run, and iproute2 as the oracle that shares no code with what is tested.
 */
#pragma once

#include "driver/config.h"
#include "driver/netlink.h"

#include <jansson.h>

/* Enters it; FALSE when the caller may not (no root), and the test is to be skipped. */
gboolean netns_enter(void);

/* A configuration whose folders lie in the private /run. */
Config netns_config(void);

/* Runs a program by its command line; FALSE when it fails. */
gboolean netns_try(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The same where failure is a fault of the test. */
void netns_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* What it prints. */
gchar *netns_output(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* What `ip -j ARGUMENTS` tells. */
json_t *netns_ip(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* What `ip -j -d link` tells of one link, inside the named namespace unless NULL; NULL if there is
 * no such link. */
json_t *netns_link(const char *netns, const char *name);
/* "10.0.0.2/24 fd00::2/64" of a link, sorted, without link-local ones. */
gchar *netns_addresses(const char *netns, const char *name);
/* "default via 10.0.0.1 metric 5; 10.9.0.0/16 via …" of a link, sorted, without the kernel's own.
 */
gchar *netns_routes(const char *netns, const char *name);

const char *json_text(const json_t *object, const char *key);
gint64 json_number(const json_t *object, const char *key);

VmAddress netns_address(const char *text);

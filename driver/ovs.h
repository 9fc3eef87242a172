// SPDX-License-Identifier: Apache-2.0
/*
 * Ports of Open vSwitch, by ovs-vsctl: the bridge is the cloud's or the operator's, the port is
 * ours, and its VLAN, trunks and flows are those of OpenNebula's network driver, which finds it by
 * its name; a VLAN of domain XML or of a network of libvirt alone is set here. What Open vSwitch
 * is told stays in its database over a reboot of the host.
 *
 * A port of ours carries external_ids:vmdock=<deploy-id>; without it a port is somebody else's and
 * is neither used nor removed. Its interface carries what libvirt gives one too: attached-mac,
 * iface-id (the host end's name), vm-id and iface-status. It has a QoS record of type linux-noop,
 * with external_ids vmdock and port: without it Open vSwitch clears away, when it starts, the
 * queueing discipline that limits the NIC.
 *
 * Errors: NO_BRIDGE; UNSUPPORTED, ovs-vsctl cannot be started; NETWORK, everything that Open
 * vSwitch refuses, and its silence. No call lasts longer than twice [openvswitch] timeout_ms.
 */
#pragma once

#include "config.h"
#include "spec.h"

/* Something of ours in the database. */
typedef struct {
    gchar *name;    /* the port's, which is the host end's */
    gchar *owner;   /* a deploy id, as it stands there */
    gboolean there; /* the port; FALSE: only its QoS record is left */
    GPtrArray *qos; /* gchar*: the uuids of such records */
} OvsPort;

void ovs_port_free(OvsPort *port);

/* TRUE if somebody seems to listen: the socket of the database is there. */
gboolean ovs_serves(const Config *config);
/* What Open vSwitch answers to being asked for its version, one line: "3.1.0". */
gchar *ovs_version(const Config *config, GError **error);
/* *userspace tells whether a program moves this bridge's packets, and not the kernel. */
gboolean ovs_bridge_find(const Config *config, const char *bridge, gboolean *userspace,
                         GError **error);
/*
 * Makes NIC's host end a port of its bridge, and waits until it is one. Fine if it is: what
 * else the port has been told stays. One of ours on another bridge is replaced.
 */
gboolean ovs_plug(const Config *config, const char *deploy_id, const VmNic *nic, GError **error);
/* Everything of ours, or of one VM; OvsPort. */
GPtrArray *ovs_ports(const Config *config, const char *deploy_id, GError **error);
/* Takes PORTS (OvsPort) out of the database, and waits until they are no ports any more. */
gboolean ovs_remove(const Config *config, const GPtrArray *ports, GError **error);

/* Pure, for the above and their tests. */
/* The words behind `ovs-vsctl --db=… --timeout=…` that plug NIC; FRESH: it is no port
 * yet. */
GStrv ovs_plug_words(const char *deploy_id, const VmNic *nic, gboolean fresh);
/* What `find Port` and `find QoS` have printed as JSON, one after the other; OvsPort. */
GPtrArray *ovs_parse_ports(const char *text, GError **error);
/* The one sentence in what ovs-vsctl has said on stderr; "" when it has said nothing. */
gchar *ovs_complaint(const char *words);

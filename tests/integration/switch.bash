# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A switch of Open vSwitch for the lab, with its userspace datapath and a database in the lab's folder.

readonly SWITCH=$LAB_DIR/openvswitch OVS_RUN=/run/openvswitch

switch_start() {
    mkdir -p "$SWITCH" "$OVS_RUN"
    ovsdb-tool create "$SWITCH/conf.db" /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server "$SWITCH/conf.db" --remote=punix:$OVS_RUN/db.sock --pidfile --detach \
        --log-file="$SWITCH/ovsdb-server.log" &>/dev/null 3>&-
    ovs-vsctl --no-wait init
    vswitchd_start
}

vswitchd_start() {
    ovs-vswitchd unix:$OVS_RUN/db.sock --pidfile --detach --log-file="$SWITCH/ovs-vswitchd.log" \
        &>/dev/null 3>&-
}

switch_signal() {
    kill -s "$2" "$(cat "$OVS_RUN/$1.pid")"
}

switch_end() {
    local pid
    pid=$(cat "$OVS_RUN/$1.pid")
    kill "$pid"
    within 5 refused kill -0 "$pid"
}

switch_stop() {
    switch_end ovs-vswitchd
    switch_end ovsdb-server
    rm -rf "$SWITCH" "$OVS_RUN"
}

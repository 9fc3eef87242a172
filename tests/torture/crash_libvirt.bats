#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034 # crash.bash's
# The crash matrix of actions that ask libvirt: vmdock, or the program that asks for it, is killed at each of its
# system calls that changes anything. What libvirt has reserved is part of what must not be left.
#
# TORTURE_LIBVIRT_EVERY=N takes each Nth point only, for a change of its networks takes libvirt a while.

TORTURE_EVERY=${TORTURE_LIBVIRT_EVERY:-${TORTURE_EVERY:-1}}

load ../integration/helpers
load ../integration/front_end
load ../integration/libvirt
load actions
load crash

setup_file() {
    lab_ready
    front_end_ready
    action_files
    cp "$CONF" "$BATS_FILE_TMPDIR/before.conf"
    printf '\n[policy]\nlibvirt_networks = default\n' >>"$CONF"
    libvirtd_prepare
    libvirtd_start
    network default "<forward mode='nat'/><bridge name='virbr0' stp='off' delay='0'/>
        <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
            <range start='192.168.122.2' end='192.168.122.30'/></dhcp></ip>"
}

setup() {
    remember_state
    remember_networks
}

teardown() {
    sweep
    clear_networks
}

teardown_file() {
    cp "$BATS_FILE_TMPDIR/before.conf" "$CONF"
    v net-destroy default
    libvirtd_stop
}

# ---- the actions, with one NIC more ---------------------------------------------------------------

deploy_on_network() {
    vmdock deploy --network default "$BATS_FILE_TMPDIR/one.xml"
}

describe() {
    INPUT=/dev/null
    case $1 in
        deploy) COMMAND=(vmdock deploy --network default "$BATS_FILE_TMPDIR/one.xml") ;;
        *) COMMAND=(vmdock "$1" "one-$VM") ;;
    esac
}

prepare() {
    [ "$1" = deploy ] || deploy_on_network >/dev/null
}

# The address of libvirt's network is there, and is the VM's in its network, too.
expected() {
    case $1 in
        purge) all_gone ;;
        *) runs_with "10.9.0.80 192.168.122.2" && has "$(reserved default)" 192.168.122.2 ;;
    esac
}

@test "deploy onto a network of libvirt killed at each change" {
    matrix deploy
}

@test "purge of a VM on a network of libvirt killed at each change" {
    matrix purge
}

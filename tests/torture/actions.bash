# shellcheck shell=bash
# shellcheck disable=SC2034 # for the tests
# SPDX-License-Identifier: Apache-2.0
# The actions that the tests of this folder break off: how each is called, what it needs, and what it
# leaves. Loaded after helpers and front_end.
#
# TORTURE_EVERY=N takes each Nth point of an action only, TORTURE_ENGINE_EVERY=N of those at which the engine
# fails, which takes seconds each.

EVERY=${TORTURE_EVERY:-1}
NIC=nic=lab0,10.9.0.80
MORE=nic=lab0,10.9.0.81
VM=80
readonly EVERY NIC MORE VM

# For setup_file: the descriptions that the actions read.
action_files() {
    vm_xml "$VM" "$NIC" >"$BATS_FILE_TMPDIR/one.xml"
    vm_xml "$VM" "$NIC" "$MORE" >"$BATS_FILE_TMPDIR/two.xml"
    action_data "$VM" "$NIC" "$MORE" >"$BATS_FILE_TMPDIR/attach.xml"
    action_data "$VM" "$NIC" >"$BATS_FILE_TMPDIR/detach.xml"
}

# The command line of the action, for exec: COMMAND and what it reads.
describe() {
    local one=$LAB_PREFIX/libexec/vmdock/vmdock-one
    INPUT=/dev/null
    case $1 in
        deploy | again) COMMAND=(vmdock deploy "$BATS_FILE_TMPDIR/one.xml") ;;
        attach_nic)
            COMMAND=("$one" attach_nic "one-$VM" "$(mac_of 10.9.0.81)" lab0 - bridge x "$VM" node1)
            INPUT=$BATS_FILE_TMPDIR/attach.xml ;;
        detach_nic)
            COMMAND=("$one" detach_nic "one-$VM" "$(mac_of 10.9.0.81)" "$VM" node1)
            INPUT=$BATS_FILE_TMPDIR/detach.xml ;;
        snapshot_create) COMMAND=("$one" snapshot_create "one-$VM" 0 "$VM" node1) ;;
        snapshot_revert | snapshot_delete) COMMAND=("$one" "$1" "one-$VM" snap.0 "$VM" node1) ;;
        poll) COMMAND=(vmdock poll) ;;
        *) COMMAND=(vmdock "$1" "one-$VM") ;;
    esac
}

# The host as the action finds it.
prepare() {
    case $1 in
        deploy) ;;
        detach_nic) vmdock deploy "$BATS_FILE_TMPDIR/two.xml" >/dev/null ;;
        *) vmdock deploy "$BATS_FILE_TMPDIR/one.xml" >/dev/null ;;
    esac
}

runs_with() {
    same "$(container_state "$VM")" running
    same "$(ip -j -n "one-$VM" addr | jq -r '[.[].addr_info[]? | select(.family == "inet" and .scope == "global").local] | join(" ")')" "$1"
}

# The host as the action leaves it.
expected() {
    case $1 in
        attach_nic) runs_with "10.9.0.80 10.9.0.81" ;;
        shutdown | cancel) same "$(container_state "$VM")" exited ;;
        purge) nothing_left ;;
        *) runs_with 10.9.0.80 ;;
    esac
}

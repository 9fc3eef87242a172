#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034 # crash.bash's
# The crash matrix of actions on a VM that has a NIC on a network of the engine's beside its own. The network has one
# address to give, so what the engine keeps for a VM that has gone is missed by the next container there.
#
# TORTURE_NETWORK_EVERY=N takes each Nth point only.

TORTURE_EVERY=${TORTURE_NETWORK_EVERY:-${TORTURE_EVERY:-1}}

load ../integration/helpers
load ../integration/front_end
load actions
load crash

readonly ADDRESS=10.65.0.2

setup_file() {
    lab_ready
    cp "$CONF" "$BATS_FILE_TMPDIR/before.conf"
    printf '\n[policy]\nengine_networks = narrow\n' >>"$CONF"
    docker network create --subnet "${ADDRESS%.*}.0/30" --gateway "${ADDRESS%.*}.1" narrow
    vm_xml "$VM" "$NIC" user="$(element DOCKER_NETWORK narrow)" >"$BATS_FILE_TMPDIR/one.xml"
}

setup() {
    remember_state
}

teardown() {
    sweep
}

teardown_file() {
    cp "$BATS_FILE_TMPDIR/before.conf" "$CONF"
    docker network rm narrow
}

all_gone() {
    nothing_left && same "$(on_network narrow)" "" && docker run --rm --network narrow "$IMAGE" true
}

expected() {
    case $1 in
        deploy) runs_with "10.9.0.80 $ADDRESS" && same "$(on_network narrow)" "one-$VM " ;;
        cancel) same "$(container_state "$VM")" exited && same "$(on_network narrow)" "" ;;
        purge) all_gone ;;
    esac
}

@test "deploy onto a network of the engine killed at each change" {
    matrix deploy
}

@test "cancel of a VM on a network of the engine killed at each change" {
    matrix cancel
}

@test "purge of a VM on a network of the engine killed at each change" {
    matrix purge
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What `vmdock events` tells, as it happens.

load helpers

setup_file() {
    lab_ready
}

setup() {
    remember_state
    SEEN=$BATS_TEST_TMPDIR/seen
    : >"$SEEN"
    # what is killed later is vmdock itself, and no shell of bats's that would call it a failure
    (exec vmdock events --json >"$SEEN" 2>"$SEEN.error" 3>&-) &
    LISTENER=$!
    within 10 hears "$SEEN"
}

# Something that is told happens, and stands in FILE: the engine has been asked for its events.
hears() {
    docker create --name one-80 --network none --label vmdock.vm=one-80 "$IMAGE"
    docker rm one-80
    grep -q 'one-80.*removed' "$1"
}

teardown() {
    kill "$LISTENER" 2>/dev/null || true
    sweep
}

told() {
    jq -e --arg vm "$1" --arg event "$2" 'select(.vm == $vm and .event == $event)' "$SEEN"
}

@test "a VM that starts, is frozen, dies and goes" {
    deploy 81 nic=lab0,10.9.0.81
    within 5 told one-81 started
    vmdock pause one-81
    within 5 told one-81 paused
    vmdock resume one-81
    within 5 told one-81 resumed
    docker kill one-81
    within 5 told one-81 stopped
    [ "$(told one-81 stopped | jq .exit_code)" = 137 ]
    vmdock purge one-81
    within 5 told one-81 removed
}

@test "a container that is no VM is not told of" {
    docker run --rm --network none --name stranger --label vmdock.vm=one-82 lab/vm:1 true
    deploy 83
    within 5 told one-83 started
    run grep stranger "$SEEN"
    [ "$status" -ne 0 ]
    vmdock purge one-83
}

@test "it ends when the engine does, and says so" {
    kill "$LISTENER"
    (exec vmdock events >"$SEEN.plain" 2>"$SEEN.error" 3>&-) &
    LISTENER=$!
    within 10 hears "$SEEN.plain"
    "$LAB" engine "$LAB_DIR" stop
    local ended=0
    wait "$LISTENER" || ended=$?
    "$LAB" engine "$LAB_DIR" start
    [ "$ended" -ne 0 ]
    grep -q "engine" "$SEEN.error"
}

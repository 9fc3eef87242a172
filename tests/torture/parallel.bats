#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many actions at once: deploys, cancels, deploy against cancel on one VM, and polls over and over during all
# of it, which never tell a state that the VM was not in. With TORTURE_MANY=N with N VMs.

load ../integration/helpers

MANY=${TORTURE_MANY:-50}
FIRST=400
readonly MANY FIRST

setup_file() {
    lab_ready
    local n
    for ((n = 0; n < MANY; n++)); do
        vm_xml $((FIRST + n)) "nic=lab0,10.9.0.$((10 + n))" >"$BATS_FILE_TMPDIR/$((FIRST + n)).xml"
    done
}

setup() {
    remember_state
}

teardown() {
    touch "$BATS_TEST_TMPDIR/stop"
    sweep
}

# all COMMAND…: at once for each VM, its id in place of ID; fails if one fails.
all() {
    local id status=0
    local -A pids=()
    for ((id = FIRST; id < FIRST + MANY; id++)); do
        "${@//ID/$id}" &>"$BATS_TEST_TMPDIR/$id.out" 3>&- &
        pids[$id]=$!
    done
    for id in "${!pids[@]}"; do
        wait "${pids[$id]}" || { status=1 && echo "VM $id: $(tail -n 3 "$BATS_TEST_TMPDIR/$id.out")"; }
    done
    return "$status"
}

# Polls until it is told to stop, and keeps what each poll tells of each VM: "N-TH-POLL VM STATE".
watch_states() {
    local answer n=0
    while [ ! -e "$BATS_TEST_TMPDIR/stop" ]; do
        n=$((n + 1))
        answer=$(vmdock poll --json 2>>"$BATS_TEST_TMPDIR/poll.err") || echo "poll $n failed" >>"$BATS_TEST_TMPDIR/poll.err"
        jq -r --arg n "$n" '.[] | "\($n) \(.vm) \(.state)"' <<<"$answer" >>"$BATS_TEST_TMPDIR/told"
    done
}

begin_watch() {
    rm -f "$BATS_TEST_TMPDIR"/{stop,told,poll.err}
    watch_states 3>&- &
    WATCH=$!
}

# end_watch STATE…: each VM has been told of in states of this order alone, and never in an earlier one again.
end_watch() {
    touch "$BATS_TEST_TMPDIR/stop"
    wait "$WATCH"
    [ ! -s "$BATS_TEST_TMPDIR/poll.err" ] || fail "a poll failed: $(head -n 3 "$BATS_TEST_TMPDIR/poll.err")"
    [ -s "$BATS_TEST_TMPDIR/told" ] || fail "no poll told anything"
    awk -v order="$*" '
        BEGIN { count = split(order, states, " "); for (i = 1; i <= count; i++) place[states[i]] = i }
        !($3 in place) || place[$3] < last[$2] { print "wrong: poll " $1 ": " $2 " is " $3; bad = 1 }
        { last[$2] = place[$3] }
        END { exit bad }' "$BATS_TEST_TMPDIR/told"
}

# What each VM's own namespace says.
all_reachable() {
    local n
    for ((n = 0; n < MANY; n++)); do
        same "$(addresses $((FIRST + n)))" "10.9.0.$((10 + n))/24"
        ping -c 1 -W 2 -q "10.9.0.$((10 + n))" >/dev/null || fail "10.9.0.$((10 + n)) does not answer"
    done
}

@test "all deployed at once, cancelled at once and purged at once, with polls all the while" {
    begin_watch
    all vmdock deploy "$BATS_FILE_TMPDIR/ID.xml"
    end_watch created running
    all_reachable
    same "$(vmdock poll --json | jq -r '[.[].state] | unique | join(" ")')" running
    begin_watch
    all vmdock cancel one-ID
    end_watch running exited
    same "$(vmdock poll --json | jq -r '[.[].state] | unique | join(" ")')" exited
    all vmdock purge one-ID
    nothing_left
}

@test "deploy against cancel on one VM: each time one comes after the other" {
    local i deploy cancel state
    for ((i = 0; i < 20; i++)); do
        vmdock deploy "$BATS_FILE_TMPDIR/$FIRST.xml" &>"$BATS_TEST_TMPDIR/deploy.out" 3>&- &
        deploy=$!
        sleep "0.0$((i % 10))"
        vmdock cancel "one-$FIRST" &>"$BATS_TEST_TMPDIR/cancel.out" 3>&- &
        cancel=$!
        wait "$deploy" || fail "deploy: $(cat "$BATS_TEST_TMPDIR/deploy.out")"
        wait "$cancel" || grep -q "no such VM\|there is no" "$BATS_TEST_TMPDIR/cancel.out" || fail "cancel: $(cat "$BATS_TEST_TMPDIR/cancel.out")"
        state=$(container_state "$FIRST")
        [[ $state == running || $state == exited ]] || fail "the container is $state"
        [ "$state" != running ] || same "$(addresses "$FIRST")" 10.9.0.10/24
    done
    vmdock purge "one-$FIRST"
    nothing_left
}

@test "the lock of a VM goes with its holder, and other VMs do not wait for it" {
    local held waits
    image lab/deaf:1 'CMD ["sh", "-c", "trap : TERM; while :; do sleep 1000 & wait; done"]'
    remember_state
    vm_xml "$FIRST" nic=lab0,10.9.0.10 image=docker://lab/deaf:1 | vmdock deploy -
    vmdock shutdown --time 60 "one-$FIRST" &>/dev/null 3>&- &
    held=$!
    until ! flock --nonblock "$RUN/lock/one-$FIRST" true; do kill -s 0 "$held"; done
    vmdock cancel "one-$FIRST" &>"$BATS_TEST_TMPDIR/cancel.out" 3>&- &
    waits=$!
    vmdock deploy "$BATS_FILE_TMPDIR/$((FIRST + 1)).xml"
    kill -s 0 "$waits"
    kill -s KILL "$held"
    wait "$held" || true
    wait "$waits" || fail "cancel: $(cat "$BATS_TEST_TMPDIR/cancel.out")"
    same "$(container_state "$FIRST")" exited
    vmdock purge "one-$FIRST"
    vmdock purge "one-$((FIRST + 1))"
    nothing_left
}

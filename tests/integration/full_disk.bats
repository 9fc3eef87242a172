#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A full disk under the engine, which has a small one of its own here, and a full run folder of vmdock's: one
# sentence, the exit status of a full disk, nothing left, and with room again all goes on.

load helpers
load front_end

NIC=nic=lab0,10.9.0.66
ENGINE=$LAB_DIR/small
REGISTRY=127.0.0.1:5079
LARGE=$REGISTRY/lab/large:1

setup_file() {
    lab_ready
    front_end_ready
    "$LAB" registry "$LAB_DIR" --port "${REGISTRY#*:}" >/dev/null
    image "$LARGE" 'RUN dd if=/dev/urandom of=/large bs=1M count=12'
    docker push --quiet "$LARGE" >/dev/null
    docker rmi "$LARGE" >/dev/null
    cp "$CONF" "$BATS_FILE_TMPDIR/conf"
    printf '\n[engine]\nsocket = %s\n' "$OTHER_SOCKET" >>"$CONF"
    small_engine
    export DOCKER_HOST=unix://$OTHER_SOCKET
}

small_engine() {
    mkdir -p "$ENGINE/data"
    truncate -s 96M "$ENGINE/disk"
    mkfs.ext4 -q -m 0 "$ENGINE/disk"
    mount -o loop "$ENGINE/disk" "$ENGINE/data"
    other_engine_start "$ENGINE"
    docker save "$IMAGE" | docker --host "unix://$OTHER_SOCKET" load >/dev/null
}

teardown_file() {
    cat "$BATS_FILE_TMPDIR/conf" >"$CONF"
    other_engine_end "$ENGINE"
}

setup() {
    front_end_files
    remember_state
}

teardown() {
    make_room
    run_is_back
    sweep
    docker images --quiet "${LARGE%:*}" | xargs -r docker rmi --force >/dev/null
}

# fill [MB]: of the engine's disk that much is left.
fill() {
    local left=${1:-0} free
    sync --file-system "$ENGINE/data"
    free=$(df --output=avail -B1M "$ENGINE/data" | tail -n 1)
    fallocate -l "$((free - left - 2))M" "$ENGINE/data/filler"
    [ "$left" -eq 0 ] || return 0
    # that was not all: it needs blocks of its own, and the engine may still free some of an earlier test
    for _ in 1 2 3; do
        dd if=/dev/zero of="$ENGINE/data/rest" bs=4k oflag=append conv=notrunc,fsync 2>/dev/null || true
        sleep 0.3
    done
}

make_room() {
    rm -f "$ENGINE/data/filler" "$ENGINE/data/rest"
}

@test "the engine's disk is full while it fetches an image" {
    fill 6
    fails_with NO_SPACE "no space left on device" deploy 66 "$NIC" "image=docker://$LARGE"
    has "$output" "$LARGE"
    nothing_left
    make_room
    deploy 66 "$NIC" "image=docker://$LARGE"
    same "$(container_state 66)" running
}

@test "the engine's disk is full when it is to make the container" {
    fill
    fails_with NO_SPACE "no space left on device" deploy 66 "$NIC"
    # an engine that can write nothing may not even give up the image's name: that is told, and purge has it done
    nothing_left || has "$output" "cannot take back the image's name"
    make_room
    vmdock purge one-66
    nothing_left
    deploy 66 "$NIC"
    same "$(addresses 66)" 10.9.0.66/24
}

@test "the engine's disk is full when a VM that has stopped is to start: its files stay" {
    deploy 66 "$NIC"
    docker exec one-66 sh -c 'echo kept >/root/note'
    vmdock shutdown one-66
    fill
    run --separate-stderr deploy 66 "$NIC"
    [ "$status" -eq 0 ] || [ "$status" -eq "$(status_of NO_SPACE)" ]
    make_room
    deploy 66 "$NIC"
    same "$(docker exec one-66 cat /root/note)" kept
}

@test "the engine's disk is full when a VM that runs is saved: it runs on, and nothing of the snapshot is there" {
    local before
    deploy 66 "$NIC"
    docker exec one-66 dd if=/dev/urandom of=/root/big bs=1M count=12 2>/dev/null
    before=$(host_state)
    fill 4
    denied NO_SPACE "no space left on device" remote_direct snapshot_create one-66 0 66 node1 < <(action_data 66 "$NIC")
    same "$(host_state)" "$before"
    same "$(container_state 66)" running
    same "$(addresses 66)" 10.9.0.66/24
    make_room
    remote_direct snapshot_create one-66 0 66 node1 < <(action_data 66 "$NIC")
}

@test "the engine's disk is full: the sentence reaches the cloud's user" {
    fill 6
    denied NO_SPACE "no space left on device" one_deploy 66 "$NIC" "image=docker://$LARGE"
    same "$(cat "$OUT")" ""
    nothing_left
}

# run_on OPTIONS: vmdock's run folder on a file system of its own.
run_on() {
    mount -t tmpfs -o "mode=755,$1" own "$RUN"
}

run_is_back() {
    ! grep -q "^own $RUN " /proc/mounts || umount "$RUN"
}

no_bytes_left() {
    head -c 1M /dev/zero >"$RUN/filler" 2>/dev/null || true
}

@test "a full run folder, of bytes or of inodes: no VM, one sentence, nothing left" {
    run_on size=64k
    no_bytes_left
    fails_with NO_SPACE "No space left on device" deploy 66 "$NIC"
    run_is_back
    nothing_left
    # its own is the first
    run_on size=64k,nr_inodes=1
    fails_with NO_SPACE "No space left on device" deploy 66 "$NIC"
    same "$(ls -A "$RUN")" ""
    run_is_back
    nothing_left
}

@test "a run folder that is full under a VM: it runs on, is told of, can be stopped and purged" {
    run_on size=256k
    deploy 66 "$NIC"
    no_bytes_left
    same "$(vmdock list --ids)" one-66
    same "$(vmdock --json poll 2>"$ERR" | jq -r '.. | .state? // empty')" running
    grep -q '^warning: .*No space left on device$' "$ERR"
    vmdock shutdown one-66
    vmdock purge one-66
    run_is_back
    nothing_left
}

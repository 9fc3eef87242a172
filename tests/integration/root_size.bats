#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # texts that are not expanded
# SIZE of disk 0, on an engine whose storage can hold a VM's root to it (btrfs), and on the lab's own, which
# cannot.

load helpers
load front_end

NIC=nic=lab0,10.9.0.97
ENGINE=$LAB_DIR/btrfs
OTHER=unix://$OTHER_SOCKET

setup_file() {
    lab_ready
    front_end_ready
    cp "$CONF" "$BATS_FILE_TMPDIR/conf"
    start_engine || skip "kernel lacks btrfs"
    printf '\n[engine]\nsocket = %s\n' "$OTHER_SOCKET" >>"$CONF"
    docker save "$IMAGE" | docker --host "$OTHER" load >/dev/null
    export DOCKER_HOST=$OTHER
}

# Another engine beside the lab's, its folder on a btrfs.
start_engine() {
    grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null || return 1
    mkdir -p "$ENGINE/data"
    truncate -s 2G "$ENGINE/disk"
    mkfs.btrfs -q "$ENGINE/disk"
    mount -o loop "$ENGINE/disk" "$ENGINE/data"
    other_engine_start "$ENGINE" btrfs
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
    sweep
    docker images --quiet 'lab/filled' | xargs -r docker rmi --force >/dev/null
}

# sized SIZE ORIGINAL ID [as vm_xml]: the XML of a VM whose disk 0 has that SIZE.
sized() {
    local size=$1 original=$2
    shift 2
    vm_xml "$@" | sed "s|$(element DISK_ID 0 | sed 's/[][]/\\&/g')|&<SIZE>$size</SIZE><ORIGINAL_SIZE>$original</ORIGINAL_SIZE>|"
}

up() {
    vmdock deploy - < <(sized "$1" 10 97 "$NIC" "${@:2}")
    counted
}

# btrfs loses count when the engine removes a container; what vmdock has had it begin has ended.
counted() {
    btrfs quota rescan -W "$ENGINE/data" >/dev/null 2>&1 || true
}

lost_count() {
    grep -qx 1 "/sys/fs/btrfs/$(btrfs filesystem show "$ENGINE/data" | sed -n 's/.*uuid: //p')/qgroups/inconsistent"
}

option() {
    docker inspect --format '{{json .HostConfig.StorageOpt}}' one-97
}

# write_mb NUMBER [FILE]: what a VM writes on its root. btrfs counts what is written when it commits.
write_mb() {
    local status=0
    docker exec one-97 dd if=/dev/zero "of=/root/${2:-big}" bs=1M count="$1" conv=fsync || status=$?
    btrfs filesystem sync "$ENGINE/data"
    return "$status"
}

@test "a VM writes no more than SIZE, image and all; one without SIZE of its own is not held" {
    up 64 2>"$ERR"
    same "$(cat "$ERR")" ""
    same "$(option)" '{"size":"67108864"}'
    run -1 write_mb 100
    has "$output" "quota exceeded"
    [ "$(docker exec one-97 stat -c %s /root/big)" -lt 67108864 ]
    docker exec one-97 rm /root/big
    write_mb 40
    vmdock purge one-97
    vmdock deploy - < <(sized 10 10 97 "$NIC")
    same "$(option)" null
    write_mb 100
    vmdock purge one-97
    nothing_left
}

@test "the limit outlives power-off and reset; another SIZE is for a new container" {
    up 64
    vmdock shutdown one-97
    up 64 2>"$ERR"
    same "$(cat "$ERR")" ""
    vmdock reset one-97
    refused write_mb 100
    vmdock shutdown one-97
    up 128 2>"$ERR"
    has "$(cat "$ERR")" "goes on with its old size of disk 0"
    refused write_mb 100
}

@test "a snapshot, and a revert to it, keep the limit of the VM" {
    up 64
    write_mb 30 kept
    remote_direct snapshot_create one-97 0 97 node1 < <(action_data 97)
    remote snapshot_revert one-97 snap.0 97 node1 < <(action_data 97) || fail "$(cat "$ERR")"
    counted
    same "$(option)" '{"size":"67108864"}'
    same "$(docker exec one-97 stat -c %s /root/kept)" $((30 << 20))
    write_mb 20
    refused write_mb 40 more
    vmdock purge one-97
    nothing_left
}

@test "what a VM wrote before it moved, or in a persistent image, counts" {
    up 64
    write_mb 30 kept
    docker commit one-97 lab/filled:1 >/dev/null
    vmdock purge one-97
    up 64 image=docker://lab/filled:1
    same "$(option)" '{"size":"67108864"}'
    write_mb 20
    refused write_mb 40 more
}

@test "an image that fills SIZE alone leaves the VM room to start, and that is told" {
    up 64
    write_mb 50 kept
    docker commit one-97 lab/filled:1 >/dev/null
    vmdock purge one-97
    up 40 image=docker://lab/filled:1 2>"$ERR"
    has "$(cat "$ERR")" "SIZE of disk 0 (40 MB) is all but filled by its image (51 MB): 16 MB can be written"
    same "$(container_state 97)" running
    write_mb 10
    refused write_mb 20 more
    vmdock purge one-97
    up 8 2>"$ERR"
    has "$(cat "$ERR")" "SIZE of disk 0 is not honoured: its image has 10 MB, and a disk is made larger only"
    same "$(option)" null
}

@test "btrfs that has lost count, as by the removal of a container, counts anew from the next probe on" {
    local group
    up 64
    group=$(btrfs qgroup show -re "$ENGINE/data" | awk '$4 == "64.00MiB" { print $1 }' | tail -n 1)
    btrfs qgroup create 1/1 "$ENGINE/data"
    btrfs qgroup assign --no-rescan "$group" 1/1 "$ENGINE/data" 2>/dev/null || true
    lost_count
    "$(find "$LAB_PREFIX" -name vmdock-one -type f -executable)" monitor vm/status onedock 0 node1 \
        <<<'<MONITOR_CONFIGURATION/>' >/dev/null
    counted
    refused lost_count
    refused write_mb 100
}

@test "an engine that cannot hold a root to a size: the VM's log says so, and it runs" {
    export DOCKER_HOST=unix:///run/docker.sock
    vmdock --config "$BATS_FILE_TMPDIR/conf" deploy - < <(sized 64 10 97 "$NIC") 2>"$ERR"
    has "$(cat "$ERR")" "SIZE of disk 0 (64 MB) is not honoured: the engine's storage (overlay2 on "
    has "$(cat "$ERR")" ") cannot hold a root to a size"
    same "$(grep -c . "$ERR")" 1
    same "$(container_state 97)" running
    same "$(option)" null
    vmdock --config "$BATS_FILE_TMPDIR/conf" purge one-97
}

@test "explain tells the size" {
    same "$(sized 64 10 97 "$NIC" | vmdock explain --json - | jq .root_size)" 67108864
    has "$(sized 64 10 97 "$NIC" | vmdock explain -)" "held to 64 MB, image and all, where the engine's storage can"
    same "$(sized 10 10 97 "$NIC" | vmdock explain --json - | jq .root_size)" null
}

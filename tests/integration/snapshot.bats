#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Snapshots of a VM's disk 0: made, reverted to, deleted, called as OpenNebula calls them; what a failure
# or a killed action leaves.

load helpers
load front_end

NIC=nic=lab0,10.9.0.95

setup_file() {
    lab_ready
    front_end_ready
}

setup() {
    front_end_files
    remember_state
    UNNAMED=$(docker images --filter dangling=true --quiet | sort)
}

teardown() {
    ! mountpoint -q "$CONF" || umount "$CONF"
    sweep
}

create() {
    remote_direct snapshot_create one-95 "$1" 95 node1 < <(action_data 95)
}

revert() {
    remote snapshot_revert one-95 "$1" 95 node1 < <(action_data 95)
}

delete() {
    remote_direct snapshot_delete one-95 "$1" 95 node1 < <(action_data 95)
}

vmdock_one() {
    find "$LAB_PREFIX" -name vmdock-one -type f -executable
}

write_note() {
    docker exec one-95 sh -c "echo $1 >/root/note"
}

note() {
    docker exec one-95 cat /root/note
}

image_of() {
    docker image inspect --format '{{.Id}}' "$1"
}

# The VM runs in its network, and its container is the only one that bears its label.
is_whole() {
    same "$(container_state 95)" running
    same "$(addresses 95)" 10.9.0.95/24
    ping -c 1 -W 2 -q 10.9.0.95
    docker exec one-95 ip addr show eth0 | grep -q 10.9.0.95/24
    same "$(docker ps --all --filter label=vmdock.vm=one-95 --format '{{.Names}}')" one-95
    same "$(image_of vmdock/one-95:disk.0)" "$(docker inspect --format '{{.Image}}' one-95)"
    refused docker image inspect vmdock/one-95:old
    [ ! -e "$STATE/one-95/swap" ]
    vmdock list --ids | grep -qx one-95
}

no_dangling() {
    same "$(docker images --filter dangling=true --quiet | sort)" "$UNNAMED"
}

@test "snapshot_create answers one word, the snapshot's name, and the VM goes on" {
    deploy 95 "$NIC"
    write_note first
    create 0
    same "$(cat "$OUT")" snap.0
    same "$(wc -l <"$OUT")" 1
    is_whole
    same "$(docker run --rm --entrypoint cat vmdock/one-95:snap.0 /root/note)" first
    vmdock purge one-95
    nothing_left
}

@test "revert brings the files of the snapshot back and keeps network, limits and identity, again and again" {
    local link
    deploy 95 "$NIC" memory=96 cpu=0.5 command="first --with words"
    link=$(cat /sys/class/net/one-95-0/ifindex)
    write_note first
    create 0
    write_note second
    create 1
    write_note third
    revert snap.0
    same "$(cat "$OUT")" ""
    is_whole
    same "$(note)" first
    same "$(cat /sys/class/net/one-95-0/ifindex)" "$link"
    same "$(docker inspect --format '{{.HostConfig.Memory}}' one-95)" $((96 * 1024 * 1024))
    same "$(docker inspect --format '{{join .Config.Cmd " "}}' one-95)" "first --with words"
    same "$(docker inspect --format '{{index .Config.Labels "vmdock.cloud-id"}}' one-95)" 95
    revert snap.1
    is_whole
    same "$(note)" second
    write_note fourth
    revert snap.0
    is_whole
    same "$(note)" first
    vmdock reset one-95
    is_whole
    same "$(note)" first
    vmdock shutdown one-95
    deploy 95 "$NIC"
    same "$(note)" first
    vmdock purge one-95
    nothing_left
    no_dangling
}

@test "delete takes the snapshot's name; a VM that stands on it goes on; deleting again is fine" {
    deploy 95 "$NIC"
    write_note first
    create 0
    create 1
    revert snap.0
    delete snap.0
    refused docker image inspect vmdock/one-95:snap.0
    is_whole
    same "$(note)" first
    delete snap.0
    # what stood on nothing but the VM's own name goes with it
    revert snap.1
    is_whole
    no_dangling
    delete snap.1
    vmdock purge one-95
    nothing_left
    no_dangling
}

@test "a number that is used again is another snapshot, and the old one's image goes" {
    deploy 95 "$NIC"
    write_note first
    create 0
    write_note second
    create 0
    revert snap.0
    same "$(note)" second
    no_dangling
}

@test "a VM that is paused stays so while its snapshot is made; one that died by itself is brought back" {
    deploy 95 "$NIC"
    write_note first
    vmdock pause one-95
    create 0
    same "$(container_state 95)" paused
    vmdock resume one-95
    docker kill one-95 >/dev/null
    revert snap.0
    is_whole
    same "$(note)" first
}

@test "what the image declares as a volume is in no snapshot: a revert leaves it as it is, purge takes it" {
    image lab/volume:1 'VOLUME /data'
    deploy 95 "$NIC" image=docker://lab/volume:1
    docker exec one-95 sh -c 'echo kept >/data/note'
    write_note first
    create 0
    write_note second
    docker exec one-95 sh -c 'echo kept too >>/data/note'
    revert snap.0
    revert snap.0
    same "$(note)" first
    same "$(docker exec one-95 cat /data/note)" "kept
kept too"
    same "$(docker volume ls --quiet | wc -l)" 1
    vmdock purge one-95
    same "$(docker volume ls --quiet)" ""
    docker rmi lab/volume:1 >/dev/null
    nothing_left
}

@test "a snapshot that does not boot: the VM is back as it was, and runs" {
    local id
    deploy 95 "$NIC"
    write_note first
    create 0
    id=$(container_id 95)
    # an image whose first program is missing stands for a root that does not boot
    image vmdock/one-95:snap.1 'RUN rm /bin/first'
    denied ENGINE_REFUSED "cannot start the container" revert snap.1
    is_whole
    same "$(container_id 95)" "$id"
    same "$(note)" first
    # watched for longer than by default: this machine may be slow
    mount --bind "$(config_with '[vm]' 'boot_watch_ms = 3000')" "$CONF"
    image vmdock/one-95:snap.2 "RUN printf '#!/bin/sh\necho broken root\nexit 3\n' >/bin/first"
    denied DEAD "broken root" revert snap.2
    is_whole
    same "$(container_id 95)" "$id"
    vmdock pause one-95
    denied DEAD "broken root" revert snap.2
    same "$(container_state 95)" paused
    vmdock resume one-95
    is_whole
    vmdock purge one-95
    nothing_left
}

@test "no such snapshot, no such VM, names and numbers that are none: nothing changes" {
    local name
    denied NO_VM "no VM one-95" create 0
    deploy 95 "$NIC"
    denied NO_IMAGE "no snapshot snap.7" revert snap.7
    for name in disk.0 'snap.' snap.1x ../x 'snap.1;id' 'snap.99999999999' ''; do
        denied USAGE "" revert "$name" || fail "$name"
        denied USAGE "" delete "$name" || fail "$name"
    done
    denied USAGE "" create -1
    denied USAGE "" create x
    denied USAGE "" remote_direct snapshot_create one-95 0 96 node1 </dev/null
    is_whole
    vmdock purge one-95
    nothing_left
}

@test "a snapshot whose name nobody takes is taken back" {
    deploy 95 "$NIC"
    run bash -c '"$1" snapshot_create one-95 0 95 node1 </dev/null >/dev/full' bash "$(vmdock_one)"
    [ "$status" -eq "$(status_of NO_SPACE)" ]
    refused docker image inspect vmdock/one-95:snap.0
    is_whole
    no_dangling
}

@test "a create that is interrupted leaves the snapshot or nothing" {
    local delay
    deploy 95 "$NIC"
    docker exec one-95 dd if=/dev/urandom of=/root/big bs=1M count=20 2>/dev/null
    for delay in 0.05 0.1 0.2; do
        timeout --foreground --signal=TERM "$delay" "$(vmdock_one)" snapshot_create one-95 0 95 node1 </dev/null \
            >"$BATS_TEST_TMPDIR/name" 2>/dev/null || true
        if [ -s "$BATS_TEST_TMPDIR/name" ]; then
            docker image inspect vmdock/one-95:snap.0 >/dev/null
        else
            refused docker image inspect vmdock/one-95:snap.0
        fi
        is_whole
        no_dangling
    done
}

@test "a revert that is interrupted leaves the VM on the old root or on the new one, running" {
    local delay
    deploy 95 "$NIC"
    write_note first
    create 0
    write_note second
    for delay in 0.03 0.1 0.15 0.25; do
        timeout --foreground --signal=TERM "$delay" "$(vmdock_one)" snapshot_revert one-95 snap.0 95 node1 </dev/null \
            &>/dev/null || true
        is_whole
        [[ $(note) == first || $(note) == second ]]
        write_note second
    done
    vmdock purge one-95
    nothing_left
    no_dangling
}

@test "after a revert that is killed the next action finds one VM, with the old root or the new one" {
    local delay pid
    deploy 95 "$NIC"
    write_note first
    create 0
    write_note second
    for delay in 0.05 0.1 0.15 0.2 0.3; do
        "$(vmdock_one)" snapshot_revert one-95 snap.0 95 node1 </dev/null &>/dev/null 3>&- &
        pid=$!
        sleep "$delay"
        kill -s KILL "$pid" 2>/dev/null || true
        wait "$pid" || true
        sleep 0.4
        deploy 95 "$NIC"
        # one that had ended already
        vmdock gc >/dev/null
        is_whole
        [[ $(note) == first || $(note) == second ]]
        write_note second
    done
    vmdock purge one-95
    nothing_left
    no_dangling
}

@test "gc clears what a killed change of the container and a VM without container leave" {
    deploy 95 "$NIC"
    write_note first
    create 0
    # as killed before the new container ran
    touch "$STATE/one-95/swap"
    docker rename one-95 one-95.old
    docker create --name one-95 --runtime vmdock --cgroup-parent "/$PARENT" --label vmdock.vm=one-95 --network none \
        vmdock/one-95:snap.0 >/dev/null
    run vmdock gc --dry-run
    has "$output" "would be settled"
    same "$(container_state 95)" created
    run vmdock gc
    has "$output" "is settled"
    is_whole
    # as killed between the old container's removal and its image's
    docker tag "$IMAGE" vmdock/one-95:old
    run vmdock gc --dry-run
    has "$output" "vmdock/one-95:old is the image that VM one-95 had before: it would go"
    run vmdock gc
    has "$output" "vmdock/one-95:old is the image that VM one-95 had before: it is gone"
    is_whole
    run vmdock gc
    same "$output" ""
    # as left by a removal that failed
    docker rename one-95 one-95.old
    docker create --name one-95 --runtime vmdock --cgroup-parent "/$PARENT" --label vmdock.vm=one-95 --network none \
        "$IMAGE" >/dev/null
    docker start one-95 >/dev/null 2>&1 || true
    docker rm -f one-95 >/dev/null
    run vmdock gc
    has "$output" "one-95.old"
    same "$(docker ps --all --quiet)" ""
    refused docker image inspect vmdock/one-95:snap.0
    vmdock purge one-95
    nothing_left
}

@test "gc clears the snapshots of a VM whose container is gone, and says so first" {
    deploy 95 "$NIC"
    create 0
    docker rm -f one-95 >/dev/null
    run vmdock gc --dry-run
    has "$output" "one-95"
    docker image inspect vmdock/one-95:snap.0 >/dev/null
    vmdock gc
    nothing_left
}

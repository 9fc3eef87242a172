#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # commands for the VM's shell
# What a template asks for with ONEDOCK_USER, _WORKDIR, _TMPFS, _INIT, _TERMINAL, _ENTRYPOINT, _PIDS_LIMIT,
# _STOP_SIGNAL, _READONLY_ROOT, _CAP_ADD and _DEVICES is seen in the VM itself.

load helpers

setup_file() {
    lab_ready
}

teardown() {
    sweep
}

# attributes NAME VALUE…: of a template.
attributes() {
    while [ $# -gt 0 ]; do
        element "ONEDOCK_$1" "$2"
        shift 2
    done
}

# with NAME VALUE…: VM 64, whose template has these attributes.
with() {
    deploy 64 user="$(attributes "$@")" >/dev/null
}

# allowing LINE NAME VALUE…: the same, where the host's policy has the line.
allowing() {
    local conf
    conf=$(config_with '[policy]' "$1")
    shift
    vm_xml 64 user="$(attributes "$@")" >"$BATS_TEST_TMPDIR/vm.xml"
    vmdock --config "$conf" deploy "$BATS_TEST_TMPDIR/vm.xml" >/dev/null
}

# first_process FILE: of /proc, of the VM's first process as the host sees it.
first_process() {
    printf '/proc/%s/%s\n' "$(docker inspect --format '{{.State.Pid}}' one-64)" "$1"
}

# Real, effective and saved id of the first process, and those of the file system.
ids() {
    awk -v key="$1:" '$1 == key { print $2, $3, $4, $5 }' "$(first_process status)"
}

@test "USER: the first process runs as whom it names, by name, by number and with a group" {
    deploy 64
    same "$(ids Uid)/$(ids Gid)" "0 0 0 0/0 0 0 0"
    vmdock purge one-64
    with USER guest
    same "$(ids Uid)/$(ids Gid)" "1000 1000 1000 1000/1000 1000 1000 1000"
    vmdock purge one-64
    with USER 1234:77
    same "$(ids Uid)/$(ids Gid)" "1234 1234 1234 1234/77 77 77 77"
    vmdock purge one-64
}

@test "USER that the image does not have: one sentence, and nothing is left" {
    remember_state
    fails_with ENGINE_REFUSED nobody-here with USER nobody-here
    nothing_left
}

@test "WORKDIR: the first process, and commands in the VM, begin there" {
    with WORKDIR /home/guest
    same "$(docker exec one-64 readlink /proc/1/cwd)" /home/guest
    same "$(vmdock exec one-64 -- pwd | tr -d '\r')" /home/guest
}

@test "TMPFS: mounts of memory with their options, empty again after a reboot" {
    with TMPFS '/run,/scratch:size=4m,mode=700,exec'
    same "$(docker exec one-64 awk '$2 == "/run" || $2 == "/scratch" { print $2, $3 }' /proc/mounts | sort | xargs)" \
        "/run tmpfs /scratch tmpfs"
    has "$(docker exec one-64 grep ' /scratch ' /proc/mounts)" size=4096k
    same "$(docker exec one-64 stat -c %a /scratch)" 700
    docker exec one-64 cp /bin/busybox /scratch/true
    docker exec one-64 /scratch/true
    docker exec one-64 cp /bin/busybox /run/true
    refused docker exec one-64 /run/true
    run docker exec one-64 dd if=/dev/zero of=/scratch/big bs=1M count=5
    has "$output" "No space left on device"
    vmdock reboot one-64
    same "$(docker exec one-64 ls -A /scratch)" ""
}

@test "INIT: the engine's init is the first process, and buries the VM's orphans" {
    deploy 64
    same "$(docker exec one-64 cat /proc/1/comm)" first
    vmdock purge one-64
    with INIT yes
    same "$(docker exec one-64 cat /proc/1/comm)" docker-init
    # it hands the signal on
    vmdock shutdown one-64
    docker logs one-64 | grep -q stopped
    vmdock purge one-64
    # a program that buries nobody
    with COMMAND "sleep 1000"
    leave_orphan
    within 10 has_zombie
    vmdock purge one-64
    with COMMAND "sleep 1000" INIT yes
    leave_orphan
    within 10 has_no_zombie
}

# A process that has ended, and whose parent has too, without having asked for it.
leave_orphan() {
    docker exec one-64 sh -c 'sh -c "true & exec sleep 0.1" & wait'
}

has_zombie() {
    docker exec one-64 sh -c 'cat /proc/[0-9]*/status' | grep -q '^State:.*zombie'
}

has_no_zombie() {
    ! has_zombie
}

@test "TERMINAL: the first process has one, and none where the template says no" {
    deploy 64
    has "$(docker exec one-64 readlink /proc/1/fd/0)" /dev/pts/
    has "$(docker logs one-64)" $'first instruction\r'
    vmdock purge one-64
    with TERMINAL no
    has_not "$(docker exec one-64 readlink /proc/1/fd/0)" /dev/pts/
    has_not "$(docker exec one-64 readlink /proc/1/fd/1)" /dev/pts/
    has "$(docker logs one-64)" "first instruction"
    has_not "$(docker logs one-64)" $'\r'
}

@test "ENTRYPOINT: in place of the image's, with the command behind it; [] takes it away" {
    image lab/entry:1 'ENTRYPOINT ["sleep"]' 'CMD ["1001"]'
    local user
    for user in "" "$(attributes COMMAND 1002)" "$(attributes ENTRYPOINT 'sh -c' COMMAND '["exec sleep 1003"]')" \
        "$(attributes ENTRYPOINT '[]' COMMAND 'tail -f /etc/issue')"; do
        deploy 64 image=docker://lab/entry:1 user="$user" >/dev/null
        within 5 refused grep -q '^sh' "$(first_process cmdline)"
        tr '\0' ' ' <"$(first_process cmdline)"
        echo
        vmdock purge one-64
    done >"$BATS_TEST_TMPDIR/ran"
    same "$(cat "$BATS_TEST_TMPDIR/ran")" "sleep 1001 
sleep 1002 
sleep 1003 
tail -f /etc/issue "
}

@test "PIDS_LIMIT: the kernel's limit, and no process more" {
    with PIDS_LIMIT 12
    same "$(cgroup_value 64 "$(cgroup_v2 || echo pids)" pids.max)" 12
    run docker exec one-64 sh -c 'for i in $(seq 30); do sleep 1000 & done'
    has "$output" "can't fork"
    same "$(container_state 64)" running
}

@test "STOP_SIGNAL: the signal that the first process gets at a shutdown, by name and by number" {
    local signal
    for signal in SIGUSR1 10; do
        with STOP_SIGNAL "$signal" COMMAND '["sh", "-c", "trap \"echo told by USR1; exit 5\" USR1; echo ready; while :; do sleep 0.1; done"]'
        within 5 grep -q ready <(docker logs one-64)
        vmdock shutdown one-64
        has "$(docker logs one-64)" "told by USR1"
        same "$(docker inspect --format '{{.State.ExitCode}}' one-64)" 5
        vmdock purge one-64
    done
}

@test "READONLY_ROOT: a write is refused, but for the places that are memory" {
    with READONLY_ROOT yes TMPFS /scratch
    run -1 docker exec one-64 touch /root/file
    has "$output" "Read-only file system"
    docker exec one-64 touch /scratch/file
}

@test "CAP_ADD: what the host's policy allows is there, with or without CAP_; else one sentence" {
    local name bounding
    for name in NET_ADMIN CAP_NET_ADMIN; do
        fails_with POLICY "[policy] capabilities" with CAP_ADD "$name"
        allowing 'capabilities = NET_ADMIN' CAP_ADD "$name"
        bounding=$(sed -n 's/^CapBnd:\t/0x/p' "$(first_process status)")
        # the engine's own, and that one
        same "$((bounding))" "$((0xa80425fb | 1 << 12))"
        docker exec one-64 ip link set lo mtu 1400
        vmdock purge one-64
    done
}

@test "DEVICES: what the host's policy allows can be opened, under its name in the guest; else one sentence" {
    [ -c /dev/fuse ] || skip "kernel lacks fuse"
    fails_with POLICY "[policy] devices" with DEVICES /dev/fuse
    deploy 64
    refused docker exec one-64 test -e /dev/fuse
    vmdock purge one-64
    allowing 'devices = /dev/fuse' DEVICES /dev/fuse
    docker exec one-64 sh -c 'exec 3<>/dev/fuse'
    vmdock purge one-64
    allowing 'devices = /dev/fuse' DEVICES /dev/fuse:/dev/other:r
    docker exec one-64 sh -c 'exec 3</dev/other'
    run docker exec one-64 sh -c 'exec 3<>/dev/other'
    has "$output" "not permitted"
    vmdock purge one-64
    fails_with POLICY "[policy] devices" allowing 'devices = /dev/fuse:r' DEVICES /dev/fuse:/dev/other:rw
}

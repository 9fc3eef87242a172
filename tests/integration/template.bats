#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a template asks for with ONEDOCK_USER, _WORKDIR, _TMPFS, _INIT and _TERMINAL is seen in the VM itself.

load helpers

setup_file() {
    lab_ready
}

teardown() {
    sweep
}

# with NAME VALUE…: VM 64, whose template has these attributes.
with() {
    local user=''
    while [ $# -gt 0 ]; do
        user+=$(element "ONEDOCK_$1" "$2")
        shift 2
    done
    deploy 64 user="$user" >/dev/null
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

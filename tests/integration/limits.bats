#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # a command for the shell of an image
# CPU, VCPU and MEMORY of the template are seen in the kernel's own files, v1 or v2.

load helpers

setup_file() {
    lab_ready
}

teardown() {
    sweep
}

memory_limit() {
    if cgroup_v2; then cgroup_value "$1" '' memory.max; else cgroup_value "$1" memory memory.limit_in_bytes; fi
}

swap_is_counted() {
    if cgroup_v2; then cgroup_value 30 '' memory.swap.max; else cgroup_value 30 memory memory.memsw.limit_in_bytes; fi
}

# Memory and swap together.
swap_limit() {
    if cgroup_v2; then
        printf '%s\n' $(($(memory_limit "$1") + $(cgroup_value "$1" '' memory.swap.max)))
    else
        cgroup_value "$1" memory memory.memsw.limit_in_bytes
    fi
}

# Microseconds of CPU in 100 ms; "none" without a ceiling.
quota() {
    local value
    if cgroup_v2; then
        value=$(cgroup_value "$1" '' cpu.max)
        value=${value%% *}
    else
        value=$(cgroup_value "$1" cpu cpu.cfs_quota_us)
        same "$(cgroup_value "$1" cpu cpu.cfs_period_us)" 100000
    fi
    case $value in -1 | max) echo none ;; *) printf '%s\n' "$value" ;; esac
}

# v1 shares; v2's weight is computed from them by the runtime's formula.
weight_is() {
    if cgroup_v2; then
        same "$(cgroup_value "$1" '' cpu.weight)" $((1 + (($2 - 2) * 9999) / 262142))
    else
        same "$(cgroup_value "$1" cpu cpu.shares)" "$2"
    fi
}

pids_limit() {
    cgroup_value "$1" "$(cgroup_v2 || echo pids)" pids.max
}

@test "MEMORY is the limit, with no swap beyond it" {
    deploy 30 memory=96
    same "$(memory_limit 30)" $((96 * 1024 * 1024))
    swap_is_counted || skip "kernel lacks swap accounting"
    same "$(swap_limit 30)" $((96 * 1024 * 1024))
}

@test "swap is counted beside the memory, where the template asks for some" {
    deploy 30 memory=64 user="$(element ONEDOCK_SWAP 32)"
    same "$(docker inspect --format '{{.HostConfig.MemorySwap}}' one-30)" $((96 * 1024 * 1024))
    same "$(memory_limit 30)" $((64 * 1024 * 1024))
    swap_is_counted || skip "kernel lacks swap accounting"
    same "$(swap_limit 30)" $((96 * 1024 * 1024))
}

@test "a VM that wants more memory than it has is stopped by the kernel" {
    image lab/greedy:1 'CMD ["sh", "-c", "sleep 0.5; x=$(head -c 100000000 /dev/zero | tr \"\\\\0\" a); echo survived; sleep 100"]'
    deploy 30 memory=16 image=docker://lab/greedy:1
    within 20 sh -c 'docker inspect --format "{{.State.Status}}" one-30 | grep -q exited'
    run docker logs one-30
    has_not "$output" survived
}

@test "CPU is the weight, 1024 for one; VCPU is the ceiling" {
    deploy 30 cpu=0.5 vcpu=2
    weight_is 30 512
    same "$(quota 30)" 200000
}

@test "without VCPU the ceiling is the whole number of CPUs that holds CPU" {
    deploy 30 cpu=0.5
    same "$(quota 30)" 100000
    deploy 31 cpu=1.5
    same "$(quota 31)" 200000
}

@test "where the host says so, CPU itself is the ceiling" {
    vm_xml 31 cpu=0.2 vcpu=1 >"$BATS_TEST_TMPDIR/31.xml"
    vmdock --config "$(config_with '[vm]' 'hard_cpu = true')" deploy "$BATS_TEST_TMPDIR/31.xml"
    same "$(quota 31)" 20000
}

@test "the number of processes has the host's limit" {
    deploy 30
    same "$(pids_limit 30)" 4096
}

@test "a VM's container stands under vmdock's own cgroup parent" {
    deploy 30
    same "$(docker inspect --format '{{.HostConfig.CgroupParent}} {{.HostConfig.Runtime}}' one-30)" "/$PARENT vmdock"
    [ -n "$(cgroup_value 30 "$(cgroup_v2 || echo cpu)" cgroup.procs)" ]
}

@test "poll tells what the kernel's files tell" {
    image lab/busy:1 'CMD ["sh", "-c", "while :; do :; done"]'
    deploy 30 cpu=1 vcpu=1 image=docker://lab/busy:1 nic=lab0,10.9.0.30
    deploy 31 nic=lab0,10.9.0.31
    local json used begun percent
    used=$(cpu_used 30) begun=$(date +%s%N)
    vmdock poll >/dev/null
    sleep 2
    json=$(vmdock --json poll)
    # the busy one uses what the host has left of a core, as its cgroup tells; the idle one next to nothing
    percent=$((($(cpu_used 30) - used) * 100 / ($(date +%s%N) - begun)))
    [ "$percent" -gt 0 ]
    poll_between "$json" $((percent * 3 / 4 - 1)) $((percent * 5 / 4 + 1)) one-30 cpu_percent
    poll_between "$json" 0 20 one-31 cpu_percent
    poll_between "$json" 1 67108864 one-31 memory_bytes
    poll_between "$json" 67108864 67108864 one-31 memory_limit_bytes
    poll_between "$json" 1 1 one-30 pids
}

# Nanoseconds of CPU time.
cpu_used() {
    if cgroup_v2; then
        echo $(($(cgroup_value "$1" cpu cpu.stat | awk '$1 == "usage_usec" { print $2 }') * 1000))
    else
        cgroup_value "$1" cpuacct cpuacct.usage
    fi
}

# poll_between ANSWER LEAST MOST VM FIELD
poll_between() {
    local value
    value=$(jq -r --arg vm "$4" --arg field "$5" '.[] | select(.vm == $vm) | .[$field]' <<<"$1")
    awk -v v="$value" -v least="$2" -v most="$3" 'BEGIN { exit !(v != "" && v >= least && v <= most) }' ||
        fail "$5 of $4 is $value, not between $2 and $3"
}

# io KEY: of VM 30, as poll has it.
io() {
    vmdock --json poll | jq ".. | objects | select(.vm? == \"one-30\") | .$1"
}

@test "poll counts the bytes that a VM writes to the disk and reads from it, and how often" {
    local bytes ops
    deploy 30
    bytes=$(io disk_write_bytes) ops=$(io disk_write_ops)
    # past the page cache, which has no owner
    docker exec one-30 dd if=/dev/zero of=/root/big bs=1M count=4 oflag=direct
    [ "$(($(io disk_write_bytes) - bytes))" -ge $((4 << 20)) ] && [ "$(io disk_write_ops)" -gt "$ops" ]
    bytes=$(io disk_read_bytes) ops=$(io disk_read_ops)
    docker exec one-30 dd if=/root/big of=/dev/null bs=1M iflag=direct
    [ "$(($(io disk_read_bytes) - bytes))" -ge $((4 << 20)) ] && [ "$(io disk_read_ops)" -gt "$ops" ]
}

@test "poll counts a VM's traffic in its own sense of received and sent" {
    deploy 30 nic=lab0,10.9.0.30 command="httpd -f -h /www"
    docker exec one-30 sh -c 'head -c 2097152 /dev/zero >/www/big'
    within 5 busybox wget -q -O /dev/null http://10.9.0.30/big
    local json
    json=$(vmdock --json poll)
    poll_between "$json" 2097152 4194304 one-30 net_tx_bytes
    poll_between "$json" 1 1048576 one-30 net_rx_bytes
}

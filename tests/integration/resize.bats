#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The limits of a VM that runs, changed; the size of its disk, refused; and the actions that a container
# cannot take part in.

load helpers
load front_end

NIC=nic=lab0,10.9.0.90

setup_file() {
    lab_ready
    front_end_ready
}

setup() {
    front_end_files
    remember_state
}

teardown() {
    ! mountpoint -q "$STATE/one-90" || umount "$STATE/one-90"
    sweep
}

resize() {
    local id=$1
    remote_direct resize "one-$id" "$id" node1 < <(action_data "$@")
}

memory_limit() {
    if cgroup_v2; then
        cgroup_value 90 memory memory.max
    else
        cgroup_value 90 memory memory.limit_in_bytes
    fi
}

cpu_ceiling() {
    if cgroup_v2; then
        cgroup_value 90 cpu cpu.max
    else
        echo "$(cgroup_value 90 cpu cpu.cfs_quota_us) $(cgroup_value 90 cpu cpu.cfs_period_us)"
    fi
}

# The VM holds MIB MiB of memory that cannot be given back.
use_memory() {
    docker exec one-90 sh -c "mkdir -p /held && dd if=/dev/zero of=/dev/shm/held bs=1M count=$1 2>/dev/null"
}

@test "resize brings memory, CPU and VCPU to the VM that runs, without a restart" {
    deploy 90 "$NIC" cpu=0.5 vcpu=1 memory=64
    local started
    started=$(docker inspect --format '{{.State.StartedAt}}' one-90)
    resize 90 "$NIC" cpu=1.5 vcpu=3 memory=160
    same "$(cat "$OUT")" ""
    same "$(memory_limit)" $((160 * 1024 * 1024))
    same "$(cpu_ceiling)" "300000 100000"
    same "$(docker inspect --format '{{.HostConfig.CpuShares}}' one-90)" 1536
    same "$(docker inspect --format '{{.State.StartedAt}}' one-90)" "$started"
    same "$(jq -c '[.limits.memory, .limits.cpu_weight, .limits.cpu_quota_us]' "$STATE/one-90/spec.json")" \
        "[$((160 * 1024 * 1024)),1536,300000]"
    ping -c 1 -W 2 -q 10.9.0.90
}

@test "resize with the very stdin of the records" {
    deploy 1 cpu=0.5 vcpu=2 memory=256
    remote_direct resize one-1 1 onenode1 < <(recorded resize)
    same "$(docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.CpuQuota}}' one-1)" \
        "$((512 * 1024 * 1024)) 1024 300000"
}

@test "resize keeps what else is saved of the VM, and a reset after it keeps the limits" {
    deploy 90 "$NIC" memory=64
    # the message of a resize may describe NICs and names that are not applied
    resize 90 memory=96 name=other
    same "$(jq -r '.nics | length' "$STATE/one-90/spec.json")" 1
    same "$(jq -r .name "$STATE/one-90/spec.json")" "vm 90"
    vmdock reset one-90
    same "$(memory_limit)" $((96 * 1024 * 1024))
    same "$(addresses 90)" 10.9.0.90/24
}

@test "resize shrinks memory that is free" {
    deploy 90 "$NIC" memory=256
    resize 90 "$NIC" memory=64
    same "$(memory_limit)" $((64 * 1024 * 1024))
    same "$(container_state 90)" running
}

@test "resize refuses to shrink memory below what is in use, and changes nothing" {
    deploy 90 "$NIC" memory=256 vcpu=1
    cp "$STATE/one-90/spec.json" "$BATS_TEST_TMPDIR/spec.json"
    use_memory 48
    denied STATE "memory cannot become 32 MiB" resize 90 "$NIC" memory=32 vcpu=2
    has "$(message)" "are in use"
    same "$(memory_limit)" $((256 * 1024 * 1024))
    same "$(cpu_ceiling)" "100000 100000"
    cmp "$STATE/one-90/spec.json" "$BATS_TEST_TMPDIR/spec.json"
    same "$(container_state 90)" running
}

@test "a resize that cannot be saved is taken back" {
    deploy 90 "$NIC" memory=64
    # room for two pages, which the saved spec and context.sh take
    mount -t tmpfs -o size=8k tmpfs "$STATE/one-90"
    deploy 90 "$NIC" memory=64
    denied NO_SPACE "No space left" resize 90 "$NIC" memory=128
    same "$(memory_limit)" $((64 * 1024 * 1024))
    same "$(jq .limits.memory "$STATE/one-90/spec.json")" $((64 * 1024 * 1024))
}

@test "a resize that is interrupted leaves limits and saved spec in step" {
    local delay
    deploy 90 "$NIC" memory=64
    action_data 90 "$NIC" memory=128 >"$BATS_TEST_TMPDIR/data"
    for delay in 0.01 0.02 0.03 0.05; do
        timeout --foreground --signal=TERM "$delay" "$(vmdock_one)" resize one-90 90 node1 \
            <"$BATS_TEST_TMPDIR/data" &>/dev/null || true
        same "$(memory_limit)" "$(jq .limits.memory "$STATE/one-90/spec.json")"
    done
}

vmdock_one() {
    find "$LAB_PREFIX" -name vmdock-one -type f -executable
}

@test "resize of a stopped VM counts from its next start" {
    deploy 90 "$NIC" memory=64
    docker kill one-90 >/dev/null
    resize 90 "$NIC" memory=128
    vmdock reset one-90
    same "$(memory_limit)" $((128 * 1024 * 1024))
}

@test "resize: no such VM, another VM's description, broken XML, ids that are none" {
    denied NO_VM "no VM one-91" resize 91
    deploy 90 "$NIC"
    denied SPEC "sends the description of VM one-91" remote_direct resize one-90 90 node1 < <(action_data 91)
    denied SPEC "" remote_direct resize one-90 90 node1 <<<'<VM>'
    denied USAGE "" remote_direct resize one-90 91 node1 < <(action_data 90)
    denied USAGE "" remote_direct resize '../x' 90 node1 < <(action_data 90)
}

@test "resize_disk of disk 0 is refused in one sentence that says what to use instead" {
    deploy 90 "$NIC"
    local data
    data=$(action_data 90 | base64 -w0)
    denied UNSUPPORTED "disk-saveas" remote resize_disk one-90 0 128 "$data" node1 90 node1 < <(action_data 90)
    same "$(grep -c . "$ERR")" 1
    denied STATE "it has no disk 2" remote resize_disk one-90 2 128 "$data" node1 90 node1 < <(action_data 90)
    denied USAGE "" remote resize_disk one-90 0 lots "$data" node1 90 node1 < <(action_data 90)
    denied NO_VM "" remote resize_disk one-91 0 128 "$data" node1 91 node1 < <(action_data 91)
    same "$(container_state 90)" running
}

@test "save, restore and migrate are refused, by the form of every front end" {
    local version action first
    local -A arguments=(
        [save]="one-90 /var/lib/one//datastores/102/90/checkpoint node1 90 node1"
        [restore]="/var/lib/one//datastores/102/90/checkpoint node1 one-90 90 node1"
        [migrate]="one-90 node2 node1 90 node1"
    ) instead=([save]=poweroff [restore]=resume [migrate]="migrate --poff")
    deploy 90 "$NIC"
    for action in save restore migrate; do
        first=
        for version in 7.4.0 6.10.0 5.12.0.4; do
            echo "$version" >"$REMOTES/VERSION"
            # shellcheck disable=SC2086 # words
            denied UNSUPPORTED "${instead[$action]}" remote "$action" ${arguments[$action]} < <(action_data 90)
            first=${first:-$(message | sed 's/[. ]*$//')}
            same "$(message | sed 's/[. ]*$//')" "$first"
        done
    done
    denied USAGE "" remote save one-90 /x node1 91 node1 < <(action_data 90)
    same "$(container_state 90)" running
    vmdock purge one-90
    nothing_left
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What only an operator does: interrupts actions, loses names, changes the configuration, looks closer.

load helpers

NIC=nic=lab0,10.9.0.70

setup_file() {
    lab_ready
}

setup() {
    remember_state
    XML=$BATS_TEST_TMPDIR/vm.xml
    vm_xml 70 "$NIC" >"$XML"
}

teardown() {
    sweep
}

reaches() {
    ping -c 1 -W 2 -q 10.9.0.70
    docker exec one-70 ip addr show eth0 | grep -q 10.9.0.70/24
}

# interrupt_during SECONDS SIGNAL COMMAND…: however it ends.
interrupt_during() {
    local delay=$1 signal=$2
    shift 2
    # Not by a shell's background job, which would ignore SIGINT.
    timeout --foreground --signal="$signal" "$delay" "$@" &>"$BATS_TEST_TMPDIR/interrupted" || true
}

@test "a shutdown that is interrupted is seen through: the VM is off, its network gone" {
    image lab/slow:1 'CMD ["sh", "-c", "trap \"sleep 2; exit 0\" TERM; while :; do sleep 1000 & wait; done"]'
    deploy 70 "$NIC" image=docker://lab/slow:1
    interrupt_during 0.7 TERM vmdock shutdown one-70
    same "$(container_state 70)" exited
    [ ! -e /run/netns/one-70 ]
    [ ! -e /sys/class/net/one-70-0 ]
}

@test "a reboot that is interrupted leaves the VM running with its network" {
    local delay
    deploy 70 "$NIC"
    for delay in 0.02 0.05 0.1 0.2 0.3; do
        interrupt_during "$delay" INT vmdock reboot one-70
        same "$(container_state 70)" running
        reaches
    done
}

@test "a reboot of a stopped VM that is interrupted leaves it stopped, or done" {
    local delay
    deploy 70 "$NIC"
    for delay in 0.02 0.05 0.1 0.15 0.2; do
        vmdock cancel one-70
        interrupt_during "$delay" HUP vmdock reboot one-70
        if [ "$(container_state 70)" = running ]; then
            reaches
        else
            [ ! -e /run/netns/one-70 ]
            [ ! -e /sys/class/net/one-70-0 ]
        fi
    done
}

@test "cancel and purge that are interrupted leave nothing after a second try" {
    local delay
    for delay in 0.01 0.03 0.05 0.1; do
        vmdock deploy "$XML"
        interrupt_during "$delay" TERM vmdock cancel one-70
        interrupt_during "$delay" TERM vmdock purge one-70
        vmdock purge one-70
        nothing_left
    done
}

@test "a running VM whose sandbox has lost its name keeps its network, and gets the name back" {
    deploy 70 "$NIC"
    local before
    before=$(docker exec one-70 readlink /proc/self/ns/net)
    umount -l /run/netns/one-70
    rm /run/netns/one-70
    vmdock deploy "$XML"
    same "$(docker exec one-70 readlink /proc/self/ns/net)" "$before"
    same "$(stat -L -c 'net:[%i]' /run/netns/one-70)" "$before"
    reaches
    umount -l /run/netns/one-70
    vmdock reboot one-70
    reaches
}

@test "gc under another cgroup parent or runtime name leaves running VMs alone" {
    deploy 70 "$NIC"
    vmdock --config "$(config_with '[vm]' 'cgroup_parent = /elsewhere')" gc
    vmdock --config "$(config_with '[runtime]' 'name = other')" gc
    reaches
    vmdock show one-70 | grep -q 10.9.0.70
}

@test "cancel clears a container that a killed deploy made and never started" {
    deploy 70 "$NIC"
    vmdock purge one-70
    docker create --name one-70 --runtime vmdock --cgroup-parent "/$PARENT" --network none \
        --label vmdock.vm=one-70 "$IMAGE" sleep 1000 >/dev/null
    vmdock cancel one-70
    nothing_left
}

@test "gc --dry-run says what would go and removes nothing" {
    deploy 70 "$NIC"
    docker rm -f one-70 >/dev/null
    run vmdock gc --dry-run
    [ "$status" -eq 0 ]
    has "$output" one-70
    [ -e /run/netns/one-70 ]
    [ -e /sys/class/net/one-70-0 ]
    vmdock gc
    nothing_left
}

@test "reboot after a reboot of the host brings the VM back" {
    deploy 70 "$NIC"
    docker kill one-70 >/dev/null
    ip link del one-70-0
    umount -l /run/netns/one-70 && rm /run/netns/one-70
    rm -rf "${RUN:?}"/*
    vmdock gc
    [ -s "$STATE/one-70/spec.json" ]
    vmdock reboot one-70
    reaches
}

@test "a VM that an older vmdock deployed is stopped, started and plugged by this one" {
    local saved=$STATE/one-70/spec.json
    deploy 70 "$NIC" user="$(element ONEDOCK_STOP_TIMEOUT 1)"
    # What the first version saved had neither context nor disks, and NICs without limits.
    jq 'del(.context, .disks) | .nics[] |= del(.inbound, .outbound)' "$saved" >"$saved.old"
    cp "$saved.old" "$saved"
    vmdock reboot one-70
    reaches
    cp "$saved.old" "$saved"
    vmdock reset one-70
    mv "$saved.old" "$saved"
    vmdock list | grep -q 10.9.0.70
    vmdock shutdown one-70
    vmdock deploy - < <(vm_xml 70 "$NIC") 2>"$BATS_TEST_TMPDIR/err"
    has_not "$(cat "$BATS_TEST_TMPDIR/err")" "cannot be read"
    reaches
}

@test "--trace shows each engine call and netlink message with its time" {
    run vmdock --trace deploy "$XML"
    [ "$status" -eq 0 ]
    [[ $output =~ [0-9]+\.[0-9]+\ ms\ +engine\ POST\ /v1\.[0-9]+/containers/create ]]
    [[ $output =~ [0-9]+\.[0-9]+\ ms\ +netlink\ make\ the\ veth\ pair\ one-70-0 ]]
    run vmdock deploy "$XML"
    has_not "$output" netlink
}

@test "version tells vmdock's and the engine's, also as JSON, and vmdock's alone without an engine" {
    run vmdock version
    has "$output" "vmdock "
    has "$output" "docker $(docker version --format '{{.Server.Version}}')"
    same "$(vmdock --json version | jq -r .engine_version)" "$(docker version --format '{{.Server.Version}}')"
    run vmdock --config "$(config_with '[engine]' 'socket = /run/no-engine.sock')" version
    [ "$status" -eq 0 ]
    has "$output" "vmdock "
    has "$output" /run/no-engine.sock
}

@test "doctor ends with status 22 when VMs cannot run, and says how to mend it" {
    run vmdock --config "$(config_with '[engine]' 'socket = /run/no-engine.sock')" doctor
    [ "$status" -eq "$(status_of UNHEALTHY)" ]
    has "$output" fail
    has "$output" "to mend:"
}

@test "exec takes options before and behind the verb" {
    deploy 70 "$NIC"
    same "$(vmdock exec --config "$CONF" one-70 -- echo --config)" --config
    same "$(vmdock --config "$CONF" exec one-70 echo here)" here
}

@test "the help fits 80 columns, stands in columns, and a verb's own names its options where they go" {
    local help line verb LC_ALL=C.UTF-8
    help=$(vmdock --help)
    same "$(awk 'length > 80' <<<"$help")" ""
    while IFS= read -r line; do
        [[ $line =~ ^\ \ ([a-z]+)\  ]] || continue
        verb=${BASH_REMATCH[1]}
        [[ ${line:26:2} =~ ^\ [A-Z]$ ]]
        run -0 vmdock "$verb" --help
        has "$output" "  vmdock $verb [OPTION…]"
    done <<<"$help"
    run -0 vmdock exec --help
    has "$output" "vmdock exec [OPTION…] VM -- COMMAND…"
}

@test "logs: the last lines alone, and with --follow what comes, until the VM stops" {
    local reader ended=0
    deploy 70 user="$(element ONEDOCK_COMMAND "sh -c 'echo one; echo two; echo three; exec first'")"
    within 5 logs_have_begun
    docker exec one-70 sh -c 'echo four >/proc/1/fd/1'
    same "$(vmdock logs --tail 1 one-70 | tr -d '\r')" four
    same "$(vmdock logs one-70 | tr -d '\r' | head -n 3 | xargs)" "one two three"
    (exec vmdock logs --tail 1 --follow one-70 >"$BATS_TEST_TMPDIR/followed" 3>&-) &
    reader=$!
    within 5 grep -q four "$BATS_TEST_TMPDIR/followed"
    docker exec one-70 sh -c 'echo five >/proc/1/fd/1'
    within 5 grep -q five "$BATS_TEST_TMPDIR/followed"
    kill -s 0 "$reader"
    vmdock shutdown one-70
    wait "$reader" || ended=$?
    same "$ended" 0
    same "$(tr -d '\r' <"$BATS_TEST_TMPDIR/followed" | xargs)" "four five stopped"
    fails_with USAGE "--tail takes a number of lines" vmdock logs --tail -1 one-70
}

# The first program says what network it has, the routes last.
logs_have_begun() {
    vmdock logs one-70 | grep -q "first instruction" && docker exec one-70 pidof sleep
}

@test "show tells what a VM was given, and how it ended only when it has" {
    deploy 70 "$NIC"
    run -0 vmdock show one-70
    has "$output" "memory        "
    has "$output" "cpu           "
    has "$output" "pid           "
    has_not "$output" exit_code
    vmdock shutdown one-70
    run -0 vmdock show one-70
    has "$output" "exit_code     "
    has_not "$output" "pid           "
}

@test "what names no VM is told how VMs are named, by each cloud" {
    run vmdock show web
    [ "$status" -eq "$(status_of USAGE)" ]
    has "$output" '"web" names no VM; VMs are named like one-42 (OpenNebula), nova-<uuid>, dom-<name> (domain XML) or run-<name> (vmdock run)'
}

@test "of several VMs the first failure ends the verb, and says which VM it was" {
    deploy 70 "$NIC"
    run ! vmdock shutdown one-71 one-70
    same "$output" "vmdock: there is no VM one-71 on this host"
    same "$(docker inspect --format "{{.State.Status}}" one-70)" running
    vmdock shutdown one-70
    vmdock purge one-70 one-71
}

@test "colour: on a terminal alone, unless it is asked for or not wanted" {
    local escape=$'\e['
    deploy 70 "$NIC"
    has_not "$(vmdock list)" "$escape"
    has "$(script --quiet --return --command 'vmdock list' /dev/null)" "$escape"
    has_not "$(NO_COLOR=1 script --quiet --return --command 'vmdock list' /dev/null)" "$escape"
    has_not "$(script --quiet --return --command 'vmdock list --color=never' /dev/null)" "$escape"
    has "$(vmdock list --color=always)" "$escape"
    has_not "$(script --quiet --return --command 'vmdock list --json' /dev/null)" "$escape"
    vmdock purge one-70
}

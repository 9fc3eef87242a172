#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # texts that are not expanded
# Deploys of VMs that are there already, and actions that break off in the middle of one: what was
# there before stays as it was.

load helpers

NIC=nic=lab0,10.9.0.75

setup_file() {
    lab_ready
}

setup() {
    remember_state
    XML=$BATS_TEST_TMPDIR/vm.xml
    vm_xml 75 "$NIC" >"$XML"
}

teardown() {
    sweep
}

reaches() {
    ping -c 1 -W 2 -q 10.9.0.75
    docker exec one-75 ip addr show eth0 | grep -q 10.9.0.75/24
}

# A deploy whose last step fails: nobody takes the deploy id.
deploy_untold() {
    run -"$(status_of NO_SPACE)" bash -c 'vmdock deploy "$1" >/dev/full' bash "$1"
}

@test "a failed second deploy of a paused VM leaves it paused" {
    vmdock deploy "$XML"
    vmdock pause one-75
    deploy_untold "$XML"
    same "$(container_state 75)" paused
    vmdock deploy "$XML"
    same "$(container_state 75)" running
    reaches
}

@test "a failed second deploy leaves limits, network and saved spec as they were" {
    local limit
    vmdock deploy "$XML"
    limit=$(docker inspect --format '{{.HostConfig.Memory}}' one-75)
    cp "$STATE/one-75/spec.json" "$BATS_TEST_TMPDIR/spec.json"
    vm_xml 75 nic=lab0,10.9.0.76 memory=128 >"$BATS_TEST_TMPDIR/other.xml"
    deploy_untold "$BATS_TEST_TMPDIR/other.xml"
    same "$(docker inspect --format '{{.HostConfig.Memory}}' one-75)" "$limit"
    same "$(addresses 75)" 10.9.0.75/24
    cmp "$STATE/one-75/spec.json" "$BATS_TEST_TMPDIR/spec.json"
    reaches
}

@test "a saved spec that cannot be read is named, and a failed deploy leaves it for whoever looks" {
    vmdock deploy "$XML"
    printf 'not \0 JSON' >"$STATE/one-75/spec.json"
    run bash -c 'vmdock deploy "$1" 2>&1 >/dev/full' bash "$XML"
    has "$output" "spec.json cannot be read"
    cmp "$STATE/one-75/spec.json" <(printf 'not \0 JSON')
    vmdock deploy "$XML"
    jq -e . "$STATE/one-75/spec.json" >/dev/null
    reaches
}

@test "a second deploy that is interrupted leaves the VM running as before, or as it was asked" {
    local delay now
    vmdock deploy "$XML"
    vm_xml 75 nic=lab0,10.9.0.75 memory=128 >"$BATS_TEST_TMPDIR/other.xml"
    for delay in 0.01 0.02 0.03 0.04 0.06 0.1; do
        timeout --foreground --signal=TERM "$delay" vmdock deploy "$BATS_TEST_TMPDIR/other.xml" &>/dev/null || true
        now=$(docker inspect --format '{{.HostConfig.Memory}}' one-75)
        same "$now" "$(jq .limits.memory "$STATE/one-75/spec.json")"
        reaches
        vmdock deploy "$XML"
    done
}

@test "a reset that is interrupted leaves the VM running with its network" {
    local delay
    vmdock deploy "$XML"
    for delay in 0.02 0.05 0.1 0.2 0.3; do
        timeout --foreground --signal=INT "$delay" vmdock reset one-75 &>/dev/null || true
        same "$(container_state 75)" running
        reaches
    done
}

@test "cancel clears what a deploy killed by SIGKILL left, the name of its image too" {
    local delay pid cleared=0
    # counted from the first file it writes, so that a slow start of the process shifts nothing
    for delay in 0 0.005 0.01 0.02 0.03 0.05 0.08; do
        vmdock deploy "$XML" &>/dev/null 3>&- &
        pid=$!
        until [ -e "$STATE/one-75" ]; do kill -s 0 "$pid"; done
        sleep "$delay"
        kill -s KILL "$pid" 2>/dev/null || true
        wait "$pid" || true
        sleep 0.5
        if [ "$(container_state 75 2>/dev/null)" = running ]; then
            vmdock purge one-75
            continue
        fi
        vmdock cancel one-75
        cleared=$((cleared + 1))
        # A link that was killed before it had its mark goes with its namespace, behind the scenes.
        within 5 nothing_left
    done
    [ "$cleared" -ge 1 ]
}

# A container like the VM's, under another name: prints that.
late_container() {
    local -a alike
    vmdock deploy "$XML" >/dev/null
    mapfile -t alike < <(docker inspect one-75 | jq -r '.[0] | "--runtime=\(.HostConfig.Runtime)",
        "--cgroup-parent=\(.HostConfig.CgroupParent)", (.Config.Labels | to_entries[] | "--label=\(.key)=\(.value)")')
    vmdock purge one-75
    docker create --name late-75 "${alike[@]}" lab/vm:1 >/dev/null
    echo late-75
}

@test "a container that a killed deploy's request makes late, between another's look and its own request, is cleared" {
    local late pid
    late=$(late_container)
    # its first file is written after the look; the other one waits there
    strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2 \
        -e inject=rename,renameat,renameat2:delay_enter=1500000:when=1 \
        env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" vmdock deploy "$XML" 3>&- &
    pid=$!
    until [ -e "$STATE/one-75" ]; do kill -s 0 "$pid"; done
    docker rename "$late" one-75
    wait "$pid"
    same "$(container_state 75)" running
    reaches
    vmdock purge one-75
    nothing_left
}

# A deploy that was killed while the engine is asked for the container, which is not there yet; LATE is what
# the engine will make.
kill_asking() {
    local pid
    LATE=$(late_container)
    strace -f -qq -o /dev/null -e trace=connect -e inject=connect:delay_enter=1500000 \
        env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" vmdock deploy "$XML" 3>&- &
    pid=$!
    until [ -e "$RUN/creating/one-75" ]; do kill -s 0 "$pid"; done
    pkill -KILL -P "$pid"
    wait "$pid" || true
    fails_with NO_VM "there is no VM one-75" vmdock show one-75
}

@test "cancel and purge wait for the container that a killed deploy had asked for" {
    local action waiting
    for action in cancel purge; do
        kill_asking
        vmdock "$action" one-75 3>&- &
        waiting=$!
        sleep 0.5
        kill -s 0 "$waiting"
        docker rename "$LATE" one-75
        wait "$waiting"
        nothing_left || fail "$action" || return 1
    done
}

@test "a container that a killed deploy had asked for, and that does not come, is not waited for longer than configured" {
    kill_asking
    printf '[engine]\nlate_create_ms = 1000\n' >"$BATS_TEST_TMPDIR/conf"
    sleep 1
    timeout 5 vmdock --config="$BATS_TEST_TMPDIR/conf" purge one-75
    docker rm "$LATE" >/dev/null
    nothing_left
}

@test "neither cancel nor gc takes an image that only the VM's name holds" {
    vmdock deploy "$XML"
    vmdock shutdown one-75
    docker rm one-75 >/dev/null
    docker build --quiet --tag vmdock/one-75:disk.0 - >/dev/null <<<"FROM $IMAGE
LABEL changed=yes"
    vmdock cancel one-75
    same "$(docker inspect --format '{{.Config.Labels.changed}}' vmdock/one-75:disk.0)" yes
}

@test "a deploy that is interrupted while its image is fetched ends at once and leaves nothing" {
    local registry name pid began
    registry=$("$LAB" registry "$LAB_DIR" --port 5075)
    name=$registry/lab/slow:1
    docker tag "$IMAGE" "$name"
    docker push -q "$name" >/dev/null
    docker rmi "$name" >/dev/null
    remember_state
    pid=$(ss -Hltnp 'sport = :5075' | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
    kill -s STOP "$pid"
    began=$SECONDS
    run timeout --foreground --signal=TERM 1 vmdock deploy <(vm_xml 75 "$NIC" "image=docker://$name")
    kill -s CONT "$pid"
    [ $((SECONDS - began)) -le 5 ]
    nothing_left
}

@test "an image that is held wins over the XML's, and the log says so" {
    vmdock deploy "$XML"
    vmdock shutdown one-75
    docker rm one-75 >/dev/null
    image lab/other:1 'LABEL other=yes'
    run --separate-stderr vmdock deploy <(vm_xml 75 "$NIC" image=docker://lab/other:1)
    [ "$status" -eq 0 ]
    # shellcheck disable=SC2154 # bats sets it
    has "$stderr" "disk 0 is the image that vmdock/one-75:disk.0 holds"
    same "$(docker inspect --format '{{.Image}}' one-75)" "$(docker inspect --format '{{.Id}}' "$IMAGE")"
}

@test "a container is made from the image's id, which keeps the engine's listings fast" {
    vmdock deploy "$XML"
    same "$(docker inspect --format '{{.Config.Image}}' one-75)" "$(docker inspect --format '{{.Id}}' "$IMAGE")"
    vmdock show one-75 | grep -q "^image  *$IMAGE"
    vmdock list | grep one-75 | grep -q "$IMAGE"
}

@test "what the XML asks for and no container can give is told once, not at each deploy" {
    local asks='template=<GRAPHICS><TYPE>VNC</TYPE></GRAPHICS>'
    vm_xml 75 "$NIC" "$asks" >"$XML"
    run --separate-stderr vmdock deploy "$XML"
    has "$stderr" GRAPHICS
    run --separate-stderr vmdock deploy "$XML"
    has_not "$stderr" GRAPHICS
    vmdock shutdown one-75
    run --separate-stderr vmdock deploy "$XML"
    has_not "$stderr" GRAPHICS
    vm_xml 75 "$NIC" "$asks<INPUT><TYPE>tablet</TYPE></INPUT>" >"$XML"
    run --separate-stderr vmdock deploy "$XML"
    has "$stderr" INPUT
    has_not "$stderr" GRAPHICS
    has "$(vmdock explain "$XML")" GRAPHICS
}

@test "times and numbers of lines that are none" {
    vmdock deploy "$XML"
    fails_with USAGE "whole seconds" vmdock shutdown --time=-5 one-75
    fails_with USAGE "whole seconds" vmdock shutdown --time=soon one-75
    fails_with USAGE "whole seconds" vmdock shutdown --time=99999999 one-75
    fails_with USAGE "number of lines" vmdock logs --tail=-3 one-75
    same "$(container_state 75)" running
}
